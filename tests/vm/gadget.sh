#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: the reference camera as a Linux gadget, on the kernel's own pair of a
# device and a host controller (dummy_hcd). No other rig sees single packets.
#
#   tests/vm/gadget.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

HOSTS=4 # pairs of controllers, each a bus of its own

# A camera at controller INDEX, as slot INDEX - FIRST + 1 of the case's bench: camera INDEX, or
# another one. Sets GADGET_PID.
start_gadget() { # INDEX OPTION...
    local index=$1 camera=${CAMERA:-$1}
    shift
    forget "$FOLDER/gadget$index"
    PROGRAM=$BUILD/camera-gadget NAME=cam$index UDC=dummy_udc.$index \
        SERIAL=$(serial $((camera + 1))) fixtures/camera-gadget.sh --model VX-2251L \
        --state "$FOLDER/cameras" --index $((camera - FIRST)) --verbose "$@" \
        >"$FOLDER/gadget$index" 2>&1 &
    GADGET_PID=$!
    STARTED+=("$GADGET_PID")
}

# A bench of COUNT gadgets from controller FIRST on, which were started.
make_gadget_bench() { # COUNT
    local index ports=()
    for ((index = FIRST; index < FIRST + $1; index++)); do
        await "$FOLDER/gadget$index" '^started'
        ports+=("$(cd "/sys/devices/platform/dummy_hcd.$index" && find usb* -maxdepth 1 -name '*-1' \
            -printf '%f')")
        echo "$((index - FIRST + 1)),$(serial $((index + 1)))"
    done >"$FOLDER/rows"
    udevadm settle -t 30 2>/dev/null || true
    make_bench 0
    write_usb_slots "${ports[@]}"
    cat "$FOLDER/rows" >>"$FOLDER/tray.csv"
}

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

# ---- speed ---------------------------------------------------------------------------------------

# Of the units' exchanges those in which the camera only copies (HELLO, INFO, READ, WRITE: op 1, 2, 4,
# 5), as usbmon saw them: from the request's start to the answer's end, beside what the wire takes
# for so many round trips and bytes; in all, and in the middle one of them. The op is the fourth byte
# of a frame: 00, COBS, 10, op. An emulated machine has its own pauses, of several times a round trip,
# and a bare loop of exchanges has them as well: so a sum of exchanges is held against the mean of
# that loop, which has its share of them. For information: on a busy machine it is the machine that is
# measured.
wire_time() { # USBMON-TEXT UNITS MEDIAN-ROUND-TRIP-US MEAN-ROUND-TRIP-US BYTES-PER-SECOND
    awk -v units="$2" -v trip_us="$3" -v mean_us="$4" -v rate="$5" '
        $3 == "S" && $4 ~ /^Bo/ { start = $2; sent = $6; op = substr($8, 7, 2) }
        $3 == "C" && $4 ~ /^Bi/ && start != "" && op ~ /^0[1245]$/ {
            bytes += sent + $6; spent_us += $2 - start
            ratios[++trips] = ($2 - start) / (trip_us + (sent + $6) * 1e6 / rate)
            start = ""
        }
        END {
            floor_us = trips * mean_us + bytes * 1e6 / rate
            if (floor_us > 0) {
                for (i = 2; i <= trips; i++) {
                    for (j = i; j > 1 && ratios[j] < ratios[j - 1]; j--) {
                        swap = ratios[j]; ratios[j] = ratios[j - 1]; ratios[j - 1] = swap
                    }
                }
                printf "# measured: %d units of %d bytes in %.1f exchanges: %.1f ms each on the wire, ",
                    units, bytes / units, trips / units, spent_us / units / 1000
                printf "%.2f times the floor of round trips and bytes (%.2f with median round trips), ",
                    spent_us / floor_us, spent_us / (floor_us - trips * (mean_us - trip_us))
                printf "the median exchange %.2f\n", ratios[int((trips + 1) / 2)]
            }
        }' "$1"
}

# Sets WIRE: the median, the mean and the longest time of a round trip in microseconds, and the rate
# in bytes per second.
measure_wire() { # BUS
    local node
    node=$(printf '/dev/bus/usb/%03d/%03d' "$1" "$(<"/sys/bus/usb/devices/$1-1/devnum")")
    "$BUILD/wire-rate" "$node" 81 02 >"$FOLDER/rate"
    read -ra WIRE <"$FOLDER/rate"
    echo "# measured: a round trip ${WIRE[0]} us (mean ${WIRE[1]}, longest ${WIRE[2]})," \
        "bulk $((WIRE[3] / 1024)) KiB/s"
}

# The wire alone before and after the units; a unit at another slot first makes the machine warm.
case_wire_time() {
    local units=8 unit bus usbmon_pid before
    FIRST=0
    start_gadget 1
    start_gadget 0
    make_gadget_bench 2
    modprobe usbmon
    mount -t debugfs none /sys/kernel/debug 2>/dev/null || true
    bus=$(sed -n 's/^usb = \([0-9]*\)-1$/\1/p;T;q' "$FOLDER/conf.d/20-slots.conf")
    birthcert run --slot 2 --once
    measure_wire "$bus"
    before=("${WIRE[@]}")
    cat "/sys/kernel/debug/usb/usbmon/${bus}u" >"$FOLDER/usbmon" &
    usbmon_pid=$!
    STARTED+=("$usbmon_pid")
    for ((unit = 0; unit < units; unit++)); do
        if ((unit > 0)); then
            end_all "$GADGET_PID"
            CAMERA=$((10 + unit)) start_gadget 0
            await "$FOLDER/gadget0" '^started'
        fi
        birthcert run --slot 1 --once
        expect "unit $unit beside usbmon" 0 '^PASS +slot 1'
    done
    sleep 0.5
    end_all "$usbmon_pid"
    measure_wire "$bus"
    wire_time "$FOLDER/usbmon" "$units" $(((before[0] + WIRE[0]) / 2)) \
        $(((before[1] + WIRE[1]) / 2)) $(((before[3] + WIRE[3]) / 2)) >"$FOLDER/wire_time"
    cat "$FOLDER/wire_time"
    ok 'the wire time was measured' test -s "$FOLDER/wire_time"
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
    run_cases tray replug wire_time full_speed
fi
