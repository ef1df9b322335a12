// SPDX-License-Identifier: Apache-2.0
// The JSON that the HVCA API answers with, as plain values. Pure functions on hostile bytes: at
// most HTTP_BODY_MAX bytes, JSON_DEPTH_MAX levels, no member twice; what is missing, has the wrong
// type or is too long is E_CA_NONSENSE, with the member's name.
#ifndef BIRTHCERT_CA_HVCA_JSON_H
#define BIRTHCERT_CA_HVCA_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define HVCA_TOKEN_MAX 8192
#define HVCA_PROBLEM_SIZE 192
#define HVCA_FORMAT_SIZE 256
#define HVCA_LIST_MAX 16
#define HVCA_ROWS_MAX 1000 // of one page of the statistics

// ---- the validation policy ----------------------------------------------------------------------

enum hvca_presence {
    HVCA_OPTIONAL,
    HVCA_REQUIRED,
    HVCA_FORBIDDEN,
    HVCA_STATIC, // the CA writes it; a request that holds it is refused
};

// A field that the policy does not name is as good as forbidden.
struct hvca_text_rule {
    bool is_named;
    enum hvca_presence presence;
    char format[HVCA_FORMAT_SIZE]; // a regular expression; for STATIC the value itself
};

struct hvca_list_rule {
    bool is_named;
    bool is_static;
    size_t count;
    char formats[HVCA_LIST_MAX][HVCA_FORMAT_SIZE];
    int64_t minimum;
    int64_t maximum;
};

// Fields of subject_dn with one value, in the order of hvca_subject_fields.
enum hvca_subject_field {
    HVCA_COMMON_NAME,
    HVCA_SERIAL_NUMBER,
    HVCA_ORGANIZATION,
    HVCA_COUNTRY,
    HVCA_STATE, // from here on a profile cannot fill the field
    HVCA_LOCALITY,
    HVCA_STREET_ADDRESS,
    HVCA_POSTAL_CODE,
    HVCA_EMAIL,
    HVCA_GIVEN_NAME,
    HVCA_SURNAME,
    HVCA_BUSINESS_CATEGORY,
    HVCA_ORGANIZATION_IDENTIFIER,
    HVCA_JURISDICTION_LOCALITY,
    HVCA_JURISDICTION_STATE,
    HVCA_JURISDICTION_COUNTRY,
    HVCA_SUBJECT_FIELDS
};
extern const char *const hvca_subject_fields[HVCA_SUBJECT_FIELDS];

struct hvca_algorithm_rule {
    enum hvca_presence presence;
    size_t count;
    char names[HVCA_LIST_MAX][32];
};

struct hvca_policy {
    int64_t seconds_min;
    int64_t seconds_max; // 0: no limit is named
    int64_t negative_skew_s;
    int64_t positive_skew_s;
    int64_t issuer_expiry_s; // 0: not named
    struct hvca_text_rule subject[HVCA_SUBJECT_FIELDS];
    struct hvca_list_rule organizational_unit;
    struct hvca_list_rule dns_names;
    struct hvca_list_rule usages;
    bool takes_hardware_name;   // san.other_names has 1.3.6.1.5.5.7.8.4 as DER
    bool demands_hardware_name; // with a mincount over 0
    bool writes_hardware_name;  // static
    // The first field that is demanded and that no profile can fill, "" where there is none.
    char unfillable[96];
    struct hvca_algorithm_rule algorithm;
    struct hvca_algorithm_rule hash_algorithm;
    char key_type[16]; // "RSA", "ECDSA"; "": any
    size_t length_count;
    int64_t allowed_lengths[HVCA_LIST_MAX];
    bool takes_csr; // key_format PKCS10; else PKCS8, the bare key
    enum hvca_presence key_signature;
};

MUST_CHECK bool hvca_parse_policy(struct slice body, struct hvca_policy *policy,
                                  struct error *error);

// ---- the rest -----------------------------------------------------------------------------------

// POST /login. Appends the token, which is fit for a header line.
MUST_CHECK bool hvca_parse_login(struct slice body, struct buf *token, struct error *error);

// Any error. What a person should read of it, not escaped: description, else title or detail, else "".
void hvca_parse_problem(struct slice body, char out[HVCA_PROBLEM_SIZE]);

// GET /certificates/{serial} with status 200. Appends the leaf's PEM.
MUST_CHECK bool hvca_parse_certificate(struct slice body, struct buf *pem, bool *is_revoked,
                                       struct error *error);

// GET /trustchain. Appends all PEMs, issuing CA first.
MUST_CHECK bool hvca_parse_chain(struct slice body, struct buf *pem, struct error *error);

// GET /quotas/... and /counters/...
MUST_CHECK bool hvca_parse_value(struct slice body, int64_t *value, struct error *error);

struct hvca_row {
    char serial[CA_HANDLE_SIZE]; // hex
    int64_t not_before_s;
};

// GET /stats/issued, one page. `rows` holds HVCA_ROWS_MAX.
MUST_CHECK bool hvca_parse_rows(struct slice body, struct hvca_row *rows, size_t *count,
                                struct error *error);

// A certificate's serial as it stands in URLs: 1 to 64 hex digits, in the case that the CA uses. ""
// for anything else.
bool hvca_read_serial(const char *text, size_t length, char out[CA_HANDLE_SIZE]);

// The serial out of a Location: its last path segment, whatever host stands before it.
bool hvca_read_location(const char *location, char out[CA_HANDLE_SIZE]);

#endif
