#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Bad input of every kind, with the real program: each gets a message that says what and where, the
# right exit status, and loses nothing. With the fault gone the same tray ends well, and the CA has
# issued one certificate for each camera.
#
#   tests/e2e_bad.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

# ---- the manifest --------------------------------------------------------------------------------

bad_manifest() { # WHAT LINE EXPRESSION; the manifest is on stdin
    cat >"$FOLDER/tray.csv"
    tray
    expect "manifest, $1" 2 "E-MANIFEST .*/tray\\.csv:$2: .*$3.*; correct the named line"
}

case_manifest() {
    make_bench 2
    start_cameras 2
    printf 'place,serial\n1,VX-000001\n' | bad_manifest "a missing column" 1 'no column slot'
    printf 'slot;serial\n1;VX-000001\n' | bad_manifest "semicolons" 1 'commas'
    printf 'slot,serial\n1,VX-000001\n2,VX-000001\n' |
        bad_manifest "a duplicate serial" 3 '"VX-000001" is already on line 2'
    printf 'slot,serial\n1,VX-000001\n1,VX-000002\n' |
        bad_manifest "a duplicate slot" 3 '"1" is already on line 2'
    printf 'slot,serial\n1,VX-000001\n7,VX-000002\n' | bad_manifest "an unknown slot" 3 'slot "7"'
    printf 'slot,serial\n1,VX-000001,x\n' | bad_manifest "a field too many" 2 '3 fields'
    printf 'slot,serial\n1,VX\033[2J\n' | bad_manifest "control characters" 2 'x1b'
    expect_printable "manifest, control characters"
    printf 'slot,serial\n' | bad_manifest "no row" 2 'empty'
    rm "$FOLDER/tray.csv"
    tray
    expect "manifest, no file" 2 'E-MANIFEST .*/tray\.csv'
    ok "manifest, none of them: nothing was started" is \
        "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM unit')" 0
    printf '\xef\xbb\xbfslot,serial\r\n1,VX-000001\r\n' >"$FOLDER/tray.csv"
    tray
    expect "manifest, a BOM and CRLF: accepted" 0 '^PASS +slot 1 +VX-000001' '1 passed'
    write_manifest 2
    expect_good_end "manifest" 2
}

# ---- the configuration ---------------------------------------------------------------------------

bad_line() { # WHAT SECTION LINE EXPRESSION
    printf '%s\n%s\n' "$2" "$3" >"$FOLDER/conf.d/90-bad.conf"
    tray
    expect "configuration, $1" 2 "E-CONFIG .*/90-bad\\.conf:[12]: .*$4.*; correct the named file"
    rm "$FOLDER/conf.d/90-bad.conf"
}

case_configuration() {
    make_bench 2
    start_cameras 2
    start_hvca
    bad_line "an unknown key" '[station]' 'nmae = x' 'nmae.*name'
    bad_line "an unknown section" '[statoin]' 'name = x' 'statoin.*\[station\]'
    bad_line "a bad value" '[station]' 'lock = maybe' 'maybe.*no or yes'
    bad_line "a secret in it" '[ca hvca]' 'api_secret = tell-nobody' 'api_secret_file'
    ok "configuration, a secret in it: it is not repeated" not says tell-nobody
    "$BUILD/birthcert" list --config /nowhere/x.conf >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "no configuration" 2 'E-CONFIG-MISSING .*/nowhere/x\.conf'
    birthcert frobnicate
    expect "an unknown verb" 2 'E-USAGE .*"frobnicate"'
    for name in api_secret api_key client.key; do
        chmod 644 "$FOLDER/hvca/$name"
        tray
        expect "$name can be read by others" 2 "E-SECRET-EXPOSED .*/hvca/$name.*; chmod 600"
        chmod 600 "$FOLDER/hvca/$name"
    done
    mv "$FOLDER/hvca/api_key" "$FOLDER/api_key"
    tray
    expect "a secret is missing" 2 'E-SECRET-MISSING .*/hvca/api_key'
    mv "$FOLDER/api_key" "$FOLDER/hvca/api_key"
    ok "a bad configuration: nothing was issued" is "$(issued)" 0
    expect_good_end "configuration" 2
}

# ---- the database --------------------------------------------------------------------------------

case_database() {
    local good="$FOLDER/birthcert.db" sum
    make_bench 3
    start_cameras 1
    start_beside run
    await "$FOLDER/beside" '^PASS'
    tray
    expect "database, locked by a running station" 4 'E-STORE-LOCKED .*birthcert\.db' 'stop the other'
    start_cameras 3
    await_lines "$FOLDER/beside" '^PASS' 3
    ok "database, locked by a running station: which goes on" kill -0 "$BESIDE_PID"
    end_all "$BESIDE_PID"
    expect_good_end "database, locked by a running station" 3

    cp "$good" "$FOLDER/kept.db"
    sqlite3 "$good" 'PRAGMA user_version = 999'
    tray
    expect "database, newer" 4 'E-STORE-NEWER .*birthcert\.db' 'use that version'
    cp "$FOLDER/kept.db" "$good"
    bad_file "database, a text" 'this is no database, and must not be overwritten'
    rm "$good"
    sqlite3 "$good" 'CREATE TABLE unit (serial TEXT); INSERT INTO unit VALUES ("mine")'
    foreign_file "database, of another program"
    head -c 20000 "$FOLDER/kept.db" >"$good"
    tray
    expect "database, cut" 5 'E-STORE-CORRUPT .*birthcert\.db' 'restore the last backup'
    sum=$(sha256sum <"$good")
    ok "database, cut: it is left as it was" is "$(sha256sum <"$good")" "$sum"
    cp "$FOLDER/kept.db" "$good"
    expect_good_end "database" 3
}

bad_file() { # WHAT TEXT
    rm "$FOLDER/birthcert.db"
    echo "$2" >"$FOLDER/birthcert.db"
    foreign_file "$1"
}

foreign_file() { # WHAT
    local sum
    sum=$(sha256sum <"$FOLDER/birthcert.db")
    tray
    expect "$1" 5 'E-STORE-FOREIGN .*birthcert\.db' 'name the right file'
    ok "$1: it is left as it was" is "$(sha256sum <"$FOLDER/birthcert.db")" "$sum"
}

# For root every file can be written: somebody else has to try.
case_read_only() {
    local command=("$FOLDER/birthcert" tray "$FOLDER/tray.csv" --config "$FOLDER/birthcert.conf")
    make_bench 1
    start_cameras 1
    cp "$BUILD/birthcert" "$FOLDER/birthcert"
    chmod 711 "$WORK"
    chmod -R a+rX "$FOLDER"
    STATUS=0
    if [ "$(id -u)" -eq 0 ]; then
        command=(setpriv --reuid=65534 --regid=65534 --clear-groups "${command[@]}")
    else
        chmod a-w "$FOLDER/birthcert.db" "$FOLDER"
    fi
    touch "$FOLDER/out" "$FOLDER/err"
    "${command[@]}" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
    expect "database, read-only" 4 'E-STORE-READONLY .*birthcert\.db' 'check the owner'
    chmod u+w "$FOLDER/birthcert.db" "$FOLDER"
    chmod 600 "$FOLDER/ca/root.key"
    expect_good_end "database, read-only" 1
}

# ---- ports ---------------------------------------------------------------------------------------

pair() { # SLOT: a tray of it and of slot 4, which is good
    printf 'slot\n%s\n4\n' "$1" >"$FOLDER/tray.csv"
    tray --wait 2
}

case_ports() {
    local holder
    make_bench 4 serial
    start_cameras 4 --transport pty
    mv "$FOLDER/ports/cam0" "$FOLDER/cam0"
    pair 1
    expect "port, missing" 1 'slot 1: E-PORT-MISSING .*/ports/cam0' '^PASS +slot 4' '1 unfinished'
    mv "$FOLDER/cam0" "$FOLDER/ports/cam0"
    flock --no-fork "$FOLDER/ports/cam1" sleep 300 &
    holder=$!
    STARTED+=("$holder")
    await_locked "$FOLDER/ports/cam1"
    pair 2
    expect "port, busy" 4 'slot 2: E-PORT-BUSY .*/ports/cam1.*; stop that program' \
        '^ALREADY PROVISIONED +slot 4'
    end_all "$holder"
    mv "$FOLDER/ports/cam2" "$FOLDER/cam2"
    echo text >"$FOLDER/ports/cam2"
    pair 3
    expect "port, not a tty" 2 'slot 3: E-PORT-NOT-TTY .*/ports/cam2' '^ALREADY PROVISIONED +slot 4'
    ok "port, not a tty: the file is left as it was" is "$(cat "$FOLDER/ports/cam2")" text
    mv "$FOLDER/cam2" "$FOLDER/ports/cam2"
    write_manifest 4
    expect_good_end "ports" 4
}

await_locked() { # FILE
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        flock --nonblock "$1" true || return 0
        sleep 0.02
    done
    return 1
}

# ---- cameras -------------------------------------------------------------------------------------

case_mute() {
    make_bench 5 serial
    start_cameras 5 --transport pty --fault 0:silent --fault 1:garbage --fault 2:hostile=session
    start_hvca
    tray --wait 4
    expect "camera, silent" 1 'slot 1: E-CAM-TIMEOUT VX-000001: nothing has answered for 4 s on serial .*cam0; check power' \
        '3 x E-CAM-TIMEOUT' '2 passed.* 3 unfinished'
    expect_text "camera, garbage" 'slot 2: E-CAM-TIMEOUT VX-000002'
    expect_text "camera, answers of other sessions" 'slot 3: E-CAM-TIMEOUT VX-000003'
    stop_cameras
    start_cameras 5 --transport pty
    expect_good_end "cameras that do not answer" 5
}

# All of them fall silent while they make their keys.
case_silent_midway() {
    make_bench 2
    start_cameras 2 --key-time 1500
    start_hvca
    start_birthcert tray "$FOLDER/tray.csv"
    await_event key 0
    kill -STOP "$CAMERAS_PID"
    await_birthcert
    kill -CONT "$CAMERAS_PID"
    expect "camera, silent midway" 1 'slot 1 +VX-000001 +E-CAM-TIMEOUT' 'slot 2 +VX-000002 +E-CAM-TIME'
    expect_good_end "camera, silent midway" 2
}

await_event() { # admitted units
    local tries
    for ((tries = 0; tries < 500; tries++)); do
        [ "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM unit')" -lt 2 ] || return 0
        sleep 0.02
    done
    return 1
}

case_refusals() {
    make_bench 14
    start_cameras 14 --fault 0:refuse=hello --fault 1:refuse=info --fault 2:refuse=generate \
        --fault 3:refuse=read --fault 4:refuse=write --fault 5:refuse=commit \
        --fault 6:refuse=prove --fault 7:refuse=finish --fault 8:refuse=generate@13 \
        --fault 9:refuse=commit@12 --fault 10:refuse=generate@14 --fault 11:refuse=generate@18 \
        --fault 12:refuse=write@1
    start_hvca
    tray --wait 10
    expect "camera, refuses" 1 '1 passed, 0 already provisioned, 13 failed'
    expect_slot "camera, refuses HELLO" 1 FAIL 'E-CAM-REFUSED .*INTERNAL: refused by the sim'
    expect_slot "camera, refuses INFO" 2 FAIL 'E-CAM-REFUSED .*does not say what it is'
    expect_slot "camera, refuses GENERATE_KEY" 3 FAIL 'VX-000003 +E-CAM-REFUSED generating'
    expect_slot "camera, refuses READ" 4 FAIL 'VX-000004 +E-CAM-REFUSED fetching CSR'
    expect_slot "camera, refuses WRITE" 5 FAIL 'VX-000005 +E-CAM-REFUSED installing'
    expect_slot "camera, refuses COMMIT" 6 FAIL 'VX-000006 +E-CAM-REFUSED installing'
    expect_slot "camera, refuses PROVE" 7 FAIL 'VX-000007 +E-CAM-REFUSED proving'
    expect_slot "camera, refuses FINISH" 8 FAIL 'VX-000008 +E-CAM-REFUSED locking'
    expect_slot "camera, without entropy" 9 FAIL 'VX-000009 +E-CAM-ENTROPY'
    expect_slot "camera, without storage" 10 FAIL 'VX-000010 +E-CAM-STORAGE'
    expect_slot "camera, without that kind of key" 11 FAIL 'VX-000011 +E-CAM-KEY-TYPE'
    expect_slot "camera, without that credential" 12 FAIL 'VX-000012 +E-CAM-CREDENTIAL'
    expect_slot "camera, understands nothing" 13 FAIL 'VX-000013 +E-CAM-REFUSED .*MALFORMED'
    stop_cameras
    start_cameras 14
    expect_good_end "camera, refuses" 14
}

# What these cameras hold stays wrong: they are set aside, and come back wiped.
case_liars() {
    make_bench 10
    start_cameras 10 --fault 0:bad-csr-signature --fault 1:csr-wrong-key --fault 2:csr-wrong-serial \
        --fault 3:bad-proof --fault 4:corrupt-readback --fault 5:lock-refused \
        --fault 6:lock-ignored --fault 7:wrong-serial=OTHER-7
    start_hvca
    tray
    expect "camera, lies" 1 '2 passed, 0 already provisioned, 8 failed'
    expect_slot "camera, a wrong CSR signature" 1 FAIL 'VX-000001 +E-CSR-SIGNATURE'
    expect_slot "camera, a CSR for another key" 2 FAIL 'VX-000002 +E-CSR-KEY '
    expect_slot "camera, a CSR for another serial" 3 FAIL 'VX-000003 +E-CSR-SUBJECT .*ANOTHER'
    expect_slot "camera, a bad proof" 4 FAIL 'VX-000004 +E-CAM-PROOF'
    expect_slot "camera, another certificate read back" 5 FAIL 'VX-000005 +E-CAM-READBACK'
    expect_slot "camera, does not lock" 6 FAIL 'VX-000006 +E-CAM-STORAGE locking'
    expect_slot "camera, says that it is locked and is not" 7 FAIL 'VX-000007 +E-CAM-LIFECYCLE'
    expect_slot "camera, another serial than the label" 8 FAIL \
        'OTHER-7 +E-CAM-LABEL the label says VX-000008, the camera says OTHER-7'
    ok "camera, lies: no certificate for a bad CSR" is "$(issued)" 6
    stop_cameras
    rm "$FOLDER"/cameras/cam[012].state
    start_cameras 10
    expect_good_end "camera, lies" 10
}

case_hostile() {
    make_bench 4
    start_cameras 4 --fault 0:hostile=texts --fault 1:hostile=serial --fault 2:hostile=oversize \
        --fault 3:hostile=error
    start_hvca
    tray --lot L
    expect_exit "camera, hostile texts" 1
    expect_printable "camera, hostile texts"
    expect_slot "camera, hostile texts" 1 PASS VX-000001
    expect_slot "camera, a hostile serial" 2 FAIL 'E-CAM-SERIAL .*\\x1b\[2J'
    expect_slot "camera, texts over the limit" 3 FAIL 'E-CAM-MALFORMED'
    expect_slot "camera, hostile errors" 4 FAIL 'VX-000004 +E-CAM-REFUSED .* INTERNAL: \\x1b\[2J'
    for verb in list 'list --json' 'show VX-000001' 'show VX-000004' 'show VX-000004 --json' export \
        'export --format json' reconcile; do
        # shellcheck disable=SC2086 # verb and options
        birthcert $verb
        expect_printable "camera, hostile texts: $verb"
    done
    tray --json
    ok "camera, hostile texts: --json is JSON" jq -e . "$FOLDER/out"
    expect_printable "camera, hostile texts: --json"
    stop_cameras
    start_cameras 4
    expect_good_end "camera, hostile texts" 4
}

# Printable, and yet no certificate could have it: it is not the camera's refusal.
case_names() {
    make_bench 3
    printf 'slot\n1\n2\n3\n' >"$FOLDER/tray.csv"
    start_cameras 3 --fault '0:wrong-serial=A"B\C' --fault '1:wrong-serial=A+B'
    start_hvca
    tray
    expect "camera, a serial with a quote" 1 '1 passed, 0 already provisioned, 2 failed'
    expect_slot "camera, a serial with a quote" 1 FAIL \
        'E-CAM-NAMES profile https: serial_number: "A"B\\C" holds a character .*; set it aside'
    expect_slot "camera, a serial that is in no host name" 2 FAIL \
        'E-CAM-NAMES profile https: dns_name: "A\+B.local" is not a host name'
    ok "camera, a serial with a quote: no key is made" is "$(sqlite3 "$FOLDER/birthcert.db" \
        "SELECT count(*) FROM event WHERE kind = 2")" 1
    ok "camera, a serial with a quote: nothing is bought" is "$(issued)" 1
}

case_foreign() {
    make_bench 5
    start_cameras 5 --fault 0:provisioned --fault 1:provisioned=unlocked --fault 2:foreign-key
    start_hvca
    tray
    expect_exit "camera, from elsewhere" 1
    expect_slot "camera, provisioned elsewhere" 1 FAIL 'VX-000001 +E-UNIT-FOREIGN .*; look it up'
    expect_slot "camera, provisioned elsewhere, not locked" 2 FAIL 'VX-000002 +E-UNIT-FOREIGN '
    expect_slot "camera, a foreign key" 3 FAIL 'E-UNIT-FOREIGN-KEY .*foreign_key = replace'
    ok "camera, from elsewhere: they get nothing" is "$(issued)" 2
    stop_cameras
    rm "$FOLDER/cameras/cam0.state" "$FOLDER/cameras/cam1.state"
    start_cameras 5
    printf '[profile https]\nforeign_key = replace\n' >"$FOLDER/conf.d/40-replace.conf"
    expect_good_end "camera, from elsewhere" 5
}

case_key_type() {
    make_bench 2
    start_cameras 2 --key-types rsa2048
    start_hvca
    tray
    expect "camera, key type not offered" 1 'VX-000001 +E-CAM-KEY-TYPE the camera makes no p256 keys' \
        '2 failed'
    stop_cameras
    start_cameras 2
    expect_good_end "camera, key type not offered" 2
}

case_twice() {
    make_bench 3
    printf 'slot\n1\n2\n3\n' >"$FOLDER/tray.csv"
    start_cameras 3 --fault 1:same-serial-as=0
    start_hvca --pending-ms 9000
    tray
    expect "the same serial in two slots" 1 'FAIL +slot [12] .*E-CAM-TWICE VX-000001 is already in slot [12]'
    expect_certificates "the same serial in two slots" 2
    stop_cameras
    start_cameras 3
    control '{"pending_ms": 0}'
    write_manifest 3
    expect_good_end "the same serial in two slots" 3
}

# ---- the CA --------------------------------------------------------------------------------------

# A tray of three with a CA that has these faults. Whatever happens, each camera gets one certificate
# when the faults are gone.
bad_ca() { # WHAT STATUS CA-OPTION...; then expressions come from the lines of stdin
    local what=$1 status=$2 expression
    shift 2
    make_bench 3
    start_cameras 3
    start_hvca "$@"
    tray --wait 4
    expect_exit "CA, $what" "$status"
    while read -r expression; do expect_text "CA, $what" "$expression"; done
    control '{"clear_faults": true, "quota": 1000}'
    expect_good_end "CA, $what" 3
}

case_ca_nonsense_login() {
    bad_ca "nonsense to the login" 4 --fault nonsense@login=100% <<'END'
E-CA-NONSENSE .*login.*; check .*url, where a proxy
0 passed, 0 already provisioned, 0 failed, 3 unfinished
END
}
case_ca_nonsense_policy() {
    bad_ca "nonsense for its policy" 4 --fault nonsense@info=100% <<<'E-CA-NONSENSE .*; check .*url, where a proxy'
}
case_ca_nonsense_post() { bad_ca "nonsense to requests" 0 --fault nonsense@post=1-2 <<<'3 passed'; }
case_ca_nonsense_get() { bad_ca "nonsense for certificates" 0 --fault nonsense@get=1-4 <<<'3 passed'; }
case_ca_login() {
    bad_ca "refuses the login" 4 --fault refuse-login=100% <<<'E-CA-LOGIN .*; check the login of the \[ca\] section .*API key'
}
case_ca_token() { bad_ca "lets a token expire" 0 --fault expired-token@post=2 <<<'3 passed'; }
case_ca_quota() {
    bad_ca "without quota" 4 --quota 0 <<<'E-CA-QUOTA .*; ask the PKI officer'
}
case_ca_quota_midway() {
    bad_ca "runs out of quota" 4 --quota 2 <<'END'
E-CA-QUOTA .*; ask the PKI officer
2 passed, 0 already provisioned, 0 failed, 1 unfinished
END
}
case_ca_429() { bad_ca "429" 0 --fault http-429@post=1-4 <<<'3 passed'; }
case_ca_429_retry() {
    local start=$SECONDS
    bad_ca "429 with Retry-After" 0 --fault http-429-retry@post=2:1-3 <<<'3 passed'
    ok "CA, 429 with Retry-After: it waits as asked" at_least $((SECONDS - start)) 2
}
case_ca_503() { bad_ca "503" 0 --fault http-503@post=1-3 --fault http-503@get=2,5 <<<'3 passed'; }
case_ca_422() {
    bad_ca "refuses a request" 1 --fault http-422@post=2 <<<'FAIL .*E-CA-REFUSED .*HTTP 422'
}
case_ca_lost_before() {
    bad_ca "loses requests" 0 --fault drop-before@post=1-2 --fault drop-before@get=1 <<<'3 passed'
}
case_ca_lost_after() {
    bad_ca "loses answers" 0 --fault drop-after@post=1-3 --fault drop-after@get=2 <<<'3 passed'
    ok "CA, loses answers: the history tells" is \
        "$(ask show VX-000002 | grep -c 'request .*in doubt')" 1
}
case_ca_lost_place() { bad_ca "does not say where" 0 --fault garbage-201@post=1-3 <<<'3 passed'; }
case_ca_lag() {
    bad_ca "loses answers, and lists late" 0 --fault drop-after@post=1-3 --stats-lag 600 <<<'3 passed'
}
case_ca_other_certificate() {
    bad_ca "mixes certificates up" 0 --fault other-certificate=1,2 <<'END'
E-CERT-KEY
3 passed
END
}

# The answer takes longer than the station waits.
case_ca_stalls() {
    make_bench 3
    start_cameras 3
    start_hvca --fault stall@post=5000:1-3
    sed -i 's/^settle.*/&\ntimeout = 1s/' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "CA, answers too late" 0 '3 passed'
    expect_certificates "CA, answers too late" 3
}

# Who tries it out is not left in the dark, and may end it.
case_ca_trial_stalls() {
    make_bench 1
    start_hvca --fault stall@post=60000:1
    start_birthcert ca test hvca --issue
    await "$FOLDER/err" '^waits for CA hvca, for at most 120 s'
    kill -TERM "$STATION_PID"
    await_birthcert
    expect "CA, stalls a trial that is interrupted" 4 \
        'CA hvca: E-INTERRUPTED TRIAL-.*: interrupted: its request is .*birthcert show TRIAL-.*reconcile'
    clear_faults
    birthcert reconcile
    expect "CA, stalls a trial, then" 0 'TRIAL-.*issued: on record now'
}

case_ca_down() {
    make_bench 3
    start_cameras 3
    start_hvca
    stop_hvca
    tray --wait 3
    expect "CA, down from the start" 4 "E-CA-UNREACHABLE .*127.0.0.1:$CA_PORT.*; check the network" \
        '0 failed, 3 unfinished'
    birthcert list --state pending
    expect "CA, down from the start: units are parked" 0 'VX-000003 +open +https +queued'
    start_hvca
    expect_good_end "CA, down from the start" 3
}

# It dies in the middle of its work, and comes back while the tray waits.
case_ca_dies() {
    make_bench 8
    start_cameras 8
    start_hvca --latency 200 --latency-jitter 150
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/hvca/issued.jsonl" . 3
    kill_hvca
    sleep 1
    ok "CA, dies: the tray waits" kill -0 "$STATION_PID"
    start_hvca
    await_birthcert
    expect "CA, dies and comes back" 0 '8 passed'
    expect_certificates "CA, dies and comes back" 8
}

case_ca_dies_for_good() {
    make_bench 8
    start_cameras 8
    start_hvca --latency 200 --latency-jitter 150
    start_birthcert tray "$FOLDER/tray.csv" --wait 2
    await_lines "$FOLDER/hvca/issued.jsonl" . 3
    kill_hvca
    await_birthcert
    expect "CA, dies for good" 4 'E-CA-(UNREACHABLE|DOUBT)' ' 0 failed, [1-8] unfinished'
    start_hvca
    expect_good_end "CA, dies for good" 8
}

case_ca_wrong_server() {
    make_bench 2
    start_cameras 2
    start_hvca
    sed -i 's,^server_root_file.*,server_root_file = ca/root.pem,' "$FOLDER/conf.d/30-ca.conf"
    tray --wait 2
    expect "CA, a wrong server certificate" 4 "E-CA-TLS .*127.0.0.1:$CA_PORT.*; check the server's root"
    ok "CA, a wrong server certificate: it is asked for nothing" is "$(issued)" 0
    write_hvca
    expect_good_end "CA, a wrong server certificate" 2
}

case_ca_wrong_client() {
    make_bench 2
    start_cameras 2
    start_hvca
    cp "$FOLDER/hvca/client.pem" "$FOLDER/hvca/client.key" "$FOLDER"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=stranger \
        -keyout "$FOLDER/hvca/client.key" -out "$FOLDER/hvca/client.pem" 2>/dev/null
    tray --wait 2
    # Whether its alert is read, or the broken connection seen first, is a matter of time.
    expect "CA, a station that it does not know" 4 "E-CA-(TLS|UNREACHABLE) .*127.0.0.1:$CA_PORT"
    mv "$FOLDER/client.pem" "$FOLDER/client.key" "$FOLDER/hvca"
    expect_good_end "CA, a station that it does not know" 2
}

# ---- certificates that must not be installed -----------------------------------------------------

# They are kept in quarantine; nothing is bought in their place before a person has decided.
expect_quarantine() { # WHAT CODE...
    local what=$1 code
    shift
    expect_exit "$what" 5
    for code in "$@"; do expect_text "$what" "^FAIL .* $code .*"; done
    clear_faults
    tray
    expect_exit "$what, again" 5
    for code in "$@"; do expect_text "$what, again" "^FAIL .* $code "; done
    birthcert list --state quarantined
    ok "$what: the list has them" is "$(wc -l <"$FOLDER/out")" $#
    birthcert reconcile
    expect "$what: reconcile lists them" 5 'VX-.*quarantined, certificate [0-9a-f]{16}'
}

case_certificates() {
    make_bench 7
    start_cameras 7
    start_hvca --fault wrong-names=1 --fault wrong-eku=2 --fault ca-true=3 --fault sha1=4 \
        --fault long-validity=5
    tray
    expect_text "CA, wrong certificates" '2 passed, 0 already provisioned, 5 failed'
    expect_quarantine "CA, wrong certificates" E-CERT-NAMES E-CERT-USAGE E-CERT-CA-FLAG E-CERT-WEAK \
        E-CERT-VALIDITY
    expect_certificates "CA, wrong certificates" 2 7
}

case_wrong_root() {
    make_bench 1
    start_cameras 1
    start_hvca
    sed -i 's,^root_file.*,root_file = ca/root.pem,' "$FOLDER/conf.d/30-ca.conf"
    tray
    expect "CA, a wrong root" 2 'E-CA-CONFIG .*root_file does not hold it'
    ok "CA, a wrong root: no camera has a certificate" is "$(cameras_say)" ""
}

# ---- everything ----------------------------------------------------------------------------------

run_cases mute silent_midway twice ports certificates ca_429_retry ca_nonsense_login \
    ca_nonsense_policy ca_login ca_quota ca_quota_midway ca_wrong_server ca_wrong_client ca_down \
    ca_dies_for_good ca_dies ca_stalls ca_trial_stalls ca_503 ca_lost_before ca_lost_after ca_lag ca_lost_place \
    ca_nonsense_post ca_nonsense_get ca_token ca_429 ca_422 ca_other_certificate wrong_root \
    manifest configuration database read_only refusals liars hostile names foreign key_type
