# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated Vault, for tests/e2e_ca_cuts.sh. What it issued is found among all that it keeps.

# shellcheck source=tests/support_vault.bash
. tests/support_vault.bash

# The list grows with what was issued: no byte of it is where it was. tests/check_vault_look.c breaks it.
vault_rows() {
    cat <<'END'
vault_sign  64 32  97  1 no  one POST /v1/pki/sign/camera
vault_cert  16  6 197  3 yes one GET /v1/pki/cert/
vault_start  1 12 397  2 no  one GET /v1/auth/token/lookup-self|GET /v1/pki/roles/camera|GET /v1/pki/issuer/default/json|POST /v1/sys/capabilities-self
END
}
vault_issues() { echo 'POST /v1/pki/sign/camera '; }

vault_start() { # RULES [OPTION...]
    local rules=$1
    shift
    SETTLE=500ms start_vault --latency 0
    start_proxy --rules "$rules" --upstream "$CA_PORT" --root "$FOLDER/vault/server_root.pem" \
        --certificate "$FOLDER/vault/client.pem" --key "$FOLDER/vault/client.key" "$@"
    sed -i "s,^url.*,url = http://127.0.0.1:$PROXY_PORT\nin_flight = $IN_FLIGHT," \
        "$FOLDER/conf.d/30-ca.conf"
}

vault_certificates() {
    jq -r '"\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/vault/issued.jsonl"
}
