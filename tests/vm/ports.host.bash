# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/ports.sh: a camera, an FTDI adapter and a keyboard at one xHCI controller. Sourced by
# scripts/check-vm.
# shellcheck disable=SC2154,SC2034,SC2054 # folder, devices and pids are check-vm's; QEMU's commas

build/release/camera-usb --transport redir --dir "$folder/ports" --state "$folder/cameras" \
    --count 1 --serial-prefix VX- --model VX-2251L >"$folder/cameras.log" 2>&1 &
pids+=($!)
await_word "$folder/cameras.log" ready
devices+=(
    -device qemu-xhci,id=bench,p2=4,p3=1
    -chardev "socket,id=camera0,path=$folder/ports/cam0" -chardev null,id=line0
    -device usb-redir,chardev=camera0,bus=bench.0,port=1
    -device usb-serial,chardev=line0,bus=bench.0,port=2,always-plugged=on,id=adapter
    -device usb-kbd,bus=bench.0,port=3
)
