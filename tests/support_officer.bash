# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What the PKI officer did to certificates: on record, and at a CA that keeps books of its own. Behind
# tests/e2e_lib.bash.

sql() { sqlite3 -readonly "$FOLDER/birthcert.db" "$1"; }

# Of the camera's newest certificate but N, in the CA's spelling.
certificate_of() { # SERIAL [N]
    sql "SELECT upper(hex(x.serial)) FROM certificate x JOIN credential c ON c.id = x.credential
        JOIN unit u ON u.id = c.unit WHERE u.serial = '$1' ORDER BY x.id DESC LIMIT 1 OFFSET ${2:-0}"
}

# One line a revocation at the CA: serial number and reason.
ca_revoked() {
    touch "$FOLDER/hvca/revoked.jsonl"
    jq -r '"\(.serial | ascii_upcase) \(.reason)"' "$FOLDER/hvca/revoked.jsonl"
}

expect_revoked() { # WHAT LINE...: and nothing else
    local what=$1
    shift
    ok "$what: the CA revoked $# certificates, for their reasons" \
        is "$(ca_revoked | sort)" "$(printf '%s\n' "$@" | sed '/^$/d' | sort)"
}

state_of() { # SERIAL [N]: 1 live, 2 quarantined, 3 being revoked, 4 revoked, 5 withdrawn
    sql "SELECT x.state FROM certificate x JOIN credential c ON c.id = x.credential
        JOIN unit u ON u.id = c.unit WHERE u.serial = '$1' ORDER BY x.id DESC LIMIT 1 OFFSET ${2:-0}"
}

await_state() { # SERIAL STATE
    local tries
    for ((tries = 0; tries < 1000; tries++)); do
        [ "$(state_of "$1")" != "$2" ] || return 0
        sleep 0.02
    done
    echo "not ok - the certificate of $1 is not in state $2 in time"
}

live_certificates() { sql 'SELECT count(*) FROM certificate WHERE state = 1'; }

# The database is sound, by its own rules too.
expect_sound() { # WHAT
    ask doctor >"$FOLDER/doctor" 2>&1 || true
    ok "$1: the database is consistent" grep -q '^ok *database: ' "$FOLDER/doctor"
}

make_passed() { # COUNT
    make_bench "$1"
    start_hvca
    start_cameras "$1"
    tray
    expect_exit "$1 cameras, each with its certificate" 0
    stop_cameras
}

wipe() { # CAMERA: its board is another one
    rm "$FOLDER/cameras/cam$1.state"
}
