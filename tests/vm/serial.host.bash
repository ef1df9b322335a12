# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# For tests/vm/serial.sh: 16 cameras behind FTDI adapters (usb-serial) at two xHCI controllers. A
# camera that is unplugged closes its socket; QEMU then unplugs the adapter, and plugs it in
# again a second after the camera is back. Sourced by scripts/check-vm.
# shellcheck disable=SC2154,SC2034 # folder, devices and pids are check-vm's

# shellcheck source=tests/vm/controllers.bash
. tests/vm/controllers.bash

readonly CAMERAS=16
readonly CONTROLLER_PORTS=8

build/release/camera-sim --transport unix --dir "$folder/ports" --state "$folder/cameras" \
    --count "$CAMERAS" --serial-prefix VX- --model VX-2251L --replug-ms 500 --key-time 100 \
    --fault 4:unplug-at=commit >"$folder/cameras.log" 2>&1 &
pids+=($!)
await_word "$folder/cameras.log" ready
attach_devices "$CAMERAS" usb-serial "$CONTROLLER_PORTS" ,reconnect=1
