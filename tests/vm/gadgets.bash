# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Cameras that are Linux gadgets, on the kernel's own pairs of a device and a host controller
# (dummy_hcd), for tests in the virtual machine. After tests/vm/guest.bash.

SCHEDULE=() # the command that starts a camera's program, where the machine's own way is not meant

# A camera at controller INDEX, as slot INDEX - FIRST + 1 of the case's bench: camera INDEX, or
# another one. Sets GADGET_PID.
start_gadget() { # INDEX OPTION...
    local index=$1 camera=${CAMERA:-$1}
    shift
    forget "$FOLDER/gadget$index"
    PROGRAM=$BUILD/camera-gadget NAME=cam$index UDC=dummy_udc.$index \
        SERIAL=$(serial $((camera + 1))) "${SCHEDULE[@]}" fixtures/camera-gadget.sh --model VX-2251L \
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
