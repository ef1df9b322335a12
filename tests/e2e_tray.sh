#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What goes well, with the real program, cameras and CA, as the operator and the batch job use them.
#
#   tests/e2e_tray.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

# ---- the batch job -------------------------------------------------------------------------------

case_local() {
    make_bench 16
    start_cameras 16 --key-time 50
    tray --lot LOT-1
    expect "a tray of 16 with the embedded CA" 0 '^PASS +slot 16 +VX-000016 +[0-9]' \
        '16 units of lot LOT-1: 16 passed, 0 already provisioned, 0 failed, 0 unfinished' \
        'first-pass yield 100\.0 %' 'takt [0-9]' 'time by step:.* proving' \
        'not a public CA'
    ok "results go to stdout" is "$(grep -c '^PASS' "$FOLDER/out")" 16
    ok "without a terminal there are no escapes" not grep -q $'\033' "$FOLDER/out" "$FOLDER/err"
    expect_certificates "a tray of 16 with the embedded CA" 16
    tray --lot LOT-1
    expect "the tray again" 0 '^ALREADY PROVISIONED +slot 1 +VX-000001' \
        '0 passed, 16 already provisioned, 0 failed'
    expect_certificates "the tray again" 16
    check_export
    check_terminal
}

# No column is empty but those of what did not happen.
check_export() {
    local table=$FOLDER/export.csv
    ask export --lot LOT-1 --format csv >"$table"
    ok "export: a row for each camera" is "$(sqlite3 :memory: -cmd ".import --csv $table t" \
        'SELECT count(*), count(DISTINCT serial), count(DISTINCT certificate_serial) FROM t')" \
        "16|16|16"
    ok "export: all columns are filled" is "$(sqlite3 :memory: -cmd ".import --csv $table t" \
        'SELECT name FROM pragma_table_info("t")' | while read -r column; do
        sqlite3 :memory: -cmd ".import --csv $table t" \
            "SELECT '$column' FROM t WHERE \"$column\" = '' LIMIT 1"
    done | tr '\n' ' ')" "code text request_code certificate_reason certificate_ended_at "
    ok "export: who, where and what came of it" is "$(sqlite3 :memory: \
        -cmd ".import --csv $table t" 'SELECT DISTINCT lot, station, operator, result, install,
        key_type, model FROM t')" "LOT-1|bench|tester|passed|proved|p256|VX-2251L"
    ok "export: JSON has as many" is "$(ask export --format json | jq -s length)" 16
    ok "export: another lot has none" is "$(ask export --lot LOT-2 >/dev/null 2>&1 || echo $?)" 3
    ok "export: nothing before today" is \
        "$(ask export --until 2020-01-01 >/dev/null 2>&1 || echo $?)" 3
}

# One camera is missing, so that there is something to wait for.
check_terminal() {
    local command="$BUILD/birthcert tray $FOLDER/tray.csv --config $FOLDER/birthcert.conf --wait 1"
    rm "$FOLDER/ports/cam15"
    TERM=xterm script -qec "$command" /dev/null </dev/null >"$FOLDER/screen" || true
    ok "on a terminal: colours" grep -q $'\033\[1;32mALREADY' "$FOLDER/screen"
    ok "on a terminal: a bar" grep -q '\[#*\.*\] 15/16' "$FOLDER/screen"
    TERM=xterm NO_COLOR=1 script -qec "$command" /dev/null </dev/null >"$FOLDER/screen" || true
    ok "with NO_COLOR: none" not grep -q $'\033\[1' "$FOLDER/screen"
}

case_rough_wire() {
    PREFIX=RW
    make_bench 8 serial
    start_cameras 8 --transport pty --drop 3 --garbage 3 --corrupt 1 --key-time 300 --baud 460800 \
        --boot-text 'U-Boot 2021.01\nStarting kernel ...\ncamera login: '
    start_hvca
    tray
    expect "a tray of 8 on bad wires" 0 '8 passed, 0 already provisioned, 0 failed, 0 unfinished'
    expect_certificates "a tray of 8 on bad wires" 8
    expect_good_end "a tray of 8 on bad wires" 8
    expect_text "a tray of 8 on bad wires, then" '8 already provisioned'
}

case_two_credentials() {
    make_bench 4
    start_cameras 4 --credentials 2 --key-time 50
    start_hvca
    printf '[profile idevid]\nbased_on = idevid\nca = hvca\ncredential = 2\n%s\n' \
        'hardware_type = 1.3.6.1.4.1.32473.1' >"$FOLDER/conf.d/40-idevid.conf"
    tray
    expect "two credentials" 0 '4 passed'
    expect_certificates "two credentials" 8
    ok "two credentials: one of each profile for each camera" is "$(ask list --json |
        jq -r '"\(.credential) \(.profile) \(.install)"' | sort | uniq -c | tr -s ' ' |
        tr '\n' ';')" " 4 1 https proved; 4 2 idevid proved;"
    expect_good_end "two credentials" 8
}

case_json() {
    local lines
    make_bench 3
    start_cameras 2
    tray --json --wait 1 --lot L
    ok "--json: stdout is JSON" jq -e . "$FOLDER/out"
    ok "--json: stderr is JSON" jq -e . "$FOLDER/err"
    lines=$(jq -r 'select(.type == "verdict") | "\(.verdict) \(.slot) \(.serial)"' "$FOLDER/out" |
        sort | tr '\n' ';')
    ok "--json: a verdict for each camera" is "$lines" "pass 1 VX-000001;pass 2 VX-000002;"
    lines=$(jq -r 'select(.type == "summary") | "\(.lot) \(.total) \(.passed) \(.unfinished)"' \
        "$FOLDER/out")
    ok "--json: a summary" is "$lines" "L 3 2 1"
    lines=$(jq -r 'select(.type == "error") | "\(.context) \(.code) \(.remedy != "")"' \
        "$FOLDER/err")
    ok "--json: what is wrong, where, and the remedy" is "$lines" "slot 3 E-PORT-MISSING true"
    ok "--json: list" is "$(ask list --json | jq -s 'map(select(.type == "unit")) | length')" 2
    ok "--json: show" is "$(ask show VX-000001 --json | jq -s 'map(.type) | unique | join(" ")')" \
        '"event unit"'
    ok "--json: reconcile finds nothing to do" is \
        "$(ask reconcile --json >/dev/null 2>&1 || echo $?)" 3
}

case_absent() {
    make_bench 3
    start_cameras 3 --fault 1:silent
    rm "$FOLDER/ports/cam2"
    tray --wait 2
    expect "two cameras are not there" 1 '1 passed, 0 already provisioned, 0 failed, 2 unfinished' \
        'slot 2: E-CAM-TIMEOUT VX-000002: nothing has answered for 2 s on unix .*cam1; check power' \
        'slot 3: E-PORT-MISSING .*/ports/cam2: ' '1 x E-CAM-TIMEOUT' '1 x E-PORT-MISSING'
    stop_cameras
    start_cameras 3
    expect_good_end "two cameras are not there" 3
    expect_text "two cameras are not there, then" '2 passed, 1 already provisioned'
}

# ---- interrupted ---------------------------------------------------------------------------------

case_sigint() {
    make_bench 8
    start_cameras 8 --key-time 300
    start_hvca --latency 150 --latency-jitter 100
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/hvca/issued.jsonl" .
    kill -INT "$STATION_PID"
    await_birthcert
    expect "SIGINT" 1 'interrupted; nothing is lost' '[1-8] unfinished'
    expect_good_end "SIGINT" 8
    expect_text "SIGINT, then" '0 failed, 0 unfinished'
}

# The CA takes a minute: the step in hand does not end, and the second signal does not wait.
case_sigterm_twice() {
    local start
    make_bench 8
    start_cameras 8
    start_hvca --fault stall@post=60000:1-8
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/hvca/issued.jsonl" . 8
    kill -TERM "$STATION_PID"
    sleep 0.5
    ok "SIGTERM: the step in hand is waited for" kill -0 "$STATION_PID"
    start=$SECONDS
    kill -TERM "$STATION_PID"
    await_birthcert
    ok "SIGTERM twice: it stops at once" below $((SECONDS - start)) 6
    expect "SIGTERM twice" 1 '8 unfinished'
    clear_faults
    birthcert list --state pending
    expect_exit "SIGTERM twice: what is pending is on record" 0
    birthcert reconcile
    expect "SIGTERM twice: reconcile asks the CA" 0 'VX-000008 +https +issued: on record'
    ok "SIGTERM twice: reconcile buys nothing" is "$(issued)" 8
    expect_good_end "SIGTERM twice" 8
}

# ---- the operator's loop -------------------------------------------------------------------------

case_once() {
    make_bench 2
    start_cameras 2
    birthcert run --slot 1 --once --serial VX-000001 --lot L
    expect "run --slot 1 --once" 0 '^PASS +slot 1 +VX-000001'
    birthcert run --slot 1 --once --serial VX-000001
    expect "run --once again" 0 '^ALREADY PROVISIONED +slot 1 +VX-000001'
    birthcert run --slot 2 --once --serial VX-000001
    expect "run --once, another serial than the label's" 1 '^FAIL +slot 2 +VX-000002 +E-CAM-LABEL' \
        'the label says VX-000001, the camera says VX-000002'
    expect_certificates "run --once" 1
    birthcert run --slot 3 --once
    expect "run, an unknown slot" 2 'E-USAGE .*no \[slot 3\]'
    birthcert run --serial VX-000001
    expect "run, a label for two slots" 2 'E-USAGE .*--slot'
    birthcert run --slot 2 --once
    expect "run --once, without a label" 0 '^PASS +slot 2 +VX-000002'
    expect_certificates "run --once" 2
}

case_loop() {
    make_bench 4
    start_hvca
    start_birthcert run --lot L
    await "$FOLDER/err" '4 slots are open'
    start_cameras 3
    await_lines "$FOLDER/out" '^PASS' 3
    stop_cameras
    start_cameras 4
    await_lines "$FOLDER/out" '^PASS' 4
    await_lines "$FOLDER/out" '^ALREADY PROVISIONED' 3
    ok "run: list beside it" is "$(ask list --state passed | wc -l)" 4
    ok "run: show beside it" is "$(ask show VX-000004 | sed -n 1p)" VX-000004
    ok "run: export beside it" is "$(ask export | wc -l)" 5
    ok "run: no second station" is "$(ask run --once >/dev/null 2>&1 || echo $?)" 4
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit "run, ended with SIGINT" 0
    expect_certificates "run" 4
}

# A camera that moves takes its unit along; its certificate waits for it, wherever it turns up.
case_moved() {
    make_bench 8
    start_cameras 8 --fault 0:swap-with=1@read-answered --fault 2:swap-quietly-with=3@read-answered \
        --fault 4:swap-quietly-with=5@commit --fault 6:unplug-at=commit-answered \
        --fault 7:crash-at=each-commit --key-time 100
    start_hvca --pending 3
    start_birthcert run
    await_lines "$FOLDER/out" '^PASS' 8
    kill -INT "$STATION_PID"
    await_birthcert
    expect_exit "cameras move" 0
    ok "cameras move: none fails" not grep -q '^FAIL' "$FOLDER/out"
    for pair in 1:2 2:1 3:4 4:3; do
        expect_slot "cameras move: ${pair#*:} passes in slot ${pair%:*}" "${pair%:*}" PASS \
            "VX-00000${pair#*:}"
    done
    ok "cameras move: the history tells" is "$(ask show VX-000003 | grep -c E-CAM-SWAPPED)" 1
    expect_certificates "cameras move" 8
}

# ---- everything ----------------------------------------------------------------------------------

run_cases rough_wire moved sigterm_twice local loop sigint two_credentials json once absent
