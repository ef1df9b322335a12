#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: how long a unit is on the wire, beside what its round trips and bytes take
# at the least.
#
# The machine counts: its clock goes by the instructions it ran (wire.host.bash), so that the figure
# is nearly the same on every machine and may be judged. It has one processor, as an emulated machine of two
# counts both on one clock. A camera goes before everything else on it, as if it had one of its own:
# what the station does meanwhile is not the wire's.
#
#   tests/vm/wire.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash
# shellcheck source=tests/vm/gadgets.bash
. tests/vm/gadgets.bash

SCHEDULE=(chrt --fifo 50)
UNITS=5
LIMIT=1.5   # times the floor, for the unit in the middle
EXCHANGES=6 # of a P-256 unit in which the camera only copies: HELLO, INFO twice, CSR, WRITE, read back

# Writes to FILE what is seen on BUS, until stop_watching.
watch_bus() { # BUS FILE
    cat "/sys/kernel/debug/usb/usbmon/${1}u" >"$2" &
    WATCH_PID=$!
    STARTED+=("$WATCH_PID")
}

stop_watching() {
    sleep 0.5
    end_all "$WATCH_PID"
}

run_units() {
    local unit
    for ((unit = 0; unit < UNITS; unit++)); do
        if ((unit > 0)); then
            end_all "$GADGET_PID"
            CAMERA=$((10 + unit)) start_gadget 0
            await "$FOLDER/gadget0" '^started'
        fi
        birthcert run --slot 1 --once
        expect "unit $unit on the wire" 0 '^PASS +slot 1'
    done
}

# The wire alone, then with units; a unit at another slot first makes the machine warm.
case_units() {
    local bus node status
    FIRST=0
    start_gadget 1
    start_gadget 0
    make_gadget_bench 2
    birthcert run --slot 2 --once
    bus=$(sed -n 's/^usb = \([0-9]*\)-1$/\1/p;T;q' "$FOLDER/conf.d/20-slots.conf")
    node=$(printf '/dev/bus/usb/%03d/%03d' "$bus" "$(<"/sys/bus/usb/devices/$bus-1/devnum")")
    watch_bus "$bus" "$FOLDER/floor"
    "$BUILD/wire-floor" "$node" 81 02
    stop_watching
    watch_bus "$bus" "$FOLDER/units"
    run_units
    stop_watching
    status=0
    awk -v units="$UNITS" -v exchanges="$EXCHANGES" -v limit="$LIMIT" -f tests/vm/wire.awk "$FOLDER/floor" \
        "$FOLDER/units" || status=$?
    ok "a unit is on the wire for at most $LIMIT times the floor" is "$status" 0
}

start_udev
modprobe dummy_hcd num=2
modprobe usbmon
mount -t debugfs none /sys/kernel/debug 2>/dev/null || mountpoint -q /sys/kernel/debug
run_cases units
