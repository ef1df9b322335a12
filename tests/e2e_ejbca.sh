#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program with an EJBCA: trays of simulated cameras, and everything that such a CA does to them.
#
#   tests/e2e_ejbca.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_ejbca.bash
. tests/support_ejbca.bash

SIMULATED_CA=ejbca

set_ca() { # LINE...: changes the CA's section
    printf '[ca ejbca]\n' >"$FOLDER/conf.d/35-ca.conf"
    printf '%s\n' "$@" >>"$FOLDER/conf.d/35-ca.conf"
}

stop_ejbca() { end_all "$CA_PID"; }

kill_ejbca() {
    kill -KILL "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
}

requests() { curl -sS "http://127.0.0.1:$CA_CONTROL/control" | jq -r ".requests.$1"; }
revoked() { curl -sS "http://127.0.0.1:$CA_CONTROL/control" | jq -r .revoked; }

# ---- what goes well ------------------------------------------------------------------------------

case_tray() {
    make_bench 8
    start_cameras 8
    start_ejbca
    birthcert doctor
    expect_text "doctor" 'ejbca: reached, and logged in' 'fits the policy of CA ejbca' \
        'issues as: .*CN=ejbca-sim Issuing CA.* < .*CN=ejbca-sim Root CA' \
        'finds nobody.s certificate yet'
    ok "doctor: nothing was asked for" is "$(requests enroll)" 0
    tray
    expect "a tray of 8" 0 '^PASS +slot 8 +VX-000008' '8 passed, 0 already provisioned, 0 failed'
    ok "a tray of 8: it is not called a CA for trials" not says 'not a public CA'
    expect_certificates "a tray of 8" 8
    ok "a tray of 8: each camera's end entity" is "$(jq -r .username "$FOLDER/ejbca/entities.jsonl" |
        sort | sed -n 8p)" 'VX-000008@https'
    tray
    expect "the tray again" 0 '8 already provisioned'
    expect_certificates "the tray again" 8
    birthcert doctor
    ok "with a certificate to find, doctor does not speak of it" not says 'nobody.s certificate'
}

case_editions() {
    make_bench 8
    start_cameras 8
    start_ejbca --enterprise
    tray
    expect "the enterprise edition" 0 '8 passed'
    expect_certificates "the enterprise edition" 8
    stop_ejbca
    stop_cameras
    rm -r "$FOLDER/cameras"
    PREFIX=VY-
    write_manifest 8
    start_cameras 8
    start_ejbca --old
    tray
    expect "an old version" 0 '8 passed'
    ok "an old version: the CA issued 16" is "$(issued)" 16
}

# ---- lost answers --------------------------------------------------------------------------------

case_lost() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault drop-after=1,4 --fault drop-before=3 --fault http-500=5 --fault cut=2
    tray
    expect "lost answers" 0 '8 passed'
    expect_certificates "lost answers" 8
}

# It says no and has issued, or says that it will.
case_issued_all_the_same() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault says-no=2,5 --fault pending=3
    tray
    expect "a no that is none, and a 202" 0 '8 passed'
    expect_certificates "a no that is none, and a 202" 8
}

case_lost_look() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault drop-after=2,6 --fault http-500@search=2 --fault drop-before@search=2
    tray
    expect "lost answers, and lost look-ups" 0 '8 passed'
    expect_certificates "lost answers, and lost look-ups" 8
}

# What cannot be seen is not taken for what is not there.
case_blind() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault drop-after=1-8 --deny view --deny-after 1
    tray --wait 6
    expect_text "a role that may not look any more" '8 unfinished'
    ok "a role that may not look any more: nothing is asked for again" is "$(issued)" 8
    control '{"denial": 0}'
    tray
    expect "a role that may look again" 0 '8 passed'
    expect_certificates "a role that may look again" 8
}

# Nor where it is hidden without a word.
case_hidden() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault drop-after=1-8 --deny certificates --deny-after 1
    set_ca 'settle = 500ms'
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/ejbca/issued.jsonl" . 8
    await "$FOLDER/err" 'error: EJBCA finds nobody.s certificate'
    sleep 6 # three scans, and the settle time
    ok "an EJBCA that hides: nothing is asked for again" is "$(issued) $(requests enroll)" "8 8"
    control '{"denial": 0}'
    await_birthcert
    expect "an EJBCA that hides no more" 0 '8 passed'
    expect_certificates "an EJBCA that hides no more" 8
}

case_not_kept() {
    make_bench 8
    start_cameras 8
    start_ejbca --no-storage --fault drop-after=2
    tray
    expect "certificates that EJBCA does not keep" 5 '7 passed' 'E-UNIT-HELD .*does not keep'
    expect_certificates "certificates that EJBCA does not keep" 7 8
}

case_revoked_meanwhile() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault drop-after=1-8
    set_ca 'settle = 30s'
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/ejbca/issued.jsonl" . 8
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" 2>/dev/null || true
    jq -c '{serial, reason: "SUPERSEDED", revoked_at: .issued_at, revocation_time: .issued_at}' \
        "$FOLDER/ejbca/issued.jsonl" | head -n 3 >"$FOLDER/revoked.jsonl"
    kill_ejbca
    mv "$FOLDER/revoked.jsonl" "$FOLDER/ejbca/revoked.jsonl"
    start_ejbca
    tray
    expect "revoked meanwhile" 5 '5 passed' '3 x E-UNIT-HELD' 'it is revoked'
    expect_certificates "revoked meanwhile" 5 8
}

# The station dies while a request is on its way.
case_killed_midway() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault stall=60000:1-8
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/ejbca/issued.jsonl" . 8
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" 2>/dev/null || true
    clear_faults
    tray
    expect "killed midway" 0 '8 passed'
    expect_certificates "killed midway" 8
}

case_restarted() {
    make_bench 8
    start_cameras 8 --key-time 400
    start_ejbca
    start_birthcert tray "$FOLDER/tray.csv"
    sleep 0.2
    kill_ejbca
    start_ejbca
    await_birthcert
    expect "CA restarted" 0 '8 passed'
    expect_certificates "CA restarted" 8
}

# ---- a CA that says no ---------------------------------------------------------------------------

case_busy() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault http-429-retry=2:1-6 --fault http-429=7-9
    tray
    expect "429" 0 '8 passed'
    expect_certificates "429" 8
}

# Its HSM goes away for a while: 400 to everything, and no camera fails. The trial is what the searches
# afterwards have to find.
case_offline() {
    make_bench 8
    start_cameras 8
    start_ejbca
    birthcert ca test ejbca --issue
    control '{"offline": 1}'
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/err" 'E-CA-DOUBT .*offline'
    control '{"offline": 0}'
    await_birthcert
    expect "the token was offline" 0 '8 passed'
    expect_certificates "the token was offline" 8 9
}

case_refused() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault http-400=3 --fault http-422=4
    tray
    expect "a no" 1 '6 passed' 'E-CA-REFUSED .*HTTP 400: a fault of the simulator'
    ok "a no: it was looked at first" at_least "$(requests search)" 3
    expect_certificates "a no" 6
}

before_anything() { # WHAT STATUS EXPRESSION
    tray
    expect "$1" "$2" "$3" '8 unfinished'
    ok "$1: nothing was asked for" is "$(issued) $(requests enroll)" "0 0"
}

case_refused_beforehand() {
    make_bench 8
    start_cameras 8
    start_ejbca
    set_ca 'root_file = ejbca/server_root.pem'
    before_anything "another root" 2 'E-CA-CONFIG .*ejbca-sim Issuing CA.*root_file'
    set_ca 'server_root_file = ejbca/root.pem'
    before_anything "another TLS root" 4 'E-CA-TLS .*server'
    set_ca 'authority = OtherCA'
    before_anything "another CA" 2 'E-CA-CONFIG .*authority: .*OtherCA.*ManagementCA, CameraCA'
    set_ca 'ca_profile = Other'
    before_anything "another certificate profile" 2 'E-CA-CONFIG .*ca_profile.*unknown certificate profile'
    set_ca 'end_entity_profile = Other'
    before_anything "another end entity profile" 2 'E-CA-CONFIG .*unknown end entity profile'
    set_ca 'url = https://127.0.0.1:'"$CA_PORT"'/other'
    before_anything "another path" 2 'E-CA-CONFIG .*see url'
    rm "$FOLDER/conf.d/35-ca.conf"
    stop_ejbca
    start_ejbca
    expect_good_end "refused beforehand" 8
}

case_policy() {
    local kind
    make_bench 8
    start_cameras 8
    for kind in '--usages server:4:E-CA-POLICY .*usages.*lacks .Client Auth' \
        '--usages more:4:E-CA-POLICY .*usages.*adds .1.3.6.1.5.5.7.3.3' \
        '--keys rsa:4:E-CA-POLICY .*key_type.*rsa2048.*p256' \
        '--validity 4000:4:E-CA-POLICY .*validity.*gives 10y 350d.*allows 3650' \
        '--validity 300:4:E-CA-POLICY .*validity.*gives 0y 300d.*asks for 3650' \
        '--disabled:4:E-CA-LOGIN .*REST Certificate Management' \
        '--disabled-v2:4:E-CA-LOGIN .*REST Certificate Management V2' \
        '--deny administrator:4:E-CA-LOGIN .*administrator' \
        '--deny view:2:E-CA-CONFIG .*unknown end entity profile' \
        '--deny ca:2:E-CA-CONFIG .*authority'; do
        # shellcheck disable=SC2086 # words of their own
        start_ejbca ${kind%%:*}
        before_anything "${kind%%:*}" "$(cut -d: -f2 <<<"$kind")" "$(cut -d: -f3- <<<"$kind")"
        stop_ejbca
    done
    printf '[profile https]\ndns_names = {serial}.local\n' >"$FOLDER/conf.d/40-names.conf"
    start_ejbca
    birthcert doctor
    expect_text "host names" 'firmware has to put the profile.s dns_names there'
    before_anything "host names" 4 'E-CA-POLICY .*dns_names.*has no .vx-00000[1-8].local'
    # A trial's CSR has them, as firmware has to do it.
    birthcert ca test ejbca --issue
    expect "a trial with host names" 0 "as a trial's CSR has them" 'issued, and good' \
        'TRIAL-[0-9a-f-]+ +SCRAPPED'
    ok "a trial with host names: it has its own" openssl x509 -noout -checkhost \
        "$(jq -r '.subject' "$FOLDER/ejbca/issued.jsonl" | grep -o 'TRIAL-[0-9a-f-]*' | head -n 1).local" \
        -in <(jq -r .certificate "$FOLDER/ejbca/issued.jsonl")
}

case_denied() {
    make_bench 8
    start_cameras 8
    start_ejbca --deny create
    tray --wait 4
    expect_text "may not create" 'E-CA-LOGIN .*create_end_entity' '8 unfinished'
    birthcert ca test ejbca --issue
    expect "a trial that may not create" 4 \
        'fault +CA ejbca: E-CA-LOGIN nothing was issued.*create_end_entity' 'TRIAL-[0-9a-f-]+ +SCRAPPED'
    ask list --state pending --json >"$FOLDER/pending"
    ok "a trial that may not create: no request of it is left" not grep -q TRIAL "$FOLDER/pending"
    stop_ejbca
    start_ejbca --approvals
    tray --wait 4
    expect_text "approvals" 'E-CA-POLICY .*approvals are enabled' '8 unfinished'
    ok "may not create, approvals: nothing was issued" is "$(issued)" 0
    stop_ejbca
    start_ejbca
    expect_good_end "may not create, approvals" 8
}

# ---- a CA that issues something else -------------------------------------------------------------

case_rewritten_subject() {
    make_bench 8
    start_cameras 8
    start_ejbca --fault wrong-names=4
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
    start_ejbca --fault other-certificate=5
    tray
    expect "another camera's certificate" 0 '8 passed'
    expect_certificates "another camera's certificate" 8
}

# ---- revoking ------------------------------------------------------------------------------------

case_revoke() {
    make_bench 8
    start_cameras 8
    start_ejbca
    tray
    expect "revoke: a tray" 0 '8 passed'
    birthcert revoke VX-000003 --reason keyCompromise
    expect "revoke" 0 'revoked'
    ok "revoke: EJBCA has it" is "$(revoked) $(jq -r .reason "$FOLDER/ejbca/revoked.jsonl")" "1 KEY_COMPROMISE"
    birthcert revoke VX-000003 --reason superseded
    expect "revoke: again" 3 'E-NOTHING-TO-DO'
    control '{"faults": ["drop-after@revoke=1"]}'
    birthcert revoke VX-000004 --reason superseded
    expect "revoke, lost answer" 0 'revoked'
    ok "revoke, lost answer: once" is "$(revoked)" 2
}

# ---- everything ----------------------------------------------------------------------------------

run_cases tray editions lost issued_all_the_same lost_look blind hidden not_kept revoked_meanwhile \
    killed_midway restarted busy offline refused refused_beforehand policy denied rewritten_subject \
    other_certificate revoke
