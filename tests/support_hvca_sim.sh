# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # the variables are for who reads this file in
#
# hvca-sim, started and spoken to with curl, for tests/e2e_*.sh. Run from the root of the repository
# with set -euo pipefail; BUILD names the build tree. Everything is in $WORK, which is removed at
# the end; the simulator's state is in $STATE.

# shellcheck source=tests/support_sim.bash
. tests/support_sim.bash hvca-sim
JSON='Content-Type: application/json;charset=utf-8'

start() { # OPTION...: sets URL and a TOKEN
    start_simulator "$@"
    URL=https://127.0.0.1:$PORT/v2
    TOKEN=
    login
}

call() { # METHOD PATH [CURL OPTION...]
    local method=$1 path=$2
    shift 2
    with_certificate -X "$method" \
        -H "Authorization: Bearer $TOKEN" "$@" "$URL$path"
}

login() {
    call POST /login -H "$JSON" -d "$(jq -nc --arg k "$(cat "$STATE/api_key")" \
        --arg s "$(cat "$STATE/api_secret")" '{api_key: $k, api_secret: $s}')"
    TOKEN=$(jq -r '.access_token // ""' "$WORK/body" 2>/dev/null || true)
}

# A new key and CSR: NAME.key, NAME.csr
make_csr() { # NAME [OPENSSL GENPKEY OPTION...]
    local name=$1
    shift
    [ $# -gt 0 ] || set -- -algorithm EC -pkeyopt ec_paramgen_curve:P-256
    openssl genpkey "$@" -out "$WORK/$name.key" 2>/dev/null
    openssl req -new -key "$WORK/$name.key" -subj "/CN=ignored" -out "$WORK/$name.csr"
}

# The request for NAME.csr, changed by a jq filter, in the file "request".
make_request() { # NAME [FILTER]
    jq -nc --arg key "$(cat "$WORK/$1.csr")" --arg name "$1" '{
        validity: {not_before: (now | floor), not_after: (now + 864000 | floor)},
        subject_dn: {common_name: "camera \($name)", serial_number: "SN-\($name)",
                     organization: "Cameras"},
        san: {dns_names: ["\($name).example"]},
        extended_key_usages: ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"],
        public_key: $key}' | jq -c "${2:-.}" >"$WORK/request"
}

post() { # NAME [FILTER]: sets STATUS and SERIAL
    make_request "$@"
    call POST /certificates -H "$JSON" --data-binary "@$WORK/request"
    SERIAL=$(header Location | sed 's,.*/,,')
}

fetch() { # SERIAL: sets STATUS; the certificate is in "cert.pem"
    call GET "/certificates/$1"
    body '.certificate // ""' >"$WORK/cert.pem" 2>/dev/null || true
}

verified() {
    openssl verify -CAfile "$STATE/root.pem" -untrusted "$STATE/issuing.pem" "$WORK/cert.pem"
}
cert_text() { openssl x509 -in "$WORK/cert.pem" -noout -text -nameopt RFC2253; }
cert_has() { cert_text | grep -q -e "$1"; }
same_key() { # NAME
    is "$(openssl x509 -in "$WORK/cert.pem" -noout -pubkey)" \
        "$(openssl pkey -in "$WORK/$1.key" -pubout)"
}
is_problem() {
    is "$STATUS" "$1" && header Content-Type | grep -q '^application/problem+json' &&
        [ -n "$(body .description)" ]
}

refused() { # STATUS WHAT FILTER [NAME]
    local before
    before=$(issued)
    post "${4:-cam1}" "$3"
    ok "$1: $2" is_problem "$1"
    is "$(issued)" "$before" || ok "$2: nothing issued" false
}
