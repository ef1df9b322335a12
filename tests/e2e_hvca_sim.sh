#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# hvca-sim against an independent client: curl, openssl and jq. Run from the root of the repository;
# BUILD names the build tree.
set -euo pipefail

# shellcheck disable=SC1091 # a file of this folder
. tests/support_hvca_sim.sh

# ---- init, mutual TLS, login ---------------------------------------------------------------------

test_init() {
    "$SIMULATOR" --state "$STATE" --init >"$WORK/init"
    ok "init tells what a station needs" grep -q "^client_key_file = $STATE/client.key$" "$WORK/init"
    for file in client.key issuing.key root.key server.key api_key api_secret; do
        ok "$file is private" is "$(stat -c %a "$STATE/$file")" 600
    done
    local before
    before=$(sha256sum "$STATE/root.pem" "$STATE/api_secret")
    "$SIMULATOR" --state "$STATE" --init >/dev/null
    ok "a second init changes nothing" is "$before" \
        "$(sha256sum "$STATE/root.pem" "$STATE/api_secret")"
}

# With TLS 1.3 the client has sent its request before the server refuses its certificate; what is still
# unread then makes the end a reset, which may overtake the alert.
alert_says() { # TEXT CURL-OPTION...
    local text=$1
    shift
    for _ in {1..20}; do
        plain "$@"
        ! grep -q "$text" "$WORK/curl.err" || return 0
    done
    return 1
}

test_login() {
    ok "login gives a token" at_least "${#TOKEN}" 16
    ok "it listens on 127.0.0.1 only" not grep -qi "00000000:$(printf %04X "$PORT")" /proc/net/tcp
    plain -H "$JSON" -d '{}' "$URL/login"
    ok "no client certificate, no TLS" is "$STATUS" 000
    ok "no client certificate: the alert says so" \
        alert_says 'certificate required' -H "$JSON" -d '{}' "$URL/login"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/foreign.key" \
        -out "$WORK/foreign.pem" -subj /CN=foreign 2>/dev/null
    plain --cert "$WORK/foreign.pem" --key "$WORK/foreign.key" "$URL/trustchain"
    ok "a foreign client certificate, no TLS" is "$STATUS" 000
    ok "a foreign client certificate: the alert says so" \
        alert_says 'unknown ca' --cert "$WORK/foreign.pem" --key "$WORK/foreign.key" "$URL/trustchain"
    call POST /login -H "$JSON" -d '{"api_key": "0123456789abcdef", "api_secret": "x"}'
    ok "a wrong secret: 401" is_problem 401
    call POST /login -H 'Content-Type: application/json' -d '{}'
    ok "Content-Type without charset: 415" is_problem 415
    call POST /login -H 'Content-Type: application/json; charset=utf-8' -d '{}'
    ok "Content-Type with a space: 415" is_problem 415
    call POST /login -H "$JSON" -d '{"api_key":'
    ok "half a JSON: 400" is_problem 400
    TOKEN=none call GET /trustchain
    ok "an unknown token: 401" is_problem 401
    with_certificate "$URL/quotas/issuance"
    ok "no token: 401" is_problem 401
    call GET /nothing
    ok "an unknown path: 404" is_problem 404
}

# ---- a certificate -------------------------------------------------------------------------------

test_issue() {
    local before stamp=$(($(date +%s) - 1000))
    make_csr cam1
    call GET /validationpolicy
    ok "policy: the key's format" is "$(body .public_key.key_format)" PKCS10
    ok "policy: the issuer's expiry" is "$(body .validity.issuer_expiry)" 253402300799
    before=$(issued)
    post cam1 ".validity.not_before = $stamp | .san.other_names =
        [{type: \"1.3.6.1.5.5.7.8.4\", value: \"301006082B060104018237010404534E2D31\"}]"
    ok "request: 201" is "$STATUS" 201
    ok "request: an empty body" is "$(wc -c <"$WORK/body")" 0
    ok "request: Location ends in the serial" grep -Eq '^[0-9A-F]{32}$' <<<"$SERIAL"
    ok "request: recorded before it is answered" is "$(issued)" $((before + 1))
    fetch "$SERIAL"
    ok "fetch: pending at first" is "$STATUS" 202
    fetch "$SERIAL"
    ok "fetch: then 200" is "$STATUS" 200
    ok "fetch: status" is "$(body .status)" ISSUED
    ok "fetch: updated_at is a time" at_least "$(body .updated_at)" "$stamp"
    ok "certificate: leads to the root" verified
    ok "certificate: the key" same_key cam1
    ok "certificate: the serial" is "$(openssl x509 -in "$WORK/cert.pem" -noout -serial)" \
        "serial=$SERIAL"
    ok "certificate: the names of the JSON, not of the CSR" is \
        "$(openssl x509 -in "$WORK/cert.pem" -noout -subject -nameopt RFC2253)" \
        "subject=serialNumber=SN-cam1,CN=camera cam1,O=Cameras"
    ok "certificate: dns name" cert_has 'DNS:cam1.example'
    ok "certificate: HardwareModuleName" cert_has 'othername: 1.3.6.1.5.5.7.8.4'
    ok "certificate: usages" cert_has 'TLS Web Server Authentication, TLS Web Client Auth'
    ok "certificate: CA:FALSE" cert_has 'CA:FALSE'
    ok "certificate: not_before as asked" is "$(date -ud "$(openssl x509 -in "$WORK/cert.pem" \
        -noout -startdate | cut -d= -f2)" +%s)" "$stamp"
    fetch "000$(tr A-F a-f <<<"$SERIAL")"
    ok "fetch: lower case and leading zeros" is "$STATUS" 200
    call GET /certificates/00AB
    ok "an unknown serial: 404" is_problem 404
    call GET /certificates/xyz
    ok "no serial: 422" is_problem 422
    post cam1 'del(.validity, .san, .extended_key_usages)'
    fetch "$SERIAL"
    fetch "$SERIAL"
    ok "without validity: the policy's maximum" cert_has 'Not After : Dec 31 23:59:59 9999'
    ok "without usages: none" not cert_has 'Extended Key Usage'
    post cam1 '.signature = {hash_algorithm: "SHA-384"}'
    fetch "$SERIAL"
    fetch "$SERIAL"
    ok "the hash that was asked for" cert_has 'ecdsa-with-SHA384'
    ok "one key, counted in the record" is 3 "$(jq -r .spki_sha256 "$STATE/issued.jsonl" | grep -c \
        "$(openssl pkey -in "$WORK/cam1.key" -pubout -outform DER | sha256sum | cut -c1-64)")"
}

test_lists() {
    call GET /trustchain
    ok "trust chain: two, issuing CA first" is "$(body length)" 2
    ok "trust chain: the issuing CA" is "$(body '.[0]')" "$(cat "$STATE/issuing.pem")"
    call GET /counters/certificates/issued
    ok "counter of issued" is "$(body .value)" "$(issued)"
    call GET /quotas/issuance
    ok "quota is a number" at_least "$(body .value)" 1
}

test_policy() {
    refused 422 "REQUIRED missing" 'del(.subject_dn.common_name)'
    refused 422 "subject missing" 'del(.subject_dn)'
    refused 422 "FORBIDDEN present" '.subject_dn.email = "a@b.example"'
    refused 422 "not in the policy" '.subject_dn.surname = "x"'
    refused 422 "no such field" '.subject_dn.nonsense = "x"'
    refused 422 "expression not matched" '.subject_dn.country = "Germany"'
    refused 422 "empty text" '.subject_dn.common_name = ""'
    refused 422 "too many values" '.subject_dn.organizational_unit = ["a", "b", "c", "d"]'
    refused 422 "a bad DNS name" '.san.dns_names = ["a b"]'
    refused 422 "e-mail SAN" '.san.emails = ["a@b.example"]'
    refused 422 "an unknown other name" '.san.other_names = [{type: "1.2.3.4", value: "30"}]'
    refused 422 "other name in base64" \
        '.san.other_names = [{type: "1.3.6.1.5.5.7.8.4", value: "MBAGCCsGAQQ="}]'
    refused 422 "other name with bytes behind it" \
        '.san.other_names = [{type: "1.3.6.1.5.5.7.8.4", value: "300000"}]'
    refused 422 "a usage outside the policy" '.extended_key_usages = ["1.3.6.1.5.5.7.3.3"]'
    refused 422 "an unknown field" '.nonsense = 1'
    refused 422 "custom extension" '.custom_extensions = {"1.2.3.4": "0500"}'
    refused 422 "signature algorithm" '.signature = {algorithm: "RSA"}'
    refused 422 "not_before too early" '.validity.not_before -= 3700'
    refused 422 "not_before too late" '.validity.not_before += 3700'
    refused 422 "not_before of 1970" '.validity.not_before = 0'
    refused 422 "too short" '.validity.not_after = .validity.not_before + 3599'
    refused 422 "after the issuer" '.validity.not_after = 253402300800'
    refused 422 "a time beyond all" '.validity.not_after = -9000000000000000'
    refused 400 "time as text" '.validity.not_before = "now"'
    refused 400 "names as text" '.san.dns_names = "a"'
    refused 400 "an array for the request" '[.]'
    call POST /certificates -H "$JSON" -d 'hello'
    ok "400: no JSON" is_problem 400
    call POST /certificates -H 'Content-Type: text/plain' -d '{}'
    ok "415: text/plain" is_problem 415
    call POST /certificates -H "$JSON" --data-binary "@$SIMULATOR"
    ok "413: a huge body" is_problem 413
}

test_keys() {
    make_csr rsa -algorithm RSA -pkeyopt rsa_keygen_bits:2048
    make_csr p521 -algorithm EC -pkeyopt ec_paramgen_curve:P-521
    make_csr cam2
    refused 422 "another key type" . rsa
    refused 422 "another key length" . p521
    refused 422 "a newline behind the PEM" '.public_key += "\n"'
    refused 422 "no PEM" '.public_key = "AAAA"'
    refused 422 "the key missing" 'del(.public_key)'
    refused 422 "a key for a CSR" ".public_key = $(openssl pkey -in "$WORK/cam1.key" -pubout |
        head -c -1 | jq -Rs .)"
    refused 422 "a signature too many" '.public_key_signature = "AAAA"'
    # Another last byte of the signature than the one that is there.
    openssl req -in "$WORK/cam2.csr" -outform DER >"$WORK/good.der"
    head -c -1 "$WORK/good.der" >"$WORK/bad.der"
    if [ "$(tail -c 1 "$WORK/good.der" | od -An -tx1)" = " 5a" ]; then
        printf '\x5b' >>"$WORK/bad.der"
    else
        printf '\x5a' >>"$WORK/bad.der"
    fi
    openssl req -inform DER -in "$WORK/bad.der" -out "$WORK/bad.csr" 2>/dev/null
    refused 422 "a CSR with a wrong signature" . bad
    ok "the message says so" grep -q signature "$WORK/body"
}

test_pkcs8() {
    local public="$WORK/cam1.pub"
    openssl pkey -in "$WORK/cam1.key" -pubout | head -c -1 >"$public"
    local key signature
    key=$(jq -Rs . "$public")
    signature=$(openssl pkey -in "$WORK/cam1.key" -pubout -outform DER |
        openssl dgst -sha256 -sign "$WORK/cam1.key" | base64 -w0)
    post cam1 ".public_key = $key"
    ok "a public key alone" is "$STATUS" 201
    post cam1 ".public_key = $key | .public_key_signature = \"$signature\""
    ok "a public key with proof" is "$STATUS" 201
    fetch "$SERIAL"
    ok "certificate for it" same_key cam1
    openssl pkey -in "$WORK/cam2.key" -pubout | head -c -1 >"$public"
    refused 422 "the proof of another key" \
        ".public_key = $(jq -Rs . "$public") | .public_key_signature = \"$signature\""
    refused 422 "no base64" ".public_key = $key | .public_key_signature = \"%%%\""
    refused 422 "a CSR for a key" .
}

test_own_policy() {
    post cam1 'del(.subject_dn.organization) | .custom_extensions = {"1.2.3.5": "0C026869"}'
    ok "STATIC left out: 201" is "$STATUS" 201
    fetch "$SERIAL"
    ok "STATIC is in the certificate" cert_has 'O=Static Ltd'
    ok "a static OU too" cert_has 'OU=Line 1'
    ok "custom extension" cert_has '1.2.3.5'
    ok "static custom extension" cert_has '1.2.3.4: critical'
    ok "a critical usage" cert_has 'Extended Key Usage: critical'
    refused 422 "STATIC sent" '.custom_extensions = {"1.2.3.5": "0C026869"}'
    refused 422 "a required extension missing" 'del(.subject_dn.organization)'
    refused 422 "beyond secondsmax" 'del(.subject_dn.organization) |
        .custom_extensions = {"1.2.3.5": "0500"} | .validity.not_after += 90000000'
    refused 422 "a usage too few" 'del(.subject_dn.organization, .extended_key_usages) |
        .custom_extensions = {"1.2.3.5": "0500"}'
    refused 422 "the proof missing" 'del(.subject_dn.organization) | .subject_dn.common_name = "9" |
        .custom_extensions = {"1.2.3.5": "0500"}'
}

write_policy() {
    call GET /validationpolicy
    jq '.subject_dn.organization = {presence: "STATIC", format: "Static Ltd"} |
        .subject_dn.common_name.format = "^camera \\w+(?:\\d|x)$" |
        .subject_dn.organizational_unit = {static: true, list: ["Line 1"], mincount: 1, maxcount: 1} |
        .extended_key_usages.ekus.mincount = 1 | .extended_key_usages.critical = true |
        .validity.secondsmax = 90000000 |
        .custom_extensions = {
            "1.2.3.4": {presence: "STATIC", critical: true, value_type: "NIL"},
            "1.2.3.5": {presence: "REQUIRED", critical: false, value_type: "DER",
                        value_format: "^([A-Fa-f0-9]{2})+$"}}' "$WORK/body" >"$WORK/policy.json"
}

# ---- statistics, revocation, quota ---------------------------------------------------------------

test_statistics() {
    local now page serials=
    now=$(date +%s)
    for i in 1 2 3 4 5; do post "cam1" ".subject_dn.common_name = \"page $i\""; done
    call GET "/stats/issued?page=1&per_page=2"
    ok "statistics: rows on a page" is "$(body length)" 2
    ok "statistics: fields" is "$(body '.[0] | keys | join(" ")')" 'not_after not_before serial_number'
    local total
    total=$(header Total-Count)
    ok "statistics: Total-Count" is "$total" "$(issued)"
    ok "statistics: Links" grep -q 'rel="next"' <<<"$(header Links)"
    for ((page = 1; page <= (total + 1) / 2; page++)); do
        call GET "/stats/issued?page=$page&per_page=2"
        serials+="$(body '.[].serial_number')"$'\n'
    done
    ok "statistics: the pages hold every serial once" is \
        "$(grep -c . <<<"$serials") $(sort -u <<<"$serials" | grep -c .)" "$total $total"
    ok "statistics: oldest first" is "$(grep . <<<"$serials" | tail -1)" "$SERIAL"
    call GET "/stats/issued?page=999"
    ok "statistics: a page behind the last is empty" is "$STATUS $(body length)" "200 0"
    call GET "/stats/issued?per_page=100000"
    ok "statistics: per_page is capped" is "$(body length)" 3
    call GET "/stats/issued?from=$((now - 100))&to=$((now - 60))"
    ok "statistics: a window before it all" is "$(body length) $(header Total-Count)" "0 0"
    call GET "/stats/issued?from=$((now - 86400 * 30))&to=$now"
    ok "statistics: 30 days" is "$STATUS" 200
    call GET "/stats/issued?from=$((now - 86400 * 30 - 1))&to=$now"
    ok "statistics: more than 30 days" is_problem 422
    call GET "/stats/issued?page=0"
    ok "statistics: page 0" is_problem 422
    call GET "/stats/issued?from=yesterday"
    ok "statistics: no number" is_problem 400
    call GET "/stats/expiring?from=$((now + 863000))&to=$((now + 865000))"
    ok "statistics: expiring" at_least "$(header Total-Count)" 5
    control '{"stats_lag_ms": 600000}'
    call GET /stats/issued
    ok "statistics lag behind" is "$(header Total-Count)" 0
    control '{"stats_lag_ms": 0}'
}

test_revocation() {
    post cam1
    local serial=$SERIAL
    call PATCH "/certificates/$serial" -H "$JSON" -d '{"revocation_reason": "dislike"}'
    ok "revoke: an unknown reason" is_problem 422
    call PATCH "/certificates/$serial" -H "$JSON" -d '{}'
    ok "revoke: no reason" is_problem 422
    call PATCH "/certificates/00AB" -H "$JSON" -d '{"revocation_reason": "superseded"}'
    ok "revoke: an unknown serial" is_problem 404
    call PATCH "/certificates/$serial" -d '{"revocation_reason": "superseded"}'
    ok "revoke: Content-Type" is_problem 415
    call PATCH "/certificates/$serial" -H "$JSON" \
        -d '{"revocation_reason": "keyCompromise", "revocation_time": 1700000000}'
    ok "revoke: 204" is "$STATUS" 204
    fetch "$serial"
    ok "revoked: told" is "$(body .status)" REVOKED
    call GET /counters/certificates/revoked
    ok "revoked: counted" is "$(body .value)" 1
    call GET /stats/revoked
    ok "revoked: listed" is "$(body '.[0].serial_number')" "$serial"
    call PATCH "/certificates/$serial" -H "$JSON" -d '{"revocation_reason": "unspecified"}'
    ok "revoke again: 204, one record" is "$STATUS $(wc -l <"$STATE/revoked.jsonl")" "204 1"
    REVOKED=$serial
    post cam1
    call DELETE "/certificates/$SERIAL"
    ok "DELETE: 204" is "$STATUS" 204
}

# ---- rekey ---------------------------------------------------------------------------------------

rekey() { # SERIAL NAME [JQ-FILTER]
    jq -n --rawfile key "$WORK/$2.csr" '{public_key: ($key | rtrimstr("\n"))}' |
        jq "${3:-.}" >"$WORK/rekey.json"
    call POST "/certificates/$1/rekey" -H "$JSON" --data-binary "@$WORK/rekey.json"
    SERIAL=$(header Location | sed 's|.*/||')
}

end_of() { date -ud "$(openssl x509 -in "$WORK/cert.pem" -noout -enddate | cut -d= -f2)" +%s; }

test_rekey() {
    local old names end before quota
    make_csr cam9
    make_csr cam10
    post cam9 ".validity.not_before -= 1000 | .san.other_names =
        [{type: \"1.3.6.1.5.5.7.8.4\", value: \"301006082B060104018237010404534E2D31\"}]"
    old=$SERIAL
    fetch "$old"
    names=$(openssl x509 -in "$WORK/cert.pem" -noout -subject -ext subjectAltName,extendedKeyUsage)
    end=$(end_of)
    before=$(issued)
    call GET /quotas/issuance
    quota=$(body .value)
    rekey "$old" cam10
    ok "rekey: 201, an empty body" is "$STATUS $(wc -c <"$WORK/body")" '201 0'
    ok "rekey: another serial, recorded with the old one" is "$(issued) $(tail -1 \
        "$STATE/issued.jsonl" | jq -r '"\(.serial) \(.rekey_of)"')" "$((before + 1)) $SERIAL $old"
    ok "rekey: not the old one" not is "$SERIAL" "$old"
    fetch "$SERIAL"
    ok "rekey: the new key" same_key cam10
    ok "rekey: leads to the root" verified
    ok "rekey: the old names and usages" is "$(openssl x509 -in "$WORK/cert.pem" -noout -subject -ext \
        subjectAltName,extendedKeyUsage)" "$names"
    ok "rekey: the old end" is "$(end_of)" "$end"
    call GET /quotas/issuance
    ok "rekey: it counts" is "$(body .value)" $((quota - 1))
    call GET "/stats/issued?per_page=3&page=$(((before + 3) / 3))"
    ok "rekey: in the list" is "$(body '.[-1].serial_number')" "$SERIAL"
    fetch "$old"
    ok "rekey: the old one stays" is "$(body .status)" ISSUED
    rekey 00AB cam10
    ok "rekey of an unknown serial: 404" is_problem 404
    rekey xyz cam10
    ok "rekey of no serial: 422" is_problem 422
    call GET "/certificates/$old/rekey"
    ok "rekey with GET: 405" is_problem 405
    rekey "$old" cam10 '.subject_dn = {common_name: "camera cam10"}'
    ok "rekey with names: 422" is_problem 422
    rekey "$old" cam10 '.validity = {not_after: 0}'
    ok "rekey with a validity: 422" is_problem 422
    rekey "$old" cam10 'del(.public_key)'
    ok "rekey without a key: 422" is_problem 422
    call POST "/certificates/$old/rekey" -d '{}'
    ok "rekey: Content-Type" is_problem 415
    ok "rekey: what was refused is not issued" is "$(issued)" $((before + 1))
    test_rekey_worlds "$old" "$end"
}

# What the documentation does not say.
test_rekey_worlds() { # SERIAL END
    local total
    control '{"rekey_unlisted": 1, "rekey_full": 1, "rekey_revokes": 1, "rekey_status": 409}'
    call GET /stats/issued
    total=$(header Total-Count)
    rekey "$1" cam10 '.signature = {hash_algorithm: "SHA-384"}'
    ok "rekey, otherwise: 201" is "$STATUS" 201
    fetch "$SERIAL"
    ok "rekey, otherwise: the hash that was asked for" cert_has 'ecdsa-with-SHA384'
    ok "rekey, otherwise: as long as the old one was" at_least "$(end_of)" $(($2 + 900))
    call GET /stats/issued
    ok "rekey, otherwise: not in the list" is "$(header Total-Count)" "$total"
    fetch "$1"
    ok "rekey, otherwise: the old one is revoked" is "$(body .status) $(tail -1 \
        "$STATE/revoked.jsonl" | jq -r '"\(.serial) \(.reason)"')" "REVOKED $1 superseded"
    rekey "$1" cam10
    ok "rekey of one that is revoked" is_problem 409
    control '{"rekey_unlisted": 0, "rekey_full": 0, "rekey_revokes": 0, "rekey_status": 422}'
    rekey "$1" cam10
    ok "rekey of one that is revoked, the other way" is_problem 422
    call GET /stats/issued
    ok "rekey: listed again" at_least "$(header Total-Count)" $((total + 1))
    control '{"clear_faults": true, "faults": ["drop-after@rekey=1"]}'
    post cam9
    total=$(issued)
    rekey "$SERIAL" cam10
    ok "rekey, its answer lost: issued" is "$STATUS $(issued)" "000 $((total + 1))"
    control '{"clear_faults": true}'
}

test_quota() {
    control '{"quota": 1}'
    call GET /quotas/issuance
    ok "quota: what is left" is "$(body .value)" 1
    post cam1
    ok "quota: the last one" is "$STATUS" 201
    refused 422 "quota used up" .
    control '{"quota_status": 429}'
    refused 429 "quota used up, the other way" .
    control '{"quota": 100000, "quota_status": 422}'
    ok "control tells the quota" is "$(told .quota)" 100000
}

# ---- faults --------------------------------------------------------------------------------------

fault() { # RULE...
    control "$(jq -nc '{clear_faults: true, faults: $ARGS.positional}' --args "$@")"
}

fault_post() { # RULE: sets NEW, how many were issued
    local before
    before=$(issued)
    fault "$1"
    post cam2
    NEW=$(($(issued) - before))
}

test_http_faults() {
    fault_post drop-before=1
    ok "drop-before: no answer, nothing issued" is "$STATUS $CURL_STATUS $NEW" "000 52 0"
    fault_post drop-after=1
    ok "drop-after: no answer, issued" is "$STATUS $CURL_STATUS $NEW" "000 52 1"
    call GET "/stats/issued?page=1&per_page=3"
    ok "drop-after: the statistics know it" is "$(header Total-Count)" "$(issued)"
    for status in 401 422 429 503; do
        fault_post "http-$status=1"
        ok "http-$status: a problem, nothing issued" is_problem "$status"
        ok "http-$status: nothing issued" is "$NEW" 0
        ok "http-$status: no Retry-After" is "$(header Retry-After)" ""
        post cam2
        ok "http-$status: only once" is "$STATUS" 201
    done
    fault_post http-429-retry=7
    ok "http-429-retry: Retry-After" is "$STATUS $(header Retry-After)" "429 7"
    fault_post garbage-201=1
    ok "garbage-201: issued, no Location" is "$STATUS $NEW $(header Location)" "201 1 "
    fault_post nonsense=1
    ok "nonsense: HTML" is "$STATUS $NEW $(header Content-Type)" "200 0 text/html"
    fault_post "http-503@get=1"
    ok "an operation: not this one" is "$STATUS" 201
    fetch "$SERIAL"
    ok "an operation: that one" is_problem 503
    fault "http-503=2,4-5"
    local seen=
    for _ in 1 2 3 4 5 6; do
        post cam2
        seen+="$STATUS "
    done
    ok "which requests" is "$seen" "201 503 201 503 503 201 "
    control '{}'
    ok "control counts faults" is "$(told '.faults[0] | "\(.seen) \(.fired)"')" "6 3"
    fault http-503=100%
    post cam2
    ok "a share of all" is "$STATUS" 503
    fault http-503=0%
    post cam2
    ok "a share of none" is "$STATUS" 201
    plain -d '{"faults": ["http-503"]}' "http://127.0.0.1:$CONTROL/control"
    ok "a bad rule: 400" is_problem 400
    fault
}

test_login_faults() {
    fault refuse-login=1
    login
    ok "refuse-login: 401" is_problem 401
    login
    ok "refuse-login: only once" is "$STATUS" 200
    fault expired-token=1
    post cam2
    ok "expired-token: 401" is_problem 401
    post cam2
    ok "expired-token: it stays so" is_problem 401
    login
    post cam2
    ok "expired-token: until the next login" is "$STATUS" 201
    control '{"expire_tokens": true}'
    post cam2
    ok "all tokens expired" is_problem 401
    control '{"token_life_ms": 300}'
    login
    sleep 0.4
    call GET /trustchain
    ok "a token's life" is_problem 401
    control '{"token_life_ms": 600000}'
    login
    fault
}

wrong_certificate() { # KIND
    fault_post "$1=1"
    fetch "$SERIAL"
}

test_more_certificate_faults() {
    wrong_certificate wrong-serial
    ok "wrong-serial" cert_has 'serialNumber=SOMEBODY-ELSE'
    wrong_certificate more-names
    ok "more-names: one too many" cert_has 'not-asked-for.example'
    ok "more-names: and those that were asked for" cert_has 'DNS:cam2.example'
    wrong_certificate no-san
    ok "no-san" not cert_has 'Subject Alternative Name'
    wrong_certificate wrong-key
    ok "wrong-key" not same_key cam2
    wrong_certificate no-signature-usage
    ok "no-signature-usage" not cert_has 'Digital Signature'
    wrong_certificate more-eku
    ok "more-eku" cert_has 'Server Authentication.*Code Signing'
    wrong_certificate short-validity
    ok "short-validity" not openssl x509 -in "$WORK/cert.pem" -noout -checkend 90000
    wrong_certificate not-yet-valid
    ok "not-yet-valid" at_least "$(date -ud "$(openssl x509 -in "$WORK/cert.pem" -noout \
        -startdate | cut -d= -f2)" +%s)" $(($(date +%s) + 80000))
    wrong_certificate look-alike
    ok "look-alike: the issuer's name" cert_has 'Issuer: CN=hvca-sim Issuing CA'
    ok "look-alike: not by its key" not verified
    wrong_certificate by-no-ca
    ok "by-no-ca: by its name" cert_has 'Issuer: CN=hvca-sim no CA'
    ok "by-no-ca: which the issuing CA certified" openssl verify -CAfile "$STATE/root.pem" \
        -untrusted "$STATE/issuing.pem" "$STATE/no_ca.pem"
}

test_certificate_faults() {
    wrong_certificate wrong-names
    ok "wrong-names" is "$(openssl x509 -in "$WORK/cert.pem" -noout -subject -nameopt RFC2253)" \
        "subject=CN=somebody-else"
    ok "wrong-names: the right key" same_key cam2
    wrong_certificate wrong-eku
    ok "wrong-eku" cert_has 'Code Signing'
    wrong_certificate ca-true
    ok "ca-true" cert_has 'CA:TRUE'
    wrong_certificate sha1
    ok "sha1" cert_has 'ecdsa-with-SHA1'
    wrong_certificate long-validity
    ok "long-validity: ten years more" at_least "$(date -ud "$(openssl x509 -in "$WORK/cert.pem" \
        -noout -enddate | cut -d= -f2)" +%s)" $(($(date +%s) + 315576000))
    test_more_certificate_faults
    post cam1
    post cam2
    fault other-certificate=1
    fetch "$SERIAL"
    ok "other-certificate" same_key cam1
    fetch "$SERIAL"
    ok "other-certificate: only once" same_key cam2
    fault
}

test_slow_faults() {
    local begin
    post cam2
    fault slow=20:1
    begin=$(date +%s%N)
    fetch "$SERIAL"
    ok "slow: the whole answer" verified
    ok "slow: takes its time" at_least $((($(date +%s%N) - begin) / 1000000)) 500
    fault slow=1000:1
    call GET "/certificates/$SERIAL" --max-time 0.5
    ok "slow: a client that gives up" is "$CURL_STATUS" 28
    local before
    before=$(issued)
    fault stall=30000:1
    make_request cam2
    call POST /certificates -H "$JSON" --data-binary "@$WORK/request" --max-time 0.5
    ok "stall: issued, no answer in time" is "$CURL_STATUS $(($(issued) - before))" "28 1"
    fault
    control '{"latency_ms": 300, "latency_jitter_ms": 50}'
    begin=$(date +%s%N)
    call GET /trustchain
    ok "latency" at_least $((($(date +%s%N) - begin) / 1000000)) 250
    control '{"latency_ms": 0, "latency_jitter_ms": 0}'
    control '{"pending_ms": 60000}'
    post cam2
    fetch "$SERIAL"
    ok "pending for a time" is "$STATUS" 202
    control '{"pending_ms": 0}'
    fetch "$SERIAL"
    ok "and no longer" is "$STATUS" 200
}

# ---- many at once, restart -----------------------------------------------------------------------

test_many() {
    local before after config=$WORK/many.conf
    make_request cam1
    for i in $(seq 64); do
        printf 'url = "%s/certificates"\ndata-binary = "@%s"\nheader = "%s"\n' "$URL" \
            "$WORK/request" "$JSON"
        printf 'header = "Authorization: Bearer %s"\noutput = "%s"\n' "$TOKEN" "$WORK/many.$i"
        printf 'write-out = "%%{http_code}\\n"\nnext\n'
    done | sed '$d' | awk -v s="$STATE" '/^url/{print "cert = \"" s "/client.pem\"\nkey = \"" s \
        "/client.key\"\ncacert = \"" s "/server_root.pem\""} {print}' >"$config"
    before=$(issued)
    curl -sS --parallel --parallel-max 32 -K "$config" >"$WORK/many.out" 2>"$WORK/many.err" || true
    after=$(issued)
    ok "64 at once: all answered 201" is "$(grep -c '^201$' "$WORK/many.out")" 64
    ok "64 at once: all recorded" is $((after - before)) 64
    ok "64 at once: all serials differ" is "$after" \
        "$(jq -r .serial "$STATE/issued.jsonl" | sort -u | wc -l)"
}

test_restart() {
    local count serial
    post cam2
    serial=$SERIAL
    count=$(issued)
    stop_by KILL
    printf '{"serial":"41' >>"$STATE/issued.jsonl"
    start --location absolute
    fetch "$serial"
    ok "restart: the certificate is still there" verified
    ok "restart: its key" same_key cam2
    fetch "$REVOKED"
    ok "restart: still revoked" is "$(body .status)" REVOKED
    call GET /counters/certificates/issued
    ok "restart: the counter goes on" is "$(body .value)" "$count"
    post cam1
    ok "restart: Location on another host" grep -q '^https://elsewhere.invalid' <<<"$(header Location)"
    fetch "$SERIAL"
    ok "restart: and it can be fetched" is "$STATUS" 200
    ok "restart: the cut line is gone" is "$(jq -r .serial "$STATE/issued.jsonl" | wc -l)" \
        $((count + 1))
    stop
    ok "SIGTERM ends it cleanly" is "$EXIT_STATUS $(cat "$WORK/err")" "0 "
    start
    ok "a second simulator on the same state" fails_with 4 'in use' --state "$STATE"
    stop
    start --quota $((count + 2)) --fsync --threads 1
    post cam1
    ok "quota over restarts: one left" is "$STATUS" 201
    refused 422 "quota over restarts" .
    control '{"latency_ms": 20000}'
    call GET /trustchain --max-time 0.3
    stop
    ok "SIGTERM with a request waiting" is "$EXIT_STATUS $(cat "$WORK/err")" "0 "
}

fails_with() { # STATUS TEXT OPTION...
    local wanted=$1 text=$2 status=0
    shift 2
    timeout 10 "$SIMULATOR" "$@" >"$WORK/usage.out" 2>"$WORK/usage.err" </dev/null || status=$?
    is "$status" "$wanted" && grep -q -e "$text" "$WORK/usage.err"
}

test_bad_input() {
    ok "no --state" fails_with 2 'state' --port 0
    ok "a bad port" fails_with 2 'port' --state "$STATE" --port 70000
    ok "a bad fault" fails_with 2 'no kind "x"' --state "$STATE" --fault x=1
    ok "an unknown option" fails_with 2 'help' --state "$STATE" --nonsense
    ok "no policy file" fails_with 2 'policy' --state "$STATE" --policy "$WORK/none.json"
    jq '.subject_dn.common_name.format = "("' "$WORK/policy.json" >"$WORK/bad.json"
    ok "a policy with a bad expression" fails_with 2 'common_name' --state "$STATE" --policy \
        "$WORK/bad.json"
    jq '.subject_da = {}' "$WORK/policy.json" >"$WORK/bad.json"
    ok "a policy that is not simulated" fails_with 2 'subject_da' --state "$STATE" --policy \
        "$WORK/bad.json"
    sed -i '1s/serial/sreial/' "$STATE/issued.jsonl"
    ok "a damaged record" fails_with 2 'issued.jsonl:1 is damaged' --state "$STATE"
}

test_init
start --pending 1 --per-page-max 3
test_login
test_issue
control '{"pending": 0}'
test_lists
test_policy
test_keys
test_statistics
test_revocation
test_rekey
test_quota
test_http_faults
test_login_faults
test_certificate_faults
test_slow_faults
test_many
write_policy
test_restart
start --key-format pkcs8
test_pkcs8
stop
start --policy "$WORK/policy.json"
test_own_policy
stop
test_bad_input

finish_checks
