# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A site's own CA program, for tests/e2e_ca_cuts.sh: the pipes to it and from it are cut by a program in
# front, which keeps fault-proxy's rules and log. Where a connection would be reset it is killed.

# shellcheck source=tests/support_exec.bash
. tests/support_exec.bash

exec_rows() {
    cat <<'END'
exec_issue 16 8 419 1 no one submit
END
}
exec_issues() { echo submit; }

exec_start() { # RULES [OPTION...]
    make_site "in_flight = $IN_FLIGHT"
    sed -i 's/^settle.*/settle = 500ms/' "$FOLDER/conf.d/30-ca.conf"
    awk '{ print NR, $0 }' "$1" >"$FOLDER/site/rules"
    : >"$FOLDER/proxy.log"
    {
        printf '#!/bin/bash\nsite=%q\n' "$FOLDER/site"
        declare -f exec_take_rule exec_bytes exec_front
        echo 'exec_front "$1"'
    } >"$FOLDER/site/program"
}

# The next rule, for one program only. Sets line, side, bytes and way.
exec_take_rule() {
    exec 9>>"$site/lock"
    flock 9
    if read -r line _ side bytes way _ <"$site/rules"; then sed -i 1d "$site/rules"; else line=0; fi
    exec 9>&-
}

exec_bytes() { # FILE: how many of it are passed on
    if [ "${bytes#-}" = "$bytes" ]; then echo "$bytes"; else echo "$(($(stat -c %s "$1") + bytes))"; fi
}

exec_front() { # OPERATION
    local work asked=0 told=0 word=whole
    [ "$1" = submit ] || exec "$site/ca" "$1"
    work=$(mktemp -d "$site/work.XXXXXX")
    cat >"$work/question"
    exec_take_rule
    asked=$(stat -c %s "$work/question")
    [ "$side" != request ] || asked=$(exec_bytes "$work/question")
    head -c "$asked" "$work/question" | "$site/ca" submit >"$work/answer" 2>"$work/said"
    told=$(stat -c %s "$work/answer")
    case $side in
    request) word=cut told=0 ;;
    response) word=cut told=$(exec_bytes "$work/answer") ;;
    esac
    head -c "$told" "$work/answer"
    echo "$word $asked $told $line submit" >>"$site/../proxy.log"
    [ "$word $way" != 'cut rst' ] || kill -KILL $$
}

exec_certificates() {
    local file
    for file in "$FOLDER"/site/issued/*.pem; do
        [ ! -e "$file" ] || echo "$(sed '/^-----/d' "$file" | tr -d '\n')"
    done | keys_and_serials
}
