# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's cfssl, for tests/e2e_ca_cuts.sh. Its administrator finds what it issued in its database; the
# station cannot ask. Its check goes where requests go.

# shellcheck source=tests/support_cfssl.bash
. tests/support_cfssl.bash

cfssl_rows() {
    cat <<'END'
cfssl_held   64 32  83  1 no  held   POST /api/v1/cfssl/authsign
cfssl_resent 64 32 173  1 no  resent POST /api/v1/cfssl/authsign
END
}
cfssl_issues() { echo 'POST /api/v1/cfssl/authsign '; }
cfssl_probes() { echo 1; }

cfssl_start() { # RULES [OPTION...]
    local rules=$1
    shift
    start_mutual
    start_proxy --rules "$rules" --upstream "$CFSSL_PORT" --root "$FOLDER/tls.pem" \
        --certificate "$FOLDER/station.pem" --key "$FOLDER/station.key" "$@"
    write_cfssl "http://127.0.0.1:$PROXY_PORT" camera "$KEY" "in_flight = $IN_FLIGHT" \
        "lost_answer = $LOST"
}

cfssl_certificates() {
    sqlite3 "$FOLDER/cfssl.db" "SELECT replace(replace(replace(pem, '-----BEGIN CERTIFICATE-----', ''),
        '-----END CERTIFICATE-----', ''), char(10), '') FROM certificates" | keys_and_serials
}

cfssl_pem() { sqlite3 "$FOLDER/cfssl.db" 'SELECT pem FROM certificates' && cat "$FOLDER/issuing.pem"; }
