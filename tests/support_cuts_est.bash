# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated EST server, for tests/e2e_ca_cuts.sh. EST has no way to ask what was issued.

# shellcheck source=tests/support_est.bash
. tests/support_est.bash

est_rows() {
    cat <<'END'
est_held    64 32  61  1 no  held   POST /.well-known/est/simpleenroll
est_resent  64 32  97  1 no  resent POST /.well-known/est/simpleenroll
END
}
est_issues() { echo 'POST /.well-known/est/simpleenroll '; }

est_start() { # RULES [OPTION...]
    local rules=$1
    shift
    start_est --latency 0
    start_proxy --rules "$rules" --upstream "$CA_PORT" --root "$FOLDER/est/server_root.pem" \
        --certificate "$FOLDER/est/client.pem" --key "$FOLDER/est/client.key" "$@"
    sed -i "s,^url.*,url = http://127.0.0.1:$PROXY_PORT\nin_flight = $IN_FLIGHT," \
        "$FOLDER/conf.d/30-ca.conf"
}

est_certificates() {
    jq -r '"\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/est/issued.jsonl"
}

est_pem() { jq -r .certificate "$FOLDER/est/issued.jsonl" && cat "$FOLDER/est/issuing.pem"; }
