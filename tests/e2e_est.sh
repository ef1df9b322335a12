#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program with an EST CA: trays of simulated cameras, and everything that such a CA does to them.
#
#   tests/e2e_est.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_est.bash
. tests/support_est.bash

SIMULATED_CA=est
set_ca() { # LINE...: changes the CA's section
    printf '[ca est]\n' >"$FOLDER/conf.d/35-ca.conf"
    printf '%s\n' "$@" >>"$FOLDER/conf.d/35-ca.conf"
}

kill_est() {
    kill -KILL "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
}

requests() { curl -sS "http://127.0.0.1:$CA_CONTROL/control" | jq -r ".requests.$1"; }

# ---- what goes well ------------------------------------------------------------------------------

case_tray() {
    make_bench 8
    start_cameras 8
    start_est --login any --company ca-behind --label cameras
    set_ca 'ca_profile = cameras'
    birthcert doctor
    expect_text "doctor" 'est: reached; the login is tried with the first request' \
        'issues as: CN=est-sim Issuing CA,.* < CN=est-sim Root CA' 'fits the policy of CA est' \
        'has to add the profile.s dns_names by itself.*administrator'
    ok "doctor: nothing was asked for" is "$(requests enroll)" 0
    tray
    expect "a tray of 8" 0 '^PASS +slot 8 +VX-000008' '8 passed, 0 already provisioned, 0 failed'
    ok "a tray of 8: it is not called a CA for trials" not says 'not a public CA'
    expect_certificates "a tray of 8" 8
    tray
    expect "the tray again" 0 '8 already provisioned'
    expect_certificates "the tray again" 8
}

case_basic_without_client_certificate() {
    make_bench 8
    start_cameras 8
    start_est --login basic --no-client-certificate --form der --company ca-first
    set_ca 'client_certificate_file =' 'client_key_file ='
    tray
    expect "Basic, and no client certificate" 0 '8 passed'
    expect_certificates "Basic, and no client certificate" 8
}

# One connection is served, and the next one only when that is closed.
case_one_connection() {
    make_bench 8
    start_cameras 8
    start_est --connections 1
    set_ca 'in_flight = 4' 'keep_alive = no'
    tray
    expect "one connection at a time" 0 '8 passed'
    expect_certificates "one connection at a time" 8
    stop_cameras
    rm -r "$FOLDER/cameras"
    set_ca 'in_flight = 1'
    PREFIX=VY-
    write_manifest 8
    start_cameras 8
    tray
    expect "one request at a time" 0 '8 passed'
    ok "one request at a time: the CA issued 16" is "$(issued)" 16
}

case_trial() {
    make_bench 1
    start_est --login digest-sha256
    birthcert ca test est --issue
    expect "a trial" 0 'and a trial all of them' 'issued, and good' 'TRIAL-[0-9a-f-]+ +SCRAPPED'
    ok "a trial: one was issued" is "$(issued)" 1
}

# ---- accepted, to be asked again -----------------------------------------------------------------

case_pending() {
    make_bench 8
    start_cameras 8
    start_est --pending 2 --retry-after 1 --login digest-sha256
    tray
    expect "202" 0 '8 passed'
    expect_certificates "202" 8
    ok "202: the history tells" is "$(ask show VX-000003 | grep -c 'request .*accepted')" 2
    ok "202: three requests for each, and a challenge" at_least "$(requests enroll)" 25
}

# An hour is what one server says whatever it is about to do.
case_pending_long() {
    make_bench 8
    start_cameras 8
    start_est --pending 1 --retry-after 3600 --retry-date
    set_ca 'timeout = 2s'
    tray
    expect "202 for an hour" 0 '8 passed'
    expect_certificates "202 for an hour" 8
}

# The station dies while it waits, and so does the CA.
case_pending_killed() {
    make_bench 8
    start_cameras 8
    start_est --pending 1000 --retry-after 2
    start_birthcert tray "$FOLDER/tray.csv"
    await_requests accepted 8
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" 2>/dev/null || true
    ok "202, station killed: nothing is in doubt" is "$(sqlite3 "$FOLDER/birthcert.db" \
        'SELECT count(*) FROM credential WHERE request = 3')" 8
    kill_est
    start_est
    tray
    expect "202, station and CA killed" 0 '8 passed'
    expect_certificates "202, station and CA killed" 8
}

await_requests() { # STATE COUNT
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        [ "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM credential WHERE request = 3')" \
            -lt "$2" ] || return 0
        sleep 0.02
    done
    echo "not ok - $2 requests are not $1 in time"
}

# The answer to a repetition is lost: that one may have issued.
case_pending_lost() {
    make_bench 8
    start_cameras 8
    start_est --pending 1 --retry-after 1 --fault drop-after=10
    tray
    expect "202, then a lost answer" 5 '7 passed' 'E-UNIT-HELD .*ask the administrator of CA est'
    expect_certificates "202, then a lost answer" 7 8
}

case_pending_refused() {
    make_bench 8
    start_cameras 8
    start_est --pending 1 --retry-after 1 --fault http-400=10
    tray
    expect "202, then a no" 1 '7 passed' 'E-CA-REFUSED .*HTTP 400: a fault of the simulator'
    expect_good_end "202, then a no" 8
}

# ---- lost answers --------------------------------------------------------------------------------

case_lost_held() {
    make_bench 8
    start_cameras 8
    start_est --fault drop-after=2 --fault drop-before=5 --fault http-500=6 --fault empty=6
    tray
    expect "lost answers, held" 5 '4 passed.* 4 failed' 'E-UNIT-HELD .*cannot be asked what it issued'
    expect_certificates "lost answers, held" 4 6
    tray
    expect "lost answers, held: the tray again" 5 '4 already provisioned'
    birthcert reconcile
    expect_text "lost answers, held: reconcile" 'E-UNIT-HELD' \
        'held: the CA cannot tell; ask the administrator of CA est .*SHA-256 [0-9a-f]{64}, sent 20.*Z'
    ok "lost answers, held: nothing is asked for again" is "$(issued)" 6
    # A person has asked the administrator, who revoked what nobody has.
    set_ca 'lost_answer = resend'
    birthcert reconcile
    expect_text "lost answers, released: reconcile" 'not issued: waits in the outbox'
    tray
    expect "lost answers, released" 0 '4 passed, 4 already provisioned'
    ok "lost answers, released: the CA issued 10" is "$(issued)" 10
}

# What its administrator found, first without the issuing CA's certificate.
case_lost_found() {
    make_bench 1
    start_cameras 1
    start_est --fault drop-after=1
    tray
    expect "a lost answer, held" 5 'E-UNIT-HELD'
    birthcert orphans
    expect_text "orphans does not forget it" 'held requests: 1'
    jq -r .certificate "$FOLDER/est/issued.jsonl" >"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect "the leaf alone" 5 'E-CERT-CHAIN .*VX-000001|VX-000001.* E-CERT-CHAIN' 'into the same file'
    cat "$FOLDER/est/issuing.pem" >>"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect "with the issuing CA's" 0 'its certificate is here'
    birthcert reconcile
    expect "it is settled" 0 'issued'
    tray
    expect "and installed" 0 '1 passed'
    expect_certificates "and installed" 1
}

# Two people stood for it that there is none; then it was found after all, before another was asked for.
case_lost_released_and_found() {
    make_bench 1
    start_cameras 1
    start_est --fault drop-after=1
    tray
    expect_exit "a lost answer, held" 5
    birthcert release VX-000001 --approve Bob
    expect_exit "released" 0
    jq -r .certificate "$FOLDER/est/issued.jsonl" >"$FOLDER/found.pem"
    cat "$FOLDER/est/issuing.pem" >>"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect "found after all" 0 'its certificate is here'
    tray
    expect "and installed" 0 '1 passed'
    expect_certificates "and installed" 1
}

case_lost_resent() {
    LOST=resend
    make_bench 8
    start_cameras 8
    start_est --fault drop-before=2,5 --fault drop-after=7
    tray
    expect "lost answers, sent again" 0 '8 passed'
    ok "lost answers, sent again: one certificate too many" is "$(issued)" 9
    ok "lost answers, sent again: each camera has one" is "$(cameras_say | wc -l)" 8
}

# The station dies while a request is on its way.
case_killed_midway() {
    make_bench 8
    start_cameras 8
    start_est --fault stall=60000:1-8
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/est/issued.jsonl" . 8
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" 2>/dev/null || true
    clear_faults
    tray
    expect "killed midway" 5 '8 x E-UNIT-HELD'
    ok "killed midway: nothing is asked for again" is "$(issued)" 8
}

# ---- a CA that says no ---------------------------------------------------------------------------

case_busy() {
    make_bench 8
    start_cameras 8
    start_est --fault http-429-retry=2:1-6 --fault http-429=7-9
    tray
    expect "429" 0 '8 passed'
    expect_certificates "429" 8
}

case_restarted() {
    make_bench 8
    start_cameras 8 --key-time 400
    start_est --login digest-md5
    start_birthcert tray "$FOLDER/tray.csv"
    sleep 0.2
    kill_est
    start_est --login digest-md5
    await_birthcert
    expect "CA restarted" 0 '8 passed'
    expect_certificates "CA restarted" 8
}

before_anything() { # WHAT STATUS EXPRESSION
    tray
    expect "$1" "$2" "$3" '8 unfinished'
    ok "$1: nothing was asked for" is "$(issued) $(requests enroll)" "0 0"
}

case_refused_beforehand() {
    make_bench 8
    start_cameras 8
    start_est --login basic
    set_ca 'root_file = est/server_root.pem'
    before_anything "another root" 2 'E-CA-CONFIG .*est-sim Issuing CA.*root_file'
    set_ca 'server_root_file = est/root.pem'
    before_anything "another TLS root" 4 'E-CA-TLS .*server'
    set_ca 'ca_profile = other'
    before_anything "another label" 2 'E-CA-CONFIG .*cacerts.*ca_profile'
    stop_est
    # ecPublicKey with secp384r1
    printf '\x30\x14\x30\x12\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x31\x07\x06\x05\x2b\x81\x04\x00\x22' >"$FOLDER/p384.der"
    start_est --csrattrs "$FOLDER/p384.der"
    rm "$FOLDER/conf.d/35-ca.conf"
    before_anything "another key" 4 'E-CA-POLICY .*secp384r1.*p256'
    stop_est
    # extensionRequest with subjectAltName
    printf '\x30\x14\x30\x12\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x09\x0e\x31\x05\x06\x03\x55\x1d\x11' >"$FOLDER/san.der"
    start_est --csrattrs "$FOLDER/san.der"
    tray
    expect "an extension that the CSR lacks" 4 'E-CA-POLICY .*Subject Alternative Name' '8 unfinished'
    ok "an extension that the CSR lacks: nothing was asked for" is "$(issued) $(requests enroll)" "0 0"
    stop_est
    start_est
    expect_good_end "refused beforehand" 8
}

stop_est() { end_all "$CA_PID"; }

case_wrong_password() {
    make_bench 8
    start_cameras 8
    start_est --login digest-sha256
    echo wrong >"$FOLDER/password"
    chmod 600 "$FOLDER/password"
    set_ca "password_file = password"
    birthcert ca test est
    expect "a wrong password: nobody has tried it yet" 0 'est: reached; the login is tried with the first'
    ok "a wrong password: it is not said to be good" not says 'est: .*logged in'
    birthcert ca test est --issue
    expect "a wrong password: a trial" 4 'E-CA-LOGIN nothing was issued.*HTTP 401'
    tray --wait 4
    expect_text "a wrong password" 'E-CA-LOGIN .*HTTP 401: who are you' '8 unfinished'
    ok "a wrong password: nothing was issued" is "$(issued)" 0
    rm "$FOLDER/conf.d/35-ca.conf"
    expect_good_end "a wrong password" 8
}

# ---- a CA that issues something else -------------------------------------------------------------

case_rewritten_subject() {
    make_bench 8
    start_cameras 8
    start_est --fault wrong-names=4
    tray
    expect "a rewritten subject" 5 '7 passed.* 1 failed' \
        'FAIL .* E-CERT-NAMES the subject.s CN is "somebody-else".* may rewrite subjects'
    expect_certificates "a rewritten subject" 7 8
    birthcert reconcile
    expect_text "a rewritten subject: it is on record" 'quarantined'
}

case_other_certificate() {
    make_bench 8
    start_cameras 8
    start_est --fault other-certificate=5 --company ca-first
    tray
    expect "another camera's certificate" 5 '7 passed.* 1 failed' 'E-CERT-KEY|E-CERT-DUPLICATE'
    expect_certificates "another camera's certificate" 7 8
}

case_no_names() {
    make_bench 8
    start_cameras 8
    start_est --no-names
    tray
    expect_text "no host names" 'E-CERT-NAMES .*lacks .*local' 'several certificates in a row'
    printf '[profile https]\ndns_names =\n' >"$FOLDER/conf.d/40-names.conf"
    ok "no host names: none is installed" is "$(cameras_say | wc -l)" 0
    local bought
    bought=$(issued)
    # The fault was the profile's. EST tells nothing again, so what is on record is looked at.
    birthcert reconcile
    expect "no host names, the profile corrected" 0 'issued: on record now'
    ok "no host names, the profile corrected: no CA is asked" not says 'ask the administrator'
    ok "no host names, the profile corrected: nothing is bought" is "$(issued)" "$bought"
    expect_good_end "no host names, the profile corrected" 8
    ok "no host names, the profile corrected: one each" is "$(issued)" 8
}

# ---- everything ----------------------------------------------------------------------------------

run_cases tray basic_without_client_certificate one_connection pending pending_long pending_killed \
    pending_lost pending_refused lost_held lost_found lost_released_and_found lost_resent killed_midway busy restarted \
    refused_beforehand wrong_password rewritten_subject other_certificate no_names trial
