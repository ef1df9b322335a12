#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# birthcert ports on a machine whose USB and serial ports are made up: the real program and libudev,
# umockdev's /sys and /dev. And the shipped udev rules, judged by udev itself where this machine
# allows it. Run from the root of the repository; BUILD names the build tree.
#
#   tests/e2e_ports.sh [CASE...]
set -euo pipefail
# shellcheck source=tests/e2e_lib.bash
source "$(dirname "${BASH_SOURCE[0]}")/e2e_lib.bash"

# A sanitizer's library has to be loaded before all others.
PRELOAD=$(ldd "$BUILD/birthcert" | awk '$1 ~ /^libasan/ { printf "%s:", $3 }')libumockdev-preload.so.0
CONTROLLER=0000:00:14.0
BUS=/devices/pci0000:00/$CONTROLLER/usb1
unset BIRTHCERT_CONFIG

# ---- a machine -----------------------------------------------------------------------------------

# Descriptions of devices, in umockdev's form. A case writes those that are there from the start to
# the file FOLDER/machine.

usb_device() { # PATH NUMBER VID PID [ATTRIBUTE=VALUE...]
    local path=$1 number attribute
    printf -v number '%03d' "$2"
    printf 'P: %s/%s\nN: bus/usb/001/%s\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_device\n' \
        "$BUS" "$path" "$number"
    printf 'E: DEVNAME=/dev/bus/usb/001/%s\nA: idVendor=%s\\n\nA: idProduct=%s\\n\n' \
        "$number" "$3" "$4"
    shift 4
    for attribute in "$@"; do printf 'A: %s\\n\n' "$attribute"; done
    printf '\n'
}

usb_interface() { # PATH NUMBER CLASS SUBCLASS PROTOCOL [DRIVER]
    printf 'P: %s/%s/%s:1.%s\nE: SUBSYSTEM=usb\nE: DEVTYPE=usb_interface\n' \
        "$BUS" "$1" "${1##*/}" "$2"
    printf 'A: bInterfaceClass=%s\\n\nA: bInterfaceSubClass=%s\\n\nA: bInterfaceProtocol=%s\\n\n' \
        "$3" "$4" "$5"
    [ -z "${6:-}" ] || printf 'L: driver=../../../../../../bus/usb/drivers/%s\n' "$6"
    printf '\n'
}

camera() { # PATH NUMBER SERIAL [ATTRIBUTE=VALUE...]
    local path=$1 number=$2 serial=$3
    shift 3
    usb_device "$path" "$number" 1209 ca30 manufacturer=Example product=VX-2251L \
        "serial=$serial" bDeviceClass=00 "$@" |
        sed '/^$/d; /^E: DEVNAME/a E: ID_USB_INTERFACES=:ff4301:'
    printf '\n'
    usb_interface "$path" 0 ff 43 01
}

keyboard() { # PATH NUMBER
    usb_device "$1" "$2" 046d c31c manufacturer=Logitech 'product=USB Keyboard' bDeviceClass=00
    usb_interface "$1" 0 03 01 01 usbhid
}

adapter() { # PATH NUMBER TTY: with FTDI's chip
    local interface=$BUS/$1/$1:1.0
    usb_device "$1" "$2" 0403 6001 product=UART serial=FT123 bDeviceClass=00
    usb_interface "$1" 0 ff ff ff ftdi_sio
    printf 'P: %s/%s\nE: SUBSYSTEM=usb-serial\nA: latency_timer=16\\n\nA: port_number=0\\n\n' \
        "$interface" "$3"
    printf 'L: driver=../../../../../../../bus/usb-serial/drivers/ftdi_sio\n\n'
    printf 'P: %s/%s/tty/%s\nN: %s\nS: serial/by-path/pci-%s-usb-0:%s:1.0-port0\n' \
        "$interface" "$3" "$3" "$3" "$CONTROLLER" "${1#*-}"
    printf 'E: SUBSYSTEM=tty\nE: DEVNAME=/dev/%s\nE: MAJOR=188\nE: MINOR=%s\n' "$3" "${3#ttyUSB}"
    printf 'E: ID_MM_CANDIDATE=1\nL: device=../../../%s\n\n' "$3"
}

board_port() { # TTY: soldered to the board
    printf 'P: /devices/platform/uart\nE: SUBSYSTEM=platform\n\n'
    printf 'P: /devices/platform/uart/tty/%s\nN: %s\nE: SUBSYSTEM=tty\nE: DEVNAME=/dev/%s\n' \
        "$1" "$1" "$1"
    printf 'E: MAJOR=4\nE: MINOR=64\nA: type=4\\n\nL: device=../../../uart\n\n'
}

controller() {
    printf 'P: /devices/pci0000:00/%s\nE: SUBSYSTEM=pci\nE: PCI_SLOT_NAME=%s\n\n' \
        "$CONTROLLER" "$CONTROLLER"
    usb_device '' 1 1d6b 0002 bDeviceClass=09 authorized_default=1 | sed "s|^P: .*|P: $BUS|"
}

# Sets STATUS; what the command says is in out and err.
on_machine() { # COMMAND [ARGUMENT...]
    STATUS=0
    LD_PRELOAD=$PRELOAD ASAN_OPTIONS=$FIXTURE_ASAN timeout 120 "$BUILD/mock-ports" \
        "$FOLDER/machine" -- env ASAN_OPTIONS="$CHILD_ASAN" "$@" \
       >"$FOLDER/out" 2>"$FOLDER/err" </dev/null || STATUS=$?
}
CHILD_ASAN=

ports() { # OPTION...
    on_machine "$BUILD/birthcert" ports "$@"
}

# The line of a port, and the notes below it, in one line.
says_of_port() { # PORT EXPRESSION
    awk -v port=" $1 " '
        /^$/ { exit }
        /^[^ ]/ { mine = index($0, port) > 0 }
        mine { printf "%s ", $0 }' "$FOLDER/out" | grep -Eq -e "$2"
}

json() { # EXPRESSION: true of all that was written, as an array
    jq -e -s "$1" "$FOLDER/out"
}

slots() { # SECTION KEY VALUE ...
    while [ $# -ge 3 ]; do
        printf '[slot %s]\n%s = %s\n' "$1" "$2" "$3"
        shift 3
    done >"$FOLDER/conf.d/20-slots.conf"
}

# ---- the list ------------------------------------------------------------------------------------

case_nothing() {
    cd "$FOLDER"
    BUILD=$(cd "$OLDPWD" && cd "$BUILD" && pwd)
    controller >"$FOLDER/machine"
    ports
    expect 'an empty machine' 3 '^nothing is plugged in' 'no configuration .*--config'
    ports --json
    expect_exit 'an empty machine, JSON' 3
    ok 'an empty machine, JSON: no object' is "$(said | wc -c)" 0
    ports --config "$FOLDER/none.conf"
    expect 'a configuration that is not there' 2 E-CONFIG-MISSING
    BIRTHCERT_CONFIG=$FOLDER/none.conf ports
    expect 'the same, by the environment' 2 E-CONFIG-MISSING
    printf '[slot 1\n' >"$FOLDER/bad.conf"
    ports --config "$FOLDER/bad.conf"
    expect 'a configuration with a fault' 2 'E-CONFIG .*bad.conf:1'
    printf 'x' >"$FOLDER/birthcert.conf"
    ports
    expect 'a bad configuration in this folder' 2 'E-CONFIG '
}

fill_machine() {
    {
        controller
        camera 1-1 2 VX-000001
        camera 1-2 3 VX-000002
        camera 1-10 4 VX-000002
        keyboard 1-3 5
        adapter 1-4 6 ttyUSB0
        usb_device 1-5 7 1234 5678 bDeviceClass=00 authorized=0
        usb_device 1-6 8 05e3 0610 bDeviceClass=09
        camera 1-6/1-6.1 9 VX-000003
        usb_device 1-7 10 cafe 0001 bDeviceClass=00 product=Odd
    } >"$FOLDER/machine"
}

case_list() {
    make_empty_bench
    slots one usb 1-1 two usb 1-9 three usb 1-3 five serial /dev/serial/by-path/nothing \
        four serial /dev/serial/by-path/pci-$CONTROLLER-usb-0:4:1.0-port0
    fill_machine
    ports --config "$FOLDER/birthcert.conf"
    expect_exit list 0
    expect_printable list
    ok 'list: nothing on stderr' is "$(cat "$FOLDER/err")" ''
    ok 'list: the camera of a slot' says_of_port 'usb 1-1' \
        '^slot one +usb 1-1 +1209:ca30 Example VX-2251L, serial VX-000001 $'
    ok 'list: two of one serial' says_of_port 'usb 1-2' '^unassigned .*VX-000002 .*same serial.* 1-10'
    ok 'list: and the other one' says_of_port 'usb 1-10' '^unassigned .*same serial string is at usb 1-2 '
    ok 'list: a keyboard in a slot' says_of_port 'usb 1-3' '^slot three .*E-PORT-NOT-CAMERA'
    ok 'list: the adapter of a slot' says_of_port 'usb 1-4' '^slot four +ttyUSB0 '
    ok 'list: the latency timer' says_of_port 'usb 1-4' 'for 16 ms'
    ok 'list: ModemManager' says_of_port 'usb 1-4' 'ModemManager'
    ok 'list: the adapter itself is its port' not says '0403:6001.*usb 1-4$'
    ok 'list: not authorised' says_of_port 'usb 1-5' '^other .*1234:5678 .*authorized is 0'
    ok 'list: no hub that works' not says 05e3
    ok 'list: a camera behind a hub' says_of_port 'usb 1-6.1' '^unassigned .*VX-000003'
    ok 'list: what is no camera' says_of_port 'usb 1-7' '^other .*cafe:0001 Odd $'
    expect_text list '^slot two +usb 1-9: nothing is plugged in' \
        '^slot five +serial /dev/serial/by-path/nothing: nothing is plugged in' \
        '^\[slot usb-1-6-1\]$' '^usb = 1-6\.1$'
    ok 'list: no numbers and addresses to paste' not grep -Eq '^(usb|serial) = .*(ttyUSB|bus/usb)' \
        "$FOLDER/out"
    ok 'list: no section for a keyboard' not says '^usb = 1-7'
    ok 'list: in the order of ports' is "$(grep -Eo 'usb 1-[0-9.]+' "$FOLDER/out" | head -n 2 |
        tail -n 1)" 'usb 1-2'
    printf '[station]\nusb_ids = cafe:0001\n' >"$FOLDER/conf.d/30-usb.conf"
    ports --config "$FOLDER/birthcert.conf"
    ok 'usb_ids: a camera too' says_of_port 'usb 1-7' '^unassigned .*cafe:0001'
}

# A name that changes with the order of plugging is refused; without that slot, there is the other.
case_number() {
    make_empty_bench
    fill_machine
    slots one usb 1-1 four serial /dev/ttyUSB0
    ports --config "$FOLDER/birthcert.conf"
    expect 'a slot by number' 2 'E-CONFIG .*20-slots.conf:4: \[slot four\]: serial: /dev/ttyUSB0 ' \
        'birthcert ports shows .*/dev/serial/by-path'
    slots one usb 1-1
    ports --config "$FOLDER/birthcert.conf"
    expect 'the slot taken out' 0 '^serial = /dev/serial/by-path/pci-.*-usb-0:4:1.0-port0'
}

# What is proposed is taken as it stands, and then all is assigned.
case_paste() {
    make_empty_bench
    fill_machine
    slots one usb 1-1
    ports --config "$FOLDER/birthcert.conf"
    sed -n '/^\[slot /,$p' "$FOLDER/out" >"$FOLDER/conf.d/30-pasted.conf"
    ok 'paste: a section for each' is "$(grep -c '^\[slot ' "$FOLDER/conf.d/30-pasted.conf")" 4
    ports --config "$FOLDER/birthcert.conf" --json
    expect_exit paste 0
    ok 'paste: all are assigned' json 'all(.state != "unassigned" and .state != "empty")'
    ok 'paste: each by its port' json '[.[] | select(.state == "assigned") | .slot] |
        sort == ["one", "serial-1-4", "usb-1-10", "usb-1-2", "usb-1-6-1"]'
}

case_json() {
    make_empty_bench
    slots one usb 1-1 two usb 1-9
    fill_machine
    ports --config "$FOLDER/birthcert.conf" --json
    expect_exit json 0
    ok 'json: nothing on stderr' is "$(cat "$FOLDER/err")" ''
    ok 'json: all are ports' json 'length > 0 and all(.type == "port" and (.notes | type) == "array")'
    ok 'json: a camera in a slot' json '.[0] | .kind == "usb" and .state == "assigned" and
        .slot == "one" and .usb_path == "1-1" and .usb_id == "1209:ca30" and .serial == "VX-000001" and
        .node == "/dev/bus/usb/001/002" and .access == "allowed" and .camera and .authorized'
    ok 'json: a serial port' json 'any(.kind == "serial" and .latency_timer_ms == 16 and
        .driver == "ftdi_sio" and .section.slot == "serial-1-4" and
        (.section.serial | startswith("/dev/serial/by-path/")) and .link == .section.serial)'
    ok 'json: an empty slot' json 'any(.state == "empty" and .slot == "two" and .path == "1-9" and
        (has("node") | not))'
    ok 'json: not authorised' json 'any(.authorized == false and .state == "other")'
    ok 'json: notes have texts' json '[.[].notes[]] | length > 0 and all(.text | length > 0)'
}

case_hostile() {
    local long
    printf -v long '%*s' 2000 ''
    {
        controller
        usb_device 1-1 2 1209 ca30 'serial=\033[2J\007\377\200end' 'product=a\nslot one usb 1-9' \
            'manufacturer=%s%n"' bDeviceClass=00
        usb_interface 1-1 0 ff 43 01
        camera 1-2 3 "${long// /A}"
    } >"$FOLDER/machine"
    cd "$FOLDER"
    BUILD=$(cd "$OLDPWD" && cd "$BUILD" && pwd)
    ports
    expect_exit hostile 0
    expect_printable hostile
    ok 'hostile: no line of its own' not says '^slot'
    ok 'hostile: long texts are cut' is "$(awk 'length > 200' "$FOLDER/out")" ''
    ports --json
    expect_exit 'hostile, JSON' 0
    expect_printable 'hostile, JSON'
    ok 'hostile, JSON: escaped' json '.[0].serial == "\\x1b[2J\\x07\\xff\\x80end"'
}

case_many() {
    local i
    for ((i = 1; i <= 64; i++)); do camera "1-$i" $((i + 1)) "VX-$i"; done >"$FOLDER/machine"
    cd "$FOLDER"
    BUILD=$(cd "$OLDPWD" && cd "$BUILD" && pwd)
    ports
    expect_exit many 0
    ok 'many: a line for each' is "$(grep -c '^unassigned' "$FOLDER/out")" 64
    ok 'many: a section for each' is "$(grep -c '^\[slot usb-1-' "$FOLDER/out")" 64
}

# Root may open everything: then somebody else asks.
case_permissions() {
    local user=() mode=0
    {
        camera 1-1 2 VX-000001
        board_port ttyS0
    } >"$FOLDER/machine"
    if [ "$(id -u)" = 0 ]; then
        user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
        mode=0600
    fi
    # The program is where its user may not look, and the folder is nobody's.
    mkdir "$FOLDER/open"
    cp "$BUILD/birthcert" "$FOLDER/open/"
    chmod 755 "$WORK" "$FOLDER" "$FOLDER/open"
    CHILD_ASAN=detect_leaks=0
    # shellcheck disable=SC2016 # the variables are the inner shell's
    on_machine sh -c 'cd "$UMOCKDEV_DIR"; chmod "$1" dev/bus/usb/001/002 dev/ttyS0; cd /; shift
        exec "$@"' sh "$mode" "${user[@]}" "$FOLDER/open/birthcert" ports
    expect_exit 'no permission' 0
    ok 'no permission: on a camera' says_of_port 'usb 1-1' \
        'E-PORT-DENIED no permission on /dev/bus/usb/001/002, of group .*install the udev rules'
    expect_text 'no permission: on a port of the board' 'E-PORT-DENIED .* /dev/ttyS0, of group' \
        'KERNEL=="ttyS0", GROUP="dialout"'
    # shellcheck disable=SC2016
    on_machine sh -c 'cd /; chmod 0666 "$UMOCKDEV_DIR/dev/bus/usb/001/002"; exec "$@"' \
        sh "${user[@]}" "$FOLDER/open/birthcert" ports --json
    ok 'permission: without root' json '.[0].access == "allowed" and .[0].notes == []'
}

# ---- the watch -----------------------------------------------------------------------------------

start_watch() { # OPTION...: orders go to descriptor 9
    mkfifo "$FOLDER/orders"
    LD_PRELOAD=$PRELOAD ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/mock-ports" "$FOLDER/machine" -- \
        env ASAN_OPTIONS= "$BUILD/birthcert" ports --watch --config "$FOLDER/birthcert.conf" "$@" \
       >"$FOLDER/out" 2>"$FOLDER/err" <"$FOLDER/orders" &
    WATCH_PID=$!
    STARTED+=("$WATCH_PID")
    exec 9>"$FOLDER/orders"
}

# From the leaves to the root, as the kernel does.
unplug() { # PATH
    printf 'unplug /sys%s\n' "$BUS/$1/$1:1.0" "$BUS/$1" >&9
}

end_watch() { # sets STATUS
    echo stop >&9
    exec 9>&-
    STATUS=0
    wait "$WATCH_PID" || STATUS=$?
}

case_watch() {
    make_empty_bench
    slots one usb 1-1 two usb 1-2 four serial /dev/serial/by-path/pci-$CONTROLLER-usb-0:4:1.0-port0
    camera 1-1 2 VX-000001 >"$FOLDER/first"
    { controller && cat "$FOLDER/first"; } >"$FOLDER/machine"
    camera 1-2 3 VX-000001 >"$FOLDER/second"
    camera 1-7 4 VX-000007 >"$FOLDER/seventh"
    keyboard 1-3 5 >"$FOLDER/keyboard"
    adapter 1-4 6 ttyUSB3 >"$FOLDER/adapter"
    start_watch
    await "$FOLDER/err" '^watching'
    ok 'watch: first the list' says '^slot one +usb 1-1 +1209:ca30'
    ok 'watch: the slots without a camera' says '^slot two .*nothing is plugged in'
    echo "plug $FOLDER/second" >&9
    await "$FOLDER/out" "Z plugged +slot two +usb 1-2 +1209:ca30 .*VX-000001"
    await "$FOLDER/out" 'same serial string is at usb 1-1'
    echo "plug $FOLDER/seventh" >&9
    await "$FOLDER/out" "Z plugged +unassigned +usb 1-7 "
    echo "plug $FOLDER/keyboard" >&9
    await "$FOLDER/out" "Z plugged +other +usb 1-3 .*Keyboard"
    echo "plug $FOLDER/adapter" >&9
    await "$FOLDER/out" "Z plugged +slot four +ttyUSB3 at usb 1-4 0403:6001"
    unplug 1-1
    await "$FOLDER/out" "Z unplugged +slot one +usb 1-1 +1209:ca30 .*VX-000001"
    echo "unplug /sys$BUS/1-4/1-4:1.0/ttyUSB3/tty/ttyUSB3" >&9
    await "$FOLDER/out" "Z unplugged +slot four +ttyUSB3 "
    echo "plug $FOLDER/first" >&9
    await_lines "$FOLDER/out" "slot one +usb 1-1 .*VX-000001" 3
    end_watch
    expect_exit 'watch, after SIGINT' 0
    expect_printable watch
    grep -A 1 'Z unplugged ' "$FOLDER/out" | grep '^ ' >"$FOLDER/advice" || true
    ok 'watch: no advice for what is gone' is "$(cat "$FOLDER/advice")" ''
    ok 'watch: each only once' is "$(grep -c 'Z plugged .* usb 1-2 ' "$FOLDER/out")" 1
    ok 'watch: times are UTC' is "$(grep 'Z [a-z]* ' "$FOLDER/out" |
        grep -Evc '^20[0-9-]{8}T[0-9:.]{12}Z (plugged|unplugged|changed) ' || true)" 0
}

case_watch_json() {
    make_empty_bench
    slots one usb 1-1
    controller >"$FOLDER/machine"
    camera 1-1 2 VX-000001 >"$FOLDER/first"
    start_watch --json
    await "$FOLDER/out" '"state":"empty"'
    echo "plug $FOLDER/first" >&9
    await "$FOLDER/out" '"event":"plugged"'
    unplug 1-1
    await "$FOLDER/out" '"event":"unplugged"'
    end_watch
    expect_exit 'watch, JSON' 0
    ok 'watch, JSON: nothing on stderr' is "$(cat "$FOLDER/err")" ''
    ok 'watch, JSON: ports and then events' json '.[0].type == "port" and (.[1:] | length >= 2 and
        all(.type == "port_event" and .port.usb_path == "1-1" and .port.slot == "one" and
        (.port | has("type") | not) and (.at | endswith("Z"))))'
    ok 'watch, JSON: first and last' json '.[1].event == "plugged" and .[-1].event == "unplugged"'
}

# A rule was added meanwhile: udev reports the device again.
case_watch_change() {
    make_empty_bench
    slots one usb 1-1
    { controller && camera 1-1 2 VX-000001 authorized=0; } >"$FOLDER/machine"
    start_watch
    await "$FOLDER/err" '^watching'
    ok 'change: what it was' says 'authorized is 0'
    echo "authorize /sys$BUS/1-1" >&9
    await "$FOLDER/out" 'Z changed +slot one +usb 1-1 '
    end_watch
    expect_exit 'change, after SIGINT' 0
    ok 'change: told once' is "$(grep -c 'Z changed' "$FOLDER/out")" 1
}

# ---- the rules -----------------------------------------------------------------------------------

# What udev makes of a device, in a file system of its own: it would write to this machine's.
judge_rules() { # DEVICE...
    # shellcheck disable=SC2016 # the variables are the inner shell's
    on_machine unshare --map-root-user --mount sh -euc '
        mount -t tmpfs none /run
        mkdir -p /run/udev/rules.d
        cp scripts/udev/70-birthcert.rules /run/udev/rules.d/
        sed "s/0000:05:00\.0/$1/" scripts/udev/71-birthcert-authorize.rules.example \
            >/run/udev/rules.d/71-birthcert-authorize.rules
        shift
        for device in "$@"; do
            udevadm test --action=add "$device" 2>&1 |
                grep -E "birthcert.*rules:|nvalid|^ID_MM_DEVICE" | sed "s|^|${device##*/} |"
        done' sh "$CONTROLLER" "$@"
}

case_rules() {
    if ! unshare --map-root-user --mount mount -t tmpfs none /run 2>/dev/null; then
        echo '# skipped: no file system of its own to be had for udev'
        return
    fi
    {
        controller
        camera 1-1 2 VX-000001 authorized=0
        keyboard 1-3 5 | sed 's/^A: bDeviceClass=00.*/&\nA: authorized=1\\n/'
        adapter 1-4 6 ttyUSB0
        # Not by its VID:PID, and not by itself: the bench's interface only.
        usb_device 1-5 7 cafe 0001 bDeviceClass=00 authorized=0 |
            sed "/^\$/d; /^A: idProduct/a H: descriptors=$(descriptors ff4301)"
        printf '\n'
        usb_device 1-6 8 cafe 0002 bDeviceClass=00 authorized=0 |
            sed "/^\$/d; /^A: idProduct/a H: descriptors=$(descriptors ff4301 030101)"
        printf '\n'
    } >"$FOLDER/machine"
    CHILD_ASAN=detect_leaks=0
    judge_rules "/sys$BUS" "/sys$BUS/1-1" "/sys$BUS/1-3" "/sys$BUS/1-4/1-4:1.0/ttyUSB0" \
        "/sys$BUS/1-4/1-4:1.0/ttyUSB0/tty/ttyUSB0" "/sys$BUS/1-5" "/sys$BUS/1-6"
    expect_exit rules 0
    local dialout
    dialout=$(getent group dialout | cut -d : -f 3)
    ok 'rules: udev understands all of it' not says 'nvalid'
    expect_text rules "^1-1 .*70-birthcert.rules:[0-9]+ GROUP $dialout" '^1-1 .* MODE 0660' \
        '^1-1 ID_MM_DEVICE_IGNORE=1' "^1-5 .*GROUP $dialout" \
        "^ttyUSB0 .*latency_timer' writing '1'" "^ttyUSB0 .* GROUP $dialout" \
        '^ttyUSB0 ID_MM_DEVICE_IGNORE=1' \
        "^usb1 .*authorized_default' writing '0'" "^1-5 .*/authorized' writing '1'" \
        "^1-3 .*/authorized' writing '0'" "^1-6 .*/authorized' writing '0'"
    ok 'rules: a keyboard is left as it is' not says '^1-3 .*(GROUP|MODE|ID_MM)'
}

# Where udev never looks, `make install` says so; or it is told another place.
case_install() {
    local place=opt/x/lib/udev variant=${BUILD##*/}
    install_to() { # WHAT OPTION...
        STATUS=0
        env -u MAKEFLAGS -u prefix -u udevdir make -s VARIANT="$variant" DESTDIR="$FOLDER/$1" \
            "${@:2}" install >"$FOLDER/out" 2>"$FOLDER/err" </dev/null || STATUS=$?
    }
    install_to local
    expect_exit 'installed below /usr/local' 0
    ok 'installed below /usr/local: the rules' test -s \
        "$FOLDER/local/usr/local/lib/udev/rules.d/70-birthcert.rules"
    ok 'installed below /usr/local: udev looks there' not says 'udev does not look'
    install_to usr prefix=/usr
    ok 'installed below /usr: udev looks there' not says 'udev does not look'
    install_to opt prefix=/opt/x
    expect 'installed below /opt/x' 0 "udev does not look in /$place/rules.d.*udevdir="
    ok 'installed below /opt/x: the rules' test -s "$FOLDER/opt/$place/rules.d/70-birthcert.rules"
    install_to both prefix=/opt/x udevdir=/usr/lib/udev
    expect_exit 'installed with udevdir' 0
    ok 'installed with udevdir: the rules' test -s \
        "$FOLDER/both/usr/lib/udev/rules.d/70-birthcert.rules"
    ok 'installed with udevdir: nothing below the prefix' not test -e "$FOLDER/both/$place"
    ok 'installed with udevdir: udev looks there' not says 'udev does not look'
}

# A device's and one configuration's, with these interfaces, each with one endpoint.
descriptors() { # CLASS_SUBCLASS_PROTOCOL...
    local number=0 interface length=$((9 + 16 * $#))
    printf 1201000200000040feca0100000101020301
    printf '0902%02x00%02x0100c032' "$length" $#
    for interface in "$@"; do
        printf '0904%02x0001%s000705%02x02000200' "$number" "$interface" $((0x81 + number))
        number=$((number + 1))
    done
}

run_cases nothing list number paste json hostile many permissions watch watch_json watch_change rules install
