# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/authorize.sh: the bench's controller with two cameras and a keyboard that nobody
# asked for, and another one with the station's own keyboard. Sourced by scripts/check-vm.
# shellcheck disable=SC2154,SC2034,SC2054 # folder, devices and pids are check-vm's; QEMU's commas

build/release/camera-usb --transport redir --dir "$folder/ports" --state "$folder/cameras" \
    --count 2 --serial-prefix VX- --model VX-2251L >"$folder/cameras.log" 2>&1 &
pids+=($!)
await_word "$folder/cameras.log" ready
devices+=(
    -device qemu-xhci,id=bench,p2=4,p3=1,addr=0x10 -device qemu-xhci,id=station,p2=4,p3=1,addr=0x11
    -chardev "socket,id=camera0,path=$folder/ports/cam0"
    -chardev "socket,id=camera1,path=$folder/ports/cam1"
    -device usb-redir,chardev=camera0,bus=bench.0,port=1
    -device usb-redir,chardev=camera1,bus=bench.0,port=4
    -device usb-kbd,bus=bench.0,port=2
    -device usb-kbd,bus=station.0,port=1
)
