#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ejbca-sim against independent clients: curl, jq and openssl. Run from the root of the repository; BUILD
# names the build tree.
set -euo pipefail

# shellcheck source=tests/support_sim.bash
. tests/support_sim.bash ejbca-sim

start() { # OPTION...: sets URL
    start_simulator "$@"
    URL=https://127.0.0.1:$PORT/ejbca/ejbca-rest-api
}

post() { with_certificate -H 'Content-Type: application/json' -d "$1" "$URL/$2"; } # JSON PATH

make_csr() { # NAME SUBJECT [OPENSSL OPTION...]: NAME.key, NAME.csr
    local name=$1 subject=$2
    shift 2
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" \
        -keyout "$WORK/$name.key" -out "$WORK/$name.csr" "$@" 2>/dev/null
}

enroll() { # CSR USERNAME [JQ FILTER]
    jq -n --rawfile csr "$WORK/$1.csr" --arg name "$2" '{certificate_request: $csr, username: $name,
        password: "foo123", certificate_authority_name: "CameraCA", certificate_profile_name: "Camera",
        end_entity_profile_name: "Cameras", include_chain: false} | '"${3:-.}" >"$WORK/request"
    with_certificate -H 'Content-Type: application/json' -d "@$WORK/request" "$URL/v1/certificate/pkcs10enroll"
}

take() { body .certificate | base64 -d >"$WORK/cert.der"; }
x509() { openssl x509 -inform DER -in "$WORK/cert.der" -noout "$@"; }

search() { # QUERY [OPERATION [PAGE_SIZE [PAGE]]]
    post "$(jq -n --arg query "$1" --arg operation "${2:-EQUAL}" --argjson size "${3:-20}" \
        --argjson page "${4:-1}" '{pagination: {page_size: $size, current_page: $page},
        criteria: [{property: "QUERY", value: $query, operation: $operation}]}')" v2/certificate/search
}

encode() { jq -rn --arg text "$1" '$text | @uri'; }

# ---- what can be read ----------------------------------------------------------------------------

test_reading() {
    local dn
    "$SIMULATOR" --state "$STATE" --init >"$WORK/init"
    ok "init tells what a station needs" grep -q '^end_entity_profile = Cameras$' "$WORK/init"
    start
    ok "it listens on 127.0.0.1 only" not grep -qi "00000000:$(printf %04X "$PORT")" /proc/net/tcp
    plain "$URL/v1/ca"
    ok "no client certificate, no TLS" is "$STATUS" 000
    with_certificate "$URL/v1/certificate/status"
    ok "status" is "$STATUS $(body '.status + " " + .version')" "200 OK 1.0"
    with_certificate "$URL/v1/ca"
    ok "v1/ca: the CA is there" is "$(body '[.certificate_authorities[].name] | sort | join(" ")')" \
        'CameraCA ManagementCA'
    dn=$(body '.certificate_authorities[] | select(.name == "CameraCA").subject_dn')
    ok "v1/ca: the subject as openssl writes it" is "$dn" \
        "$(openssl x509 -in "$STATE/issuing.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')"
    with_certificate "$URL/v1/ca/$(encode "$dn")/certificate/download"
    ok "the chain: issuing CA first" is "$STATUS $(openssl crl2pkcs7 -nocrl -certfile "$WORK/body" |
        openssl pkcs7 -print_certs -noout | grep -c subject) $(openssl x509 -in "$WORK/body" -noout \
        -fingerprint)" "200 2 $(openssl x509 -in "$STATE/issuing.pem" -noout -fingerprint)"
    with_certificate "$URL/v1/ca/CN%3Dnobody/certificate/download"
    ok "another CA's chain: 404" is "$STATUS $(body .error_code)" "404 404"
    with_certificate "$URL/v2/certificate/profile/Camera"
    ok "the profile" is "$STATUS $(body '.validity + " " + (.extended_key_usages | join(" "))')" \
        "200 10y 0d 1.3.6.1.5.5.7.3.1 1.3.6.1.5.5.7.3.2"
    with_certificate "$URL/v2/certificate/profile/None"
    ok "another profile: 400" is "$STATUS" 400
    with_certificate "$URL/v2/endentity/profile/Cameras"
    ok "the community edition has no end entities" is "$STATUS" 404
    with_certificate "$URL/v1/nothing"
    ok "another path: 404 in JSON" is "$STATUS $(body .error_code)" "404 404"
    with_certificate "https://127.0.0.1:$PORT/"
    ok "outside of the API: 404 in HTML" is "$STATUS $(head -c 6 "$WORK/body")" "404 <html>"
    with_certificate "$URL/v1/certificate/pkcs10enroll"
    ok "pkcs10enroll is a POST" is "$STATUS" 405
    stop
    ok "SIGTERM ends it well" is "$EXIT_STATUS" 0
    start --enterprise
    with_certificate "$URL/v2/endentity/profile/Cameras"
    ok "the enterprise edition tells" is "$(body '.available_cas[0]')" CameraCA
    stop
}

# ---- issuing -------------------------------------------------------------------------------------

test_enroll() {
    start
    make_csr cam '/O=Maker, Inc./CN=SN-1/serialNumber=SN-1' -addext 'subjectAltName=DNS:sn-1.local'
    enroll cam SN-1@https
    ok "enroll: 201" is "$STATUS $(body .response_format)" "201 DER"
    take
    ok "enroll: it leads to the root" openssl verify -CAfile "$STATE/root.pem" -untrusted \
        "$STATE/issuing.pem" <(openssl x509 -inform DER -in "$WORK/cert.der")
    ok "enroll: for the key" is "$(x509 -pubkey)" "$(openssl pkey -in "$WORK/cam.key" -pubout)"
    ok "enroll: the subject, in EJBCA's order" is "$(x509 -subject -nameopt oneline)" \
        'subject=serialNumber = SN-1, CN = SN-1, O = "Maker, Inc."'
    ok "enroll: the host name of the CSR" grep -q 'DNS:sn-1.local' <(x509 -ext subjectAltName)
    ok "enroll: the serial in hex" is "serial=$(body .serial_number)" "$(x509 -serial)"
    ok "enroll: ten years" is "$(($(date -d "$(x509 -enddate | cut -d= -f2)" +%s) - \
        $(date -d "$(x509 -startdate | cut -d= -f2)" +%s)))" $((3650 * 86400))
    enroll cam SN-1@https '.include_chain = true'
    ok "enroll: the same end entity again is a second one, with its chain" is \
        "$STATUS $(issued) $(body '.certificate_chain | length')" "201 2 2"
    enroll cam other
    ok "enroll: the subject is taken" is "$STATUS $(body '.error_message | contains("same subject DN")')" \
        "400 true"
    enroll cam SN-1@https '.certificate_authority_name = "None"'
    ok "enroll: another CA" is "$STATUS $(body '.error_message | contains("exist")')" "400 true"
    enroll cam SN-1@https '.certificate_profile_name = "None"'
    ok "enroll: another profile" is "$STATUS" 400
    enroll cam SN-1@https '.username = ""'
    ok "enroll: nobody" is "$STATUS" 400
    enroll cam SN-1@https '.certificate_request = "none"'
    ok "enroll: no CSR" is "$STATUS" 400
    with_certificate -d '{}' "$URL/v1/certificate/pkcs10enroll"
    ok "enroll: another type: 415" is "$STATUS" 415
    post '{' v1/certificate/pkcs10enroll
    ok "enroll: no JSON: 400" is "$STATUS" 400
    ok "enroll: all that issued nothing" is "$(issued)" 2
    control '{"offline": 1}'
    enroll cam SN-1@https
    ok "enroll: the token is offline" is "$STATUS $(body '.error_message | contains("offline")')" "400 true"
    stop
}

test_kinds() {
    start --keys rsa
    enroll cam SN-1@https
    ok "keys: not this one" is "$STATUS" 400
    stop
    start --usages server --validity 30 --shared-subjects
    enroll cam another
    take
    ok "usages: the profile's" is "$STATUS $(x509 -ext extendedKeyUsage | tail -n 1 | tr -d ' ')" \
        "201 TLSWebServerAuthentication"
    stop
    start --approvals
    enroll cam SN-1@https
    ok "approvals: 400" is "$STATUS $(body '.error_message | contains("approvals")')" "400 true"
    stop
    start --disabled
    with_certificate "$URL/v1/ca"
    ok "disabled: 403 in HTML" is "$STATUS $(grep -c 'has been disabled' "$WORK/body")" "403 1"
    search SN-1@https
    ok "disabled: not version 2" is "$STATUS" 200
    stop
    start --deny administrator
    with_certificate "$URL/v1/ca"
    ok "no administrator: 403 in JSON" is "$STATUS $(body .error_code)" "403 403"
    stop
    start --deny create
    enroll cam SN-1@https
    ok "may not create: 403" is "$STATUS" 403
    stop
}

# ---- searching and revoking ----------------------------------------------------------------------

found() { body '[.certificates[].status | tostring] | join(" ")'; }

test_search() {
    local i serial dn
    start
    search SN-1@https
    ok "search: by the end entity" is "$STATUS $(found) $(body .pagination_summary.total_certs)" "200 20 20 2"
    body '.certificates[0].base64Cert' | base64 -d | base64 -d >"$WORK/cert.der"
    ok "search: the certificate, encoded twice" is "$(x509 -pubkey)" "$(openssl pkey -in "$WORK/cam.key" -pubout)"
    serial=$(body '.certificates[0].serialNumber')
    search sn-1@HTTPS
    ok "search: letters' case does not count" is "$(found)" "20 20"
    search SN-2@https
    ok "search: nothing" is "$(found) $(body .pagination_summary.total_certs)" " 0"
    search N-1@ht LIKE
    ok "search: a part of it" is "$(found)" "20 20"
    search "$serial"
    ok "search: by serial number" is "$(found) $(body '.certificates[0].username')" "20 SN-1@https"
    search "$(BC_LINE_LENGTH=0 bc <<<"ibase=16; $serial")"
    ok "search: by serial number, decimal" is "$(found)" 20
    search SN-1@https EQUAL 2 1
    ok "search: a full page tells no total" is "$(found) $(body .pagination_summary.total_certs)" "20 20 null"
    search SN-1@https EQUAL 2 2
    ok "search: the page behind it does" is "$(found) $(body .pagination_summary.total_certs)" " 2"
    for i in CA END_ENTITY_PROFILE CERTIFICATE_PROFILE; do
        post "{\"pagination\":{\"page_size\":5,\"current_page\":1},\"criteria\":[{\"property\":\"$i\",
            \"value\":\"None\",\"operation\":\"EQUAL\"}]}" v2/certificate/search
        ok "search: an unknown $i: 400" is "$STATUS $(body '.error_message | contains("unknown")')" "400 true"
    done
    post '{"criteria":[]}' v2/certificate/search
    ok "search: for nothing: 400" is "$STATUS" 400
    dn=$(encode "$(openssl x509 -in "$STATE/issuing.pem" -noout -subject -nameopt RFC2253 | sed 's/^subject=//')")
    with_certificate -X PUT "$URL/v1/certificate/$dn/$serial/revoke?reason=NONE"
    ok "revoke: no such reason" is "$STATUS" 400
    with_certificate -X PUT "$URL/v1/certificate/CN%3DX/$serial/revoke?reason=SUPERSEDED"
    ok "revoke: no such CA" is "$STATUS" 404
    with_certificate -X PUT "$URL/v1/certificate/$dn/4711/revoke?reason=SUPERSEDED"
    ok "revoke: no such certificate" is "$STATUS" 404
    with_certificate -X PUT "$URL/v1/certificate/$dn/$serial/revoke?reason=SUPERSEDED"
    ok "revoke: done" is "$STATUS $(body .revoked)" "200 true"
    with_certificate -X PUT "$URL/v1/certificate/$dn/$serial/revoke?reason=SUPERSEDED"
    ok "revoke: again: 409" is "$STATUS" 409
    with_certificate "$URL/v1/certificate/$dn/$serial/revocationstatus"
    ok "revoke: its status" is "$STATUS $(body .revoked)" "200 true"
    stop_by KILL
    start
    search SN-1@https
    ok "killed and started again: all of it is there" is "$(found)" "40 20"
    stop
    start --deny view
    search SN-1@https
    ok "may not view: nothing, in silence" is "$STATUS $(found)" "200 "
    stop
    start --no-storage
    search SN-1@https
    ok "not kept: counted, and not listed" is "$(found) $(body .pagination_summary.total_certs)" " 2"
    stop
}

# ---- faults --------------------------------------------------------------------------------------

test_faults() {
    local before
    before=$(issued)
    make_csr two '/CN=SN-2/serialNumber=SN-2'
    start --fault drop-before=1 --fault drop-after=2 --fault http-500=3 --fault http-429-retry=9:4 \
        --fault says-no=2 --fault pending=3
    enroll two SN-2@https
    ok "drop-before: no answer, nothing issued" is "$STATUS $(issued)" "000 $before"
    enroll two SN-2@https
    ok "drop-after: no answer, issued" is "$STATUS $(issued)" "000 $((before + 1))"
    enroll two SN-2@https
    ok "http-500" is "$STATUS" 500
    enroll two SN-2@https
    ok "http-429-retry" is "$STATUS $(tr -d '\r' <"$WORK/headers" | sed -n 's/^Retry-After: //Ip')" "429 9"
    enroll two SN-2@https
    ok "says-no: 400, issued" is "$STATUS $(issued)" "400 $((before + 2))"
    enroll two SN-2@https
    ok "pending: 202, issued" is "$STATUS $(body .request_id) $(issued)" "202 4711 $((before + 3))"
    control '{"clear_faults": true, "faults": ["two=1"]}'
    enroll two SN-2@https
    ok "two" is "$STATUS $(issued)" "201 $((before + 5))"
    ok "control tells" is "$(jq -r '.requests.enroll' <(curl -sS "http://127.0.0.1:$CONTROL/control"))" 7
    stop
}

test_reading
test_enroll
test_kinds
test_search
test_faults
finish_checks
