#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The station's keys in a PKCS#11 token: the one of mutual TLS against the simulated HVCA, and the
# embedded CA's. The token is SoftHSM, and for mutual TLS also a simulated TPM.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

readonly PIN=27182818
MODULE=$(echo /usr/lib/*/softhsm/libsofthsm2.so)

# ---- a token of the case's own -------------------------------------------------------------------

make_token() { # LABEL
    export SOFTHSM2_CONF=$FOLDER/softhsm2.conf
    mkdir -p "$FOLDER/tokens"
    printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$FOLDER/tokens" >"$SOFTHSM2_CONF"
    softhsm2-util --init-token --free --label "$1" --pin "$PIN" --so-pin 31415926 >"$FOLDER/hsm.log"
    (umask 077 && echo "$PIN" >"$FOLDER/pin")
}

# The file is gone afterwards: what signs now is the token.
move_key() { # TOKEN FILE OBJECT ID
    openssl pkcs8 -topk8 -nocrypt -in "$2" -out "$FOLDER/import.key"
    softhsm2-util --import "$FOLDER/import.key" --token "$1" --label "$3" --id "$4" --pin "$PIN" \
        >>"$FOLDER/hsm.log"
    rm "$2" "$FOLDER/import.key"
}

uri() { # TOKEN OBJECT
    echo "pkcs11:token=$1;object=$2?pin-source=pin&module-path=$MODULE"
}

with_key() { # KEY VALUE: in every file of the configuration
    sed -i "s#^$1 = .*#$1 = ${2//&/\\&}#" "$FOLDER"/birthcert.conf "$FOLDER"/conf.d/*.conf
}

expect_no_pin() { # WHAT
    ok "$1: the PIN is nowhere in what it says" not grep -r "$PIN" "$FOLDER/out" "$FOLDER/err" \
        "$FOLDER/log"
}

# ---- cases ---------------------------------------------------------------------------------------

case_mutual_tls() {
    make_bench 3
    make_token station
    make_hvca
    move_key station "$FOLDER/hvca/client.key" mtls 01
    start_cameras 3
    # shellcheck disable=SC2119 # the options are optional
    start_hvca
    with_key client_key_file "$(uri station mtls)"
    birthcert doctor
    expect 'doctor' 0 '^ok +CA hvca: client_key_file: the PIN in .*/pin: private' \
        '^ok +CA hvca: client_key_file: key mtls in token station: found, and logged in' \
        '^ok +CA hvca: hvca: reached, and logged in' \
        "^ok +CA hvca: the station's own certificate ends at"
    tray
    expect 'tray' 0 '3 passed'
    expect_certificates 'tray' 3
    expect_no_pin 'tray'
}

# As docs/keys.md tells: the key is made in the TPM, and its certificate for the public key.
make_tpm_token() {
    export TPM2_PKCS11_STORE=$FOLDER/store TPM2_PKCS11_TCTI=swtpm:path=$FOLDER/tpm TSS2_LOG=all+NONE
    MODULE=$(echo /usr/lib/*/pkcs11/libtpm2_pkcs11.so)
    mkdir -p "$FOLDER/tpm-state" "$FOLDER/store"
    swtpm socket --tpm2 --tpmstate dir="$FOLDER/tpm-state" --flags not-need-init,startup-clear \
        --server type=unixio,path="$FOLDER/tpm" --ctrl type=unixio,path="$FOLDER/tpm.ctrl" \
        >"$FOLDER/swtpm.log" 2>&1 &
    STARTED+=($!)
    (umask 077 && echo "$PIN" >"$FOLDER/pin")
    export GNUTLS_PIN=$PIN GNUTLS_SO_PIN=31415926
    tpm_tool --initialize --label tpm --set-so-pin "$GNUTLS_SO_PIN" 'pkcs11:token='
    tpm_tool --initialize-pin --set-pin "$PIN" pkcs11:token=tpm
    tpm_tool --login --generate-privkey=ecdsa --curve=secp256r1 --label mtls --id 01 \
        --outfile "$FOLDER/mtls.pub" pkcs11:token=tpm
}

tpm_tool() { p11tool --batch --provider="$MODULE" "$@" >>"$FOLDER/hsm.log" 2>&1; }

certify_tpm_key() {
    local hvca=$FOLDER/hvca
    openssl req -new -key "$hvca/client.key" -subj /CN=tpm -out "$FOLDER/any.csr"
    printf 'keyUsage = critical, digitalSignature\nextendedKeyUsage = clientAuth\n' >"$FOLDER/usage"
    openssl x509 -req -in "$FOLDER/any.csr" -force_pubkey "$FOLDER/mtls.pub" -days 365 \
        -CA "$hvca/client_ca.pem" -CAkey "$hvca/client_ca.key" -extfile "$FOLDER/usage" \
        -out "$hvca/client.pem" 2>>"$FOLDER/hsm.log"
    rm "$hvca/client.key"
}

case_tpm() {
    # The TPM's module loses 66 bytes at each signature (Debian 12, 1.9.0: C_SignInit). The other
    # cases go the same ways of our own.
    export ASAN_OPTIONS=detect_leaks=0
    make_bench 2
    make_tpm_token
    make_hvca
    certify_tpm_key
    start_cameras 2
    # shellcheck disable=SC2119 # the options are optional
    start_hvca
    with_key client_key_file "$(uri tpm mtls)"
    birthcert doctor
    expect 'doctor' 0 '^ok +CA hvca: client_key_file: key mtls in token tpm: found, and logged in' \
        '^ok +CA hvca: hvca: reached, and logged in'
    tray
    expect 'tray' 0 '2 passed'
    expect_certificates 'tray' 2
    expect_no_pin 'tray'
}

case_embedded_ca() {
    make_bench 3
    make_token factory
    move_key factory "$FOLDER/ca/root.key" 'ca' 0a
    start_cameras 3
    with_key ca_key_file "$(uri factory ca)"
    birthcert doctor
    expect 'doctor' 0 '^ok +CA trial: ca_key_file: key ca in token factory: found, and logged in'
    tray
    expect 'tray' 0 '3 passed'
    expect_certificates 'tray' 3
    expect_no_pin 'tray'
}

# What persons carry to a CA is signed by the token, whatever its kind of key.
case_bundle() {
    local kind id=0
    declare -A parameters=([ec]=ec_paramgen_curve:P-256 [rsa]=rsa_keygen_bits:2048)
    make_bench 1
    make_token station
    start_cameras 1
    mkdir "$FOLDER/offline"
    for kind in ec rsa; do
        openssl req -x509 -newkey $kind -pkeyopt "${parameters[$kind]}" -nodes -subj '/CN=bench' \
            -days 30 -keyout "$FOLDER/$kind.key" -out "$FOLDER/offline/$kind.pem" 2>/dev/null
        move_key station "$FOLDER/$kind.key" "$kind" "0$((++id))"
        {
            printf '[ca offline]\nbackend = file\nroot_file = ca/root.pem\n'
            printf 'client_certificate_file = offline/%s.pem\nclient_key_file = %s\n' "$kind" \
                "$(uri station "$kind")"
            printf '[profile https]\nca = offline\n'
        } >"$FOLDER/conf.d/30-ca.conf"
        tray
        birthcert outbox export "$FOLDER/$kind.bundle" --again
        expect "a bundle, $kind" 0 '1 requests are in'
        ok "a bundle, $kind: openssl opens it" openssl cms -verify -inform PEM \
            -in "$FOLDER/$kind.bundle" -CAfile "$FOLDER/offline/$kind.pem" -purpose any \
            -out "$FOLDER/requests"
    done
    expect_no_pin 'a bundle'
}

# Nothing tries a wrong PIN twice, though two CAs have their keys in the token.
case_wrong_pin() {
    make_bench 1
    make_token factory
    move_key factory "$FOLDER/ca/root.key" ca 0a
    with_key ca_key_file "$(uri factory ca)"
    printf '[ca second]\nbackend = local\nca_certificate_file = ca/root.pem\nca_key_file = %s\n' \
        "$(uri factory ca)" >"$FOLDER/conf.d/30-ca.conf"
    printf '[profile other]\nbased_on = https\nca = second\ncredential = 2\n' \
        >>"$FOLDER/conf.d/30-ca.conf"
    echo 11111111 >"$FOLDER/pin"
    birthcert doctor
    expect 'doctor' 4 '^fault +CA .*ca_key_file: token factory refuses the PIN in .*/pin' \
        'E-KEY-PIN' 'its token was not asked'
    ok 'doctor: one try' is "$(grep -c 'refuses the PIN' "$FOLDER/out")" 1
    tray
    expect 'tray' 4 'E-KEY-PIN.*/pin'
    echo "$PIN" >"$FOLDER/pin"
    birthcert doctor
    expect_text 'doctor, with the right one' 'CA second: ca_key_file: key ca .* logged in'
    chmod 644 "$FOLDER/pin"
    birthcert doctor
    expect_text 'doctor, with an open file' 'E-SECRET-EXPOSED.*pin'
    with_key ca_key_file "pkcs11:token=factory;object=ca?pin-value=$PIN"
    birthcert doctor
    expect 'doctor, with the PIN in the configuration' 2 'E-CONFIG.*pin-source=FILE'
    expect_no_pin 'doctor'
}

case_no_token() {
    make_bench 1
    make_token factory
    with_key ca_key_file "$(uri elsewhere ca)"
    birthcert doctor
    expect 'doctor' 4 'E-KEY-TOKEN.*there is no token elsewhere' 'p11tool --list-tokens'
    with_key ca_key_file "$(uri factory ca)"
    birthcert doctor
    expect 'doctor, without the object' 4 'E-KEY-OBJECT.*no private key that fits'
    move_key factory "$FOLDER/ca/root.key" ca 0a
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=Other \
        -keyout /dev/null -out "$FOLDER/ca/root.pem" 2>>"$FOLDER/hsm.log"
    birthcert doctor
    expect 'doctor, with the certificate of another key' 2 \
        'E-CA-CONFIG.*key ca in token factory.*does not belong'
}

run_cases mutual_tls tpm embedded_ca bundle wrong_pin no_token
