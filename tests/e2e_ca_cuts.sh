#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Cuts the connection to the CA at every byte, with the real program: fault-proxy stands between it
# and the CA's server, and cuts one exchange of many cameras each after another number of bytes of
# the request or of the answer, by FIN and by RST. Every third time the station is killed (SIGKILL)
# as soon as all cuts are made, and started again. Whatever was cut: in the end each camera holds
# the one certificate that the CA issued for its key, and the database says so.
#
#   tests/e2e_ca_cuts.sh                at some bytes, and wherever a line ends
#   CUTS=every tests/e2e_ca_cuts.sh     at every byte
#   tests/e2e_ca_cuts.sh hvca_issue     those of one row below
#   tests/e2e_ca_cuts.sh hvca_issue:3   one batch of cuts; KEEP=yes leaves its folder
set -euo pipefail

JOBS=${JOBS:-$((4 * $(nproc)))} # they wait most of the time
# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

CUTS=${CUTS:-some}
KILL_STEP=3
IN_FLIGHT=8 # with few at once most requests meet a connection that was used before
NEAR_END=12 # requests differ in length by a few bytes: the last ones are counted from the end

# ---- the CAs -------------------------------------------------------------------------------------
# A CA is rows here, and two functions: CA_start starts its server and the proxy, and configures it;
# CA_certificates prints "SHA-256 of the key, serial" in hex for each certificate that it issued.
# A row: its name, the CA, cameras in a batch, cuts in a batch, how many bytes from cut to cut with
# CUTS=some and with CUTS=every, whether issuing answers are lost before (so that the exchange comes
# at all), and how the first line of the exchange begins. Several exchanges, with | between them, are
# cut in turn.

sweeps() {
    cat <<'END'
hvca_issue  hvca 64 32   7  1 no  POST /v2/certificates
hvca_fetch  hvca 64 32  29  1 no  GET /v2/certificates/
hvca_list   hvca 16  6  61  3 yes GET /v2/stats/issued
hvca_start  hvca  1 12 199  2 no  POST /v2/login|GET /v2/validationpolicy|GET /v2/trustchain
END
}
issues() { # CA
    case $1 in
    hvca) echo 'POST /v2/certificates ' ;;
    esac
}

hvca_start() { # RULES [OPTION...]
    start_hvca --pending 0 --latency 0 --latency-jitter 0
    proxy_hvca "$@"
    sed -i "s/^settle.*/settle = 500ms\nin_flight = $IN_FLIGHT/" "$FOLDER/conf.d/30-ca.conf"
}

hvca_certificates() {
    jq -r '"\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/hvca/issued.jsonl"
}

# ---- what is cut where ---------------------------------------------------------------------------

# Of the proxy's log: the first exchange that was whole and begins like this, with its line ends.
first_whole() { # REQUEST
    awk -v request="$1" '
        $1 != "end" { found = $1 == "whole" && !done && index($5 " " $6, request) == 1 }
        found { done = 1 }
        found' "$FOLDER/proxy.log"
}

# "request|response N" for each place to cut. An exchange that a lone camera needs once is not wanted
# again where nothing of it is missing.
places() { # STEP CAMERAS; the exchange is on stdin
    awk -v step="$1" -v cameras="$2" -v near="$NEAR_END" '
        $1 == "whole" { length_of["request"] = $2; length_of["response"] = $3 }
        $1 == "end" { at[$2, $3 - 1]; at[$2, $3] }
        END {
            split("request response", sides, " ")
            for (s = 1; s <= 2; s++) {
                for (n = 0; n < length_of[sides[s]] - near; n++) {
                    if (n % step == 0 || (sides[s], n) in at) { print sides[s], n }
                }
                for (n = near; n > 0; n--) { print sides[s], "-" n }
                if (s == 1 || cameras > 1) { print sides[s], "-0" }
            }
        }'
}

# The cuts of one exchange.
measure() { # NAME STEP CAMERAS REQUEST
    first_whole "$4" >"$FOLDER/exchange"
    ok "$1: there is an exchange $4" test -s "$FOLDER/exchange"
    places "$2" "$3" <"$FOLDER/exchange" >"$FOLDER/places"
    sed "s,.*,cut & fin $4," "$FOLDER/places" >"$FOLDER/${4//\//_}.cuts"
    sed "s,.*,cut & rst $4," "$FOLDER/places" >>"$FOLDER/${4//\//_}.cuts"
    echo "# $1: $4: $(awk '/^whole/ {print $2 " and " $3}' "$FOLDER/exchange") bytes," \
        "$((2 * $(wc -l <"$FOLDER/places"))) cuts"
}

# Looks at one good tray, and writes the cuts of each row.
case_measure() {
    local name ca cameras cuts some every lost line requests request
    make_bench 4
    start_cameras 4
    echo "cut response 0 fin $(issues hvca)" >"$FOLDER/rules" # there must be something to look up
    hvca_start "$FOLDER/rules" --line-ends
    tray
    expect_exit "the exchanges to cut" 0
    while read -r name ca cameras cuts some every lost line; do
        [ "$CUTS" = some ] || some=$every
        rm -f "$FOLDER"/*.cuts
        IFS='|' read -ra requests <<<"$line"
        for request in "${requests[@]}"; do measure "$name" "$some" "$cameras" "$request"; done
        paste -d '\n' "$FOLDER"/*.cuts | sed '/^$/d' >"$WORK/$name.rules"
        : "$ca $cuts $lost"
    done < <(sweeps)
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
    for ((i = 0; i < $2; i += 2)); do
        [ "$3" = no ] || printf '%s %s\n' 'cut response 0 fin' "$(issues "$1")" pass "$(issues "$1")"
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

# The CA, the database and the cameras name the same certificates, one for each camera.
one_each() { # CA CAMERAS
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    "$1_certificates" | sort >"$FOLDER/said_by_ca"
    sqlite3 -separator ' ' "$FOLDER/birthcert.db" "SELECT lower(hex(spki_sha256)),
        lower(hex(serial)) FROM certificate" | sort >"$FOLDER/said_by_database"
    is "$(wc -l <"$FOLDER/said_by_cameras") of the cameras" "$2 of the cameras" &&
        diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" &&
        diff "$FOLDER/said_by_ca" "$FOLDER/said_by_database" &&
        diff <(cut -d ' ' -f 2 "$FOLDER/said_by_program" | sort) <(cut -d ' ' -f 1 "$FOLDER/said_by_ca") &&
        is "$(sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM certificate WHERE state = 1;
            PRAGMA integrity_check; PRAGMA foreign_key_check' | tr '\n' ' ')" "$2 ok "
}

run_batch() { # ROW NUMBER
    local name ca cameras cuts some every lost request killed=no
    read -r name ca cameras cuts some every lost request < <(sweeps | grep "^$1 ")
    ((($2 + 1) % KILL_STEP != 0)) || killed=yes
    (($2 % 4 != 3)) || IN_FLIGHT=64
    sed -n "$(($2 * cuts + 1)),$((($2 + 1) * cuts))p" "$WORK/$name.rules" >"$FOLDER/cuts"
    make_bench "$cameras"
    start_cameras "$cameras"
    write_rules "$ca" "$cameras" "$lost" >"$FOLDER/rules"
    "${ca}_start" "$FOLDER/rules"
    if [ "$killed" = yes ]; then killed_tray; fi
    whole_tray
    ok "$1:$2: the tray ends well" is "$STATUS" 0
    ok "$1:$2: every cut was made where it should be" cuts_were_made
    ok "$1:$2: one certificate for each camera, and the database is whole" one_each "$ca" "$cameras"
    : "$some $every"
}

# ---- all of them ---------------------------------------------------------------------------------

# Batches are cases with a number: case_ROW:NUMBER. Those of the command line, else all.
batches() {
    local name ca cameras cuts rest count i
    while read -r name ca cameras cuts rest; do
        count=$(wc -l <"$WORK/$name.rules")
        for ((i = 0; i * cuts < count; i++)); do
            if [ "${#ONLY[@]}" -eq 0 ] || [[ " ${ONLY[*]} " == *" $name "* ||
                " ${ONLY[*]} " == *" $name:$i "* ]]; then
                echo "$name:$i"
            fi
        done
        : "$ca $cameras $rest"
    done < <(sweeps)
}

run_case measure
mapfile -t NAMES < <(batches)
for NAME in "${NAMES[@]}"; do
    eval "case_$NAME() { run_batch ${NAME%:*} ${NAME#*:}; }"
done
ONLY=()
run_cases "${NAMES[@]}"
