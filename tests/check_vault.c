// SPDX-License-Identifier: Apache-2.0
// The vault backend against a server that answers what the test wants: issuing, and the role.
// Look-ups are in check_vault_look.c, token and revoking in check_vault_token.c.
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "station/base/clock.h"
#include "tests/support_vault.h"

// ---- what is asked for --------------------------------------------------------------------------

static void assert_end(const char *text, int64_t days) {
    int64_t end_ms = 0;
    ck_assert_ptr_nonnull(text);
    ck_assert_msg(strlen(text) == 20 && text[19] == 'Z', "%s", text); // in whole seconds
    ck_assert(clock_parse_utc(text, &end_ms));
    ck_assert_int_lt(llabs(end_ms - clock_wall_ms() - days * PKI_DAY_MS), 60000);
}

START_TEST(test_sign) {
    struct error error = {0};
    vault_start(false);
    const struct client_unit *unit = vault_submit();
    vault_assert(unit, CA_CERTIFICATE, ERROR_NONE, "sign");
    ck_assert_msg(client_certificate_is_good(&vault.client, unit, vault.root_file, &error), "%s",
                  error.text);
    const char *request = vault.server.last_request;
    ck_assert_ptr_nonnull(strstr(request, "\r\nX-Vault-Token: secret-1\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nX-Vault-Request: true\r\n"));
    ck_assert_ptr_nonnull(strstr(request, "\r\nX-Vault-Namespace: factory\r\n"));
    json_t *root = vault_last_body();
    assert_end(json_string_value(json_object_get(root, "not_after")), 3650);
    const char *csr = json_string_value(json_object_get(root, "csr"));
    ck_assert_int_eq(strncmp(csr, "-----BEGIN CERTIFICATE REQUEST-----\n", 36), 0);
    json_object_del(root, "csr");
    json_object_del(root, "not_after");
    json_t *expected = json_pack("{s:s, s:s, s:s, s:b, s:s}", "common_name", "CAM000000",
                                 "serial_number", "CAM000000", "alt_names", "cam000000.local",
                                 "exclude_cn_from_sans", 1, "format", "pem");
    ck_assert(json_equal(root, expected));
    json_decref(expected);
    json_decref(root);
    ck_assert_uint_eq(vault.server.requests, 4); // token, role, issuer, sign
    vault_submit();
    ck_assert_uint_eq(vault.server.requests, 5); // they are known
    vault_stop();
}
END_TEST

// Vault refuses what ends after its CA: the CA's end is asked for.
START_TEST(test_end_of_the_issuer) {
    vault_start(false);
    const struct pki_spec spec = {.issuer = vault.factory.certificate,
                                  .issuer_key = vault.factory.key,
                                  .key = vault.client.units[1].key,
                                  .subject = {{"CN", "Ending"}},
                                  .extensions = {{"basicConstraints", "critical,CA:TRUE"}},
                                  .not_before_ms = clock_wall_ms() - PKI_DAY_MS,
                                  .not_after_ms = clock_wall_ms() + 100 * PKI_DAY_MS};
    X509 *issuer = pki_certificate(&spec);
    struct buf *pem = pki_pem(issuer);
    vault_data(VAULT_ISSUER, json_pack("{s:s}", "certificate", buf_text(pem)));
    vault_submit();
    json_t *root = vault_last_body();
    assert_end(json_string_value(json_object_get(root, "not_after")), 100);
    json_decref(root);
    // A role that has an end for all is asked for none.
    int64_t end_ms = clock_wall_ms() + 3640 * PKI_DAY_MS;
    char end[CLOCK_TEXT_SIZE];
    clock_format_utc(end, end_ms);
    vault_set_role("not_after", json_string(end));
    client_check(&vault.client);
    client_wait(&vault.client);
    vault_submit();
    root = vault_last_body();
    ck_assert_ptr_null(json_object_get(root, "not_after"));
    json_decref(root);
    X509_free(issuer);
    buf_free(pem);
    vault_stop();
}
END_TEST

// ---- the role -----------------------------------------------------------------------------------

static const struct {
    const char *member;
    const char *value; // JSON; NULL: it is not there
    const char *said;  // in the error's text
} bad_roles[] = {
    {"use_csr_common_name", "true", "use_csr_common_name: "},
    {"use_csr_sans", "true", "use_csr_sans: "},
    {"generate_lease", "true", "generate_lease: "},
    {"not_after", NULL, "1.10"},
    {"not_after", "\"2026-12-31T00:00:00Z\"", "not_after: the role gives 2026-12-31"},
    {"not_after", "\"9999-12-31T23:59:59Z\"", "allows 3650 days"},
    {"not_after", "\"soon\"", "is no time"},
    {"not_after_bound", "\"forbid\"", "not_after_bound: "},
    {"not_after_bound", "\"2027-01-01T00:00:00Z\"", "not_after_bound: "},
    {"organization", "[\"Maker\"]", "organization: the role puts in \"Maker\""},
    {"ou", "[\"A\",\"B\"]", "and more"},
    {"country", "[\"CH\"]", "country: "},
    {"locality", "[\"Bern\"]", "locality: "},
    {"province", "[\"BE\"]", "province: "},
    {"postal_code", "[\"3000\"]", "postal_code: "},
    {"key_usage", "[\"KeyAgreement\"]", "lacks \"DigitalSignature\""},
    {"key_usage", "[\"DigitalSignature\",\"certsign\"]", "adds \"CertSign\""},
    {"server_flag", "false", "server_flag: the role does not give ServerAuth"},
    {"client_flag", "false", "client_flag: "},
    {"code_signing_flag", "true", "code_signing_flag: the role gives CodeSigning"},
    {"ext_key_usage", "[\"emailprotection\"]", "email_protection_flag: "},
    {"ext_key_usage", "[\"TimeStamping\"]", "ext_key_usage: the role adds \"TimeStamping\""},
    {"ext_key_usage_oids", "[\"1.2.3\"]", "ext_key_usage_oids: "},
    {"key_type", "\"rsa\"", "key_type: the role wants \"rsa\""},
    {"key_bits", "384", "key_bits: the role wants 384"},
    {"allowed_serial_numbers", "[]", "allowed_serial_numbers: "},
    {"allow_any_name", "false", "allowed_domains: "},
    {"cn_validations", "[\"email\"]", "cn_validations: "},
};

START_TEST(test_bad_role) {
    vault_start(false);
    const char *text = bad_roles[_i].value;
    vault_set_role(bad_roles[_i].member,
                   text != NULL ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL);
    client_check(&vault.client);
    client_wait(&vault.client);
    const struct ca_report *report = &vault.client.report;
    ck_assert(report->reachable && report->logged_in && !report->policy_fits);
    ck_assert_int_eq(report->error.code, E_CA_POLICY);
    ck_assert_msg(strstr(report->error.text, bad_roles[_i].said) != NULL, "%s", report->error.text);
    const struct client_unit *unit = vault_submit();
    vault_assert(unit, CA_NOT_SENT, E_CA_POLICY, bad_roles[_i].said);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 0); // nothing was bought
    vault_stop();
}
END_TEST

static const struct {
    const char *role; // JSON: what is other than in the bench's
    const char *common_name;
    const char *dns_name;
    bool fits;
} names[] = {
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"local\"],\"allow_subdomains\":true,"
     "\"cn_validations\":[\"disabled\"]}",
     "{serial}", "{serial}.local", true},
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"local\"],\"allow_subdomains\":true}",
     "{serial}", "{serial}.local", false}, // the common name
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"ocal\"],\"allow_subdomains\":true,"
     "\"cn_validations\":[\"disabled\"]}",
     "{serial}", "{serial}.local", false},
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"local\"],\"allow_subdomains\":false,"
     "\"cn_validations\":[\"disabled\"]}",
     "{serial}", "{serial}.local", false},
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"cam*\"],\"allow_glob_domains\":true}",
     "{serial}", "{serial}.local", true}, // the CA will say
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"a\",\"b\"],\"allow_bare_domains\":true}",
     "{serial}", "{serial}", true},
    {"{\"allow_any_name\":false,\"allowed_domains\":[\"a\",\"b\"],\"allow_bare_domains\":true}",
     "a", "c", false},
    {"{\"allow_any_name\":false,\"allow_localhost\":true}", "localhost", "localdomain", true},
    {"{}", "{model} {serial}", "{serial}.local", false}, // a space is no host name
    {"{\"enforce_hostnames\":false}", "{model} {serial}", "{serial}.local", true},
    {"{\"cn_validations\":[\"disabled\"]}", "{model} {serial}", "{serial}.local", true},
    {"{\"cn_validations\":[\"email\",\"hostname\"]}", "{serial}", "{serial}.local", true},
    {"{}", "", "{serial}.local", false}, // require_cn
    {"{\"require_cn\":false}", "", "{serial}.local", true},
};

START_TEST(test_names) {
    const char *member;
    json_t *value;
    vault_start(false);
    json_t *changes = json_loads(names[_i].role, 0, NULL);
    json_object_foreach(changes, member, value) {
        vault_set_role(member, json_incref(value));
    }
    json_decref(changes);
    struct profile *profile = &vault.client.profile;
    snprintf(profile->common_name, sizeof profile->common_name, "%s", names[_i].common_name);
    snprintf(profile->dns_names[0], sizeof profile->dns_names[0], "%s", names[_i].dns_name);
    client_check(&vault.client);
    client_wait(&vault.client);
    const struct error *error = &vault.client.report.error;
    ck_assert_msg(error->code == (names[_i].fits ? ERROR_NONE : E_CA_POLICY), "%s", error->text);
    vault_stop();
}
END_TEST

// The policies of the token hide the role: it is said, and nothing but the CSR's own names are risked.
START_TEST(test_hidden_role) {
    vault_start(false);
    vault_problem(VAULT_ROLE, "403 Forbidden", "1 error occurred:\n\t* permission denied\n\n");
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_int_eq(vault.client.report.error.code, ERROR_NONE);
    ck_assert_ptr_nonnull(
        strstr(vault.client.report.remark, "lack read on pki/line-1/roles/camera"));
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "sign");
    snprintf(vault.client.profile.organization, sizeof vault.client.profile.organization, "Maker");
    vault_assert(vault_submit(), CA_REFUSED, E_CSR_SUBJECT, "the CSR says other names");
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 1);
    vault_stop();
}
END_TEST

START_TEST(test_device_identity) {
    vault_start(false);
    snprintf(vault.client.profile.hardware_type, sizeof vault.client.profile.hardware_type,
             "1.3.6.1.4.1.32473.1");
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_POLICY, "HardwareModuleName");
    vault_stop();
}
END_TEST

static const char *const bad_role_answers[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"data\":null}",
    "{\"data\":[]}",
    "{\"data\":{}}",
    "{\"data\":{\"no_store\":1}}",
    "{\"data\":{\"no_store\":false,\"key_usage\":[7]}}",
    "{\"data\":{\"no_store\":false,\"key_bits\":\"256\"}}",
    "{\"data\":{\"no_store\":false,\"key_bits\":-1}}",
    "{\"data\":{\"no_store\":false,\"not_after\":7}}",
    "[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(test_malformed_role) {
    vault_start(false);
    vault_answer(VAULT_ROLE, "200 OK", bad_role_answers[_i]);
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_NONSENSE, bad_role_answers[_i]);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 0);
    vault_stop();
}
END_TEST

// What keeps the facts away, and what is said about it.
static const struct {
    enum vault_answer which;
    const char *status;
    const char *message;
    enum error_code code;
    const char *said;
} obstacles[] = {
    {VAULT_LOOKUP, "403 Forbidden", "permission denied", E_CA_LOGIN, "token_file "},
    {VAULT_LOOKUP, "503 Service Unavailable", "Vault is sealed", E_CA_BUSY, "Vault is sealed"},
    {VAULT_LOOKUP, "429 Too Many Requests", "rate limit quota exceeded", E_CA_BUSY, "429"},
    {VAULT_LOOKUP, "307 Temporary Redirect\r\nLocation: https://other.example:8200/v1/x", "",
     E_CA_UNREACHABLE, "https://other.example:8200"},
    {VAULT_LOOKUP, "400 Bad Request", "missing client token", E_CA_LOGIN, "token_file "},
    {VAULT_ROLE, "404 Not Found", NULL, E_CA_CONFIG, "has no role \"camera\""},
    {VAULT_ROLE, "404 Not Found", "no handler for route \"pki/line-1/roles/camera\"", E_CA_CONFIG,
     "no handler"},
    {VAULT_ROLE, "500 Internal Server Error", "oops", E_CA_UNREACHABLE, "oops"},
    {VAULT_ISSUER, "500 Internal Server Error", "unable to find issuer", E_CA_UNREACHABLE,
     "issuer"},
};

START_TEST(test_obstacle) {
    vault_start(false);
    vault_problem(obstacles[_i].which, obstacles[_i].status, obstacles[_i].message);
    client_check(&vault.client);
    client_wait(&vault.client);
    const struct error *error = &vault.client.report.error;
    ck_assert_msg(error->code == obstacles[_i].code && strstr(error->text, obstacles[_i].said),
                  "%s %s", error_code_text(error->code), error->text);
    vault_assert(vault_submit(), CA_NOT_SENT, obstacles[_i].code, obstacles[_i].said);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 0);
    vault_stop();
}
END_TEST

// ---- what the answers mean ----------------------------------------------------------------------

static const struct {
    const char *status;
    bool is_vault;
    const char *message;
    enum ca_outcome outcome;
    enum error_code error;
    uint32_t retry_after_ms;
} sign_faults[] = {
    {"400 Bad Request", true, "common name x not allowed by this role", CA_REFUSED, E_CA_REFUSED,
     0},
    {"400 Bad Request", true, "unknown role: camera", CA_NOT_SENT, E_CA_CONFIG, 0},
    {"400 Bad Request", true, "1 error occurred:\n\t* missing client token\n\n", CA_NOT_SENT,
     E_CA_LOGIN, 0},
    {"400 Bad Request", true, "path disabled in replication DR secondary mode", CA_NOT_SENT,
     E_CA_UNREACHABLE, 0},
    {"400 Bad Request", false, "<html>a proxy's</html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"400 Bad Request", false, "{\"errors\":[{\"detail\":\"another's JSON\"}]}", CA_DOUBT,
     E_CA_DOUBT, 0},
    {"403 Forbidden", false, "<html>a filter's</html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"401 Unauthorized", false, "a proxy's", CA_NOT_SENT, E_CA_LOGIN, 0},
    {"404 Not Found", true, "no handler for route \"pki/sign/x\"", CA_NOT_SENT, E_CA_CONFIG, 0},
    {"404 Not Found", false, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"405 Method Not Allowed", true, "unsupported operation", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"412 Precondition Failed", true, "required index state not present", CA_NOT_SENT, E_CA_BUSY,
     0},
    {"412 Precondition Failed", false, "", CA_DOUBT, E_CA_DOUBT, 0},
    {"406 Not Acceptable", false, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"413 Too Large", false, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"422 Unprocessable Content", false, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"429 Too Many Requests", false, "a proxy's", CA_NOT_SENT, E_CA_BUSY, 0},
    {"413 Too Large", true, "http: request body too large", CA_NOT_SENT, E_CA_NONSENSE, 0},
    {"429 Too Many Requests\r\nRetry-After: 7", true, "rate limit quota exceeded", CA_NOT_SENT,
     E_CA_BUSY, 7000},
    {"500 Internal Server Error", true, "unable to store certificate locally", CA_DOUBT, E_CA_DOUBT,
     0},
    {"500 Internal Server Error", true, "local node not active but active cluster node not found",
     CA_DOUBT, E_CA_DOUBT, 0},
    {"502 Bad Gateway", false, "<html>", CA_DOUBT, E_CA_DOUBT, 0},
    {"503 Service Unavailable", true, "Vault is sealed", CA_NOT_SENT, E_CA_BUSY, 0},
    {"503 Service Unavailable\r\nRetry-After: 3", false, "<html>", CA_DOUBT, E_CA_DOUBT, 3000},
    {"472 ?", true, "x", CA_DOUBT, E_CA_DOUBT, 0},
    {"201 Created", false, "{}", CA_DOUBT, E_CA_DOUBT, 0},
    {"204 No Content", false, "", CA_DOUBT, E_CA_DOUBT, 0},
    {"302 Found\r\nLocation: https://elsewhere.example/", false, "", CA_DOUBT, E_CA_DOUBT, 0},
    {"307 Temporary Redirect\r\nLocation: https://other.example/v1/pki/sign/x", false, "", CA_DOUBT,
     E_CA_DOUBT, 0},
    {"308 Permanent Redirect\r\nLocation: https://other.example/v1/pki/sign/x", false, "", CA_DOUBT,
     E_CA_DOUBT, 0},
};

START_TEST(test_sign_fault) {
    vault_start(false);
    if (sign_faults[_i].is_vault) {
        vault_problem(VAULT_SIGN, sign_faults[_i].status, sign_faults[_i].message);
    } else {
        vault_answer(VAULT_SIGN, sign_faults[_i].status, sign_faults[_i].message);
    }
    const struct client_unit *unit = vault_submit();
    vault_assert(unit, sign_faults[_i].outcome, sign_faults[_i].error, sign_faults[_i].status);
    ck_assert_uint_eq(unit->retry_after_ms, sign_faults[_i].retry_after_ms);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 1);
    vault_stop();
}
END_TEST

static const char *const bad_certificates[] = {
    "",
    "null",
    "[]",
    "{}",
    "{\"data\":null}",
    "{\"data\":{}}",
    "{\"data\":{\"certificate\":7}}",
    "{\"data\":{\"certificate\":\"\"}}",
    "{\"data\":{\"certificate\":\"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END "
    "CERTIFICATE-----\\n\"}}",
    "{\"errors\":[\"no\"]}",
    "{\"wrap_info\":{\"token\":\"x\"}}",
    "[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
};

START_TEST(test_malformed_certificate) {
    vault_start(false);
    vault_answer(VAULT_SIGN, "200 OK", bad_certificates[_i]);
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, bad_certificates[_i]);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 1);
    vault_stop();
}
END_TEST

START_TEST(test_certificate_of_another) {
    vault_start(false);
    vault_set_certificate(&vault.client.units[0], vault.client.units[1].key);
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "another key");
    vault_stop();
}
END_TEST

// Somebody changed the role: one camera is refused, and not one after the other.
START_TEST(test_role_is_changed) {
    vault_start(false);
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "a good role");
    vault_set_role("key_type", json_string("rsa"));
    vault_problem(VAULT_SIGN, "400 Bad Request", "role requires keys of type rsa");
    vault_assert(vault_submit(), CA_REFUSED, E_CA_REFUSED, "the first");
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_POLICY, "the second");
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 2);
    vault_stop();
}
END_TEST

static void set_lease(const char *lease) {
    const char *body = strstr(vault.answers[VAULT_SIGN], "\r\n\r\n") + 4;
    json_t *root = json_loads(body, 0, NULL);
    json_object_set_new(root, "lease_id", json_string(lease));
    char *text = json_dumps(root, JSON_COMPACT);
    vault_answer(VAULT_SIGN, "200 OK", text);
    free(text);
    json_decref(root);
}

// The role is hidden: an answer tells that its certificates are revoked in a while. One is bought.
START_TEST(test_lease) {
    vault_start(true);
    vault_problem(VAULT_ROLE, "403 Forbidden", "permission denied");
    set_lease("");
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "no lease");
    set_lease("pki/line-1/sign/camera/x");
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "a lease");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "generate_lease"));
    vault_assert(vault_look(), CA_CANNOT_TELL, E_UNIT_HELD, "it is not sent again");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "generate_lease"));
    vault_assert(vault_submit(), CA_NOT_SENT, E_CA_POLICY, "no other");
    client_check(&vault.client);
    client_wait(&vault.client);
    ck_assert_int_eq(vault.client.report.error.code, E_CA_POLICY);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 2);
    // The role can be read, and has leases: what it issued is found, and not used.
    vault_set_role("generate_lease", json_true());
    vault_store(&vault.client.units[0], false);
    vault_assert(vault_look(), CA_CANNOT_TELL, E_UNIT_HELD, "found");
    vault_set_role("generate_lease", json_false());
    set_lease("");
    client_check(&vault.client);
    client_wait(&vault.client);
    vault_assert(vault_submit(), CA_CERTIFICATE, ERROR_NONE, "a good role");
    vault_stop();
}
END_TEST

START_TEST(test_redirect) {
    vault_start(false);
    vault_answer(VAULT_SIGN, "307 Temporary Redirect\r\nLocation: https://other.example:8200/v1/x",
                 "");
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "the active node may have signed");
    ck_assert_ptr_nonnull(strstr(vault.client.units[0].error.text, "https://other.example:8200"));
    vault_stop();
}
END_TEST

START_TEST(test_gateway) {
    vault_start(false);
    vault_answer(VAULT_SIGN, "403 Forbidden", "<html>blocked</html>");
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "Vault may have signed");
    ck_assert_ptr_nonnull(
        strstr(vault.client.units[0].error.text, "HTTP 403, and it was not Vault that answered"));
    ck_assert_uint_eq(vault.counts[VAULT_LOOKUP], 1); // nothing is wrong with the token
    vault_stop();
}
END_TEST

// The connection has been used before: curl would send again.
START_TEST(test_sent_once) {
    vault_start(false);
    vault.answers[VAULT_SIGN][0] = '\0';
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "dropped");
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 1);
    vault_stop();
}
END_TEST

START_TEST(test_half_an_answer) {
    vault_start(false);
    vault_submit();
    snprintf(vault.answers[VAULT_SIGN], VAULT_ANSWER_SIZE,
             "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 900\r\n\r\n{\"data\":{");
    vault.server.settings.steps[0] = SERVER_ANSWER_CLOSE;
    vault_assert(vault_submit(), CA_DOUBT, E_CA_DOUBT, "half a body");
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], 2);
    vault_stop();
}
END_TEST

START_TEST(test_fetch) {
    vault_start(false);
    snprintf(vault.client.units[0].handle, sizeof vault.client.units[0].handle, "01AB");
    client_fetch(&vault.client, &vault.client.units[0]);
    client_wait(&vault.client);
    vault_assert(&vault.client.units[0], CA_NOT_SENT, E_CA_UNSUPPORTED, "fetch");
    vault_stop();
}
END_TEST

START_TEST(test_many_over_few_connections) {
    vault_start(false);
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        client_submit(&vault.client, &vault.client.units[i]);
    }
    client_wait(&vault.client);
    vault_assert(&vault.client.units[0], CA_CERTIFICATE, ERROR_NONE, "its own");
    for (size_t i = 1; i < VAULT_UNITS; i++) {
        vault_assert(&vault.client.units[i], CA_DOUBT, E_CA_DOUBT, "that of unit 0");
    }
    ck_assert_uint_le(vault.server.connections, 4);
    ck_assert_uint_eq(vault.counts[VAULT_SIGN], VAULT_UNITS);
    vault_stop();
}
END_TEST

// Nothing comes any more, and nothing is left behind.
START_TEST(test_close_in_the_middle) {
    vault_start(false);
    vault_submit();
    vault.server.settings.steps[0] = SERVER_SILENT;
    for (size_t i = 0; i < VAULT_UNITS; i++) {
        client_submit(&vault.client, &vault.client.units[i]);
        client_reconcile(&vault.client, &vault.client.units[i]);
    }
    client_check(&vault.client);
    vault.client.ops->close(vault.client.ca);
    vault.client.ca = NULL;
    vault_stop();
}
END_TEST

// ---- opening ------------------------------------------------------------------------------------

static const struct {
    const char *ca_profile;
    const char *authority;
    const char *token; // NULL: no token_file
    enum error_code code;
} settings[] = {
    {NULL, "pki", "x", E_CA_CONFIG},         {"camera", "pki", NULL, E_CA_CONFIG},
    {"../x", "pki", "x", E_CA_CONFIG},       {"a/b", "pki", "x", E_CA_CONFIG},
    {"camera", "/pki", "x", E_CA_CONFIG},    {"camera", "pki/", "x", E_CA_CONFIG},
    {"camera", "a//b", "x", E_CA_CONFIG},    {"camera", "pki?x", "x", E_CA_CONFIG},
    {"camera", "pki", "", E_SECRET_MISSING},
};

START_TEST(test_settings) {
    struct error error = {0};
    struct ca *ca = NULL;
    static const struct ca_events events;
    vault_start(false);
    struct ca_settings wrong = vault.settings;
    wrong.ca_profile = settings[_i].ca_profile;
    wrong.authority = settings[_i].authority;
    wrong.token_file = settings[_i].token != NULL ? vault.token_file : NULL;
    if (settings[_i].token != NULL) {
        vault_write_token(settings[_i].token);
    }
    ck_assert(!vault.client.ops->open(vault.client.loop, &wrong, &events, NULL, &ca, &error));
    ck_assert_msg(error.code == settings[_i].code, "%s", error.text);
    vault_stop();
}
END_TEST

static Suite *vault_suite(void) {
    Suite *suite = suite_create("vault");
    TCase *tests = tcase_create("issue");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, test_sign);
    tcase_add_test(tests, test_end_of_the_issuer);
    tcase_add_loop_test(tests, test_bad_role, 0, ARRAY_LENGTH(bad_roles));
    tcase_add_loop_test(tests, test_names, 0, ARRAY_LENGTH(names));
    tcase_add_test(tests, test_hidden_role);
    tcase_add_test(tests, test_device_identity);
    tcase_add_loop_test(tests, test_malformed_role, 0, ARRAY_LENGTH(bad_role_answers));
    tcase_add_loop_test(tests, test_obstacle, 0, ARRAY_LENGTH(obstacles));
    tcase_add_loop_test(tests, test_sign_fault, 0, ARRAY_LENGTH(sign_faults));
    tcase_add_test(tests, test_role_is_changed);
    tcase_add_test(tests, test_lease);
    tcase_add_test(tests, test_redirect);
    tcase_add_test(tests, test_gateway);
    tcase_add_loop_test(tests, test_malformed_certificate, 0, ARRAY_LENGTH(bad_certificates));
    tcase_add_test(tests, test_certificate_of_another);
    tcase_add_test(tests, test_sent_once);
    tcase_add_test(tests, test_half_an_answer);
    tcase_add_test(tests, test_fetch);
    tcase_add_test(tests, test_many_over_few_connections);
    tcase_add_test(tests, test_close_in_the_middle);
    tcase_add_loop_test(tests, test_settings, 0, ARRAY_LENGTH(settings));
    suite_add_tcase(suite, tests);
    return suite;
}

int main(void) {
    SRunner *runner = srunner_create(vault_suite());
    signal(SIGPIPE, SIG_IGN); // of the server
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
