# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# USB devices that QEMU connects to cameras outside the virtual machine, for tests/vm/*.host.bash.
# shellcheck disable=SC2154 # devices and folder are check-vm's

# Hangs a device on each socket FOLDER/ports/camN, and the devices on as many xHCI controllers as
# that takes.
attach_devices() { # COUNT DEVICE PORTS-OF-A-CONTROLLER [CHARDEV-OPTION]
    local count=$1 device=$2 ports=$3 option=${4:-} controller i
    for ((i = 0; i < count; i++)); do
        controller=xhci$((i / ports))
        if ((i % ports == 0)); then
            devices+=(-device "qemu-xhci,id=$controller,p2=$ports,p3=1")
        fi
        devices+=(-chardev "socket,id=camera$i,path=$folder/ports/cam$i$option"
            -device "$device,chardev=camera$i,bus=$controller.0,port=$((i % ports + 1))")
    done
}
