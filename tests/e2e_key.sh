#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The station's keys in a PKCS#11 token (SoftHSM): the one of mutual TLS against the simulated HVCA,
# and the embedded CA's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

readonly PIN=27182818
MODULE=$(echo /usr/lib/*/softhsm/libsofthsm2.so)
readonly MODULE

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

run_cases mutual_tls embedded_ca wrong_pin no_token
