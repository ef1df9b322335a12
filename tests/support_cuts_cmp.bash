# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A CMP server with many transactions (tests/cmp_ca.c), for tests/e2e_ca_cuts.sh. It cannot be asked what it
# issued. One that it issued is confirmed in an exchange of its own; this server, OpenSSL's, hears of each
# certificate once.

cmp_rows() {
    cat <<'END'
cmp_held     64 32 211  1 no  held   p10cr POST /.well-known/cmp
cmp_resent   64 32 509  1 no  resent p10cr POST /.well-known/cmp
cmp_confirm  64 32 211  1 no  held   certConf POST /.well-known/cmp
END
}
cmp_issues() { echo 'p10cr POST /.well-known/cmp '; }

cmp_start() { # RULES [OPTION...]
    local rules=$1
    shift
    mkdir -p "$FOLDER/cmp"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/cmp-ca" "$FOLDER/cmp" >"$FOLDER/cmp.log" 2>&1 &
    STARTED+=($!)
    await "$FOLDER/cmp.log" '^listening '
    start_proxy --rules "$rules" --upstream "$(sed -n 's/^listening .*://p' "$FOLDER/cmp.log")" \
        --root "$FOLDER/cmp/root.pem" --cmp "$@"
    {
        printf '[ca cmp]\nbackend = cmp\nurl = http://127.0.0.1:%s\n' "$PROXY_PORT"
        printf 'in_flight = %s\nlost_answer = %s\n' "$IN_FLIGHT" "$LOST"
        printf '%s = cmp/%s\n' client_certificate_file station.pem client_key_file station.key \
            server_root_file root.pem root_file issuing.pem
        printf '[profile https]\nca = cmp\n'
    } >"$FOLDER/conf.d/30-ca.conf"
}

cmp_certificates() {
    touch "$FOLDER/cmp/issued.pem"
    awk '/^-----BEGIN/ { text = ""; next } /^-----END/ { print text; next } { text = text $0 }' \
        "$FOLDER/cmp/issued.pem" | keys_and_serials
}

cmp_pem() { cat "$FOLDER/cmp/issued.pem"; }
