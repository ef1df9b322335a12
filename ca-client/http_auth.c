// SPDX-License-Identifier: Apache-2.0
#include "ca-client/http_auth.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "ca-client/base64.h"
#include "station/base/bytes.h"

#define NAME_SIZE 64
#define HASH_TEXT_SIZE (2 * EVP_MAX_MD_SIZE + 1)

// ---- reading challenges -------------------------------------------------------------------------

// RFC 9110, section 5.6.2.
static bool is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip(const char **at, const char *what) {
    *at += strspn(*at, what);
}

// False where it does not fit, or there is none; what is there is skipped all the same.
static bool read_token(const char **at, char *out, size_t capacity) {
    size_t length = 0;
    while (is_token((*at)[length])) {
        length++;
    }
    bool fits = length > 0 && length < capacity;
    memcpy(out, *at, fits ? length : 0);
    out[fits ? length : 0] = '\0';
    *at += length;
    return fits;
}

static bool read_quoted(const char **at, char *out, size_t capacity) {
    size_t length = 0;
    bool fits = true;
    for ((*at)++; **at != '\0' && **at != '"'; (*at)++) {
        if (**at == '\\' && (*at)[1] != '\0') {
            (*at)++;
        }
        fits = fits && length + 1 < capacity;
        if (fits) {
            out[length++] = **at;
        }
    }
    fits = fits && **at == '"';
    *at += **at == '"' ? 1 : 0;
    out[fits ? length : 0] = '\0';
    return fits;
}

// One challenge as it is read. `is_good` falls with the first thing in it that cannot be answered.
struct challenge {
    struct http_auth auth;
    bool is_good;
    bool has_realm;
};

static void take_algorithm(struct challenge *challenge, char *value) {
    static const struct {
        const char *name;
        enum http_auth_scheme scheme;
    } algorithms[] = {
        {"MD5", HTTP_AUTH_DIGEST_MD5},
        {"SHA-256", HTTP_AUTH_DIGEST_SHA256},
        {"SHA-512-256", HTTP_AUTH_DIGEST_SHA512_256},
    };
    struct http_auth *auth = &challenge->auth;
    size_t length = strlen(value);
    auth->is_session = length > 5 && strcasecmp(value + length - 5, "-sess") == 0;
    value[length - (auth->is_session ? 5 : 0)] = '\0';
    auth->names_algorithm = true;
    for (size_t i = 0; i < ARRAY_LENGTH(algorithms); i++) {
        if (strcasecmp(value, algorithms[i].name) == 0) {
            auth->scheme = algorithms[i].scheme;
            return;
        }
    }
    challenge->is_good = false;
}

// A list of tokens in one value: "auth,auth-int".
static void take_quality(struct challenge *challenge, const char *value) {
    char name[NAME_SIZE];
    while (*value != '\0') {
        skip(&value, " \t,");
        if (read_token(&value, name, sizeof name) && strcasecmp(name, "auth") == 0) {
            challenge->auth.has_quality = true;
        }
        value += *value != '\0' && !is_token(*value) ? 1 : 0;
    }
    challenge->is_good = challenge->is_good && challenge->auth.has_quality;
}

static void take_parameter(struct challenge *challenge, const char *name, char *value) {
    struct http_auth *auth = &challenge->auth;
    if (auth->scheme < HTTP_AUTH_DIGEST_MD5) {
        return; // Basic has a realm that nobody needs
    }
    if (strcasecmp(name, "realm") == 0) {
        challenge->has_realm = text_copy(auth->realm, sizeof auth->realm, value);
    } else if (strcasecmp(name, "nonce") == 0) {
        (void)text_copy(auth->nonce, sizeof auth->nonce, value);
    } else if (strcasecmp(name, "opaque") == 0) {
        auth->has_opaque = text_copy(auth->opaque, sizeof auth->opaque, value);
    } else if (strcasecmp(name, "stale") == 0) {
        auth->is_stale = strcasecmp(value, "true") == 0;
    } else if (strcasecmp(name, "algorithm") == 0) {
        take_algorithm(challenge, value);
    } else if (strcasecmp(name, "qop") == 0) {
        take_quality(challenge, value);
    }
}

static void begin(struct challenge *challenge, const char *scheme) {
    *challenge = (struct challenge){.is_good = true};
    if (strcasecmp(scheme, "Basic") == 0) {
        challenge->auth.scheme = HTTP_AUTH_BASIC;
    } else if (strcasecmp(scheme, "Digest") == 0) {
        challenge->auth.scheme = HTTP_AUTH_DIGEST_MD5;
    } else {
        challenge->is_good = false;
    }
}

static void keep_better(const struct challenge *challenge, struct http_auth *best) {
    const struct http_auth *auth = &challenge->auth;
    bool is_whole =
        auth->scheme == HTTP_AUTH_BASIC || (challenge->has_realm && auth->nonce[0] != '\0');
    if (challenge->is_good && is_whole && auth->scheme > best->scheme) {
        *best = *auth;
    }
}

bool http_auth_take(struct http_auth *auth, const char *challenges) {
    struct http_auth best = {.scheme = HTTP_AUTH_NONE};
    struct challenge challenge = {.is_good = false};
    char name[NAME_SIZE];
    char value[HTTP_AUTH_TEXT_SIZE];
    const char *at = challenges;
    while (*at != '\0') {
        skip(&at, " \t,");
        bool good = read_token(&at, name, sizeof name);
        skip(&at, " \t");
        if (*at == '=') {
            at++;
            skip(&at, " \t");
            good = (*at == '"' ? read_quoted(&at, value, sizeof value)
                               : read_token(&at, value, sizeof value)) &&
                   good;
            challenge.is_good = challenge.is_good && good;
            take_parameter(&challenge, name, value);
        } else if (good) {
            keep_better(&challenge, &best);
            begin(&challenge, name);
        } else if (*at == '"') {
            (void)read_quoted(&at, value, sizeof value); // it may not stand here
        } else if (*at != '\0') {
            at++;
        }
    }
    keep_better(&challenge, &best);
    if (best.scheme == HTTP_AUTH_NONE) {
        return false;
    }
    *auth = best;
    return true;
}

// ---- answering ----------------------------------------------------------------------------------

static bool answer_basic(const struct http_auth_request *request, struct buf *line) {
    struct buf *pair = buf_new(HTTP_AUTH_LINE_MAX);
    bool done = pair != NULL && buf_printf(pair, "%s:%s", request->username, request->password) &&
                buf_put_text(line, "Authorization: Basic ") &&
                base64_encode(buf_slice(pair), false, line);
    buf_free_secret(pair);
    return done;
}

static const char *hash_name(enum http_auth_scheme scheme) {
    return scheme == HTTP_AUTH_DIGEST_MD5      ? "MD5"
           : scheme == HTTP_AUTH_DIGEST_SHA256 ? "SHA256"
                                               : "SHA512-256";
}

// The hash, in hex, of the texts with colons between them; NULL ends the list.
static bool hash_texts(enum http_auth_scheme scheme, const char *const texts[],
                       char out[HASH_TEXT_SIZE]) {
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD *kind = EVP_MD_fetch(NULL, hash_name(scheme), NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = kind != NULL && context != NULL && EVP_DigestInit_ex(context, kind, NULL) == 1;
    for (size_t i = 0; done && texts[i] != NULL; i++) {
        done = (i == 0 || EVP_DigestUpdate(context, ":", 1) == 1) &&
               EVP_DigestUpdate(context, texts[i], strlen(texts[i])) == 1;
    }
    done = done && EVP_DigestFinal_ex(context, digest, &length) == 1;
    hex_encode(out, digest, done ? length : 0);
    EVP_MD_CTX_free(context);
    EVP_MD_free(kind);
    ERR_clear_error();
    return done;
}

// RFC 7616, section 3.4.1.
static bool digest_response(const struct http_auth *auth, const struct http_auth_request *request,
                            const char *count, char out[HASH_TEXT_SIZE]) {
    char secret[HASH_TEXT_SIZE];
    char session[HASH_TEXT_SIZE];
    char action[HASH_TEXT_SIZE];
    const char *const who[] = {request->username, auth->realm, request->password, NULL};
    const char *const whole[] = {secret, auth->nonce, request->client_nonce, NULL};
    const char *const what[] = {request->method, request->uri, NULL};
    const char *used = auth->is_session ? session : secret;
    const char *const with_quality[] = {used,   auth->nonce, count, request->client_nonce,
                                        "auth", action,      NULL};
    const char *const without[] = {used, auth->nonce, action, NULL};
    bool done = hash_texts(auth->scheme, who, secret) && hash_texts(auth->scheme, whole, session) &&
                hash_texts(auth->scheme, what, action) &&
                hash_texts(auth->scheme, auth->has_quality ? with_quality : without, out);
    explicit_bzero(secret, sizeof secret);
    explicit_bzero(session, sizeof session);
    return done;
}

static bool put_quoted(struct buf *line, const char *before, const char *text) {
    bool done = buf_put_text(line, before) && buf_put_text(line, "=\"");
    for (; done && *text != '\0'; text++) {
        done = (*text != '"' && *text != '\\') || buf_put_text(line, "\\");
        done = done && buf_put(line, text, 1);
    }
    return done && buf_put_text(line, "\"");
}

static const char *algorithm_name(const struct http_auth *auth) {
    return auth->scheme == HTTP_AUTH_DIGEST_MD5      ? "MD5"
           : auth->scheme == HTTP_AUTH_DIGEST_SHA256 ? "SHA-256"
                                                     : "SHA-512-256";
}

static bool answer_digest(struct http_auth *auth, const struct http_auth_request *request,
                          struct buf *line) {
    char count[9];
    char response[HASH_TEXT_SIZE];
    snprintf(count, sizeof count, "%08x", ++auth->count);
    return digest_response(auth, request, count, response) &&
           put_quoted(line, "Authorization: Digest username", request->username) &&
           put_quoted(line, ", realm", auth->realm) && put_quoted(line, ", nonce", auth->nonce) &&
           put_quoted(line, ", uri", request->uri) && put_quoted(line, ", response", response) &&
           (!auth->names_algorithm || buf_printf(line, ", algorithm=%s%s", algorithm_name(auth),
                                                 auth->is_session ? "-sess" : "")) &&
           (!auth->has_opaque || put_quoted(line, ", opaque", auth->opaque)) &&
           (!auth->has_quality || buf_printf(line, ", qop=auth, nc=%s", count)) &&
           ((!auth->has_quality && !auth->is_session) ||
            put_quoted(line, ", cnonce", request->client_nonce));
}

bool http_auth_answer(struct http_auth *auth, const struct http_auth_request *request,
                      struct buf *line, struct error *error) {
    bool done = auth->scheme == HTTP_AUTH_BASIC ? answer_basic(request, line)
                                                : answer_digest(auth, request, line);
    return done || error_set(error, E_MEMORY, "no memory, or no %s, to log in at the CA with",
                             auth->scheme == HTTP_AUTH_BASIC ? "room" : hash_name(auth->scheme));
}
