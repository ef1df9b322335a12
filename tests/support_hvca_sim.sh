# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # the variables are for who reads this file in
#
# hvca-sim, started and spoken to with curl, for tests/e2e_*.sh. Run from the root of the repository
# with set -euo pipefail; BUILD names the build tree. Everything is in $WORK, which is removed at
# the end; the simulator's state is in $STATE.

SIMULATOR=${BUILD:-build/release}/hvca-sim
WORK=$(mktemp -d)
STATE=$WORK/state
JSON='Content-Type: application/json;charset=utf-8'
PASSED=0
FAILED=0
SIM_PID=

finish() {
    if [ -n "$SIM_PID" ]; then kill "$SIM_PID" 2>/dev/null || true; fi
    rm -rf "$WORK"
}
trap finish EXIT

ok() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$WORK/check.out" 2>&1; then
        PASSED=$((PASSED + 1))
        echo "ok - $what"
    else
        FAILED=$((FAILED + 1))
        echo "not ok - $what: $*"
        echo "  status ${STATUS:-} $(head -c 300 "$WORK/body" 2>/dev/null || true)"
    fi
}

not() { ! "$@"; }
is() { [ "$1" = "$2" ]; }
below() { [ "$1" -lt "$2" ]; }
at_least() { [ "$1" -ge "$2" ]; }

start() { # OPTION...: sets PORT, CONTROL, and a TOKEN
    : >"$WORK/out"
    "$SIMULATOR" --state "$STATE" --control-port 0 "$@" >"$WORK/out" 2>"$WORK/err" &
    SIM_PID=$!
    for _ in $(seq 200); do
        if grep -q '^control ' "$WORK/out"; then break; fi
        sleep 0.05
    done
    PORT=$(awk '/^listening /{print $2}' "$WORK/out")
    CONTROL=$(awk '/^control /{print $2}' "$WORK/out")
    URL=https://127.0.0.1:$PORT/v2
    TOKEN=
    login
}

stop() { # SIGNAL: sets EXIT_STATUS
    kill -s "${1:-TERM}" "$SIM_PID"
    EXIT_STATUS=0
    wait "$SIM_PID" 2>/dev/null || EXIT_STATUS=$?
    SIM_PID=
}

curl_plain() { # sets STATUS, 000 without an answer, and CURL_STATUS
    CURL_STATUS=0
    : >"$WORK/body"
    : >"$WORK/headers"
    STATUS=$(curl -sS --max-time 20 --cacert "$STATE/server_root.pem" -o "$WORK/body" \
        -D "$WORK/headers" -w '%{http_code}' "$@" 2>"$WORK/curl.err") || CURL_STATUS=$?
}

call() { # METHOD PATH [CURL OPTION...]
    local method=$1 path=$2
    shift 2
    curl_plain --cert "$STATE/client.pem" --key "$STATE/client.key" -X "$method" \
        -H "Authorization: Bearer $TOKEN" "$@" "$URL$path"
}

login() {
    call POST /login -H "$JSON" -d "$(jq -nc --arg k "$(cat "$STATE/api_key")" \
        --arg s "$(cat "$STATE/api_secret")" '{api_key: $k, api_secret: $s}')"
    TOKEN=$(jq -r '.access_token // ""' "$WORK/body" 2>/dev/null || true)
}

header() { tr -d '\r' <"$WORK/headers" | sed -n "s/^$1: //Ip"; }
body() { jq -r "$1" "$WORK/body"; }
control() { curl -sS --max-time 20 -d "$1" "http://127.0.0.1:$CONTROL/control" >"$WORK/control"; }
told() { jq -r "$1" "$WORK/control"; }
issued_lines() { wc -l <"$STATE/issued.jsonl"; }

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
    before=$(issued_lines)
    post "${4:-cam1}" "$3"
    ok "$1: $2" is_problem "$1"
    is "$(issued_lines)" "$before" || ok "$2: nothing issued" false
}
