#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The real program with a PKI secrets engine of Vault: trays of simulated cameras, and everything that such a
# CA does to them.
#
#   tests/e2e_vault.sh [CASE...]
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_vault.bash
. tests/support_vault.bash

SIMULATED_CA=vault

set_ca() { # LINE...: changes the CA's section
    printf '[ca vault]\n' >"$FOLDER/conf.d/35-ca.conf"
    printf '%s\n' "$@" >>"$FOLDER/conf.d/35-ca.conf"
}

# The administrator writes a role; what it does not name is as Vault has it.
set_role() { # NAME JSON
    curl -sS --max-time 20 --cacert "$FOLDER/vault/server_root.pem" -o "$FOLDER/role" \
        -H "X-Vault-Token: $(cat "$FOLDER/vault/root_token")" -d "$2" \
        "https://127.0.0.1:$CA_PORT/v1/pki/roles/$1"
}

GOOD_ROLE='{"key_type": "ec", "key_bits": 256, "allow_any_name": true, "cn_validations": "disabled",
    "allowed_serial_numbers": "*", "use_csr_common_name": false, "use_csr_sans": false,
    "key_usage": "DigitalSignature"}'

with_role() { # NAME JSON: a good one, but for that
    set_role "$1" "$(jq -n --argjson good "$GOOD_ROLE" --argjson more "$2" '$good + $more')"
    set_ca "ca_profile = $1"
}

requests() { curl -sS "http://127.0.0.1:$CA_CONTROL/control" | jq -r ".requests.$1"; }

# ---- what goes well ------------------------------------------------------------------------------

case_tray() {
    make_bench 8
    start_cameras 8
    start_vault --client-certificate --namespace factory
    set_ca 'client_certificate_file = vault/client.pem' 'client_key_file = vault/client.key' \
        'extra_header = X-Vault-Namespace: factory'
    birthcert doctor
    expect_text "doctor" 'vault: reached, and logged in' \
        'issues as: CN=vault-sim Issuing CA,.* < CN=vault-sim Root CA' \
        'fits the policy of CA vault'
    ok "doctor: nothing was asked for" is "$(requests sign)" 0
    tray
    expect "a tray of 8" 0 '^PASS +slot 8 +VX-000008' '8 passed, 0 already provisioned, 0 failed'
    ok "a tray of 8: it is not called a CA for trials" not says 'not a public CA'
    ok "a tray of 8: one request each" is "$(requests sign)" 8
    ok "a tray of 8: the token is nowhere" not grep -rqF "$(cat "$FOLDER/token")" "$FOLDER/log" \
        "$FOLDER/out" "$FOLDER/err" "$FOLDER/birthcert.db"
    expect_certificates "a tray of 8" 8
    tray
    expect "the tray again" 0 '8 already provisioned'
    expect_certificates "the tray again" 8
}

case_revoke() {
    make_bench 8
    start_cameras 8
    start_vault
    tray
    expect "a tray to revoke" 0 '8 passed'
    birthcert revoke VX-000003 --reason superseded
    expect "revoke" 0 'VX-000003 .*revoked'
    ok "revoke: it is" is "$(jq -r .serial "$FOLDER/vault/revoked.jsonl" | wc -l)" 1
    ok "revoke: that one" is "$(jq -r .serial "$FOLDER/vault/revoked.jsonl")" \
        "$(jq -r 'select(.subject | test("VX-000003")) | .serial' "$FOLDER/vault/issued.jsonl")"
    birthcert ca test vault --issue
    expect "ca test --issue" 0 'revoked'
    ok "ca test --issue: that one is revoked as well" is "$(wc -l <"$FOLDER/vault/revoked.jsonl")" 2
}

# ---- lost answers --------------------------------------------------------------------------------

expect_settled() { # WHAT
    expect "$1" 0 '8 passed'
    expect_certificates "$1" 8
}

case_lost() {
    make_bench 8
    start_cameras 8
    start_vault --fault drop-after=2 --fault drop-before=5 --fault http-500=6 --fault empty=6 \
        --fault cut=6
    tray
    expect_settled "lost answers"
}

# Every answer is lost, in a mount that holds thousands of others, by pages and all at once.
case_lost_among_many() {
    make_bench 8
    start_cameras 8
    start_vault --pages
    fill_mount 2100
    tray_with_lost_answers
    expect "lost among many, pages" 0 '8 passed'
    ok "lost among many, pages: each was read once" below "$(requests cert)" 2140
    expect_one_each "lost among many, pages" 2108
    stop_cameras
    rm -r "$FOLDER/cameras"
    PREFIX=VY-
    write_manifest 8
    start_cameras 8
    kill_vault
    start_vault
    tray_with_lost_answers
    expect "lost among many, one list" 0 '8 passed'
    expect_one_each "lost among many, one list" 2116
}

# The other certificates have one key, so that it is the cameras' that must not be there twice.
expect_one_each() { # WHAT ISSUED
    ok "$1: the CA issued $2" is "$(issued)" "$2"
    ok "$1: no camera's key twice" is "$(jq -r 'select(.subject | test("CN=V")) | .spki_sha256' \
        "$FOLDER/vault/issued.jsonl" | sort | uniq -d)" ''
    ok "$1: each camera has one, and it is the CA's" is \
        "$(cameras_say | sort | comm -12 - <(ca_says | sort) | wc -l)" 8
}

tray_with_lost_answers() {
    control '{"faults": ["drop-after=1-8"]}'
    tray
    clear_faults
}

# Certificates of somebody else, as the ledger has them.
fill_mount() { # COUNT
    local port=$CA_PORT
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=other \
        -keyout "$FOLDER/other.key" -out "$FOLDER/other.csr" 2>/dev/null
    jq -n --rawfile csr "$FOLDER/other.csr" '{csr: $csr, common_name: "other"}' >"$FOLDER/other"
    seq "$1" | sed "s,.*,url = https://127.0.0.1:$port/v1/pki/sign/camera," >"$FOLDER/urls"
    control '{"latency_ms": 0}'
    curl -s --cacert "$FOLDER/vault/server_root.pem" -H "X-Vault-Token: $(cat "$FOLDER/token")" \
        -d "@$FOLDER/other" -K "$FOLDER/urls" --parallel >"$FOLDER/filled" 2>&1
    control '{"latency_ms": 20}'
    ok "the mount is full of others" is "$(issued)" "$1"
}

# The station dies while a request is on its way.
case_killed_midway() {
    make_bench 8
    start_cameras 8
    start_vault --fault stall=60000:1-8
    start_birthcert tray "$FOLDER/tray.csv"
    await_lines "$FOLDER/vault/issued.jsonl" . 8
    kill -KILL "$STATION_PID"
    wait "$STATION_PID" 2>/dev/null || true
    clear_faults
    tray
    expect_settled "killed midway"
}

# What a role does not store nobody can look up.
case_no_store() {
    make_bench 8
    start_cameras 8
    start_vault --fault drop-after=2
    with_role forgets '{"no_store": true}'
    birthcert doctor
    expect_text "no_store: doctor" 'a lost answer cannot be looked up: no_store'
    tray
    expect "no_store, held" 5 '7 passed.* 1 failed' 'E-UNIT-HELD .*no_store.*ask the administrator of CA vault'
    expect_certificates "no_store, held" 7 8
    set_ca 'ca_profile = forgets' 'lost_answer = resend'
    birthcert reconcile
    expect_text "no_store, sent again: reconcile" 'not issued: waits in the outbox'
    tray
    expect "no_store, sent again" 0 '1 passed, 7 already provisioned'
    ok "no_store, sent again: the CA issued 9" is "$(issued)" 9
}

# The token's policies do not let the station look.
case_hidden() {
    make_bench 8
    start_cameras 8
    start_vault --hide-role --deny-list --fault drop-after=2
    birthcert doctor
    expect_text "policies that hide: doctor" 'lack read on pki/roles/camera' \
        'lack list on pki/certs'
    tray
    expect "policies that hide" 5 '7 passed.* 1 failed' 'E-UNIT-HELD .*the role cannot be read'
    kill_vault
    start_vault
    birthcert reconcile
    expect_exit "with better policies: reconcile" 0
    tray
    expect "with better policies" 0 '1 passed, 7 already provisioned'
    expect_certificates "with better policies" 8
}

# The role is hidden, and what it issues is revoked in a while: that is not for a camera, and bought once.
case_leases() {
    make_bench 1
    start_cameras 1
    start_vault --hide-role
    with_role leases '{"generate_lease": true}'
    set_ca 'ca_profile = leases' 'lost_answer = resend'
    tray
    expect "leases" 5 '0 passed.* 1 failed' 'E-UNIT-HELD .*generate_lease'
    ok "leases: no camera has one" is "$(cameras_say | wc -l)" 0
    ok "leases: one was bought" is "$(issued) $(requests sign)" "1 1"
}

# ---- a CA that says no ---------------------------------------------------------------------------

case_busy() {
    make_bench 8
    start_cameras 8
    start_vault --fault http-429-retry=2:1-6 --fault http-429=7-9 --fault http-412=10
    tray
    expect_settled "429 and 412"
}

# Sealed after the check, unsealed while cameras wait; and a standby node for a while.
case_sealed() {
    make_bench 8
    start_cameras 8 --key-time 1500
    start_vault
    start_birthcert tray "$FOLDER/tray.csv"
    await_request capabilities
    control '{"sealed": 1}'
    await "$FOLDER/err" 'Vault is sealed' 20 || await "$FOLDER/out" 'Vault is sealed' 1
    control '{"sealed": 0, "standby": 1}'
    sleep 2
    control '{"standby": 0}'
    await_birthcert
    expect_settled "sealed, and standby"
    control '{"sealed": 1}'
    birthcert doctor
    expect_text "sealed: doctor" 'E-CA-BUSY .*Vault is sealed'
    control '{"sealed": 0, "standby": 1}'
    birthcert doctor
    expect_text "standby: doctor" 'E-CA-UNREACHABLE .*standby node.*https://active.invalid:8200'
}

await_request() { # OPERATION
    local tries
    for ((tries = 0; tries < 400; tries++)); do
        [ "$(requests "$1")" -eq 0 ] || return 0
        sleep 0.05
    done
    echo "not ok - no request $1 in time"
}

case_restarted() {
    make_bench 8
    start_cameras 8 --key-time 400
    start_vault
    start_birthcert tray "$FOLDER/tray.csv"
    sleep 0.2
    kill_vault
    start_vault
    await_birthcert
    expect_settled "CA restarted"
}

# ---- the token -----------------------------------------------------------------------------------

# It lives for six seconds, and the tray takes longer.
case_token_renewed() {
    make_bench 8
    start_cameras 8 --key-time 9000
    start_vault --token-ttl 6
    birthcert doctor
    expect_text "a token that ends: doctor" 'the token ends 20.*and is renewed before'
    tray
    expect_settled "a token that ends"
    ok "a token that ends: it was renewed" at_least "$(requests renew)" 1
}

case_token_replaced() {
    make_bench 8
    start_cameras 8
    start_vault
    echo wrong >"$FOLDER/token"
    tray --wait 2
    expect "a wrong token" 4 'E-CA-LOGIN .*token has ended or was revoked.*token_file ' '8 unfinished'
    ok "a wrong token: nothing was asked for" is "$(issued) $(requests sign)" "0 0"
    ok "a wrong token: it is not shown" not says wrong$
    cp -p "$FOLDER/vault/token" "$FOLDER/token"
    expect_good_end "a wrong token" 8
    control '{"token_ttl": 1}'
    sleep 1.2
    birthcert doctor
    expect_text "an old token: doctor" 'E-CA-LOGIN .*token has ended'
    chmod 644 "$FOLDER/token"
    birthcert doctor
    expect_text "a token for all to read" 'E-SECRET-EXPOSED'
}

case_token_not_renewable() {
    make_bench 1
    start_vault --token-ttl 3600 --not-renewable
    birthcert doctor
    expect_text "a token that cannot be renewed" 'the token ends 20.*and cannot be renewed'
}

# ---- what does not fit ---------------------------------------------------------------------------

before_anything() { # WHAT STATUS EXPRESSION
    tray
    expect "$1" "$2" "$3" '8 unfinished'
    ok "$1: nothing was asked for" is "$(issued) $(requests sign)" "0 0"
}

case_refused_beforehand() {
    make_bench 8
    start_cameras 8
    start_vault
    set_ca 'root_file = vault/server_root.pem'
    before_anything "another root" 2 'E-CA-CONFIG .*vault-sim Issuing CA.*root_file'
    set_ca 'server_root_file = vault/root.pem'
    before_anything "another TLS root" 4 'E-CA-TLS .*server'
    set_ca 'ca_profile = other'
    before_anything "another role" 2 'E-CA-CONFIG .*has no role "other"'
    set_ca 'authority = pki/other'
    before_anything "another mount" 2 'E-CA-CONFIG .*no handler for route'
    set_role plain '{"key_type": "ec", "key_bits": 256, "allow_any_name": true}'
    set_ca 'ca_profile = plain'
    before_anything "a role with Vault's defaults" 4 'E-CA-POLICY .*use_csr_common_name'
    with_role rsa '{"key_type": "rsa", "key_bits": 2048}'
    before_anything "a role for other keys" 4 'E-CA-POLICY .*key_type.*"rsa"'
    with_role maker '{"organization": "Maker"}'
    before_anything "a role with names of its own" 4 'E-CA-POLICY .*organization.*"Maker"'
    with_role server '{"client_flag": false}'
    before_anything "a role without a usage" 4 'E-CA-POLICY .*client_flag'
    with_role leased '{"generate_lease": true}'
    before_anything "a role with leases" 4 'E-CA-POLICY .*generate_lease.*set it to false'
    with_role local '{"allow_any_name": false, "allowed_domains": "example", "allow_subdomains": true}'
    before_anything "a role for another domain" 4 'E-CA-POLICY .*allowed_domains.*\{serial\}.local'
    with_role local '{"allow_any_name": false, "allowed_domains": "local", "allow_subdomains": true}'
    printf '[profile idevid]\nbased_on = idevid\nca = vault\ncredential = 2\n' \
        >"$FOLDER/conf.d/40-idevid.conf"
    birthcert doctor
    expect_text "a HardwareModuleName" 'E-CA-POLICY .*hardware_type: Vault cannot'
    rm "$FOLDER/conf.d/40-idevid.conf"
    expect_good_end "refused beforehand" 8
}

# A role lets only some serials through: those that it does not are failed, the others pass.
case_refused() {
    make_bench 8
    start_cameras 8
    start_vault
    with_role some '{"allowed_serial_numbers": "VX-000001,VX-000002,VX-00000[3]"}'
    tray
    expect "some are refused" 1 '2 passed.* 6 failed' \
        'E-CA-REFUSED .*serial_number VX-00000[3-8] not allowed by this role'
    rm "$FOLDER/conf.d/35-ca.conf"
    expect_good_end "some are refused" 8
}

# ---- a CA that issues something else -------------------------------------------------------------

case_rewritten_subject() {
    make_bench 8
    start_cameras 8
    start_vault --fault wrong-names=4
    tray
    expect "a rewritten subject" 5 '7 passed.* 1 failed' 'FAIL .* E-CERT-NAMES the subject.s CN'
    expect_certificates "a rewritten subject" 7 8
}

# The answer is another camera's certificate: ours is found by its key.
case_other_certificate() {
    make_bench 8
    start_cameras 8
    start_vault --fault other-certificate=5
    tray
    expect_settled "another camera's certificate"
}

# ---- everything ----------------------------------------------------------------------------------

run_cases tray revoke lost lost_among_many killed_midway no_store hidden leases busy sealed restarted \
    token_renewed token_replaced token_not_renewable refused_beforehand refused \
    rewritten_subject other_certificate
