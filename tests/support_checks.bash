# shellcheck shell=bash disable=SC2034 # the variables are for the test
# SPDX-License-Identifier: Apache-2.0
# For tests that are one list of checks: a folder WORK, which goes with the test, and with it the process
# SIM_PID.
#
#   ok WHAT COMMAND...   a check; where it fails, what it printed is shown, STATUS, and of WORK body, out
#                        and err
#   finish_checks        ends the test

WORK=$(mktemp -d)
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
        echo "  status ${STATUS:-}"
        head -n 5 "$WORK/check.out" | sed 's/^/  /'
        head -c 600 "$WORK/body" "$WORK/out" "$WORK/err" 2>/dev/null || true
    fi
}

not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "is $1, wanted is $2" && return 1; }; }
below() { [ "$1" -lt "$2" ]; }
at_least() { [ "$1" -ge "$2" ]; }

finish_checks() {
    echo "$PASSED passed, $FAILED failed"
    [ "$FAILED" -eq 0 ]
}
