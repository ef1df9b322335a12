#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benches that hold no credentials of the CA, and `birthcert forward` that does: with the real
# program on both sides of the socket, and the simulated HVCA behind.
#
#   tests/e2e_forward.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_forward.bash
. tests/support_forward.bash

# ---- the forwarder ---------------------------------------------------------------------------------

kill_forward() {
    kill -KILL "$FORWARD_PID"
    wait "$FORWARD_PID" 2>/dev/null || true
}

stop_forward() { # sets FORWARD_STATUS
    FORWARD_STATUS=0
    kill -TERM "$FORWARD_PID"
    wait "$FORWARD_PID" || FORWARD_STATUS=$?
}

requests_in_state() { # STATE, as the database has it: 2 is sent
    sqlite3 -cmd '.timeout 2000' "$FOLDER/birthcert.db" \
        "SELECT count(*) FROM credential WHERE request = $1" 2>/dev/null || echo 0
}

await_requests() { # STATE COUNT
    local tries
    for ((tries = 0; tries < 1500; tries++)); do
        [ "$(requests_in_state "$1")" -lt "$2" ] || return 0
        sleep 0.02
    done
    echo "not ok - no $2 requests in state $1 in time"
    return 1
}

# ---- what goes well --------------------------------------------------------------------------------

case_tray() {
    make_bench 8
    start_cameras 8 --key-time 50
    make_gateway
    start_forward
    ok "the socket is for its owner and its group" is "$(stat -c %a "$FOLDER/run/forward.sock")" 660
    birthcert doctor
    expect "doctor on the bench" 0 'CA gateway: outbox: answers, and passes .* CA hvca \(hvca\)' \
        'CA gateway: quota: ' 'CA gateway: issues as: ' 'profile https: fits' "clock: .*; the CA's is"
    "$BUILD/birthcert" doctor --config "$FOLDER/gateway/forward.conf" \
        >"$FOLDER/out" 2>"$FOLDER/err" || true
    expect_text "doctor of the forwarder" '0 slots, 1 profile' 'CA hvca: hvca: reached' '0 faults'
    ok "doctor of the forwarder: no database is looked for" not says 'database'
    tray --lot L
    expect "a tray through the forwarder" 0 '8 units of lot L: 8 passed'
    expect_certificates "a tray through the forwarder" 8
    ok "the forwarder has a line for each certificate" is \
        "$(grep -c 'bench bench: VX-.* https of CA hvca: certificate [0-9A-F]' "$FOLDER/forward.log")" 8
    ok "no secret is in the forwarder's log" not grep -qf "$FOLDER/gateway/api_secret" \
        "$FOLDER/forward.log" "$FOLDER/forward.out"
    birthcert reconcile
    expect_exit "reconcile through the forwarder: nothing to do" 3
    stop_forward
    ok "SIGTERM ends it well" is "$FORWARD_STATUS" 0
    ok "and the socket is gone" not test -e "$FOLDER/run/forward.sock"
}

# Two users: the one that talks to cameras cannot read what the CA's credentials are in.
case_two_users() {
    local user=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    make_bench 4
    make_gateway
    chmod 700 "$FOLDER/gateway" "$FOLDER/hvca"
    chmod 755 "$WORK" "$FOLDER" "$FOLDER/run"
    if [ "$(id -u)" -ne 0 ] || ! "${user[@]}" test -x "$BUILD/birthcert"; then
        user=()
    else
        chown 65534 "$FOLDER" "$FOLDER"/birthcert.db* "$FOLDER/ca" "$FOLDER"/ca/*
        STATION_PREFIX=("${user[@]}")
    fi
    start_cameras 4
    chmod -R a+rwX "$FOLDER/ports"
    start_forward
    if [ "${#user[@]}" -gt 0 ]; then
        ok "the bench's user cannot read the credentials" \
            not "${user[@]}" cat "$FOLDER/gateway/api_secret"
        tray --wait 3
        expect "the socket's group is not the bench's" 2 'E-CA-CONFIG .*Permission denied.*group'
        chgrp 65534 "$FOLDER/run/forward.sock"
    fi
    tray
    expect "the bench has no credentials" 0 '4 passed'
    expect_certificates "the bench has no credentials" 4
}

case_json() {
    make_bench 2
    start_cameras 2
    make_gateway
    start_forward --json
    tray
    expect_exit "forward --json" 0
    ok "forward --json: an object for each certificate" is "$(jq -r 'select(.type == "forwarded" and
        .outcome == "certificate" and .bench == "bench" and .ca == "hvca" and .profile == "https")
        | .certificate_sha256' "$FOLDER/forward.out" | sort)" \
        "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT lower(hex(sha256)) FROM certificate' | sort)"
}

# By whatever verb, and whether or not the profile is still there.
case_revoke() {
    local revoked=$FOLDER/hvca/revoked.jsonl
    make_bench 4
    start_cameras 4
    make_gateway
    start_forward
    tray
    birthcert revoke VX-000001 --reason superseded
    expect "revoke through the forwarder" 0 'VX-000001'
    birthcert scrap VX-000002
    expect_exit "scrap through the forwarder" 0
    ok "the CA has revoked both" is "$(wc -l <"$revoked")" 2
    stop_forward
    birthcert revoke VX-000003 --reason keyCompromise --wait 1
    expect "no forwarder: it stays requested" 4 'VX-000003'
    start_forward
    birthcert reconcile
    expect_exit "reconcile repeats it" 0
    ok "and the CA has revoked it" is "$(wc -l <"$revoked")" 3
    birthcert ca test gateway --issue
    expect_exit "ca test --issue through the forwarder" 0
    ok "and its certificate is revoked" is "$(wc -l <"$revoked")" 4
    printf '[profile https]\nvalidity = 30d\n' >"$FOLDER/conf.d/40-changed.conf"
    birthcert revoke VX-000004 --reason superseded
    expect "a profile that has changed since" 0 'VX-000004'
    ok "five are revoked" is "$(wc -l <"$revoked")" 5
}

# The bench learns only when it asks that the CA behind revokes nothing, and then does not ask again.
case_revokes_nothing() {
    make_bench 4
    start_cameras 4
    make_gateway
    cp "$FOLDER"/ca/root.pem "$FOLDER"/ca/root.key "$FOLDER/gateway/"
    {
        printf '[forward]\nsocket = %s/run/forward.sock\n[ca local]\nbackend = local\n' "$FOLDER"
        printf 'ca_certificate_file = root.pem\nca_key_file = root.key\n[profile https]\nca = local\n'
    } >"$FOLDER/gateway/forward.conf"
    cp "$FOLDER/gateway/root.pem" "$FOLDER/root.pem"
    start_forward --json
    tray
    expect "a tray, of the CA behind" 0 '4 passed' 'not a public CA'
    birthcert doctor
    expect "doctor on the bench" 0 'CA gateway: outbox: .*CA local \(local\), without a login'
    birthcert scrap VX-000001
    expect "scrap" 0 'not revoked: its CA revokes nothing' 'ask the administrator of the CA gateway'
    birthcert revoke VX-000002 --reason keyCompromise
    expect "revoke" 4 'VX-000002' 'not revoked: its CA revokes nothing'
    ok "forward --json: an object for each" is "$(jq -r 'select(.type == "forwarded" and .call == "revoke")
        | "\(.bench) \(.serial) \(.ca) \(.outcome) \(.code)"' "$FOLDER/forward.out" | tr '\n' ,)" \
        'bench VX-000001 local refused E-CA-UNSUPPORTED,bench VX-000002 local refused E-CA-UNSUPPORTED,'
    birthcert ca test gateway --issue
    expect "ca test --issue" 0 'issued, and good' 'not revoked: its CA revokes nothing'
    birthcert reconcile
    expect_exit "reconcile: nothing is left open" 3
    ok "three are out of use, none is being revoked" is "$(sqlite3 "$FOLDER/birthcert.db" \
        'SELECT state, count(*) FROM certificate WHERE state <> 1 GROUP BY state' | tr '\n' ' ')" '5|3 '
}

# The profile has another CA now, which revokes nothing: that is no word on what the first one issued.
# Where that was is not on record, as for what was issued before schema 6.
case_revoke_moved() {
    make_bench 1
    start_cameras 1
    make_gateway
    start_forward
    tray
    stop_forward
    cp "$FOLDER"/ca/root.pem "$FOLDER"/ca/root.key "$FOLDER/gateway/"
    cp "$FOLDER/gateway/forward.conf" "$FOLDER/gateway/before.conf"
    sed -i 's/^ca = hvca$/ca = local/' "$FOLDER/gateway/forward.conf"
    printf '[ca local]\nbackend = local\nca_certificate_file = root.pem\nca_key_file = root.key\n' \
        >>"$FOLDER/gateway/forward.conf"
    start_forward
    sqlite3 "$FOLDER/birthcert.db" "UPDATE certificate SET endpoint = ''"
    birthcert revoke VX-000001 --reason keyCompromise
    expect "revoke, of another CA" 4 'revocation requested, and not confirmed'
    stop_forward
    mv "$FOLDER/gateway/before.conf" "$FOLDER/gateway/forward.conf"
    start_forward
    birthcert reconcile
    expect "revoke, of its own CA" 0 'VX-000001 .*revoked'
    ok "the CA has revoked it" is "$(wc -l <"$FOLDER/hvca/revoked.jsonl")" 1
}

# Each with a database, slots and a name of its own.
case_two_benches() {
    make_bench 4
    start_cameras 4 --key-time 30
    make_gateway --latency 50
    start_forward
    mkdir "$FOLDER/other"
    "$BUILD/birthcert" init "$FOLDER/other" >"$FOLDER/init2.log" 2>&1
    sed -i '/^\[slot 1\]/,$d' "$FOLDER/other/birthcert.conf"
    printf '[station]\nname = other\n' >"$FOLDER/other/conf.d/10-station.conf"
    write_outbox "$FOLDER/other"
    PREFIX=VY- FOLDER=$FOLDER/other
    start_cameras 4 --key-time 30
    write_slots 4 unix
    write_manifest 4
    PREFIX=VX- FOLDER=${FOLDER%/other}
    "$BUILD/birthcert" tray "$FOLDER/other/tray.csv" --config "$FOLDER/other/birthcert.conf" \
        >"$FOLDER/other/out" 2>&1 &
    OTHER_PID=$!
    STARTED+=("$OTHER_PID")
    tray
    expect "two benches at once: the one" 0 '4 passed'
    wait "$OTHER_PID" && OTHER=0 || OTHER=$?
    ok "two benches at once: the other" is "$OTHER" 0
    ok "two benches at once: the CA issued 8" is "$(issued)" 8
    ok "two benches at once: the forwarder tells them apart" is "$(grep -o \
        'bench [a-z]*: V[XY]-' "$FOLDER/forward.log" | sort | uniq -c | tr -s ' \n' ' ')" \
        ' 4 bench bench: VX- 4 bench other: VY- '
}

# ---- what breaks -----------------------------------------------------------------------------------

# Killed when its requests are on their way: at the bench, in its hands, at the CA.
kill_and_go_on() { # WHAT STATE COUNT PAUSE OPTION...: of hvca-sim
    local what=$1 state=$2 count=$3 pause=$4
    shift 4
    make_bench 8
    start_cameras 8 --key-time 50
    make_gateway "$@"
    start_forward
    start_birthcert tray "$FOLDER/tray.csv"
    await_requests "$state" "$count"
    sleep "$pause"
    kill_forward
    sleep 0.3
    start_forward
    await_birthcert
    expect "$what" 0 '8 passed'
    expect_certificates "$what" 8
}

case_killed_sent() { kill_and_go_on "killed with requests on their way" 2 8 0 --latency 400; }
case_killed_issuing() { kill_and_go_on "killed while the CA issues" 2 8 0.5 --latency 800 --stats-lag 300; }
case_killed_pending() { kill_and_go_on "killed while certificates are pending" 3 4 0 --pending 5; }
case_killed_early() { kill_and_go_on "killed at the first request" 2 1 0 --latency 30; }

case_killed_often() {
    local i
    make_bench 8
    start_cameras 8 --key-time 400
    make_gateway --latency 150
    start_forward
    start_birthcert tray "$FOLDER/tray.csv" --wait 100
    for i in 1 2 3 4 5 6; do
        await_lines "$FOLDER/forward.log" 'is connected' "$i"
        sleep "0.$((i * 3 % 7))"
        kill_forward
        start_forward
    done
    await_birthcert
    expect "killed again and again" 0 '8 passed'
    expect_certificates "killed again and again" 8
}

# Bench and forwarder both.
case_both_killed() {
    make_bench 8
    start_cameras 8 --key-time 50
    make_gateway --latency 400
    start_forward
    start_birthcert tray "$FOLDER/tray.csv"
    await_requests 2 8
    kill -KILL "$STATION_PID"
    kill_forward
    start_forward
    expect_good_end "bench and forwarder killed" 8
}

# The bench alone: its requests go on without it, and are found.
case_bench_killed() {
    make_bench 8
    start_cameras 8 --key-time 50
    make_gateway --latency 400
    start_forward
    start_birthcert tray "$FOLDER/tray.csv"
    await_requests 2 8
    kill -KILL "$STATION_PID"
    await_birthcert
    expect_good_end "bench killed" 8
}

case_drained() {
    make_bench 8
    start_cameras 8 --key-time 50
    make_gateway --latency 500
    start_forward
    start_birthcert tray "$FOLDER/tray.csv"
    await_requests 2 8
    stop_forward
    ok "SIGTERM with requests in flight: it ends well" is "$FORWARD_STATUS" 0
    ok "SIGTERM with requests in flight: none is in doubt" is "$(requests_in_state 4)" 0
    start_forward
    await_birthcert
    expect "SIGTERM with requests in flight: the tray" 0 '8 passed'
    expect_certificates "SIGTERM with requests in flight" 8
}

case_not_there() {
    make_bench 2
    start_cameras 2
    make_gateway
    start_birthcert tray "$FOLDER/tray.csv" --wait 60
    await "$FOLDER/err" 'E-CA-UNREACHABLE .*/run/forward.sock: birthcert forward does not listen'
    ok "no forwarder: nobody fails" not grep -q '^FAIL' "$FOLDER/out"
    start_forward
    await_birthcert
    expect "no forwarder, then one" 0 '2 passed'
    expect_certificates "no forwarder, then one" 2
    stop_forward
    birthcert doctor
    expect "doctor without a forwarder" 4 'fault +CA gateway: E-CA-UNREACHABLE .*does not listen'
}

# The CA behind is out: the bench hears why.
case_ca_is_out() {
    make_bench 2
    start_cameras 2
    make_gateway
    stop_hvca
    start_forward
    start_birthcert tray "$FOLDER/tray.csv" --wait 60
    await "$FOLDER/err" 'CA: E-CA-UNREACHABLE .*connect'
    start_hvca
    write_outbox "$FOLDER"
    await_birthcert
    expect "the CA behind comes back" 0 '2 passed'
    expect_certificates "the CA behind comes back" 2
}

# ---- what is refused -------------------------------------------------------------------------------

case_other_profile() {
    make_bench 1
    start_cameras 1
    make_gateway
    start_forward
    printf '[profile https]\norganization = Somebody else\n' >"$FOLDER/conf.d/40-profile.conf"
    tray
    expect "another profile" 2 \
        'E-CONFIG \[profile https\]: organization is not the same as the forwarder.s'
    birthcert doctor
    expect "another profile, doctor" 2 'fault +profile https: E-CONFIG .*organization'
    printf '[profile https]\nclient_auth = no\n' >"$FOLDER/conf.d/40-profile.conf"
    tray
    expect "another usage" 2 'client_auth is not the same'
    rm "$FOLDER/conf.d/40-profile.conf"
    ok "another profile: nothing was issued" is "$(issued)" 0
    expect_good_end "the same profile again" 1
}

# What the bench would have to do with such a CA, no forwarder can do for it.
case_unfit_ca() {
    local backend
    make_bench 1
    make_gateway
    for backend in est cmp file; do
        printf '[forward]\nsocket = %s/run/forward.sock\n[ca site]\nbackend = %s\n%s\n' "$FOLDER" \
            "$backend" "root_file = server_root.pem" >"$FOLDER/gateway/forward.conf"
        [ "$backend" = file ] || echo "url = https://127.0.0.1:$CA_PORT" >>"$FOLDER/gateway/forward.conf"
        printf '[profile https]\nca = site\n' >>"$FOLDER/gateway/forward.conf"
        STATUS=0
        "$BUILD/birthcert" forward --config "$FOLDER/gateway/forward.conf" >"$FOLDER/out" \
            2>"$FOLDER/err" || STATUS=$?
        expect "a forwarder before $backend" 2 \
            "E-CONFIG .*ca site.*a forwarder cannot use backend $backend"
    done
}

case_socket() {
    make_bench 1
    make_gateway
    start_forward
    FORWARD=("$BUILD/birthcert" forward --config "$FOLDER/gateway/forward.conf")
    STATUS=0
    "${FORWARD[@]}" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "a second forwarder" 2 \
        'E-FORWARD-RUNS .*another birthcert forward listens there; stop that one first'
    rm "$FOLDER/run/forward.sock.lock" # what listens without it is none that is known
    STATUS=0
    "${FORWARD[@]}" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "another program on the socket" 2 \
        'E-FORWARD-RUNS .*another program listens there; stop that one first'
    stop_forward
    echo keep >"$FOLDER/run/forward.sock"
    STATUS=0
    "${FORWARD[@]}" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "a file in the socket's place" 2 'E-EXISTS .*is no socket; choose another name'
    ok "a file in the socket's place: it stays" is "$(cat "$FOLDER/run/forward.sock")" keep
    rm "$FOLDER/run/forward.sock"
    start_forward
    kill_forward
    start_forward # what the killed one left is replaced
    ok "a stale socket is replaced" kill -0 "$FORWARD_PID"
    stop_forward
    rm -r "$FOLDER/run"
    STATUS=0
    "${FORWARD[@]}" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "no folder for the socket" 2 \
        "E-CONFIG socket $FOLDER/run/forward.sock: its folder $FOLDER/run: No such file"
    STATUS=0
    "$BUILD/birthcert" tray "$FOLDER/tray.csv" --config "$FOLDER/gateway/forward.conf" \
        >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect_exit "a tray with the forwarder's configuration" 2
    STATUS=0
    "$BUILD/birthcert" ca test hvca --issue --config "$FOLDER/gateway/forward.conf" \
        >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "a trial with the forwarder's configuration" 2 \
        'E-USAGE --issue: .*forward.conf .*no database .*on a bench, .*leave --issue out'
    STATUS=0
    "$BUILD/birthcert" forward --config "$FOLDER/birthcert.conf" >"$FOLDER/out" 2>"$FOLDER/err" ||
        STATUS=$?
    expect "forward with the bench's configuration" 2 'E-CONFIG .*there is no \[forward\]'
}

run_cases tray revoke revokes_nothing revoke_moved two_users json two_benches killed_sent killed_issuing killed_pending \
    killed_early killed_often both_killed bench_killed drained not_there ca_is_out other_profile unfit_ca socket
