#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: cameras that are serial ports by themselves (CDC-ACM), the kernel's cdc_acm,
# and the names that udev gives by port. Each camera is a gadget on the kernel's own pair of a device
# and a host controller (dummy_hcd), whose end of the line is a tty as well (usb_f_acm).
#
#   tests/vm/acm.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

CAMERAS=2
GADGETS=/sys/kernel/config/usb_gadget

# ---- the cameras' side ---------------------------------------------------------------------------

make_gadget() { # INDEX
    local gadget=$GADGETS/cam$1
    mkdir "$gadget"
    echo "0x${CAMERA_ID%:*}" >"$gadget/idVendor"
    echo "0x${CAMERA_ID#*:}" >"$gadget/idProduct"
    mkdir "$gadget/strings/0x409"
    serial $(($1 + 1)) >"$gadget/strings/0x409/serialnumber"
    mkdir "$gadget/configs/c.1" "$gadget/functions/acm.line"
    ln -s "$gadget/functions/acm.line" "$gadget/configs/c.1/"
}

plug() { # INDEX: waits until the station's side has its name
    find_ttys
    echo "dummy_udc.$1" >"$GADGETS/cam$1/UDC"
    await_ttys $((${#TTYS[@]} + 1))
}

pull() { # INDEX
    echo '' >"$GADGETS/cam$1/UDC"
}

# The cameras of a case, each on its gadget's tty.
start_tty_cameras() { # OPTION...
    local index
    mkdir "$FOLDER/ports"
    for ((index = 0; index < CAMERAS; index++)); do
        ln -s "/dev/ttyGS$(<"$GADGETS/cam$index/functions/acm.line/port_num")" \
            "$FOLDER/ports/cam$index"
    done
    start_cameras "$CAMERAS" --transport tty "$@"
}

# ---- the station's side --------------------------------------------------------------------------

by_path() { # INDEX
    echo "/dev/serial/by-path/platform-dummy_hcd.$1-usb-0:1:1.0"
}

# What the names stand for now: TTYS.
find_ttys() {
    local index path
    TTYS=()
    for ((index = 0; index < CAMERAS; index++)); do
        if path=$(readlink "$(by_path "$index")"); then
            TTYS+=("${path##*/}")
        fi
    done
}

await_ttys() { # COUNT
    local tries
    for ((tries = 0; tries < WAIT_DEVICES_S * 10; tries++)); do
        find_ttys
        [ "${#TTYS[@]}" -ne "$1" ] || return 0
        sleep 0.05
    done
    echo "not ok - the ttys are ${TTYS[*]}, wanted are $1"
    return 1
}

make_acm_bench() {
    local index
    make_empty_bench
    for ((index = 0; index < CAMERAS; index++)); do
        printf '[slot %d]\nserial = %s\n' $((index + 1)) "$(by_path "$index")"
    done >"$FOLDER/conf.d/20-slots.conf"
    write_manifest "$CAMERAS"
}

# ---- cases ---------------------------------------------------------------------------------------

case_tray() {
    make_acm_bench
    start_tty_cameras
    ask ports --json >"$FOLDER/ports.json"
    ok 'both are ports of their slots, for the group dialout' jq -e -s '[.[] | select(
        .state == "assigned" and .driver == "cdc_acm" and .access == "allowed" and
        .group == "dialout" and .notes == [])] | length == 2' "$FOLDER/ports.json"
    tray --lot LOT-1
    expect 'a tray on CDC-ACM' 0 \
        '2 units of lot LOT-1: 2 passed, 0 already provisioned, 0 failed, 0 unfinished'
    expect_certificates 'a tray on CDC-ACM' "$CAMERAS"
    expect_sound_kernel
}

await_admitted() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        [ "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM unit')" -lt "$CAMERAS" ] ||
            return 0
        sleep 0.05
    done
    echo 'not ok - the cameras are not admitted in time'
    return 1
}

end_run() {
    await_lines "$FOLDER/out" '^PASS' "$CAMERAS" 8
    kill -INT "$STATION_PID"
    await_birthcert
}

cpu_ticks() { # PID: of 10 ms
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# A tty that hung up says so for ever to who goes on watching it.
expect_rest() { # WHAT PID
    local start
    start=$(cpu_ticks "$2")
    sleep 1
    ok "$1 is at rest" below $(($(cpu_ticks "$2") - start)) 50
}

# Both are pulled while they make their keys, and plugged in again in the other order, so that each
# comes back under the other's number. The keys stay.
case_replug() {
    make_acm_bench
    start_tty_cameras --key-time 6000
    find_ttys
    ok 'their numbers' is "${TTYS[*]}" 'ttyACM0 ttyACM1'
    start_birthcert run
    await_admitted
    pull 0
    pull 1
    await_ttys 0
    await_lines "$FOLDER/err" 'E-PORT-HANGUP' 2
    expect_rest 'unplugged at work: the station' "$STATION_PID"
    expect_rest 'unplugged at work: a camera' "$CAMERAS_PID"
    plug 1
    plug 0
    ok 'unplugged at work: they exchanged their numbers' is "${TTYS[*]}" 'ttyACM1 ttyACM0'
    end_run
    expect 'unplugged at work' 0 '^PASS +slot 1 +VX-000001' '^PASS +slot 2 +VX-000002' \
        'slot 1: E-PORT-HANGUP' 'slot 2: E-PORT-HANGUP'
    expect_certificates 'unplugged at work' "$CAMERAS"
    expect_sound_kernel
}

# Pulled when the certificate is issued and written, and the camera was asked to keep it. It closes
# its tty before it answers, and opens it again later, whether the station is there or not.
case_unplug_at_commit() {
    local tty tries
    make_acm_bench
    start_tty_cameras --fault 0:unplug-at=commit --replug-ms 4000
    tty=$(readlink "$FOLDER/ports/cam0")
    start_birthcert run
    for ((tries = 0; tries < 500; tries++)); do
        find "/proc/$CAMERAS_PID/fd" -lname "$tty" | grep -q . || break
        sleep 0.05
    done
    pull 0
    await_ttys 1
    plug 0
    end_run
    expect 'unplugged at commit' 0 '^PASS +slot 1 +VX-000001' 'slot 1: E-PORT-HANGUP'
    ok 'unplugged at commit: the installation began anew' is \
        "$(ask show "$(serial 1)" | grep -c 'install .*: started$')" 2
    expect_certificates 'unplugged at commit' "$CAMERAS"
    expect_sound_kernel
}

start_udev
modprobe dummy_hcd num="$CAMERAS"
modprobe -a libcomposite usb_f_acm cdc_acm
mount -t configfs none /sys/kernel/config
for ((index = 0; index < CAMERAS; index++)); do
    make_gadget "$index"
    plug "$index"
done
run_cases tray replug unplug_at_commit
