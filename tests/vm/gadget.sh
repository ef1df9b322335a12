#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: the reference camera as a Linux gadget, on the kernel's own pair of a
# device and a host controller (dummy_hcd). No other rig sees single packets.
#
#   tests/vm/gadget.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash
# shellcheck source=tests/vm/gadgets.bash
. tests/vm/gadgets.bash

HOSTS=4 # pairs of controllers, each a bus of its own

# How many transfers of that length a camera sent or received.
transfers() { # sent or received, LENGTH INDEX
    grep -c "^$1 $2\$" "$FOLDER/gadget$3" || true
}

case_tray() {
    FIRST=0
    start_gadget 0
    start_gadget 1
    make_gadget_bench 2
    tray --lot LOT-1
    expect 'two gadgets in a tray' 0 '^PASS +slot 1 +VX-000001' '^PASS +slot 2 +VX-000002'
    expect_certificates 'two gadgets in a tray' 2
    ok 'they have the packets of high speed' grep -q '^started: packets of 512' "$FOLDER/gadget0"
    expect_sound_kernel
}

# Pulled while it makes its key, which takes a while, and plugged in again: the key stays.
case_replug() {
    local udc=/sys/kernel/config/usb_gadget/cam0/UDC
    FIRST=0
    start_gadget 0
    make_gadget_bench 1
    printf '[profile https]\nkey = rsa2048\n' >"$FOLDER/conf.d/30-key.conf"
    start_birthcert run
    await_lines "$FOLDER/gadget0" '^received' 3
    echo '' >"$udc"
    await "$FOLDER/gadget0" '^usb: taken off'
    echo dummy_udc.0 >"$udc"
    await "$FOLDER/out" '^PASS +slot 1' 60
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit 'unplugged at work' 0
    expect_certificates 'unplugged at work' 1
    ok 'unplugged at work: the camera is served again' \
        is "$(grep -c '^usb: configured by a host' "$FOLDER/gadget0")" 2
    expect_sound_kernel
}

# ---- the padding rule ----------------------------------------------------------------------------

# A frame of exactly one packet: 00, one byte of COBS, header and CRC (12), the payload, 00. COBS
# adds more only where 254 bytes in a row are not 00, and in a certificate there is a 00 sooner. The
# station moves a chain in chunks of 32 bytes less than the camera's max_payload; around the data of
# a chunk the answer to READ has 11 bytes (a map, three keys, offset 1, length 3, total 3) and WRITE
# has 15 (a map, five keys, object 1, credential 1, offset 1, total 3, length 3). PADDED is such a
# frame with its padding: that it was seen says that all this is still so.
PACKET=512
PADDED=$((PACKET + 1))
FRAME_OVERHEAD=$((1 + 12 + 1 + 1))
READ_PAYLOAD=$((PACKET - FRAME_OVERHEAD - 11 + 32))
WRITE_PAYLOAD=$((PACKET - FRAME_OVERHEAD - 15 + 32))

# Three cameras: the first has to pad, for the second one the station has to, the third one ought to.
case_padding() {
    FIRST=0
    start_gadget 0 --max-payload "$READ_PAYLOAD"
    start_gadget 1 --max-payload "$WRITE_PAYLOAD"
    start_gadget 2 --max-payload "$READ_PAYLOAD" --no-padding
    make_gadget_bench 3
    tray --wait 3
    expect 'padding' 1 '^PASS +slot 1' '^PASS +slot 2'
    ok 'the camera had to pad' at_least "$(transfers sent "$PADDED" 0)" 1
    ok 'no transfer of its ends with a full packet' is "$(transfers sent "$PACKET" 0)" 0
    ok 'the station had to pad' at_least "$(transfers received "$PADDED" 1)" 1
    ok 'and did' is "$(transfers received "$PACKET" 1)" 0
    expect_slot 'a camera that does not pad is noticed' 3 FAIL E-CAM-TIMEOUT
    ok 'it was asked again and again' at_least "$(transfers sent "$PACKET" 2)" 3
}

# The program itself, but for that rule: see tests/unpadded.c.
case_no_padding_of_station() {
    FIRST=3
    start_gadget 3 --max-payload "$WRITE_PAYLOAD"
    make_gadget_bench 1
    mkdir -p "$FOLDER/build"
    ln -s "$PWD/$BUILD/birthcert-unpadded" "$FOLDER/build/birthcert"
    BUILD=$FOLDER/build tray --wait 3
    expect 'a station that does not pad is noticed' 1 '^FAIL +slot 1 .*E-CAM-TIMEOUT'
}

# ---- another speed -------------------------------------------------------------------------------

case_full_speed() {
    modprobe -r dummy_hcd
    modprobe dummy_hcd is_high_speed=0
    FIRST=0
    start_gadget 0
    make_gadget_bench 1
    ok 'full speed: packets of 64' grep -q '^started: packets of 64' "$FOLDER/gadget0"
    tray
    expect 'full speed' 0 '^PASS +slot 1'
    expect_certificates 'full speed' 1
    expect_sound_kernel
}

start_udev
modprobe dummy_hcd num="$HOSTS"
if [ "${#ONLY[@]}" -gt 0 ]; then
    run_cases
else
    # Side by side what mostly waits for an answer that does not come; then the others.
    JOBS=2 run_cases padding no_padding_of_station
    run_cases tray replug full_speed
fi
