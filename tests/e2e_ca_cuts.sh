#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cuts the connection to the CA at every byte, with the real program: fault-proxy stands between it
# and the CA's server, and cuts one exchange of many cameras each after another number of bytes of
# the request or of the answer, by FIN and by RST. Every third time the station is killed (SIGKILL)
# as soon as all cuts are made, and started again. Whatever was cut: in the end each camera holds
# the one certificate that the CA issued for its key, and the database says so. Where the CA cannot be
# asked what it issued, units are held until a person has asked; the test is that person.
#
#   tests/e2e_ca_cuts.sh                at some bytes, and wherever a line ends
#   CUTS=every tests/e2e_ca_cuts.sh     at every byte
#   tests/e2e_ca_cuts.sh hvca           those of one CA
#   tests/e2e_ca_cuts.sh hvca_issue     of one row
#   tests/e2e_ca_cuts.sh hvca_issue:3   one batch of cuts; KEEP=yes leaves its folder
set -euo pipefail

JOBS=${JOBS:-$((8 * $(nproc)))} # they wait most of the time
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_tls.bash
. tests/support_tls.bash

CUTS=${CUTS:-some}
KILL_STEP=3
IN_FLIGHT=8 # with few at once most requests meet a connection that was used before
NEAR_END=12 # requests differ in length by a few bytes: the last ones are counted from the end

# ---- the CAs -------------------------------------------------------------------------------------
# A CA is a file tests/support_cuts_CA.bash with these functions:
#   CA_start RULES [OPTION...]  starts its server and the proxy (PROXY_PORT), and configures the
#                               station, with IN_FLIGHT and LOST (hold, or resend)
#   CA_certificates             "SHA-256 of the key, serial" in hex for each certificate that it issued
#   CA_pem                      those certificates, for whom its administrator gives them to
#   CA_issues                   how the first line of an issuing request begins
#   CA_probes                   how many of the kind the check before a tray sends; where it is defined
#   CA_rows                     what is cut. A row: its name, cameras in a batch, cuts in a batch, how
#     many bytes from cut to cut with CUTS=some and with CUTS=every, whether issuing answers are lost
#     before (so that the exchange comes at all), the end, and how the first line of the exchange
#     begins. Several exchanges, with | between them, are cut in turn.
# The end is
#   one     each camera has its certificate
#   held    some units are held, until a person has asked the CA's administrator
#   told    the same; the CA tells the station whether it got a request, and only those are held
#   resent  lost requests are sent again: the CA may have issued too many, and orphans tells for whom

CAS=(hvca rekey unlisted est cfssl stepca cmp exec outbox vault ejbca)
# shellcheck source=tests/support_cuts_hvca.bash
. tests/support_cuts_hvca.bash
# shellcheck source=tests/support_cuts_rekey.bash
. tests/support_cuts_rekey.bash
# shellcheck source=tests/support_cuts_est.bash
. tests/support_cuts_est.bash
# shellcheck source=tests/support_cuts_vault.bash
. tests/support_cuts_vault.bash
# shellcheck source=tests/support_cuts_cfssl.bash
. tests/support_cuts_cfssl.bash
# shellcheck source=tests/support_cuts_stepca.bash
. tests/support_cuts_stepca.bash
# shellcheck source=tests/support_cuts_cmp.bash
. tests/support_cuts_cmp.bash
# shellcheck source=tests/support_cuts_exec.bash
. tests/support_cuts_exec.bash
# shellcheck source=tests/support_cuts_outbox.bash
. tests/support_cuts_outbox.bash
# shellcheck source=tests/support_cuts_ejbca.bash
. tests/support_cuts_ejbca.bash

# For CA_certificates, from certificates on stdin: DER in base64, a line each. Each is read once only.
keys_and_serials() {
    local der serial key
    cat >"$FOLDER/ders"
    touch "$FOLDER/known"
    awk 'FILENAME == ARGV[1] { known[$1]; next } !($1 in known)' "$FOLDER/known" "$FOLDER/ders" |
        while read -r der; do
            base64 -d <<<"$der" | openssl x509 -inform DER -noout -serial -pubkey >"$FOLDER/one.pem"
            key=$(sed '1d; /^-----/d' "$FOLDER/one.pem" | base64 -d | sha256sum)
            serial=$(sed -n 's/^serial=//p' "$FOLDER/one.pem")
            echo "$der ${key%% *} ${serial,,}"
        done >"$FOLDER/new"
    cat "$FOLDER/new" >>"$FOLDER/known"
    awk 'FILENAME == ARGV[1] { of[$1] = $2 " " $3; next } { print of[$1] }' "$FOLDER/known" "$FOLDER/ders"
}

# The rows of the command line, else all, each behind the name of its CA.
sweeps() {
    local ca name rest
    for ca in "${CAS[@]}"; do
        while read -r name rest; do
            if [ "${#ONLY[@]}" -eq 0 ] || [[ " ${ONLY[*]}" == *" $ca"?( *) ||
                " ${ONLY[*]}" == *" $name"?([: ]*) ]]; then
                echo "$ca $name $rest"
            fi
        done < <("${ca}_rows")
    done
}

# ---- what is cut where ---------------------------------------------------------------------------

# Of the proxy's log: the last exchange that was whole and begins like this, with its line ends. The
# first may be that of a check.
last_whole() { # REQUEST
    awk -v request="$1" '
        $1 != "end" { found = $1 == "whole" && index($5 " " $6 " " $7, request) == 1 }
        found && $1 != "end" { text = "" }
        found { text = text $0 "\n" }
        END { printf "%s", text }' "$FOLDER/proxy.log"
}

# "request|response N" for each place to cut. An exchange that a lone camera needs once is not wanted
# again where nothing of it is missing.
places() { # STEP CAMERAS; the exchange is on stdin
    awk -v step="$1" -v cameras="$2" -v near="$NEAR_END" -v cuts="$CUTS" '
        $1 == "whole" { length_of["request"] = $2; length_of["response"] = $3 }
        $1 == "end" { at[$2, $3 - 1]; at[$2, $3] }
        END {
            split("request response", sides, " ")
            for (s = 1; s <= 2; s++) {
                for (n = 0; n < length_of[sides[s]] - near; n++) {
                    if (n % step == 0 || (sides[s], n) in at) { print sides[s], n }
                }
                for (n = near; n > 0; n--) {
                    if (cuts == "every" || n == near || n <= 2) { print sides[s], "-" n }
                }
                if (s == 1 || cameras > 1) { print sides[s], "-0" }
            }
        }'
}

# The cuts of one exchange.
measure() { # NAME STEP CAMERAS REQUEST
    last_whole "$4" >"$FOLDER/exchange"
    ok "$1: there is an exchange $4" test -s "$FOLDER/exchange"
    places "$2" "$3" <"$FOLDER/exchange" >"$FOLDER/places"
    sed "s,.*,cut & fin $4," "$FOLDER/places" >"$FOLDER/${4//\//_}.cuts"
    sed "s,.*,cut & rst $4," "$FOLDER/places" >>"$FOLDER/${4//\//_}.cuts"
    echo "# $1: $4: $(awk '/^whole/ {print $2 " and " $3}' "$FOLDER/exchange") bytes," \
        "$((2 * $(wc -l <"$FOLDER/places"))) cuts"
}

# Looks at one good tray, and writes the cuts of each row.
measure_ca() { # CA
    local ca name cameras cuts some every lost end line requests request
    LOST=hold
    make_bench 4
    start_cameras 4
    if (($(sweeps | grep -c "^$1 .* yes ") > 0)); then # there must be something to look up
        echo "cut response 0 fin $("$1_issues")"
    fi >"$FOLDER/rules"
    "$1_start" "$FOLDER/rules" --line-ends
    tray
    expect_exit "$1: the exchanges to cut" 0
    while read -r ca name cameras cuts some every lost end line; do
        [ "$CUTS" = some ] || some=$every
        rm -f "$FOLDER"/*.cuts
        IFS='|' read -ra requests <<<"$line"
        for request in "${requests[@]}"; do measure "$name" "$some" "$cameras" "$request"; done
        paste -d '\n' "$FOLDER"/*.cuts | sed '/^$/d' >"$WORK/$name.rules"
        : "$ca $cuts $lost $end"
    done < <(sweeps | grep "^$1 ")
}

measure_all() {
    local ca
    for ca in $(sweeps | cut -d ' ' -f 1 | uniq); do
        eval "case_measure_$ca() { measure_ca $ca; }"
        run_case "measure_$ca" &
        WORKERS+=($!)
    done
    wait "${WORKERS[@]}"
    WORKERS=()
}

# ---- a batch -------------------------------------------------------------------------------------

# Where many ask at once an exchange passes between two cuts: a CA that only fails is asked less and
# less often.
write_rules() { # CA CAMERAS LOST
    local i
    if (($2 == 1)); then
        cat "$FOLDER/cuts"
        return
    fi
    if declare -F "$1_probes" >/dev/null; then
        for ((i = "$("$1_probes")"; i > 0; i--)); do echo "pass $("$1_issues")"; done
    fi
    for ((i = 0; i < $2; i += 2)); do
        [ "$3" = no ] || printf '%s %s\n' 'cut response 0 fin' "$("$1_issues")" pass "$("$1_issues")"
    done
    sed -E 's/^cut [^ ]+ [^ ]+ [^ ]+ (.*)/&\npass \1/' "$FOLDER/cuts"
}

# The tray, to its end; sets STATUS. Without looking again and again whether it still runs.
whole_tray() {
    STATUS=0
    timeout -s KILL "$RUN_TIMEOUT_S" "$BUILD/birthcert" tray "$FOLDER/tray.csv" \
        --config "$FOLDER/birthcert.conf" >"$FOLDER/out" 2>"$FOLDER/err" || STATUS=$?
}

# The tray, killed when all cuts are made; it may end before.
killed_tray() {
    local made=0 wanted
    wanted=$(grep -c '^cut ' "$FOLDER/rules")
    start_birthcert tray "$FOLDER/tray.csv"
    while ((made < wanted)) && kill -0 "$STATION_PID" 2>/dev/null; do
        sleep 0.05
        made=$(grep -Ec '^(cut|missed) ' "$FOLDER/proxy.log" || true)
    done
    kill -KILL "$STATION_PID" 2>/dev/null || true
    wait "$STATION_PID" 2>/dev/null || true
}

# Each rule did what it says: so many bytes passed, neither more nor less.
cuts_were_made() {
    awk '
        FILENAME ~ /rules$/ { side[FNR] = $1 == "cut" ? $2 : ""; bytes[FNR] = $3; rules = FNR; next }
        $1 ~ /^(cut|missed)$/ {
            passed = side[$4] == "request" ? $2 : $3
            made[$4] = $1 == "cut" && (bytes[$4] ~ /^-/ || passed == bytes[$4])
        }
        END {
            for (n = 1; n <= rules; n++) {
                if (side[n] != "" && !made[n]) { print "rule " n " was not kept"; bad = 1 }
            }
            exit bad
        }' "$FOLDER/rules" "$FOLDER/proxy.log"
}

query() { sqlite3 -separator ' ' "$FOLDER/birthcert.db" "$1"; }

# ---- what is held, and how it goes on ------------------------------------------------------------

# Of each unit that is held the tray said what to ask whom: its CA, for its key and its serial; or, where
# it was held before, that the history says so.
each_held_is_told() {
    local serial key ca
    held >"$FOLDER/held"
    is "$(awk '$1 == "FAIL" { print $4 }' "$FOLDER/out" | sort -u | wc -l)" \
        "$(wc -l <"$FOLDER/held")" || return 1
    while read -r serial key ca; do
        grep -E "^FAIL .* $serial .*(E-UNIT-HELD|E-CERT-UNCONFIRMED) " "$FOLDER/out" >"$FOLDER/said"
        ! grep -q "birthcert show $serial tells what to ask" "$FOLDER/said" ||
            ask show "$serial" >"$FOLDER/said"
        grep -Eq "ask the administrator of CA $ca for (the rekey of [0-9a-f]+ to )?key SHA-256 $key, 20.*Z, serial $serial" "$FOLDER/said" ||
            { echo "of $serial with the key $key it says no such thing" && return 1; }
    done <"$FOLDER/held"
}

held() { # "SERIAL KEY CA" of each, and of those whose certificate the CA did not confirm
    query "SELECT u.serial, lower(hex(c.spki_sha256)), c.ca FROM credential c JOIN unit u ON u.id = c.unit
        WHERE c.request = 5 OR c.request = 7 AND c.error = 'E-CERT-UNCONFIRMED'"
}

# Nobody has a second certificate, nor another's, before anybody has asked.
none_twice() { # CA
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    "$1_certificates" | cut -d ' ' -f 1 | sort >"$FOLDER/keys_of_ca"
    { cut -d ' ' -f 2 "$FOLDER/said_by_program" && held | cut -d ' ' -f 2; } | sort >"$FOLDER/keys"
    diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" &&
        is "$(uniq -d <"$FOLDER/keys_of_ca")" "" &&
        is "$(comm -23 "$FOLDER/keys_of_ca" "$FOLDER/keys")" "" # nobody knows of
}

held_are_issued() { # CA
    is "$(comm -23 <(held | cut -d ' ' -f 2 | sort) <("$1_certificates" | cut -d ' ' -f 1 | sort))" ""
}

# A person has asked: what there is is brought, the rest is asked for again.
answer_held() { # WHAT CA
    local serial key ca
    "$2_pem" >"$FOLDER/found.pem"
    ! grep -q CERTIFICATE "$FOLDER/found.pem" || birthcert inbox import "$FOLDER/found.pem"
    birthcert reconcile
    while read -r serial key ca; do
        birthcert release "$serial" --approve 'B. Officer'
        : "$key $ca"
    done < <(held)
    ok "$1: nothing is held when a person has asked" is "$(held)" ""
    whole_tray
}

# ---- the end -------------------------------------------------------------------------------------

# The CA, the database and the cameras name the same certificates, one for each camera.
one_each() { # CA CAMERAS
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    "$1_certificates" | sort >"$FOLDER/said_by_ca"
    query "SELECT lower(hex(spki_sha256)), lower(hex(serial)) FROM certificate WHERE state < 3" |
        sort >"$FOLDER/said_by_database"
    is "$(wc -l <"$FOLDER/said_by_cameras") of the cameras" "$2 of the cameras" &&
        diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" &&
        diff "$FOLDER/said_by_ca" "$FOLDER/said_by_database" &&
        diff <(cut -d ' ' -f 2 "$FOLDER/said_by_program" | sort) <(cut -d ' ' -f 1 "$FOLDER/said_by_ca") &&
        is "$(query 'SELECT count(*) FROM certificate WHERE state = 1;
            PRAGMA integrity_check; PRAGMA foreign_key_check' | tr '\n' ' ')" "$2 ok "
}

run_batch() { # ROW NUMBER
    local ca name cameras cuts some every lost end request killed=no
    read -r ca name cameras cuts some every lost end request < <(sweeps | grep "^[^ ]* $1 ")
    ((($2 + 1) % KILL_STEP != 0)) || killed=yes
    (($2 % 4 != 3)) || IN_FLIGHT=64
    [ "$end" = resent ] && LOST=resend || LOST=hold
    sed -n "$(($2 * cuts + 1)),$((($2 + 1) * cuts))p" "$WORK/$name.rules" >"$FOLDER/cuts"
    make_bench "$cameras"
    start_cameras "$cameras"
    write_rules "$ca" "$cameras" "$lost" >"$FOLDER/rules"
    "${ca}_start" "$FOLDER/rules"
    if [ "$killed" = yes ]; then killed_tray; fi
    whole_tray
    ok "$1:$2: every cut was made where it should be" cuts_were_made
    "expect_$end" "$1:$2" "$ca" "$cameras" "$killed"
    : "$some $every"
}

expect_one() { # WHAT CA CAMERAS
    ok "$1: the tray ends well" is "$STATUS" 0
    ok "$1: one certificate for each camera, and the database is whole" one_each "$2" "$3"
}

expect_held() { # WHAT CA CAMERAS KILLED
    ok "$1: the tray ends well, or with units that are held" is "$STATUS" "$([ -z "$(held)" ] && echo 0 || echo 5)"
    ok "$1: it says of each what to ask whom" each_held_is_told
    ok "$1: no certificate too many, and each is in its camera or held" none_twice "$2"
    [ "$4" = yes ] || ok "$1: what was not cut is not held" at_least \
        "$(grep -c ^cut "$FOLDER/rules")" "$(wc -l <"$FOLDER/held")"
    answer_held "$1" "$2"
    expect_one "$@"
}

expect_told() { # WHAT CA CAMERAS KILLED
    ok "$1: what is held was issued" held_are_issued "$2"
    expect_held "$@"
}

# What the CA issued beside is known.
surplus_is_listed() { # CA
    local key serial
    "$1_certificates" | cut -d ' ' -f 1 | sort | uniq -d >"$FOLDER/surplus"
    while read -r key; do
        serial=$(awk -v key="$key" '$2 == key { print $1 }' "$FOLDER/said_by_program")
        grep -q "^$serial .*possible surplus" "$FOLDER/out" ||
            { echo "$serial has two, and is not listed" && return 1; }
    done <"$FOLDER/surplus"
}

every_camera_has_one() { # CAMERAS CA [CERTIFICATES ON RECORD]
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    is "$(cut -d ' ' -f 1 "$FOLDER/said_by_cameras" | uniq | wc -l) of ${3:-$(database_certificates)}" "$1 of $1" &&
        diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" &&
        is "$(comm -23 <(query 'SELECT lower(hex(spki_sha256)), lower(hex(serial)) FROM certificate' |
            sort) <("$2_certificates" | sort))" ""
}

expect_resent() { # WHAT CA CAMERAS
    if [ -n "$(held)" ]; then # what the CA did not confirm is not asked for again
        ok "$1: it says of each that is held what to ask whom" each_held_is_told
        answer_held "$1" "$2"
    fi
    ok "$1: the tray ends well" is "$STATUS" 0
    # Beside it one may be on record that the CA did not confirm, after it had issued another.
    ok "$1: each camera has one of those that the CA issued" every_camera_has_one "$3" "$2" \
        "$(query 'SELECT count(*) FROM certificate WHERE state = 1')"
    birthcert orphans
    ok "$1: whoever has another at the CA is listed" surplus_is_listed "$2"
}

# ---- all of them ---------------------------------------------------------------------------------

# Batches are cases with a number: case_ROW:NUMBER. Those of the command line, else all.
batches() {
    local ca name cameras cuts rest count i
    while read -r ca name cameras cuts rest; do
        count=$(wc -l <"$WORK/$name.rules")
        for ((i = 0; i * cuts < count; i++)); do
            if [[ " ${ONLY[*]} " != *" $name:"* || " ${ONLY[*]} " == *" $name:$i "* ]]; then
                echo "$name:$i"
            fi
        done
        : "$ca $cameras $rest"
    done < <(sweeps)
}

if [[ $'\n'$(sweeps) == *$'\nstepca '* ]]; then build_stepca; fi
measure_all
mapfile -t NAMES < <(batches)
for NAME in "${NAMES[@]}"; do
    eval "case_$NAME() { run_batch ${NAME%:*} ${NAME#*:}; }"
done
ONLY=()
run_cases "${NAMES[@]}"
