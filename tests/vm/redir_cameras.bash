# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# USB cameras outside the virtual machine, for tests/vm/*.host.bash.
# shellcheck disable=SC2154 # devices, pids and await_word are check-vm's

readonly CONTROLLER_PORTS=15

# Starts the cameras, and hangs them on as many xHCI controllers as they take.
attach_redir_cameras() { # FOLDER COUNT OPTION...
    local folder=$1 count=$2 controller i
    shift 2
    build/release/camera-usb --transport redir --dir "$folder/ports" --state "$folder/cameras" \
        --count "$count" --serial-prefix VX- --model VX-2251L "$@" >"$folder/cameras.log" 2>&1 &
    pids+=($!)
    await_word "$folder/cameras.log" ready
    for ((i = 0; i < count; i++)); do
        controller=xhci$((i / CONTROLLER_PORTS))
        if ((i % CONTROLLER_PORTS == 0)); then
            devices+=(-device "qemu-xhci,id=$controller,p2=$CONTROLLER_PORTS,p3=1")
        fi
        devices+=(-chardev "socket,id=camera$i,path=$folder/ports/cam$i"
            -device "usb-redir,chardev=camera$i,bus=$controller.0,port=$((i % CONTROLLER_PORTS + 1))")
    done
}
