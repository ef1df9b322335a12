#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: many cameras behind several xHCI controllers. The cameras run outside
# (tests/vm/redir.host.bash); what they stored is in the shared folder.
#
#   tests/vm/redir.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

IN_TRAY=64
IN_ALL=68

# A slot for each device, and the serial that the device at its port says it has.
make_usb_bench() { # PORT...
    local number=0 port text
    make_empty_bench
    ln -s "$SHARE/cameras" "$FOLDER/cameras"
    write_usb_slots "$@"
    echo slot,serial >"$FOLDER/tray.csv"
    for port in "$@"; do
        read -r text <"/sys/bus/usb/devices/$port/serial"
        echo "$((number += 1)),$text"
    done >>"$FOLDER/tray.csv"
}

ports_with_serials() { # FIRST LAST: of those in PORTS
    local port number
    for port in "${PORTS[@]}"; do
        read -r number <"/sys/bus/usb/devices/$port/serial"
        number=$((10#${number#"$PREFIX"}))
        if [ "$number" -ge "$1" ] && [ "$number" -le "$2" ]; then echo "$port"; fi
    done
}

case_tray() {
    local ports
    await_ports "$CAMERA_ID" "$IN_ALL"
    mapfile -t ports < <(ports_with_serials 1 "$IN_TRAY")
    make_usb_bench "${ports[@]}"
    tray --lot LOT-1
    expect 'a tray of 64, one unplugged at work' 0 \
        '64 units of lot LOT-1: 64 passed, 0 already provisioned, 0 failed, 0 unfinished'
    expect_certificates 'a tray of 64' "$IN_TRAY"
    ok 'one was unplugged in earnest' dmesg_says 'USB disconnect'
    expect_sound_kernel
}

# Two exchange their ports after their CSRs were read, one is unplugged, one loses power.
case_run() {
    local ports
    await_ports "$CAMERA_ID" "$IN_ALL"
    mapfile -t ports < <(ports_with_serials $((IN_TRAY + 1)) "$IN_ALL")
    make_usb_bench "${ports[@]}"
    start_birthcert run
    await_lines "$FOLDER/out" '^PASS' 4 60
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit 'hot-plug' 0
    ok 'hot-plug: none fails' not grep -q '^FAIL' "$FOLDER/out"
    expect_slot 'hot-plug: one comes back at the other port' 1 PASS "$(serial 66)"
    expect_slot 'hot-plug: and so does the other' 2 PASS "$(serial 65)"
    expect_slot 'hot-plug: one was unplugged' 3 PASS "$(serial 67)"
    expect_slot 'hot-plug: one lost power' 4 PASS "$(serial 68)"
    ok 'hot-plug: on record' is "$(cameras_of_run)" "$(program_says | sort)"
    expect_sound_kernel
}

# Those of the tray are locked, too.
cameras_of_run() { cameras_say | sort | awk -v first="$(serial $((IN_TRAY + 1)))" '$1 >= first'; }

start_udev
modprobe xhci_pci
run_cases tray run
