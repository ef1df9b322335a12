#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program, and the backend alone, against Debian's cfssl: sign, authsign, multirootca, and
# nginx in front of it that does wrong what a front can do wrong. Whatever happens, no camera ends up
# with two certificates, and what cannot be known is said.
#
#   tests/e2e_cfssl.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_tls.bash
. tests/support_tls.bash
# shellcheck source=tests/support_nginx.bash
. tests/support_nginx.bash
# shellcheck source=tests/support_cfssl.bash
. tests/support_cfssl.bash

JOBS=${CFSSL_JOBS:-2}

# ---- what cfssl did ------------------------------------------------------------------------------

ca_is_witness() { [ -f "$FOLDER/cfssl.db" ]; }
issued() { sqlite3 "$FOLDER/cfssl.db" 'SELECT count(*) FROM certificates'; }
in_log() { grep -c 'signed certificate with serial' "$FOLDER/cfssl.log"; }

ca_says() {
    local pem
    sqlite3 "$FOLDER/cfssl.db" 'SELECT pem FROM certificates' | csplit -sz -f "$FOLDER/issued-" \
        -n 4 - '/BEGIN CERTIFICATE/' '{*}'
    for pem in "$FOLDER"/issued-*; do
        printf '%s %s %s\n' \
            "$(openssl x509 -in "$pem" -noout -subject -nameopt multiline,-esc_msb |
                sed -n 's/^ *serialNumber *= //p')" \
            "$(openssl x509 -in "$pem" -noout -pubkey | openssl pkey -pubin -outform DER |
                sha256sum | cut -c -64)" \
            "$(openssl x509 -in "$pem" -outform DER | sha256sum | cut -c -64)"
    done
    rm -f "$FOLDER"/issued-*
}

drive() { # VERB [COUNT]: the backend alone; its findings are in the file driven
    "$BUILD/ca-driver" "$FOLDER/birthcert.conf" https "$@" >"$FOLDER/driven" 2>"$FOLDER/driven.err"
}

expect_driven() { # WHAT LINE VERB COUNT
    ok "$1" drive "${@:3}"
    ok "$1: $2" grep -qx -e "$2" "$FOLDER/driven"
}

# ---- what goes well ------------------------------------------------------------------------------

case_sign() {
    make_bench 16
    start_cameras 16
    start_cfssl
    write_cfssl "$(url)" open
    birthcert doctor
    expect "sign: doctor" 0 'CN=Factory Issuing CA' 'fits the policy of CA factory'
    tray
    expect "sign: a tray of 16" 0 '16 passed'
    ok "sign: it is not told to be for trials" not says 'not a public CA'
    expect_certificates "sign: a tray of 16" 16
    ok "sign: the issuing CA is installed too" is "$(ask show VX-000001 --json |
        jq -r 'select(.type == "unit") | .. | .issuer? // empty' | sort -u)" "CN=Factory Issuing CA"
    expect_driven "sign: 84 at once" '84 certificate OK' issue 84
    ok "sign: 100 were signed, and as many are in its database" is "$(in_log) $(issued)" "100 100"
}

case_trial() {
    make_bench 1
    start_cfssl
    write_cfssl "$(url)" open
    birthcert ca test factory --issue
    expect "a trial" 0 'issued, and good' 'TRIAL-[0-9a-f-]+ +SCRAPPED'
}

case_authsign() {
    make_bench 16
    start_cameras 16
    start_mutual
    write_cfssl "$(url)" camera "$KEY" "$MUTUAL"
    birthcert doctor
    expect "authsign: doctor" 0 'fits the policy of CA factory'
    tray
    expect "authsign, mutual TLS: a tray of 16" 0 '16 passed'
    expect_certificates "authsign, mutual TLS: a tray of 16" 16
    expect_driven "authsign: 84 at once" '84 certificate OK' issue 84
    ok "authsign: 100 were signed, and as many are in its database" is "$(in_log) $(issued)" \
        "100 100"
}

# The names of a device without host names, and no end; its SAN must stay empty.
case_device() {
    make_bench 4
    start_cameras 4
    start_cfssl
    write_cfssl "$(url)" device
    printf '[profile https]\nbased_on = idevid\nhardware_type =\ncredential = 1\n%s\n%s\n' \
        'organization = Maker' 'country = CH' >"$FOLDER/conf.d/40-device.conf"
    tray
    expect "a device's names" 0 '4 passed'
    expect_certificates "a device's names" 4
}

case_revoke() {
    make_bench 1
    start_cfssl
    write_cfssl "$(url)" open
    expect_driven "revoke: 20, twice" '40 revoked OK' revoke 20
    ok "revoke: the database says so" is "$(sqlite3 "$FOLDER/cfssl.db" \
        'SELECT DISTINCT status, reason FROM certificates')" 'revoked|4'
    end_all "$CFSSL_PID"
    start_without_database
    ok "revoke, no database: the driver says no" not drive revoke 1
    ok "revoke, no database: it says why" grep -q \
        '^2 refused E-CA-UNSUPPORTED .*-db-config' "$FOLDER/driven"
}

start_without_database() {
    cfssl serve -address=127.0.0.1 -port="$CFSSL_PORT" -ca "$FOLDER/issuing.pem" \
        -ca-key "$FOLDER/issuing.key" -config "$FOLDER/cfssl.json" -tls-cert "$FOLDER/server.pem" \
        -tls-key "$FOLDER/server.key" >>"$FOLDER/cfssl.log" 2>&1 &
    CFSSL_PID=$!
    STARTED+=("$CFSSL_PID")
    await_port "$CFSSL_PORT" "$CFSSL_PID"
}

# One that keeps no books is told at its desk; what its list says then is the end of it here.
case_list() {
    local certificate
    make_bench 2
    start_cameras 2
    make_cfssl
    pick_port
    CFSSL_PORT=$PORT
    start_without_database
    write_cfssl "$(url)" open
    tray
    expect_exit "a list" 0
    birthcert revoke VX-000001 --reason superseded
    expect "a list: cfssl revokes nothing" 4 \
        'not revoked: .*ask the administrator of the CA factory .*birthcert crl import'
    birthcert orphans
    expect_text "a list: it is not forgotten" 'out of use here, and not revoked: 1;'
    certificate=$(sqlite3 "$FOLDER/birthcert.db" \
        'SELECT upper(hex(serial)) FROM certificate WHERE state = 5')
    echo "ibase=16; $certificate" | BC_LINE_LENGTH=0 bc >"$FOLDER/serials"
    cfssl gencrl "$FOLDER/serials" "$FOLDER/issuing.pem" "$FOLDER/issuing.key" 2>/dev/null |
        base64 -d >"$FOLDER/crl.der"
    birthcert crl import "$FOLDER/crl.der"
    expect "a list of cfssl's" 0 'VX-000001 .*revoked \(superseded\)' \
        'Factory Issuing CA.* names 1 certificate; newly recorded as revoked: 1'
    birthcert orphans
    expect_exit "a list of cfssl's: nothing is left" 3
    birthcert crl import "$FOLDER/crl.der"
    expect "a list of cfssl's, again" 0 'recorded before: 1'
}

# Two CAs in one server, told apart by the label; plain HTTP on this computer.
case_multirootca() {
    local port
    make_bench 8
    start_cameras 8
    make_cfssl
    rm "$FOLDER/cfssl.db" # it cannot be had with SQLite
    make_ca second 'Second CA' root
    pick_port
    port=$PORT
    for name in issuing second; do
        printf '[%s]\nprivate = file://%s/%s.key\ncertificate = %s/%s.pem\nconfig = %s/cfssl.json\n' \
            "$name" "$FOLDER" "$name" "$FOLDER" "$name" "$FOLDER"
    done >"$FOLDER/roots.conf"
    multirootca -a "127.0.0.1:$port" -roots "$FOLDER/roots.conf" -l issuing \
        >"$FOLDER/cfssl.log" 2>&1 &
    STARTED+=($!)
    await_port "$port" $!
    write_cfssl "http://127.0.0.1:$port" camera "$KEY" 'authority = third'
    tray
    expect "multirootca, no such label" 2 'E-CA-CONFIG .*bad label'
    write_cfssl "http://127.0.0.1:$port" camera "$KEY" 'authority = second'
    sed -i '/^server_root_file/d' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "multirootca, a label" 0 '8 passed'
    ok "multirootca, a label: 8 certificates, each in its own camera" witnesses_agree 8
    ok "multirootca, a label: it signed 8" is "$(in_log)" 8
    ok "multirootca, a label: that CA issued" is "$(ask list --json |
        jq -r 'select(.type == "unit") | .certificate.issuer' | sort -u)" "CN=Second CA"
    echo 00 >"$FOLDER/auth.key"
    birthcert doctor
    expect_text "multirootca, a wrong key" 'E-CA-LOGIN .*invalid token'
}

# ---- what does not fit ---------------------------------------------------------------------------

# Nothing is bought; with the section as it should be the tray ends well.
expect_nothing_bought() { # WHAT
    ok "$1: nothing was signed" is "$(in_log)" 0
    ok "$1: no camera has a certificate" is "$(cameras_say)" ""
}

case_wrong_key() {
    make_bench 3
    start_cameras 3
    start_mutual
    write_cfssl "$(url)" camera "$KEY" "$MUTUAL"
    echo "${AUTH_KEY/4/5}" >"$FOLDER/auth.key"
    tray
    expect "a wrong key" 4 'E-CA-LOGIN .*invalid token'
    ok "a wrong key: it is not shown" not says "${AUTH_KEY:4}"
    write_cfssl "$(url)" camera "$MUTUAL"
    tray
    expect "no key" 4 'E-CA-LOGIN .*authentication required'
    write_cfssl "$(url)" open "$KEY" "$MUTUAL"
    tray
    expect "a key that is not asked for" 4 'E-CA-LOGIN .*no authentication provider'
    write_cfssl "$(url)" camera "$KEY"
    tray --wait 2
    expect "no client certificate" 4 'E-CA-(TLS|UNREACHABLE) '
    expect_nothing_bought "a wrong key"
    echo "$AUTH_KEY" >"$FOLDER/auth.key"
    write_cfssl "$(url)" camera "$KEY" "$MUTUAL"
    expect_good_end "a wrong key" 3
}

# cfssl takes its default profile for one that it does not know.
case_wrong_profile() {
    make_bench 3
    start_cameras 3
    start_cfssl
    write_cfssl "$(url)" camrea
    tray
    expect "a wrong profile" 4 'E-CA-POLICY .*usages: .*lacks "client auth".*; correct the profile'
    write_cfssl "$(url)" short
    tray
    expect "a profile that is too short" 4 'E-CA-POLICY .*expiry: .*720h.*3650 days'
    write_cfssl "$(url)" open
    printf '[profile idevid]\nbased_on = idevid\nca = factory\ncredential = 2\n' \
        >"$FOLDER/conf.d/40-idevid.conf"
    birthcert ca test factory # the cameras have no credential 2, and a tray may say that first
    expect "a HardwareModuleName" 4 'E-CA-POLICY .*hardware_type: cfssl cannot'
    rm "$FOLDER/conf.d/40-idevid.conf"
    expect_nothing_bought "a wrong profile"
    sed -i 's/^root_file.*/root_file = tls.pem/' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "a wrong root" 2 'E-CA-CONFIG .*Factory Issuing CA.*root_file does not hold it'
    write_cfssl "$(url)" open
    sed -i 's/^server_root_file.*/server_root_file = root.pem/' "$FOLDER/conf.d/30-ca.conf"
    tray --wait 2
    expect "a wrong server" 4 "E-CA-TLS .*127.0.0.1:$CFSSL_PORT"
    expect_nothing_bought "a wrong root"
    write_cfssl "$(url)" open
    expect_good_end "a wrong profile" 3
}

# ---- outages -------------------------------------------------------------------------------------

case_restart() {
    make_bench 8
    # No request may be under way when it dies: that one would be held, and rightly so. So there is no
    # key yet, however long the first tray takes, nor for a while in the second one.
    start_cameras 8 --key-time 600000
    start_cfssl
    write_cfssl "$(url)" open
    kill_cfssl
    tray --wait 2
    expect "down from the start" 4 "E-CA-UNREACHABLE .*127.0.0.1:$CFSSL_PORT" '8 unfinished'
    stop_cameras
    start_cameras 8 --key-time 6000
    start_cfssl
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/cfssl.log" 'POST /api/v1/cfssl/info' 1
    kill_cfssl
    sleep 1
    start_cfssl
    await_birthcert
    expect "it dies, and comes back" 0 '8 passed'
    expect_certificates "it dies, and comes back" 8
}

# ---- a front that does wrong ---------------------------------------------------------------------

# A tray of 8 through a front; what it does wrong it does until the tray ends. The check before the
# tray, which is shorter, goes through.
start_behind_front() { # LINE...
    make_bench 8
    start_cameras 8
    start_mutual
    FRONT_SHOWS=yes
    FRONT_SPARES='~^[1-4]?[0-9]{1,2}$'
    start_front "$(url)" "$AUTHSIGN"
    write_cfssl "https://127.0.0.1:$FRONT_PORT" camera "$KEY" 'timeout = 20s' "$@"
}

# The answers are lost, some certificates may have been made. They are held, whatever is tried, and
# nothing is bought in their place.
expect_held() { # WHAT ISSUED
    expect_exit "$1" 5
    expect_text "$1" '8 failed' \
        'E-UNIT-HELD this CA cannot be asked .*key SHA-256 [0-9a-f]{64}, 20.*Z, serial VX-000008'
    ok "$1: the CA issued $2" is "$(in_log) $(issued)" "$2 $2"
    front_passes
    tray
    expect_exit "$1, again" 5
    birthcert reconcile
    expect "$1: reconcile" 5 'VX-000008 .*held: the CA cannot tell' 'ask the administrator of CA'
    ok "$1: nothing was bought since" is "$(issued)" "$2"
    ok "$1: no camera has a certificate" is "$(cameras_say)" ""
}

# Nobody minds a certificate too many: they are sent again, and each camera ends up with one.
expect_resent() { # WHAT ISSUED
    front_passes
    await_birthcert
    expect "$1, resend" 0 '8 passed'
    ok "$1, resend: the CA issued at least $2" at_least "$(issued)" "$2"
    ok "$1, resend: each camera has one, and it is the CA's" witnesses_held 8
}

# As witnesses_agree, where the CA has issued more than one for a key.
witnesses_held() { # CERTIFICATES
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    ca_says | sort >"$FOLDER/said_by_ca"
    is "$(wc -l <"$FOLDER/said_by_cameras")" "$1" &&
        is "$(cut -d ' ' -f 1 "$FOLDER/said_by_cameras" | sort -u | wc -l)" "$1" &&
        diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" &&
        is "$(comm -23 "$FOLDER/said_by_cameras" "$FOLDER/said_by_ca")" ''
}

case_front() {
    start_behind_front
    tray
    expect "through nginx, HTTP/2" 0 '8 passed'
    expect_certificates "through nginx, HTTP/2" 8
    ok "through nginx: it was HTTP/2" grep -q 'POST .*authsign HTTP/2.0' "$FOLDER/front/access.log"
}

case_front_429() {
    local start
    start_behind_front
    front_answers 429 'Retry-After: 2'
    start=$SECONDS
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/front/access.log" "$AUTHSIGN.* 429 "
    await_quiet "$FOLDER/front/access.log"
    front_passes
    await_birthcert
    expect "429 with Retry-After" 0 '8 passed'
    ok "429 with Retry-After: it waits as asked" at_least $((SECONDS - start)) 2
    expect_certificates "429 with Retry-After" 8
}

# Until nothing more was asked for half a second: a front that is replaced cuts off what is under way, and
# that would be in doubt.
await_quiet() { # FILE
    local before=
    while [ "$(wc -l <"$1")" != "$before" ]; do
        before=$(wc -l <"$1")
        sleep 0.5
    done
}

case_front_413() {
    start_behind_front
    front_does 'client_max_body_size 64;'
    tray --wait 3
    expect "413" 4 'E-CA-NONSENSE .*413.*; check .*url, where a proxy' '8 unfinished'
    expect_nothing_bought "413"
    front_passes
    expect_good_end "413" 8
}

case_front_502() {
    start_behind_front
    front_answers 502
    tray
    expect_held "502" 0
}

case_front_502_passed_on() {
    start_behind_front
    front_spoils
    tray
    expect_held "502 after it was passed on" 8
}

case_front_drops() {
    start_behind_front
    front_drops_after
    tray
    expect_held "dropped after it was passed on" 8
    bring_certificates
    birthcert reconcile
    tray
    expect "what cfssl's database has was brought" 0 '8 passed'
    expect_certificates "what cfssl's database has was brought" 8
}

# The administrator finds them in the database.
bring_certificates() {
    sqlite3 "$FOLDER/cfssl.db" 'SELECT pem FROM certificates' >"$FOLDER/found.pem"
    cat "$FOLDER/issuing.pem" >>"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect_exit "the certificates are brought" 0
}

case_front_drops_http1() {
    FRONT_HTTP2=
    start_behind_front
    front_drops_after
    tray
    expect_held "dropped on HTTP/1.1 after it was passed on" 8
}

case_front_half() {
    start_behind_front
    front_trickles 40
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/cfssl.log" 'signed certificate' 8
    sleep 1
    stop_front
    await_birthcert
    expect_held "half a body" 8
}

case_front_resend() {
    start_behind_front 'lost_answer = resend'
    front_drops_after
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/cfssl.log" 'signed certificate' 8
    expect_resent "dropped after it was passed on" 16
}

# ---- everything ----------------------------------------------------------------------------------

run_cases trial authsign sign multirootca front_429 front_half front_resend front_413 front_502_passed_on \
    front_drops front_drops_http1 front_502 front restart wrong_profile wrong_key revoke list device
