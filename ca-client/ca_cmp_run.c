// SPDX-License-Identifier: Apache-2.0
// One call of OpenSSL's CMP client, up to the first message that has no answer yet.
#include <openssl/err.h>
#include <string.h>

#include "ca-client/ca_cmp_internal.h"
#include "ca-client/der.h"
#include "ca-client/x509_openssl.h"

#define EXTRA_MAX (64 * 1024)
#define SENDER_NONCE_TAG (DER_CONTEXT_CONSTRUCTED | 5) // RFC 4210, section 5.1.1

struct run {
    struct cmp_talk *talk;
    size_t heard;        // answers that OpenSSL was given
    struct buf *message; // that has no answer yet
};

// ---- messages -----------------------------------------------------------------------------------

// Of a message that OpenSSL just made: there is no function that tells.
static bool read_nonce(struct slice message, uint8_t nonce[CMP_ID_SIZE]) {
    struct der_element outer;
    struct der_element header;
    struct der_element field = {0};
    struct der_element value;
    if (!der_expect(&message, DER_SEQUENCE, &outer) ||
        !der_expect(&outer.content, DER_SEQUENCE, &header)) {
        return false;
    }
    while (field.tag != SENDER_NONCE_TAG) {
        if (!der_next(&header.content, &field)) {
            return false;
        }
    }
    bool good =
        der_expect(&field.content, DER_OCTET_STRING, &value) && value.content.length == CMP_ID_SIZE;
    if (good) {
        memcpy(nonce, value.content.data, CMP_ID_SIZE);
    }
    return good;
}

static struct buf *keep_message(struct cmp_talk *talk, const OSSL_CMP_MSG *message) {
    unsigned char *der = NULL;
    int length = i2d_OSSL_CMP_MSG(message, &der);
    struct buf *out = length > 0 ? buf_new(CMP_ANSWER_MAX) : NULL;
    bool good =
        out != NULL && buf_put(out, der, (size_t)length) && read_nonce(buf_slice(out), talk->last);
    OPENSSL_free(der);
    if (good && talk->said_count == 0) {
        memcpy(talk->first, talk->last, CMP_ID_SIZE);
    }
    if (!good) {
        buf_free(out);
    }
    return good ? out : NULL;
}

static ASN1_OCTET_STRING *octets(const uint8_t bytes[CMP_ID_SIZE]) {
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    if (string != NULL && ASN1_OCTET_STRING_set(string, bytes, CMP_ID_SIZE) != 1) {
        ASN1_OCTET_STRING_free(string);
        string = NULL;
    }
    return string;
}

// The message that this answers was made in an earlier run: its nonce, which OpenSSL holds the answer
// against, counts, not that of the message that was made now.
static OSSL_CMP_MSG *repeat_answer(OSSL_CMP_CTX *context, const struct cmp_said *said) {
    ASN1_OCTET_STRING *nonce = octets(said->nonce);
    bool good = nonce != NULL && OSSL_CMP_CTX_set1_senderNonce(context, nonce) == 1;
    ASN1_OCTET_STRING_free(nonce);
    const struct slice der = buf_slice(said->message);
    const unsigned char *at = der.data;
    return good ? d2i_OSSL_CMP_MSG(NULL, &at, (long)der.length) : NULL;
}

// Later versions of OpenSSL would sleep where an error message asked to be polled.
static bool may_poll(const struct run *run, const OSSL_CMP_MSG *request) {
    const unsigned char *at = NULL;
    if (OSSL_CMP_MSG_get_bodytype(request) != CMP_BODY_POLLREQ || run->heard != 1) {
        return true;
    }
    const struct slice der = buf_slice(run->talk->said[0].message);
    at = der.data;
    OSSL_CMP_MSG *first = d2i_OSSL_CMP_MSG(NULL, &at, (long)der.length);
    bool may = first != NULL && OSSL_CMP_MSG_get_bodytype(first) == CMP_BODY_CP;
    OSSL_CMP_MSG_free(first);
    return may;
}

static OSSL_CMP_MSG *transfer(OSSL_CMP_CTX *context, const OSSL_CMP_MSG *request) {
    struct run *run = OSSL_CMP_CTX_get_transfer_cb_arg(context);
    if (!may_poll(run, request)) {
        return NULL;
    }
    if (run->heard < run->talk->said_count) {
        return repeat_answer(context, &run->talk->said[run->heard++]);
    }
    // An error message with which OpenSSL ends a transaction is not what is waited for.
    if (run->message == NULL && OSSL_CMP_MSG_get_bodytype(request) != CMP_BODY_ERROR) {
        run->message = keep_message(run->talk, request);
    }
    return NULL;
}

// ---- what OpenSSL is told -----------------------------------------------------------------------

// OpenSSL's own finding (another key) stands.
static int judge_certificate(OSSL_CMP_CTX *context, X509 *certificate, int failure,
                             const char **text) {
    const struct run *run = OSSL_CMP_CTX_get_transfer_cb_arg(context);
    (void)certificate;
    if (failure != 0 || run->talk->keeps) {
        return failure;
    }
    *text = "it is not what was asked for";
    return 1 << OSSL_CMP_PKIFAILUREINFO_incorrectData;
}

static bool set_csr(OSSL_CMP_CTX *context, struct slice der) {
    struct error ignored; // it was checked before
    X509_REQ *csr = x509_decode_csr(der, &ignored);
    bool good = csr != NULL && OSSL_CMP_CTX_set1_p10CSR(context, csr) == 1;
    X509_REQ_free(csr);
    return good;
}

static bool set_revocation(OSSL_CMP_CTX *context, const struct cmp_talk *talk) {
    static const int reasons[] = {
        [CA_REVOKE_UNSPECIFIED] = CRL_REASON_UNSPECIFIED,
        [CA_REVOKE_KEY_COMPROMISE] = CRL_REASON_KEY_COMPROMISE,
        [CA_REVOKE_AFFILIATION_CHANGED] = CRL_REASON_AFFILIATION_CHANGED,
        [CA_REVOKE_SUPERSEDED] = CRL_REASON_SUPERSEDED,
        [CA_REVOKE_CESSATION_OF_OPERATION] = CRL_REASON_CESSATION_OF_OPERATION,
        [CA_REVOKE_PRIVILEGE_WITHDRAWN] = CRL_REASON_PRIVILEGE_WITHDRAWN,
    };
    const unsigned char *at = talk->certificate.data;
    X509 *certificate = d2i_X509(NULL, &at, (long)talk->certificate.length);
    bool good = certificate != NULL && OSSL_CMP_CTX_set1_oldCert(context, certificate) == 1 &&
                OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_REVOCATION_REASON,
                                        reasons[talk->reason]) == 1;
    X509_free(certificate);
    return good;
}

// Nothing depends on what a greeting is answered, so an error without protection will do.
static bool set_greeting(OSSL_CMP_CTX *context) {
    OSSL_CMP_ITAV *question = OSSL_CMP_ITAV_create(OBJ_nid2obj(NID_id_it_caCerts), NULL);
    bool good = question != NULL && OSSL_CMP_CTX_push0_genm_ITAV(context, question) == 1;
    if (!good) {
        OSSL_CMP_ITAV_free(question);
    }
    return good && OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_UNPROTECTED_ERRORS, 1) == 1;
}

static bool set_kind(OSSL_CMP_CTX *context, const struct cmp_talk *talk) {
    switch (talk->kind) {
    case CMP_ENROL: // certConf comes when the certificate is on record, with CMP_CONFIRM
        return set_csr(context, talk->csr) &&
               OSSL_CMP_CTX_set_option(context, OSSL_CMP_OPT_DISABLE_CONFIRM, 1) == 1;
    case CMP_CONFIRM:
        return set_csr(context, talk->csr) &&
               OSSL_CMP_CTX_set_certConf_cb(context, judge_certificate) == 1;
    case CMP_REVOKE:
        return set_revocation(context, talk);
    default:
        return set_greeting(context);
    }
}

static OSSL_CMP_CTX *make_context(const struct cmp_station *station, struct run *run) {
    OSSL_CMP_CTX *context = cmp_station_context(station);
    ASN1_OCTET_STRING *id = octets(run->talk->id);
    bool good = context != NULL && id != NULL &&
                OSSL_CMP_CTX_set1_transactionID(context, id) == 1 &&
                OSSL_CMP_CTX_set_transfer_cb(context, transfer) == 1 &&
                OSSL_CMP_CTX_set_transfer_cb_arg(context, run) == 1 && set_kind(context, run->talk);
    ASN1_OCTET_STRING_free(id);
    if (!good) {
        OSSL_CMP_CTX_free(context);
    }
    return good ? context : NULL;
}

// ---- what OpenSSL says --------------------------------------------------------------------------

// The first fault is the cause of the others.
static void say_fault(struct cmp_step *step) {
    const char *data = NULL;
    unsigned long fault = ERR_peek_error_all(NULL, NULL, NULL, &data, NULL);
    const char *reason = ERR_reason_error_string(fault);
    step->turn = CMP_FAILED;
    error_set(&step->error, E_CA_NONSENSE, "CMP: %s%s%s", reason != NULL ? reason : "unknown fault",
              data != NULL && data[0] != '\0' ? ": " : "", data != NULL ? data : "");
}

static void say_refusal(const OSSL_CMP_CTX *context, struct cmp_step *step) {
    char text[OSSL_CMP_PKISI_BUFLEN];
    bool is_told = OSSL_CMP_CTX_snprint_PKIStatus(context, text, sizeof text) != NULL;
    int failures = OSSL_CMP_CTX_get_failInfoCode(context);
    step->turn = CMP_REFUSED;
    step->failures = failures > 0 ? (uint32_t)failures : 0;
    error_set(&step->error, E_CA_REFUSED, "the CA says %s", is_told ? text : "no");
}

static bool put_certificate(struct buf *out, const X509 *certificate) {
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    bool good = length > 0 && buf_put(out, der, (size_t)length);
    OPENSSL_free(der);
    return good;
}

// What does not fit is left out: the check of the chain says what is missing.
static void put_certificates(struct buf *out, STACK_OF(X509) * list) {
    for (int i = 0; i < sk_X509_num(list); i++) {
        if (!put_certificate(out, sk_X509_value(list, i))) {
            break;
        }
    }
    sk_X509_pop_free(list, X509_free);
}

static void take_certificate(const OSSL_CMP_CTX *context, const X509 *certificate,
                             struct cmp_step *step) {
    step->leaf = buf_new(EXTRA_MAX);
    step->extra = buf_new(EXTRA_MAX);
    if (step->leaf == NULL || step->extra == NULL || !put_certificate(step->leaf, certificate)) {
        say_fault(step);
        return;
    }
    put_certificates(step->extra, OSSL_CMP_CTX_get1_caPubs(context));
    put_certificates(step->extra, OSSL_CMP_CTX_get1_extraCertsIn(context));
    step->turn = CMP_DONE;
}

// A refusal of ours that the CA took ends, for OpenSSL, in this error alone.
static bool is_rejection_told(const struct run *run) {
    return run->talk->kind == CMP_CONFIRM && run->heard == CMP_SAID_MAX &&
           ERR_GET_REASON(ERR_peek_error()) == CMP_R_CERTIFICATE_NOT_ACCEPTED;
}

// Where OpenSSL took all that the CA said. False where it could make nothing of it.
static bool judge_answers(const struct run *run, OSSL_CMP_CTX *context, int result,
                          int check_after_s, struct cmp_step *step) {
    const X509 *certificate = OSSL_CMP_CTX_get0_newCert(context);
    if (run->talk->kind == CMP_ENROL && result < 0) {
        step->turn = CMP_WAIT;
        step->check_after_s = check_after_s > 0 ? (uint32_t)check_after_s : 0;
    } else if (run->talk->kind == CMP_ENROL && certificate != NULL) {
        take_certificate(context, certificate, step);
    } else if (result > 0 || is_rejection_told(run)) {
        step->turn = CMP_DONE;
    } else if (OSSL_CMP_CTX_get_status(context) == OSSL_CMP_PKISTATUS_rejection) {
        say_refusal(context, step);
    } else {
        return false;
    }
    return true;
}

static void judge_run(const struct run *run, OSSL_CMP_CTX *context, int result, int check_after_s,
                      struct cmp_step *step) {
    bool is_whole = run->heard == run->talk->said_count && run->heard > 0;
    if (run->message != NULL) {
        step->turn = CMP_SEND;
        step->message = run->message;
    } else if (!is_whole || !judge_answers(run, context, result, check_after_s, step)) {
        say_fault(step);
    }
}

static int call_openssl(OSSL_CMP_CTX *context, const struct cmp_talk *talk, int *check_after_s) {
    if (talk->kind == CMP_REVOKE) {
        return OSSL_CMP_exec_RR_ses(context);
    }
    if (talk->kind == CMP_GREET) {
        STACK_OF(OSSL_CMP_ITAV) *answers = OSSL_CMP_exec_GENM_ses(context);
        sk_OSSL_CMP_ITAV_pop_free(answers, OSSL_CMP_ITAV_free);
        return ERR_peek_error() == 0 ? 1 : 0;
    }
    int result = OSSL_CMP_try_certreq(context, OSSL_CMP_P10CR, NULL, check_after_s);
    if (result < 0 && talk->polls) {
        result = OSSL_CMP_try_certreq(context, OSSL_CMP_P10CR, NULL, check_after_s);
    }
    return result;
}

void cmp_run(const struct cmp_station *station, struct cmp_talk *talk, struct cmp_step *step) {
    struct run run = {.talk = talk};
    int check_after_s = 0;
    *step = (struct cmp_step){0};
    ERR_clear_error();
    OSSL_CMP_CTX *context = make_context(station, &run);
    if (context == NULL) {
        say_fault(step);
    } else {
        int result = call_openssl(context, talk, &check_after_s);
        judge_run(&run, context, result, check_after_s, step);
    }
    OSSL_CMP_CTX_free(context);
    ERR_clear_error();
}

void cmp_step_free(struct cmp_step *step) {
    buf_free(step->message);
    buf_free(step->leaf);
    buf_free(step->extra);
    *step = (struct cmp_step){0};
}
