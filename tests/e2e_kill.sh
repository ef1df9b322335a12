#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kills the station (SIGKILL) at every transition of a tray of 8, starts it again, and finds: all
# units pass, the CA issued exactly one certificate for each camera, and each camera holds its own.
# Run from the root of the repository; BUILD names the build tree, JOBS how many benches at once.
#
#   tests/e2e_kill.sh                all of it
#   tests/e2e_kill.sh --only plain:N one run, and leaves its folder; likewise rough:N
#
# plain:N  dies right after the N-th transition, for every N until a tray ends before it
# rough:N  for some N: the CA loses answers, the kill comes up to 24 ms after the transition, takes
#          the cameras along every second time, and comes a second time while the first is mended
set -euo pipefail

BUILD=${BUILD:-build/release}
JOBS=${JOBS:-$((2 * $(nproc)))}
CAMERAS=8
ROUGH_STEP=5
AGAIN_STEP=4
ENDED=3 # exit status of a run that was not killed, and is well
KILLED=137

WORK=$(mktemp -d "${TMPDIR:-/tmp}/birthcert-kill.XXXXXX")
WORKERS=()
KEEP=no
PASSED=0
FAILED=0

finish() {
    local pid
    for pid in "${WORKERS[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    wait 2>/dev/null || true
    [ "$KEEP" = yes ] || rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
exec {IDLE}<> <(:) # nothing ever comes: to wait in `read` instead of starting `sleep`

# ---- one run -------------------------------------------------------------------------------------
# Everything below works in FOLDER, in a process of its own that ends what it started.

fail() {
    echo "$*" >"$FOLDER/reason"
    exit 1
}

end_simulators() {
    kill -KILL "${CA_PID:-}" "${CAMERAS_PID:-}" 2>/dev/null || true
}

await() { # FILE WORD: sets LINE, the one that begins with it
    local tries
    for ((tries = 0; tries < 1000; tries++)); do
        while read -r LINE; do
            if [[ $LINE == "$2"* ]]; then return 0; fi
        done <"$1"
        read -rt 0.02 -u "$IDLE" || true
    done
    fail "$1 does not say $2"
}

start_ca() { # OPTION...: sets CA_PORT
    : >"$FOLDER/ca.log"
    "$BUILD/hvca-sim" --state "$FOLDER/hvca" --latency 20 --latency-jitter 10 --pending 1 \
        --seed "$N" "$@" >"$FOLDER/ca.log" 2>&1 &
    CA_PID=$!
    await "$FOLDER/ca.log" listening
    CA_PORT=${LINE#listening }
}

start_cameras() {
    : >"$FOLDER/cameras.log"
    "$BUILD/camera-sim" --count "$CAMERAS" --transport unix --dir "$FOLDER/ports" \
        --state "$FOLDER/cameras" --serial-prefix "$PREFIX" --key-time 40 --seed "$N" \
        >"$FOLDER/cameras.log" 2>&1 &
    CAMERAS_PID=$!
    await "$FOLDER/cameras.log" ready
}

restart_cameras() {
    kill -KILL "$CAMERAS_PID"
    wait "$CAMERAS_PID" || true
    start_cameras
}

# Beside the template's database.
write_bench() {
    local i
    {
        printf '[station]\nname = bench\n[store]\npath = birthcert.db\n[ca hvca]\nbackend = hvca\n'
        printf 'url = https://127.0.0.1:%s/v2\nsettle = 400ms\n' "$CA_PORT"
        printf '%s\n' 'client_certificate_file = hvca/client.pem' \
            'client_key_file = hvca/client.key' 'server_root_file = hvca/server_root.pem' \
            'root_file = hvca/root.pem' 'api_key_file = hvca/api_key' \
            'api_secret_file = hvca/api_secret' '[profile https]' 'ca = hvca'
        for ((i = 1; i <= CAMERAS; i++)); do
            printf '[slot %d]\nunix = %s/ports/cam%d\n' "$i" "$FOLDER" $((i - 1))
        done
    } >"$FOLDER/birthcert.conf"
    {
        echo slot,serial
        for ((i = 1; i <= CAMERAS; i++)); do
            printf '%d,%s%06d\n' "$i" "$PREFIX" "$i"
        done
    } >"$FOLDER/tray.csv"
}

tray() { # PROGRAM: sets STATUS
    STATUS=0
    timeout 60 "$BUILD/$1" tray "$FOLDER/tray.csv" --config "$FOLDER/birthcert.conf" --verbose \
        >>"$FOLDER/tray.log" 2>&1 || STATUS=$?
    echo "exit status $STATUS" >>"$FOLDER/tray.log"
}

# The tray may end before.
kill_tray() { # TRANSITION DELAY_MS TRACE: adds to KILLS
    export KILL_AT=$1 KILL_DELAY_MS=$2 KILL_TRACE=$3
    tray birthcert-kill
    unset KILL_AT KILL_DELAY_MS KILL_TRACE
    if [ "$STATUS" -eq "$KILLED" ]; then
        KILLS=$((KILLS + 1))
        note_interrupted
    elif [ "$STATUS" -ne 0 ]; then
        fail "exit status $STATUS of the run that was to be killed"
    fi
}

# What the kill interrupted, from a copy: whoever opens the database mends it.
note_interrupted() {
    cp "$FOLDER"/birthcert.db "$FOLDER"/birthcert.db-wal "$FOLDER/left/"
    sqlite3 -separator ' ' "$FOLDER/left/birthcert.db" 'SELECT request, install,
        lower(hex(spki_sha256)) FROM credential' >"$FOLDER/left/credentials"
    awk 'FILENAME ~ /issued.jsonl$/ { issued = issued $0; next }
        $1 == 2 || $1 == 4 { found[index(issued, $3) ? "lost" : "unsent"] }
        $1 == 3 { found["accepted"] }
        $1 == 8 { found[$2 == 0 ? "issued" : $2 == 1 ? "installing" : "installed"] }
        END { for (what in found) print what }' "$FOLDER/hvca/issued.jsonl" \
        "$FOLDER/left/credentials" >>"$FOLDER/interrupted"
}

check_database() {
    local found
    found=$(sqlite3 "$FOLDER/birthcert.db" "PRAGMA integrity_check; PRAGMA foreign_key_check;
        SELECT count(*) FROM unit; SELECT count(*) FROM certificate;
        SELECT writefile('$FOLDER/leaves/' || unit.serial, leaf) > 0 FROM certificate
        JOIN credential ON credential.id = credential JOIN unit ON unit.id = unit
        WHERE certificate.state = 1")
    found=${found//$'\n'/ }
    [ "${found// 1/}" = "ok $CAMERAS $CAMERAS" ] || fail "the database holds: $found"
}

# A line for each camera: what the camera, the CA, the database and `birthcert export` say.
gather() {
    "$BUILD/camera-sim" --state "$FOLDER/cameras" --dump >"$FOLDER/cameras.json"
    (cd "$FOLDER/leaves" && sha256sum -- *) >"$FOLDER/leaves.sha256"
    "$BUILD/birthcert" export --format json --config "$FOLDER/birthcert.conf" >"$FOLDER/export.json"
    jq -rn --slurpfile cameras "$FOLDER/cameras.json" --slurpfile units "$FOLDER/export.json" \
        --slurpfile issued "$FOLDER/hvca/issued.jsonl" --rawfile leaves "$FOLDER/leaves.sha256" '
        ($leaves | split("\n") | map(select(. != "") | split("  ") | {(.[1]): .[0]}) | add) as $leaf
        | $cameras[0][] | .serial as $serial
        | [$issued[] | select(.subject | test("serialNumber=" + $serial + ","))] as $ca
        | ($units[] | select(.serial == $serial)) as $unit
        | [$serial, .lifecycle, .credentials[0].state, $unit.result, $unit.install, ($ca | length),
            .credentials[0].spki_sha256, $ca[0].spki_sha256, $unit.public_key_sha256,
            .credentials[0].certificate_sha256, $leaf[$serial], $unit.certificate.sha256,
            ($ca[0].serial | ascii_downcase), $unit.certificate.serial,
            ($ca[0].certificate | split("\n")[1:-2] | join(""))] | @tsv' >"$FOLDER/cameras.tsv"
}

check_cameras() {
    local serial lifecycle installed result proved states issued key ca_key unit_key certificate
    local leaf unit_certificate number unit_number der wanted i=0
    gather
    while IFS=$'\t' read -r serial lifecycle installed result proved issued key ca_key unit_key \
        certificate leaf unit_certificate number unit_number der; do
        states="$lifecycle $installed $result $proved"
        [ "$states" = "locked installed passed proved" ] || fail "$serial is $states"
        [ "$issued" -eq 1 ] || fail "$serial: the CA issued $issued certificates"
        [ "$key $key" = "$ca_key $unit_key" ] ||
            fail "$serial: its key is $key, the CA's $ca_key, the station's $unit_key"
        [ "$certificate $certificate" = "$leaf $unit_certificate" ] ||
            fail "$serial: it holds $certificate, the database $leaf, exported is $unit_certificate"
        [ "$number" = "$unit_number" ] || fail "$serial: the CA issued $number, not $unit_number"
        echo "$der" >>"$FOLDER/issued.base64"
        printf -v wanted '%s%06d' "$PREFIX" $((++i))
        [ "$serial" = "$wanted" ] || fail "$serial in place $i"
    done <"$FOLDER/cameras.tsv"
    [ "$i" -eq "$CAMERAS" ] || fail "$i cameras were seen"
    base64 -d "$FOLDER/issued.base64" | cmp -s - <(cat "$FOLDER"/leaves/*) ||
        fail "the database and the CA do not hold the same certificates"
}

check_all() {
    local lines
    mapfile -t lines <"$FOLDER/hvca/issued.jsonl"
    [ "${#lines[@]}" -eq "$CAMERAS" ] || fail "the CA issued ${#lines[@]} certificates"
    check_database
    check_cameras
}

# Another go of a finished tray buys nothing; and `list` says what `export` does.
check_again() {
    local before after
    "$BUILD/birthcert" list --json --config "$FOLDER/birthcert.conf" |
        cmp -s - "$FOLDER/export.json" || fail "list and export differ"
    before=$(<"$FOLDER/hvca/issued.jsonl")
    tray birthcert
    [ "$STATUS" -eq 0 ] || fail "exit status $STATUS of another go"
    after=$(<"$FOLDER/hvca/issued.jsonl")
    [ "$before" = "$after" ] || fail "another go bought more"
}

kill_plain() {
    local lines
    kill_tray "$N" 0 "$FOLDER/trace"
    mapfile -t lines <"$FOLDER/trace"
    [ "$KILLS" -eq 0 ] || [ "${#lines[@]}" -eq "$N" ] || fail "it died at ${#lines[@]}, not by us"
}

kill_rough() {
    kill_tray "$N" $((N * 7 % 25)) "$FOLDER/trace"
    if ((KILLS == 1)); then
        ((N % 2 == 0)) || restart_cameras
        kill_tray $((1 + N * 13 % 60)) $((N * 11 % 25)) "$FOLDER/trace2"
        ((KILLS == 1)) || echo again >>"$FOLDER/interrupted"
    fi
}

run() { # MODE N FOLDER
    local mode=$1 options=()
    N=$2
    FOLDER=$3
    KILLS=0
    PREFIX=K$N-
    trap end_simulators EXIT
    trap 'exit 143' TERM
    mkdir -p "$FOLDER"
    exec >"$FOLDER/log" 2>&1
    cp -r "$WORK/template/." "$FOLDER"
    if [ "$mode" = rough ]; then
        options=(--stats-lag 300 --fault drop-after@get=5 --fault http-503@post=6
            --fault drop-before@post=4 --fault drop-after@post=2 --fault drop-after@post=7)
    fi
    start_ca "${options[@]}"
    start_cameras
    write_bench
    "kill_$mode"
    if ((KILLS == 0)); then
        check_all
        exit "$ENDED"
    fi
    tray birthcert
    [ "$STATUS" -eq 0 ] || fail "exit status $STATUS of the next start"
    check_all
    ((N % AGAIN_STEP != 0)) || check_again
}

# ---- all runs ------------------------------------------------------------------------------------

make_template() {
    "$BUILD/birthcert" init "$WORK/template" >"$WORK/init.log"
    rm -r "$WORK/template/birthcert.conf" "$WORK/template/ca"
    "$BUILD/hvca-sim" --state "$WORK/template/hvca" --init >>"$WORK/init.log"
    mkdir "$WORK/template/left" "$WORK/template/leaves"
}

tell_failure() { # MODE N FOLDER
    local where='before the first transition'
    [ ! -s "$3/trace" ] || where=$(tail -n 1 "$3/trace")
    echo "not ok - $1:$2 ($where): $(cat "$3/reason" 2>/dev/null || tail -n 3 "$3/log")"
    echo "  see $3; repeat with: tests/e2e_kill.sh --only $1:$2"
}

# One line for each run into a file: "killed", "ended" or "failed", then what was interrupted.
work() { # MODE FIRST STEP
    local mode=$1 number=$2 step=$3 folder status run_pid=
    trap 'kill "$run_pid" 2>/dev/null; wait "$run_pid"; exit 143' TERM
    for (( ; ; number += step)); do
        folder=$WORK/$mode-$number
        status=0
        run "$mode" "$number" "$folder" &
        run_pid=$!
        wait "$run_pid" || status=$?
        case $status in
        0) echo "killed $(tr '\n' ' ' <"$folder/interrupted")" ;;
        "$ENDED") echo ended ;;
        *)
            echo failed
            tell_failure "$mode" "$number" "$folder" >&2
            ;;
        esac >>"$WORK/$mode.results"
        if [ "$status" -eq 0 ] || [ "$status" -eq "$ENDED" ]; then rm -rf "$folder"; fi
        if [ "$status" -eq "$ENDED" ]; then break; fi
    done
}

count() { # MODE WORD
    grep -cw "$2" "$WORK/$1.results" || true
}

ok() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then
        PASSED=$((PASSED + 1))
        echo "ok - $what"
    else
        FAILED=$((FAILED + 1))
        echo "not ok - $what: $*"
    fi
}

# A kill that interrupts nothing would prove nothing.
check_interrupted() { # MODE
    local word
    for word in unsent lost accepted issued installing installed; do
        ok "$1: of these, $(count "$1" "$word") left something $word" \
            [ "$(count "$1" "$word")" -gt 0 ]
    done
}

run_all() { # MODE STEP
    local mode=$1 step=$2 i start=$SECONDS
    WORKERS=()
    for ((i = 0; i < JOBS; i++)); do
        work "$mode" $((1 + i * step)) $((JOBS * step)) &
        WORKERS+=($!)
    done
    wait "${WORKERS[@]}"
    PASSED=$((PASSED + $(count "$mode" killed) + $(count "$mode" ended)))
    FAILED=$((FAILED + $(count "$mode" failed)))
    ok "$mode: $(count "$mode" killed) kills in $((SECONDS - start)) s, all mended" \
        [ "$(count "$mode" failed)" -eq 0 ]
}

run_only() { # MODE:N
    local status=0 folder=$WORK/${1/:/-}
    KEEP=yes
    run "${1%:*}" "${1#*:}" "$folder" &
    WORKERS=($!)
    wait "$!" || status=$?
    case $status in
    0) echo "ok - $1: killed at $(tail -n 1 "$folder/trace"), and mended; see $folder" ;;
    "$ENDED") echo "ok - $1: the tray ended before; see $folder" ;;
    *) tell_failure "${1%:*}" "${1#*:}" "$folder" && exit 1 ;;
    esac
}

for program in birthcert birthcert-kill camera-sim hvca-sim; do
    if [ ! -x "$BUILD/$program" ]; then
        echo "$BUILD/$program is missing: make e2e-programs" >&2
        exit 2
    fi
done
make_template
if [[ "${1:-}" == --only && "${2:-}" =~ ^(plain|rough):[1-9][0-9]*$ ]]; then
    run_only "$2"
    exit 0
elif [ $# -gt 0 ]; then
    echo "usage: tests/e2e_kill.sh [--only plain:N|rough:N]" >&2
    exit 2
fi

run_all plain 1
ok "plain: every camera went through a dozen transitions and more" \
    [ "$(count plain killed)" -ge $((12 * CAMERAS)) ]
check_interrupted plain
run_all rough "$ROUGH_STEP"
ok "rough: $(count rough again) of them were killed a second time" [ "$(count rough again)" -gt 0 ]
[ "$FAILED" -eq 0 ] || KEEP=yes
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
