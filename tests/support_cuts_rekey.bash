# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The simulated HVCA with rekey = yes, for tests/e2e_ca_cuts.sh: every camera got another board. With
# "unlisted" the CA's lists leave out what was rekeyed. They prove nothing either way: what is not in them
# is held.

rekey_rows() { echo 'rekey_issue    16  8  61  3 no  held POST /v2/certificates/'; }
unlisted_rows() { echo 'unlisted_issue 16  8 167  5 no  held POST /v2/certificates/'; }
rekey_issues() { echo 'POST /v2/certificates/'; }
unlisted_issues() { rekey_issues; }

rekey_start() { # RULES [OPTION...]
    local slot serial cameras=0
    start_hvca --pending 0 --latency 0 --latency-jitter 0
    sed -i "s/^settle.*/settle = 500ms\nin_flight = $IN_FLIGHT\nrekey = yes/" "$FOLDER/conf.d/30-ca.conf"
    whole_tray
    ok "the first boards have their certificates" is "$STATUS" 0
    while IFS=, read -r slot serial; do
        birthcert rework "$serial" --approve 'B. Officer'
        expect_exit "$serial gets another board" 0
        cameras=$slot
    done < <(sed 1d "$FOLDER/tray.csv")
    stop_cameras
    rm "$FOLDER"/cameras/cam*.state
    start_cameras "$cameras"
    proxy_hvca "$@"
}

unlisted_start() { # RULES [OPTION...]
    rekey_start "$@"
    control '{"rekey_unlisted": 1}'
}

# Those of the new boards.
rekey_certificates() {
    jq -r 'select(.rekey_of) | "\(.spki_sha256) \(.serial | ascii_downcase)"' "$FOLDER/hvca/issued.jsonl"
}
unlisted_certificates() { rekey_certificates; }

rekey_pem() {
    jq -r 'select(.rekey_of) | .certificate' "$FOLDER/hvca/issued.jsonl"
    cat "$FOLDER/hvca/issuing.pem"
}
unlisted_pem() { rekey_pem; }
