// SPDX-License-Identifier: Apache-2.0
// What of a CMP transaction is kept between its messages.
#include "ca-client/ca_cmp_talk.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <string.h>

#include "ca-client/ca_cmp_internal.h"

bool cmp_talk_begin(struct cmp_talk *talk, enum cmp_kind kind, struct error *error) {
    *talk = (struct cmp_talk){.kind = kind};
    if (RAND_bytes(talk->id, CMP_ID_SIZE) != 1) {
        ERR_clear_error();
        return error_set(error, E_SYSTEM, "no random bytes for a CMP transaction");
    }
    return true;
}

static bool keep(struct cmp_talk *talk, size_t index, const uint8_t *nonce, struct slice message,
                 struct error *error) {
    struct cmp_said *said = &talk->said[index];
    buf_free(said->message);
    said->message = buf_new(CMP_ANSWER_MAX);
    if (said->message == NULL || !buf_put(said->message, message.data, message.length)) {
        return error_set(error, E_CA_NONSENSE, "a CMP message of %zu bytes", message.length);
    }
    memcpy(said->nonce, nonce, CMP_ID_SIZE);
    talk->said_count = index + 1;
    return true;
}

// An offer: the id, the nonce of the message that the CA answered, the answer.
bool cmp_talk_resume(struct cmp_talk *talk, struct slice offer, struct error *error) {
    *talk = (struct cmp_talk){.kind = CMP_CONFIRM};
    if (offer.length <= 2 * CMP_ID_SIZE) {
        return error_set(error, E_CA_NONSENSE, "what the CA said with its certificate is cut off");
    }
    memcpy(talk->id, offer.data, CMP_ID_SIZE);
    const struct slice message = {offer.data + 2 * CMP_ID_SIZE, offer.length - 2 * CMP_ID_SIZE};
    return keep(talk, 0, offer.data + CMP_ID_SIZE, message, error);
}

bool cmp_talk_offer(const struct cmp_talk *talk, struct buf **out, struct error *error) {
    const struct cmp_said *said = &talk->said[talk->said_count - 1];
    struct slice message = buf_slice(said->message);
    struct buf *offer = buf_new(CA_OFFER_MAX);
    if (offer == NULL || !buf_put(offer, talk->id, CMP_ID_SIZE) ||
        !buf_put(offer, said->nonce, CMP_ID_SIZE) ||
        !buf_put(offer, message.data, message.length)) {
        buf_free(offer);
        return error_set(error, E_CA_NONSENSE,
                         "the CA's message with the certificate is of %zu bytes: it sends more "
                         "certificates along than the station can keep",
                         message.length);
    }
    *out = offer;
    return true;
}

void cmp_talk_free(struct cmp_talk *talk) {
    for (size_t i = 0; i < CMP_SAID_MAX; i++) {
        buf_free(talk->said[i].message);
        talk->said[i].message = NULL;
    }
}

// The last answer after polling may go to the first message (RFC 9483, section 4.4) or to the last
// pollReq (RFC 4210 did not say). Which, is for OpenSSL to check.
static const uint8_t *nonce_of_answer(const struct cmp_talk *talk, const OSSL_CMP_MSG *message) {
    const ASN1_OCTET_STRING *nonce =
        OSSL_CMP_HDR_get0_recipNonce(OSSL_CMP_MSG_get0_header(message));
    bool is_first = nonce != NULL && ASN1_STRING_length(nonce) == CMP_ID_SIZE &&
                    memcmp(ASN1_STRING_get0_data(nonce), talk->first, CMP_ID_SIZE) == 0;
    bool may = talk->kind == CMP_ENROL && OSSL_CMP_MSG_get_bodytype(message) != CMP_BODY_POLLREP;
    return is_first && may ? talk->first : talk->last;
}

// A pollRep goes behind the answer that began the polling, certConf's answer behind the offer; any
// other stands for all before it.
static size_t place_of_answer(const struct cmp_talk *talk, const OSSL_CMP_MSG *message) {
    bool is_poll = OSSL_CMP_MSG_get_bodytype(message) == CMP_BODY_POLLREP;
    return talk->said_count > 0 && (talk->kind == CMP_CONFIRM || is_poll) ? 1 : 0;
}

bool cmp_talk_hear(struct cmp_talk *talk, struct slice answer, struct error *error) {
    const unsigned char *at = answer.data;
    OSSL_CMP_MSG *message = answer.length == 0 || answer.length > CMP_ANSWER_MAX
                                ? NULL
                                : d2i_OSSL_CMP_MSG(NULL, &at, (long)answer.length);
    ERR_clear_error();
    if (message == NULL || at != answer.data + answer.length) {
        OSSL_CMP_MSG_free(message);
        return error_set(error, E_CA_NONSENSE, "the CA's answer is no CMP message");
    }
    const uint8_t *nonce = nonce_of_answer(talk, message);
    size_t place = place_of_answer(talk, message);
    talk->was_error = OSSL_CMP_MSG_get_bodytype(message) == CMP_BODY_ERROR;
    OSSL_CMP_MSG_free(message);
    talk->polls = false;
    return keep(talk, place, nonce, answer, error);
}

bool cmp_has_failed_with(uint32_t failures, int bit) {
    return (failures >> bit & 1) != 0;
}

enum ca_outcome cmp_judge(uint32_t failures, enum error_code *code) {
    static const struct {
        int bit;
        enum ca_outcome outcome;
        enum error_code code;
    } meanings[] = {
        {OSSL_CMP_PKIFAILUREINFO_systemFailure, CA_DOUBT, E_CA_DOUBT},
        {OSSL_CMP_PKIFAILUREINFO_duplicateCertReq, CA_DOUBT, E_CA_DOUBT},
        {OSSL_CMP_PKIFAILUREINFO_systemUnavail, CA_NOT_SENT, E_CA_BUSY},
        {OSSL_CMP_PKIFAILUREINFO_transactionIdInUse, CA_NOT_SENT, E_CA_BUSY},
        {OSSL_CMP_PKIFAILUREINFO_timeNotAvailable, CA_NOT_SENT, E_CA_BUSY},
        {OSSL_CMP_PKIFAILUREINFO_badTime, CA_NOT_SENT, E_CLOCK},
        {OSSL_CMP_PKIFAILUREINFO_badMessageCheck, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_wrongIntegrity, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_signerNotTrusted, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_notAuthorized, CA_NOT_SENT, E_CA_LOGIN},
        {OSSL_CMP_PKIFAILUREINFO_wrongAuthority, CA_NOT_SENT, E_CA_LOGIN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(meanings); i++) {
        if (cmp_has_failed_with(failures, meanings[i].bit)) {
            *code = meanings[i].code;
            return meanings[i].outcome;
        }
    }
    *code = E_CA_REFUSED;
    return CA_REFUSED;
}
