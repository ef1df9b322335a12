#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A section that is made to lead to another CA while an answer of the first one is lost: the other one is
# not asked, and nothing is bought twice.
#
#   tests/e2e_endpoint.sh [CASE...]
# shellcheck disable=SC2119 # the forwarder's options are optional
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_forward.bash
. tests/support_forward.bash

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

# Its certificate was found by the old CA's administrator, while the section leads to another.
case_brought() {
    make_bench 1
    lose_answer
    start_second
    lead_to_second
    birthcert reconcile --wait 20
    expect_held 'found'
    jq -r .certificate "$FOLDER/hvca/issued.jsonl" |
        cat - "$FOLDER/hvca/issuing.pem" >"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect 'found, under another root' 5 \
        "E-CERT-CHAIN not taken: .*the request went to hvca https://127.0.0.1:$CA_PORT/v2: put the configuration back"
    put_back
    birthcert inbox import "$FOLDER/found.pem"
    expect_exit 'found' 0
    lead_to_second
    birthcert reconcile --wait 20
    expect 'found, reconcile' 5 'held: .*put the section back'
    birthcert release VX-000001 --approve 'B. Officer'
    expect 'found, release' 5 "certificate was brought: put \\[ca hvca\\] back, which led to hvca https://127.0.0.1:$CA_PORT/v2, and"
    put_back
    stop_hvca
    birthcert reconcile --wait 5
    expect 'found, put back, with the CA gone' 0 'VX-000001 .*issued: on record now'
    ok 'found: it is what was brought' is "$(sql 'SELECT lower(hex(sha256)) FROM certificate')" \
        "$(openssl x509 -in "$FOLDER/found.pem" -outform DER | sha256sum | cut -c -64)"
    ok 'found: the second CA issued nothing' is "$(issued_by_second)" 0
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

# Its CA has another name in the net: who runs the bench says that it is the same one.
lead_to_localhost() {
    sed -i "s|https://127.0.0.1:$CA_PORT/v2|https://localhost:$CA_PORT/v2|" "$FOLDER/conf.d/30-ca.conf"
}

case_moved() {
    make_bench 1
    lose_answer
    lead_to_localhost
    birthcert reconcile --wait 20
    expect 'moved' 5 'VX-000001 .*held: it was sent to .*where the same one has moved, formerly says so'
    sed -i "/^url/a formerly = hvca https://127.0.0.1:$CA_PORT/v2" "$FOLDER/conf.d/30-ca.conf"
    birthcert reconcile --wait 60
    expect 'moved, and said so' 0 'VX-000001 .*issued: on record now'
    tray
    expect 'moved, installed' 0 '1 passed'
    expect_certificates 'moved' 1
    birthcert revoke VX-000001 --reason superseded
    expect 'moved, revoked' 0 'VX-000001 .*revoked \(superseded\)'
}

revocations_at_second() {
    curl -sS --max-time 20 "http://127.0.0.1:$(awk '/^control /{print $2}' "$FOLDER/second.log")/control" |
        jq .requests.patch
}

# The second CA would say that it knows of no such certificate, or worse, that it has revoked it.
case_revoke() {
    make_bench 1
    start_hvca
    start_cameras 1
    tray
    expect 'revoke, before' 0 '1 passed'
    start_second
    lead_to_second
    birthcert revoke VX-000001 --reason superseded
    expect 'revoke at another CA' 4 \
        "VX-000001 .*revocation requested, and not confirmed" \
        "$CHANGED it was issued at hvca https://127.0.0.1:$CA_PORT/v2, and \[ca hvca\] leads to hvca https://127.0.0.1:$SECOND_PORT/v2 now"
    ok 'revoke at another CA: it was not asked' is "$(revocations_at_second)" 0
    birthcert reconcile --wait 5
    expect 'reconcile at another CA' 4 "$CHANGED it was issued at"
    ok 'reconcile at another CA: it was not asked' is "$(revocations_at_second)" 0
    put_back
    birthcert reconcile --wait 20
    expect 'put back, reconcile' 0 'VX-000001 .*revoked \(superseded\)'
}

# The embedded CA, which revokes nothing, stands under the name of the one that issued, and then the other way.
case_revoke_other_kind() {
    make_bench 1
    start_hvca
    start_cameras 1
    tray
    expect 'other kind, before' 0 '1 passed'
    lead_to_embedded
    birthcert revoke VX-000001 --reason superseded
    expect 'of hvca, at the embedded CA' 4 "revocation requested, and not confirmed .*$CHANGED it was issued at hvca"
    put_back
    birthcert reconcile --wait 20
    expect 'of hvca, put back' 0 'VX-000001 .*revoked \(superseded\)'
    lead_to_embedded
    stop_cameras
    start_cameras 2
    echo 'slot,serial
2,VX-000002' >"$FOLDER/tray.csv"
    printf '[slot 2]\nunix = %s/ports/cam1\n' "$FOLDER" >"$FOLDER/conf.d/40-slot.conf"
    tray
    expect 'of the embedded CA, before' 0 '1 passed'
    put_back
    birthcert revoke VX-000002 --reason superseded
    expect 'of the embedded CA, at hvca' 4 "revocation requested, and not confirmed .*$CHANGED it was issued at local"
    lead_to_embedded
    birthcert reconcile --wait 20
    expect 'of the embedded CA, put back' 0 'VX-000002 .*out of use here, and not revoked: its CA revokes nothing'
    birthcert reconcile --wait 20
    expect_exit 'of the embedded CA, once more' 3
}

lead_to_embedded() {
    cp "$FOLDER/conf.d/30-ca.conf" "$FOLDER/first.conf"
    printf '[ca hvca]\nbackend = local\nca_certificate_file = ca/root.pem\nca_key_file = ca/root.key\n[profile https]\nca = hvca\n' \
        >"$FOLDER/conf.d/30-ca.conf"
}

# ---- behind a forwarder --------------------------------------------------------------------------

restart_forward() {
    kill -TERM "$FORWARD_PID"
    wait "$FORWARD_PID" || true
    start_forward
}

# The profile's CA is the second one. The first one's section goes, or stays under another name.
forward_to_second() { # [NAME]
    {
        printf '[forward]\nsocket = %s/run/forward.sock\n' "$FOLDER"
        [ $# -eq 0 ] || put_section "$1" "$CA_PORT" "$FOLDER/hvca"
        put_section hvca "$SECOND_PORT" "$FOLDER/second"
        printf '[profile https]\nca = hvca\n'
    } >"$FOLDER/gateway/forward.conf"
    restart_forward
}

put_section() { # NAME PORT STATE
    local name
    printf '[ca %s]\nbackend = hvca\nurl = https://127.0.0.1:%s/v2\nsettle = 1s\n' "$1" "$2"
    for name in client_certificate:client.pem client_key:client.key server_root:server_root.pem \
        api_key:api_key api_secret:api_secret; do
        echo "${name%:*}_file = $3/${name#*:}"
    done
}

make_two_gateways() { # OPTION...: of the first CA
    make_gateway "$@"
    cp "$FOLDER/gateway/forward.conf" "$FOLDER/forward.first"
    start_second
    cat "$FOLDER/hvca/root.pem" "$FOLDER/second/root.pem" >"$FOLDER/root.pem"
    start_forward
    start_cameras 1
}

kill_station() {
    kill -KILL "$STATION_PID"
    await_birthcert
}

case_forwarder() {
    make_bench 1
    make_two_gateways --fault drop-after=1-
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/hvca/issued.jsonl" certificate
    await_request 'IN (2, 4)'
    kill_station
    clear_faults
    ok 'forwarder: the bench has on record what is behind it' is \
        "$(sql 'SELECT ca, endpoint FROM credential')" "gateway|hvca https://127.0.0.1:$CA_PORT/v2"
    forward_to_second
    birthcert reconcile --wait 20
    expect 'forwarder to another CA' 5 \
        "VX-000001 .*held: it was sent to hvca https://127.0.0.1:$CA_PORT/v2, and \[ca gateway\] leads to another CA now; put the section back"
    expect_held 'forwarder to another CA'
    ask show VX-000001 >"$FOLDER/out"
    expect_text 'forwarder to another CA, show' \
        "$CHANGED held: it was sent to hvca .*:$CA_PORT/v2, and the forwarder's \[ca hvca\] leads to hvca .*:$SECOND_PORT/v2 now"
    tray
    expect 'forwarder to another CA, tray' 5 "$CHANGED .*birthcert show VX-000001 tells which"
    expect_held 'forwarder to another CA, tray'
    # The former CA stays there, in a section that no profile names.
    forward_to_second former
    birthcert reconcile --wait 60
    expect 'its section is there' 0 'VX-000001 .*issued: on record now'
    tray
    expect 'its section is there, tray' 0 '1 passed'
    ok 'its section is there: one certificate' is "$(issued) $(issued_by_second)" '1 0'
}

case_forwarder_accepted() {
    make_bench 1
    make_two_gateways --pending 100000
    start_birthcert tray "$FOLDER/tray.csv"
    await_request '= 3'
    kill_station
    forward_to_second
    tray
    expect 'forwarder, accepted' 5 "^FAIL .*VX-000001 .*$CHANGED it was sent to hvca .*:$CA_PORT/v2, and"
    ok 'forwarder, accepted: it stays' is "$(requests) $(issued_by_second)" '3 0'
    birthcert reconcile --wait 10
    expect 'forwarder, accepted, reconcile' 5 'VX-000001 .*accepted: it was sent to hvca'
    cp "$FOLDER/forward.first" "$FOLDER/gateway/forward.conf"
    stop_hvca
    start_hvca
    write_outbox "$FOLDER"
    restart_forward
    tray
    expect 'forwarder, put back' 0 '1 passed'
    ok 'forwarder, put back: one certificate' is "$(issued) $(issued_by_second)" '1 0'
}

# The second CA knows nothing of it; the first one is asked as soon as a section leads there.
case_forwarder_revoke() {
    make_bench 1
    make_two_gateways
    tray
    expect 'forwarder, revoke, before' 0 '1 passed'
    forward_to_second
    birthcert revoke VX-000001 --reason superseded
    expect 'forwarder, revoke' 4 \
        "$CHANGED it was issued at hvca .*:$CA_PORT/v2, and the forwarder's \[ca hvca\] leads to hvca .*:$SECOND_PORT/v2 now"
    ok 'forwarder, revoke: the second CA was not asked' is "$(revocations_at_second)" 0
    forward_to_second former
    birthcert reconcile --wait 20
    expect 'forwarder, revoke, its section is there' 0 'VX-000001 .*revoked \(superseded\)'
    ok 'forwarder, revoke, its section is there: not by the second CA' is "$(revocations_at_second)" 0
}

# The station knows of the CA before; its intent says so, and is not sent. The next one is.
case_forwarder_learned() {
    make_bench 1
    make_two_gateways
    stop_cameras
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/forward.log" 'bench bench is connected'
    forward_to_second
    start_cameras 1
    await_birthcert
    expect 'learned anew' 0 '1 passed'
    ok 'learned anew: the second CA issued' is "$(issued) $(issued_by_second)" '0 1'
    ok 'learned anew: it is on record' is "$(sql 'SELECT endpoint, attempt FROM credential')" \
        "hvca https://127.0.0.1:$SECOND_PORT/v2|2"
    ask show VX-000001 >"$FOLDER/out"
    expect_text 'learned anew, show' "$CHANGED queued: it was sent to hvca .*:$CA_PORT/v2, and the forwarder's"
}

run_cases doubt brought released accepted same_ca moved revoke revoke_other_kind forwarder forwarder_accepted forwarder_revoke \
    forwarder_learned
