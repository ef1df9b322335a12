// SPDX-License-Identifier: Apache-2.0
#include <openssl/asn1.h>
#include <time.h>

#include "ca-client/x509_internal.h"
#include "station/base/clock.h"

#define DAY_MS INT64_C(86400000)

bool x509_time_ms(const ASN1_TIME *time, int64_t *wall_ms) {
    struct tm utc;
    if (ASN1_TIME_to_tm(time, &utc) != 1) {
        return false;
    }
    *wall_ms = (int64_t)timegm(&utc) * 1000;
    return true;
}

int64_t x509_profile_end_ms(const struct profile *profile, int64_t begin_ms) {
    int64_t length_ms = (int64_t)profile->validity_days * DAY_MS;
    if (profile->validity_days == 0 || begin_ms > X509_FOREVER_MS - length_ms) {
        return X509_FOREVER_MS;
    }
    return begin_ms + length_ms;
}

static bool fail(struct error *error, const char *what, int64_t found_ms, const char *relation,
                 int64_t bound_ms) {
    char found[CLOCK_TEXT_SIZE];
    char bound[CLOCK_TEXT_SIZE];
    clock_format_utc(found, found_ms);
    clock_format_utc(bound, bound_ms);
    return error_set(error, E_CERT_VALIDITY, "the certificate %s %s, %s %s", what, found, relation,
                     bound);
}

bool x509_check_period(const struct certificate_expected *expected,
                       const struct certificate_facts *facts, struct error *error) {
    int64_t now_ms = expected->now_ms;
    if (facts->not_before_ms > now_ms + X509_CLOCK_DIFFERENCE_MS) {
        return fail(error, "begins at", facts->not_before_ms, "and it is", now_ms);
    }
    if (facts->not_after_ms < now_ms) {
        return fail(error, "ended at", facts->not_after_ms, "and it is", now_ms);
    }
    // A CA may count from its own now, even where it was asked for a begin that is past.
    int64_t end_ms = x509_profile_end_ms(expected->profile, now_ms + X509_CLOCK_DIFFERENCE_MS);
    if (facts->not_after_ms > end_ms) {
        return fail(error, "ends at", facts->not_after_ms, "the profile allows at most", end_ms);
    }
    return true;
}

// When the first of the issuers ends: nobody can ask for more than that.
static int64_t issuers_end_ms(const STACK_OF(X509) * verified) {
    int64_t end_ms = X509_FOREVER_MS;
    for (int i = 1; i < sk_X509_num(verified); i++) {
        int64_t issuer_end_ms;
        if (x509_time_ms(X509_get0_notAfter(sk_X509_value(verified, i)), &issuer_end_ms) &&
            issuer_end_ms < end_ms) {
            end_ms = issuer_end_ms;
        }
    }
    return end_ms;
}

// CAs date back by minutes or hours. What lies further back than a day is spent: a certificate of ten
// years that began ten years ago would end tomorrow. A request may have waited for long, and its time
// is of a clock that may have been wrong.
static int64_t count_from_ms(const struct certificate_expected *expected,
                             const struct certificate_facts *facts) {
    bool is_known = expected->asked_ms > 0 && expected->asked_ms < expected->now_ms;
    int64_t earliest_ms = (is_known ? expected->asked_ms : expected->now_ms) - DAY_MS;
    return facts->not_before_ms > earliest_ms ? facts->not_before_ms : earliest_ms;
}

bool x509_check_length(const struct certificate_expected *expected,
                       const struct certificate_facts *facts, const STACK_OF(X509) * verified,
                       struct error *error) {
    int64_t begin_ms = count_from_ms(expected, facts);
    int64_t end_ms = x509_profile_end_ms(expected->profile, begin_ms);
    int64_t limit_ms = issuers_end_ms(verified);
    end_ms = end_ms < limit_ms ? end_ms : limit_ms;
    int64_t least_ms = begin_ms + (end_ms - begin_ms) / 10 * 9;
    int64_t replaced_ms = expected->replaces_not_after_ms;
    least_ms = replaced_ms > 0 && replaced_ms < least_ms ? replaced_ms : least_ms;
    if (facts->not_after_ms < least_ms) {
        return fail(error, "ends at", facts->not_after_ms, "expected at least", least_ms);
    }
    return true;
}
