#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: what `birthcert ports` says of a real kernel's ports under a real udev, to
# a user who is not root, with and without the shipped rules.
#
#   tests/vm/ports.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

ADAPTER_ID=0403:6001

PROGRAM=$(cd "$BUILD" && pwd)/birthcert

as_user() { # GROUP OPTION...: somebody who is not root
    local group=$1
    shift
    STATUS=0
    (cd / && exec setpriv --reuid=65534 --regid=65534 --groups "$group" "$PROGRAM" ports "$@") \
        >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
}

json() { # EXPRESSION: true of all that was written, as an array
    jq -e -s "$1" "$FOLDER/out"
}

case_ports() {
    local dialout
    dialout=$(getent group dialout | cut -d : -f 3)
    await_ports "$CAMERA_ID" 1
    local camera=${PORTS[0]}
    await_ports "$ADAPTER_ID" 1
    local adapter=${PORTS[0]}
    as_user "$dialout" --json
    expect_exit 'with the rules' 0
    ok 'the camera is one, and may be opened' json "any(.usb_path == \"$camera\" and .camera and
        .access == \"allowed\" and .group == \"dialout\" and .usb_id == \"$CAMERA_ID\" and
        .section.usb == \"$camera\" and .notes == [])"
    ok 'the adapter is a serial port' json "any(.kind == \"serial\" and .usb_path == \"$adapter\" and
        .driver == \"ftdi_sio\" and .access == \"allowed\" and .latency_timer_ms == 1 and
        (.section.serial | startswith(\"/dev/serial/by-path/\")) and .notes == [])"
    ok 'the keyboard is neither' json 'any(.usb_id == "0627:0001" and .state == "other")'
    as_user 65534
    expect 'not in the group' 0 'no permission on /dev/bus/usb/.*, of group dialout' 'usermod -aG dialout'
}

# As the kernel makes the file, before any rule.
case_without_rules() {
    await_ports "$CAMERA_ID" 1
    chgrp root "$(udevadm info -q property --property=DEVNAME --value -p \
        "/sys/bus/usb/devices/${PORTS[0]}")"
    as_user 65534
    expect 'without the rules' 0 'no permission on /dev/bus/usb/.*, of group root' 70-birthcert.rules
}

case_watch() {
    make_empty_bench
    await_ports "$ADAPTER_ID" 1
    printf '[slot one]\nusb = %s\n' "${PORTS[0]}" >"$FOLDER/conf.d/20-slots.conf"
    start_birthcert ports --watch
    await "$FOLDER/err" '^watching'
    machine 'device_del adapter'
    await "$FOLDER/out" "Z unplugged +unassigned +ttyUSB0 at usb ${PORTS[0]} "
    await "$FOLDER/out" "Z unplugged +slot one +usb ${PORTS[0]} "
    machine 'device_add usb-serial,chardev=line0,bus=bench.0,port=2,always-plugged=on,id=adapter'
    await "$FOLDER/out" "Z plugged +slot one +usb ${PORTS[0]} "
    await "$FOLDER/out" "Z plugged +unassigned +ttyUSB0 at usb ${PORTS[0]} "
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit 'the watch, after SIGINT' 0
    ok 'each was told once' is "$(grep -c 'Z plugged' "$FOLDER/out")" 2
    ok 'and nothing else' is "$(grep -c 'Z changed' "$FOLDER/out" || true)" 0
}

start_udev
modprobe -a ftdi_sio usbhid hid_generic xhci_pci
run_cases ports watch without_rules
