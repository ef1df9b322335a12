# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A bench with simulated cameras and a CA, and what to expect of it, for tests/e2e_*.sh. Run from
# the root of the repository with set -euo pipefail; BUILD names the build tree, JOBS how many cases run
# at once, KEEP=yes leaves the folders behind.
#
# A script defines functions case_NAME and calls run_cases NAME... A case runs in a process and a
# folder of its own, FOLDER, and ends what it started. It prints a line for each thing it finds, and
# "# skipped: WHY" where it cannot run here.

BUILD=${BUILD:-build/release}
JOBS=${JOBS:-$((2 * $(nproc)))}
KEEP=${KEEP:-no}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/birthcert-e2e.XXXXXX")
WORKERS=()
STARTED=()
PREFIX=VX-
RUN_TIMEOUT_S=120
# The folder with what a simulated CA issued.
SIMULATED_CA=hvca
# Who plays the cameras, and what goes before the program's name on its command line.
CAMERA_PROGRAM=camera-sim
CAMERA_TRANSPORT=unix
STATION_PREFIX=()
# The search for leaks may hang on a busy machine, and of the simulators it says nothing here.
FIXTURE_ASAN=detect_leaks=0

# ---- cases ---------------------------------------------------------------------------------------

# The processes, stopped ones too, and waits for them; what does not end by itself is killed.
end_all() { # PID...
    local tries
    kill "$@" 2>/dev/null || true
    kill -CONT "$@" 2>/dev/null || true
    for ((tries = 0; tries < 600; tries++)); do
        kill -0 "$@" 2>/dev/null || break
        sleep 0.03
    done
    [ "$tries" -lt 600 ] || kill -KILL "$@" 2>/dev/null || true
    wait "$@" 2>/dev/null || true
}

# A shell that is killed right after it was forked may still have its parent's traps: they are for the
# shell that set them.
SHELL_PID=$BASHPID

finish() {
    [ "$BASHPID" = "$SHELL_PID" ] || return 0
    [ "${#WORKERS[@]}" -eq 0 ] || end_all "${WORKERS[@]}"
    [ "$KEEP" = yes ] || rm -rf "$WORK"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

end_started() {
    [ "$BASHPID" = "$CASE_PID" ] || return 0
    [ "${#STARTED[@]}" -eq 0 ] || end_all "${STARTED[@]}"
}

work_case() { # NAME
    FOLDER=$WORK/$1
    CASE_PID=$BASHPID
    trap end_started EXIT
    trap 'exit 143' TERM
    mkdir -p "$FOLDER"
    "case_$1"
}

run_case() { # NAME
    local status=0 pid=
    WORKERS=()
    trap '[ -z "$pid" ] || end_all "$pid"; exit 143' TERM
    work_case "$1" >"$WORK/$1.out" 2>&1 &
    pid=$!
    wait "$pid" || status=$?
    [ "$status" -eq 0 ] || echo "not ok - $1: ended early with status $status" >>"$WORK/$1.out"
    echo "# $1"
    cat "$WORK/$1.out"
    if [ "$KEEP" = yes ]; then echo "# its folder: $WORK/$1"; else rm -rf "${WORK:?}/$1"; fi
}

# The cases of the command line, else all that are given; at the end the count, as exit status too.
run_cases() { # NAME...
    local name running=0 passed failed skipped
    [ "${#ONLY[@]}" -eq 0 ] || set -- "${ONLY[@]}"
    for name in "$@"; do
        if ((running >= JOBS)); then
            wait -n || true
            running=$((running - 1))
        fi
        run_case "$name" &
        WORKERS+=($!)
        running=$((running + 1))
    done
    wait "${WORKERS[@]}" || true
    WORKERS=()
    passed=$(cat "$WORK"/*.out | grep -c '^ok - ' || true)
    failed=$(cat "$WORK"/*.out | grep -c '^not ok - ' || true)
    skipped=$(cat "$WORK"/*.out | grep -c '^# skipped' || true)
    echo "$passed passed, $failed failed$([ "$skipped" -eq 0 ] || echo ", $skipped skipped")"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

# ---- findings ------------------------------------------------------------------------------------

ok() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@" >"$FOLDER/check.out" 2>&1; then
        echo "ok - $what"
    else
        echo "not ok - $what: $*"
        {
            head -n 10 "$FOLDER/check.out"
            tail -n 20 "$FOLDER/out" "$FOLDER/err" 2>/dev/null || true
        } | sed 's/^/    /'
    fi
}

not() { ! "$@"; }
is() { [ "$1" = "$2" ] || { echo "is $1, wanted is $2" && return 1; }; }
below() { [ "$1" -lt "$2" ]; }
at_least() { [ "$1" -ge "$2" ]; }

# What the program said, on both of its streams.
said() { cat "$FOLDER/out" "$FOLDER/err"; }
says() { grep -Eq -e "$1" "$FOLDER/out" "$FOLDER/err"; }

expect_exit() { # WHAT STATUS
    ok "$1: exit status $2" is "$STATUS" "$2"
}

expect_text() { # WHAT EXPRESSION...: each is in a line of what was said
    local what=$1 expression
    shift
    for expression in "$@"; do ok "$what: it says $expression" says "$expression"; done
}

expect() { # WHAT STATUS EXPRESSION...
    local what=$1
    expect_exit "$what" "$2"
    shift 2
    expect_text "$what" "$@"
}

# The verdict on a slot, and what its line says further.
expect_slot() { # WHAT SLOT WORD [EXPRESSION]
    ok "$1: $3 ${4:-}" says "^$3 +slot $2 .*${4:-}"
}

# Nothing but printable ASCII came out: no text of a camera reaches the terminal as it is.
expect_printable() { # WHAT
    said | sed 's/\r$//' >"$FOLDER/said"
    ok "$1: nothing but printable characters" not env LC_ALL=C grep '[^ -~]' "$FOLDER/said"
}

# ---- a bench -------------------------------------------------------------------------------------

# Before a program is started that writes to them: what is started empties its files only when it
# gets to run, and until then await would see what was said the last time.
forget() { # FILE...
    local file
    for file in "$@"; do : >"$file"; done
}

await() { # FILE EXPRESSION [SECONDS]
    local tries
    for ((tries = 0; tries < ${3:-30} * 50; tries++)); do
        ! grep -Eq -e "$2" "$1" 2>/dev/null || return 0
        sleep 0.02
    done
    echo "not ok - ${1##*/} does not say $2 in time"
    return 1
}

await_lines() { # FILE EXPRESSION COUNT [SECONDS]
    local tries
    for ((tries = 0; tries < ${4:-30} * 50; tries++)); do
        [ "$(grep -Ec -e "$2" "$1" 2>/dev/null || true)" -lt "$3" ] || return 0
        sleep 0.02
    done
    echo "not ok - ${1##*/} does not say $2 $3 times in time"
    return 1
}

# A folder as `birthcert init` makes it, without a slot, for COUNT cameras: slots and a manifest.
make_bench() { # COUNT [TRANSPORT]: unix or serial
    make_empty_bench
    write_slots "$1" "${2:-unix}"
    write_manifest "$1"
}

make_empty_bench() {
    "$BUILD/birthcert" init "$FOLDER" >"$FOLDER/init.log" 2>&1
    sed -i '/^\[slot 1\]/,$d' "$FOLDER/birthcert.conf"
    printf '[station]\nname = bench\noperator = tester\n' >"$FOLDER/conf.d/10-station.conf"
}

write_slots() { # COUNT TRANSPORT
    local i
    for ((i = 0; i < $1; i++)); do
        printf '[slot %d]\n%s = %s/ports/cam%d\n' $((i + 1)) "$2" "$FOLDER" "$i"
    done >"$FOLDER/conf.d/20-slots.conf"
}

serial() { printf '%s%06d' "$PREFIX" "$1"; }

write_manifest() { # COUNT
    local i
    echo slot,serial
    for ((i = 1; i <= $1; i++)); do echo "$i,$(serial "$i")"; done
} >"$FOLDER/tray.csv"

# The cameras of the bench; started again, they remember what they stored.
start_cameras() { # COUNT OPTION...: the last transport counts
    local count=$1
    shift
    forget "$FOLDER/cameras.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/$CAMERA_PROGRAM" --count "$count" --transport "$CAMERA_TRANSPORT" \
        --dir "$FOLDER/ports" --state "$FOLDER/cameras" --serial-prefix "$PREFIX" \
        --model VX-2251L "$@" >"$FOLDER/cameras.log" 2>&1 &
    CAMERAS_PID=$!
    STARTED+=("$CAMERAS_PID")
    await "$FOLDER/cameras.log" '^ready'
}

stop_cameras() { end_all "$CAMERAS_PID"; }

make_hvca() {
    "$BUILD/hvca-sim" --state "$FOLDER/hvca" --init >"$FOLDER/hvca.log"
}

# The simulated HVCA becomes the CA of the profile https. Started again it has its port again.
start_hvca() { # OPTION...
    [ -d "$FOLDER/hvca" ] || make_hvca
    forget "$FOLDER/hvca.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/hvca-sim" --state "$FOLDER/hvca" --port "${CA_PORT:-0}" \
        --control-port 0 --latency 20 --latency-jitter 10 --pending 1 "$@" \
        >"$FOLDER/hvca.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await "$FOLDER/hvca.log" '^control '
    CA_PORT=$(awk '/^listening /{print $2}' "$FOLDER/hvca.log")
    CA_CONTROL=$(awk '/^control /{print $2}' "$FOLDER/hvca.log")
    write_hvca
}

write_hvca() {
    local name
    printf '[ca hvca]\nbackend = hvca\nurl = https://127.0.0.1:%s/v2\nsettle = 1s\n' "$CA_PORT"
    for name in client_certificate:client.pem client_key:client.key root:root.pem \
        server_root:server_root.pem api_key:api_key api_secret:api_secret; do
        echo "${name%:*}_file = hvca/${name#*:}"
    done
    printf '[profile https]\nca = hvca\n'
} >"$FOLDER/conf.d/30-ca.conf"

start_proxy() { # OPTION...: sets PROXY_PORT
    forget "$FOLDER/proxy.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/fault-proxy" "$@" >"$FOLDER/proxy.log" \
        2>"$FOLDER/proxy.err" &
    STARTED+=("$!")
    await "$FOLDER/proxy.log" '^listening '
    PROXY_PORT=$(awk '/^listening /{print $2}' "$FOLDER/proxy.log")
}

# The station speaks to the simulated HVCA through fault-proxy, which has these rules.
proxy_hvca() { # RULES [OPTION...]
    local rules=$1
    shift
    start_proxy --rules "$rules" --upstream "$CA_PORT" --root "$FOLDER/hvca/server_root.pem" \
        --certificate "$FOLDER/hvca/client.pem" --key "$FOLDER/hvca/client.key" "$@"
    sed -i "s,^url.*,url = http://127.0.0.1:$PROXY_PORT/v2," "$FOLDER/conf.d/30-ca.conf"
}

stop_hvca() { end_all "$CA_PID"; }

kill_hvca() {
    kill -KILL "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
}

control() { # JSON: the answer is in the file control
    curl -sS --max-time 20 -d "$1" "http://127.0.0.1:$CA_CONTROL/control" >"$FOLDER/control"
}

clear_faults() { control '{"clear_faults": true}'; }

# ---- the program ---------------------------------------------------------------------------------

# Runs the program to its end. Its output is in the files out and err; sets STATUS.
birthcert() { # VERB OPTION...
    start_birthcert "$@"
    await_birthcert
}

# A station that works beside the others; its output is in the file beside. Sets BESIDE_PID.
start_beside() { # VERB OPTION...
    forget "$FOLDER/beside"
    "$BUILD/birthcert" "$@" --config "$FOLDER/birthcert.conf" >"$FOLDER/beside" 2>&1 &
    BESIDE_PID=$!
    STARTED+=("$BESIDE_PID")
}

start_birthcert() { # VERB OPTION...: sets STATION_PID
    forget "$FOLDER/out" "$FOLDER/err"
    "${STATION_PREFIX[@]}" "$BUILD/birthcert" "$@" --config "$FOLDER/birthcert.conf" \
        >"$FOLDER/out" 2>"$FOLDER/err" &
    STATION_PID=$!
    STARTED+=("$STATION_PID")
}

# No second process that watches: a shell that is killed while it forks may run its parent's traps.
await_birthcert() { # sets STATUS; what does not end in time is killed
    local deadline=$((SECONDS + RUN_TIMEOUT_S))
    while kill -0 "$STATION_PID" 2>/dev/null; do
        if ((SECONDS > deadline)); then kill -KILL "$STATION_PID" || true; fi
        sleep 0.03
    done
    STATUS=0
    wait "$STATION_PID" || STATUS=$?
    {
        echo "== exit status $STATUS"
        said
    } >>"$FOLDER/log"
}

# shellcheck disable=SC2120 # the options are optional
tray() { # OPTION...
    birthcert tray "$FOLDER/tray.csv" "$@"
}

# What another run of the program says, while STATUS, out and err stay.
ask() { # VERB OPTION...
    "$BUILD/birthcert" "$@" --config "$FOLDER/birthcert.conf"
}

# ---- who holds which certificate -----------------------------------------------------------------

# One line for each certificate: serial, public key, hash of the certificate.
cameras_say() {
    "$BUILD/camera-sim" --state "$FOLDER/cameras" --dump | jq -r '.[]
        | select(.lifecycle == "locked") | .serial as $serial | .credentials[]
        | select(.state == "installed") | "\($serial) \(.spki_sha256) \(.certificate_sha256)"'
}

program_says() {
    ask list --json | jq -r 'select(.result == "passed" and .install == "proved")
        | "\(.serial) \(.public_key_sha256) \(.certificate.sha256)"'
}

ca_says() {
    local serial spki der
    jq -r '"\((.subject | capture("serialNumber=(?<s>[^,]+)").s)? // "-") \(.spki_sha256) " +
        (.certificate | split("\n")[1:-2] | join(""))' "$FOLDER/$SIMULATED_CA/issued.jsonl" |
        while read -r serial spki der; do
            printf '%s %s %s\n' "$serial" "$spki" "$(base64 -d <<<"$der" | sha256sum | cut -c -64)"
        done
}

database_certificates() {
    sqlite3 "$FOLDER/birthcert.db" 'SELECT count(*) FROM certificate'
}

# Whether the CA can be asked what it issued, by ca_says and issued, which a script may define anew.
ca_is_witness() { [ -d "$FOLDER/$SIMULATED_CA" ]; }

issued() { # how many the CA issued
    if [ -d "$FOLDER/$SIMULATED_CA" ]; then
        touch "$FOLDER/$SIMULATED_CA/issued.jsonl"
        wc -l <"$FOLDER/$SIMULATED_CA/issued.jsonl"
    else
        database_certificates
    fi
}

witnesses_agree() { # CERTIFICATES
    cameras_say | sort >"$FOLDER/said_by_cameras"
    program_says | sort >"$FOLDER/said_by_program"
    is "$(wc -l <"$FOLDER/said_by_cameras") of the cameras" "$1 of the cameras" &&
        diff "$FOLDER/said_by_cameras" "$FOLDER/said_by_program" || return 1
    ca_is_witness || return 0
    ca_says | sort >"$FOLDER/said_by_ca"
    comm -23 "$FOLDER/said_by_cameras" "$FOLDER/said_by_ca" >"$FOLDER/not_of_ca"
    not grep . "$FOLDER/not_of_ca" && not no_key_twice
}

no_key_twice() {
    cut -d ' ' -f 2 "$FOLDER/said_by_ca" | sort | uniq -d | grep .
}

# So many certificates are proved, where they belong; and the CA has issued no other.
expect_certificates() { # WHAT CERTIFICATES [ISSUED]
    ok "$1: $2 certificates, each in its own camera and on record" witnesses_agree "$2"
    ok "$1: the CA issued ${3:-$2}" is "$(issued)" "${3:-$2}"
    ok "$1: the database is whole" is "$(sqlite3 "$FOLDER/birthcert.db" \
        'PRAGMA integrity_check; PRAGMA foreign_key_check')" ok
}

# The same tray once more: nobody fails, and then nothing is missing.
expect_good_end() { # WHAT CERTIFICATES [ISSUED]
    # shellcheck disable=SC2119
    tray
    expect_exit "$1, then: the tray again" 0
    expect_certificates "$1, then" "$2" "${3:-$2}"
}

ONLY=("$@")
