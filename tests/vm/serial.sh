#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# In the virtual machine: cameras behind FTDI adapters, the kernel's ftdi_sio, and the names that
# udev gives by port. The cameras run outside (tests/vm/serial.host.bash).
#
#   tests/vm/serial.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/vm/guest.bash
. tests/vm/guest.bash

ADAPTER_ID=0403:6001
ADAPTERS=16

# The adapters' names by path, in the order of the ports.
by_path() {
    find /dev/serial/by-path -name '*-usb-0:*' | sort -V
}

make_serial_bench() {
    local number=0 path
    make_empty_bench
    ln -s "$SHARE/cameras" "$FOLDER/cameras"
    while IFS= read -r path; do
        printf '[slot %d]\nserial = %s\n' $((number += 1)) "$path"
    done < <(by_path) >"$FOLDER/conf.d/20-slots.conf"
    write_manifest "$ADAPTERS"
}

latency_timers() { sort -u /sys/bus/usb-serial/devices/ttyUSB*/latency_timer; }

case_tray() {
    await_ports "$ADAPTER_ID" "$ADAPTERS"
    ok 'each adapter has a name by its path' is "$(by_path | wc -l)" "$ADAPTERS"
    ok "the shipped rule sets FTDI's latency timer" is "$(latency_timers)" 1
    make_serial_bench
    tray --lot LOT-1
    expect 'a tray of 16 on FTDI, one unplugged at work' 0 \
        '16 units of lot LOT-1: 16 passed, 0 already provisioned, 0 failed, 0 unfinished'
    expect_certificates 'a tray of 16 on FTDI' "$ADAPTERS"
    ok 'the adapter was unplugged in earnest' dmesg_says 'ttyUSB.* now disconnected'
    ok 'and has the shipped latency timer again' is "$(latency_timers)" 1
    expect_sound_kernel
}

start_udev
modprobe -a ftdi_sio xhci_pci
run_cases tray
