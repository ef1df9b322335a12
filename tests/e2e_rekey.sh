#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boards that are swapped at an HVCA account with rekey = yes: the new board's certificate is the old
# one's rekeyed, and that is revoked after it; what is refused, lost or decided otherwise on the way.
#
#   tests/e2e_rekey.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_officer.bash
. tests/support_officer.bash

AWAITING='is revoked when the new board has its certificate \(superseded\)'

ca_setting() { # KEY VALUE: of [ca hvca]
    sed -i "/^$1 = /d; /^backend = hvca/a $1 = $2" "$FOLDER/conf.d/30-ca.conf"
}

# A camera that passed and whose board was swapped; sets OLD, its certificate.
make_swapped() {
    make_passed 1
    ca_setting rekey yes
    OLD=$(certificate_of VX-000001)
    birthcert rework VX-000001 --approve bob
    expect "rework" 0 "VX-000001 .*$AWAITING" 'birthcert reconcile asks the CA then' \
        'VX-000001 is open again'
    ok "rework: superseded on record at once" is "$(state_of VX-000001)" 3
    expect_revoked "rework"
    wipe 0
    start_cameras 1
}

# What came to the CA: requests and rekeys. Each before a lost answer counts.
expect_calls() { # WHAT REQUESTS REKEYS
    control '{}'
    ok "$1: $2 requests and $3 rekeys" is \
        "$(jq -r '"\(.requests.post) \(.requests.rekey)"' "$FOLDER/control")" "$2 $3"
}

# Of the CA's certificates: the one that each was rekeyed from.
rekeyed() { jq -r '.rekey_of // "-"' "$FOLDER/hvca/issued.jsonl" | tr '\n' ' '; }

# The new board has its certificate; the old one is revoked when somebody asks for that.
expect_old_is_revoked() { # WHAT
    expect_revoked "$1, until then"
    birthcert orphans
    expect "$1, orphans" 0 'VX-000001 .*to be revoked \(superseded\); birthcert reconcile' \
        '^certificates of boards that were swapped, to be revoked: 1$'
    birthcert reconcile
    expect "$1, reconcile" 0 "VX-000001 .*revoked \\(superseded\\)"
    expect_revoked "$1, reconcile" "$OLD superseded"
    ok "$1: one is live, the other revoked" is \
        "$(live_certificates) $(state_of VX-000001 0)$(state_of VX-000001 1)" '1 14'
    birthcert reconcile
    expect_exit "$1, nothing is left" 3
    birthcert orphans
    expect_exit "$1, none is an orphan" 3
    expect_sound "$1"
}

# ---- as it should be -----------------------------------------------------------------------------

case_rekey() {
    make_swapped
    birthcert reconcile
    expect "rekey, reconcile before" 0 "VX-000001 .*$AWAITING"
    ask doctor >"$FOLDER/out" 2>&1 || true
    expect_text "rekey, doctor" 'requests: 1 are superseded, and revoked when the new board'
    ok "rekey, doctor: nothing is to be asked for" not says 'are to be revoked'
    birthcert orphans
    expect "rekey, orphans" 0 "VX-000001 .*$AWAITING; put the camera with its new board into any slot" \
        '^certificates of boards that were swapped, to be revoked: 1$'
    birthcert orphans --json
    ok "rekey, orphans as JSON" is "$(jq -r '"\(.serial) \(.certificate.state)"' "$FOLDER/out")" \
        'VX-000001 revoking'
    expect_revoked "rekey, before the new board is here"
    tray
    expect_exit "rekey" 0
    expect_slot "rekey" 1 PASS
    expect_calls "rekey" 1 1
    ok "rekey: of the old one" is "$(rekeyed)" "- $OLD "
    expect_certificates "rekey" 1 2
    ok "rekey: the intent names the old one" says_history "in place of certificate ${OLD,,}"
    expect_old_is_revoked "rekey"
    tray
    expect_slot "rekey, again" 1 'ALREADY PROVISIONED'
}

says_history() {
    ask show VX-000001 >"$FOLDER/history"
    grep -q "$1" "$FOLDER/history"
}

# Without the key of the section it is as it ever was.
case_off() {
    make_passed 1
    OLD=$(certificate_of VX-000001)
    birthcert rework VX-000001 --approve bob
    expect "off, rework" 0 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "off, rework" "$OLD superseded"
    wipe 0
    ca_setting rekey yes
    start_cameras 1
    tray
    expect_exit "off, the new board" 0
    expect_calls "off: what is revoked is not rekeyed" 2 0
}

# A third board: the second one's certificate is rekeyed.
case_third_board() {
    local second
    make_swapped
    tray
    expect_exit "the second board" 0
    second=$(certificate_of VX-000001)
    stop_cameras
    birthcert rework VX-000001 --approve bob
    expect "the third board, rework" 0 "VX-000001 .*$AWAITING" 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "the third board, rework" "$OLD superseded"
    wipe 0
    start_cameras 1
    tray
    expect_exit "the third board" 0
    ok "the third board: each of the one before" is "$(rekeyed)" "- $OLD $second "
    birthcert reconcile
    expect_exit "the third board, reconcile" 0
    expect_revoked "the third board, reconcile" "$OLD superseded" "$second superseded"
    expect_certificates "the third board" 1 3
    expect_sound "the third board"
}

# It ends with the old one, which was to last for a shorter time.
case_short() {
    make_bench 1
    # shellcheck disable=SC2119 # the options are optional
    start_hvca
    echo 'validity = 30d' >>"$FOLDER/conf.d/30-ca.conf"
    start_cameras 1
    tray
    expect_exit "short" 0
    stop_cameras
    sed -i '/^validity/d' "$FOLDER/conf.d/30-ca.conf"
    ca_setting rekey yes
    OLD=$(certificate_of VX-000001)
    birthcert rework VX-000001 --approve bob
    wipe 0
    start_cameras 1
    tray
    expect_exit "short, the new board" 0
    ok "short: it ends with the old one" is "$(jq -s 'map(.not_after) | .[0] == .[1]' \
        "$FOLDER/hvca/issued.jsonl")" true
    expect_old_is_revoked "short"
}

# The CA revokes the old one by itself, and lets the new one last as long as the old one did.
case_otherwise() {
    make_swapped
    control '{"rekey_revokes": 1, "rekey_full": 1}'
    tray
    expect_exit "otherwise" 0
    expect_slot "otherwise" 1 PASS
    birthcert reconcile
    expect "otherwise, reconcile" 0 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "otherwise" "$OLD superseded"
    expect_certificates "otherwise" 1 2
}

# ---- a person decides otherwise ------------------------------------------------------------------

# Revoked at once, and then the new board's request is one like any other.
case_at_once() {
    make_swapped
    birthcert revoke VX-000001 --reason superseded --certificate "$OLD"
    expect "at once" 0 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "at once" "$OLD superseded"
    tray
    expect_exit "at once, the new board" 0
    expect_calls "at once" 2 0
    expect_certificates "at once" 1 2
    expect_sound "at once"
}

case_scrapped() {
    make_swapped
    birthcert scrap VX-000001
    expect "scrapped" 0 'VX-000001 .*revoked \(superseded\)' 'VX-000001 +SCRAPPED'
    expect_revoked "scrapped" "$OLD superseded"
    tray
    expect_slot "scrapped" 1 FAIL 'E-UNIT-SCRAPPED'
    expect_calls "scrapped" 1 0
    expect_sound "scrapped"
}

# The officer takes it back: nothing waits any more.
case_switched_off() {
    make_swapped
    ca_setting rekey no
    birthcert reconcile
    expect "switched off" 0 'VX-000001 .*revoked \(superseded\)'
    expect_revoked "switched off" "$OLD superseded"
    tray
    expect_exit "switched off, the new board" 0
    expect_calls "switched off" 2 0
}

# ---- refused -------------------------------------------------------------------------------------

# Again it is asked for each time that the camera comes; with rekey = no it is an ordinary request.
case_refused() {
    make_swapped
    control '{"faults": ["http-422@rekey=1-"]}'
    tray
    expect_exit "refused" 1
    expect_slot "refused" 1 FAIL 'E-CA-REFUSED'
    ok "refused: the history says why, and what to do" says_history \
        'HTTP 422: a fault of the simulator; rekey = no in \[ca hvca\], and the camera in any slot again'
    birthcert reconcile
    expect "refused, reconcile" 0 "VX-000001 .*$AWAITING"
    tray
    expect_slot "refused, again" 1 FAIL 'E-CA-REFUSED'
    expect_calls "refused, again" 1 2
    expect_revoked "refused"
    ca_setting rekey no
    tray
    expect_exit "refused, then rekey = no" 0
    expect_calls "refused, then rekey = no" 2 2
    expect_certificates "refused, then rekey = no" 1 2
    birthcert reconcile
    expect_exit "refused, then rekey = no, reconcile" 0
    expect_revoked "refused, then rekey = no" "$OLD superseded"
    expect_sound "refused"
}

# What would come with names that are not the camera's any more is not asked for.
case_other_names() {
    make_swapped
    echo 'organization = Cameras Ltd' >>"$FOLDER/conf.d/30-ca.conf"
    tray
    expect_slot "other names" 1 FAIL 'E-CA-REFUSED'
    ok "other names: the history says so" says_history "no rekey of ${OLD,,}: .*rekey = no in \\[ca hvca\\]"
    expect_calls "other names" 1 0
    ca_setting rekey no
    tray
    expect_exit "other names, then rekey = no" 0
    expect_calls "other names, then rekey = no" 2 0
    expect_certificates "other names, then rekey = no" 1 2
}

# Of a certificate that nobody knows to be revoked the CA says no.
case_revoked_elsewhere() {
    make_swapped
    control '{"faults": ["drop-after@patch=1-"]}'
    birthcert revoke VX-000001 --reason superseded --wait 1
    expect "revoked, and not known" 4 'not confirmed.*; the same command asks the CA once more'
    clear_faults
    tray
    expect_slot "revoked, and not known" 1 FAIL 'E-CA-REFUSED'
    ok "revoked, and not known: the history says so" says_history "no rekey of ${OLD,,}: it is revoked"
    birthcert reconcile # it still waits for the new board; a person is quicker
    birthcert revoke VX-000001 --reason superseded --certificate "$OLD"
    expect_exit "revoked, and asked once more" 0
    tray
    expect_exit "revoked, and known" 0
    expect_calls "revoked, and known" 2 0
    expect_certificates "revoked, and known" 1 2
}

# ---- the answer was lost -------------------------------------------------------------------------

case_lost_listed() {
    make_swapped
    control '{"faults": ["drop-after@rekey=1-"]}'
    tray
    expect_exit "lost, and listed" 0
    expect_slot "lost, and listed" 1 PASS
    expect_calls "lost, and listed" 1 1
    expect_certificates "lost, and listed" 1 2
    expect_old_is_revoked "lost, and listed"
}

# Of what the lists do not show a person is asked, and nothing is sent.
hold() { # FAULT
    make_swapped
    control "{\"rekey_unlisted\": 1, \"faults\": [\"$1@rekey=1\"]}"
    tray
    expect_exit "held" 5
    expect_slot "held" 1 FAIL 'E-UNIT-HELD'
    ok "held: the history says what to ask" says_history \
        "ask the administrator of CA hvca for the rekey of ${OLD,,} to key SHA-256 "
    birthcert reconcile
    expect "held, reconcile" 5 'VX-000001 .*held: the CA cannot tell' "VX-000001 .*$AWAITING" \
        "whether the rekey of certificate ${OLD,,} to key SHA-256 .*, sent .*, was carried out"
    expect_calls "held" 1 1
    expect_revoked "held"
}

case_lost_unlisted() {
    hold drop-after
    jq -rs '.[-1].certificate' "$FOLDER/hvca/issued.jsonl" >"$FOLDER/found.pem"
    cat "$FOLDER/hvca/issuing.pem" >>"$FOLDER/found.pem"
    birthcert inbox import "$FOLDER/found.pem"
    expect_exit "held, the certificate is brought" 0
    birthcert reconcile
    expect "held, brought, reconcile" 0 'VX-000001 .*issued: on record now' \
        'VX-000001 .*revoked \(superseded\)'
    expect_revoked "held, brought" "$OLD superseded"
    tray
    expect_exit "held, brought, the new board" 0
    expect_calls "held, brought" 1 1
    expect_certificates "held, brought" 1 2
    expect_sound "held, brought"
}

# It was not carried out: once more, or otherwise.
case_lost_never() {
    hold drop-before
    birthcert release VX-000001 --approve bob
    expect_exit "held, released" 0
    tray
    expect_exit "held, released, the new board" 0
    expect_calls "held, released" 1 2
    ok "held, released: of the old one" is "$(rekeyed)" "- $OLD "
    expect_certificates "held, released" 1 2
    birthcert reconcile
    expect_revoked "held, released" "$OLD superseded"
}

case_lost_ordinary() {
    hold drop-before
    ca_setting rekey no
    birthcert release VX-000001 --approve bob
    expect_exit "held, released as ordinary" 0
    tray
    expect_exit "held, released as ordinary, the new board" 0
    expect_calls "held, released as ordinary" 2 1
    ok "held, released as ordinary: no rekey" is "$(rekeyed)" '- - '
    birthcert reconcile
    expect_revoked "held, released as ordinary" "$OLD superseded"
    expect_sound "held, released as ordinary"
}

# Killed while the rekey is on its way: the next start finds it.
case_kill() {
    make_swapped
    control '{"faults": ["stall@rekey=60000:1"]}'
    start_birthcert tray "$FOLDER/tray.csv"
    await "$FOLDER/hvca/issued.jsonl" rekey_of
    kill -KILL "$STATION_PID"
    await_birthcert
    clear_faults
    birthcert reconcile
    expect "killed, reconcile" 0 'VX-000001 .*issued: on record now' 'VX-000001 .*revoked \(superseded\)'
    tray
    expect_exit "killed, the new board" 0
    expect_calls "killed" 1 1
    expect_certificates "killed" 1 2
    expect_revoked "killed" "$OLD superseded"
    expect_sound "killed"
}

run_cases rekey off third_board short otherwise at_once scrapped switched_off refused other_names \
    revoked_elsewhere lost_listed lost_unlisted lost_never lost_ordinary kill
