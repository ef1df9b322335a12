#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A tray of 48 under faults of all kinds at once, of cameras, wires, the CA and the station itself,
# over and over from one seed. Nothing needs a person in between; in the end every camera passes, and
# the CA has issued one certificate for each.
#
#   SEED=7 ROUNDS=5 tests/e2e_soak.sh
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash

SEED=${SEED:-1}
ROUNDS=${ROUNDS:-5}
CAMERAS=48
RANDOM=$SEED

pick() { # WORD...: sets PICKED. No subshell, which would not move RANDOM on.
    shift $((RANDOM % $#))
    PICKED=$1
}

# What may be wrong with a camera until it is started again, or once. Sets FAULT.
pick_fault() { # INDEX
    local step
    pick generate generate-stored generate-answered read read-answered write commit commit-stored \
        commit-answered prove prove-answered finish finish-stored
    step=$PICKED
    pick crash-at crash-at unplug-at unplug-at swap-with swap-quietly-with refuse bad-proof \
        corrupt-readback lock-refused lock-ignored silent garbage hostile crash-at-each
    case $PICKED in
    crash-at | unplug-at) FAULT=$PICKED=$step ;;
    crash-at-each) FAULT=crash-at=each-commit ;;
    swap-*) FAULT="$PICKED=$((($1 + 1) % CAMERAS))@$step" ;;
    refuse) FAULT=refuse=${step%-*} ;;
    hostile) FAULT=hostile=error ;;
    *) FAULT=$PICKED ;;
    esac
}

start_bad_cameras() { # sets WRONG, for the log
    local i options=(--drop 1 --garbage 1 --corrupt 1 --key-time 300 --seed "$RANDOM")
    WRONG=
    for ((i = 0; i < CAMERAS; i++)); do
        ((RANDOM % 3 == 0)) || continue
        pick_fault "$i"
        options+=(--fault "$i:$FAULT")
        WRONG+=" $i:$FAULT"
    done
    start_cameras "$CAMERAS" "${options[@]}"
}

start_bad_hvca() {
    start_hvca --latency 100 --latency-jitter 80 --seed "$RANDOM" --stats-lag 200 \
        --fault drop-before@post=5% --fault drop-after@post=8% --fault http-503@post=5% \
        --fault http-429@post=5% --fault http-429-retry@post=1:3% --fault garbage-201@post=3% \
        --fault nonsense@post=2% --fault expired-token@post=3% --fault drop-before@get=3% \
        --fault drop-after@get=3% --fault http-503@get=3% --fault nonsense@get=3% \
        --fault drop-after@stats=5% --fault http-503@stats=5% \
        --fault slow=2:5%
}

# A station, and what interrupts it.
run_round() { # NUMBER
    local signal
    start_bad_hvca
    start_bad_cameras
    pick INT TERM KILL KILL none
    signal=$PICKED
    start_birthcert tray "$FOLDER/tray.csv" --wait 8
    sleep "$((1 + RANDOM % 4)).$((RANDOM % 10))"
    ((RANDOM % 3 > 0)) || { kill_hvca && start_bad_hvca; }
    [ "$signal" = none ] || kill -s "$signal" "$STATION_PID" 2>/dev/null || true
    await_birthcert 2>/dev/null
    echo "# round $1: signal $signal, exit status $STATUS, $(issued) issued; cameras:$WRONG"
    case $STATUS in
    0 | 1 | 4 | 137) ok "round $1: no person has to look" true ;;
    *) ok "round $1: exit status $STATUS" false ;;
    esac
    ok "round $1: nothing contradicts itself" not \
        says 'E-INTERNAL|E-STORE|E-UNIT-HELD|quarantined|ERROR: .*Sanitizer'
    kill -KILL "$CAMERAS_PID"
    wait "$CAMERAS_PID" 2>/dev/null || true
    kill_hvca
}

case_soak() {
    local round
    make_bench "$CAMERAS"
    printf 'slot\n' >"$FOLDER/tray.csv"
    for ((round = 1; round <= CAMERAS; round++)); do echo "$round"; done >>"$FOLDER/tray.csv"
    for ((round = 1; round <= ROUNDS; round++)); do run_round "$round"; done
    start_hvca
    start_cameras "$CAMERAS"
    tray
    expect "the faults are gone" 0 " 0 failed, 0 unfinished"
    expect_certificates "the faults are gone" "$CAMERAS"
}

echo "# SEED=$SEED"
run_cases soak
