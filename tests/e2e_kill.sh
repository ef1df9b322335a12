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

# ---- one run -------------------------------------------------------------------------------------
# Everything below works in FOLDER, in a process of its own that ends what it started.

fail() {
    echo "$*" >"$FOLDER/reason"
    exit 1
}

end_simulators() {
    kill -KILL "${CA_PID:-}" "${CAMERAS_PID:-}" 2>/dev/null || true
}

await() { # FILE PATTERN
    local tries
    for ((tries = 0; tries < 1000; tries++)); do
        ! grep -q "$2" "$1" 2>/dev/null || return 0
        sleep 0.01
    done
    fail "$1 does not say $2"
}

start_ca() { # OPTION...
    "$BUILD/hvca-sim" --state "$FOLDER/hvca" --latency 20 --latency-jitter 10 --pending 1 \
        --seed "$N" "$@" >"$FOLDER/ca.log" 2>&1 &
    CA_PID=$!
    await "$FOLDER/ca.log" '^listening '
}

start_cameras() {
    "$BUILD/camera-sim" --count "$CAMERAS" --transport unix --dir "$FOLDER/ports" \
        --state "$FOLDER/cameras" --serial-prefix "$PREFIX" --key-time 40 --seed "$N" \
        >"$FOLDER/cameras.log" 2>&1 &
    CAMERAS_PID=$!
    await "$FOLDER/cameras.log" '^ready'
}

restart_cameras() {
    kill -KILL "$CAMERAS_PID"
    wait "$CAMERAS_PID" || true
    start_cameras
}

# The template's database, with a configuration for this run.
write_bench() {
    local port i
    port=$(awk '/^listening /{print $2}' "$FOLDER/ca.log")
    {
        printf '[station]\nname = bench\n[store]\npath = birthcert.db\n[ca hvca]\nbackend = hvca\n'
        printf 'url = https://127.0.0.1:%s/v2\nsettle = 400ms\n' "$port"
        printf '%s\n' 'client_certificate_file = hvca/client.pem' \
            'client_key_file = hvca/client.key' 'server_root_file = hvca/server_root.pem' \
            'root_file = hvca/root.pem' 'api_key_file = hvca/api_key' \
            'api_secret_file = hvca/api_secret' '[profile https]' 'ca = hvca'
        for ((i = 0; i < CAMERAS; i++)); do
            printf '[slot %d]\nunix = %s/ports/cam%d\n' $((i + 1)) "$FOLDER" "$i"
        done
    } >"$FOLDER/birthcert.conf"
    echo slot,serial >"$FOLDER/tray.csv"
    for ((i = 1; i <= CAMERAS; i++)); do
        printf '%d,%s%06d\n' "$i" "$PREFIX" "$i"
    done >>"$FOLDER/tray.csv"
}

birthcert() { # PROGRAM VERB OPTION...
    local program=$1
    shift
    timeout 60 "$BUILD/$program" "$@" --config "$FOLDER/birthcert.conf"
}

tray() { # PROGRAM: sets STATUS
    STATUS=0
    birthcert "$1" tray "$FOLDER/tray.csv" --verbose >>"$FOLDER/tray.log" 2>&1 || STATUS=$?
    echo "exit status $STATUS" >>"$FOLDER/tray.log"
}

# Runs the tray to the kill. False: the tray ended before.
tray_killed_at() { # TRANSITION DELAY_MS TRACE
    export KILL_AT=$1 KILL_DELAY_MS=$2 KILL_TRACE=$3
    tray birthcert-kill
    unset KILL_AT KILL_DELAY_MS KILL_TRACE
    [ "$STATUS" -ne "$KILLED" ] || return 0
    [ "$STATUS" -eq 0 ] || fail "exit status $STATUS of the run that was to be killed"
    return 1
}

# What the kill interrupted, from a copy: whoever opens the database mends it.
note_interrupted() {
    local request install spki
    mkdir "$FOLDER/left"
    cp "$FOLDER"/birthcert.db "$FOLDER"/birthcert.db-wal "$FOLDER/left/"
    sqlite3 -separator ' ' "$FOLDER/left/birthcert.db" 'SELECT request, install, hex(spki_sha256)
        FROM credential' | tr A-F a-f >"$FOLDER/left/credentials"
    while read -r request install spki; do
        case $request:$install in
        [24]:0) grep -q "$spki" "$FOLDER/hvca/issued.jsonl" && echo lost || echo unsent ;;
        3:0) echo accepted ;;
        8:0) echo issued ;;
        8:1) echo installing ;;
        8:[23]) echo unfinished ;;
        esac
    done <"$FOLDER/left/credentials" | sort -u >>"$FOLDER/interrupted"
    rm -r "$FOLDER/left"
}

# A line for each camera that is done: its serial, its public key, its certificate. Four witnesses.
cameras_say() {
    "$BUILD/camera-sim" --state "$FOLDER/cameras" --dump | jq -r '.[]
        | select(.lifecycle == "locked") | .serial as $serial | .credentials[]
        | select(.state == "installed") | "\($serial) \(.spki_sha256) \(.certificate_sha256)"'
}

ca_says() {
    local serial spki der
    jq -r '"\(.subject | capture("serialNumber=(?<s>[^,]+)").s) \(.spki_sha256) " +
        (.certificate | split("\n")[1:-2] | join(""))' "$FOLDER/hvca/issued.jsonl" |
        while read -r serial spki der; do
            printf '%s %s %s\n' "$serial" "$spki" "$(base64 -d <<<"$der" | sha256sum | cut -c -64)"
        done
}

program_says() { # VERB OPTION...
    birthcert birthcert "$@" | jq -r 'select(.type == "unit" and .result == "passed" and
        .install == "proved")
        | "\(.serial) \(.public_key_sha256) \(.certificate.sha256)"'
}

database_says() {
    sqlite3 -separator ' ' "$FOLDER/birthcert.db" 'SELECT unit.serial,
        lower(hex(credential.spki_sha256)), lower(hex(certificate.sha256))
        FROM unit JOIN credential ON credential.unit = unit.id
        JOIN certificate ON certificate.credential = credential.id
        WHERE unit.result = 2 AND credential.install = 3 AND certificate.state = 1'
}

check_database() {
    local found
    found=$(sqlite3 "$FOLDER/birthcert.db" 'PRAGMA integrity_check; PRAGMA foreign_key_check;
        SELECT count(*) FROM unit; SELECT count(*) FROM certificate;' | tr '\n' ' ')
    [ "$found" = "ok $CAMERAS $CAMERAS " ] || fail "the database holds: $found"
}

check_all() {
    local witness
    tail -n +2 "$FOLDER/tray.csv" | cut -d, -f2 >"$FOLDER/wanted"
    ca_says | sort >"$FOLDER/ca"
    cameras_say | sort >"$FOLDER/said_by_cameras"
    database_says | sort >"$FOLDER/said_by_database"
    program_says list --json | sort >"$FOLDER/said_by_list"
    program_says export --format json | sort >"$FOLDER/said_by_export"
    cut -d ' ' -f 1 "$FOLDER/ca" | cmp -s - "$FOLDER/wanted" ||
        fail "the CA issued $(wc -l <"$FOLDER/ca") certificates for $(cut -d ' ' -f 1 \
            "$FOLDER/ca" | sort -u | wc -l) cameras, wanted is one for each of $CAMERAS"
    for witness in cameras database list export; do
        cmp -s "$FOLDER/ca" "$FOLDER/said_by_$witness" ||
            fail "the CA and the $witness differ: $(diff "$FOLDER/ca" \
                "$FOLDER/said_by_$witness" | head -n 3 | tr '\n' ' ')"
    done
    check_database
}

# Another go of a finished tray buys nothing.
check_again() {
    tray birthcert
    [ "$STATUS" -eq 0 ] || fail "exit status $STATUS of another go"
    [ "$(wc -l <"$FOLDER/hvca/issued.jsonl")" -eq "$CAMERAS" ] || fail "another go bought more"
}

kill_plain() {
    tray_killed_at "$N" 0 "$FOLDER/trace" || return 1
    [ "$(wc -l <"$FOLDER/trace")" -eq "$N" ] || fail "it died elsewhere, by another hand"
    note_interrupted
}

kill_rough() {
    tray_killed_at "$N" $((N * 7 % 25)) "$FOLDER/trace" || return 1
    note_interrupted
    ((N % 2 == 0)) || restart_cameras
    if tray_killed_at $((1 + N * 13 % 60)) $((N * 11 % 25)) "$FOLDER/trace2"; then
        note_interrupted
        echo again >>"$FOLDER/interrupted"
    fi
}

run() { # MODE N FOLDER
    local mode=$1 options=()
    N=$2
    FOLDER=$3
    PREFIX=K$N-
    trap end_simulators EXIT
    trap 'exit 143' TERM
    mkdir -p "$FOLDER"
    exec >"$FOLDER/log" 2>&1
    cp -r "$WORK/template/." "$FOLDER"
    if [ "$mode" = rough ]; then
        options=(--stats-lag 100 --fault drop-after@get=5 --fault http-503@post=6
            --fault drop-before@post=4 --fault drop-after@post=2 --fault drop-after@post=7)
    fi
    start_ca "${options[@]}"
    start_cameras
    write_bench
    if ! "kill_$mode"; then
        check_all
        exit "$ENDED"
    fi
    tray birthcert
    [ "$STATUS" -eq 0 ] || fail "exit status $STATUS of the next start"
    check_all
    check_again
}

# ---- all runs ------------------------------------------------------------------------------------

make_template() {
    "$BUILD/birthcert" init "$WORK/template" >"$WORK/init.log"
    rm -r "$WORK/template/birthcert.conf" "$WORK/template/ca"
    "$BUILD/hvca-sim" --state "$WORK/template/hvca" --init >>"$WORK/init.log"
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
    trap '[ -z "$run_pid" ] || kill "$run_pid" 2>/dev/null; exit 143' TERM
    trap - EXIT
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
    for word in unsent lost accepted issued installing unfinished; do
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
