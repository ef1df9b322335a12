# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034 # the variables are for who reads this file in
#
# The simulated Vault behind the real program, for tests/e2e_*.sh. After tests/e2e_lib.bash.

LOST=hold
SETTLE=1s

# The simulated Vault becomes the CA of the profile https. Started again it has its port again.
start_vault() { # OPTION...
    [ -d "$FOLDER/vault" ] || "$BUILD/vault-sim" --state "$FOLDER/vault" --init >"$FOLDER/vault.log"
    forget "$FOLDER/vault.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/vault-sim" --state "$FOLDER/vault" --port "${CA_PORT:-0}" \
        --control-port 0 --latency 20 "$@" >"$FOLDER/vault.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await "$FOLDER/vault.log" '^control '
    CA_PORT=$(awk '/^listening /{print $2}' "$FOLDER/vault.log")
    CA_CONTROL=$(awk '/^control /{print $2}' "$FOLDER/vault.log")
    cp -p "$FOLDER/vault/token" "$FOLDER/token"
    {
        printf '[ca vault]\nbackend = vault\nurl = https://127.0.0.1:%s\n' "$CA_PORT"
        printf 'server_root_file = vault/server_root.pem\nroot_file = vault/root.pem\n'
        printf 'token_file = token\nca_profile = camera\nsettle = %s\n' "$SETTLE"
        printf 'lost_answer = %s\n[profile https]\nca = vault\n' "$LOST"
    } >"$FOLDER/conf.d/30-ca.conf"
}

kill_vault() {
    kill -KILL "$CA_PID"
    wait "$CA_PID" 2>/dev/null || true
}
