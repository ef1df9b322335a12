# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# USB cameras outside the virtual machine, for tests/vm/*.host.bash.
# shellcheck disable=SC2154,SC2034 # pids and await_word are check-vm's

# shellcheck source=tests/vm/controllers.bash
. tests/vm/controllers.bash

readonly CONTROLLER_PORTS=15

# Starts the cameras, and hangs them on as many xHCI controllers as they take.
attach_redir_cameras() { # FOLDER COUNT OPTION...
    local folder=$1 count=$2
    shift 2
    build/release/camera-usb --transport redir --dir "$folder/ports" --state "$folder/cameras" \
        --count "$count" --serial-prefix VX- --model VX-2251L "$@" >"$folder/cameras.log" 2>&1 &
    pids+=($!)
    await_word "$folder/cameras.log" ready
    attach_devices "$count" usb-redir "$CONTROLLER_PORTS"
}
