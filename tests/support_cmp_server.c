// SPDX-License-Identifier: Apache-2.0
#include "tests/support_cmp_server.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/der.h"
#include "station/base/buf.h"
#include "station/base/clock.h"

#define MESSAGE_MAX (64 * 1024)
#define NONCE_HEADER "\xa6\x12\x04\x10" // of recipNonce, RFC 4210, section 5.1.1

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "test CMP server: %s\n", what);
    ERR_print_errors_fp(stderr);
    exit(2);
}

static void need(bool good, const char *what) {
    if (!good) {
        give_up(what);
    }
}

static int say_nothing(const char *function, const char *file, int line, OSSL_CMP_severity severity,
                       const char *text) {
    (void)function, (void)file, (void)line, (void)severity, (void)text;
    return 1;
}

static bool strikes(const struct cmp_server *server, int kind) {
    const struct cmp_server_settings *settings = &server->settings;
    return settings->fault != CMP_FAULT_NONE && settings->fault_at == kind &&
           (settings->fault_times == 0 || server->faults < settings->fault_times);
}

// ---- what the CA decides ------------------------------------------------------------------------

static struct cmp_transaction *transaction_of(OSSL_CMP_SRV_CTX *context) {
    return OSSL_CMP_SRV_CTX_get0_custom_ctx(context);
}

static void record(const struct cmp_server *server, const X509 *certificate) {
    const char *name = server->settings.record_file;
    FILE *file = name != NULL ? fopen(name, "ae") : NULL;
    if (file != NULL) {
        need(PEM_write_X509(file, certificate) == 1 && fclose(file) == 0, "no record");
    }
}

static X509 *issue(struct cmp_server *server, const X509_REQ *csr) {
    char serial[65] = "";
    struct error error;
    unsigned char *der = NULL;
    struct buf *leaf = buf_new(MESSAGE_MAX);
    X509_NAME_get_text_by_NID(X509_REQ_get_subject_name(csr), NID_commonName, serial,
                              sizeof serial);
    int length = i2d_X509_REQ(csr, &der);
    const struct x509_issue_request request = {
        .profile = &server->profile,
        .subject = {.serial = serial, .model = "Model-1"},
        .csr = {der, (size_t)length},
        .not_before_ms = clock_wall_ms(),
    };
    need(x509_issue(server->issuer, &request, leaf, &error), "no certificate");
    const unsigned char *at = buf_slice(leaf).data;
    X509 *certificate = d2i_X509(NULL, &at, (long)buf_length(leaf));
    need(certificate != NULL, "no certificate");
    OPENSSL_free(der);
    buf_free(leaf);
    server->issued++;
    record(server, certificate);
    return certificate;
}

static X509_REQ *another_csr(void) {
    const struct pki_pair subject[] = {{"CN", "CAM000000"}, {NULL, NULL}};
    EVP_PKEY *key = pki_key("P-256");
    struct buf *der = pki_csr(key, subject, NULL, false);
    const unsigned char *at = buf_slice(der).data;
    X509_REQ *csr = d2i_X509_REQ(NULL, &at, (long)buf_length(der));
    EVP_PKEY_free(key);
    buf_free(der);
    return csr;
}

static STACK_OF(X509) * issuing_certificates(const struct cmp_server *server, int others) {
    struct slice chain = x509_issuer_chain(server->issuer);
    const unsigned char *at = chain.data;
    STACK_OF(X509) *list = sk_X509_new_null();
    sk_X509_push(list, d2i_X509(NULL, &at, (long)chain.length));
    for (int i = 0; i < others; i++) {
        struct pki_ca other = pki_ca_new("Another CA", NULL);
        sk_X509_push(list, X509_dup(other.certificate));
        pki_ca_free(&other);
    }
    return list;
}

static OSSL_CMP_PKISI *decide_certificate(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *request,
                                          int id, const OSSL_CRMF_MSG *crmf, const X509_REQ *csr,
                                          X509 **certificate, STACK_OF(X509) * *chain,
                                          STACK_OF(X509) * *ca_certificates) {
    struct cmp_transaction *transaction = transaction_of(context);
    struct cmp_server *server = transaction->server;
    bool struck = strikes(server, CMP_P10CR);
    (void)id, (void)crmf, (void)ca_certificates;
    if (transaction->polls > 0) {
        transaction->request = OSSL_CMP_MSG_dup(request);
        return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_waiting, 0, NULL);
    }
    if (struck && server->settings.fault == CMP_FAULT_REJECTED) {
        return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_rejection, 1 << server->settings.fail_bit,
                                       "not\x1b[31mtoday");
    }
    X509_REQ *other =
        struck && server->settings.fault == CMP_FAULT_WRONG_KEY ? another_csr() : NULL;
    *certificate = issue(server, other != NULL ? other : csr);
    X509_REQ_free(other);
    *chain =
        issuing_certificates(server, struck && server->settings.fault == CMP_FAULT_LONG ? 60 : 0);
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static int decide_poll(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *poll, int id,
                       OSSL_CMP_MSG **request, int64_t *check_after_s) {
    struct cmp_transaction *transaction = transaction_of(context);
    (void)poll, (void)id;
    *check_after_s = transaction->server->settings.check_after_s;
    *request = NULL;
    if (--transaction->polls == 0) {
        *request = transaction->request;
        transaction->request = NULL;
    }
    return 1;
}

static int take_confirmation(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *message, int id,
                             const ASN1_OCTET_STRING *hash, const OSSL_CMP_PKISI *status) {
    struct cmp_server *server = transaction_of(context)->server;
    (void)message, (void)id, (void)hash;
    char text[OSSL_CMP_PKISI_BUFLEN] = "";
    bool rejected = status != NULL &&
                    OSSL_CMP_snprint_PKIStatusInfo(status, text, sizeof text) != NULL &&
                    strstr(text, "rejection") != NULL;
    server->confirmed += rejected ? 0 : 1;
    server->rejected += rejected ? 1 : 0;
    return 1;
}

static OSSL_CMP_PKISI *take_revocation(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *message,
                                       const X509_NAME *issuer, const ASN1_INTEGER *serial) {
    (void)message, (void)issuer, (void)serial;
    transaction_of(context)->server->revoked++;
    return OSSL_CMP_STATUSINFO_new(OSSL_CMP_PKISTATUS_accepted, 0, NULL);
}

static int take_greeting(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *message,
                         const STACK_OF(OSSL_CMP_ITAV) * questions,
                         STACK_OF(OSSL_CMP_ITAV) * *answers) {
    (void)context, (void)message, (void)questions;
    *answers = sk_OSSL_CMP_ITAV_new_null();
    return 1;
}

static void take_error(OSSL_CMP_SRV_CTX *context, const OSSL_CMP_MSG *message,
                       const OSSL_CMP_PKISI *status, const ASN1_INTEGER *code,
                       const OSSL_CMP_PKIFREETEXT *details) {
    (void)context, (void)message, (void)status, (void)code, (void)details;
}

// ---- transactions -------------------------------------------------------------------------------

static void set_up_context(struct cmp_server *server, OSSL_CMP_CTX *context) {
    X509_STORE *store = X509_STORE_new();
    const char *secret = server->settings.secret;
    X509_STORE_add_cert(store, server->http.ca.certificate);
    bool good = OSSL_CMP_CTX_set0_trustedStore(context, store) == 1 &&
                OSSL_CMP_CTX_set_log_cb(context, say_nothing) == 1;
    if (secret != NULL) {
        good =
            good &&
            OSSL_CMP_CTX_set1_referenceValue(context, (const unsigned char *)"station", 7) == 1 &&
            OSSL_CMP_CTX_set1_secretValue(context, (const unsigned char *)secret,
                                          (int)strlen(secret)) == 1;
    } else {
        good = good && OSSL_CMP_CTX_set1_cert(context, server->signer) == 1 &&
               OSSL_CMP_CTX_set1_pkey(context, server->signer_key) == 1;
    }
    need(good, "no context");
}

static struct cmp_transaction *find_transaction(struct cmp_server *server,
                                                const OSSL_CMP_MSG *message) {
    const ASN1_OCTET_STRING *id =
        OSSL_CMP_HDR_get0_transactionID(OSSL_CMP_MSG_get0_header(message));
    need(id != NULL && ASN1_STRING_length(id) == 16, "no transactionID");
    for (size_t i = 0; i < server->transaction_count; i++) {
        if (memcmp(server->transactions[i].id, ASN1_STRING_get0_data(id), 16) == 0) {
            return &server->transactions[i];
        }
    }
    need(server->transaction_count < CMP_SERVER_TRANSACTIONS, "too many transactions");
    struct cmp_transaction *transaction = &server->transactions[server->transaction_count++];
    *transaction = (struct cmp_transaction){.server = server,
                                            .polls = server->settings.polls,
                                            .context = OSSL_CMP_SRV_CTX_new(NULL, NULL)};
    memcpy(transaction->id, ASN1_STRING_get0_data(id), 16);
    need(OSSL_CMP_SRV_CTX_init(transaction->context, transaction, decide_certificate,
                               take_revocation, take_greeting, take_error, take_confirmation,
                               decide_poll) == 1,
         "no context");
    set_up_context(server, OSSL_CMP_SRV_CTX_get0_cmp_ctx(transaction->context));
    return transaction;
}

// ---- answers that are wrong ---------------------------------------------------------------------

static struct buf *encode(const OSSL_CMP_MSG *message) {
    unsigned char *der = NULL;
    int length = i2d_OSSL_CMP_MSG(message, &der);
    struct buf *out = buf_new(MESSAGE_MAX);
    need(length > 0 && buf_put(out, der, (size_t)length), "no message");
    OPENSSL_free(der);
    return out;
}

// Gives what was changed the protection that it needs, as only the CA can.
static struct buf *protect(struct cmp_transaction *transaction, const uint8_t *der, size_t length) {
    OSSL_CMP_CTX *context = OSSL_CMP_SRV_CTX_get0_cmp_ctx(transaction->context);
    const unsigned char *at = der;
    OSSL_CMP_MSG *message = d2i_OSSL_CMP_MSG(NULL, &at, (long)length);
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(id, transaction->id, 16);
    need(message != NULL && OSSL_CMP_CTX_set1_transactionID(context, id) == 1 &&
             OSSL_CMP_MSG_update_transactionID(context, message) == 1,
         "no protection");
    struct buf *out = encode(message);
    ASN1_OCTET_STRING_free(id);
    OSSL_CMP_MSG_free(message);
    return out;
}

static struct buf *with_other_nonce(struct cmp_transaction *transaction, struct slice answer,
                                    bool protects) {
    uint8_t *der = malloc(answer.length);
    if (der == NULL) {
        give_up("no memory");
    }
    memcpy(der, answer.data, answer.length);
    uint8_t *nonce = memmem(der, answer.length, NONCE_HEADER, 4);
    if (nonce == NULL) {
        give_up("no nonce");
    }
    nonce[4] ^= 1;
    struct buf *out = NULL;
    if (protects) {
        out = protect(transaction, der, answer.length);
    } else {
        // The nonce is right, the message was changed: what the protection is there for.
        nonce[4] ^= 1;
        nonce[-1] ^= 1; // the last byte of senderNonce, which stands before
        out = buf_new(MESSAGE_MAX);
        need(buf_put(out, der, answer.length), "no memory");
    }
    free(der);
    return out;
}

// PKIMessage ::= SEQUENCE { header, [23] ErrorMsgContent, [0] protection }, RFC 4210.
static struct buf *error_message(struct cmp_transaction *transaction, struct slice answer,
                                 int fail_bit, bool protects) {
    uint8_t space[1024];
    struct der_writer writer;
    struct der_element outer;
    struct der_element header;
    uint8_t bits[5] = {0};
    size_t length = (size_t)fail_bit / 8 + 1;
    bits[0] = (uint8_t)(7 - fail_bit % 8);
    bits[1 + fail_bit / 8] = (uint8_t)(0x80 >> fail_bit % 8);
    if (!der_expect(&answer, DER_SEQUENCE, &outer) ||
        !der_expect(&outer.content, DER_SEQUENCE, &header)) {
        give_up("no header");
    }
    der_writer_init(&writer, space, sizeof space);
    size_t message = der_open(&writer);
    der_put(&writer, DER_SEQUENCE, header.content);
    size_t body = der_open(&writer);
    size_t content = der_open(&writer);
    size_t status = der_open(&writer);
    der_put(&writer, DER_INTEGER, (struct slice){(const uint8_t *)"\x02", 1});
    der_put(&writer, DER_BIT_STRING, (struct slice){bits, 1 + length});
    der_close(&writer, status, DER_SEQUENCE);
    der_close(&writer, content, DER_SEQUENCE);
    der_close(&writer, body, DER_CONTEXT_CONSTRUCTED | 23);
    der_close(&writer, message, DER_SEQUENCE);
    need(!writer.failed, "no error message");
    if (protects) {
        return protect(transaction, space, writer.used);
    }
    struct buf *out = buf_new(MESSAGE_MAX);
    need(buf_put(out, space, writer.used), "no memory");
    return out;
}

static struct buf *spoil(struct cmp_transaction *transaction, struct buf *answer) {
    struct cmp_server *server = transaction->server;
    struct slice good = buf_slice(answer);
    struct buf *bad = buf_new(MESSAGE_MAX);
    bool done = true;
    switch (server->settings.fault) {
    case CMP_FAULT_GARBAGE:
        done = buf_put_text(bad, "0\x82\x01\x02nothing of the kind");
        break;
    case CMP_FAULT_CUT:
        done = buf_put(bad, good.data, good.length / 2);
        break;
    case CMP_FAULT_TRAILING:
        done = buf_put(bad, good.data, good.length) && buf_put(bad, "\x05\x00", 2);
        break;
    case CMP_FAULT_OTHER_ID:
        done = buf_put(bad, buf_slice(server->last).data, buf_length(server->last));
        break;
    default:
        buf_free(bad);
        bad = server->settings.fault == CMP_FAULT_OTHER_NONCE ||
                      server->settings.fault == CMP_FAULT_BAD_PROTECTION
                  ? with_other_nonce(transaction, good,
                                     server->settings.fault == CMP_FAULT_OTHER_NONCE)
                  : error_message(transaction, good, server->settings.fail_bit,
                                  server->settings.fault == CMP_FAULT_ERROR);
    }
    need(done, "no answer");
    buf_free(answer);
    return bad;
}

static bool is_spoilt(enum cmp_fault fault) {
    return fault >= CMP_FAULT_GARBAGE && fault <= CMP_FAULT_BARE_ERROR;
}

// ---- HTTP ---------------------------------------------------------------------------------------

static struct buf *wrap(int status, const char *type, struct slice body) {
    struct buf *out = buf_new(2 * MESSAGE_MAX);
    need(buf_printf(out, "HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", status,
                    type, body.length) &&
             buf_put(out, body.data, body.length),
         "no memory");
    return out;
}

static struct buf *say_http(enum cmp_fault fault) {
    static const struct slice page = {(const uint8_t *)"<html>no</html>", 15};
    int status = fault == CMP_FAULT_HTTP_400   ? 400
                 : fault == CMP_FAULT_HTTP_404 ? 404
                 : fault == CMP_FAULT_HTTP_500 ? 500
                                               : 200;
    return wrap(status, "text/html", page);
}

static struct buf *process(struct cmp_server *server, const OSSL_CMP_MSG *message, int kind) {
    struct cmp_transaction *transaction = find_transaction(server, message);
    OSSL_CMP_MSG *response = OSSL_CMP_SRV_process_request(transaction->context, message);
    if (response == NULL) {
        ERR_clear_error();
        return NULL;
    }
    struct buf *answer = encode(response);
    OSSL_CMP_MSG_free(response);
    if (strikes(server, kind) && is_spoilt(server->settings.fault)) {
        return spoil(transaction, answer);
    }
    buf_free(server->last);
    server->last = buf_new(MESSAGE_MAX);
    need(buf_put(server->last, buf_slice(answer).data, buf_length(answer)), "no memory");
    return answer;
}

static struct buf *answer_kind(struct cmp_server *server, const OSSL_CMP_MSG *message, int kind) {
    bool struck = strikes(server, kind);
    enum cmp_fault fault = struck ? server->settings.fault : CMP_FAULT_NONE;
    server->seen[kind]++;
    if (fault == CMP_FAULT_NOT_READ || (fault >= CMP_FAULT_HTTP_400 && fault <= CMP_FAULT_HTML)) {
        server->faults++;
        return fault == CMP_FAULT_NOT_READ ? NULL : say_http(fault);
    }
    struct buf *answer = process(server, message, kind);
    server->faults += struck ? 1 : 0;
    struct buf *out = answer != NULL && fault != CMP_FAULT_DROPPED
                          ? wrap(200, "application/pkixcmp", buf_slice(answer))
                          : NULL;
    buf_free(answer);
    return out;
}

static struct buf *answer_to(void *context, struct slice body) {
    struct cmp_server *server = context;
    const unsigned char *at = body.data;
    pthread_mutex_lock(&server->lock);
    OSSL_CMP_MSG *message = d2i_OSSL_CMP_MSG(NULL, &at, (long)body.length);
    need(message != NULL, "not CMP");
    int kind = OSSL_CMP_MSG_get_bodytype(message);
    need(kind >= 0 && kind < 32, "not CMP");
    struct buf *out = answer_kind(server, message, kind);
    OSSL_CMP_MSG_free(message);
    pthread_mutex_unlock(&server->lock);
    return out;
}

// ---- start and stop -----------------------------------------------------------------------------

static void make_issuer(struct cmp_server *server) {
    struct error error;
    struct buf *certificate = buf_new(MESSAGE_MAX);
    struct buf *key = buf_new(MESSAGE_MAX);
    need(profile_built_in("https", &server->profile) &&
             x509_create_root("CMP test root", clock_wall_ms(), certificate, key, &error) &&
             key_from_pem(buf_slice(key), "the test's CA", &server->issuer_key, &error) &&
             x509_issuer_new(buf_slice(certificate), server->issuer_key, &server->issuer, &error),
         "no issuer");
    pki_write_file(server->http.folder, "issuing.pem", 0644, buf_slice(certificate),
                   server->root_file);
    buf_free(certificate);
    buf_free_secret(key);
}

static void make_signer(struct cmp_server *server) {
    struct pki_spec spec = {
        .issuer = server->http.ca.certificate,
        .issuer_key = server->http.ca.key,
        .key = server->signer_key = pki_key("P-256"),
        .subject = {{"CN", "CMP, signer"}},
        .extensions = {{"keyUsage", "critical,digitalSignature"},
                       {"extendedKeyUsage", "serverAuth,cmcCA"},
                       {"subjectKeyIdentifier", "hash"}},
        .not_before_ms = INT64_C(1577836800000),
        .not_after_ms = PKI_FOREVER_MS,
    };
    if (server->settings.signs_like_a_camera) {
        pki_set(spec.extensions, "extendedKeyUsage", "serverAuth,clientAuth");
    }
    server->signer = pki_certificate(&spec);
    snprintf(server->signer_name, sizeof server->signer_name, "CN=CMP\\, signer");
}

void cmp_server_start(struct cmp_server *server, const struct cmp_server_settings *settings) {
    memset(server, 0, sizeof *server);
    server->settings = *settings;
    pthread_mutex_init(&server->lock, NULL);
    const struct server_settings http = {
        .steps = {SERVER_ANSWER},
        .step_count = 1,
        .answer_body = answer_to,
        .answer_context = server,
        .plain = settings->plain,
    };
    server_start(&server->http, &http);
    make_issuer(server);
    make_signer(server);
    if (settings->secret != NULL) {
        pki_write_file(server->http.folder, "secret", 0600,
                       (struct slice){(const uint8_t *)settings->secret, strlen(settings->secret)},
                       server->secret_file);
    }
    snprintf(server->url, sizeof server->url, "%s://127.0.0.1:%u",
             settings->plain ? "http" : "https", server->http.port);
}

void cmp_server_stop(struct cmp_server *server) {
    server_stop(&server->http);
    for (size_t i = 0; i < server->transaction_count; i++) {
        OSSL_CMP_MSG_free(server->transactions[i].request);
        OSSL_CMP_SRV_CTX_free(server->transactions[i].context);
    }
    x509_issuer_free(server->issuer);
    key_free(server->issuer_key);
    EVP_PKEY_free(server->signer_key);
    X509_free(server->signer);
    buf_free(server->last);
}

struct ca_settings cmp_server_ca(const struct cmp_server *server) {
    bool has_secret = server->settings.secret != NULL;
    return (struct ca_settings){
        .name = "cmp",
        .backend = "cmp",
        .url = server->url,
        .client_certificate_file = has_secret ? NULL : server->http.client_certificate_file,
        .client_key_file = has_secret ? NULL : server->http.client_key_file,
        .username = has_secret ? "station" : NULL,
        .password_file = has_secret ? server->secret_file : NULL,
        .server_root_file = server->http.root_file,
        .root_file = server->root_file,
        .in_flight = 8,
        .timeout_ms = 5000,
    };
}
