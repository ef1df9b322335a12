# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the tests in the virtual machine share, beside tests/e2e_lib.bash: udev, modules, waiting for
# devices. Here a script may do as root what it likes: the machine ends with it.
# shellcheck disable=SC2034 # JOBS is the library's: one case after the other
JOBS=1
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

SHARE=/run/share # with the host
# shellcheck disable=SC2034 # the scripts'
CAMERA_ID=1209:ca30
WAIT_DEVICES_S=30
RUN_TIMEOUT_S=60

# With the rules that are shipped. libusb hears of plugging from udev, and udev makes the names in
# /dev/serial.
start_udev() {
    mkdir -p /run/udev/rules.d
    cp scripts/udev/*.rules /run/udev/rules.d/
    /lib/systemd/systemd-udevd --daemon 2>/dev/null
}

# Has QEMU's monitor obey: a device is plugged in or pulled.
machine() { # COMMAND
    echo "$1" >"$SHARE/command.new"
    mv "$SHARE/command.new" "$SHARE/command"
}

# The folders in /sys of the devices with that VID:PID, one a line.
devices_of() { # VID:PID
    local folder vendor product
    for folder in /sys/bus/usb/devices/*; do
        # Without a process for each: the processor here is an emulated one.
        if read -r vendor <"$folder/idVendor" && read -r product <"$folder/idProduct" &&
            [ "$vendor:$product" = "$1" ]; then
            echo "$folder"
        fi
    done 2>/dev/null
}

# Waits for so many ports of that VID:PID to be configured; PORTS is their paths then, in order.
await_ports() { # VID:PID COUNT
    local tries found
    for ((tries = 0; tries < WAIT_DEVICES_S * 4; tries++)); do
        mapfile -t found < <(devices_of "$1" | sort -V)
        [ "${#found[@]}" -lt "$2" ] || break
        sleep 0.25
    done
    udevadm settle -t 30 2>/dev/null || true
    PORTS=("${found[@]##*/}")
    ok "$2 devices $1 are plugged in" is "${#PORTS[@]}" "$2"
    [ "${#PORTS[@]}" -eq "$2" ]
}

write_usb_slots() { # PORT...
    local port number=0
    for port in "$@"; do
        printf '[slot %d]\nusb = %s\n' $((number += 1)) "$port"
    done >"$FOLDER/conf.d/20-slots.conf"
}

# What the kernel complained of.
expect_sound_kernel() {
    ok 'the kernel found nothing wrong' not dmesg_says 'WARNING:|BUG:|Oops|Call Trace'
}
dmesg_says() { dmesg | grep -E "$1"; }
