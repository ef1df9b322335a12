# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# step-ca as a station's CA, for tests/e2e_*.sh beside e2e_lib.bash and support_tls.bash: built with
# fixtures/stepca out of Debian's package of its library.

STEPCA=build/stepca/step-ca
SIGN=/1.0/sign

# Some minutes the first time; then only when the launcher or the package has changed.
build_stepca() {
    mkdir -p build/stepca
    env -u GOFLAGS GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$PWD/build/stepca/cache" \
        CGO_ENABLED=0 go build -o "$STEPCA" fixtures/stepca/main.go
}

base64_url() { basenc --base64url -w0 | tr -d =; }

# A JSON Web Key: KEY.jwk, and KEY.public.jwk for step-ca.
make_jwk() { # KEY
    local x y d thumbprint
    openssl ecparam -name prime256v1 -genkey -noout -outform DER >"$FOLDER/$1.der"
    d=$(head -c 39 "$FOLDER/$1.der" | tail -c 32 | base64_url)
    x=$(tail -c 64 "$FOLDER/$1.der" | head -c 32 | base64_url)
    y=$(tail -c 32 "$FOLDER/$1.der" | base64_url)
    rm "$FOLDER/$1.der"
    thumbprint=$(printf '{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}' "$x" "$y" |
        openssl dgst -sha256 -binary | base64_url)
    printf '{"use":"sig","kty":"EC","kid":"%s","crv":"P-256","alg":"ES256","x":"%s","y":"%s"}' \
        "$thumbprint" "$x" "$y" >"$FOLDER/$1.public.jwk"
    printf '{"kty":"EC","crv":"P-256","x":"%s","y":"%s","d":"%s"}\n' "$x" "$y" "$d" \
        >"$FOLDER/$1.jwk"
    chmod 600 "$FOLDER/$1.jwk"
}

# What the page of the backend tells its administrator to write.
template() {
    sed -n '/^      {$/,/^      }$/p' ca-client/docs/stepca.md
}

make_stepca() {
    make_ca root 'Factory Root'
    make_ca issuing 'Factory Issuing CA' root
    make_ca tls 'TLS Root'
    make_tls front tls
    make_jwk station
    make_jwk stranger
    pick_port
    STEPCA_PORT=$PORT
    jq -n --arg folder "$FOLDER" --arg port "$STEPCA_PORT" --arg template "$(template)" \
        --slurpfile key "$FOLDER/station.public.jwk" '{
        root: "\($folder)/root.pem", crt: "\($folder)/issuing.pem", key: "\($folder)/issuing.key",
        address: "127.0.0.1:\($port)", dnsNames: ["127.0.0.1"], logger: {format: "text"},
        db: {type: "badgerv2", dataSource: "\($folder)/db"},
        authority: {provisioners: [
            {type: "JWK", name: "station", key: $key[0],
             claims: {maxTLSCertDuration: "87601h", defaultTLSCertDuration: "24h"},
             options: {x509: {template: $template}}},
            {type: "JWK", name: "plain", key: $key[0],
             claims: {maxTLSCertDuration: "87601h", defaultTLSCertDuration: "24h"}},
            {type: "JWK", name: "short", key: $key[0], options: {x509: {template: $template}},
             claims: {maxTLSCertDuration: "720h", defaultTLSCertDuration: "24h"}},
            {type: "JWK", name: "broken", key: $key[0],
             claims: {maxTLSCertDuration: "87601h", defaultTLSCertDuration: "24h"},
             options: {x509: {template: "{\"subject\": {{ toJson .Token.nothing.there }}"}}},
            {type: "JWK", name: "endless", key: $key[0], options: {x509: {template: $template}},
             claims: {maxTLSCertDuration: "2562047h46m16.854775807s", defaultTLSCertDuration: "24h"}}
        ]}}' >"$FOLDER/ca.json"
}

# Started again it has its port and its database again.
start_stepca() {
    [ -f "$FOLDER/ca.json" ] || make_stepca
    "$STEPCA" "$FOLDER/ca.json" >>"$FOLDER/stepca.log" 2>&1 &
    STEPCA_PID=$!
    STARTED+=("$STEPCA_PID")
    await_port "$STEPCA_PORT" "$STEPCA_PID"
}

kill_stepca() {
    kill -KILL "$STEPCA_PID"
    wait "$STEPCA_PID" 2>/dev/null || true
}

write_stepca() { # URL SERVER_ROOT LINE...
    {
        printf '[ca factory]\nbackend = stepca\nurl = %s\nserver_root_file = %s\n' "$1" "$2"
        printf 'root_file = root.pem\nprovisioner = %s\nsigning_key_file = %s\n' \
            "${PROVISIONER:-station}" "${SIGNING_KEY:-station.jwk}"
        shift 2
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf '[profile https]\nca = factory\n'
    } >"$FOLDER/conf.d/30-ca.conf"
}

write_direct() { write_stepca "https://127.0.0.1:$STEPCA_PORT" root.pem; }

# It logs every certificate that it makes: DER in base64, a line each.
stepca_made() {
    sed -n 's/.*certificate="\?\([A-Za-z0-9+/=]*\).*/\1/p' "$FOLDER/stepca.log"
}

# The same as its administrator finds them, and the CA's own.
stepca_pem() {
    stepca_made | while read -r der; do
        printf '%s\n' '-----BEGIN CERTIFICATE-----' "$(fold -w 64 <<<"$der")" '-----END CERTIFICATE-----'
    done
    cat "$FOLDER/issuing.pem"
}
