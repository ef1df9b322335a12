#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The PKI officer's verbs with the real program and a CA that keeps books of its own: what it revoked,
# once, for which reason; what is lost on the way, and what a kill leaves behind; cameras that are
# scrapped, boards that are swapped, certificates that are in no camera.
#
#   tests/e2e_revoke.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_officer.bash
. tests/support_officer.bash

# ---- revoke --------------------------------------------------------------------------------------

case_revoke() {
    local certificate
    make_passed 2
    certificate=$(certificate_of VX-000001)
    birthcert revoke VX-000001
    expect "revoke, no reason" 2 'E-USAGE .*--reason is missing.*keyCompromise'
    birthcert revoke VX-000001 --reason stolen
    expect "revoke, an unknown reason" 2 'E-USAGE .*stolen.*privilegeWithdrawn'
    birthcert revoke VX-000009 --reason superseded
    expect "revoke, an unknown serial" 2 'E-STORE-UNKNOWN VX-000009'
    birthcert revoke VX-000001 --reason superseded --certificate 4711
    expect "revoke, an unknown certificate" 2 'E-STORE-UNKNOWN .*4711'
    birthcert revoke VX-000001 --reason superseded --certificate "$(certificate_of VX-000002)"
    expect "revoke, another camera's certificate" 2 'E-STORE-UNKNOWN'
    birthcert revoke VX-000001 --reason superseded --certificate 0x12
    expect "revoke, no hex" 2 'E-USAGE .*hex digits'
    expect_revoked "revoke, so far"
    birthcert revoke VX-000001 --reason keycompromise
    expect "revoke" 0 'VX-000001 .*https .*hvca .*revoked \(keyCompromise\)'
    expect_revoked "revoke" "$certificate keyCompromise"
    birthcert revoke VX-000001 --reason keyCompromise
    expect "revoke, again" 3 'E-NOTHING-TO-DO .*no live certificate'
    birthcert revoke VX-000001 --reason keyCompromise --certificate "0:0$certificate"
    expect "revoke, again, by its number" 3 'E-NOTHING-TO-DO .*is revoked since 20'
    expect_revoked "revoke, again" "$certificate keyCompromise"
    ask show VX-000001 >"$FOLDER/out"
    expect_text "revoke, show" '^  request +withdrawn' '^  state +revoked' \
        '^  reason +keyCompromise' 'revoking .*by tester: .*keyCompromise' 'revoked .*credential 1'
    ask export >"$FOLDER/out"
    expect_text "revoke, export" 'VX-000001,.*,revoked,keyCompromise,20' 'VX-000002,.*,live,,'
    ask export --format json >"$FOLDER/out"
    ok "revoke, export as JSON" is "$(jq -r 'select(.serial == "VX-000001") | .certificate |
        "\(.state) \(.reason)"' "$FOLDER/out")" 'revoked keyCompromise'
    # It is not for a bench any more, and buys nothing.
    start_cameras 2
    tray
    expect_exit "revoked, on a bench" 1
    expect_slot "revoked, on a bench" 1 FAIL 'E-UNIT-REVOKED'
    expect_slot "revoked, on a bench" 2 'ALREADY PROVISIONED'
    ok "revoked, on a bench: the CA issued nothing" is "$(issued)" 2
    ok "revoked, on a bench: it passed, and that stays" is "$(sql \
        "SELECT result FROM unit WHERE serial = 'VX-000001'")" 2
    expect_sound "revoked"
}

# The answer never comes: the intent stands, and the next reconcile repeats it.
case_lost() {
    local first second
    make_passed 2
    first=$(certificate_of VX-000001)
    second=$(certificate_of VX-000002)
    control '{"faults": ["drop-after@patch=1-"]}'
    birthcert revoke VX-000001 --reason superseded --wait 30
    expect "revoke, answer lost" 4 'VX-000001 .*revocation requested, and not confirmed' \
        'birthcert reconcile' '^asks for 1 revocation, for at most 30 s$'
    ok "revoke, answer lost: not on record as revoked" is "$(state_of VX-000001)" 3
    # It does not even arrive.
    control '{"clear_faults": true, "faults": ["http-503@patch=1-"]}'
    birthcert revoke VX-000002 --reason privilegeWithdrawn --wait 1
    expect_exit "revoke, not answered" 4
    expect_revoked "revoke, not answered" "$first superseded"
    birthcert reconcile --wait 1
    expect "reconcile, still no answer" 4 'VX-000002 .*not confirmed' \
        '^asks for 2 revocations, for at most 1 s$'
    birthcert reconcile --wait 1 --json
    expect_exit "reconcile, still no answer, as JSON" 4
    ok "reconcile, still no answer, as JSON: no line is for people" not grep -v '^{' "$FOLDER/err"
    ask doctor >"$FOLDER/out" 2>&1 || true
    expect_text "revoke, doctor" 'requests: 2 are to be revoked: .*; birthcert reconcile'
    start_cameras 2
    tray
    expect_slot "being revoked, on a bench" 1 FAIL 'E-UNIT-REVOKED'
    stop_cameras
    clear_faults
    birthcert reconcile
    expect "reconcile" 0 'VX-000001 .*revoked \(superseded\)' 'VX-000002 .*revoked'
    expect_revoked "reconcile" "$first superseded" "$second privilegeWithdrawn"
    ok "reconcile: both on record" is "$(state_of VX-000001)$(state_of VX-000002)" 44
    birthcert reconcile
    expect_exit "reconcile, nothing left" 3
    expect_sound "reconcile"
}

# The CA is away: revoke waits for it a while, and says so.
case_ca_away() {
    local certificate
    make_passed 1
    certificate=$(certificate_of VX-000001)
    stop_hvca
    start_birthcert revoke VX-000001 --reason superseded --wait 60
    await_state VX-000001 3
    start_hvca
    await_birthcert
    expect "revoke, the CA comes back" 0 'revoked \(superseded\)'
    expect_revoked "revoke, the CA comes back" "$certificate superseded"
    stop_hvca
    birthcert scrap VX-000001 --wait 1
    expect "scrap, all of it revoked" 0 'VX-000001 +SCRAPPED'
}

# Killed between the intent and the answer: done at the CA or not, the next reconcile ends it.
case_kill() {
    local first second
    make_passed 2
    first=$(certificate_of VX-000001)
    second=$(certificate_of VX-000002)
    control '{"faults": ["stall@patch=60000:1"]}'
    start_birthcert revoke VX-000001 --reason keyCompromise
    await "$FOLDER/hvca/revoked.jsonl" superseded\|keyCompromise
    kill -KILL "$STATION_PID"
    await_birthcert
    ok "killed: revoked at the CA, not yet on record" is "$(state_of VX-000001)" 3
    control '{"clear_faults": true, "faults": ["drop-before@patch=1-"]}'
    start_birthcert revoke VX-000002 --reason superseded
    await_state VX-000002 3
    kill -KILL "$STATION_PID"
    await_birthcert
    expect_revoked "killed" "$first keyCompromise"
    clear_faults
    birthcert reconcile
    expect_exit "killed, reconcile" 0
    expect_revoked "killed, reconcile" "$first keyCompromise" "$second superseded"
    ok "killed, reconcile: both on record" is "$(state_of VX-000001)$(state_of VX-000002)" 44
    # Or the same verb once more.
    birthcert revoke VX-000002 --reason superseded
    expect_exit "killed, again" 3
    expect_sound "killed"
}

# Ctrl-C while the CA is waited for: the intent stands, and who pressed it is told.
case_interrupted() {
    local first second
    make_passed 2
    first=$(certificate_of VX-000001)
    second=$(certificate_of VX-000002)
    control '{"faults": ["stall@patch=60000:1-"]}'
    interrupt hvca/revoked.jsonl keyCompromise revoke VX-000001 --reason keyCompromise
    expect "revoke, interrupted" 4 'VX-000001 .*not confirmed.*E-CA-DOUBT .*before the interruption' \
        '^interrupted; what was asked for stays requested: birthcert reconcile asks again$'
    ok "revoke, interrupted: the intent stands" is "$(state_of VX-000001)" 3
    interrupt hvca/revoked.jsonl cessationOfOperation scrap VX-000002 --json
    expect_exit "scrap, interrupted" 4
    ok "scrap, interrupted: a program is told" is "$(jq -r 'select(.type == "certificate") |
        "\(.serial) \(.code) \(.certificate.state)"' "$FOLDER/out")" 'VX-000002 E-CA-DOUBT revoking'
    interrupt err '^asks for 2 revocations' reconcile
    expect "reconcile, interrupted" 4 'VX-000001 .*not confirmed' 'VX-000002 .*not confirmed' \
        '^interrupted; .*birthcert reconcile asks again$'
    control '{"clear_faults": true}'
    birthcert reconcile
    expect_exit "interrupted, then reconcile" 0
    expect_revoked "interrupted, then reconcile" "$first keyCompromise" "$second cessationOfOperation"
    expect_sound "interrupted"
}

# Ctrl-C while requests are looked up: then nothing is revoked either, and all of it stays open.
case_interrupted_look_up() {
    make_bench 2
    start_hvca
    start_cameras 2
    write_manifest 1
    tray
    expect_exit "the first camera" 0
    write_manifest 2
    control '{"faults": ["drop-after@post=1-"]}'
    kill_at_doubt
    control '{"clear_faults": true, "faults": ["http-503@patch=1-"]}'
    birthcert revoke VX-000001 --reason superseded --wait 0
    expect_exit "look-up: a revocation is open" 4
    control '{"clear_faults": true, "faults": ["stall@any=60000:1-"]}'
    interrupt err '^looks up 1 request' reconcile
    expect "look-up, interrupted" 5 'VX-000002 .*still in doubt' \
        '^interrupted; what is open stays open: birthcert reconcile asks again$'
    ok "look-up, interrupted: no CA is asked to revoke" not says '^asks for'
    control '{"clear_faults": true}'
    birthcert reconcile
    expect "look-up, interrupted, then reconcile" 0 'VX-000001 .*revoked \(superseded\)' \
        '^VX-000002 .*issued'
    expect_sound "look-up, interrupted"
}

interrupt() { # FILE EXPRESSION VERB OPTION...: once so much is in the file
    start_birthcert "${@:3}"
    await "$FOLDER/$1" "$2"
    kill -INT "$STATION_PID"
    await_birthcert
}

# A running station has the database; nothing is revoked beside it.
case_locked() {
    make_passed 1
    start_cameras 1
    start_beside run
    await "$FOLDER/beside" 'ALREADY PROVISIONED'
    birthcert revoke VX-000001 --reason superseded
    expect "revoke beside a station" 4 'E-STORE-LOCKED'
    birthcert scrap VX-000001
    expect "scrap beside a station" 4 'E-STORE-LOCKED'
    birthcert rework VX-000001 --approve bob
    expect "rework beside a station" 4 'E-STORE-LOCKED'
    birthcert orphans
    expect_exit "orphans beside a station" 3
    end_all "$BESIDE_PID"
    expect_revoked "beside a station"
}

# The CA that issued it is asked, whatever the profile names now; without its section nothing is done.
case_other_ca() {
    local certificate
    make_passed 1
    certificate=$(certificate_of VX-000001)
    cp "$FOLDER/conf.d/30-ca.conf" "$FOLDER/kept.conf"
    rm "$FOLDER/conf.d/30-ca.conf"
    birthcert revoke VX-000001 --reason superseded
    expect "revoke, no such CA" 2 'E-CA-CONFIG .*CA hvca, which is not in .*birthcert.conf any more'
    birthcert scrap VX-000001
    expect "scrap, no such CA" 2 'E-CA-CONFIG'
    ok "no such CA: nothing was done" is "$(state_of VX-000001)" 1
    sed '/^\[profile/,$d' "$FOLDER/kept.conf" >"$FOLDER/conf.d/30-ca.conf"
    birthcert revoke VX-000001 --reason superseded
    expect_exit "revoke, at a CA that no profile names any more" 0
    expect_revoked "revoke, at a CA that no profile names any more" "$certificate superseded"
}

# ---- scrap ---------------------------------------------------------------------------------------

case_scrap() {
    local certificate
    make_passed 2
    certificate=$(certificate_of VX-000001)
    birthcert scrap VX-000009
    expect "scrap, an unknown serial" 2 'E-STORE-UNKNOWN VX-000009'
    birthcert scrap VX-000001
    expect "scrap" 0 'VX-000001 .*revoked \(cessationOfOperation\)' 'VX-000001 +SCRAPPED'
    expect_revoked "scrap" "$certificate cessationOfOperation"
    birthcert scrap VX-000001
    expect "scrap, again" 3 'E-NOTHING-TO-DO VX-000001 is scrapped, and all its certificates are revoked'
    birthcert rework VX-000001 --approve bob
    expect "rework, scrapped" 1 'E-UNIT-SCRAPPED'
    ask list --state scrapped >"$FOLDER/out"
    expect_text "scrap, list" '^VX-000001 +SCRAPPED'
    start_cameras 2
    tray
    expect_exit "scrapped, on a bench" 1
    expect_slot "scrapped, on a bench" 1 FAIL 'E-UNIT-SCRAPPED VX-000001 was scrapped'
    expect_slot "scrapped, on a bench" 2 'ALREADY PROVISIONED'
    stop_cameras
    wipe 0
    start_cameras 2
    tray
    expect_slot "scrapped, and wiped" 1 FAIL 'E-UNIT-SCRAPPED'
    ok "scrapped: the CA issued nothing more" is "$(issued)" 2
    ask show VX-000001 >"$FOLDER/out"
    expect_text "scrapped, show" '^  result +SCRAPPED' 'scrap .*cessationOfOperation' \
        'E-UNIT-SCRAPPED'
    expect_sound "scrapped"
}

# What waits in the outbox is withdrawn; what may have been issued has to be settled first.
case_scrap_open() {
    make_bench 2
    make_hvca
    start_hvca
    start_cameras 2
    stop_hvca
    tray --wait 2
    ok "scrap, queued: both wait for the CA" is \
        "$(sql 'SELECT group_concat(request) FROM credential')" 1,1
    birthcert scrap VX-000001
    expect "scrap, queued" 0 'VX-000001 +SCRAPPED .*withdrawn'
    start_hvca --fault drop-after=1-
    kill_at_doubt
    birthcert scrap VX-000002
    expect "scrap, in doubt" 5 'E-UNIT-HELD .*VX-000002.*birthcert reconcile settles that first'
    birthcert rework VX-000002 --approve bob
    expect "rework, in doubt" 5 'E-UNIT-HELD'
    clear_faults
    birthcert reconcile
    expect "scrap, in doubt, reconcile" 0 'VX-000002 .*issued: on record now' \
        '^looks up 1 request, for at most 300 s$'
    birthcert scrap VX-000002 --reason unspecified
    expect_exit "scrap, settled" 0
    expect_revoked "scrap, settled" "$(certificate_of VX-000002) unspecified"
    ok "scrap: for the one that was queued, nothing was bought" is "$(issued)" 1
    expect_sound "scrap"
}

# A station whose request left and whose answer was lost is killed.
kill_at_doubt() {
    local tries
    start_birthcert tray "$FOLDER/tray.csv"
    for ((tries = 0; tries < 1000; tries++)); do
        [ "$(sql 'SELECT count(*) FROM credential WHERE request IN (2, 4)')" -eq 0 ] || break
        sleep 0.02
    done
    await "$FOLDER/hvca/issued.jsonl" certificate
    kill -KILL "$STATION_PID"
    await_birthcert
}

# ---- rework --------------------------------------------------------------------------------------

case_rework() {
    local old new
    make_passed 1
    old=$(certificate_of VX-000001)
    birthcert rework VX-000001
    expect "rework, nobody approves" 2 'E-USAGE .*--approve is missing'
    birthcert rework VX-000001 --approve Tester
    expect "rework, the same person" 2 'E-USAGE .*second person'
    birthcert rework VX-000009 --approve bob
    expect "rework, an unknown serial" 2 'E-STORE-UNKNOWN VX-000009'
    sed -i '/^operator/d' "$FOLDER/conf.d/10-station.conf"
    birthcert rework VX-000001 --approve bob
    expect "rework, no operator" 2 'E-CONFIG .*operator in \[station\]'
    echo 'operator = tester' >>"$FOLDER/conf.d/10-station.conf"
    expect_revoked "rework, so far"
    cp "$FOLDER/cameras/cam0.state" "$FOLDER/old.state"
    birthcert rework VX-000001 --approve 'bob the builder'
    expect "rework" 0 'VX-000001 .*revoked \(superseded\)' 'VX-000001 is open again'
    expect_revoked "rework" "$old superseded"
    birthcert rework VX-000001 --approve bob
    expect "rework, twice" 3 'E-NOTHING-TO-DO .*no key of this board'
    # The old board is not the new one.
    start_cameras 1
    tray
    expect_exit "rework, the old board" 5
    expect_slot "rework, the old board" 1 FAIL 'E-UNIT-KEY-CHANGED .*board that was swapped'
    stop_cameras
    wipe 0
    start_cameras 1
    tray
    expect_exit "rework, the new board" 0
    expect_slot "rework, the new board" 1 PASS
    new=$(certificate_of VX-000001)
    ok "rework: another certificate" not is "$new" "$old"
    ok "rework: one of them is live" is "$(live_certificates) $(state_of VX-000001 0)$(state_of VX-000001 1)" '1 14'
    expect_revoked "rework, the new board" "$old superseded"
    expect_certificates "rework" 1 2
    ask show VX-000001 >"$FOLDER/out"
    expect_text "rework, show" 'rework .*by tester: approved by bob the builder' \
        '^credential 1, of a board that was swapped' '^credential 1$' '^  install +replaced' \
        '^  install +proved'
    ok "rework, list: one line" is "$(ask list | wc -l)" 1
    ok "rework, export: both certificates" is "$(ask export --format json | jq -r \
        '"\(.board) \(.install) \(.certificate.state)"' | tr '\n' ,)" \
        '1 replaced revoked,2 proved live,'
    stop_cameras
    cp "$FOLDER/old.state" "$FOLDER/cameras/cam0.state"
    start_cameras 1
    tray
    expect_slot "rework, the old board again" 1 FAIL 'E-UNIT-KEY-CHANGED'
    ok "rework: the CA issued two in all" is "$(issued)" 2
    expect_sound "rework"
}

# The CA is away: the new board is provisioned all the same when it is back, and the old certificate
# is revoked later.
case_rework_away() {
    local old
    make_passed 1
    old=$(certificate_of VX-000001)
    control '{"faults": ["http-503@patch=1-"]}'
    birthcert rework VX-000001 --approve bob --wait 1
    expect "rework, not confirmed" 4 'VX-000001 .*not confirmed' 'is open again'
    wipe 0
    start_cameras 1
    tray
    expect_exit "rework, not confirmed, the new board" 0
    clear_faults
    birthcert reconcile
    expect "rework, reconcile" 0 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "rework, reconcile" "$old superseded"
    ok "rework, reconcile: exactly one is live" is "$(live_certificates)" 1
    expect_certificates "rework, reconcile" 1 2
}

# ---- a CA that revokes nothing -------------------------------------------------------------------

case_embedded() {
    local certificate
    make_bench 3
    start_cameras 3
    tray
    expect_exit "embedded CA" 0
    certificate=$(certificate_of VX-000003)
    for _ in 1 2; do
        birthcert revoke VX-000003 --reason keyCompromise
        expect "embedded CA, revoke" 4 'VX-000003 .*not revoked: its CA revokes nothing' \
            "administrator of the CA trial to revoke the serial number ${certificate,,} of the issuer \"CN="
    done
    birthcert revoke VX-000003 --reason superseded --certificate "$certificate"
    expect "embedded CA, revoke by its number" 4 'VX-000003 .*not revoked' 'keyCompromise'
    ok "embedded CA, revoke: recorded once" is "$(sql 'SELECT count(*) FROM event WHERE kind = 15')" 1
    tray
    expect_slot "embedded CA, revoke, on a bench" 3 FAIL 'E-UNIT-REVOKED'
    stop_cameras
    write_manifest 2
    birthcert scrap VX-000001
    expect "embedded CA, scrap" 0 'not revoked: its CA revokes nothing' \
        'ask the administrator of the CA trial to revoke the serial number' 'VX-000001 +SCRAPPED'
    birthcert rework VX-000002 --approve bob
    expect "embedded CA, rework" 0 'not revoked: its CA revokes nothing' 'is open again'
    ok "embedded CA: both are withdrawn" is "$(state_of VX-000001)$(state_of VX-000002)" 55
    wipe 1
    start_cameras 2
    tray
    expect_exit "embedded CA, on a bench" 1
    expect_slot "embedded CA, on a bench" 1 FAIL 'E-UNIT-SCRAPPED'
    expect_slot "embedded CA, on a bench" 2 PASS
    ok "embedded CA: one live certificate" is "$(live_certificates)" 1
    expect_sound "embedded CA"
}

# One camera, two CAs: what the one can revoke is revoked, whatever the other cannot.
case_two_cas() {
    local certificate
    make_bench 1
    start_hvca
    printf '[profile idevid]\nbased_on = idevid\nca = trial\ncredential = 2\n' \
        >"$FOLDER/conf.d/40-idevid.conf"
    start_cameras 1 --credentials 2
    tray
    expect_exit "two CAs" 0
    certificate=$(sql "SELECT upper(hex(x.serial)) FROM certificate x JOIN credential c
        ON c.id = x.credential WHERE c.profile = 'https'")
    birthcert revoke VX-000001 --reason keyCompromise
    expect "two CAs, revoke" 4 'VX-000001 +https .*revoked \(keyCompromise\)' \
        'VX-000001 +idevid .*not revoked: its CA revokes nothing'
    expect_revoked "two CAs, revoke" "$certificate keyCompromise"
    ok "two CAs, revoke: none is live" is "$(live_certificates)" 0
    expect_sound "two CAs"
}

# Copies of a camera's certificate, older than all that are there, whose revocation waits.
add_waiting() { # SERIAL COUNT ENDPOINT
    sqlite3 "$FOLDER/birthcert.db" "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
            WHERE i < $2)
        INSERT INTO certificate (id, credential, state, time_ms, not_before_ms, not_after_ms, issuer,
            intermediates, error, subject, serial, sha256, spki_sha256, leaf, ca, reason, ended_ms,
            endpoint)
        SELECT 10000 + i, credential, 3, time_ms, not_before_ms, not_after_ms, issuer, intermediates, '',
            subject, randomblob(15), randomblob(32), spki_sha256, leaf, ca, 'superseded',
            time_ms, iif('$3' = '', endpoint, '$3')
        FROM certificate JOIN n WHERE certificate.id = (SELECT x.id FROM certificate x
            JOIN credential c ON c.id = x.credential JOIN unit u ON u.id = c.unit
            WHERE u.serial = '$1');
        UPDATE certificate SET id = id + 1000000 WHERE id < 10000"
}

# More than can be asked for at once, that nobody confirms: no other one waits behind them.
case_many() {
    local certificate events
    make_passed 2
    certificate=$(certificate_of VX-000002)
    stop_hvca
    birthcert revoke VX-000002 --reason superseded --wait 1
    expect "many, its CA is away" 4 'VX-000002 .*requested, and not confirmed'
    start_hvca
    add_waiting VX-000001 1100 'hvca https://127.0.0.1:1'
    events=$(sql 'SELECT count(*) FROM event')
    birthcert reconcile
    expect "many of a CA that moved" 4 'VX-000002 .*revoked \(superseded\)'
    expect_revoked "many of a CA that moved" "$certificate superseded"
    ok "many of a CA that moved: each is shown" is "$(grep -c 'E-CA-CHANGED' "$FOLDER/out")" 1100
    ok "many of a CA that moved: who was not asked has no history of it" \
        is "$(sql 'SELECT count(*) FROM event')" $((events + 1))
    expect_sound "many"
}

# A CA that says when to come back is not asked for more until then.
case_many_busy() {
    make_passed 2
    birthcert revoke VX-000002 --reason superseded --wait 0
    expect_exit "many, no time" 4
    add_waiting VX-000001 2100 ''
    control '{"faults": ["http-429-retry@patch=3600:1-"]}'
    birthcert reconcile
    expect "many of a busy CA" 4 \
        '[0-9]+ more revocations wait for the CA hvca, which had no time for these'
    control '{}'
    ok "many of a busy CA: no more is asked for than at once" below \
        "$(jq .requests.patch "$FOLDER/control")" 1026
}

# The one CA is away, and the other is not.
case_many_away() {
    make_bench 2
    start_hvca
    start_cameras 2
    tray
    sed 's/^\[ca hvca\]$/[ca second]/' "$FOLDER/conf.d/30-ca.conf" >"$FOLDER/conf.d/31-second.conf"
    sed -i 's|^url = .*|url = https://127.0.0.1:1/v2|' "$FOLDER/conf.d/31-second.conf"
    birthcert revoke VX-000002 --reason superseded --wait 0
    expect_exit "many, no time" 4
    add_waiting VX-000001 1100 ''
    sqlite3 "$FOLDER/birthcert.db" "UPDATE certificate SET ca = 'second', endpoint = '' WHERE id < 1000000"
    birthcert reconcile --wait 2
    expect "many of a CA that is away" 4 'VX-000002 .*revoked \(superseded\)' \
        '76 more revocations wait for the CA second, which had no time for these'
    ok "many of a CA that is away: the camera's is revoked" is "$(state_of VX-000002)" 4
    expect_sound "many of a CA that is away"
}

# ---- orphans -------------------------------------------------------------------------------------

case_orphans() {
    local surplus
    make_bench 3
    start_hvca --fault wrong-names=1
    start_cameras 3 --fault 1:refuse=commit
    write_manifest 1
    tray
    write_manifest 3
    tray
    expect_slot "orphans: quarantined" 1 FAIL E-CERT-NAMES
    expect_slot "orphans: not installed" 2 FAIL E-CAM-REFUSED
    birthcert orphans
    expect "orphans" 0 'VX-000001 +https +hvca .* -  quarantined: .*birthcert revoke VX-000001 --certificate' \
        'VX-000002 +https +hvca .*issued, not installed; put the camera into any slot' \
        '^2 certificates$'
    ok "orphans: not the one that is installed" not says VX-000003
    sed -i '/^backend = hvca/a price = 0.45 EUR' "$FOLDER/conf.d/30-ca.conf"
    birthcert orphans
    expect "orphans, with a price" 0 'VX-000001 .* 0.45 EUR ' '^2 certificates, 0.90 EUR$'
    birthcert orphans --json
    ok "orphans as JSON" is "$(jq -c 'select(.type == "orphans") | [.count, .costs]' "$FOLDER/out")" \
        '[2,["0.90 EUR"]]'
    ok "orphans as JSON, each" is "$(jq -r 'select(.type == "certificate") |
        "\(.serial) \(.certificate.state) \(.price)"' "$FOLDER/out" | tr '\n' ,)" \
        'VX-000001 quarantined 0.45 EUR,VX-000002 live 0.45 EUR,'
    surplus=$(certificate_of VX-000001)
    birthcert revoke VX-000001 --reason superseded --certificate "$surplus"
    expect_exit "orphans, revoked" 0
    expect_revoked "orphans, revoked" "$surplus superseded"
    birthcert orphans
    expect "orphans, one left" 0 '^1 certificate, 0.45 EUR$'
    stop_cameras
    start_cameras 3
    tray
    expect_slot "orphans, installed" 2 PASS
    expect_slot "orphans, revoked" 1 FAIL E-UNIT-REVOKED
    birthcert orphans
    expect "orphans, none left" 3 'every certificate on record is installed'
    expect_sound "orphans"
}

run_cases revoke lost ca_away kill interrupted interrupted_look_up locked other_ca scrap scrap_open \
    rework rework_away embedded two_cas many many_busy many_away orphans
