#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program, cameras, and OpenSSL's own CMP server. That one answers one certificate, which it
# has to be given beforehand: so cameras come one after the other, their request waits for the server,
# and its certificate is made from the CSR that is on record. It listens on all addresses: everything
# runs in a network of its own.
#
#   tests/e2e_cmp.sh [CASE...]
set -euo pipefail

if [ "${CMP_NETWORK:-}" != own ]; then
    [ "$(id -u)" = 0 ] && user=() || user=(--map-root-user)
    CMP_NETWORK=own exec unshare "${user[@]}" --net bash "$0" "$@"
fi
ip link set lo up

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_tls.bash
. tests/support_tls.bash

# ---- a CA ----------------------------------------------------------------------------------------

make_key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

make_root() { # NAME
    make_key "$FOLDER/cmp/$1.key"
    openssl req -x509 -new -key "$FOLDER/cmp/$1.key" -subj "/CN=$1" -days 30 -out "$FOLDER/cmp/$1.pem"
}

make_signer() { # NAME USAGE ROOT
    make_key "$FOLDER/cmp/$1.key"
    openssl req -new -key "$FOLDER/cmp/$1.key" -subj "/CN=$1" |
        openssl x509 -req -CA "$FOLDER/cmp/$3.pem" -CAkey "$FOLDER/cmp/$3.key" -days 30 -extfile <(
            printf 'keyUsage = critical,digitalSignature\nextendedKeyUsage = %s\n' "$2"
            printf 'subjectKeyIdentifier = hash\n'
        ) -out "$FOLDER/cmp/$1.pem" 2>/dev/null
}

make_cmp_bench() { # COUNT
    make_bench "$1"
    start_cameras "$1"
    pick_port
    CA_PORT=$PORT
    mkdir "$FOLDER/cmp"
    make_root root
    make_root stranger
    make_signer server cmcCA root
    make_signer station clientAuth,cmcRA root
    write_cmp
}

write_cmp() { # LINE...: of the section, beside the usual
    printf '[ca cmp]\nbackend = cmp\nurl = http://127.0.0.1:%s/pkix/\n' "$CA_PORT"
    printf 'client_certificate_file = cmp/station.pem\nclient_key_file = cmp/station.key\n'
    printf 'server_root_file = cmp/root.pem\nroot_file = ca/root.pem\n'
    [ "$#" -eq 0 ] || printf '%s\n' "$@"
    printf '[profile https]\nca = cmp\n'
} >"$FOLDER/conf.d/30-ca.conf"

query() { sqlite3 -cmd '.timeout 10000' "$FOLDER/birthcert.db" "$1"; }

csr_is_there() { # SERIAL
    query "SELECT hex(der) FROM csr JOIN credential c ON c.id = csr.credential
        JOIN unit u ON u.id = c.unit WHERE u.serial = '$1'" 2>/dev/null | xxd -r -p >"$FOLDER/csr.der"
    [ -s "$FOLDER/csr.der" ]
}

# The certificate that the CA will give, from the CSR on record, once that is there.
issue_for() { # SERIAL [NAME-IN-IT]
    local tries name=${2:-$1}
    for ((tries = 0; tries < 1500; tries++)); do
        ! csr_is_there "$1" || break
        sleep 0.02
    done
    openssl x509 -req -inform DER -in "$FOLDER/csr.der" -CA "$FOLDER/ca/root.pem" \
        -CAkey "$FOLDER/ca/root.key" -days 3650 -set_serial "0x$(openssl rand -hex 15)" -extfile <(
            printf 'basicConstraints = critical,CA:FALSE\nkeyUsage = critical,digitalSignature\n'
            printf 'extendedKeyUsage = serverAuth,clientAuth\n'
            printf 'subjectAltName = DNS:%s.local\n' "$name"
        ) -out "$FOLDER/cmp/answer.pem" 2>/dev/null
}

start_cmp() { # OPTION...
    openssl cmp -port "$CA_PORT" -srv_cert "$FOLDER/cmp/server.pem" \
        -srv_key "$FOLDER/cmp/server.key" -srv_trusted "$FOLDER/cmp/root.pem" \
        -rsp_cert "$FOLDER/cmp/answer.pem" -verbosity 7 "$@" >>"$FOLDER/cmp.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await_port "$CA_PORT" "$CA_PID"
}

stop_cmp() {
    end_all "$CA_PID"
    cat "$FOLDER/cmp.log" >>"$FOLDER/cmp.all"
    rm "$FOLDER/cmp.log"
}

certificates_confirmed() { grep -c 'received CERTCONF' "$FOLDER/cmp.all" || true; }

# The tray of one slot begins, up to where its request waits for the CA.
start_one() { # SLOT [NAME-IN-THE-CERTIFICATE]
    printf 'slot,serial\n%d,%s\n' "$1" "$(serial "$1")" >"$FOLDER/tray.csv"
    start_birthcert tray "$FOLDER/tray.csv"
    issue_for "$(serial "$1")" "${2:-}"
}

tray_of_one() { # SLOT OPTION-OF-THE-CA...
    local slot=$1
    shift
    start_one "$slot"
    start_cmp "$@"
    await_birthcert
    stop_cmp
}

state_of() { # SERIAL
    query "SELECT c.request || ' ' || c.error FROM credential c JOIN unit u ON u.id = c.unit
        WHERE u.serial = '$1'"
}

# ---- what goes well ------------------------------------------------------------------------------

case_eight() {
    local i
    make_cmp_bench 8
    for ((i = 1; i <= 8; i++)); do
        tray_of_one "$i"
        expect "camera $i of eight" 0 "^PASS +slot $i "
    done
    expect_certificates "eight cameras" 8
    ok "eight cameras: each certificate was confirmed, once" is "$(certificates_confirmed)" 8
    ok "eight cameras: nothing waits to be confirmed" is "$(query 'SELECT count(*) FROM offer')" 0
}

case_polling() {
    make_cmp_bench 1
    tray_of_one 1 -poll_count 3 -check_after 1
    expect "a CA that wants to be asked again" 0 '^PASS +slot 1 '
    expect_certificates "a CA that wants to be asked again" 1
}

case_secret() {
    make_cmp_bench 1
    (umask 077 && echo 'between us' >"$FOLDER/cmp/secret")
    sed -i 's/^client_certificate_file.*/username = station/
        s/^client_key_file.*/password_file = cmp\/secret/' "$FOLDER/conf.d/30-ca.conf"
    start_one 1
    openssl cmp -port "$CA_PORT" -srv_ref station -srv_secret 'pass:between us' \
        -rsp_cert "$FOLDER/cmp/answer.pem" -verbosity 7 >"$FOLDER/cmp.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await_birthcert
    expect "a shared secret" 0 '^PASS +slot 1 '
    expect_certificates "a shared secret" 1
}

case_doctor() {
    make_cmp_bench 1
    cp "$FOLDER/cmp/station.pem" "$FOLDER/cmp/answer.pem" # nobody asks for it
    start_cmp
    birthcert doctor
    ok "doctor: the CA answers" not says 'E-CA'
    expect_text "doctor: the CA answers" "cmp: reached, and logged in"
    stop_cmp
    birthcert doctor
    expect_text "doctor without the CA" 'E-CA-UNREACHABLE'
}

# ---- what does not -------------------------------------------------------------------------------

case_refused() {
    make_cmp_bench 1
    tray_of_one 1 -pkistatus 2 -failure 9 # rejection, badPOP
    expect "a CA that refuses" 1 '^FAIL +slot 1 .*E-CA-REFUSED.*badPOP'
    expect_certificates "a CA that refuses" 0
}

case_unavailable() {
    make_cmp_bench 1
    start_one 1
    start_cmp -pkistatus 2 -failure 24 # rejection, systemUnavail
    await "$FOLDER/cmp.log" 'P10CR'
    stop_cmp
    start_cmp
    await_birthcert
    expect "a CA that is not available for a while" 0 '^PASS +slot 1 '
    expect_certificates "a CA that is not available for a while" 1
}

# Whoever answers without protection, it may not be the CA; what that did nobody knows.
case_unprotected() {
    make_cmp_bench 1
    tray_of_one 1 -pkistatus 2 -failure 9 -send_unprot_err
    expect "a no without protection" 5 '^FAIL +slot 1 .*E-UNIT-HELD'
    expect_certificates "a no without protection" 0
    tray_of_one 1
    expect "a no without protection: held" 5 '^FAIL +slot 1 .*E-UNIT-HELD'
    write_cmp 'lost_answer = resend'
    start_cmp
    birthcert reconcile
    expect_text "a no without protection: sent again" 'not issued: waits in the outbox'
    birthcert tray "$FOLDER/tray.csv"
    expect "a no without protection: sent again" 0 '^PASS +slot 1 '
    expect_certificates "a no without protection: sent again" 1
}

# Found before anything is bought. This server's word for a station that it does not know is one for
# any bad request.
case_strangers() {
    make_cmp_bench 1
    cp "$FOLDER/cmp/station.pem" "$FOLDER/cmp/answer.pem" # nobody gets that far
    sed -i 's/^server_root_file.*/server_root_file = cmp\/stranger.pem/' "$FOLDER/conf.d/30-ca.conf"
    start_cmp
    birthcert doctor
    expect_text "a CA that the station does not know" 'E-CA-NONSENSE CMP: '
    birthcert tray "$FOLDER/tray.csv" --wait 2
    ok "a CA that the station does not know: no PASS" not says '^PASS'
    ok "a CA that the station does not know: nothing was asked for" \
        not grep -q 'received P10CR' "$FOLDER/cmp.log"
    write_cmp
    make_signer station cmcRA stranger
    birthcert tray "$FOLDER/tray.csv"
    expect "a station that the CA does not know" 1 '^FAIL +slot 1 .*E-CA-REFUSED'
    expect_certificates "a station that the CA does not know" 0
    stop_cmp
}

# What must not be installed is kept, and refused to the CA; it is not confirmed.
case_quarantine() {
    make_cmp_bench 1
    start_one 1 somebody-else
    start_cmp
    await_birthcert
    stop_cmp
    expect "a certificate with another name" 5 '^FAIL +slot 1 .*E-CERT-NAMES'
    ok "a certificate with another name: it is on record" is "$(database_certificates)" 1
    ok "a certificate with another name: the CA heard that it is refused" \
        grep -q 'rejection' "$FOLDER/cmp.all"
    ok "a certificate with another name: the history says so" \
        grep -q 'the CA was told' <(ask show "$(serial 1)")
    ok "a certificate with another name: no camera has one" is "$(cameras_say | wc -l)" 0
    start_cmp
    birthcert reconcile
    expect "a certificate with another name, reconcile" 5 'issued, and rejected: the CA drops it'
    ok "a certificate with another name, reconcile: nobody is asked what it issued" \
        not says 'ask the administrator'
    stop_cmp
}

# The CA goes away when it has issued. The certificate is on record and not on the camera; a CA that
# knows of nothing when it is back would not confirm it, and a person is told.
case_ca_restarts() {
    make_cmp_bench 1
    start_one 1
    start_cmp -max_msgs 2 # the greeting before the tray may be one of them
    await_birthcert_or_unconfirmed
    ok "a CA that leaves: the certificate waits to be confirmed" is "$(state_of "$(serial 1)")" "10 "
    ok "a CA that leaves: it is not on the camera" is "$(cameras_say | wc -l)" 0
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" || true
    stop_cmp
    start_cmp
    birthcert tray "$FOLDER/tray.csv"
    expect "a CA that comes back with nothing" 5 '^FAIL +slot 1 .*E-CERT-UNCONFIRMED'
    ok "a CA that comes back with nothing: quarantined" is "$(state_of "$(serial 1)")" \
        "7 E-CERT-UNCONFIRMED"
    ok "a CA that comes back with nothing: one certificate" is "$(database_certificates)" 1
    # Its administrator has it all the same, and it is good.
    birthcert inbox import "$FOLDER/cmp/answer.pem"
    expect_exit "a certificate that was confirmed all the same" 0
    birthcert reconcile
    birthcert tray "$FOLDER/tray.csv"
    expect "a certificate that was confirmed all the same" 0 '^PASS +slot 1 '
    expect_certificates "a certificate that was confirmed all the same" 1
}

await_birthcert_or_unconfirmed() {
    local tries
    for ((tries = 0; tries < 1500; tries++)); do
        [ "$(state_of "$(serial 1)")" != "10 " ] || return 0
        sleep 0.02
    done
}

# ---- many at once, and killed: with a CA that has more than one transaction ------------------------

start_cmp_ca() {
    mkdir -p "$FOLDER/cmp"
    forget "$FOLDER/cmp.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/cmp-ca" "$FOLDER/cmp" >"$FOLDER/cmp.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await "$FOLDER/cmp.log" '^listening '
    {
        printf '[ca cmp]\nbackend = cmp\nlost_answer = resend\n'
        sed -n 's/^listening /url = /p' "$FOLDER/cmp.log"
        printf '%s = cmp/%s\n' client_certificate_file station.pem client_key_file station.key \
            server_root_file root.pem root_file issuing.pem
        printf '[profile https]\nca = cmp\n'
    } >"$FOLDER/conf.d/30-ca.conf"
}

case_tray() {
    make_bench 16
    start_cameras 16
    start_cmp_ca
    tray
    expect "a tray of 16" 0 '16 passed, 0 already provisioned, 0 failed, 0 unfinished'
    expect_certificates "a tray of 16" 16
    birthcert revoke "$(serial 3)" --reason superseded
    expect_exit "a certificate is revoked" 0
    end_all "$CA_PID"
    ok "a tray of 16: the CA heard of each certificate, and of the one that is revoked" \
        grep -q '^issued 16, confirmed 16, rejected 0, revoked 1$' "$FOLDER/cmp.log"
}

case_trial() {
    make_bench 1
    start_cmp_ca
    birthcert ca test cmp --issue
    expect "a trial" 0 'issued, and good' 'TRIAL-[0-9a-f-]+ +SCRAPPED'
}

# A station that dies after transition N of the tray of one slot. Sets DIED.
kill_at() { # SLOT N
    printf 'slot,serial\n%d,%s\n' "$1" "$(serial "$1")" >"$FOLDER/tray.csv"
    KILL_AT=$2 KILL_TRACE=$FOLDER/trace "$BUILD/birthcert-kill" tray "$FOLDER/tray.csv" \
        --config "$FOLDER/birthcert.conf" >"$FOLDER/out" 2>"$FOLDER/err" &
    STATION_PID=$!
    STARTED+=("$STATION_PID")
    await_birthcert
    DIED=$(tail -n 1 "$FOLDER/trace")
}

# The next start finishes. Only where the CA had heard of the certificate, and its answer was lost with
# the station, this CA does not hear of it again, and a person is told.
go_on() { # SLOT
    tray
    if [[ $DIED == *'confirming -> settling' ]]; then
        expect "killed after $DIED" 5 'E-CERT-UNCONFIRMED'
        ok "killed after $DIED: quarantined" is "$(state_of "$(serial "$1")")" "7 E-CERT-UNCONFIRMED"
    else
        expect "killed after $DIED" 0 "^(PASS|ALREADY PROVISIONED) +slot $1 "
        PASSED=$((PASSED + 1))
    fi
}

# From the request on, at every transition.
case_killed() {
    local slot=1 at first last
    PASSED=0
    make_bench 40
    start_cameras 40
    start_cmp_ca
    kill_at 1 100000
    go_on 1
    first=$(grep -m 1 'claiming -> submitted' "$FOLDER/trace" | cut -d ' ' -f 1)
    last=$(grep 'settling -> free' "$FOLDER/trace" | tail -n 1 | cut -d ' ' -f 1)
    for ((at = first - 1; at <= last + 1 && slot < 40; at++)); do
        slot=$((slot + 1))
        kill_at "$slot" "$at"
        go_on "$slot"
    done
    ok "killed: at every transition" at_least "$slot" 10
    ok "killed: one certificate on record for each camera" is "$(database_certificates)" "$slot"
    ok "killed: each camera that passed has its own" witnesses_agree "$PASSED"
    ok "killed: all but one or two of them" at_least "$PASSED" "$((slot - 2))"
}

run_cases trial eight polling secret doctor refused unavailable unprotected strangers quarantine \
    ca_restarts tray killed
