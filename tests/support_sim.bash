# shellcheck shell=bash disable=SC2034 # the variables are for the test
# SPDX-License-Identifier: Apache-2.0
# For the tests of simulated CAs with programs that are not ours (curl, jq, openssl): sourced with the
# simulator's name. What was answered is in files of $WORK.
#
#   start_simulator OPTION...        sets PORT and CONTROL; stop and stop_by end it
#   plain CURL-OPTION...             sets STATUS (000 without an answer) and CURL_STATUS
#   with_certificate CURL-OPTION...  the same with the station's TLS certificate
#   ok WHAT COMMAND...               a check; finish_checks ends the test

SIMULATOR=${BUILD:-build/release}/$1
WORK=$(mktemp -d)
STATE=$WORK/state
PASSED=0
FAILED=0
SIM_PID=

clean_up() {
    if [ -n "$SIM_PID" ]; then kill "$SIM_PID" 2>/dev/null || true; fi
    rm -rf "$WORK"
}
trap clean_up EXIT

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
        head -n 5 "$WORK/check.out" | sed 's/^/  /'
    fi
}

not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "is $1, wanted is $2" && return 1; }; }
below() { [ "$1" -lt "$2" ]; }
at_least() { [ "$1" -ge "$2" ]; }

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

finish_checks() {
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ]
}
