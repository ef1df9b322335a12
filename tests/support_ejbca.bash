# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# ejbca-sim as the CA of a bench that tests/e2e_lib.bash made.

# The simulated EJBCA becomes the CA of the profile https, whose cameras put no host names into their
# CSRs. Started again it has its port again.
start_ejbca() { # OPTION...
    [ -d "$FOLDER/ejbca" ] || "$BUILD/ejbca-sim" --state "$FOLDER/ejbca" --init >"$FOLDER/ejbca.log"
    forget "$FOLDER/ejbca.log"
    ASAN_OPTIONS=$FIXTURE_ASAN "$BUILD/ejbca-sim" --state "$FOLDER/ejbca" --port "${CA_PORT:-0}" \
        --control-port 0 --latency 20 "$@" >"$FOLDER/ejbca.log" 2>&1 &
    CA_PID=$!
    STARTED+=("$CA_PID")
    await "$FOLDER/ejbca.log" '^control '
    CA_PORT=$(awk '/^listening /{print $2}' "$FOLDER/ejbca.log")
    CA_CONTROL=$(awk '/^control /{print $2}' "$FOLDER/ejbca.log")
    write_ejbca
}

write_ejbca() {
    local key
    printf '[ca ejbca]\nbackend = ejbca\nurl = https://127.0.0.1:%s/ejbca/ejbca-rest-api\n' "$CA_PORT"
    printf 'authority = CameraCA\nca_profile = Camera\nend_entity_profile = Cameras\nsettle = 1s\n'
    for key in client_certificate:client.pem client_key:client.key root:root.pem \
        server_root:server_root.pem; do
        echo "${key%:*}_file = ejbca/${key#*:}"
    done
    printf '[profile https]\nca = ejbca\ndns_names =\n'
} >"$FOLDER/conf.d/30-ca.conf"
