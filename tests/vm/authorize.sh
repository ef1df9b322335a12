#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: the optional rule that lets only cameras work on the bench's controller.
# tests/vm/authorize.host.bash plugs two cameras and a keyboard into it, and the station's own
# keyboard into another one.
#
#   tests/vm/authorize.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

KEYBOARD_ID=0627:0001
BENCH=0000:00:10.0
STATION=0000:00:11.0

install_rule() {
    mkdir -p /run/udev/rules.d
    sed "s/\"0000:05:00\.0\"/\"$BENCH\"/" scripts/udev/71-birthcert-authorize.rules.example \
        >/run/udev/rules.d/71-birthcert-authorize.rules
    grep -q "\"$BENCH\"" /run/udev/rules.d/71-birthcert-authorize.rules
}

# A controller's devices of that VID:PID, and what is in their file `authorized`.
authorized() { # CONTROLLER VID:PID
    local folder
    while IFS= read -r folder; do
        case $(readlink -f "$folder") in
        */"$1"/*) cat "$folder/authorized" ;;
        esac
    done < <(devices_of "$2")
}

inputs_of() { # CONTROLLER
    find "/sys/bus/pci/devices/$1/" -path '*/input/input*' -name 'event*'
}

# Whether one ever came, if only for a moment: the kernel says so for each.
had_input() { # CONTROLLER
    dmesg_says "input: .*/$1/"
}

provision_camera() { # WHAT NUMBER
    await_ports "$CAMERA_ID" 2
    make_empty_bench
    write_usb_slots "${PORTS[@]}"
    birthcert run --slot "$2" --once
    expect_exit "$1: the camera works" 0
    expect_slot "$1" "$2" PASS "$(serial "$2")"
}

# Nothing is authorised by itself anywhere, from the kernel's command line on.
case_from_the_start() {
    modprobe usbcore authorized_default=0
    modprobe -a usbhid hid_generic evdev xhci_pci
    await_ports "$CAMERA_ID" 2
    await_ports "$KEYBOARD_ID" 2
    ok 'from the start: the cameras are authorised' is "$(authorized "$BENCH" "$CAMERA_ID")" $'1\n1'
    ok 'from the start: the keyboard is not' is "$(authorized "$BENCH" "$KEYBOARD_ID")" 0
    provision_camera 'from the start' 1
    ok 'from the start: no input device ever came' not had_input "$BENCH"
    expect_sound_kernel
}

# Only the rule. What is plugged in later never works, and the station's own keyboard does.
case_by_the_rule() {
    modprobe -r xhci_pci
    echo -1 >/sys/module/usbcore/parameters/authorized_default
    modprobe xhci_pci
    await_ports "$CAMERA_ID" 2
    await_ports "$KEYBOARD_ID" 2
    ok 'by the rule: the cameras are authorised' is "$(authorized "$BENCH" "$CAMERA_ID")" $'1\n1'
    ok 'by the rule: the keyboard is not' is "$(authorized "$BENCH" "$KEYBOARD_ID")" 0
    ok "by the rule: the station's own is" is "$(authorized "$STATION" "$KEYBOARD_ID")" 1
    ok "by the rule: the station's own can be typed on" is "$(inputs_of "$STATION" | wc -l)" 1
    ok 'by the rule: the other one cannot' is "$(inputs_of "$BENCH" | wc -l)" 0
    ok 'the kernel tells of input devices' had_input "$STATION"
    dmesg --clear
    machine 'device_add usb-kbd,bus=bench.0,port=3'
    await_ports "$KEYBOARD_ID" 3
    ok 'plugged in later: not authorised either' is "$(authorized "$BENCH" "$KEYBOARD_ID")" $'0\n0'
    ok 'plugged in later: no input device ever came' not had_input "$BENCH"
    provision_camera 'by the rule' 2
    expect_sound_kernel
}

install_rule
start_udev
run_cases from_the_start by_the_rule
