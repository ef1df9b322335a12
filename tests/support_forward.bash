# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# `birthcert forward` as a bench's CA, with the simulated HVCA behind, for tests/e2e_*.sh beside
# e2e_lib.bash.

# The CA's credentials are in the forwarder's own folder: nothing of the bench names them.
make_gateway() { # OPTION...: of hvca-sim
    local name
    start_hvca "$@"
    mkdir -p "$FOLDER/gateway" "$FOLDER/run"
    for name in client.pem client.key api_key api_secret; do
        cp "$FOLDER/hvca/$name" "$FOLDER/gateway/"
    done
    cp "$FOLDER/hvca/server_root.pem" "$FOLDER/gateway/"
    cp "$FOLDER/hvca/root.pem" "$FOLDER/root.pem"
    {
        printf '[forward]\nsocket = %s/run/forward.sock\n' "$FOLDER"
        printf '[ca hvca]\nbackend = hvca\nurl = https://127.0.0.1:%s/v2\nsettle = 1s\n' "$CA_PORT"
        printf '%s_file = %s\n' client_certificate client.pem client_key client.key \
            server_root server_root.pem api_key api_key api_secret api_secret
        printf '[profile https]\nca = hvca\n'
    } >"$FOLDER/gateway/forward.conf"
    write_outbox "$FOLDER"
}

# shellcheck disable=SC2120 # the folder is optional
write_outbox() { # BENCH_FOLDER
    {
        printf '[ca gateway]\nbackend = outbox\nsocket = %s/run/forward.sock\n' "$FOLDER"
        printf 'root_file = %s/root.pem\n[profile https]\nca = gateway\n' "$FOLDER"
    } >"$1/conf.d/30-ca.conf"
}

# Its number may be that of the one before.
socket_now() { stat -c '%i %z' "$FOLDER/run/forward.sock" 2>/dev/null || true; }

# The socket may be one that a killed forwarder left.
start_forward() { # OPTION...
    local before
    before=$(socket_now)
    "$BUILD/birthcert" forward "$@" --config "$FOLDER/gateway/forward.conf" \
        >>"$FOLDER/forward.out" 2>>"$FOLDER/forward.log" &
    FORWARD_PID=$!
    STARTED+=("$FORWARD_PID")
    for _ in {1..500}; do
        if [ -S "$FOLDER/run/forward.sock" ] && [ "$(socket_now)" != "$before" ]; then return; fi
        sleep 0.02
    done
    echo "not ok - birthcert forward does not listen"
}
