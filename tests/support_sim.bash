# shellcheck shell=bash disable=SC2034 # the variables are for the test
# SPDX-License-Identifier: Apache-2.0
# For the tests of simulated CAs with programs that are not ours (curl, jq, openssl): sourced with the
# simulator's name. What was answered is in files of $WORK.
#
#   start_simulator OPTION...        sets PORT and CONTROL; stop and stop_by end it
#   plain CURL-OPTION...             sets STATUS (000 without an answer) and CURL_STATUS
#   with_certificate CURL-OPTION...  the same with the station's TLS certificate

SIMULATOR=${BUILD:-build/release}/$1
# shellcheck source=tests/support_checks.bash
. "${BASH_SOURCE%/*}/support_checks.bash"
STATE=$WORK/state

# The search for leaks may hang on a busy machine, and the unit tests make it.
start_simulator() { # OPTION...
    : >"$WORK/out"
    ASAN_OPTIONS=detect_leaks=0 "$SIMULATOR" --state "$STATE" --control-port 0 "$@" \
        >"$WORK/out" 2>"$WORK/err" &
    SIM_PID=$!
    for _ in $(seq 200); do
        if grep -q '^control ' "$WORK/out"; then break; fi
        sleep 0.05
    done
    PORT=$(awk '/^listening /{print $2}' "$WORK/out")
    CONTROL=$(awk '/^control /{print $2}' "$WORK/out")
}

stop_by() { # SIGNAL: sets EXIT_STATUS
    kill -s "$1" "$SIM_PID"
    EXIT_STATUS=0
    wait "$SIM_PID" 2>/dev/null || EXIT_STATUS=$?
    SIM_PID=
}
stop() { stop_by TERM; }

plain() { # CURL OPTION...
    CURL_STATUS=0
    : >"$WORK/body"
    : >"$WORK/headers"
    STATUS=$(curl -sS --max-time 20 --cacert "$STATE/server_root.pem" -o "$WORK/body" \
        -D "$WORK/headers" -w '%{http_code}' "$@" 2>"$WORK/curl.err") || CURL_STATUS=$?
}

with_certificate() { plain --cert "$STATE/client.pem" --key "$STATE/client.key" "$@"; }

header() { tr -d '\r' <"$WORK/headers" | sed -n "s/^$1: //Ip"; } # NAME
body() { jq -r "$1" "$WORK/body"; }                               # FILTER
control() { curl -sS --max-time 20 -d "$1" "http://127.0.0.1:$CONTROL/control" >"$WORK/control"; }
told() { jq -r "$1" "$WORK/control"; }
issued() { wc -l <"$STATE/issued.jsonl"; }
