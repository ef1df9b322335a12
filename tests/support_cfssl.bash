# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Debian's cfssl as a station's CA, for tests/e2e_*.sh beside e2e_lib.bash and support_tls.bash.

AUTH_KEY=4c1d8a5f7be0936233ac917d05e86f42
AUTHSIGN=/api/v1/cfssl/authsign

# A root and a CA below it that issues; TLS of its own. What it issues goes into its database.
make_cfssl() {
    local usages='"usages": ["digital signature", "server auth", "client auth"]'
    make_ca root 'Factory Root'
    make_ca issuing 'Factory Issuing CA' root
    make_ca tls 'TLS Root'
    for name in server station front; do make_tls "$name" tls; done
    cat >"$FOLDER/cfssl.json" <<END
{"signing": {
  "default": {"expiry": "8760h", "usages": ["digital signature", "server auth"]},
  "profiles": {
    "open": {"expiry": "87600h", $usages, "csr_whitelist": {
        "public_key": true, "public_key_algorithm": true, "signature_algorithm": true}},
    "camera": {"expiry": "87600h", $usages, "auth_key": "station"},
    "device": {"expiry": "2562047h", "not_after": "9999-12-31T23:59:59Z",
        "usages": ["digital signature"]},
    "short": {"expiry": "720h", $usages}}},
 "auth_keys": {"station": {"type": "standard", "key": "$AUTH_KEY"}}}
END
    sqlite3 "$FOLDER/cfssl.db" 'CREATE TABLE certificates (serial_number blob NOT NULL,
        authority_key_identifier blob NOT NULL, ca_label blob, status blob NOT NULL, reason int,
        expiry timestamp, revoked_at timestamp, pem blob NOT NULL,
        PRIMARY KEY (serial_number, authority_key_identifier))'
    printf '{"driver": "sqlite3", "data_source": "%s/cfssl.db%s"}' "$FOLDER" \
        '?_journal_mode=WAL&_busy_timeout=60000' >"$FOLDER/db.json"
    echo "$AUTH_KEY" >"$FOLDER/auth.key"
    chmod 600 "$FOLDER/auth.key"
}

# Started again it has its port again.
start_cfssl() { # OPTION...
    [ -f "$FOLDER/cfssl.json" ] || make_cfssl
    if [ -z "${CFSSL_PORT:-}" ]; then
        pick_port
        CFSSL_PORT=$PORT
    fi
    cfssl serve -address=127.0.0.1 -port="$CFSSL_PORT" -ca "$FOLDER/issuing.pem" \
        -ca-key "$FOLDER/issuing.key" -config "$FOLDER/cfssl.json" \
        -db-config "$FOLDER/db.json" -tls-cert "$FOLDER/server.pem" \
        -tls-key "$FOLDER/server.key" "$@" >>"$FOLDER/cfssl.log" 2>&1 &
    CFSSL_PID=$!
    STARTED+=("$CFSSL_PID")
    await_port "$CFSSL_PORT" "$CFSSL_PID"
}

start_mutual() { start_cfssl -mutual-tls-ca "$FOLDER/tls.pem"; }

kill_cfssl() {
    kill -KILL "$CFSSL_PID"
    wait "$CFSSL_PID" 2>/dev/null || true
}

# It becomes the CA of the profile https.
write_cfssl() { # URL PROFILE LINE...
    {
        printf '[ca factory]\nbackend = cfssl\nurl = %s\nca_profile = %s\n' "$1" "$2"
        printf 'server_root_file = tls.pem\nroot_file = root.pem\n'
        shift 2
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf '[profile https]\nca = factory\n'
    } >"$FOLDER/conf.d/30-ca.conf"
}

url() { echo "https://127.0.0.1:$CFSSL_PORT"; }
KEY='signing_key_file = auth.key'
MUTUAL='client_certificate_file = station.pem
client_key_file = station.key'
