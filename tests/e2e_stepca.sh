#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program, and the backend alone, against step-ca out of Debian's package of its library
# (fixtures/stepca, built here with Debian's Go): tokens that are taken once, lost answers, and a
# template that serves every profile.
#
#   tests/e2e_stepca.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_tls.bash
. tests/support_tls.bash
# shellcheck source=tests/support_nginx.bash
. tests/support_nginx.bash
# shellcheck source=tests/support_stepca.bash
. tests/support_stepca.bash

JOBS=${STEPCA_JOBS:-2}

ca_is_witness() { [ -f "$FOLDER/stepca.log" ]; }
issued() { grep -c 'certificate=' "$FOLDER/stepca.log" || true; }

ca_says() {
    local der
    stepca_made |
        while read -r der; do
            base64 -d <<<"$der" >"$FOLDER/one.der"
            printf '%s %s %s\n' \
                "$(openssl x509 -inform DER -in "$FOLDER/one.der" -noout -subject \
                    -nameopt multiline,-esc_msb | sed -n 's/^ *serialNumber *= //p')" \
                "$(openssl x509 -inform DER -in "$FOLDER/one.der" -noout -pubkey |
                    openssl pkey -pubin -outform DER | sha256sum | cut -c -64)" \
                "$(sha256sum <"$FOLDER/one.der" | cut -c -64)"
        done
}

drive() { # VERB [COUNT]: the backend alone; its findings are in the file driven
    "$BUILD/ca-driver" "$FOLDER/birthcert.conf" https "$@" >"$FOLDER/driven" 2>"$FOLDER/driven.err"
}

expect_driven() { # WHAT LINE VERB COUNT
    ok "$1" drive "${@:3}"
    ok "$1: $2" grep -qx -e "$2" "$FOLDER/driven"
}

# ---- what goes well ------------------------------------------------------------------------------

case_tray() {
    make_bench 16
    start_cameras 16
    start_stepca
    write_direct
    birthcert ca test factory
    expect "ca test" 0 'issues as: a CA that .* does not name < .*CN=Factory Root'
    tray
    expect "a tray of 16" 0 '16 passed'
    expect_certificates "a tray of 16" 16
    expect_driven "84 at once" '84 certificate OK' issue 84
    ok "it made 100" is "$(issued)" 100
    expect_driven "revoke: 10, twice" '20 revoked OK' revoke 10
}

case_trial() {
    make_bench 1
    start_stepca
    write_direct
    birthcert ca test factory --issue
    expect "a trial" 0 'issued, and good' 'TRIAL-[0-9a-f-]+ +SCRAPPED'
}

# IEEE 802.1AR: a HardwareModuleName, no host name, no usage, no end.
case_idevid() {
    make_bench 4
    start_cameras 4 --credentials 2
    start_stepca
    PROVISIONER=endless write_direct
    printf '[profile idevid]\nbased_on = idevid\nca = factory\ncredential = 2\n%s\n%s\n%s\n' \
        'organization = Maker & Söhne' 'organizational_unit = Line "1"' 'country = CH' \
        >"$FOLDER/conf.d/40-idevid.conf"
    tray
    expect "two credentials, one with a HardwareModuleName" 0 '4 passed'
    expect_certificates "two credentials, one with a HardwareModuleName" 8
}

case_plain() {
    make_bench 3
    start_cameras 3
    start_stepca
    PROVISIONER=plain write_direct
    tray
    expect "no template" 4 'E-CA-POLICY .*options\.x509\.template.*serial_number'
    printf '[profile https]\nserial_number =\n' >"$FOLDER/conf.d/40-plain.conf"
    tray
    expect "no template, and no more than it gives" 0 '3 passed'
    ok "no template: it made 3" is "$(issued)" 3
}

# ---- what does not fit ---------------------------------------------------------------------------

expect_nothing_bought() { # WHAT
    ok "$1: nothing was made" is "$(issued)" 0
    ok "$1: no camera has a certificate" is "$(cameras_say)" ""
}

case_wrong() {
    make_bench 3
    start_cameras 3
    start_stepca
    SIGNING_KEY=stranger.jwk write_direct
    tray
    expect "another key" 4 'E-CA-LOGIN .*signing_key_file: its key .* is not that of'
    jq -c --arg kid "$(jq -r .kid "$FOLDER/station.public.jwk")" '. + {kid: $kid}' \
        "$FOLDER/stranger.jwk" >"$FOLDER/liar.jwk"
    chmod 600 "$FOLDER/liar.jwk"
    SIGNING_KEY=liar.jwk write_direct
    tray
    expect "another key by the same name" 4 'E-CA-LOGIN .*HTTP 401'
    PROVISIONER=nobody write_direct
    tray
    expect "another provisioner" 4 'E-CA-LOGIN .*no JWK provisioner "nobody"'
    PROVISIONER=short write_direct
    tray
    expect "a provisioner that gives less" 4 'E-CA-POLICY .*maxTLSCertDuration: .*30 days.*3650'
    PROVISIONER=broken write_direct
    tray
    expect "a broken template" 4 'E-CA-POLICY .*template'
    write_direct
    sed -i 's/^root_file.*/root_file = tls.pem/' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "a wrong root" 2 'E-CA-CONFIG .*Factory Root.*root_file does not hold it'
    write_stepca "https://127.0.0.1:$STEPCA_PORT" tls.pem
    tray --wait 2
    expect "a wrong server" 4 "E-CA-TLS .*127.0.0.1:$STEPCA_PORT"
    expect_nothing_bought "what does not fit"
    write_direct
    expect_good_end "what does not fit" 3
}

# ---- outages and lost answers --------------------------------------------------------------------

start_behind_front() { # LINE...
    make_bench 8
    start_cameras 8 --key-time 4000
    start_stepca
    start_front "https://127.0.0.1:$STEPCA_PORT" "$SIGN"
    write_stepca "https://127.0.0.1:$FRONT_PORT" tls.pem "$@"
}

# The cameras take a while to make their keys: the check is over by then, and the front gets worse.
start_tray_and() { # FAULT...
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/front/access.log" "POST $SIGN .* 400 "
    "$@"
}

# What never arrived is found out by the same token, and made then: one for each camera.
case_lost_before() {
    start_behind_front
    start_tray_and front_drops_before
    await_lines "$FOLDER/front/access.log" "POST $SIGN .* 444 " 1
    front_passes
    await_birthcert
    expect "requests lost before step-ca" 0 '8 passed'
    expect_certificates "requests lost before step-ca" 8
}

# What arrived is known to have, and is held: nothing is bought in its place. After some lost answers
# the station sends no more; those go through when the front does.
expect_some_held() { # WHAT; sets HELD
    expect "$1" 5 \
        'E-UNIT-HELD step-ca got the request.*key SHA-256 [0-9a-f]{64}, 20.*Z, serial VX-00000[1-8]'
    HELD=$(grep -c '^FAIL .*E-UNIT-HELD' "$FOLDER/out" || true)
    ok "$1: $HELD are held, the others pass" is "$(grep -c '^PASS' "$FOLDER/out")" $((8 - HELD))
    ok "$1: step-ca made 8" is "$(issued)" 8
}

case_lost_after() {
    start_behind_front
    start_tray_and front_drops_after
    await_lines "$FOLDER/stepca.log" 'certificate=' 2
    front_passes
    await_birthcert
    expect_some_held "answers lost"
    ok "answers lost: the token was known" grep -q 'token already used' "$FOLDER/stepca.log"
    tray
    expect_exit "answers lost, again" 5
    birthcert reconcile
    expect "answers lost: reconcile" 5 'VX-00000[1-8] .*held: the CA cannot tell'
    ok "answers lost: nothing was bought since" is "$(issued)" 8
    bring_certificates
    birthcert reconcile
    tray
    expect "answers lost, what step-ca's log has was brought" 0 "$HELD passed" ' 0 failed'
    expect_certificates "answers lost, what step-ca's log has was brought" 8
}

# The administrator finds them in the log.
bring_certificates() {
    stepca_pem >"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect_exit "answers lost: the certificates are brought" 0
}

case_resend() {
    start_behind_front 'lost_answer = resend'
    start_tray_and front_drops_after
    await_lines "$FOLDER/stepca.log" 'certificate=' 2
    front_passes
    await_birthcert
    expect "answers lost, resend" 0 '8 passed'
    ok "answers lost, resend: step-ca made more than one for some" at_least "$(issued)" 10
    ok "answers lost, resend: each camera has one" is \
        "$(cameras_say | cut -d ' ' -f 1 | sort -u | wc -l)" 8
}

# It is killed, and comes back with its database: it remembers the tokens.
case_restart() {
    start_behind_front
    start_tray_and front_drops_after
    await_lines "$FOLDER/stepca.log" 'certificate=' 2
    kill_stepca
    front_passes
    start_stepca
    await_birthcert
    expect_some_held "killed after it made some"
}

case_down() {
    make_bench 8
    start_cameras 8
    start_stepca
    kill_stepca
    write_direct
    tray --wait 2
    expect "down from the start" 4 "E-CA-UNREACHABLE .*127.0.0.1:$STEPCA_PORT" '8 unfinished'
    start_stepca
    expect_good_end "down from the start" 8
}

case_front_answers() {
    start_behind_front
    start_tray_and front_answers 429 'Retry-After: 2'
    await_lines "$FOLDER/front/access.log" "POST $SIGN .* 429 " 1
    front_answers 502
    await_lines "$FOLDER/front/access.log" "POST $SIGN .* 502 " 1
    front_passes
    await_birthcert
    expect "429, then 502" 0 '8 passed'
    expect_certificates "429, then 502" 8
}

# ---- everything ----------------------------------------------------------------------------------

build_stepca
run_cases tray trial lost_after lost_before resend restart front_answers wrong idevid plain down
