#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# vault-sim against an independent client: curl with jq and openssl. Run from the root of the
# repository; BUILD names the build tree.
set -euo pipefail

# shellcheck source=tests/support_sim.bash
. tests/support_sim.bash vault-sim

start() { # OPTION...: sets URL
    start_simulator "$@"
    URL=https://127.0.0.1:$PORT/v1
    TOKEN=$(cat "$STATE/token")
    ROOT=$(cat "$STATE/root_token")
}

ask() { # PATH [CURL OPTION...]
    local path=$1
    shift
    plain "$@" "$URL/$path"
}

call() { # PATH [CURL OPTION...]
    ask "$@" -H "X-Vault-Token: $TOKEN"
}

set_role() { # NAME JSON
    ask "pki/roles/$1" -H "X-Vault-Token: $ROOT" -d "$2"
}

make_csr() { # NAME SUBJECT [OPENSSL OPTION...]: NAME.key, NAME.csr
    local name=$1 subject=$2
    shift 2
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" "$@" \
        -keyout "$WORK/$name.key" -out "$WORK/$name.csr" 2>/dev/null
}

sign() { # ROLE NAME [JSON]: JSON's members beside the CSR
    jq -n --rawfile csr "$WORK/$2.csr" --argjson more "${3:-{\}}" '{csr: $csr} + $more' \
        >"$WORK/request"
    call "pki/sign/$1" --data-binary "@$WORK/request"
    jq -r '.data.certificate // empty' "$WORK/body" >"$WORK/leaf.pem" 2>/dev/null || true
}

leaf() { openssl x509 -in "$WORK/leaf.pem" -noout "$@"; }
subject() { leaf -subject -nameopt RFC2253 | sed 's/^subject=//'; }
names() { leaf -ext subjectAltName 2>/dev/null | tail -n 1 | tr -d ' '; }

ASKED='{"common_name": "SN-1", "serial_number": "SN-1", "alt_names": "sn-1.local",
    "exclude_cn_from_sans": true, "not_after": "2035-01-02T03:04:05Z"}'

# ---- the operations ------------------------------------------------------------------------------

test_operations() {
    "$SIMULATOR" --state "$STATE" --init >"$WORK/init"
    ok "init tells what a station needs" grep -q "^token_file = $STATE/token$" "$WORK/init"
    for file in issuing.key root.key server.key token root_token; do
        ok "$file is private" is "$(stat -c %a "$STATE/$file")" 600
    done
    start
    ok "it listens on 127.0.0.1 only" not grep -qi "00000000:$(printf %04X "$PORT")" /proc/net/tcp
    ask auth/token/lookup-self
    ok "no token: 403" is "$STATUS $(body '.errors | length')" "403 1"
    call auth/token/lookup-self
    ok "a token without end" is "$STATUS $(body '.data | "\(.ttl) \(.renewable)"')" "200 0 false"
    call pki/roles/camera
    ok "the role" is "$STATUS $(body '.data | "\(.key_type) \(.use_csr_sans)"')" "200 ec false"
    call pki/roles/nothing
    ok "no such role: 404 without a text" is "$STATUS $(body '.errors | length')" "404 0"
    call pki/nothing
    ok "no such path: 404 with one" is "$STATUS $(body '.errors | length')" "404 1"
    call pki/sign/camera
    ok "sign is a POST: 405" is "$STATUS" 405
    ask pki/issuer/default/json
    ok "the issuer, for everybody" is "$STATUS $(body '.data.ca_chain | length')" "200 2"
    ask pki/cert/ca_chain
    ok "the chain, for everybody" is "$STATUS $(body .data.certificate | grep -c BEGIN)" "200 2"
    call sys/capabilities-self -d '{"paths": ["pki/sign/camera", "pki/certs"]}'
    ok "capabilities" is "$(body '.data["pki/sign/camera"][0], .data["pki/certs"][0]' | xargs)" \
        "update list"
    call pki/certs -X LIST
    ok "an empty list: 404 without a text" is "$STATUS $(body '.errors | length')" "404 0"
    stop
    ok "SIGTERM ends it well" is "$EXIT_STATUS" 0
}

test_sign() {
    start
    make_csr cam '/CN=OTHER/serialNumber=OTHER' -addext subjectAltName=DNS:other.local
    sign camera cam "$ASKED"
    ok "sign: 200" is "$STATUS" 200
    ok "sign: the names are the request's" is "$(subject) $(names)" \
        'serialNumber=SN-1,CN=SN-1 DNS:sn-1.local'
    ok "sign: the end too" is "$(date -u -d "$(leaf -enddate | sed 's/.*=//')" +%FT%TZ)" \
        2035-01-02T03:04:05Z
    ok "sign: it begins 30 s ago" test $(($(date +%s) - $(date -d "$(leaf -startdate |
        sed 's/.*=//')" +%s))) -ge 29
    ok "sign: it leads to the root" openssl verify -CAfile "$STATE/root.pem" \
        -untrusted "$STATE/issuing.pem" "$WORK/leaf.pem"
    ok "sign: for the key" is "$(leaf -pubkey)" "$(openssl pkey -in "$WORK/cam.key" -pubout)"
    ok "sign: its serial number" is "$(body .data.serial_number | tr -d ':' | tr a-f A-F)" \
        "$(leaf -serial | sed 's/.*=//')"
    ok "sign: no newline at the end of PEM" is "$(jq -j .data.certificate "$WORK/body" |
        tail -c 1)" -
    sign camera cam "$ASKED"
    ok "sign: the same again is a second one" is "$(issued)" 2
    sign nothing cam "$ASKED"
    ok "sign: an unknown role: 400" is "$STATUS $(body '.errors[0]')" "400 unknown role: nothing"
    sign camera cam '{"common_name": "SN-1", "ttl": 60, "not_after": "2035-01-02T03:04:05Z"}'
    ok "sign: ttl and not_after: 400" is "$STATUS" 400
    sign camera cam '{"common_name": "SN-1", "not_after": "soon"}'
    ok "sign: a time that is none: 400" is "$STATUS" 400
    call pki/sign/camera -d '{"csr": "nothing"}'
    ok "sign: no CSR: 400" is "$STATUS" 400
    call pki/sign/camera -d '[]'
    ok "sign: no object: 400" is "$STATUS" 400
    ok "sign: what is refused issues nothing" is "$(issued)" 2
    stop
}

# With Vault's own defaults the CSR says what is in the certificate.
test_roles() {
    start
    set_role plain '{"key_type": "ec", "key_bits": 256, "allow_any_name": true,
        "allowed_serial_numbers": ["*"], "organization": "Maker", "ou": ["A", "B"]}'
    ok "role: written by the administrator" is "$STATUS" 200
    call pki/roles/plain -d '{}'
    ok "role: not by the station" is "$STATUS" 403
    sign plain cam "$ASKED"
    ok "role: use_csr_common_name and use_csr_sans" is "$(subject) $(names)" \
        'serialNumber=SN-1,CN=OTHER,OU=B,OU=A,O=Maker DNS:other.local'
    sign plain cam '{}'
    ok "role: the CN is a host name as well" is "$(names)" 'DNS:OTHER,DNS:other.local'
    ok "role: 768 h where nothing is said" is $((($(date -d "$(leaf -enddate | sed 's/.*=//')" \
        +%s) - $(date +%s) + 1800) / 3600)) 768
    sign camera cam '{"common_name": "SN 1", "alt_names": "a b,c.local", "serial_number": "x"}'
    ok "role: what is no host name is left out" is "$(names)" DNS:c.local
    for case in '{"allow_any_name": false}|common name' \
        '{"allowed_serial_numbers": []}|serial_number' \
        '{"cn_validations": ["email"]}|common name' \
        '{"key_bits": 384}|minimum of a 384-bit key' \
        '{"key_type": "rsa"}|keys of type rsa' \
        '{"allow_any_name": false, "cn_validations": "disabled"}|subject alternate name'; do
        set_role probe "$(jq -n --argjson more "${case%|*}" '{key_type: "ec", key_bits: 256,
            use_csr_common_name: false, use_csr_sans: false, allow_any_name: true,
            allowed_serial_numbers: ["*"]} + $more')"
        sign probe cam "$ASKED"
        ok "role: ${case%%|*}: 400" grep -q "${case#*|}" "$WORK/body"
        ok "role: and nothing is issued" is "$STATUS" 400
    done
    set_role probe '{"key_type": "any", "allow_any_name": true, "cn_validations": "disabled",
        "max_ttl": 3600, "require_cn": false, "use_csr_common_name": false,
        "allowed_serial_numbers": "SN*,OTHER", "server_flag": false, "not_after": ""}'
    sign probe cam '{"ttl": 7200}'
    ok "role: max_ttl shortens in silence" is $((($(date -d "$(leaf -enddate | sed 's/.*=//')" \
        +%s) - $(date +%s) + 60) / 3600)) 1
    ok "role: usages" grep -q '^ *TLS Web Client Authentication$' \
        <(leaf -ext extendedKeyUsage)
    stop
}

test_certs() {
    local number serial
    for mode in all pages; do
        rm -rf "$STATE"
        if [ $mode = pages ]; then start --pages; else start; fi
        for number in 1 2 3 4 5 6 7; do sign camera cam "$ASKED"; done
        call 'pki/certs?list=true'
        ok "$mode: all are listed" is "$(body '.data.keys | length')" 7
        ok "$mode: in order, with colons" is "$(body '.data.keys == (.data.keys | sort)')" true
        ok "$mode: they are the ledger's" is "$(body '.data.keys[]' | tr -d ':' | tr a-f A-F)" \
            "$(jq -r .serial "$STATE/issued.jsonl" | tr a-f A-F | sort)"
        body '.data.keys[]' >"$WORK/all"
        call 'pki/certs?list=true&limit=3'
        ok "$mode: a limit" is "$(body '.data.keys | length')" "$([ $mode = pages ] &&
            echo 3 || echo 7)"
        serial=$(sed -n 3p "$WORK/all")
        call "pki/certs?list=true&limit=3&after=${serial//:/-}"
        ok "$mode: and what is after" is "$(body '.data.keys[0]')" \
            "$(sed -n "$([ $mode = pages ] && echo 4 || echo 1)p" "$WORK/all")"
        call pki/certs
        ok "$mode: a GET is no list" is "$STATUS" 405
        stop
    done
    start
    ask "pki/cert/${serial//:/-}"
    ok "cert: for everybody, with hyphens" is "$STATUS $(body .data.revocation_time)" "200 0"
    ask "pki/cert/$serial"
    ok "cert: with colons" is "$(body .data.certificate | openssl x509 -noout -serial |
        sed 's/.*=//')" "$(echo "$serial" | tr -d ':' | tr a-f A-F)"
    ask pki/cert/00-11
    ok "cert: what is not there: 404 without a text" is "$STATUS $(body '.errors | length')" "404 0"
    call pki/revoke -d '{}'
    ok "revoke: nothing named: 400" is "$STATUS" 400
    call pki/revoke -d "{\"serial_number\": \"$serial\"}"
    ok "revoke" is "$STATUS $(body .data.state)" "200 revoked"
    number=$(body .data.revocation_time)
    sleep 1.1
    call pki/revoke -d "{\"serial_number\": \"$serial\"}"
    ok "revoke: again, as it was" is "$STATUS $(body .data.revocation_time)" "200 $number"
    ask "pki/cert/$serial"
    ok "revoke: the certificate tells" is "$(body .data.revocation_time)" "$number"
    call pki/revoke -d '{"serial_number": "00:11"}'
    ok "revoke: an unknown one: 400" is "$STATUS $(body '.errors[0]')" \
        "400 certificate with serial 00:11 not found."
    stop
}

test_no_store() {
    start
    set_role forgets '{"key_type": "ec", "key_bits": 256, "allow_any_name": true, "no_store": true,
        "allowed_serial_numbers": "*"}'
    call 'pki/certs?list=true'
    local before
    before=$(body '.data.keys | length')
    sign forgets cam "$ASKED"
    local serial
    serial=$(body .data.serial_number)
    ok "no_store: issued" is "$STATUS" 200
    call 'pki/certs?list=true'
    ok "no_store: not listed" is "$(body '.data.keys | length')" "$before"
    ask "pki/cert/$serial"
    ok "no_store: not told" is "$STATUS" 404
    call pki/revoke -d "{\"serial_number\": \"$serial\"}"
    ok "no_store: not revoked by its number" is "$STATUS" 400
    call pki/revoke -d "$(jq -n --rawfile pem "$WORK/leaf.pem" '{certificate: $pem}')"
    ok "no_store: but by itself" is "$STATUS $(body .data.state)" "200 revoked"
    stop
}

test_token() {
    start --token-ttl 3 --namespace factory
    call auth/token/lookup-self
    ok "namespace: another one: 403" is "$STATUS" 403
    call auth/token/lookup-self -H 'X-Vault-Namespace: factory'
    ok "token: renewable" is "$(body '.data | "\(.creation_ttl) \(.renewable)"')" "3 true"
    sleep 2
    call auth/token/renew-self -H 'X-Vault-Namespace: factory' -d '{}'
    ok "token: renewed" is "$STATUS $(body .auth.lease_duration)" "200 3"
    sleep 2
    call auth/token/lookup-self -H 'X-Vault-Namespace: factory'
    ok "token: it is still good" is "$STATUS" 200
    sleep 1.5
    call auth/token/lookup-self -H 'X-Vault-Namespace: factory'
    ok "token: and then it is not" is "$STATUS" 403
    stop
    start --token-ttl 60 --not-renewable --hide-role --deny-list
    call auth/token/renew-self -d '{}'
    ok "token: not renewable: 400" is "$STATUS" 400
    call pki/roles/camera
    ok "policies: no role" is "$STATUS" 403
    call 'pki/certs?list=true'
    ok "policies: no list" is "$STATUS" 403
    call sys/capabilities-self -d '{"paths": ["pki/roles/camera", "pki/certs"]}'
    ok "policies: they say so" is "$(body '.data[][0]' | sort -u)" deny
    stop
}

test_states() {
    local before
    before=$(issued)
    start --client-certificate
    call auth/token/lookup-self
    ok "a client certificate is asked for" is "$STATUS" 000
    call auth/token/lookup-self --cert "$STATE/client.pem" --key "$STATE/client.key"
    ok "with one it is good" is "$STATUS" 200
    stop
    start --fault drop-before=1 --fault drop-after=2 --fault http-500=3 --fault http-429-retry=9:4
    sign camera cam "$ASKED"
    ok "drop-before: no answer, nothing issued" is "$STATUS $(issued)" "000 $before"
    sign camera cam "$ASKED"
    ok "drop-after: no answer, issued" is "$STATUS $(issued)" "000 $((before + 1))"
    sign camera cam "$ASKED"
    ok "http-500" is "$STATUS" 500
    sign camera cam "$ASKED"
    ok "http-429-retry" is "$STATUS $(header Retry-After)" "429 9"
    control '{"sealed": 1}'
    call auth/token/lookup-self
    ok "sealed" is "$STATUS $(body '.errors[0]')" "503 Vault is sealed"
    control '{"sealed": 0, "standby": 1}'
    call pki/roles/camera
    ok "standby" is "$STATUS $(header Location)" "307 https://active.invalid:8200/v1/pki/roles/camera"
    control '{"standby": 0, "clear_faults": true}'
    sign camera cam "$ASKED"
    ok "it is well again" is "$STATUS" 200
    ok "control tells" is "$(jq -r '.requests.sign' <(curl -sS \
        "http://127.0.0.1:$CONTROL/control"))" 5
    stop
}

test_operations
test_sign
test_roles
test_certs
test_no_store
test_token
test_states
finish_checks
