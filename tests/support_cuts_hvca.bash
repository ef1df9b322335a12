# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated HVCA, for tests/e2e_ca_cuts.sh. It can be asked what it issued.

hvca_rows() {
    cat <<'END'
hvca_issue  64 32   7  1 no  one POST /v2/certificates
hvca_fetch  64 32  29  1 no  one GET /v2/certificates/
hvca_list   16  6  61  3 yes one GET /v2/stats/issued
hvca_start   1 12 199  2 no  one POST /v2/login|GET /v2/validationpolicy|GET /v2/trustchain
END
}
hvca_issues() { echo 'POST /v2/certificates '; }

hvca_start() { # RULES [OPTION...]
    start_hvca --pending 0 --latency 0 --latency-jitter 0
    proxy_hvca "$@"
    sed -i "s/^settle.*/settle = 500ms\nin_flight = $IN_FLIGHT/" "$FOLDER/conf.d/30-ca.conf"
}

hvca_certificates() {
    jq -r '"\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/hvca/issued.jsonl"
}
