# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# step-ca, for tests/e2e_ca_cuts.sh. Whether it got a request it tells by the request's token; its
# administrator finds what it made in its log. Tokens name the server with https, so the proxy speaks it.

# shellcheck source=tests/support_stepca.bash
. tests/support_stepca.bash

stepca_rows() {
    cat <<'END'
stepca_told   64 32 211  1 no  told   POST /1.0/sign
stepca_resent 64 32 509  1 no  resent POST /1.0/sign
END
}
stepca_issues() { echo 'POST /1.0/sign '; }
stepca_probes() { echo 1; }

stepca_start() { # RULES [OPTION...]
    local rules=$1
    shift
    start_stepca
    start_proxy --rules "$rules" --upstream "$STEPCA_PORT" --root "$FOLDER/root.pem" \
        --shows "$FOLDER/front.pem" --shows-key "$FOLDER/front.key" "$@"
    write_stepca "https://127.0.0.1:$PROXY_PORT" tls.pem "in_flight = $IN_FLIGHT" "lost_answer = $LOST"
}

stepca_certificates() { stepca_made | keys_and_serials; }
