#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CA that means harm, with the real program: answers without end, bombs, redirects, strangers with
# a TLS certificate, and certificates that are not what was asked for. The station stays within its
# memory, talks to nobody else, installs nothing wrong, keeps what was issued and says why.
#
#   tests/e2e_ca_hostile.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

# What an answer without a cap would exceed at once. Sanitizers keep freed memory for a while.
MEMORY_MAX_KB=$((64 * 1024))
case $BUILD in
*asan*) MEMORY_MAX_KB=$((512 * 1024)) ;;
esac

# ---- answers -------------------------------------------------------------------------------------

# Of each kind of exchange one is answered by this rule in place of the CA; the CA has acted.
write_rules() { # RULE...: @ stands for 200, or 201 where the exchange issues
    local status request
    while read -r status request; do
        echo "${*//@/$status} $request"
    done >"$FOLDER/rules" <<'END'
200 POST /v2/login
200 GET /v2/validationpolicy
200 GET /v2/trustchain
201 POST /v2/certificates
200 GET /v2/certificates/
200 GET /v2/stats/issued
END
}

write_head() { # LINE...: the files 200 and 201
    local status line
    for status in 200 201; do
        printf 'HTTP/1.1 %s Hello\r\n' "$status" >"$FOLDER/$status"
        for line in "$@"; do printf '%s\r\n' "$line" >>"$FOLDER/$status"; done
    done
}

# The tray, while its use of memory is watched. Sets STATUS and PEAK_KB.
watched_tray() {
    local line
    PEAK_KB=0
    start_birthcert tray "$FOLDER/tray.csv"
    while line=$(grep VmHWM "/proc/$STATION_PID/status" 2>/dev/null); do
        PEAK_KB=$(tr -dc 0-9 <<<"$line")
        sleep 0.03
    done
    await_birthcert
}

# A tray of three goes well in spite of one such answer to each kind of exchange.
hostile() { # WHAT RULE...
    local what=$1
    shift
    make_bench 3
    start_cameras 3
    start_hvca --pending 0
    write_rules "$@"
    proxy_hvca "$FOLDER/rules"
    sed -i 's/^settle.*/&\ntimeout = 2s/' "$FOLDER/conf.d/30-ca.conf"
    watched_tray
    expect "$what" 0 '3 passed'
    ok "$what: each kind of exchange met it" is "$(grep -c '^answered ' "$FOLDER/proxy.log")" 6
    ok "$what: the memory is bounded ($PEAK_KB KiB)" below "$PEAK_KB" "$MEMORY_MAX_KB"
    expect_certificates "$what" 3
}

case_endless_body() {
    write_head 'Content-Type: application/json' 'Content-Length: 1073741824' ''
    head -c 1048576 /dev/zero | tr '\0' '[' >"$FOLDER/tail"
    hostile "a body of 1 GiB" endless "$FOLDER/@" "$FOLDER/tail"
}
case_endless_chunks() {
    write_head 'Content-Type: application/json' 'Transfer-Encoding: chunked' ''
    {
        printf '100000\r\n'
        head -c 1048576 /dev/zero | tr '\0' ' '
        printf '\r\n'
    } >"$FOLDER/tail"
    hostile "chunks without end" endless "$FOLDER/@" "$FOLDER/tail"
}
case_endless_headers() {
    write_head
    printf 'X-Filler: %01000d\r\n' {1..1000} >"$FOLDER/tail"
    hostile "headers without end" endless "$FOLDER/@" "$FOLDER/tail"
}
case_endless_line() {
    write_head
    head -c 1048576 /dev/zero | tr '\0' x >"$FOLDER/tail"
    hostile "a header line without end" endless "$FOLDER/@" "$FOLDER/tail"
}
case_endless_interim() {
    printf 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n%.0s' {1..1000} >"$FOLDER/tail"
    hostile "1xx answers without end" endless "$FOLDER/tail" "$FOLDER/tail"
}
case_deep_json() {
    write_head 'Content-Type: application/json' 'Content-Length: 100000' ''
    head -c 100000 /dev/zero | tr '\0' '[' | tee -a "$FOLDER/201" >>"$FOLDER/200"
    hostile "100,000 arrays in each other" answer "$FOLDER/@"
}
case_bomb() {
    head -c 209715200 /dev/zero | gzip -9 >"$FOLDER/bomb"
    write_head 'Content-Type: application/json' 'Content-Encoding: gzip' \
        "Content-Length: $(wc -c <"$FOLDER/bomb")" ''
    tee -a "$FOLDER/201" <"$FOLDER/bomb" >>"$FOLDER/200"
    hostile "200 MiB, packed, unasked" answer "$FOLDER/@"
}
case_drip() {
    write_head 'Content-Type: application/json' ''
    hostile "a byte a second" drip "$FOLDER/@"
}

# Another server of this machine stands for another host; nobody calls it. A client that follows
# sends the POST again after 307 and 308.
redirect() { # STATUS
    start_proxy --upstream 1
    mv "$FOLDER/proxy.log" "$FOLDER/elsewhere.log"
    printf 'HTTP/1.1 %s Go\r\nLocation: http://127.0.0.1:%s/v2/x\r\nContent-Length: 0\r\n\r\n' \
        "$1" "$PROXY_PORT" | tee "$FOLDER/201" >"$FOLDER/200"
    hostile "a redirect, $1" answer "$FOLDER/@"
    ok "a redirect, $1: nobody calls there" not grep -v '^listening ' "$FOLDER/elsewhere.log"
}
case_redirect_302() { redirect 302; }
case_redirect_307() { redirect 307; }
case_redirect_308() { redirect 308; }

# ---- strangers -----------------------------------------------------------------------------------

# The server has this certificate instead of its own; nothing is said to it, then all goes well.
stranger() { # WHAT EXPRESSION OPENSSL-X509-OPTION...
    local what=$1 expression=$2 hvca=$FOLDER/hvca
    shift 2
    make_bench 2
    start_cameras 2
    make_hvca
    cp "$hvca/server.pem" "$FOLDER/server.pem"
    openssl req -new -key "$hvca/server.key" -subj /CN=localhost -out "$FOLDER/server.csr"
    openssl x509 -req -in "$FOLDER/server.csr" -CAcreateserial -extfile "$FOLDER/names" "$@" \
        -out "$hvca/server.pem" 2>/dev/null
    start_hvca
    tray --wait 2
    expect "$what" 4 "E-CA-TLS .*127.0.0.1:$CA_PORT.*$expression.*; check the server's root"
    ok "$what: it is asked for nothing" is "$(issued)" 0
    stop_hvca
    cp "$FOLDER/server.pem" "$hvca/server.pem"
    start_hvca
    expect_good_end "$what" 2
}

case_other_name() {
    echo 'subjectAltName = DNS:elsewhere.example, IP:127.0.0.2' >"$FOLDER/names"
    stranger "a server of another name" 'no alternative certificate subject name matches' \
        -CA "$FOLDER/hvca/server_root.pem" -CAkey "$FOLDER/hvca/server_root.key"
}
case_expired_server() {
    echo 'subjectAltName = IP:127.0.0.1' >"$FOLDER/names"
    stranger "a server whose certificate has ended" 'certificate has expired' -days -1 \
        -CA "$FOLDER/hvca/server_root.pem" -CAkey "$FOLDER/hvca/server_root.key"
}
# Everything is as it should be, but for who signed it: the root of the issued certificates.
case_other_root() {
    echo 'subjectAltName = IP:127.0.0.1' >"$FOLDER/names"
    stranger "a server under another root" 'unable to get local issuer certificate' \
        -CA "$FOLDER/hvca/root.pem" -CAkey "$FOLDER/hvca/root.key"
}

# ---- certificates that must not be installed -----------------------------------------------------

# What the program says of a certificate that it does not take: in the line of the unit, in `list`,
# in `show`. Nothing is bought in its place, and `reconcile` leaves it where it is.
expect_refused() { # WHAT CODE EXPRESSION
    local serial
    expect_text "$1" "^FAIL .* $2 .*$3.*; [a-z]"
    serial=$(said | grep -E "^FAIL .* $2 .*$3" | grep -Eo "${PREFIX}[0-9]{6}" | head -n 1 || true)
    ask list --state quarantined >"$FOLDER/quarantined"
    ok "$1: $serial is listed in quarantine" grep -Eq "^$serial .*quarantined" "$FOLDER/quarantined"
    ask show "$serial" >"$FOLDER/shown"
    ok "$1: show $serial says $2 and why" grep -Eq "$2.*$3" "$FOLDER/shown"
    ok "$1: $serial has no certificate" not grep -q "^$serial " <(cameras_say)
}

# The same tray again, with the CA in order: no quarantined unit gets another certificate.
expect_kept() { # WHAT PASSED ISSUED
    clear_faults
    tray
    expect_exit "$1, again" 5
    expect_certificates "$1, again" "$2" "$3"
}

case_wrong_certificates() {
    make_bench 8
    start_cameras 8
    start_hvca --fault wrong-serial=1 --fault more-names=2 --fault short-validity=3 \
        --fault not-yet-valid=4 --fault look-alike=5 --fault no-signature-usage=6 --fault more-eku=7
    tray
    expect "wrong certificates" 5 '1 passed, 0 already provisioned, 7 failed'
    expect_refused "another camera's serial" E-CERT-NAMES 'serialNumber is "SOMEBODY-ELSE", expected'
    expect_refused "a name too many" E-CERT-NAMES 'has "DNS:not-asked-for.example", which was not asked'
    expect_refused "a day instead of years" E-CERT-VALIDITY 'ends at .* expected at least'
    expect_refused "not valid yet" E-CERT-VALIDITY 'begins at .* and it is'
    expect_refused "an issuer that looks like the real one" E-CERT-CHAIN 'signature failure'
    expect_refused "no digitalSignature" E-CERT-USAGE 'lacks digitalSignature'
    expect_refused "a usage too many" E-CERT-USAGE '"Code Signing", which was not asked for'
    expect_kept "wrong certificates" 1 8
}

case_wrong_certificates_2() {
    make_bench 3
    start_cameras 3
    start_hvca --fault no-san=1 --fault by-no-ca=2
    sed -i 's,^root_file.*,&\nintermediates_file = hvca/no_ca.pem,' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "wrong certificates" 5 '1 passed, 0 already provisioned, 2 failed'
    expect_refused "a name too few" E-CERT-NAMES 'lacks "DNS:vx-[0-9]*.local"'
    expect_refused "an issuer that is no CA" E-CERT-CHAIN 'invalid CA certificate'
    expect_kept "wrong certificates" 1 3
}

# The CA issued for a key that nobody has, and says that this is the camera's. It was paid for: the
# camera gets no second one, not even where somebody looks again.
case_wrong_key() {
    make_bench 2
    start_cameras 2
    start_hvca --pending 0 --fault wrong-key=1
    tray
    expect "another key" 5 '1 passed, 0 already provisioned, 1 failed'
    expect_refused "another key" E-CERT-KEY "the certificate's key is [0-9a-f]*, expected"
    birthcert reconcile
    expect "another key, reconcile" 5 'VX-.*quarantined'
    expect_kept "another key" 1 2
}

# One camera is given the other's certificate, however often it asks for its own; once the CA is in
# order again, its own is found.
case_same_certificate() {
    make_bench 2
    start_cameras 2
    start_hvca --pending 0 --fault other-certificate=2-
    tray
    expect "the same certificate for two" 5 '1 passed, 0 already provisioned, 1 failed'
    expect_refused "the same certificate for two" E-CERT-DUPLICATE 'gave this certificate to VX-00000'
    expect_kept "the same certificate for two" 1 2
    birthcert reconcile
    expect "the same certificate for two, reconcile" 0 'issued: on record now'
    expect_good_end "the same certificate for two" 2
}

# Each one is money. After three in a row with the same fault the station buys no more.
case_three_in_a_row() {
    make_bench 12
    start_cameras 12
    start_hvca --pending 0 --fault wrong-eku=100%
    # Else all of them are bought before the first one is seen.
    sed -i 's/^settle.*/&\nin_flight = 1\nrequests_per_second = 4/' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "three in a row" 5 'E-CERT-USAGE several certificates in a row cannot be used'
    ok "three in a row: it stops to buy ($(issued) of 12)" below "$(issued)" 12
    ok "three in a row: after the third" at_least "$(issued)" 3
    ask list --state quarantined >"$FOLDER/quarantined"
    ok "three in a row: what was bought is in quarantine" at_least \
        "$(wc -l <"$FOLDER/quarantined")" 3
    clear_faults
    tray
    expect_exit "three in a row, with the CA in order" 5
    expect_certificates "three in a row, with the CA in order" $((12 - $(wc -l <"$FOLDER/quarantined"))) 12
}

# ---- everything ----------------------------------------------------------------------------------

run_cases drip redirect_302 redirect_307 redirect_308 endless_body endless_chunks endless_headers endless_line endless_interim \
    deep_json bomb other_name expired_server other_root wrong_certificates wrong_certificates_2 \
    wrong_key same_certificate three_in_a_row
