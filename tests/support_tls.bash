# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Ports and certificates of servers under test, for tests/e2e_*.sh beside e2e_lib.bash. Everything
# lies in $FOLDER.

# A port of 127.0.0.1 that nobody listens on, below those that the kernel gives out, and that no other
# case of the script has. Sets PORT.
pick_port() {
    local tries
    for ((tries = 0; tries < 100; tries++)); do
        PORT=$((10000 + RANDOM % 20000))
        ! (: <>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null || continue
        ! mkdir "$WORK/port-$PORT" 2>/dev/null || return 0
    done
    echo "not ok - no free port"
    return 1
}

await_port() { # PORT PID: until somebody listens there, as long as the process lives
    local tries
    for ((tries = 0; tries < 3000; tries++)); do # a busy machine may take half a minute
        ! (: <>"/dev/tcp/127.0.0.1/$1") 2>/dev/null || return 0
        kill -0 "$2" 2>/dev/null || break
        sleep 0.02
    done
    echo "not ok - nobody listens on port $1"
    return 1
}

new_key() { # FILE
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"
    chmod 600 "$1"
}

# A CA in NAME.pem and NAME.key: a root, or below ISSUER.
make_ca() { # NAME COMMON_NAME [ISSUER]
    local issuer=("-key" "$FOLDER/$1.key")
    new_key "$FOLDER/$1.key"
    if [ -n "${3:-}" ]; then
        issuer+=(-CA "$FOLDER/$3.pem" -CAkey "$FOLDER/$3.key")
    fi
    openssl req -x509 -new "${issuer[@]}" -subj "/CN=$2" -days 7300 -out "$FOLDER/$1.pem" \
        -addext 'basicConstraints=critical,CA:TRUE' -addext 'keyUsage=critical,keyCertSign,cRLSign'
}

# A certificate for TLS on 127.0.0.1 and for a client, in NAME.pem and NAME.key.
make_tls() { # NAME ISSUER
    new_key "$FOLDER/$1.key"
    openssl req -x509 -new -key "$FOLDER/$1.key" -CA "$FOLDER/$2.pem" -CAkey "$FOLDER/$2.key" \
        -subj "/CN=$1" -days 30 -out "$FOLDER/$1.pem" \
        -addext 'basicConstraints=critical,CA:FALSE' \
        -addext 'extendedKeyUsage=serverAuth,clientAuth' -addext 'subjectAltName=IP:127.0.0.1'
}
