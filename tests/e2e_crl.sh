#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a CA's own list says is revoked, with lists that OpenSSL's command line and GnuTLS make: what was
# asked for, what only the CA's desk knows, what it should say and does not, and lists of somebody else.
#
#   tests/e2e_crl.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_officer.bash
. tests/support_officer.bash

# Makes FOLDER/crl.pem. With THEN the CA says it as of then: "2 days".
make_list() { # CERTIFICATE KEY [THEN] -- "SERIAL[,REASON]"...
    local certificate=$1 key=$2 entry
    local -a when=(-crldays 30)
    shift 2
    if [ "$1" != -- ]; then
        when=(-crl_lastupdate "$(date -u -d "$1" +%Y%m%d%H%M%SZ)"
            -crl_nextupdate "$(date -u -d "$1 1 week" +%Y%m%d%H%M%SZ)")
        shift
    fi
    shift
    for entry in "$@"; do
        printf 'R\t391231235959Z\t261128120000Z%s\t%s\tunknown\t/CN=x\n' \
            "$([[ $entry != *,* ]] || echo ",${entry#*,}")" "${entry%,*}"
    done >"$FOLDER/index.txt"
    printf '[ca]\ndefault_ca = own\n[own]\ndatabase = %s\ndefault_md = sha256\n%s\n' \
        "$FOLDER/index.txt" "$CRL_SECTIONS" >"$FOLDER/openssl.cnf"
    openssl ca -gencrl -config "$FOLDER/openssl.cnf" -cert "$certificate" -keyfile "$key" \
        "${when[@]}" -out "$FOLDER/crl.pem" 2>"$FOLDER/openssl.err"
}
CRL_SECTIONS=

trial_list() { make_list "$FOLDER/ca/root.pem" "$FOLDER/ca/root.key" "$@"; }

# What became of certificates became of them two days ago.
age() {
    sqlite3 "$FOLDER/birthcert.db" "UPDATE certificate SET ended_ms = ended_ms - 172800000
        WHERE ended_ms > 0"
}

hvca_list() { make_list "$FOLDER/hvca/issuing.pem" "$FOLDER/hvca/issuing.key" "$@"; }

import() { birthcert crl import "${1:-$FOLDER/crl.pem}"; }

events() { # KIND: of how many there are
    sql "SELECT count(*) FROM event WHERE kind = $1 AND refused = 0"
}

# ---- what is recorded ----------------------------------------------------------------------------

# A CA that revokes at its own desk alone: what it was told by a person ends here by its list.
case_withdrawn() {
    local certificate
    make_bench 3
    start_cameras 3
    tray
    stop_cameras
    certificate=$(certificate_of VX-000001)
    birthcert scrap VX-000001 --reason keyCompromise
    expect "withdrawn" 0 'ask the administrator of the CA trial .*birthcert crl import takes the CA'
    trial_list -- 4711
    import
    expect "a list of others" 3 "the list of \"CN=.* names 1 certificate; newly recorded as revoked: 0"
    ok "a list of others: in time" not says 'out of date'
    trial_list -- 4711 "$certificate,superseded"
    import
    expect "withdrawn, then listed" 0 'VX-000001 .*  revoked \(keyCompromise\)$' \
        'names 2 certificates; newly recorded as revoked: 1, recorded before: 0'
    ok "withdrawn, then listed: revoked" is "$(state_of VX-000001)" 4
    ok "withdrawn, then listed: nobody else" is "$(live_certificates)" 2
    ask show VX-000001 >"$FOLDER/out"
    expect_text "withdrawn, then listed, show" '^  state +revoked' '^  reason +keyCompromise' \
        'revoked .*by its CA.s revocation list, since 2026-11-28T12:00:00'
    import
    expect "listed, again" 0 'newly recorded as revoked: 0, recorded before: 1'
    ok "listed, again: recorded once" is "$(events 14)" 1
    expect_sound withdrawn
}

# What nobody here asked for: the camera is not good any more.
case_live() {
    local certificate
    make_passed 2
    certificate=$(certificate_of VX-000002)
    hvca_list -- "$certificate,keyCompromise"
    import
    expect "live, and listed" 1 \
        'VX-000002 .*was in use, and its CA has revoked it \(keyCompromise\); set it aside'
    ok "live, and listed: revoked" is "$(state_of VX-000001)$(state_of VX-000002)" 14
    start_cameras 2
    tray
    expect_slot "live, and listed, on a bench" 1 'ALREADY PROVISIONED'
    expect_slot "live, and listed, on a bench" 2 FAIL E-UNIT-REVOKED
    birthcert list --state revoked
    expect "live, and listed, list" 0 '^VX-000002 +PASSED +https +revoked'
    ok "live, and listed, list: nobody else" not says VX-000001
    ok "live, and listed: the CA issued nothing" is "$(issued)" 2
    expect_sound live
}

# What was set aside already.
case_quarantined() {
    make_bench 1
    start_hvca --fault wrong-names=1
    start_cameras 1
    tray
    expect_slot "in quarantine" 1 FAIL E-CERT-NAMES
    hvca_list -- "$(certificate_of VX-000001)"
    import
    expect "in quarantine, and listed" 1 \
        'VX-000001 .*was in quarantine, and its CA has revoked it \(unspecified\); set it aside'
    birthcert orphans
    expect_exit "in quarantine, and listed: nothing is left" 3
    expect_sound quarantined
}

# The CA did it, its answer was lost, and it is gone for good.
case_requested() {
    local certificate
    make_passed 1
    certificate=$(certificate_of VX-000001)
    stop_hvca
    birthcert revoke VX-000001 --reason superseded --wait 0
    expect_exit "requested" 4
    hvca_list -- "$certificate"
    import
    expect "requested, then listed" 0 'VX-000001 .*  revoked \(superseded\)$'
    ok "requested, then listed: one intent, one end" is "$(events 13) $(events 14)" '1 1'
    birthcert reconcile
    expect_exit "requested, then listed: nothing is open" 3
    expect_sound requested
}

# GnuTLS's list, in DER.
case_certtool() {
    command -v certtool >/dev/null || { echo "# skipped: no certtool" && return; }
    make_bench 1
    start_cameras 1
    tray
    sqlite3 "$FOLDER/birthcert.db" "SELECT writefile('$FOLDER/leaf.der', leaf) FROM certificate" \
        >/dev/null
    openssl x509 -inform DER -in "$FOLDER/leaf.der" -out "$FOLDER/leaf.pem"
    printf 'crl_next_update = 30\ncrl_number = 7\n' >"$FOLDER/template"
    certtool --generate-crl --load-ca-privkey "$FOLDER/ca/root.key" --template "$FOLDER/template" \
        --load-ca-certificate "$FOLDER/ca/root.pem" --load-certificate "$FOLDER/leaf.pem" \
        --outder --outfile "$FOLDER/crl.der" 2>"$FOLDER/certtool.err"
    import "$FOLDER/crl.der"
    expect "GnuTLS's list" 1 'VX-000001 .*was in use, and its CA has revoked it \(unspecified\)'
}

# ---- what is only said ---------------------------------------------------------------------------

case_on_hold() {
    make_bench 1
    start_cameras 1
    tray
    trial_list -- "$(certificate_of VX-000001),certificateHold"
    import
    expect "on hold" 1 'VX-000001 .*on hold at its CA, which may take that back: not recorded; ask'
    ok "on hold: as it was" is "$(state_of VX-000001)" 1
    birthcert revoke VX-000001 --reason superseded
    import
    expect "on hold, and withdrawn" 1 'VX-000001 .*on hold at its CA, .*ask the CA.s administrator whether'
    trial_list -- "$(certificate_of VX-000001)"
    import
    expect "on hold no more" 0 'VX-000001 .*  revoked \(superseded\)'
    trial_list -- "$(certificate_of VX-000001),certificateHold"
    import
    expect "revoked, and on hold a moment before" 3 'recorded before: 0'
    age
    import
    expect "revoked, and only on hold" 5 'VX-000001 .*recorded as revoked, and only on hold at its CA'
    ok "revoked, and only on hold: as it was" is "$(state_of VX-000001)" 4
}

case_unlisted() {
    local certificate
    make_passed 1
    certificate=$(certificate_of VX-000001)
    birthcert revoke VX-000001 --reason superseded
    expect_exit "unlisted" 0
    hvca_list -- 4711
    import
    expect "unlisted, the list of today" 3 'names 1 certificate;'
    age
    import
    expect "unlisted, two days later" 5 \
        'VX-000001 .*recorded as revoked, and its CA does not list it \(superseded\); ask'
    # Of a part of what the CA issued, silence says nothing.
    CRL_SECTIONS=$'crl_extensions = ext\n[ext]\nissuingDistributionPoint = critical,@idp\n[idp]\nonlyuser = TRUE'
    hvca_list -- 4711
    import
    expect "unlisted, in a part of a list" 3 'names 1 certificate;'
    hvca_list -- "$certificate"
    import
    expect "listed in a part of a list" 0 'recorded before: 1'
}

# ---- what is not believed ------------------------------------------------------------------------

# Another CA certificate with the same name and a key of its own.
make_namesake() { # CERTIFICATE
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
        -subj "$(openssl x509 -in "$1" -noout -subject -nameopt compat | sed 's/^subject=//')" \
        -keyout "$FOLDER/other.key" -out "$FOLDER/other.pem" 2>/dev/null
}

# Whatever it says, and if it is nothing.
case_foreign() {
    local entry
    make_bench 1
    start_cameras 1
    tray
    make_namesake "$FOLDER/ca/root.pem"
    for entry in "$(certificate_of VX-000001)" 4711; do
        make_list "$FOLDER/other.pem" "$FOLDER/other.key" -- "$entry"
        import
        expect "another CA's list of $entry" 5 \
            'E-CRL-SIGNER the list of "CN=.*: it is not signed with the key of its issuer'
        trial_list -- "$entry"
        # A bit of the signature.
        openssl crl -in "$FOLDER/crl.pem" -outform DER -out "$FOLDER/crl.der"
        printf '\x00' | dd of="$FOLDER/crl.der" bs=1 conv=notrunc status=none \
            seek=$(($(stat -c %s "$FOLDER/crl.der") - 3))
        import "$FOLDER/crl.der"
        expect "a changed list of $entry" 5 E-CRL-SIGNER
    done
    ok "another CA's list: nothing is recorded" is "$(state_of VX-000001)" 1
    # Its CA's word about others, and a CA that nobody knows.
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=Strange \
        -keyout "$FOLDER/strange.key" -out "$FOLDER/strange.pem" 2>/dev/null
    make_list "$FOLDER/strange.pem" "$FOLDER/strange.key" -- "$(certificate_of VX-000001)"
    import
    expect "a strange CA's list" 3 'no certificate of "CN=Strange" is on record'
}

# A CA has another key under its old name since: what is not on that one's list was never to be.
case_renewed() {
    local certificate
    make_passed 2
    certificate=$(certificate_of VX-000001)
    birthcert revoke VX-000001 --reason superseded
    make_namesake "$FOLDER/hvca/issuing.pem"
    cat "$FOLDER/hvca/root.pem" "$FOLDER/other.pem" >"$FOLDER/hvca/roots.pem"
    sed -i 's|root_file = hvca/root.pem|root_file = hvca/roots.pem|' "$FOLDER/conf.d/30-ca.conf"
    age
    make_list "$FOLDER/other.pem" "$FOLDER/other.key" -- 4711
    import
    expect "the new key's list" 3 'names 1 certificate; newly recorded as revoked: 0'
    make_list "$FOLDER/other.pem" "$FOLDER/other.key" -- "$(certificate_of VX-000002)"
    import
    expect "the new key's list, with an old certificate" 5 \
        'VX-000002 .*its serial number is listed, but another key issued it than signed the list: not recorded'
    ok "the new key's list: nothing is recorded" is "$(state_of VX-000002)" 1
    hvca_list -- "$certificate"
    import
    expect "the old key's list" 0 'recorded before: 1'
}

# Signed as it should be, but for the clock.
case_future() {
    make_passed 1
    birthcert revoke VX-000001 --reason superseded
    hvca_list '1 week' -- 4711
    import
    expect "of next week" 3 '^warning +crl: the list is of 20.*, which is to come'
}

# What came with a certificate in quarantine is in nobody's way.
case_rubbish() {
    make_bench 1
    start_hvca --fault wrong-names=1
    start_cameras 1
    tray
    hvca_list -- "$(certificate_of VX-000001)"
    sqlite3 "$FOLDER/birthcert.db" "UPDATE intermediates SET der = x'0102'"
    import
    expect "no issuer on record" 5 'E-CRL-SIGNER .*no CA certificate of its issuer is known'
    sed -i '/^root_file/a intermediates_file = hvca/issuing.pem' "$FOLDER/conf.d/30-ca.conf"
    import
    expect "its issuer in the configuration" 1 'was in quarantine, and its CA has revoked it'
}

# Each section counts by itself.
case_sections() {
    make_bench 1
    start_cameras 1
    tray
    printf '[ca old]\nbackend = file\nroot_file = gone.pem\n' >"$FOLDER/conf.d/40-old.conf"
    printf '%s\n' 'client_certificate_file = ca/root.pem' 'client_key_file = ca/root.key' \
        >>"$FOLDER/conf.d/40-old.conf"
    trial_list '-3 weeks' -- "$(certificate_of VX-000001)"
    import
    expect "a section that is no good" 1 '^warning +crl: .*\[ca old\].*gone.pem' \
        '^warning +crl: the list is out of date: since 20' 'VX-000001 .*was in use'
}

case_file() {
    make_bench 1
    import "$FOLDER/none.pem"
    expect "no file" 2 'E-USAGE .*none.pem'
    echo nonsense >"$FOLDER/crl.pem"
    import
    expect "no list" 2 'E-CRL-FILE .*crl.pem: no certificate revocation list in 9 bytes'
    import "$FOLDER/ca/root.pem"
    expect "a certificate" 2 'E-CRL-FILE .*it holds certificates, which inbox import takes'
    trial_list -- 4711
    cat "$FOLDER/crl.pem" "$FOLDER/crl.pem" >"$FOLDER/two.pem"
    import "$FOLDER/two.pem"
    expect "two lists" 2 'E-CRL-FILE .*more than one list'
    CRL_SECTIONS=$'crl_extensions = ext\n[ext]\n1.2.3.4 = critical,ASN1:NULL'
    trial_list -- 4711
    import
    expect "a critical extension" 2 'E-CRL-FILE .*critical extension that is not known: 1.2.3.4'
    CRL_SECTIONS=$'crl_extensions = ext\n[ext]\n2.5.29.27 = critical,ASN1:INTEGER:3'
    trial_list -- 4711
    import
    expect "a delta list" 2 'E-CRL-FILE .*it is a delta list'
    birthcert crl export "$FOLDER/crl.pem"
    expect "another word" 2 'E-USAGE .*crl import FILE'
}

# A station is at work on the database.
case_locked() {
    make_bench 1
    start_cameras 1
    start_beside run
    await "$FOLDER/beside" PASS
    trial_list -- "$(certificate_of VX-000001)"
    import
    expect "beside a station" 4 E-STORE-LOCKED
    end_all "$BESIDE_PID"
    ok "beside a station: as it was" is "$(state_of VX-000001)" 1
}

# ---- what is left over ---------------------------------------------------------------------------

# At a CA that persons carry requests to, everything is revoked at its desk.
case_left() {
    make_bench 1
    start_cameras 1
    tray
    birthcert revoke VX-000001 --reason superseded
    birthcert orphans
    expect "the embedded CA's" 3 'every certificate on record is installed'
    printf '%s\n' '[ca desk]' 'backend = file' "root_file = $FOLDER/ca/root.pem" \
        "client_certificate_file = $FOLDER/ca/root.pem" "client_key_file = $FOLDER/ca/root.key" \
        >"$FOLDER/conf.d/40-desk.conf"
    sqlite3 "$FOLDER/birthcert.db" "UPDATE certificate SET ca = 'desk'"
    birthcert orphans
    expect "left over, orphans" 0 'out of use here, and not revoked: 1; birthcert list --state withdrawn'
    birthcert doctor
    expect_text "left over, doctor" '1 are out of use here, and not revoked.*birthcert crl import'
    birthcert list --state withdrawn
    expect "left over, list" 0 '^VX-000001'
    trial_list -- "$(certificate_of VX-000001)"
    import
    expect "left over, listed" 0 'VX-000001 .*  revoked \(superseded\)'
    birthcert orphans
    expect "left over, orphans, at last" 3 'every certificate on record is installed'
    birthcert list --state withdrawn
    expect_exit "left over, list, at last" 3
}

run_cases withdrawn live quarantined requested certtool on_hold unlisted foreign renewed future rubbish \
    sections file locked left
