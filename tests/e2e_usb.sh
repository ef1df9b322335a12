#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cameras on USB: the real program with an unmodified libusb, on a mocked USB bench (camera-usb,
# libumockdev-preload). What goes well, and what cables, hubs, hosts and cameras do wrong.
#
#   tests/e2e_usb.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
CAMERA_PROGRAM=camera-usb
CAMERA_TRANSPORT=mock

# The steps of a camera, before its request is heard, and in the middle of it.
readonly STEPS=(hello info generate generate-stored read write commit commit-stored prove finish
    finish-stored)
readonly STEPS_ANSWERED=(hello-answered info-answered generate-answered read-answered
    write-answered commit-answered prove-answered finish-answered)

# ---- a USB bench ---------------------------------------------------------------------------------

# Slot N is the port of camera N - 1, as `camera-usb --help` tells: hubs of 8 beyond 8 cameras.
make_usb_bench() { # COUNT
    local i port
    make_empty_bench
    for ((i = 0; i < $1; i++)); do
        port=1-$((i + 1))
        [ "$1" -le 8 ] || port=1-$((i / 8 + 1)).$((i % 8 + 1))
        printf '[slot %d]\nusb = %s\n' $((i + 1)) "$port"
    done >"$FOLDER/conf.d/20-slots.conf"
    write_manifest "$1"
}

plug_in() { # COUNT OPTION...: from now on the program sees the mocked bench, and no other
    local sanitizer
    start_cameras "$@"
    # The sanitizer's library insists on being the first.
    sanitizer=$(ldd "$BUILD/birthcert" | awk '/libasan\.so/ { print $1 ":" }')
    STATION_PREFIX=(env "LD_PRELOAD=$sanitizer$(sed -n 's/^LD_PRELOAD=//p' "$FOLDER/cameras.log")"
        "$(grep '^UMOCKDEV_DIR=' "$FOLDER/cameras.log")")
}

usb_fault() { printf -- '--port-option\nfault=%s\n' "$1"; }

hung_up() { [ "$(ask show "$1" | grep -c E-PORT-HANGUP)" -gt 0 ]; }

passed_all() { # WHAT COUNT
    expect "$1" 0 "$2 units: $2 passed, 0 already provisioned, 0 failed, 0 unfinished"
    expect_certificates "$1" "$2"
}

# ---- what goes well ------------------------------------------------------------------------------

case_one() {
    make_usb_bench 1
    plug_in 1
    tray
    expect "one camera" 0 '^PASS +slot 1 +VX-000001'
    passed_all "one camera" 1
    tray
    expect "one camera again" 0 '^ALREADY PROVISIONED +slot 1 +VX-000001'
    expect_certificates "one camera again" 1
}

case_sixteen() {
    make_usb_bench 16
    plug_in 16 --key-time 100
    tray
    passed_all "16 cameras" 16
    ok "16 cameras: no word on stderr but on the CA" is "$(grep -vc '^note:' "$FOLDER/err")" 0
}

# As many as libumockdev-preload carries.
case_forty_eight() {
    make_usb_bench 48
    plug_in 48 --key-time 100
    tray
    passed_all "48 cameras" 48
}

# camera-usb runs a command itself, too: then no bench is left behind.
case_command() {
    local status=0
    make_usb_bench 2
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/camera-usb" --count 2 --serial-prefix VX- \
        --state "$FOLDER/cameras" -- "$BUILD/birthcert" tray "$FOLDER/tray.csv" \
        --config "$FOLDER/birthcert.conf" >"$FOLDER/out" 2>"$FOLDER/err" || status=$?
    ok "as a command of camera-usb" is "$status" 0
    expect_text "as a command of camera-usb" '2 units: 2 passed'
    expect_certificates "as a command of camera-usb" 2
    status=0
    "$BUILD/camera-usb" -- sh -c 'kill -TERM $$' 2>"$FOLDER/err" || status=$?
    ok "camera-usb passes on how its command ended" is "$status" 143
}

# ---- packets -------------------------------------------------------------------------------------

# A subject so long that the certificate's transfer to the camera is 1024 bytes, or with four bytes
# more the one that reads it back: for every second camera, as a signature's length varies by two.
write_long_names() { # LENGTH: of the last label, at most 59
    local label
    label=$(printf 'a%.0s' {1..60})
    printf '[profile https]\ndns_names = {serial}.local, b%s, c%s, d%s\n' \
        "$label.${label:0:51}" "$label.${label:0:51}" "$label.${label:0:$1}"
    printf 'organization = %s\norganizational_unit = %s\n' "$label" "$label"
} >"$FOLDER/conf.d/40-names.conf"

tally() { # EXPRESSION: a number in what camera-usb counted
    sed -nE "s/.*$1.*/\\1/p" "$FOLDER/cameras.log"
}

case_padding_out() {
    make_usb_bench 16
    write_long_names 50
    plug_in 16
    tray
    passed_all "transfers of whole packets to cameras" 16
    stop_cameras
    ok "transfers of whole packets to cameras: there were some" at_least \
        "$(tally ' ([0-9]+) transfers out')" 1
    ok "transfers of whole packets to cameras: each was padded" is "$(tally ' ([0-9]+) out and')" 0
}

case_padding_in() {
    make_usb_bench 16
    write_long_names 54
    plug_in 16
    tray
    passed_all "transfers of whole packets from cameras" 16
    stop_cameras
    ok "transfers of whole packets from cameras: there were some" at_least \
        "$(tally ' ([0-9]+) in were')" 1
    ok "transfers of whole packets from cameras: each was padded" is "$(tally ' ([0-9]+) in had')" 0
}

# The counter counts: cameras that do not pad, as firmware may be. The station gets on with them.
case_no_padding() {
    make_usb_bench 16
    write_long_names 54
    plug_in 16 --fault all:no-padding
    tray
    passed_all "cameras that do not pad" 16
    stop_cameras
    ok "cameras that do not pad: it shows" at_least "$(tally ' ([0-9]+) in had')" 1
}

# ---- what USB does wrong -------------------------------------------------------------------------

case_transfers() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:stall-in=3 && usb_fault 1:stall-out=4 &&
        usb_fault 2:protocol=5 && usb_fault 3:hang=6 && usb_fault 4:one-byte &&
        usb_fault 5:pieces && usb_fault 6:flood)
    make_usb_bench 8
    plug_in 8 "${faults[@]}"
    tray --wait 20
    passed_all "halts, errors, a reset, pieces, single bytes, a flood" 8
}

case_no_answer() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:no-read && usb_fault 2:flood)
    make_usb_bench 4
    plug_in 4 "${faults[@]}" --fault 1:silent --fault 2:silent
    tray --wait 3
    expect "cameras that do not answer" 1 '1 passed, 0 already provisioned, 0 failed, 3 unfinished' \
        'slot 1: E-CAM-TIMEOUT VX-000001: nothing has answered .* usb 1-1;' \
        'slot 2: E-CAM-TIMEOUT VX-000002: .* usb 1-2;' 'slot 3: E-CAM-TIMEOUT VX-000003: .* usb 1-3;' \
        '^PASS +slot 4 +VX-000004'
    expect_certificates "cameras that do not answer" 1
}

# The operator is told as well, and once; and of what is no camera where one was before.
case_silent_in_run() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:no-read && usb_fault 2:flood && usb_fault 3:descriptor=plain &&
        usb_fault 3:id=1234:5678 && usb_fault 3:new-id=1111:2222)
    make_usb_bench 5
    printf '[station]\nusb_ids = 1234:5678\n' >"$FOLDER/conf.d/30-usb.conf"
    plug_in 5 "${faults[@]}" --fault 1:silent --fault 2:silent --fault 3:unplug-at=commit
    start_birthcert run
    await "$FOLDER/out" '^PASS +slot 5'
    await "$FOLDER/err" 'slot 4: E-PORT-NOT-CAMERA usb 1-4: 1111:2222' 60
    sleep 16
    kill -INT "$STATION_PID"
    await_birthcert
    expect_text "cameras that say nothing" 'slot 1: E-CAM-TIMEOUT usb 1-1: .*has not answered for 15 s' \
        'slot 2: E-CAM-TIMEOUT usb 1-2: ' 'slot 3: E-CAM-TIMEOUT usb 1-3: '
    ok "each is told once" is "$(grep -c 'E-CAM-TIMEOUT usb\|E-PORT-NOT-CAMERA' "$FOLDER/err")" 4
    expect_certificates "cameras that say nothing" 1 2
}

# A port that opens well and fails whenever it is used: what is said is why.
case_broken_port() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:stall-in=1 && usb_fault 1:protocol=1)
    make_usb_bench 4
    plug_in 4 "${faults[@]}"
    tray --wait 8
    expect "ports that fail" 1 '2 passed, 0 already provisioned, 0 failed, 2 unfinished' \
        'slot 1: E-PORT-IO usb 1-1: .*stalls again and again' \
        'slot 2: E-PORT-IO usb 1-2: .*errors on the bus' '2 x E-PORT-IO'
    expect_certificates "ports that fail" 2
}

# Clearing a halt waits for the camera, 8 s with this program: nobody else may wait for that. A camera
# that hangs is reset without it.
case_slow_clear() {
    local faults=() slot
    mapfile -t faults < <(for slot in 0 1 2 3; do usb_fault "$slot:stall-in=1"; done &&
        usb_fault 4:hang=6)
    make_usb_bench 8
    plug_in 8 "${faults[@]}"
    mkdir "$FOLDER/build"
    ln -s "$PWD/$BUILD/birthcert-slow-clear" "$FOLDER/build/birthcert"
    BUILD=$FOLDER/build tray --wait 10
    expect "cameras that are slow to clear" 1 \
        '4 passed, 0 already provisioned, 0 failed, 4 unfinished' '^PASS +slot 5 '
    for slot in 6 7 8; do
        expect_slot "cameras that are slow to clear: slot $slot does not wait" "$slot" PASS \
            ' [0-7]\.[0-9] s$'
    done
}

case_refused() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:no-permission && usb_fault 1:claimed &&
        usb_fault 2:claimed=usb-storage && usb_fault 3:descriptor=keyboard &&
        usb_fault 4:descriptor=plain && usb_fault 5:id=dead:beef &&
        usb_fault 5:descriptor=no-bulk)
    make_usb_bench 8
    plug_in 8 "${faults[@]}"
    tray --wait 1
    expect "ports with something wrong" 4 '2 passed, 0 already provisioned, 0 failed, 6 unfinished' \
        'slot 1: E-PORT-DENIED usb 1-1: no permission on /dev/bus/usb/001/[0-9]+.*; .*(rule|group)' \
        'slot 2: E-PORT-BUSY usb 1-2: another program ' \
        'slot 3: E-PORT-DRIVER usb 1-3: .*driver usb-storage .* 1209:ca30; keep that driver away' \
        'slot 4: E-PORT-NOT-CAMERA usb 1-4: 1209:ca30 ' \
        'slot 5: E-PORT-NOT-CAMERA usb 1-5: 1209:ca30 ' \
        'slot 6: E-PORT-NOT-CAMERA usb 1-6: dead:beef ' \
        '^PASS +slot 7 +VX-000007' '^PASS +slot 8 +VX-000008'
    expect_printable "ports with something wrong"
    expect_certificates "ports with something wrong" 2
}

case_descriptors() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:descriptor=truncated && usb_fault 1:descriptor=zero &&
        usb_fault 2:descriptor=endpoints && usb_fault 3:descriptor=no-bulk &&
        usb_fault 4:descriptor=packet && usb_fault 5:descriptor=interfaces &&
        usb_fault 6:descriptor=none)
    make_usb_bench 8
    plug_in 8 "${faults[@]}"
    tray --wait 1
    expect "hostile descriptors" 1 '1 passed, 0 already provisioned, 0 failed, 7 unfinished' \
        'slot 1: E-PORT-NOT-CAMERA usb 1-1: ' 'slot 2: E-PORT-NOT-CAMERA usb 1-2: ' \
        'slot 3: E-PORT-NOT-CAMERA usb 1-3: ' 'slot 4: E-PORT-NOT-CAMERA usb 1-4: ' \
        'slot 5: E-PORT-NOT-CAMERA usb 1-5: ' 'slot 6: E-PORT-NOT-CAMERA usb 1-6: ' \
        'slot 7: E-PORT-MISSING usb 1-7: ' '^PASS +slot 8 +VX-000008'
    expect_certificates "hostile descriptors" 1
}

# Known by its VID:PID alone; and by another one once it has restarted.
case_ids() {
    local faults=()
    mapfile -t faults < <(usb_fault 0:id=1234:5678 && usb_fault 0:descriptor=plain &&
        usb_fault 1:id=1234:9999 && usb_fault 2:new-id=1234:5678)
    make_usb_bench 4
    printf '[station]\nusb_ids = cafe:0001, 1234:5678\n' >"$FOLDER/conf.d/30-usb.conf"
    plug_in 4 "${faults[@]}" --fault 2:crash-at=commit-stored
    tray --wait 20
    passed_all "other VID:PIDs" 4
    ok "other VID:PIDs: one came back with another" hung_up VX-000003
}

# ---- plugs ---------------------------------------------------------------------------------------

check_steps() { # WHAT FAULT OPTION...: a camera for each step
    local what=$1 fault=$2 i options=() all=("${STEPS[@]}" "${STEPS_ANSWERED[@]}")
    shift 2
    for ((i = 0; i < ${#all[@]}; i++)); do options+=(--fault "$i:$fault=${all[i]}"); done
    make_usb_bench "${#all[@]}"
    plug_in "${#all[@]}" "${options[@]}" "$@"
    tray --wait 20
    passed_all "$what" "${#all[@]}"
    # The last ones happen when the station has its answer, and may have ended.
    await_lines "$FOLDER/cameras.log" ": $fault\$" "${#all[@]}" 5 || true
    for ((i = 0; i < ${#all[@]}; i++)); do
        ok "$what: ${all[i]}, it happened" grep -q "camera $i at ${all[i]}: $fault\$" "$FOLDER/cameras.log"
    done
    # Before INFO the record does not know whose plug it was.
    for ((i = 2; i < ${#STEPS[@]}; i++)); do
        ok "$what: ${STEPS[i]}, on record" hung_up "$(serial $((i + 1)))"
    done
}

case_unplug() { check_steps "unplugged at each step" unplug-at --key-time 100; }

# The host does not always learn at once that the device is gone.
case_crash() {
    check_steps "out of power at each step" crash-at --key-time 100 \
        --port-option fault=all:rough-unplug --port-option fault=all:new-id=1209:ca31
}

# A camera that moves takes its unit along.
case_moved() {
    make_usb_bench 6
    plug_in 6 --fault 0:swap-with=1@read-answered --fault 2:swap-with=3@commit-stored \
        --fault 4:unplug-at=commit --fault 5:crash-at=each-commit --key-time 100
    start_birthcert run
    await_lines "$FOLDER/out" '^PASS' 6
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit "cameras move" 0
    ok "cameras move: none fails" not grep -q '^FAIL' "$FOLDER/out"
    # Who was quick passed before the swap.
    for pair in 1:2 2:1 3:4 4:3; do
        expect_slot "cameras move: ${pair#*:} is good in slot ${pair%:*}" "${pair%:*}" \
            '(PASS|ALREADY PROVISIONED)' "VX-00000${pair#*:}"
    done
    expect_certificates "cameras move" 6
}

case_hub() {
    local i
    make_usb_bench 16
    plug_in 16 --fault 3:unplug-hub-at=generate --key-time 400 --replug-ms 3000
    tray --wait 20
    passed_all "a hub is pulled" 16
    for i in {1..8}; do
        expect_text "a hub is pulled" "slot $i: E-PORT-HANGUP usb 1-1\.$i: "
    done
    for i in {9..16}; do
        ok "a hub is pulled: slot $i goes on" not hung_up "$(serial "$i")"
    done
}

case_same_serial() {
    make_usb_bench 3
    plug_in 3 --fault 1:same-serial-as=0 --key-time 500
    start_birthcert run
    await_lines "$FOLDER/out" '^(PASS|FAIL)' 3
    kill -INT "$STATION_PID"
    await_birthcert
    expect_text "two cameras with one serial" '^PASS +slot [12] +VX-000001' \
        '^FAIL +slot [12] +VX-000001 +E-UNIT-KEY-CHANGED .*usb 1-[12]' '^PASS +slot 3 +VX-000003'
    expect_certificates "two cameras with one serial" 2
}

# ---- everything ----------------------------------------------------------------------------------

run_cases silent_in_run slow_clear forty_eight unplug crash transfers no_answer broken_port moved hub sixteen padding_out padding_in \
    no_padding refused descriptors ids same_serial one command
