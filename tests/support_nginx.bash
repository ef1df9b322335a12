# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# nginx in front of a CA, for tests/e2e_*.sh beside e2e_lib.bash and support_tls.bash: it takes
# HTTP/2 over TLS, passes requests on, and does wrong what a front can do wrong. It listens on
# 127.0.0.1.
#
#   make_tls front tls; start_front "https://127.0.0.1:$PORT" /api/v1/cfssl/sign
#   front_answers 429 'Retry-After: 2'; ...; front_passes; stop_front
#
# Only what comes for paths that begin with the second argument is done wrong, and of that not what
# has a Content-Length that is the pattern FRONT_SPARES: a check that is asked for on the same path.

# Needs front.pem and front.key in $FOLDER: what it shows to the station, and with FRONT_SHOWS=yes to
# the CA. FRONT_HTTP2= leaves HTTP/1.1 only. Sets FRONT_PORT.
start_front() { # URL PATH
    FRONT_URL=$1
    FRONT_PATH=$2
    FRONT_HTTP2=${FRONT_HTTP2-http2}
    FRONT_SPARES=${FRONT_SPARES-none}
    FRONT_SHOWS=${FRONT_SHOWS-no}
    pick_port
    FRONT_PORT=$PORT
    mkdir -p "$FOLDER/front"
    front_passes
}

front_pid() { cat "$FOLDER/front/nginx.pid" 2>/dev/null; }

# At once: what is under way is cut off.
stop_front() {
    local pid
    pid=$(front_pid) || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    end_all "$pid"
}

write_front() { # what is done with the path, in nginx's language
    local pass="proxy_pass $FRONT_URL; proxy_http_version 1.1; proxy_next_upstream off; proxy_ignore_client_abort on;
        proxy_set_header Host \$http_host;"
    [ "$FRONT_SHOWS" = no ] || pass+=" proxy_ssl_certificate $FOLDER/front.pem;
        proxy_ssl_certificate_key $FOLDER/front.key;"
    cat >"$FOLDER/front/nginx.conf" <<END
daemon off; pid $FOLDER/front/nginx.pid; error_log $FOLDER/front/error.log; worker_processes 1;
$([ "$(id -u)" -ne 0 ] || echo 'user root;')
events { worker_connections 512; }
http {
    access_log $FOLDER/front/access.log;
    client_body_temp_path $FOLDER/front/body; proxy_temp_path $FOLDER/front/proxy;
    fastcgi_temp_path $FOLDER/front/fastcgi; uwsgi_temp_path $FOLDER/front/uwsgi;
    scgi_temp_path $FOLDER/front/scgi;
    map \$http_content_length \$is_spared { "$FRONT_SPARES" 1; default 0; }
    server {
        listen 127.0.0.1:$FRONT_PORT ssl $FRONT_HTTP2;
        ssl_certificate $FOLDER/front.pem; ssl_certificate_key $FOLDER/front.key;
        location / { $pass }
        location $FRONT_PATH { error_page 418 = @pass; if (\$is_spared) { return 418; } $pass $1 }
        location @pass { $pass }
        location @drop { return 444; }
    }
}
END
}

front_does() { # DIRECTIVES
    local pid
    stop_front
    write_front "$1"
    nginx -e "$FOLDER/front/error.log" -c "$FOLDER/front/nginx.conf" 2>"$FOLDER/front/said" &
    pid=$!
    STARTED+=("$pid")
    await_port "$FRONT_PORT" "$pid"
}

front_passes() { front_does ''; }

# By itself: the CA does not see the request.
front_answers() { # STATUS ['Retry-After: SECONDS']
    local header=''
    [ -z "${2:-}" ] || header="add_header ${2%%: *} '${2#*: }' always;"
    front_does "$header return $1;"
}

front_drops_before() { front_does 'return 444;'; }

# The CA has answered, with a header that is too much for a buffer of 64 bytes.
front_spoils() { front_does 'proxy_buffer_size 64; proxy_busy_buffers_size 4k;'; } # a 502
front_drops_after() {
    front_does 'proxy_buffer_size 64; proxy_busy_buffers_size 4k; error_page 502 = @drop;'
}

# So many bytes of the answer's body a second; what stops it then leaves half of one.
front_trickles() { # BYTES
    front_does "limit_rate $1;"
}
