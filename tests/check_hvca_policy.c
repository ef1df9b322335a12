// SPDX-License-Identifier: Apache-2.0
// Does a profile fit an account's policy, and what is asked for under it.
#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_hvca_internal.h"
#include "tests/support_pki.h"

#define NOW_S INT64_C(1772366400)

static struct slice text_slice(const char *text) {
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

static void set_text(char *out, size_t capacity, const char *text) {
    ck_assert(text_copy(out, capacity, text));
}

// ---- formats -------------------------------------------------------------------------------------

START_TEST(test_formats) {
    static const struct {
        const char *expression;
        const char *value;
        bool matches;
    } cases[] = {
        {"", "x", true},
        {"^abc$", "abc", true},
        {"^abc$", "abcd", false},
        {"b", "abc", true}, // not anchored unless it says so
        {"^\\d{3}$", "123", true},
        {"^\\d{3}$", "12a", false},
        {"^[\\dA-F]+$", "1A", true},
        {"^(?:a|b)$", "b", true},
        {"^(?:a|b)$", "c", false},
        {"^1\\.2$", "1.2", true},
        {"^1\\.2$", "1x2", false},
        // What cannot be judged here is left to the CA.
        {"^(?i)abc$", "x", true},
        {"^\\p{L}+$", "1", true},
        {"^a+?$", "b", true},
        {"^(((a{1000}){1000}){1000})$", "b", true},
        {"^a{99999999999999999999}$", "b", true},
        {"[", "b", true},
        {"(", "b", true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_msg(hvca_format_matches(cases[i].expression, cases[i].value) == cases[i].matches,
                      "%s %s", cases[i].expression, cases[i].value);
    }
}
END_TEST

// ---- the policy ----------------------------------------------------------------------------------

// A policy that the profile "https" fits, and after it the members that replace or join its own.
static const char base_policy[] =
    "{\"validity\":{\"secondsmin\":60,\"secondsmax\":315360000,\"not_before_negative_skew\":120,"
    "  \"not_before_positive_skew\":3600,\"issuer_expiry\":0},"
    " \"subject_dn\":{\"common_name\":{\"presence\":\"REQUIRED\",\"format\":\"^.{1,64}$\"},"
    "  \"serial_number\":{\"presence\":\"OPTIONAL\",\"format\":\"\"}},"
    " \"san\":{\"dns_names\":{\"static\":false,\"list\":[\"^.*$\"],\"mincount\":0,"
    "  \"maxcount\":3}},"
    " \"extended_key_usages\":{\"ekus\":{\"static\":false,\"list\":[\"^1\\\\.3\\\\.6\\\\.1\\\\."
    "5\\\\.5\\\\.7\\\\.3\\\\.[12]$\"],"
    "  \"mincount\":0,\"maxcount\":2},\"critical\":false},"
    " \"public_key\":{\"key_type\":\"ECDSA\",\"allowed_lengths\":[256],\"key_format\":\"PKCS10\"},"
    " \"public_key_signature\":\"FORBIDDEN\"}";

static void parse_policy(const char *change, struct hvca_policy *policy) {
    struct error error = {0};
    json_error_t json_error;
    json_t *root = json_loads(base_policy, 0, &json_error);
    json_t *more = json_loads(change, 0, &json_error);
    ck_assert_msg(root != NULL && more != NULL, "%s: %s", change, json_error.text);
    ck_assert_int_eq(json_object_update_recursive(root, more), 0);
    char *text = json_dumps(root, 0);
    ck_assert_msg(hvca_parse_policy(text_slice(text), policy, &error), "%s: %s", change,
                  error.text);
    free(text);
    json_decref(root);
    json_decref(more);
}

static const struct {
    const char *change;
    const char *field; // what the error names; NULL: it fits
} fits[] = {
    {"{}", NULL},
    {"{\"subject_dn\":{\"organization\":{\"presence\":\"REQUIRED\",\"format\":\"\"}}}",
     "subject_dn.organization"},
    {"{\"subject_dn\":{\"organization\":{\"presence\":\"STATIC\",\"format\":\"ACME\"}}}",
     "subject_dn.organization"},
    {"{\"subject_dn\":{\"common_name\":{\"presence\":\"FORBIDDEN\"}}}", "subject_dn.common_name"},
    {"{\"subject_dn\":{\"common_name\":null}}", "subject_dn.common_name"},
    {"{\"subject_dn\":{\"common_name\":{\"presence\":\"STATIC\",\"format\":\"x\"}}}",
     "subject_dn.common_name"},
    {"{\"subject_dn\":{\"state\":{\"presence\":\"REQUIRED\",\"format\":\"\"}}}",
     "subject_dn.state"},
    {"{\"subject_dn\":{\"state\":{\"presence\":\"STATIC\",\"format\":\"Hesse\"}}}",
     "subject_dn.state"},
    {"{\"subject_dn\":{\"state\":{\"presence\":\"OPTIONAL\",\"format\":\"Hesse\"}}}", NULL},
    {"{\"subject_dn\":{\"organizational_unit\":{\"static\":false,\"list\":[],\"mincount\":1,"
     "\"maxcount\":3}}}",
     "subject_dn.organizational_unit"},
    {"{\"subject_dn\":{\"organizational_unit\":{\"static\":true,\"list\":[\"Cameras\"]}}}",
     "subject_dn.organizational_unit"},
    {"{\"subject_dn\":{\"extra_attributes\":{\"1.2.3\":{\"static\":false,\"mincount\":1}}}}",
     "subject_dn.extra_attributes.1.2.3"},
    {"{\"san\":{\"dns_names\":{\"maxcount\":0}}}", "san.dns_names"},
    {"{\"san\":{\"dns_names\":{\"mincount\":2}}}", "san.dns_names"},
    {"{\"san\":{\"uris\":{\"static\":false,\"list\":[],\"mincount\":1,\"maxcount\":1}}}",
     "san.uris"},
    {"{\"san\":{\"other_names\":{\"1.3.6.1.5.5.7.8.4\":{\"static\":false,\"value_type\":\"DER\","
     "\"mincount\":1,\"maxcount\":1}}}}",
     "san.other_names"},
    {"{\"san\":{\"other_names\":{\"1.3.6.1.5.5.7.8.4\":{\"static\":true,\"value_type\":\"DER\"}}}}",
     "san.other_names"},
    {"{\"extended_key_usages\":{\"ekus\":{\"maxcount\":1}}}", "extended_key_usages"},
    {"{\"extended_key_usages\":{\"ekus\":{\"list\":[\"^1\\\\.2$\"]}}}", "extended_key_usages"},
    {"{\"extended_key_usages\":{\"ekus\":{\"static\":true,\"list\":[\"1.3.6.1.5.5.7.3.2\"]}}}",
     "extended_key_usages"},
    {"{\"extended_key_usages\":{\"ekus\":{\"static\":true,\"list\":[\"1.3.6.1.5.5.7.3.2\","
     "\"1.3.6.1.5.5.7.3.1\"]}}}",
     NULL},
    {"{\"validity\":{\"secondsmax\":86400}}", "validity"},
    {"{\"validity\":{\"secondsmin\":3153600000,\"secondsmax\":0}}", "validity"},
    {"{\"validity\":{\"issuer_expiry\":1772366401}}", "validity.issuer_expiry"},
    {"{\"public_key\":{\"key_type\":\"RSA\"}}", "public_key.key_type"},
    {"{\"public_key\":{\"allowed_lengths\":[384]}}", "public_key.allowed_lengths"},
    {"{\"public_key\":{\"allowed_lengths\":[]}}", NULL},
    {"{\"public_key_signature\":\"REQUIRED\"}", "public_key_signature"},
    {"{\"public_key_signature\":\"OPTIONAL\"}", NULL},
    {"{\"custom_extensions\":{\"1.2.3\":{\"presence\":\"REQUIRED\",\"value_type\":\"DER\"}}}",
     "custom_extensions.1.2.3"},
    {"{\"custom_extensions\":{\"1.2.3\":{\"presence\":\"STATIC\",\"value_type\":\"NIL\"}}}", NULL},
    {"{\"subject_da\":{\"gender\":{\"presence\":\"REQUIRED\",\"format\":\"\"}}}",
     "subject_da.gender"},
    {"{\"subject_da\":{\"date_of_birth\":\"REQUIRED\"}}", "subject_da.date_of_birth"},
    {"{\"qualified_statements\":{\"etsi_qc_compliance\":\"STATIC_TRUE\"}}", NULL},
    {"{\"ms_extension_template\":{\"critical\":false,\"template_id\":{\"presence\":\"REQUIRED\"}}}",
     "ms_extension_template.template_id"},
};

START_TEST(test_policy_fits) {
    struct hvca_policy policy;
    struct profile profile;
    struct error error = {0};
    ck_assert(profile_built_in("https", &profile));
    parse_policy(fits[_i].change, &policy);
    bool does_fit = hvca_policy_fits(&policy, &profile, NOW_S, true, &error);
    if (fits[_i].field == NULL) {
        ck_assert_msg(does_fit, "%s: %s", fits[_i].change, error.text);
        return;
    }
    ck_assert_msg(!does_fit, "%s", fits[_i].change);
    ck_assert_int_eq(error.code, E_CA_POLICY);
    ck_assert_msg(strncmp(error.text, fits[_i].field, strlen(fits[_i].field)) == 0, "%s",
                  error.text);
}
END_TEST

START_TEST(test_policy_texts) {
    struct hvca_policy policy;
    struct profile profile;
    struct error error = {0};
    ck_assert(profile_built_in("https", &profile));
    set_text(profile.organization, sizeof profile.organization, "ACME");
    parse_policy("{\"subject_dn\":{\"organization\":{\"presence\":\"STATIC\","
                 "\"format\":\"ACME\"}}}",
                 &policy);
    ck_assert(hvca_policy_fits(&policy, &profile, NOW_S, true, &error));
    parse_policy("{\"subject_dn\":{\"organization\":{\"presence\":\"OPTIONAL\","
                 "\"format\":\"^Other$\"}}}",
                 &policy);
    ck_assert(!hvca_policy_fits(&policy, &profile, NOW_S, true, &error));
    ck_assert(hvca_policy_fits(&policy, &profile, NOW_S, false, &error));
    set_text(profile.organization, sizeof profile.organization,
             "{model}"); // only known with the camera
    ck_assert(hvca_policy_fits(&policy, &profile, NOW_S, true, &error));
}
END_TEST

static const char *const malformed_policies[] = {
    "{\"validity\":{\"secondsmin\":\"60\"}}",
    "{\"validity\":{\"secondsmax\":-1}}",
    "{\"validity\":{\"not_before_negative_skew\":9223372036854775807}}",
    "{\"subject_dn\":{\"common_name\":{\"presence\":\"MAYBE\"}}}",
    "{\"subject_dn\":{\"common_name\":7}}",
    "{\"san\":{\"dns_names\":7}}",
    "{\"san\":{\"dns_names\":{\"list\":[7]}}}",
    "{\"san\":{\"other_names\":{\"1.2.3\":7}}}",
    "{\"public_key\":{\"key_format\":\"PKCS1\"}}",
    "{\"public_key\":{\"key_format\":null}}",
    "{\"public_key\":{\"allowed_lengths\":[\"256\"]}}",
    "{\"public_key_signature\":7}",
    "{\"signature\":{\"algorithm\":{\"presence\":\"REQUIRED\",\"list\":[7]}}}",
};

START_TEST(test_malformed_policy) {
    struct hvca_policy policy;
    struct error error = {0};
    json_t *root = json_loads(base_policy, 0, NULL);
    json_t *more = json_loads(malformed_policies[_i], 0, NULL);
    json_object_update_recursive(root, more);
    char *text = json_dumps(root, 0);
    ck_assert_msg(!hvca_parse_policy(text_slice(text), &policy, &error), "%s", text);
    ck_assert_int_eq(error.code, E_CA_NONSENSE);
    free(text);
    json_decref(root);
    json_decref(more);
    ck_assert(!hvca_parse_policy(text_slice("[]"), &policy, &error));
    ck_assert(!hvca_parse_policy(text_slice("{}"), &policy, &error));
}
END_TEST

// ---- requests ------------------------------------------------------------------------------------

static struct profile request_profile;
static const uint8_t hardware_id[6] = {0, 1, 2, 3, 4, 5};

static json_t *write_request(const char *change, int64_t not_before_s) {
    struct hvca_policy policy;
    struct error error = {0};
    struct buf *body = NULL;
    EVP_PKEY *key = pki_key("P-256");
    const struct pki_pair subject[] = {{"CN", "other"}, {NULL, NULL}};
    struct buf *csr = pki_csr(key, subject, NULL, false);
    const struct ca_request request = {
        .profile = &request_profile,
        .subject = {"CAM1", "Model", hardware_id, sizeof hardware_id},
        .csr = buf_slice(csr),
        .not_before_s = not_before_s,
    };
    parse_policy(change, &policy);
    const struct hvca_ask ask = {&policy, &request, NOW_S};
    ck_assert_msg(hvca_write_request(&ask, &body, &error), "%s", error.text);
    json_t *root = json_loadb(buf_text(body), buf_length(body), JSON_REJECT_DUPLICATES, NULL);
    ck_assert_ptr_nonnull(root);
    buf_free(body);
    buf_free(csr);
    EVP_PKEY_free(key);
    return root;
}

static void assert_member(const json_t *root, const char *section, const char *name,
                          const char *expected) {
    const json_t *object = section == NULL ? root : json_object_get(root, section);
    const char *text = json_string_value(json_object_get(object, name));
    if (expected == NULL) {
        ck_assert_ptr_null(json_object_get(object, name));
    } else {
        ck_assert_ptr_nonnull(text);
        ck_assert_str_eq(text, expected);
    }
}

static int64_t validity(const json_t *root, const char *name) {
    const json_t *value = json_object_get(json_object_get(root, "validity"), name);
    return value == NULL ? -1 : json_integer_value(value);
}

START_TEST(test_request) {
    ck_assert(profile_built_in("https", &request_profile));
    set_text(request_profile.organization, sizeof request_profile.organization, "ACME \"Cameras\"");
    set_text(request_profile.organizational_unit, sizeof request_profile.organizational_unit,
             "Line 1");
    set_text(request_profile.country, sizeof request_profile.country, "DE");
    json_t *root = write_request("{\"subject_dn\":{\"country\":{\"presence\":\"STATIC\","
                                 "\"format\":\"DE\"}}}",
                                 NOW_S - 60);
    assert_member(root, "subject_dn", "common_name", "CAM1");
    assert_member(root, "subject_dn", "serial_number", "CAM1");
    assert_member(root, "subject_dn", "organization", "ACME \"Cameras\"");
    assert_member(root, "subject_dn", "country", NULL); // STATIC is not sent
    const json_t *subject = json_object_get(root, "subject_dn");
    const json_t *units = json_object_get(subject, "organizational_unit");
    ck_assert_str_eq(json_string_value(json_array_get(units, 0)), "Line 1");
    const json_t *names = json_object_get(json_object_get(root, "san"), "dns_names");
    ck_assert_str_eq(json_string_value(json_array_get(names, 0)), "cam1.local");
    ck_assert_uint_eq(json_array_size(json_object_get(root, "extended_key_usages")), 2);
    ck_assert_int_eq(validity(root, "not_before"), NOW_S - 60);
    const char *key = json_string_value(json_object_get(root, "public_key"));
    ck_assert_int_eq(strncmp(key, "-----BEGIN CERTIFICATE REQUEST-----\n", 36), 0);
    ck_assert_int_eq(key[strlen(key) - 1], '-');
    ck_assert_ptr_null(json_object_get(root, "signature"));
    ck_assert_ptr_null(json_object_get(root, "public_key_signature"));
    json_decref(root);
}
END_TEST

START_TEST(test_request_static_lists) {
    ck_assert(profile_built_in("https", &request_profile));
    json_t *root = write_request(
        "{\"san\":{\"dns_names\":{\"static\":true,\"list\":[\"a\"]}},"
        "\"extended_key_usages\":{\"ekus\":{\"static\":true}},"
        "\"public_key\":{\"key_format\":\"PKCS8\"},"
        "\"signature\":{\"algorithm\":{\"presence\":\"REQUIRED\",\"list\":[\"ECDSA\"]},"
        "\"hash_algorithm\":{\"presence\":\"REQUIRED\",\"list\":[\"SHA-512\",\"SHA-256\"]}}}",
        0);
    ck_assert_ptr_null(json_object_get(root, "san"));
    ck_assert_ptr_null(json_object_get(root, "extended_key_usages"));
    assert_member(root, "signature", "algorithm", "ECDSA");
    assert_member(root, "signature", "hash_algorithm", "SHA-256");
    const char *key = json_string_value(json_object_get(root, "public_key"));
    ck_assert_int_eq(strncmp(key, "-----BEGIN PUBLIC KEY-----\n", 27), 0);
    ck_assert_int_eq(key[strlen(key) - 1], '-');
    json_decref(root);
}
END_TEST

START_TEST(test_request_hardware_name) {
    ck_assert(profile_built_in("idevid", &request_profile));
    json_t *root = write_request("{}", 0);
    const json_t *others = json_object_get(json_object_get(root, "san"), "other_names");
    const json_t *other = json_array_get(others, 0);
    assert_member(other, NULL, "type", "1.3.6.1.5.5.7.8.4");
    // SEQUENCE { 1.3.6.1.4.1.32473.1, OCTET STRING "CAM1" }
    assert_member(other, NULL, "value",
                  "301106092b06010401"
                  "81fd5901"
                  "040443414d31");
    ck_assert_ptr_null(json_object_get(root, "extended_key_usages"));
    json_decref(root);
}
END_TEST

static const struct {
    const char *policy; // of "validity"
    uint32_t days;
    int64_t stamp_s;
    int64_t not_before_s; // -1: absent
    int64_t not_after_s;
} validities[] = {
    // a stamp inside what is allowed, and one outside
    {"{}", 10, NOW_S - 100, NOW_S - 100, NOW_S - 100 + 864000 - 1},
    {"{}", 10, NOW_S - 115, NOW_S, NOW_S + 864000 - 1},
    {"{}", 10, NOW_S + 1000, NOW_S + 1000, NOW_S + 1000 + 864000 - 1},
    {"{}", 10, NOW_S + 3600, NOW_S, NOW_S + 864000 - 1},
    // no stamp; no room for any
    {"{}", 10, 0, NOW_S, NOW_S + 864000 - 1},
    {"{\"not_before_negative_skew\":0}", 10, NOW_S - 1, -1, NOW_S + 864000 - 1},
    // the policy's maximum, asked for and more
    {"{\"secondsmax\":864000}", 10, 0, NOW_S, 0},
    {"{\"secondsmax\":864000}", 0, 0, NOW_S, 0},
    {"{\"secondsmax\":864000}", 11, 0, NOW_S, 0},
    // without end, where the policy allows it
    {"{\"secondsmax\":0}", 0, 0, NOW_S, INT64_C(253402300799)},
    {"{\"secondsmax\":253402300799}", 0, 0, NOW_S, INT64_C(253402300799)},
    {"{\"secondsmax\":0}", 4000000, 0, NOW_S, INT64_C(253402300799)},
    // the issuing CA ends before
    {"{\"issuer_expiry\":1772966400}", 10, 0, NOW_S, 1772966400},
    {"{\"issuer_expiry\":1772966400,\"secondsmax\":0}", 0, 0, NOW_S, 1772966400},
};

START_TEST(test_request_validity) {
    char change[256];
    snprintf(change, sizeof change, "{\"validity\":%s}", validities[_i].policy);
    ck_assert(profile_built_in("https", &request_profile));
    request_profile.validity_days = validities[_i].days;
    json_t *root = write_request(change, validities[_i].stamp_s);
    ck_assert_int_eq(validity(root, "not_before"), validities[_i].not_before_s);
    ck_assert_int_eq(validity(root, "not_after"), validities[_i].not_after_s);
    json_decref(root);
}
END_TEST

START_TEST(test_request_that_cannot_be_written) {
    struct hvca_policy policy;
    struct error error = {0};
    struct buf *body = NULL;
    parse_policy("{}", &policy);
    ck_assert(profile_built_in("https", &request_profile));
    struct ca_request request = {.profile = &request_profile,
                                 .subject = {"CAM1", "Model", NULL, 0},
                                 .csr = text_slice("no CSR")};
    const struct hvca_ask ask = {&policy, &request, NOW_S};
    policy.takes_csr = false;
    ck_assert(!hvca_write_request(&ask, &body, &error));
    ck_assert_ptr_null(body);
    set_text(request_profile.common_name, sizeof request_profile.common_name,
             "{mac}"); // the camera has none
    ck_assert(!hvca_write_request(&ask, &body, &error));
    ck_assert_int_ne(error.code, ERROR_NONE);
}
END_TEST

static Suite *hvca_policy_suite(void) {
    Suite *suite = suite_create("hvca_policy");
    TCase *policy = tcase_create("policy");
    tcase_add_test(policy, test_formats);
    tcase_add_loop_test(policy, test_policy_fits, 0, ARRAY_LENGTH(fits));
    tcase_add_test(policy, test_policy_texts);
    tcase_add_loop_test(policy, test_malformed_policy, 0, ARRAY_LENGTH(malformed_policies));
    suite_add_tcase(suite, policy);
    TCase *request = tcase_create("request");
    tcase_add_test(request, test_request);
    tcase_add_test(request, test_request_static_lists);
    tcase_add_test(request, test_request_hardware_name);
    tcase_add_loop_test(request, test_request_validity, 0, ARRAY_LENGTH(validities));
    tcase_add_test(request, test_request_that_cannot_be_written);
    suite_add_tcase(suite, request);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(hvca_policy_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
