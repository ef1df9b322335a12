#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A CA that persons carry requests to. openssl plays it: another program than the one under test.
#
#   tests/e2e_file.sh [CASE...]
# shellcheck disable=SC2016 # what stands in single quotes is jq's
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

make_identity() { # NAME SUBJECT
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 \
        -subj "$2" -keyout "$FOLDER/offline/$1.key" -out "$FOLDER/offline/$1.pem" \
        2>>"$FOLDER/openssl.log"
}

make_offline() {
    mkdir -p "$FOLDER/offline"
    make_identity root '/CN=Offline Root'
    make_identity station '/CN=Bench 7'
    make_identity signer '/CN=The CA'"'"'s clerk'
    cat >"$FOLDER/conf.d/30-ca.conf" <<END
[ca offline]
backend = file
client_certificate_file = offline/station.pem
client_key_file = offline/station.key
server_root_file = offline/signer.pem
root_file = offline/root.pem
settle = 1s
[profile https]
ca = offline
END
}

# Instead: a CA that can be asked, by the program that was written there.
use_program() { # NAME
    chmod 755 "$FOLDER/offline/program"
    cat >"$FOLDER/conf.d/30-ca.conf" <<END
[ca $1]
backend = exec
command = offline/program
root_file = offline/root.pem
settle = 1s
[profile https]
ca = $1
END
}

open_bundle() { # FILE
    openssl cms -verify -inform PEM -in "$1" -CAfile "$FOLDER/offline/station.pem" -purpose any \
        -partial_chain 2>"$FOLDER/cms.log"
}

# Issues for every request of a bundle, into one PEM file.
ISSUER=root
issue() { # BUNDLE OUT
    local request
    : >"$2"
    open_bundle "$1" | jq -c '.requests[]' | while read -r request; do
        jq -r .csr <<<"$request" >"$FOLDER/offline/csr.pem"
        jq -r '"basicConstraints = critical, CA:FALSE", "keyUsage = critical, digitalSignature",
            "extendedKeyUsage = " + (.extended_key_usages | join(", ")),
            "subjectAltName = " + (.dns_names | map("DNS:" + .) | join(", "))' \
            <<<"$request" >"$FOLDER/offline/extensions"
        openssl x509 -req -in "$FOLDER/offline/csr.pem" -CA "$FOLDER/offline/$ISSUER.pem" \
            -CAkey "$FOLDER/offline/$ISSUER.key" -extfile "$FOLDER/offline/extensions" \
            -days "$(jq .validity_days <<<"$request")" 2>>"$FOLDER/openssl.log" >>"$2"
    done
}

fingerprint() { # FILE
    openssl x509 -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1
}

in_bundle() { open_bundle "$1" | jq '.requests | length'; }

# A trial would wait for persons: it is refused before anything is on record.
case_trial() {
    make_bench 1
    make_offline
    birthcert ca test offline --issue
    expect 'a trial' 2 'E-CA-UNSUPPORTED .*CA offline: .*outbox export.*inbox import'
    birthcert list
    expect_exit 'a trial: nothing is on record' 3
}

case_carried() {
    make_bench 8
    make_offline
    birthcert ca test offline
    expect 'ca test' 0 'fits the policy of CA offline'
    birthcert outbox export "$FOLDER/early.pem"
    expect 'nothing to carry yet' 3 '0 requests are in no file'
    start_cameras 8
    tray --lot LOT-1
    expect 'a tray ends without the CA' 1 '8 units of lot LOT-1: 0 passed.* 8 unfinished' \
        'birthcert outbox export FILE'
    birthcert outbox export "$FOLDER/bundle.pem"
    expect 'export' 0 '8 requests are in .*bundle.pem; 0 were carried before'
    ok 'export: openssl opens it' is "$(in_bundle "$FOLDER/bundle.pem")" 8
    ok 'export: names come from the profile' is \
        "$(open_bundle "$FOLDER/bundle.pem" | jq -r '[.requests[].dns_names[0]] | sort | .[0]')" \
        vx-000001.local
    birthcert outbox export "$FOLDER/second.pem"
    expect 'exported once' 3 '8 were carried before'
    ok 'exported once: no file' not test -e "$FOLDER/second.pem"
    birthcert outbox export "$FOLDER/again.pem" --again
    expect 'exported again where asked to' 0 '8 requests are in'
    birthcert outbox export "$FOLDER/bundle.pem" --again
    expect 'never over another bundle' 2 'E-EXISTS .*may not have been carried'
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    cat "$FOLDER/offline/root.pem" >>"$FOLDER/certificates.pem"
    birthcert inbox import "$FOLDER/certificates.pem"
    expect 'import' 0 '8 certificates for requests that wait, 0 for none' \
        'VX-000003: its certificate is here'
    tray --lot LOT-1
    expect 'the same tray again' 0 '8 passed'
    expect_certificates 'the same tray again' 8
    birthcert inbox import "$FOLDER/certificates.pem"
    expect 'imported twice' 3 '0 certificates for requests that wait, 8 for none'
}

# What is with persons is nothing to settle; and where the CA issues none, two people say so.
case_given_up() {
    make_bench 2
    make_offline
    start_cameras 2
    tray
    birthcert reconcile
    expect 'reconcile before anything is carried' 3 \
        'VX-000001 .*waits for a person to carry it to the CA.*birthcert outbox export'
    birthcert outbox export "$FOLDER/bundle.pem"
    birthcert reconcile
    expect 'reconcile of what is carried' 3 \
        'VX-000001 .*carried to the CA: waits for a person.*birthcert inbox import brings the certificate, birthcert release'
    birthcert scrap VX-000001
    expect 'scrap of what is carried' 5 'E-UNIT-HELD .*birthcert reconcile'
    sed -i.kept 's/^\(\[ca \|ca = \)offline/\1renamed/' "$FOLDER/conf.d/30-ca.conf"
    birthcert reconcile
    expect 'reconcile of what is carried to a CA that was renamed' 5 \
        'VX-000001 .*accepted: it was sent to CA offline, and the profile names renamed now; .*put the section of that CA back'
    mv "$FOLDER/conf.d/30-ca.conf.kept" "$FOLDER/conf.d/30-ca.conf"
    birthcert release VX-000001 --approve Tester
    expect 'release by the operator alone' 2 'a second person has to approve'
    for name in VX-000001 VX-000002; do
        birthcert release "$name" --approve 'B. Officer'
        expect "release of $name" 0 "$name: its certificate is asked for again"
    done
    ok 'release: who approved stands in the history' \
        is "$(ask show VX-000001 | grep -c 'approved by B. Officer')" 1
    birthcert release VX-000001 --approve Boss
    expect 'release twice' 3 'E-NOTHING-TO-DO'
    birthcert scrap VX-000001
    expect 'scrap, then' 0 'VX-000001 +SCRAPPED .*withdrawn'
    tray
    birthcert outbox export "$FOLDER/again.pem"
    expect 'the other is carried once more' 0 '1 requests are in .*; 0 were carried before'
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    birthcert inbox import "$FOLDER/certificates.pem"
    expect 'both come after all' 0 '1 certificates for requests that wait, 1 for none'
    birthcert release VX-000002 --approve Boss
    expect 'its certificate was brought' 5 'its certificate was brought: birthcert reconcile'
    birthcert reconcile
    expect 'reconcile takes it' 0 'VX-000002 .*issued: on record now'
    tray
    expect_slot 'scrapped' 1 FAIL E-UNIT-SCRAPPED
    expect_slot 'the other' 2 PASS
}

# A camera that waits for another CA, which takes its time, is not left because of the one that persons
# carry requests to.
case_two_cas() {
    make_bench 1
    make_offline
    mkdir -p "$FOLDER/slow"
    cp "$FOLDER/offline/root.pem" "$FOLDER/offline/root.key" "$FOLDER/slow/"
    cp fixtures/exec-ca.sh "$FOLDER/slow/ca"
    echo "$FOLDER/slow" >"$FOLDER/slow/exec-ca.folder"
    printf '#!/bin/sh\nsleep 5\nexec "%s/slow/ca" "$@"\n' "$FOLDER" >"$FOLDER/slow/program"
    chmod 755 "$FOLDER/slow/program"
    sed -i '/^\[profile/,$d' "$FOLDER/conf.d/30-ca.conf"
    printf '%s\n' '[ca slow]' 'backend = exec' 'command = slow/program' \
        'root_file = offline/root.pem' '[profile https]' 'ca = slow' '[profile idevid]' \
        'based_on = idevid' 'ca = offline' 'credential = 2' >"$FOLDER/conf.d/40-slow.conf"
    start_cameras 1 --credentials 2
    tray
    expect 'two CAs' 1 '1 units: 0 passed.* 1 unfinished' 'birthcert outbox export FILE'
    ok 'two CAs: the certificate of the one that is there was waited for' \
        is "$(sqlite3 "$FOLDER/birthcert.db" "SELECT count(*) FROM certificate")" 1
}

# Carried while the station works: nothing has to be stopped.
case_beside() {
    make_bench 2
    make_offline
    start_cameras 2
    start_birthcert run
    await_waiting 2
    ask outbox export "$FOLDER/bundle.pem" 2>"$FOLDER/export.log"
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    ask inbox import "$FOLDER/certificates.pem" 2>"$FOLDER/import.log"
    await_lines "$FOLDER/out" '^PASS' 2
    kill -TERM "$STATION_PID"
    await_birthcert
    expect_exit 'beside a running station' 0
    expect_certificates 'beside a running station' 2
}

await_waiting() { # COUNT
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        [ "$(ask list --json 2>/dev/null | jq -s '[.[] | select(.request == "accepted")] | length')" \
            != "$1" ] || return 0
        sleep 0.05
    done
    return 1
}

case_signed() {
    make_bench 1
    make_offline
    start_cameras 1
    tray
    birthcert outbox export "$FOLDER/bundle.pem"
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    envelope signer
    birthcert inbox import "$FOLDER/signed.pem"
    expect 'signed by the clerk' 0 '1 certificates'
    envelope station
    birthcert inbox import "$FOLDER/signed.pem"
    expect 'signed by somebody else' 5 'E-BUNDLE .*cannot be trusted'
    sed '10s/./A/' "$FOLDER/signed.pem" >"$FOLDER/damaged.pem"
    birthcert inbox import "$FOLDER/damaged.pem"
    expect 'damaged' 5 'E-BUNDLE'
    sed -i /server_root_file/d "$FOLDER/conf.d/30-ca.conf"
    birthcert inbox import "$FOLDER/signed.pem"
    expect 'nobody said who signs' 2 'E-CA-CONFIG .*server_root_file'
    tray
    expect 'then' 0 '1 passed'
}

envelope() { # WHO
    openssl cms -sign -binary -nodetach -in "$FOLDER/certificates.pem" -signer "$FOLDER/offline/$1.pem" \
        -inkey "$FOLDER/offline/$1.key" -outform PEM -out "$FOLDER/signed.pem"
}

# Two certificates for the one camera of lot LOT-1, first.pem and second.pem.
issue_twice() {
    make_bench 1
    make_offline
    start_cameras 1
    tray --lot LOT-1
    birthcert outbox export "$FOLDER/bundle.pem"
    issue "$FOLDER/bundle.pem" "$FOLDER/first.pem"
    issue "$FOLDER/bundle.pem" "$FOLDER/second.pem"
}

# The CA's clerk issued twice: the first in the file is taken, the other is somebody's to revoke.
case_twice() {
    issue_twice
    cat "$FOLDER/first.pem" "$FOLDER/first.pem" "$FOLDER/second.pem" >"$FOLDER/certificates.pem"
    birthcert inbox import "$FOLDER/certificates.pem"
    expect 'two for one key' 0 '1 certificates for requests that wait, 0 for none' \
        "VX-000001: a second certificate for the same key.*SHA-256 $(fingerprint "$FOLDER/second.pem").*revoke"
    ok 'two for one key: the same one again is no second one' is "$(said | grep -c 'a second')" 1
    tray --lot LOT-1
    expect 'two for one key, then' 0 '1 passed'
    expect_certificates 'two for one key' 1
    ok 'two for one key: the first is installed' is \
        "$(cameras_say | cut -d ' ' -f 3)" "$(fingerprint "$FOLDER/first.pem")"
}

# The same, one after the other, before a station takes the first.
case_twice_apart() {
    issue_twice
    birthcert inbox import "$FOLDER/first.pem"
    birthcert inbox import "$FOLDER/first.pem"
    expect 'the same one again' 0 '1 certificates for requests that wait'
    birthcert inbox import "$FOLDER/second.pem"
    expect 'a second one later' 3 '0 certificates for requests that wait' \
        "VX-000001: a second certificate for the same key.*SHA-256 $(fingerprint "$FOLDER/second.pem").*revoke"
    tray --lot LOT-1
    expect 'a second one later, then' 0 '1 passed'
    ok 'a second one later: the first is installed' is \
        "$(cameras_say | cut -d ' ' -f 3)" "$(fingerprint "$FOLDER/first.pem")"
}

# What is brought is checked as any CA's answer is.
case_bad() {
    make_bench 2
    make_offline
    start_cameras 2
    tray
    birthcert outbox export "$FOLDER/bundle.pem"
    mv "$FOLDER/offline/root.pem" "$FOLDER/offline/good.pem"
    mv "$FOLDER/offline/root.key" "$FOLDER/offline/good.key"
    make_identity root '/CN=Offline Root'
    issue "$FOLDER/bundle.pem" "$FOLDER/strange.pem"
    mv "$FOLDER/offline/good.pem" "$FOLDER/offline/root.pem"
    mv "$FOLDER/offline/good.key" "$FOLDER/offline/root.key"
    birthcert inbox import "$FOLDER/strange.pem"
    expect 'from a look-alike' 0 '2 certificates'
    tray
    expect 'from a look-alike: not installed' 5 'E-CERT-CHAIN'
    ok 'from a look-alike: in quarantine' \
        is "$(ask list --state quarantined --json | jq -r .serial | wc -l)" 2
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    birthcert inbox import "$FOLDER/certificates.pem"
    expect 'the right ones' 0 '2 certificates'
    birthcert reconcile
    expect_exit 'the right ones: reconcile' 0
    tray
    expect 'the right ones: installed' 0 '2 passed'
    ok 'the right ones: two live ones' is "$(sqlite3 "$FOLDER/birthcert.db" \
        'SELECT count(*) FROM certificate WHERE state = 1')" 2
}

case_bad_files() {
    make_bench 1
    make_offline
    : >"$FOLDER/empty.pem"
    birthcert inbox import "$FOLDER/empty.pem"
    expect 'an empty file' 2 'E-CERT-FILE .*empty.pem: .*it is empty; .*PEM, DER or PKCS #7'
    head -c 999 /dev/urandom | base64 | sed 's/^/é/' >"$FOLDER/garbage"
    birthcert inbox import "$FOLDER/garbage"
    expect 'garbage' 2 'E-CERT-FILE .*garbage: no certificates in .*neither PEM nor DER; .*PEM, DER or'
    openssl pkey -in "$FOLDER/offline/root.key" -outform DER -out "$FOLDER/key.der"
    birthcert inbox import "$FOLDER/key.der"
    expect 'a key in DER' 2 'E-CERT-FILE .*key.der: .*a private key in DER'
    openssl pkcs12 -export -in "$FOLDER/offline/root.pem" -inkey "$FOLDER/offline/root.key" \
        -passout pass:x -out "$FOLDER/both.p12"
    birthcert inbox import "$FOLDER/both.p12"
    expect 'a PKCS #12' 2 'E-CERT-FILE .*both.p12: .*a PKCS #12'
    birthcert inbox import "$FOLDER/none.pem"
    expect 'no file' 2 "E-USAGE $FOLDER/none.pem: No such file"
    birthcert inbox import "$FOLDER/offline"
    expect 'a folder' 2 "E-USAGE $FOLDER/offline: not a file"
    birthcert inbox import "$FOLDER/offline/station.key"
    expect 'a key' 2 'E-CERT-FILE .*PRIVATE KEY'
    birthcert inbox import "$FOLDER/offline/station.pem"
    expect 'a stranger' 3 '0 certificates for requests that wait'
    for _ in {1..9}; do cat "$FOLDER/offline/root.pem"; done >"$FOLDER/many.pem"
    birthcert inbox import "$FOLDER/many.pem"
    expect 'too many CAs' 2 'E-CERT-FILE .*many.pem: more than 8 .*intermediates_file'
    start_cameras 1
    tray
    birthcert outbox export "$FOLDER/no/such/folder"
    expect 'a place that is not there' 2 "E-USAGE $FOLDER/no/such/folder: No such file"
    birthcert outbox export -
    expect 'no file' 2 'E-USAGE -: name a file'
    ok 'no file: none is made' not test -e -
    birthcert outbox export "$FOLDER/tray.csv/below"
    expect 'a place below a file' 2 "E-USAGE $FOLDER/tray.csv/below: Not a directory"
    birthcert outbox export "$FOLDER/first.pem"
    expect 'a slip in the name: nothing was noted as carried' 0 '1 requests are in .*; 0 were carried before'
    sed -i /client_/d "$FOLDER/conf.d/30-ca.conf"
    birthcert outbox export "$FOLDER/bundle.pem" --again
    expect 'nobody to sign' 2 'E-CA-CONFIG .*client_key_file are not set'
}

# As CAs' administrators send certificates.
case_kinds() {
    local file
    issue_twice
    cp "$FOLDER/offline/root.pem" "$FOLDER/ca.pem"
    openssl x509 -in "$FOLDER/first.pem" -outform DER -out "$FOLDER/first.der"
    openssl x509 -in "$FOLDER/ca.pem" -outform DER -out "$FOLDER/ca.der"
    cat "$FOLDER/first.der" "$FOLDER/ca.der" >"$FOLDER/both.der"
    for file in DER PEM; do
        openssl crl2pkcs7 -nocrl -certfile "$FOLDER/ca.pem" -certfile "$FOLDER/first.pem" \
            -outform "$file" -out "$FOLDER/both-$file.p7b"
        openssl crl2pkcs7 -nocrl -outform "$file" -out "$FOLDER/none-$file.p7b"
    done
    for file in first.der both.der both-DER.p7b both-PEM.p7b; do
        birthcert inbox import "$FOLDER/$file"
        expect "$file" 0 '1 certificates for requests that wait, 0 for none'
    done
    head -c 700 "$FOLDER/both-DER.p7b" >"$FOLDER/cut.p7b"
    { cat "$FOLDER/first.der" && echo x; } >"$FOLDER/more.der"
    for file in none-DER.p7b none-PEM.p7b cut.p7b more.der; do
        birthcert inbox import "$FOLDER/$file"
        expect "$file" 2 "E-CERT-FILE .*$file: "
    done
    tray --lot LOT-1
    expect 'any kind, then' 0 '1 passed'
}

# What nobody at the CA could verify is not written, and not noted as carried.
case_ended() {
    make_bench 1
    make_offline
    start_cameras 1
    tray
    cp "$FOLDER/offline/station.pem" "$FOLDER/good.pem"
    openssl x509 -in "$FOLDER/good.pem" -signkey "$FOLDER/offline/station.key" -days -1 \
        -out "$FOLDER/offline/station.pem" 2>>"$FOLDER/openssl.log"
    birthcert outbox export "$FOLDER/bundle.pem"
    expect "the station's certificate has ended" 4 \
        "E-CA-EXPIRED .ca offline.: .*station.pem: the station's own certificate ended at 20"
    ok "the station's certificate has ended: no file" not test -e "$FOLDER/bundle.pem"
    cp "$FOLDER/good.pem" "$FOLDER/offline/station.pem"
    birthcert outbox export "$FOLDER/bundle.pem"
    expect 'a new one' 0 '1 requests are in .*; 0 were carried before'
    ok 'a new one: openssl opens it' is "$(in_bundle "$FOLDER/bundle.pem")" 1
}

# A request at another CA whose answer was lost, and that cannot be looked up.
case_held() {
    make_bench 1
    make_offline
    printf '#!/bin/sh\ncase $1 in submit) exit 1 ;; esac\nexit 64\n' >"$FOLDER/offline/program"
    use_program blind
    start_cameras 1
    tray
    expect 'held' 5 'E-UNIT-HELD'
    issue_for_database
    birthcert inbox import "$FOLDER/found.pem"
    expect "the CA's administrator found it" 0 '1 certificates'
    birthcert reconcile
    expect 'and it is settled' 0 'issued'
    tray
    expect 'and installed' 0 '1 passed'
    expect_certificates 'and installed' 1
}

# The same, where the CA's administrator found nothing: two people send it again.
case_released() {
    make_bench 1
    make_offline
    printf '#!/bin/sh\ncase $1 in submit) echo x >>"%s/asked"; exit 1 ;; esac\nexit 64\n' "$FOLDER" \
        >"$FOLDER/offline/program"
    use_program blind
    start_cameras 1
    tray
    expect 'held' 5 'E-UNIT-HELD' 'birthcert release'
    birthcert release VX-000001
    expect 'release without a second person' 2 'E-USAGE .*--approve is missing'
    birthcert release VX-000001 --approve Tester
    expect 'release by the operator alone' 2 'a second person has to approve'
    birthcert release VX-000009 --approve Boss
    expect 'release of nobody' 2 'E-STORE-UNKNOWN'
    ok 'until then asked once' is "$(wc -l <"$FOLDER/asked")" 1
    birthcert release VX-000001 --approve 'B. Officer'
    expect 'release' 0 'VX-000001: its certificate is asked for again'
    ok 'release: who approved stands in the history' \
        is "$(ask show VX-000001 | grep -c 'approved by B. Officer')" 1
    birthcert release VX-000001 --approve Boss
    expect 'release twice' 3 'E-NOTHING-TO-DO .*none of its 1 requests is held or carried'
    cp fixtures/exec-ca.sh "$FOLDER/offline/program"
    echo "$FOLDER/offline" >"$FOLDER/offline/exec-ca.folder"
    tray
    expect 'released, and issued' 0 '1 passed'
    expect_certificates 'released, and issued' 1
}

# Two CAs lost an answer of the same camera; one of their administrators has looked.
case_released_one() {
    local profile
    make_bench 1
    make_offline
    for profile in https idevid; do
        printf '#!/bin/sh\ncase $1 in submit) echo x >>"%s/asked.%s"; exit 1 ;; esac\nexit 64\n' \
            "$FOLDER" "$profile" >"$FOLDER/offline/$profile"
        chmod 755 "$FOLDER/offline/$profile"
        printf '[ca blind-%s]\nbackend = exec\ncommand = offline/%s\nroot_file = offline/root.pem\n' \
            "$profile" "$profile"
        printf 'settle = 1s\n[profile %s]\nca = blind-%s\n' "$profile" "$profile"
    done >"$FOLDER/conf.d/30-ca.conf"
    printf 'based_on = idevid\ncredential = 2\n' >>"$FOLDER/conf.d/30-ca.conf"
    start_cameras 1 --credentials 2
    tray
    expect 'two are held' 5 'E-UNIT-HELD'
    birthcert reconcile # the tray ends with the first that is held
    ok 'two are held: each was asked for once' is "$(cat "$FOLDER"/asked.* | wc -l)" 2
    birthcert release VX-000001 --approve Boss
    expect 'which one?' 2 'E-USAGE .*2 requests are held or carried .https at CA blind-https, idevid at CA blind-id'
    birthcert release VX-000001 --approve Boss --profile mqtt
    expect 'none of that profile' 3 'E-NOTHING-TO-DO .*held or carried for profile mqtt'
    birthcert release VX-000001 --approve Boss --profile idevid
    expect 'that one' 0 'asked for again'
    tray
    ok 'that one is asked for again' is "$(wc -l <"$FOLDER/asked.idevid")" 2
    ok 'the other is not' is "$(wc -l <"$FOLDER/asked.https")" 1
}

# Released to another CA than the one that has the request, or past a certificate that is there.
case_not_released() {
    make_bench 1
    make_offline
    printf '#!/bin/sh\ncase $1 in submit) exit 1 ;; esac\nexit 64\n' >"$FOLDER/offline/program"
    chmod 755 "$FOLDER/offline/program"
    for name in blind other; do
        printf '[ca %s]\nbackend = exec\ncommand = offline/program\nroot_file = offline/root.pem\n' \
            "$name"
        echo 'settle = 1s'
    done >"$FOLDER/conf.d/30-ca.conf"
    printf '[profile https]\nca = blind\n' >"$FOLDER/conf.d/40-profile.conf"
    start_cameras 1
    tray
    expect 'held' 5 'E-UNIT-HELD'
    printf '[profile https]\nca = other\n' >"$FOLDER/conf.d/40-profile.conf"
    birthcert release VX-000001 --approve Boss
    expect 'the profile names another CA now' 5 'CA blind has the request, the profile names other'
    birthcert reconcile
    expect 'reconcile, the profile names another CA' 5 \
        'VX-000001 .*held: it was sent to CA blind, and the profile names other now; have .profile https. name CA blind again, then'
    sed -i 's/^\[profile https\]/[profile web]/' "$FOLDER/birthcert.conf"
    printf '[profile web]\nca = other\n' >"$FOLDER/conf.d/40-profile.conf"
    birthcert reconcile
    expect 'reconcile, no such profile' 5 \
        'VX-000001 .*held: it was sent to CA blind, and the profile names none now; have .profile https. name CA blind again, then'
    sed -i 's/^\[profile web\]/[profile https]/' "$FOLDER/birthcert.conf"
    sed -i 's/^\[ca blind\]/[ca renamed]/' "$FOLDER/conf.d/30-ca.conf"
    printf '[profile https]\nca = renamed\n' >"$FOLDER/conf.d/40-profile.conf"
    birthcert reconcile
    expect 'reconcile, no such CA' 5 \
        'VX-000001 .*held: it was sent to CA blind, and the profile names renamed now; .* put the section of that CA back, then'
    sed -i 's/^\[ca renamed\]/[ca blind]/' "$FOLDER/conf.d/30-ca.conf"
    printf '[profile https]\nca = blind\n' >"$FOLDER/conf.d/40-profile.conf"
    birthcert reconcile
    expect 'reconcile, all of it put back' 5 'VX-000001 .*held: the CA cannot tell; ask the administrator of CA blind'
    issue_for_database
    birthcert inbox import "$FOLDER/found.pem"
    birthcert release VX-000001 --approve Boss
    expect 'its certificate was brought' 5 'its certificate was brought: birthcert reconcile'
    birthcert reconcile
    expect 'it is taken' 0 'issued'
}

# A certificate for the one CSR in the database, as the CA's administrator finds it.
issue_for_database() { # [HOST NAME]
    sqlite3 "$FOLDER/birthcert.db" "SELECT writefile('$FOLDER/csr.der', der) FROM csr" >/dev/null
    printf '%s\n' 'basicConstraints = critical, CA:FALSE' 'keyUsage = critical, digitalSignature' \
        'extendedKeyUsage = serverAuth, clientAuth' "subjectAltName = DNS:${1:-vx-000001.local}" \
        >"$FOLDER/extensions"
    openssl req -inform DER -in "$FOLDER/csr.der" -out "$FOLDER/csr.pem"
    openssl x509 -req -in "$FOLDER/csr.pem" -CA "$FOLDER/offline/root.pem" \
        -CAkey "$FOLDER/offline/root.key" -extfile "$FOLDER/extensions" -days 3650 \
        -out "$FOLDER/found.pem" 2>>"$FOLDER/openssl.log"
}

# It was brought while the request was on its way, which the CA did not take: nothing is bought beside it.
case_brought_early() {
    make_bench 1
    make_offline
    cp fixtures/exec-ca.sh "$FOLDER/offline/ca"
    echo "$FOLDER/offline" >"$FOLDER/offline/exec-ca.folder"
    printf '#!/bin/sh\n[ "$1" = submit ] || exec "%s/offline/ca" "$@"\n' "$FOLDER" >"$FOLDER/offline/program"
    printf 'echo x >>"%s/asked"\n[ -e "%s/go" ] && exec "%s/offline/ca" submit\n' "$FOLDER" "$FOLDER" \
        "$FOLDER" >>"$FOLDER/offline/program"
    printf 'while ! [ -e "%s/go" ]; do sleep 0.05; done\nexit 75\n' "$FOLDER" >>"$FOLDER/offline/program"
    use_program site
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/asked" x
    issue_for_database
    ask inbox import "$FOLDER/found.pem" >"$FOLDER/import.log" 2>&1
    touch "$FOLDER/go"
    await_birthcert
    expect 'brought while it was on its way' 0 '1 passed'
    expect_certificates 'brought while it was on its way' 1
    ok 'brought while it was on its way: not asked for again' is "$(wc -l <"$FOLDER/asked")" 1
    ok 'brought while it was on its way: that one is installed' is \
        "$(cameras_say | cut -d ' ' -f 3)" "$(fingerprint "$FOLDER/found.pem")"
}

# A file that is no good does not keep a CA that can be asked from being asked.
case_put_aside() {
    make_bench 1
    make_offline
    cp fixtures/exec-ca.sh "$FOLDER/offline/ca"
    echo "$FOLDER/offline" >"$FOLDER/offline/exec-ca.folder"
    printf '#!/bin/sh\ncase $1 in submit) cat >"%s/question"; echo %s; exit 0 ;; fetch)\n' "$FOLDER" \
        "'{\"outcome\": \"accepted\", \"handle\": \"h\"}'" >"$FOLDER/offline/program"
    printf '[ -e "%s/go" ] || { echo %s; exit 0; }\nexec "%s/offline/ca" submit <"%s/question" ;; esac\n' \
        "$FOLDER" "'{\"outcome\": \"accepted\"}'" "$FOLDER" "$FOLDER" >>"$FOLDER/offline/program"
    printf 'exec "%s/offline/ca" "$@"\n' "$FOLDER" >>"$FOLDER/offline/program"
    chmod 755 "$FOLDER/offline/program"
    printf '[ca slow]\nbackend = exec\ncommand = offline/program\nroot_file = offline/root.pem\n%s\n' \
        '[profile https]' >"$FOLDER/conf.d/30-ca.conf"
    echo 'ca = slow' >>"$FOLDER/conf.d/30-ca.conf"
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await_waiting 1
    issue_for_database other.local
    ask inbox import "$FOLDER/found.pem" >"$FOLDER/import.log" 2>&1
    await "$FOLDER/err" 'the certificate that was brought is put aside'
    touch "$FOLDER/go"
    await_birthcert
    expect 'a file that is no good' 0 '1 passed' 'E-CERT-NAMES'
    expect_certificates 'a file that is no good' 1
}

# The issuing CA is signed by two roots, of which the bench knows one.
case_cross_signed() {
    local signer
    make_bench 2
    make_offline
    make_identity old '/CN=Old Root'
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=Sub' \
        -keyout "$FOLDER/offline/sub.key" -out "$FOLDER/offline/sub.csr" 2>>"$FOLDER/openssl.log"
    printf '%s\n' 'basicConstraints = critical, CA:TRUE' 'keyUsage = critical, keyCertSign' \
        >"$FOLDER/offline/ca"
    for signer in root old; do
        openssl x509 -req -in "$FOLDER/offline/sub.csr" -CA "$FOLDER/offline/$signer.pem" -days 9000 \
            -CAkey "$FOLDER/offline/$signer.key" -extfile "$FOLDER/offline/ca" \
            -out "$FOLDER/offline/sub-$signer.pem" 2>>"$FOLDER/openssl.log"
    done
    cp "$FOLDER/offline/sub-root.pem" "$FOLDER/offline/sub.pem"
    ISSUER=sub
    start_cameras 2
    tray
    birthcert outbox export "$FOLDER/bundle.pem"
    issue "$FOLDER/bundle.pem" "$FOLDER/certificates.pem"
    cat "$FOLDER/offline/sub-old.pem" "$FOLDER/offline/sub-root.pem" >>"$FOLDER/certificates.pem"
    birthcert inbox import "$FOLDER/certificates.pem"
    expect_exit 'cross-signed' 0
    tray
    expect 'cross-signed' 0 '2 passed'
    expect_certificates 'cross-signed' 2
}

run_cases trial carried given_up two_cas twice twice_apart beside signed bad bad_files kinds ended held released \
    released_one not_released brought_early put_aside cross_signed
