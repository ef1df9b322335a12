#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A section that is made to lead to another CA while an answer of the first one is lost: the other one is
# not asked, and nothing is bought twice.
#
#   tests/e2e_endpoint.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

# Another account of the same CA, behind another server: its certificates would be as good.
start_second() {
    forget "$FOLDER/second.log"
    [ -d "$FOLDER/second" ] || "$BUILD/hvca-sim" --state "$FOLDER/second" --init >"$FOLDER/second.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/hvca-sim" --state "$FOLDER/second" --port 0 \
        --control-port 0 --pending 1 >"$FOLDER/second.log" 2>&1 &
    STARTED+=("$!")
    await "$FOLDER/second.log" '^control '
    SECOND_PORT=$(awk '/^listening /{print $2}' "$FOLDER/second.log")
}

lead_to_second() {
    cp "$FOLDER/conf.d/30-ca.conf" "$FOLDER/first.conf"
    sed -i -e "s|127.0.0.1:$CA_PORT/|127.0.0.1:$SECOND_PORT/|" -e 's|= hvca/|= second/|' \
        "$FOLDER/conf.d/30-ca.conf"
}

put_back() {
    cp "$FOLDER/first.conf" "$FOLDER/conf.d/30-ca.conf"
}

issued_by_second() {
    if [ -f "$FOLDER/second/issued.jsonl" ]; then
        grep -c certificate "$FOLDER/second/issued.jsonl" || true
    else
        echo 0
    fi
}

sql() { sqlite3 -readonly "$FOLDER/birthcert.db" "$1"; }

requests() {
    sql 'SELECT group_concat(request) FROM (SELECT request FROM credential ORDER BY id)'
}

await_request() { # SQL-CONDITION
    local tries
    for ((tries = 0; tries < 1000; tries++)); do
        [ "$(sql "SELECT count(*) FROM credential WHERE request $1")" -eq 0 ] || return 0
        sleep 0.02
    done
}

CHANGED='E-CA-CHANGED'

# A station that is killed when its request left, and whose answer is lost.
lose_answer() {
    start_hvca --fault drop-after=1-
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/hvca/issued.jsonl" certificate
    await_request 'IN (2, 4)'
    kill -KILL "$STATION_PID"
    await_birthcert
    clear_faults
}

expect_held() { # WHAT
    ok "$1: it is held" is "$(requests)" 5
    ok "$1: the first CA issued one" is "$(issued)" 1
    ok "$1: the second CA was not asked to issue" is "$(issued_by_second)" 0
}

case_doubt() {
    make_bench 1
    lose_answer
    start_second
    lead_to_second
    birthcert reconcile --wait 20
    expect 'reconcile at another CA' 5 \
        "VX-000001 .*held: it was sent to hvca https://127.0.0.1:$CA_PORT/v2, and \[ca hvca\] leads to hvca https://127.0.0.1:$SECOND_PORT/v2 now; put the section back .*birthcert release"
    expect_held 'reconcile at another CA'
    tray
    expect 'tray at another CA' 5 "$CHANGED .*birthcert show VX-000001 tells which; put the section back"
    expect_held 'tray at another CA'
    birthcert reconcile --wait 20
    expect 'once more' 5 "held: it was sent to hvca https://127.0.0.1:$CA_PORT/v2"
    expect_held 'once more'
    ask show VX-000001 >"$FOLDER/out"
    expect_text 'show' "^  reason +$CHANGED .*put the section back" \
        "^  sent to +hvca https://127.0.0.1:$CA_PORT/v2" \
        "request .*$CHANGED held: it was sent to hvca .*:$CA_PORT/v2, and \[ca hvca\] leads to hvca .*:$SECOND_PORT/v2 now"
    ok 'list --json' is "$(ask list --json --state doubt | jq -r '"\(.request) \(.request_code) \(.endpoint)"')" \
        "held $CHANGED hvca https://127.0.0.1:$CA_PORT/v2"
    birthcert orphans
    expect 'orphans' 3 'held requests: 1'
    put_back
    birthcert reconcile --wait 60
    expect 'put back' 0 'VX-000001 .*issued: on record now'
    tray
    expect 'installed' 0 '1 passed'
    expect_certificates 'installed' 1
    ok 'the second CA issued nothing' is "$(issued_by_second)" 0
}

# It was asked for what it issued, and has issued nothing: two people send it to the new one.
case_released() {
    make_bench 1
    start_hvca --fault drop-before=1-
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await_request 'IN (2, 4)'
    kill -KILL "$STATION_PID"
    await_birthcert
    start_second
    lead_to_second
    tray
    expect 'held in a tray' 5 "^FAIL .*VX-000001 .*$CHANGED "
    ok 'held in a tray: the record' is "$(requests)" 5
    birthcert release VX-000001 --approve 'B. Officer'
    expect_exit 'released' 0
    tray
    expect 'released' 0 '1 passed'
    ok 'released: by the second CA' is "$(issued) $(issued_by_second)" '0 1'
    ok 'released: where it went' is "$(sql 'SELECT endpoint FROM credential')" \
        "hvca https://127.0.0.1:$SECOND_PORT/v2"
}

# What the first CA accepted stays with it, as it is; what is only queued goes to the new one.
case_accepted() {
    make_bench 2
    start_hvca --pending 100000
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await_request '= 3'
    kill -KILL "$STATION_PID"
    await_birthcert
    stop_cameras
    start_second
    lead_to_second
    ok 'accepted: before' is "$(requests)" 3
    start_cameras 2
    tray
    expect 'accepted' 5 '1 passed' \
        "^FAIL .*VX-000001 .*$CHANGED it was sent to hvca .*:$CA_PORT/v2, and \[ca hvca\] leads to"
    ok 'accepted: it stays, the other one went to the new CA' is "$(requests) $(issued_by_second)" '3,8 1'
    birthcert reconcile --wait 5
    expect 'accepted, reconcile' 5 'VX-000001 .*accepted: it was sent to hvca .*; put the section back'
    put_back
    stop_hvca
    start_hvca
    tray
    expect 'put back' 0 '1 passed'
    ok 'put back: one each' is "$(issued) $(issued_by_second)" '1 1'
}

# Credentials may be renewed, and the same place may be written in another way.
case_same_ca() {
    make_bench 1
    lose_answer
    mkdir "$FOLDER/renewed"
    cp "$FOLDER"/hvca/{client.pem,client.key,root.pem,server_root.pem,api_key,api_secret} "$FOLDER/renewed"
    sed -i -e 's|= hvca/|= renewed/|' -e 's|https://\(.*\)/v2|HTTPS://\1/v2/|' "$FOLDER/conf.d/30-ca.conf"
    birthcert reconcile --wait 60
    expect 'the same CA' 0 'VX-000001 .*issued: on record now'
    tray
    expect 'the same CA, installed' 0 '1 passed'
    expect_certificates 'the same CA' 1
}

run_cases doubt released accepted same_ca
