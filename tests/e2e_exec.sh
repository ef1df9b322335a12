#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A site's own CA program: the example of the documentation, and programs that fail in every way.
#
#   tests/e2e_exec.sh [CASE...]
# shellcheck disable=SC2016 # what stands in single quotes is the program's
set -euo pipefail

# shellcheck source=tests/e2e_lib.bash
. tests/e2e_lib.bash
# shellcheck source=tests/support_exec.bash
. tests/support_exec.bash

# Runs in front of the program: $1 is the operation, $count how often it was asked for.
before() { # SHELL
    cat >"$FOLDER/site/before" <<END
echo x >>"$FOLDER/site/count-\$1"
count=\$(wc -l <"$FOLDER/site/count-\$1")
$1
END
}

asked() { # OPERATION
    touch "$FOLDER/site/count-$1"
    wc -l <"$FOLDER/site/count-$1"
}

site_issued() { find "$FOLDER/site/issued" -name '*.pem' | wc -l; }

expect_site() { # WHAT CERTIFICATES
    expect_certificates "$1" "$2"
    ok "$1: the program issued $2" is "$(site_issued)" "$2"
}

case_good() {
    make_bench 8
    make_site 'in_flight = 3'
    birthcert ca test site
    expect 'ca test' 0 'issues as: CN=Site CA' 'fits the policy of CA site'
    ok 'ca test: nothing was issued' not test -e "$FOLDER/site/issued"
    start_cameras 8
    tray
    expect 'eight cameras' 0 '8 passed'
    expect_site 'eight cameras' 8
}

# The program is told under which profile: it may choose its CA by that.
case_revoke() {
    make_bench 1
    make_site ''
    start_cameras 1
    tray
    before 'if [ "$1" = revoke ]; then
        tee "'"$FOLDER"'/question" | "'"$FOLDER"'/site/ca" revoke; exit; fi'
    birthcert revoke VX-000001 --reason superseded
    expect 'revoke' 0 'VX-000001'
    ok 'revoke: the program was asked as documented' \
        jq -e '.operation == "revoke" and .profile == "https" and .serial == "VX-000001" and
            .reason == "superseded" and (.certificate | startswith("-----BEGIN"))' "$FOLDER/question"
}

# A program that knows no revoke: the certificates are out of use, and nothing is asked for ever.
case_revokes_nothing() {
    make_bench 2
    make_site
    start_cameras 2
    tray
    before '[ "$1" != revoke ] || exit 64'
    birthcert scrap VX-000001
    expect 'scrap, a program that revokes nothing' 0 \
        'its CA revokes nothing by itself' 'ask the administrator of the CA site'
    birthcert revoke VX-000002 --reason keyCompromise
    expect 'revoke, a program that revokes nothing' 4 'VX-000002' 'its CA revokes nothing by itself'
    birthcert ca test site --issue
    expect 'ca test --issue, a program that revokes nothing' 0 'issued, and good' \
        'its CA revokes nothing by itself'
    birthcert reconcile
    expect_exit 'a program that revokes nothing: nothing is left open' 3
    ok 'a program that revokes nothing: it was asked once for each' is "$(asked revoke)" 3
    ok 'a program that revokes nothing: all are withdrawn' is "$(sqlite3 "$FOLDER/birthcert.db" \
        'SELECT state, count(*) FROM certificate GROUP BY state')" '5|3'
}

# No answer, in every way in which there can be none: each is looked up, and none is bought twice.
case_lost() {
    make_bench 6
    make_site 'in_flight = 1' # they are counted
    before 'if [ "$1" = submit ]; then
        question=$(cat)
        case $count in
        1) printf "%s" "$question" | "'"$FOLDER"'/site/ca" submit >/dev/null; exit 1 ;;
        2) printf "%s" "$question" | "'"$FOLDER"'/site/ca" submit >/dev/null; kill -KILL $$ ;;
        3) printf "%s" "$question" | "'"$FOLDER"'/site/ca" submit >/dev/null; echo "{}"; exit 0 ;;
        4) exit 1 ;;
        5) echo "[[[["; exit 0 ;;
        *) printf "%s" "$question" | exec "'"$FOLDER"'/site/ca" submit ;;
        esac
    fi'
    start_cameras 6
    tray
    expect 'lost answers' 0 '6 passed'
    expect_site 'lost answers' 6
    ok 'lost answers: those that had not been issued were asked for again' is "$(asked submit)" 8
}

case_timeout() {
    make_bench 1
    make_site 'timeout = 1s'
    before 'if [ "$1" = submit ] && [ "$count" = 1 ]; then
        "'"$FOLDER"'/site/ca" submit >/dev/null; sleep 600; fi'
    start_cameras 1
    tray
    expect 'a program that hangs' 0 '1 passed'
    expect_site 'a program that hangs' 1
    ok 'a program that hangs: asked once' is "$(asked submit)" 1
    ok 'a program that hangs: what it started is gone' not pgrep -f "$FOLDER/site/program"
}

# Nothing was done: tried again, and no camera fails.
case_later() {
    make_bench 2
    make_site 'in_flight = 1' # they are counted
    before 'if [ "$1" = submit ]; then case $count in
        1) exit 75 ;;
        2) echo "{\"outcome\": \"not_sent\", \"retry_after_s\": 1, \"text\": \"too busy\"}"; exit 0 ;;
        esac; fi'
    start_cameras 2
    tray
    expect 'later' 0 '2 passed'
    expect_site 'later' 2
    ok 'later: nothing had to be looked up' is "$(asked reconcile)" 0
}

case_accepted() {
    make_bench 2
    make_site 'in_flight = 1' # they are counted
    before 'case $1 in
        submit) cat >"'"$FOLDER"'/site/waiting-$count"
            echo "{\"outcome\": \"accepted\", \"handle\": \"job-$count\"}"; exit 0 ;;
        fetch) question=$(cat); handle=$(printf "%s" "$question" | jq -r .handle)
            if [ "$count" -le 3 ]; then echo "{\"outcome\": \"accepted\"}"; exit 0; fi
            "'"$FOLDER"'/site/ca" submit <"'"$FOLDER"'/site/waiting-${handle#job-}"; exit 0 ;;
        esac'
    start_cameras 2
    tray
    expect 'issued later' 0 '2 passed'
    expect_site 'issued later' 2
}

# A lost answer at a program that cannot look: held, until somebody decides.
case_cannot_look() {
    make_bench 1
    make_site
    before 'case $1 in submit) exit 1 ;; reconcile) exit 64 ;; esac'
    start_cameras 1
    tray --wait 3
    expect 'a program that cannot look' 5 'E-UNIT-HELD' 'ask the administrator of CA site for key SHA-256'
    ok 'a program that cannot look: asked once' is "$(asked submit)" 1
}

case_resend() {
    make_bench 1
    make_site 'lost_answer = resend'
    before 'case $1 in submit) [ "$count" -gt 1 ] || exit 1 ;; reconcile) exit 64 ;; esac'
    start_cameras 1
    tray
    expect 'lost_answer = resend' 0 '1 passed'
    birthcert orphans
    expect 'lost_answer = resend: a possible surplus is known' 0 'VX-000001.*possible surplus'
    expect_site 'lost_answer = resend' 1
}

# A trial that is sent again and then is not taken: nobody knows what the first one made.
case_resent_trial() {
    make_bench 1
    make_site 'lost_answer = resend'
    before 'case $1 in
        submit) [ "$count" -gt 1 ] || exit 1; chmod 600 "'"$FOLDER"'/site/program"; exit 64 ;;
        reconcile) exit 64 ;;
    esac'
    birthcert ca test site --issue
    ok 'a trial that was sent again: it does not say that nothing was issued' \
        not says 'nothing was issued'
    expect_text 'a trial that was sent again' 'its request is queued.*reconcile and scrap'
    birthcert orphans
    expect 'a trial that was sent again: a possible surplus is known' 0 'TRIAL-.*possible surplus'
}

case_refused() {
    make_bench 2
    make_site 'in_flight = 1' # they are counted
    before 'if [ "$1" = submit ] && [ "$count" = 1 ]; then
        printf "{\"outcome\": \"refused\", \"text\": \"not \\\\u001b[31mtoday\"}"; exit 0; fi'
    start_cameras 2
    tray
    expect 'refused' 1 'E-CA-REFUSED submit: not \\x1b\[31mtoday' '1 passed'
    expect_site 'refused' 1
    expect_printable 'refused'
}

# Certificates that must not be installed.
case_bad_certificate() {
    make_bench 1
    make_site
    before 'if [ "$1" = submit ]; then cat >/dev/null
        jq -nc --rawfile pem "'"$FOLDER"'/site/root.pem" "{outcome: \"certificate\", certificate: \$pem}"
        exit 0; fi'
    start_cameras 1
    tray
    expect 'a certificate for another key' 5 'E-CERT-KEY'
    ok 'a certificate for another key: in quarantine' \
        is "$(ask list --state quarantined --json | jq -r .serial)" VX-000001
}

case_bad_settings() {
    make_bench 1
    make_site
    chmod g+w "$FOLDER/site/program"
    birthcert ca test site
    expect 'others can write to it' 2 'E-CA-CONFIG .*others can change it: chmod go-w'
    chmod 644 "$FOLDER/site/program"
    birthcert ca test site
    expect 'it is no program' 2 'E-CA-CONFIG .*no program that this user may run'
    rm "$FOLDER/site/program"
    birthcert ca test site
    expect 'it is not there' 2 'E-CA-CONFIG .*No such file'
    make_site
    sed -i 's/^based_on = https/&\nvalidity = forever/' "$FOLDER/birthcert.conf"
    birthcert ca test site
    expect 'what it cannot issue' 4 'profile https: E-CA-POLICY a certificate without end'
    before 'echo broken >&2; exit 3'
    birthcert ca test site
    expect 'it is broken' 4 'E-CA-NONSENSE .*ended with status 3: broken; check the command '
}

# The station dies while the program works; the program goes on, and its certificate is found.
case_killed() {
    make_bench 1
    make_site
    before 'if [ "$1" = submit ]; then "'"$FOLDER"'/site/ca" submit >/dev/null
        touch "'"$FOLDER"'/site/issued-now"; sleep 2; exit 0; fi'
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await_file "$FOLDER/site/issued-now"
    kill -KILL "$STATION_PID"
    await_birthcert
    : >"$FOLDER/site/before"
    tray
    expect 'killed at work' 0 '1 passed'
    expect_site 'killed at work' 1
}

# The program that a killed station left behind is still at work, and issues when it can: what it is about
# to issue is not asked for again.
case_left_behind() {
    make_bench 1
    make_site 'timeout = 5s'
    before 'if [ "$1" = submit ]; then touch "'"$FOLDER"'/site/begun"; sleep 4; fi'
    start_cameras 1
    start_birthcert tray "$FOLDER/tray.csv"
    await_file "$FOLDER/site/begun"
    kill -KILL "$STATION_PID"
    await_birthcert
    tray
    expect 'left behind' 0 '1 passed'
    expect_site 'left behind' 1
    ok 'left behind: asked once' is "$(asked submit)" 1
}

await_file() { # FILE
    for _ in $(seq 500); do [ -e "$1" ] || sleep 0.02; done
}

run_cases good revoke revokes_nothing lost timeout later accepted cannot_look resend resent_trial \
    refused bad_certificate bad_settings killed left_behind
