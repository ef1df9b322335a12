#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The operator's rhythm: labels from a scanner, and the camera that blinks because it needs a hand.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

# A station that scans; what the scanner types is written to descriptor 9.
start_scanning() { # OPTION...
    mkfifo "$FOLDER/scanner"
    exec 9<>"$FOLDER/scanner"
    "$BUILD/birthcert" run --scan "$@" --config "$FOLDER/birthcert.conf" \
        <"$FOLDER/scanner" >"$FOLDER/out" 2>"$FOLDER/err" 9>&- &
    STATION_PID=$!
    STARTED+=("$STATION_PID")
    await "$FOLDER/err" 'scan the label of the first camera'
}

scan() { # TEXT
    printf '%s\r\n' "$1" >&9
}

end_scanning() {
    kill -INT "$STATION_PID"
    exec 9>&-
    await_birthcert
}

# Plugged in before the scan or after it: the label must be the camera's.
case_scan() {
    make_bench 1
    start_cameras 1
    start_scanning --lot L
    sleep 1
    ok "scan: nothing is done to a camera without a label" not grep -q . "$FOLDER/out"
    scan VX-000009
    await "$FOLDER/out" '^FAIL +slot 1 +VX-000001 +E-CAM-LABEL'
    stop_cameras
    scan '  VX-000001 '
    start_cameras 1
    await "$FOLDER/out" '^PASS +slot 1 +VX-000001'
    stop_cameras
    start_cameras 1
    sleep 1
    ok "scan: each label is for one camera" is "$(wc -l <"$FOLDER/out")" 2
    scan VX-000001
    await "$FOLDER/out" '^ALREADY PROVISIONED +slot 1'
    end_scanning
    expect "scan" 1 'the label says VX-000009, the camera says VX-000001'
    expect_certificates "scan" 1
}

# The camera before restarts by itself when it is done: the next label is not for it.
case_scan_left_in() {
    make_bench 1
    start_cameras 1 --fault 0:crash-at=finish-answered
    start_scanning
    scan VX-000001
    await "$FOLDER/out" '^PASS +slot 1 +VX-000001'
    sleep 1 # it is back
    scan VX-000002
    await "$FOLDER/err" 'unplug VX-000001, then plug VX-000002 in'
    stop_cameras
    mv "$FOLDER/cameras" "$FOLDER/cameras.before"
    start_cameras 1 --fault 0:wrong-serial=VX-000002
    await "$FOLDER/out" '^PASS +slot 1 +VX-000002'
    end_scanning
    expect_exit "scan, left in" 0
    ok "scan, left in: nobody fails" not grep -q '^FAIL' "$FOLDER/out"
    ok "scan, left in: the record keeps its label" is VX-000001 "$(sqlite3 "$FOLDER/birthcert.db" \
        "SELECT label FROM unit WHERE serial = 'VX-000001'")"
}

# What a scanner should not say starts nothing, and neither does a label that comes too early.
case_scan_nonsense() {
    make_bench 1
    start_scanning
    scan "$(printf 'a\033[2Jb')"
    scan "$(printf 'x%.0s' $(seq 300))"
    scan ''
    await_lines "$FOLDER/err" 'E-CAM-LABEL.*is no serial' 2
    scan VX-000001
    start_cameras 1 --key-time 3000
    await_lines "$FOLDER/err" 'VX-000001: plug it in' 1
    await_record generating
    scan VX-000002
    await "$FOLDER/err" 'VX-000002 came too early'
    await "$FOLDER/out" '^PASS +slot 1 +VX-000001'
    end_scanning
    expect_exit "scan, nonsense" 0
    expect_printable "scan, nonsense"
    expect_certificates "scan, nonsense" 1
}

# The camera is known to the database as soon as its work began.
await_record() {
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        [ "$(ask list 2>/dev/null | wc -l)" -eq 0 ] || return 0
        sleep 0.05
    done
}

# In the foreground: what runs in the background has no standard input.
scan_from() { # FILE OPTION...
    local input=$1
    shift
    STATUS=0
    timeout "$RUN_TIMEOUT_S" "$BUILD/birthcert" run --scan "$@" --config "$FOLDER/birthcert.conf" \
        <"$input" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
}

case_scan_usage() {
    make_bench 2
    scan_from /dev/null
    expect "scan, two slots" 2 'E-USAGE .*--scan needs --slot'
    scan_from /dev/null --slot 1 --serial VX-000001
    expect "scan, and a label" 2 'E-USAGE .*both say which camera'
    scan_from "$FOLDER/tray.csv" --slot 1
    expect "scan, from a file" 2 'E-USAGE .*a terminal or a pipe'
    start_cameras 2
    scan_from <(echo VX-000002) --slot 2
    expect "scan, one line through a pipe, then its end" 0 '^PASS +slot 2 +VX-000002'
}

# The camera that failed blinks as long as it is left in; those that passed do not.
case_blink() {
    make_bench 2
    start_cameras 2 --fault 0:bad-proof
    start_birthcert run
    await "$FOLDER/out" '^PASS +slot 2'
    await "$FOLDER/out" '^FAIL +slot 1'
    await_lines "$FOLDER/cameras.log" 'VX-000001 blinks for 5 s' 2
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit "blink" 1
    ok "blink: only the one that failed" not grep -q 'VX-000002 blinks' "$FOLDER/cameras.log"
}

run_cases scan scan_left_in scan_nonsense scan_usage blink
