# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The socket between a bench and `birthcert forward`, with the simulated HVCA behind, for
# tests/e2e_ca_cuts.sh. A bench has one connection for all of its requests: one request at a time, so that
# each has its own cut.

# shellcheck source=tests/support_forward.bash
. tests/support_forward.bash

outbox_rows() {
    cat <<'END'
outbox_submit 16 6 307 1 no one submit
END
}
outbox_issues() { echo submit; }

outbox_start() { # RULES [OPTION...]
    make_gateway --pending 0 --latency 0 --latency-jitter 0
    sed -i 's/^settle.*/settle = 500ms/' "$FOLDER/gateway/forward.conf"
    start_forward
    "$BUILD/outbox-cut" "$FOLDER/run/forward.sock" "$FOLDER/run/cut.sock" "$1" >"$FOLDER/proxy.log" \
        2>"$FOLDER/proxy.err" &
    STARTED+=("$!")
    await "$FOLDER/proxy.log" '^listening'
    sed -i 's,^socket.*,socket = run/cut.sock\nin_flight = 1,' "$FOLDER/conf.d/30-ca.conf"
}

outbox_certificates() { hvca_certificates; }
