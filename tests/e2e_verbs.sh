#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The program's command line: every verb's help and bad options, exit statuses, a new bench, and
# doctor on it. Run from the root of the repository; BUILD names the build tree.
set -euo pipefail

BUILD=$(cd "${BUILD:-build/release}" && pwd)
# shellcheck source=tests/support_sim.bash
. tests/support_sim.bash hvca-sim
PROGRAM=$BUILD/birthcert
BENCH=$WORK/bench
CONF=$BENCH/birthcert.conf
mapfile -t VERBS < <("$PROGRAM" --help | awk '$1 == "birthcert" && $2 !~ /^-|^gives/ { print $2 }')
unset BIRTHCERT_CONFIG

# ---- helpers -------------------------------------------------------------------------------------

# Runs the program; leaves out, err and STATUS.
run() {
    STATUS=0
    "$PROGRAM" "$@" >"$WORK/out" 2>"$WORK/err" || STATUS=$?
}

gives() { # STATUS ARGUMENT...
    local wanted=$1
    shift
    run "$@"
    [ "$STATUS" = "$wanted" ]
}

# A fault of the command line: status 2, the code on stderr, nothing on stdout.
refuses() { # ARGUMENT...
    run "$@"
    [ "$STATUS" = 2 ] && [ ! -s "$WORK/out" ] && grep -q 'E-USAGE' "$WORK/err"
}

out_has() { grep -qF -- "$1" "$WORK/out"; }
err_has() { grep -qF -- "$1" "$WORK/err"; }
out_is_empty() { [ ! -s "$WORK/out" ]; }
err_is_empty() { [ ! -s "$WORK/err" ]; }
lines_of_out() { [ "$(wc -l <"$WORK/out")" = "$1" ]; }
out_is_json() { jq -e -s 'length > 0 and all(has("type"))' "$WORK/out"; }
err_is_json() { jq -e -s 'length > 0 and all(.type == "error")' "$WORK/err"; }
# Each line of stderr for itself, and there is one.
err_is_objects() {
    local line
    [ -s "$WORK/err" ] || return 1
    while IFS= read -r line; do jq -e .type <<<"$line" || return 1; done <"$WORK/err"
}
err_has_type() { jq -e -s "any(.type == \"$1\")" "$WORK/err"; }
# No control characters but the ends of lines.
out_is_plain() { ! LC_ALL=C tr -d '\n' <"$WORK/out" | LC_ALL=C grep -q '[[:cntrl:]]'; }

# ---- the command line ----------------------------------------------------------------------------

ok 'no verb: help, status 2' gives 2
ok 'no verb: lists all of them' grep -q 'birthcert reconcile' "$WORK/out"
ok '--help: status 0' gives 0 --help
ok '--version: status 0' gives 0 --version
ok '--version names the program' out_has 'birthcert '
ok 'no verb: there are many' at_least "${#VERBS[@]}" 19
ok 'an unknown verb' refuses frobnicate
ok 'an unknown verb is named' err_has 'frobnicate'

for verb in "${VERBS[@]}"; do
    ok "$verb --help: status 0" gives 0 "$verb" --help
    ok "$verb --help has an example" out_has "Example: birthcert $verb"
    ok "$verb: an unknown option" refuses "$verb" --frobnicate
    ok "$verb: its usage is told" err_has "usage: birthcert $verb"
    ok "$verb: --config without a value" refuses "$verb" --config
done

for verb_and_wait in tray:60 reconcile:300 revoke:30 scrap:30 rework:30; do
    ok "${verb_and_wait%:*} --help: how long it waits" gives 0 "${verb_and_wait%:*}" --help
    ok "${verb_and_wait%:*} --help: ${verb_and_wait#*:} s" out_has "(${verb_and_wait#*:})"
done

ok 'scrap "-r 5"' refuses scrap '-r 5'
ok 'scrap "-r 5": the option is named' err_has 'scrap: option "-r 5" is not known; usage: birthcert scrap '
ok 'scrap --json -rx VX-1' refuses scrap --json -rx VX-1
ok 'scrap --json -rx VX-1: the option is named' err_has 'option \"-rx\" is not known'
ok 'scrap VX-1 -r' refuses scrap VX-1 -r
ok 'scrap VX-1 -r: the option is named' err_has 'option "-r" is not known'
ok 'scrap --reasons VX-1' refuses scrap --reasons VX-1
ok 'scrap --reasons VX-1: the option is named' err_has 'option "--reasons" is not known'
for words in --json=x --js=x --once=; do
    ok "run $words" refuses run "$words"
    ok "run $words: takes no value" err_has "option \"$words\" takes no value"
done
for words in --jsonx=1 --wa=x; do
    ok "run $words" refuses run "$words"
    ok "run $words: is not known" err_has "option \"$words\" is not known"
done
ok 'show without a serial' refuses show
ok 'tray without a manifest' refuses tray
for verb in ca inbox outbox; do
    ok "$verb list" refuses "$verb" list
    ok "$verb list: the word is named, and what there is" \
        grep -q "$verb: \"list\" is not known; usage: birthcert $verb [a-z]* [NF]" "$WORK/err"
    ok "$verb list A: the same" refuses "$verb" list A
    ok "$verb list A: the word is named" err_has "$verb: \"list\" is not known"
    ok "$verb list --help: status 0" gives 0 "$verb" list --help
done
ok 'ca test: a name is missing' refuses ca test
ok 'ca test: it is told' err_has 'ca: something is missing; usage: birthcert ca test NAME'
ok 'ca tes' refuses ca tes NAME
ok 'list takes no argument' refuses list everything
ok 'show takes one argument' refuses show A B
ok 'list takes no --once' refuses list --once
ok 'diagram takes no --lot' refuses diagram --lot L
ok 'list --state: what is allowed is told' refuses list --state lost
ok 'list --state: all of it' err_has 'open, failed, passed, scrapped, pending, doubt, quarantined, withdrawn, revoked and orphan'
ok 'list --lot: not empty' refuses list --lot ''
ok 'list --lot: printable' refuses list --lot $'a\tb'
ok 'export --format' refuses export --format xml
ok 'export --format: what is allowed is told' err_has 'csv and json'
ok 'export --since: a time' refuses export --since yesterday
ok 'export --until: a time that exists' refuses export --until 2026-02-30
ok 'export --until is later than --since' refuses export --since 2026-03-01 --until 2026-03-01
ok 'export --json and --format csv' refuses export --json --format csv
ok 'reconcile --wait' refuses reconcile --wait soon
ok 'init takes no --config' refuses init --config "$CONF" "$BENCH"

ok 'no configuration: status 2' gives 2 list --config "$WORK/none.conf"
ok 'no configuration: it is named' err_has "$WORK/none.conf"
cd "$WORK"
ok 'no configuration anywhere: status 2' gives 2 list
if [ ! -e /etc/birthcert/birthcert.conf ]; then
    ok 'no configuration anywhere: its code' err_has E-CONFIG-MISSING
fi
for words in 'list --json -x' 'list -x --json' 'list --jso -x' 'nosuch --json' '--json' \
    'tray x.csv --json --lot é' 'tray --wait é x.csv --json' 'list everything --json'; do
    # shellcheck disable=SC2086 # several words
    ok "$words: status 2" gives 2 $words
    ok "$words: the error is an object" err_is_json
    ok "$words: with its code" jq -e '.code == "E-USAGE"' "$WORK/err"
done
ok 'list -- --json: is no option' refuses list -- --json
ok 'list -- --json: the error is text' grep -q '^birthcert: .*E-USAGE' "$WORK/err"
ok 'an error with --json is an object' gives 2 show --json X --config "$WORK/none.conf"
ok 'an error with --json can be parsed' err_is_json

# ---- a new bench ---------------------------------------------------------------------------------

ok 'init: status 0' gives 0 init "$BENCH"
ok 'init: four lines' lines_of_out 4
ok 'init: says what comes next' out_has "birthcert doctor --config $CONF"
ok 'init: nothing on stderr' err_is_empty
ok 'init: the files' test -f "$CONF" -a -f "$BENCH/birthcert.db" -a -f "$BENCH/ca/root.pem"
ok 'init: the CA key is private' test "$(stat -c %a "$BENCH/ca/root.key")" = 600
before=$(find "$BENCH" -type f -exec sha256sum {} + | sort)
ok 'init: a second time is refused' gives 2 init "$BENCH"
ok 'init: and says why' err_has 'is left as it is'
ok 'init: and changes nothing' test "$before" = "$(find "$BENCH" -type f -exec sha256sum {} + | sort)"
ok 'init --json: status 0' gives 0 init --json "$WORK/bench2"
ok 'init --json: check objects' jq -e -s 'length == 4 and all(.type == "check")' "$WORK/out"
ok 'init: a folder that cannot be' gives 2 init "$CONF/below"
mkdir "$WORK/here"
cd "$WORK/here"
ok 'init: in this folder' gives 0 init
ok 'init: the configuration is found here' gives 3 list
cd "$WORK"

# The starter's port is only an example.
sed -i "s|^usb = 1-1|unix = $BENCH/no-camera|" "$CONF"

ok 'doctor: warnings are no fault' gives 0 doctor --config "$CONF"
ok 'doctor: a port that is not there' out_has 'E-PORT-MISSING'
ok 'doctor: the CA is not a public one' out_has 'not a public CA'
ok 'doctor: the profile fits' grep -q '^ok *profile https: fits' "$WORK/out"
for subject in configuration database requests disk clock; do
    ok "doctor: $subject is ok" grep -q "^ok *$subject: " "$WORK/out"
done
ok 'doctor: no control characters' out_is_plain
ok 'doctor --json: status 0' gives 0 doctor --json --config "$CONF"
ok 'doctor --json: check objects' jq -e -s 'all(.type == "check" and has("level"))' "$WORK/out"
ok 'doctor --json: nothing on stderr' err_is_empty
chmod 644 "$BENCH/ca/root.key"
ok 'doctor: a private file that others can read: status 2' gives 2 doctor --config "$CONF"
ok 'doctor: it is named' out_has 'E-SECRET-EXPOSED ca_key_file'
chmod 600 "$BENCH/ca/root.key"
mv "$BENCH/birthcert.db" "$BENCH/kept.db"
ok 'doctor: no database: status 4' gives 4 doctor --config "$CONF"
echo 'not a database, and long enough to be looked at as one' >"$BENCH/birthcert.db"
ok "doctor: another file in the database's place: status 5" gives 5 doctor --config "$CONF"
ok 'list: the same: status 5' gives 5 list --config "$CONF"
mv "$BENCH/kept.db" "$BENCH/birthcert.db"
echo 'frobnicate = yes' >>"$CONF"
ok 'doctor: a bad key: status 2' gives 2 doctor --config "$CONF"
ok 'doctor: file and line are told' grep -q 'birthcert.conf:[0-9]*:' "$WORK/out"
sed -i '$ d' "$CONF"

# ---- nothing on record ---------------------------------------------------------------------------

ok 'list: status 3' gives 3 list --config "$CONF"
ok 'list: nothing on stdout' out_is_empty
ok 'list: a note on stderr' err_has 'no unit matches'
ok 'list --json: status 3' gives 3 list --json --config "$CONF"
ok 'list --json: nothing at all' out_is_empty
for state in open failed passed scrapped pending doubt quarantined orphan; do
    ok "list --state $state: status 3" gives 3 list --state "$state" --config "$CONF"
done
ok 'show: an unknown serial: status 2' gives 2 show NOBODY --config "$CONF"
ok 'show: its code' err_has 'E-STORE-UNKNOWN NOBODY'
ok 'show: a serial that cannot be' refuses show "$(printf '%080d' 0)" --config "$CONF"
ok 'export: status 3' gives 3 export --config "$CONF"
ok 'export: the header alone' lines_of_out 1
ok 'export: a note on stderr' err_has 'no unit matches'
for column in serial model lot slot station operator key_type public_key_sha256 certificate_serial \
    certificate_issuer certificate_not_before certificate_not_after key_at csr_at sent_at issued_at \
    installed_at proved_at finished_at result code text; do
    ok "export: the column $column" grep -qE "(^|,)$column(,|.?$)" "$WORK/out"
done
ok 'export --format json: status 3' gives 3 export --format json --config "$CONF"
ok 'export --format json: no rows' out_is_empty
ok 'export: a time range' gives 3 export --since 2026-01-01 --until 2026-02-01T12:00 --config "$CONF"

STATUS=0
"$PROGRAM" export --config "$CONF" >/dev/full 2>"$WORK/err" || STATUS=$?
ok 'export: a full disk: status 4' test "$STATUS" = 4
ok 'export: a full disk is told' err_has E-SYSTEM
# The reader of this pipe is gone before the first byte.
STATUS=0
{ sleep 0.2; "$PROGRAM" export --config "$CONF" 2>"$WORK/err"; echo $? >"$WORK/status"; } | true || true
ok 'export: a closed pipe: status 4' grep -qx 4 "$WORK/status"
ok 'export: a closed pipe is told' err_has E-SYSTEM

# ---- a desk without a bench ----------------------------------------------------------------------

# Who cares for certificates needs no slot; who works on a camera does.
DESK=$WORK/desk
"$PROGRAM" init "$DESK" >/dev/null 2>&1
sed -i '/^\[slot 1\]/,$d' "$DESK/birthcert.conf"
# In the same second: each trial has a serial of its own.
for number in 1 2 3; do
    ok "no slot: ca test --issue, $number" gives 0 ca test trial --issue --config "$DESK/birthcert.conf"
done
ok 'no slot: list' gives 0 list --config "$DESK/birthcert.conf"
ok 'no slot: reconcile' gives 3 reconcile --config "$DESK/birthcert.conf"
printf 'slot,serial\n1,VX-000001\n' >"$WORK/desk.csv"
for verb in run doctor "tray $WORK/desk.csv"; do
    # shellcheck disable=SC2086 # the verb and its argument
    ok "no slot: $verb" gives 2 $verb --config "$DESK/birthcert.conf"
    ok "no slot: $verb says what is missing" \
        grep -q 'E-CONFIG .*there is no \[slot NAME\]: birthcert ports' "$WORK/out" "$WORK/err"
done

# ---- diagram -------------------------------------------------------------------------------------

ok 'diagram: status 0' gives 0 diagram
ok 'diagram: two diagrams' test "$(grep -c '^stateDiagram-v2$' "$WORK/out")" = 2
ok 'diagram: one arrow between two states' test -z "$(grep -e '-->' "$WORK/out" | cut -d: -f1 |
    sort | uniq -d)"
ok 'diagram --json: status 0' gives 0 diagram --json
ok 'diagram --json can be parsed' out_is_json

# ---- doctor and a CA over the network ------------------------------------------------------------

STATE=$BENCH/hvca
is_unsold() { [ ! -s "$STATE/issued.jsonl" ]; }

if [ -x "$SIMULATOR" ]; then
    start_simulator --port 0
    cat >"$CONF" <<END
[store]
path = birthcert.db
[ca factory]
backend = hvca
url = https://127.0.0.1:$PORT/v2
client_certificate_file = hvca/client.pem
client_key_file = hvca/client.key
server_root_file = hvca/server_root.pem
root_file = hvca/root.pem
api_key_file = hvca/api_key
api_secret_file = hvca/api_secret
[profile https]
based_on = https
ca = factory
[profile second]
based_on = https
ca = factory
credential = 2
[slot 1]
unix = no-camera
END
    ok 'doctor, HVCA: status 0' gives 0 doctor --config "$CONF"
    ok 'doctor, HVCA: logged in' out_has 'CA factory: hvca: reached, and logged in'
    ok 'doctor, HVCA: the quota' grep -q '^ok *CA factory: quota: [0-9]* certificates' "$WORK/out"
    ok 'doctor, HVCA: the trust chain' out_has 'hvca-sim Issuing CA'
    ok 'doctor, HVCA: each profile' test "$(grep -c '^ok *profile .*: fits' "$WORK/out")" = 2
    ok "doctor, HVCA: the station's certificate" out_has "the station's own certificate ends at"
    ok "doctor, HVCA: the CA's clock" grep -q '^ok *clock: .* from it' "$WORK/out"
    control '{"quota": 8241}'
    ok 'doctor, HVCA: a forecast' gives 0 doctor --config "$CONF"
    ok 'doctor, HVCA: for two profiles' out_has 'quota: 8241 certificates left, enough for 4120 cameras'
    ok 'ca test, HVCA: status 0' gives 0 ca test factory --serial VX2251L-000001 --config "$CONF"
    ok 'ca test, HVCA: says how it issues' out_has 'hvca-sim Issuing CA'
    ok 'ca test, HVCA: a comma in a name has one backslash' out_has 'O=hvca-sim\, not a public CA'
    ok 'ca test, HVCA: what it would ask for' \
        out_has 'profile https: asks for: commonName VX2251L-000001, serialNumber VX2251L-000001, DNS'
    ok 'ca test, HVCA: bought nothing' is_unsold
    cp "$CONF" "$WORK/good.conf"
    sed -i 's/^ca = factory/ca = trial/' "$CONF"
    cat >>"$CONF" <<END
[ca trial]
backend = local
ca_certificate_file = ca/root.pem
ca_key_file = ca/root.key
END
    ok 'ca test: a CA that no profile names yet' gives 0 ca test factory --json --config "$CONF"
    ok 'ca test: with every profile' \
        test "$(jq -r 'select(.text | startswith("fits")) | .subject' "$WORK/out" | wc -l)" = 2
    cp "$WORK/good.conf" "$CONF"
    ok "ca test --issue: a camera's serial: status 2" \
        gives 2 ca test factory --issue --serial VX2251L-000001 --config "$CONF"
    ok "ca test --issue: a camera's serial: says why" \
        err_has 'E-USAGE --serial VX2251L-000001: --issue closes its serial for good'
    ok "ca test --issue: a camera's serial: bought nothing" is_unsold
    ok "ca test --issue: a camera's serial: is not on record" gives 3 list --config "$CONF"
    ok 'ca test --issue: status 0' gives 0 ca test factory --issue --serial TRIAL-1 --config "$CONF"
    ok 'ca test --issue: issued, and good' grep -q '^ok *CA factory: issued, and good: certificate' "$WORK/out"
    ok 'ca test --issue: the issuer has one backslash' grep -q 'good: .*O=hvca-sim\\, not' "$WORK/out"
    ok 'ca test --issue: one' test "$(issued)" = 1
    ok 'ca test --issue: revoked' test "$(jq -r .reason "$BENCH/hvca/revoked.jsonl")" = cessationOfOperation
    ok 'ca test --issue: its unit is closed' test \
        "$("$PROGRAM" list --json --config "$CONF" | jq -r '"\(.serial) \(.result)"')" = 'TRIAL-1 scrapped'
    ok 'ca test --issue: that serial again' gives 2 ca test factory --issue --serial TRIAL-1 --config "$CONF"
    ok 'ca test --issue: is refused' err_has 'E-USAGE --serial TRIAL-1: a unit of that serial is on record'
    control '{"faults": ["wrong-names=1"]}'
    ok 'ca test --issue: a wrong certificate: status 5' \
        gives 5 ca test factory --issue --serial TRIAL-2 --config "$CONF"
    ok 'ca test --issue: says why' grep -q '^fault *CA factory: E-CERT-NAMES TRIAL-2' "$WORK/out"
    control '{"clear_faults": true}'
    ok 'ca test --issue: bought two in all' test "$(issued)" = 2
    control '{"quota": 99}'
    ok 'doctor, HVCA: a small quota: status 0' gives 0 doctor --config "$CONF"
    ok 'doctor, HVCA: is a warning' grep -q '^warning *CA factory: quota: only 99' "$WORK/out"
    control '{"quota": 0}'
    ok 'doctor, HVCA: no quota: status 4' gives 4 doctor --config "$CONF"
    ok 'doctor, HVCA: is one fault' test "$(grep -c '^fault' "$WORK/out")" = 1
    control '{"quota": 1000}'
    cp "$CONF" "$WORK/good.conf"
    sed -i 's/^credential = 2/&\nkey = rsa2048/' "$CONF"
    ok 'doctor, HVCA: a profile that does not fit: status 4' gives 4 doctor --config "$CONF"
    ok 'doctor, HVCA: which one' grep -q '^fault *profile second: E-CA-POLICY' "$WORK/out"
    ok 'doctor, HVCA: not the other' grep -q '^ok *profile https: fits' "$WORK/out"
    cp "$WORK/good.conf" "$CONF"
    cp "$BENCH/hvca/api_secret" "$WORK/secret"
    echo wrong >"$BENCH/hvca/api_secret"
    ok 'doctor, HVCA: a wrong secret: status 4' gives 4 doctor --config "$CONF"
    ok 'doctor, HVCA: its code' out_has E-CA-LOGIN
    for words in doctor 'ca test factory' 'ca test factory --issue --serial TRIAL-3' \
        'reconcile --wait 1'; do
        # shellcheck disable=SC2086 # several words
        ok "$words --json: a wrong secret: status 4" gives 4 $words --json --config "$CONF"
        ok "$words --json: each line of stderr is an object" err_is_objects
        ok "$words --json: the log too" err_has_type log
    done
    ok 'the log with --json: when, how bad and what' jq -e -s '[.[] | select(.type == "log") |
        (.at | test("^20.*T.*[.][0-9]{3}Z$")) and .level == "error" and (.text | test("E-CA-LOGIN"))] |
        length > 0 and all' "$WORK/err"
    cat "$WORK/secret" >"$BENCH/hvca/api_secret"
    stop
    ok 'doctor, HVCA: down: status 4' gives 4 doctor --config "$CONF"
    ok 'doctor, HVCA: its code' out_has E-CA-UNREACHABLE
fi

finish_checks
