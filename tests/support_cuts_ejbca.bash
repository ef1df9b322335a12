# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated EJBCA, for tests/e2e_ca_cuts.sh. It can be asked what it issued.

# shellcheck source=tests/support_ejbca.bash
. tests/support_ejbca.bash

ejbca_rows() {
    cat <<'END'
ejbca_issue 64 32  97  1 no  one POST /ejbca/ejbca-rest-api/v1/certificate/pkcs10enroll
ejbca_look  16  6 399  7 yes one POST /ejbca/ejbca-rest-api/v2/certificate/search
ejbca_start  1 12 999 17 no  one GET /ejbca/ejbca-rest-api/v1/ca HTTP/1.1|GET /ejbca/ejbca-rest-api/v1/ca/|GET /ejbca/ejbca-rest-api/v2/certificate/profile/
END
}
ejbca_issues() { echo 'POST /ejbca/ejbca-rest-api/v1/certificate/pkcs10enroll '; }

ejbca_start() { # RULES [OPTION...]
    local rules=$1
    shift
    start_ejbca --latency 0
    start_proxy --rules "$rules" --upstream "$CA_PORT" --root "$FOLDER/ejbca/server_root.pem" \
        --certificate "$FOLDER/ejbca/client.pem" --key "$FOLDER/ejbca/client.key" "$@"
    sed -i "s,^url.*,url = http://127.0.0.1:$PROXY_PORT/ejbca/ejbca-rest-api," \
        "$FOLDER/conf.d/30-ca.conf"
    sed -i "s/^settle.*/settle = 500ms\nin_flight = $IN_FLIGHT/" "$FOLDER/conf.d/30-ca.conf"
}

ejbca_certificates() {
    jq -r '"\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/ejbca/issued.jsonl"
}
