#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# est-sim against independent clients: curl with openssl, and strongSwan's pki, whose TLS is its own. Run
# from the root of the repository; BUILD names the build tree.
set -euo pipefail

# shellcheck source=tests/support_sim.bash
. tests/support_sim.bash est-sim
TYPE=application/pkcs10

start() { # OPTION...: sets URL
    start_simulator "$@"
    URL=https://127.0.0.1:$PORT/.well-known/est
    LOGIN="$(cat "$STATE/username"):$(cat "$STATE/password")"
}

make_csr() { # NAME SUBJECT: NAME.key, NAME.csr, NAME.b64
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
        -keyout "$WORK/$1.key" -outform DER -out "$WORK/$1.csr" 2>/dev/null
    base64 "$WORK/$1.csr" >"$WORK/$1.b64"
}

enroll() { # NAME [CURL OPTION...]
    local name=$1
    shift
    with_certificate -H "Content-Type: $TYPE" --data-binary "@$WORK/$name.b64" "$@" \
        "$URL/simpleenroll"
}

# What the body says, whatever its form: its certificates in certs.pem.
unwrap() {
    tr -d '\r\n' <"$WORK/body" | base64 -d 2>/dev/null >"$WORK/body.der" ||
        cp "$WORK/body" "$WORK/body.der"
    openssl pkcs7 -inform DER -in "$WORK/body.der" -print_certs -out "$WORK/certs.pem"
}

subjects() {
    unwrap && grep '^subject=' "$WORK/certs.pem" | sed 's/.*CN = //' | tr '\n' ';'
}

# ---- the operations ------------------------------------------------------------------------------

test_operations() {
    "$SIMULATOR" --state "$STATE" --init >"$WORK/init"
    ok "init tells what a station needs" grep -q "^password_file = $STATE/password$" "$WORK/init"
    for file in client.key issuing.key root.key server.key username password; do
        ok "$file is private" is "$(stat -c %a "$STATE/$file")" 600
    done
    start
    ok "it listens on 127.0.0.1 only" not grep -qi "00000000:$(printf %04X "$PORT")" /proc/net/tcp
    plain "$URL/cacerts"
    ok "no client certificate, no TLS" is "$STATUS" 000
    with_certificate "$URL/cacerts"
    ok "cacerts: 200" is "$STATUS" 200
    ok "cacerts: its type" is "$(header Content-Type)" \
        'application/pkcs7-mime; smime-type=certs-only'
    ok "cacerts: root and issuing CA" is "$(subjects)" 'est-sim Root CA;est-sim Issuing CA;'
    with_certificate "$URL/csrattrs"
    ok "csrattrs: none" is "$STATUS" 204
    with_certificate "$URL/simpleenroll"
    ok "simpleenroll is a POST" is "$STATUS" 405
    with_certificate "$URL/nothing"
    ok "another operation: 404" is "$STATUS" 404
    with_certificate "https://127.0.0.1:$PORT/cacerts"
    ok "another path: 404" is "$STATUS" 404
    stop
    ok "SIGTERM ends it well" is "$EXIT_STATUS" 0
}

test_enroll() {
    start
    make_csr cam '/CN=SN-1/serialNumber=SN-1'
    enroll cam
    ok "enroll: 200" is "$STATUS" 200
    ok "enroll: one certificate" is "$(subjects)" 'SN-1, serialNumber = SN-1;'
    ok "enroll: it leads to the root" openssl verify -CAfile "$STATE/root.pem" \
        -untrusted "$STATE/issuing.pem" "$WORK/certs.pem"
    ok "enroll: for the key" is "$(openssl x509 -in "$WORK/certs.pem" -noout -pubkey)" \
        "$(openssl pkey -in "$WORK/cam.key" -pubout)"
    ok "enroll: the host name" grep -q 'DNS:sn-1.local' \
        <(openssl x509 -in "$WORK/certs.pem" -noout -ext subjectAltName)
    ok "enroll: on record" is "$(issued)" 1
    enroll cam
    ok "enroll: the same CSR again is a second one" is "$(issued)" 2
    TYPE=text/plain enroll cam
    ok "enroll: another type: 415" is "$STATUS" 415
    tr -d '\n' <"$WORK/cam.b64" >"$WORK/line.b64"
    enroll line
    ok "enroll: base64 in one line" is "$STATUS" 200
    head -c 200 "$WORK/cam.b64" >"$WORK/half.b64"
    enroll half
    ok "enroll: half a CSR: 400" is "$STATUS" 400
    openssl req -in "$WORK/cam.csr" -inform DER -outform DER -out "$WORK/bad.csr"
    printf '\x00' | dd of="$WORK/bad.csr" bs=1 seek=$(($(stat -c %s "$WORK/bad.csr") - 5)) \
        conv=notrunc 2>/dev/null
    base64 "$WORK/bad.csr" >"$WORK/bad.b64"
    enroll bad
    ok "enroll: a wrong signature: 400" is "$STATUS" 400
    ok "enroll: errors are text" is "$(header Content-Type)" text/plain
    ok "enroll: they issue nothing" is "$(issued)" 3
    stop
}

test_login() {
    local login
    for login in basic digest-md5 digest-sha256; do
        start --login "$login"
        enroll cam
        ok "$login: 401 without" is "$STATUS" 401
        enroll cam "--${login%%-*}" -u "$LOGIN"
        ok "$login: curl logs in" is "$STATUS" 200
        enroll cam "--${login%%-*}" -u "${LOGIN%?}"
        ok "$login: a wrong password" is "$STATUS" 401
        stop
    done
    ok "the challenge names the algorithm" grep -qi 'algorithm="\?sha-256' "$WORK/headers"
}

test_forms() {
    local form
    for form in crlf76 lf64 one-line der; do
        start --form "$form" --company ca-first
        enroll cam
        ok "$form: curl and openssl read it" is "$(subjects)" \
            'est-sim Issuing CA;SN-1, serialNumber = SN-1;'
        stop
    done
    start --form crlf76
    enroll cam
    ok "crlf76: lines of 76" is "$(head -n 1 "$WORK/body" | tr -d '\r\n' | wc -c)" 76
    stop
    start --form lf64
    enroll cam
    ok "lf64: lines of 64" is "$(head -n 1 "$WORK/body" | tr -d '\n' | wc -c)" 64
    stop
}

test_pending() {
    local before
    before=$(issued)
    start --label cameras --pending 2 --retry-after 7
    enroll cam
    ok "label: needed" is "$STATUS" 404
    URL=$URL/cameras
    enroll cam
    ok "pending: 202" is "$STATUS" 202
    ok "pending: Retry-After" is "$(header Retry-After)" 7
    enroll cam
    ok "pending: 202 again, nothing issued" is "$STATUS $(issued)" "202 $before"
    enroll cam
    ok "pending: then 200" is "$STATUS $(issued)" "200 $((before + 1))"
    control '{"pending": 0}'
    enroll cam
    ok "control: nothing is pending any more" is "$STATUS" 200
    stop
    start --pending 1 --retry-date
    enroll cam
    ok "pending: a date" date -d "$(header Retry-After)"
    stop
}

test_faults() {
    local before
    before=$(issued)
    start --fault drop-before=1 --fault drop-after=2 --fault http-500=3 --fault http-429-retry=9:4 \
        --fault empty=2
    enroll cam
    ok "drop-before: no answer, nothing issued" is "$STATUS $(issued)" "000 $before"
    enroll cam
    ok "drop-after: no answer, issued" is "$STATUS $(issued)" "000 $((before + 1))"
    enroll cam
    ok "http-500" is "$STATUS" 500
    enroll cam
    ok "http-429-retry" is "$STATUS $(header Retry-After)" "429 9"
    enroll cam
    ok "empty: no certificate" is "$STATUS $(unwrap && grep -c BEGIN "$WORK/certs.pem")" "200 0"
    control '{"clear_faults": true, "faults": ["two=1", "wrong-names=3", "other-certificate=3"]}'
    enroll cam
    ok "two" is "$(unwrap && grep -c BEGIN "$WORK/certs.pem")" 2
    enroll cam
    ok "control tells" is "$(jq -r '.requests.enroll' <(curl -sS \
        "http://127.0.0.1:$CONTROL/control"))" 7
    stop
}

# ---- strongSwan ----------------------------------------------------------------------------------

# Its decoder of base64 stops at the first line end, after the server has issued.
test_strongswan() {
    local login
    ok "strongSwan's pki is there" command -v pki
    for login in none basic; do
        start --no-client-certificate --login "$login" --form one-line --pending 1
        pki --estca --url "https://127.0.0.1:$PORT" --cacert "$STATE/server_root.pem" \
            --caout "$WORK/swan-ca.pem" --outform pem --force >"$WORK/swan.log" 2>&1 || true
        ok "strongSwan, $login: the CA's certificates" is \
            "$(cat "$WORK"/swan-ca*.pem | grep -c BEGIN)" 2
        rm -f "$WORK"/swan-ca*.pem
        pki --est --url "https://127.0.0.1:$PORT" --in "$WORK/cam.csr" --interval 1 \
            --maxpolltime 20 --userpass "$LOGIN" --cacert "$STATE/server_root.pem" \
            --cacert "$STATE/root.pem" --cacert "$STATE/issuing.pem" --outform pem \
            >"$WORK/swan.pem" 2>"$WORK/swan.log" || true
        ok "strongSwan, $login: a certificate, after a 202" is \
            "$(openssl x509 -in "$WORK/swan.pem" -noout -pubkey 2>"$WORK/body")" \
            "$(openssl pkey -in "$WORK/cam.key" -pubout)"
        stop
    done
}

test_operations
test_enroll
test_login
test_forms
test_pending
test_faults
test_strongswan
finish_checks
