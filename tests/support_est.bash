# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated EST server as a station's CA, for tests/e2e_*.sh beside e2e_lib.bash.

LOST=hold

# The simulated EST server becomes the CA of the profile https. Started again it has its port again.
start_est() { # OPTION...
    local key
    [ -d "$FOLDER/est" ] || "$BUILD/est-sim" --state "$FOLDER/est" --init >"$FOLDER/est.log"
    forget "$FOLDER/est.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/est-sim" --state "$FOLDER/est" --port "${CA_PORT:-0}" \
        --control-port 0 --latency 20 "$@" >"$FOLDER/est.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await "$FOLDER/est.log" '^control '
    CA_PORT=$(awk '/^listening /{print $2}' "$FOLDER/est.log")
    CA_CONTROL=$(awk '/^control /{print $2}' "$FOLDER/est.log")
    {
        printf '[ca est]\nbackend = est\nurl = https://127.0.0.1:%s\n' "$CA_PORT"
        printf 'username = %s\npassword_file = est/password\n' "$(cat "$FOLDER/est/username")"
        for key in client_certificate:client.pem client_key:client.key root:root.pem \
            server_root:server_root.pem; do
            echo "${key%:*}_file = est/${key#*:}"
        done
        printf 'lost_answer = %s\n[profile https]\nca = est\n' "$LOST"
    } >"$FOLDER/conf.d/30-ca.conf"
}
