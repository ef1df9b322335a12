# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The documentation's CA program as a station's CA, for tests/e2e_*.sh beside e2e_lib.bash.

# The example with a CA of its own; what is put into the file `before` runs in front of it.
make_site() { # LINE...: further lines of the section
    mkdir -p "$FOLDER/site"
    cp fixtures/exec-ca.sh "$FOLDER/site/ca"
    echo "$FOLDER/site" >"$FOLDER/site/exec-ca.folder"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9000 \
        -subj '/CN=Site CA' -keyout "$FOLDER/site/root.key" -out "$FOLDER/site/root.pem" \
        2>"$FOLDER/openssl.log"
    printf '#!/bin/sh\n. "%s/site/before"\nexec "%s/site/ca" "$@"\n' "$FOLDER" "$FOLDER" \
        >"$FOLDER/site/program"
    chmod 755 "$FOLDER/site/program"
    : >"$FOLDER/site/before"
    {
        printf '[ca site]\nbackend = exec\ncommand = site/program\nroot_file = site/root.pem\n'
        printf 'settle = 1s\n'
        printf '%s\n' "$@"
        printf '[profile https]\nca = site\n'
    } >"$FOLDER/conf.d/30-ca.conf"
}
