#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: what a camera on USB costs the station, beside one on a Unix socket, both
# with Debian's kernel, cameras that take no time, and the embedded CA. A measurement, no test.
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

CAMERAS=64

# Provisions the tray; prints the station's CPU time, microseconds a unit.
measure() {
    local TIMEFORMAT='%U %S'
    { time "$BUILD/birthcert" tray "$FOLDER/tray.csv" --config "$FOLDER/birthcert.conf" \
        >"$FOLDER/out" 2>"$FOLDER/err"; } 2>"$FOLDER/time"
    awk -v units="$CAMERAS" '{ printf "%d\n", ($1 + $2) * 1e6 / units }' "$FOLDER/time"
}

expect_all_passed() { # WHAT
    ok "$1: all pass" says "^$CAMERAS units: $CAMERAS passed"
}

case_speed() {
    local usb unix
    await_ports "$CAMERA_ID" "$CAMERAS"
    make_empty_bench
    write_usb_slots "${PORTS[@]}"
    { echo slot && seq "$CAMERAS"; } >"$FOLDER/tray.csv"
    usb=$(measure)
    expect_all_passed USB
    rm -rf "${FOLDER:?}"/*
    make_bench "$CAMERAS" unix
    { echo slot && seq "$CAMERAS"; } >"$FOLDER/tray.csv"
    start_cameras "$CAMERAS"
    unix=$(measure)
    expect_all_passed 'Unix sockets'
    echo "# measured: station CPU for a camera on USB $usb us, on a Unix socket $unix us, ratio" \
        "$(awk -v usb="$usb" -v unix="$unix" 'BEGIN { printf "%.2f", usb / unix }')"
}

start_udev
modprobe xhci_pci
run_cases speed
