#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which exchange a rule of fault-proxy serves; the tests of cuts depend on it. Between curl and the
# control port of a simulated CA.
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

start_proxied() { # RULE...
    make_empty_bench
    # shellcheck disable=SC2119
    start_hvca
    printf '%s\n' "$@" >"$FOLDER/rules"
    start_proxy --rules "$FOLDER/rules" --upstream "$CA_CONTROL"
}

post() { # BODY: its whole length counts, with the head's 200 bytes or less
    curl -sS --max-time 20 -o "$FOLDER/answer" -d "$1" "http://127.0.0.1:$PROXY_PORT/control"
}

case_request_as_long() {
    local long
    long="{\"clear_faults\": true}$(printf '%600s' '')"
    start_proxied 'cut request 500 fin POST /control'
    ok "a request that is too short for the cut passes" post '{"clear_faults": true}'
    ok "the next that is long enough is cut" not post "$long"
    ok "and one after that passes" post "$long"
    ok "the log says so" is "$(awk '$1 ~ /whole|cut|missed/ { print $1, $4 }' "$FOLDER/proxy.log" |
        tr '\n' ' ')" 'whole 0 cut 1 whole 0 '
}

case_answer_is_good() {
    start_proxied 'cut response 20 rst POST /control'
    ok "an answer that says no is not cut" post 'no JSON'
    ok "a good one is" not post '{"clear_faults": true}'
    ok "its bytes are as many as the rule says" grep -q '^cut [0-9]* 20 1 POST' "$FOLDER/proxy.log"
}

run_cases request_as_long answer_is_good
