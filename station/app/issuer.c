// SPDX-License-Identifier: Apache-2.0
#include "station/app/issuer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/endpoint.h"
#include "ca-client/x509.h"
#include "station/app/ca_policy.h"
#include "station/app/carry.h"
#include "station/app/trust.h"
#include "station/base/clock.h"
#include "station/base/log.h"

#define QUARANTINES_IN_A_ROW 3

static_assert(CA_OFFER_MAX <= OBJECT_MAX, "an offer that the store does not keep");

struct issuer_ca {
    struct issuer *issuer;
    const struct config_ca *config;
    const struct ca_ops *ops;
    struct ca *ca;
    struct x509_trust *trust;
};

// A call in progress, with what its certificate will be held against.
struct issuer_call {
    bool used;
    bool only_looks;
    bool is_brought; // its certificate was brought by a person, and is about to be told
    struct request_record request; // without slices
    const struct profile *profile;
};

struct issuer {
    struct loop *loop;
    const struct config *config;
    issuer_report *on_report;
    issuer_fault *on_fault;
    issuer_revoked *on_revoked;
    unsigned quarantines; // in a row, with the same code
    enum error_code quarantine_code;
    void *context;
    struct pool *pool;
    struct loop_timer *brought; // what persons brought is told later, like any result
    struct buf *chain;
    size_t ca_count;
    struct issuer_ca cas[CONFIG_CAS_MAX];
    struct ca_policy *policies[CONFIG_PROFILES_MAX]; // by the profile's place; NULL: not asked for
    size_t call_count;
    struct issuer_call calls[POOL_REQUESTS_MAX];
};

static struct issuer_call *find_call(struct issuer *issuer, int64_t credential_id, bool used) {
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        struct issuer_call *call = &issuer->calls[i];
        if (call->used == used && (!used || call->request.credential_id == credential_id)) {
            return call;
        }
    }
    return NULL;
}

static struct issuer_ca *find_ca(const struct issuer *issuer, const char *name) {
    for (size_t i = 0; i < issuer->ca_count; i++) {
        if (strcmp(issuer->cas[i].config->name, name) == 0) {
            return (struct issuer_ca *)&issuer->cas[i];
        }
    }
    return NULL;
}

static struct profile_subject subject_of(const struct request_record *request) {
    return (struct profile_subject){
        .serial = request->serial,
        .model = request->model,
        .hardware_id = request->hardware_id,
        .hardware_id_length = request->hardware_id_length,
    };
}

static void copy_facts(const struct certificate_facts *facts, struct slice chain,
                       struct certificate_record *record) {
    memcpy(record->sha256, facts->sha256, SHA256_SIZE);
    memcpy(record->spki_sha256, facts->spki_sha256, SHA256_SIZE);
    memcpy(record->serial, facts->serial, facts->serial_length);
    record->serial_length = facts->serial_length;
    memcpy(record->issuer, facts->issuer, sizeof record->issuer);
    memcpy(record->subject, facts->subject, sizeof record->subject);
    record->not_before_ms = facts->not_before_ms;
    record->not_after_ms = facts->not_after_ms;
    record->chain = chain;
}

// A certificate of another camera is an accident; the same fault again and again is a wrong root, a
// wrong clock or a CA that rewrites names, and buying more of them helps nobody.
static void count_quarantine(struct issuer *issuer, const struct error *error) {
    bool again = error->code == issuer->quarantine_code;
    issuer->quarantines = again ? issuer->quarantines + 1 : 1;
    issuer->quarantine_code = error->code;
    if (error->code != E_CERT_KEY && issuer->quarantines >= QUARANTINES_IN_A_ROW &&
        issuer->on_fault != NULL) {
        issuer->on_fault(issuer->context, error);
    }
}

static struct certificate_expected expected_of(const struct issuer_call *call) {
    return (struct certificate_expected){
        .profile = call->profile,
        .subject = subject_of(&call->request),
        .spki_sha256 = call->request.spki_sha256,
        .now_ms = clock_wall_ms(),
        .asked_ms = call->request.sent_ms,
        .replaces_not_after_ms = call->request.replaces_not_after_ms,
    };
}

// What is not installed is kept too, as it came: a person will want to see it, or to have it looked at
// again. Lives until the next certificate.
static struct slice keep_as_it_came(struct issuer *issuer, const struct ca_result *from_ca) {
    struct buf *kept = issuer->chain;
    struct slice leaf = from_ca->leaf;
    buf_clear(kept);
    if (leaf.length + from_ca->extra.length <= OBJECT_MAX &&
        buf_put(kept, leaf.data, leaf.length) &&
        buf_put(kept, from_ca->extra.data, from_ca->extra.length)) {
        return buf_slice(kept);
    }
    leaf.length = leaf.length < OBJECT_MAX ? leaf.length : OBJECT_MAX;
    return leaf;
}

static void judge_certificate(struct issuer_ca *ca, const struct issuer_call *call,
                              const struct ca_result *from_ca, struct request_result *result) {
    struct certificate_facts facts = {0};
    const struct certificate_expected expected = expected_of(call);
    struct slice kept;
    buf_clear(ca->issuer->chain);
    if (x509_check_certificate(ca->trust, from_ca->leaf, from_ca->extra, &expected, &facts,
                               ca->issuer->chain, &result->error)) {
        kept = buf_slice(ca->issuer->chain);
        result->error = (struct error){0}; // whatever was said on the way: by it the core decides
        ca->issuer->quarantine_code = ERROR_NONE;
    } else {
        kept = keep_as_it_came(ca->issuer, from_ca);
        x509_sha256(from_ca->leaf, facts.sha256);
        log_error(call->request.serial, &result->error);
        count_quarantine(ca->issuer, &result->error);
    }
    copy_facts(&facts, kept, &result->certificate);
}

static void handle_result(void *context, const struct ca_result *from_ca) {
    static const enum request_outcome outcomes[] = {
        [CA_ACCEPTED] = OUTCOME_ACCEPTED,
        [CA_CERTIFICATE] = OUTCOME_CERTIFICATE,
        [CA_NOT_SENT] = OUTCOME_NOT_SENT,
        [CA_REFUSED] = OUTCOME_REFUSED,
        [CA_DOUBT] = OUTCOME_DOUBT,
        [CA_NOT_ISSUED] = OUTCOME_NOT_ISSUED,
        [CA_CANNOT_TELL] = OUTCOME_CANNOT_TELL,
        [CA_REVOKED] = OUTCOME_DOUBT,
        [CA_CONFIRMED] = OUTCOME_CONFIRMED,
    };
    struct issuer_ca *ca = context;
    struct issuer *issuer = ca->issuer;
    struct issuer_call *call = find_call(issuer, from_ca->id, true);
    struct request_result result = {
        .outcome = outcomes[from_ca->outcome],
        .error = from_ca->error,
        .retry_after_ms = from_ca->retry_after_ms,
        .handle = from_ca->handle,
        .offer = from_ca->offer,
    };
    struct pool_time now = {clock_wall_ms(), loop_now_ms(issuer->loop)};
    if (from_ca->id < 0 && issuer->on_revoked != NULL) {
        issuer->on_revoked(issuer->context, -from_ca->id, from_ca);
    }
    if (call == NULL) {
        return;
    }
    if (result.outcome == OUTCOME_CERTIFICATE) {
        result.error = (struct error){0};
        judge_certificate(ca, call, from_ca, &result);
        result.certificate.is_brought = call->is_brought;
    }
    call->used = false;
    issuer->call_count--;
    pool_post_result(issuer->pool, &now, from_ca->id, &result);
}

static void handle_report(void *context, const struct ca_report *report) {
    struct issuer_ca *ca = context;
    if (ca->issuer->on_report != NULL) {
        ca->issuer->on_report(ca->issuer->context, ca->config, report);
    }
}

static const char *find_behind(const struct ca_behind *behind, size_t count, const char *profile) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(behind[i].profile, profile) == 0) {
            return behind[i].endpoint;
        }
    }
    return "";
}

static void handle_behind(void *context, const struct ca_behind *behind, size_t count) {
    const struct issuer_ca *ca = context;
    const struct config *config = ca->issuer->config;
    for (size_t i = 0; i < config->profile_count; i++) {
        const struct profile *profile = &config->profiles[i];
        struct ca_policy *policy = ca->issuer->policies[i];
        if (policy != NULL && strcmp(profile->ca, ca->config->name) == 0) {
            (void)text_copy(policy->endpoint, sizeof policy->endpoint, // the same size
                            find_behind(behind, count, profile->name));
        }
    }
}

// ---- what persons brought -----------------------------------------------------------------------

struct brought {
    struct buf *der;
    struct slice leaf;
    struct slice extra;
};

static bool read_brought(struct issuer *issuer, const struct request_record *request,
                         struct brought *brought, struct error *error) {
    struct buf *pem = NULL;
    *brought = (struct brought){.der = buf_new(CARRY_CERTIFICATE_MAX)};
    bool done = brought->der != NULL || error_set(error, E_MEMORY, "no memory for a certificate");
    done = done && carry_take_in(issuer->config, request->spki_sha256, &pem, error) &&
           x509_pem_to_der(buf_slice(pem), brought->der, error);
    buf_free(pem);
    if (done) {
        struct slice all = buf_slice(brought->der);
        brought->leaf = x509_first_der(all);
        brought->extra =
            (struct slice){all.data + brought->leaf.length, all.length - brought->leaf.length};
    }
    return done;
}

static bool is_good(struct issuer_ca *ca, const struct issuer_call *call,
                    const struct brought *brought, struct error *error) {
    const struct certificate_expected expected = expected_of(call);
    struct certificate_facts facts;
    buf_clear(ca->issuer->chain);
    return x509_check_certificate(ca->trust, brought->leaf, brought->extra, &expected, &facts,
                                  ca->issuer->chain, error);
}

// Whether a person brought what the CA would be asked for; perhaps while the request was on its way, and
// then went back to the outbox. A CA that can be asked is not kept from it by a file that is no good:
// that one is put aside. At an offline CA there is nobody else to ask, and what was brought goes to
// quarantine with its reason.
static bool was_brought(struct issuer_ca *ca, const struct issuer_call *call,
                        enum request_action action) {
    struct issuer *issuer = ca->issuer;
    const struct request_record *request = &call->request;
    struct brought brought;
    struct error error;
    bool looks = action != REQUEST_ACT_CONFIRM;
    bool was_rejected = carry_was_rejected(ca->ops, request->state, request->error);
    if (!looks || was_rejected || !carry_is_in(issuer->config, request->spki_sha256)) {
        return false;
    }
    bool is_read = read_brought(issuer, request, &brought, &error);
    bool is_taken = is_read && (ca->ops->is_offline || is_good(ca, call, &brought, &error));
    buf_free(brought.der);
    if (!is_taken) {
        error_prefix(&error, "%s: the certificate that was brought is put aside", request->serial);
        log_error("inbox", &error);
        if (!carry_set_aside(issuer->config, request->spki_sha256, &error)) {
            log_error("inbox", &error);
        }
    }
    return is_taken;
}

// It is the CA's answer, and checked like any other.
static void tell_brought(struct issuer *issuer, const struct issuer_call *call) {
    struct ca_result result = {
        .id = call->request.credential_id, .outcome = CA_DOUBT, .handle = ""};
    struct brought brought;
    if (read_brought(issuer, &call->request, &brought, &result.error)) {
        result.outcome = CA_CERTIFICATE;
        result.leaf = brought.leaf;
        result.extra = brought.extra;
    }
    handle_result(find_ca(issuer, call->profile->ca), &result);
    buf_free(brought.der);
}

static void handle_brought(void *context) {
    struct issuer *issuer = context;
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        if (issuer->calls[i].used && issuer->calls[i].is_brought) {
            tell_brought(issuer, &issuer->calls[i]);
        }
    }
}

// ---- what is in quarantine ----------------------------------------------------------------------

// The station's root, profile or clock may have been what was wrong. A CA that tells nothing again is not
// asked. What it was told to drop is gone, however good.
static bool is_judged_again(const struct issuer_ca *ca, const struct request_record *request,
                            enum request_action action) {
    return action == REQUEST_ACT_RECONCILE && request->state == REQUEST_QUARANTINED &&
           (ca->ops->forgets || ca->ops->waits);
}

static void judge_again(struct issuer_ca *ca, const struct issuer_call *call,
                        const struct request_record *request) {
    const struct brought on_record = {.leaf = request->leaf, .extra = request->extra};
    struct ca_result result = {.id = request->credential_id,
                               .outcome = CA_CERTIFICATE,
                               .leaf = request->leaf,
                               .extra = request->extra,
                               .handle = ""};
    if (ca->ops->waits || request->leaf.length == 0 ||
        !is_good(ca, call, &on_record, &result.error)) {
        result.outcome = CA_CANNOT_TELL;
    }
    handle_result(ca, &result);
}

static const struct ca_events ca_events = {
    .on_result = handle_result,
    .on_report = handle_report,
    .on_behind = handle_behind,
};

void issuer_policy(struct issuer *issuer, const struct profile *profile, struct ca_policy *policy) {
    const struct issuer_ca *ca = find_ca(issuer, profile->ca);
    *policy = ca_policy_of(ca->ops, &ca->config->settings);
    issuer->policies[profile - issuer->config->profiles] = policy;
}

// A call that cannot even be begun has certainly not reached the CA.
static void refuse_call(struct issuer *issuer, const struct request_record *request,
                        const char *what) {
    struct pool_time now = {clock_wall_ms(), loop_now_ms(issuer->loop)};
    struct request_result result = {.outcome = OUTCOME_NOT_SENT, .handle = ""};
    error_set(&result.error, E_INTERNAL, "%s: %s", request->serial, what);
    pool_post_result(issuer->pool, &now, request->credential_id, &result);
}

void issuer_ask(struct issuer *issuer, enum request_action action,
                const struct request_record *request) {
    const struct profile *profile = config_find_profile(issuer->config, request->profile);
    struct issuer_ca *ca = profile != NULL ? find_ca(issuer, profile->ca) : NULL;
    struct issuer_call *call = find_call(issuer, 0, false);
    if (ca == NULL || call == NULL) {
        refuse_call(issuer, request, "no CA for its profile");
        return;
    }
    *call = (struct issuer_call){.used = true, .request = *request, .profile = profile};
    call->only_looks =
        action == REQUEST_ACT_RECONCILE || (action == REQUEST_ACT_FETCH && !ca->ops->fetch_repeats);
    call->request.csr = call->request.offer = (struct slice){0};
    call->request.leaf = call->request.extra = (struct slice){0};
    issuer->call_count++;
    if (was_brought(ca, call, action)) {
        call->is_brought = true;
        loop_timer_start(issuer->brought, 0);
        return;
    }
    if (is_judged_again(ca, request, action)) {
        judge_again(ca, call, request);
        return;
    }
    struct ca_request to_ca = {
        .id = request->credential_id,
        .profile = profile,
        .subject = subject_of(request),
        .csr = request->csr,
        .not_before_s = request->not_before_s,
        .sent_ms = request->sent_ms,
        .handle = request->handle,
        .endpoint = request->endpoint,
        .replaces = request->replaces,
        .offer = action == REQUEST_ACT_CONFIRM ? request->offer : (struct slice){0},
        .keeps_offer = request->state == REQUEST_UNCONFIRMED,
    };
    memcpy(to_ca.spki_sha256, request->spki_sha256, SHA256_SIZE);
    if (action == REQUEST_ACT_SUBMIT) {
        ca->ops->submit(ca->ca, &to_ca);
    } else if (action == REQUEST_ACT_FETCH || action == REQUEST_ACT_CONFIRM) {
        ca->ops->fetch(ca->ca, &to_ca);
    } else {
        ca->ops->reconcile(ca->ca, &to_ca);
    }
}

void issuer_check(struct issuer *issuer, const struct profile *profile) {
    struct issuer_ca *ca = find_ca(issuer, profile->ca);
    ca->ops->check(ca->ca, profile);
}

size_t issuer_in_progress(const struct issuer *issuer) {
    return issuer->call_count;
}

bool issuer_only_looks(const struct issuer *issuer) {
    for (size_t i = 0; i < POOL_REQUESTS_MAX; i++) {
        if (issuer->calls[i].used && !issuer->calls[i].only_looks) {
            return false;
        }
    }
    return true;
}

bool issuer_is_offline(const struct issuer *issuer) {
    for (size_t i = 0; i < issuer->ca_count; i++) {
        if (issuer->cas[i].ops->is_offline) {
            return true;
        }
    }
    return false;
}

bool issuer_is_public(const struct issuer *issuer) {
    for (size_t i = 0; i < issuer->ca_count; i++) {
        if (!issuer->cas[i].ops->is_public) {
            return false;
        }
    }
    return true;
}

void issuer_on_fault(struct issuer *issuer, issuer_fault *on_fault) {
    issuer->on_fault = on_fault;
}

void issuer_set_pool(struct issuer *issuer, struct pool *pool) {
    issuer->pool = pool;
}

static bool open_ca(struct issuer *issuer, const struct config_ca *config, struct error *error) {
    struct issuer_ca *ca = &issuer->cas[issuer->ca_count];
    ca->issuer = issuer;
    ca->config = config;
    ca->ops = ca_find(config->settings.backend);
    if (ca->ops == NULL) {
        return error_set(error, E_CA_CONFIG, "[ca %s]: no backend %s", config->name,
                         config->settings.backend);
    }
    // A forwarder judges no certificates: that is the benches' part.
    bool judges = trust_has_root(&config->settings) || issuer->config->forward_socket[0] == '\0';
    if (judges && !trust_read(&config->settings, &ca->trust, error)) {
        return false;
    }
    if (!ca->ops->open(issuer->loop, &config->settings, &ca_events, ca, &ca->ca, error)) {
        x509_trust_free(ca->trust);
        return false;
    }
    issuer->ca_count++;
    return true;
}

bool issuer_new(struct loop *loop, const struct config *config, issuer_report *on_report,
                void *context, struct issuer **out, struct error *error) {
    struct issuer *issuer = calloc(1, sizeof *issuer);
    bool done = issuer != NULL && (issuer->chain = buf_new(OBJECT_MAX)) != NULL &&
                (issuer->brought = loop_timer_new(loop, handle_brought, issuer)) != NULL;
    if (!done) {
        issuer_free(issuer);
        return error_set(error, E_MEMORY, "no memory for the CA side");
    }
    issuer->loop = loop;
    issuer->config = config;
    issuer->on_report = on_report;
    issuer->context = context;
    for (size_t i = 0; i < config->profile_count; i++) {
        const char *name = config->profiles[i].ca;
        if (find_ca(issuer, name) == NULL &&
            !open_ca(issuer, config_find_ca(config, name), error)) {
            issuer_free(issuer);
            return false;
        }
    }
    *out = issuer;
    return true;
}

// ---- revoking -----------------------------------------------------------------------------------

void issuer_on_revoked(struct issuer *issuer, issuer_revoked *on_revoked) {
    issuer->on_revoked = on_revoked;
}

static struct issuer_ca *need_ca(struct issuer *issuer, const char *name, struct error *error) {
    struct issuer_ca *ca = find_ca(issuer, name);
    const struct config_ca *config = config_find_ca(issuer->config, name);
    if (ca == NULL && config == NULL) {
        error_set(error, E_CA_CONFIG, "there is no [ca %s] in %s", name, issuer->config->file);
        return NULL;
    }
    return ca != NULL || open_ca(issuer, config, error) ? find_ca(issuer, name) : NULL;
}

// Another CA may well say that it revoked a number that it never issued.
static bool fail_changed(const struct ca_settings *settings,
                         const struct issuer_revocation *revocation, struct error *error) {
    char own[CA_ENDPOINT_SIZE];
    endpoint_text(settings, own);
    return error_set(error, E_CA_CHANGED, "it was issued at %s, and [ca %s] leads to %s now",
                     revocation->endpoint, revocation->ca, own);
}

bool issuer_revoke(struct issuer *issuer, const struct issuer_revocation *revocation,
                   struct error *error) {
    struct issuer_ca *ca = need_ca(issuer, revocation->ca, error);
    if (ca == NULL) {
        return false;
    }
    const struct ca_settings *settings = &ca->config->settings;
    if (!config_ca_leads_to(ca->config, revocation->endpoint)) {
        return fail_changed(settings, revocation, error);
    }
    if (!ca->ops->can_revoke) {
        return error_set(error, E_CA_UNSUPPORTED, "the CA %s revokes nothing", revocation->ca);
    }
    struct profile named = {0};
    const struct profile *profile = config_find_profile(issuer->config, revocation->profile);
    (void)text_copy(named.name, sizeof named.name, revocation->profile);
    const struct ca_request request = {
        .id = -revocation->certificate_id, // of certificates, where those of requests are positive
        .profile = profile != NULL ? profile : &named,
        .subject = {.serial = revocation->serial},
        .handle = revocation->handle,
        .endpoint = revocation->endpoint,
        .certificate = revocation->leaf,
    };
    ca->ops->revoke(ca->ca, &request, revocation->reason);
    return true;
}

void issuer_free(struct issuer *issuer) {
    if (issuer == NULL) {
        return;
    }
    for (size_t i = 0; i < issuer->ca_count; i++) {
        issuer->cas[i].ops->close(issuer->cas[i].ca);
        x509_trust_free(issuer->cas[i].trust);
    }
    loop_timer_free(issuer->brought);
    buf_free(issuer->chain);
    free(issuer);
}
