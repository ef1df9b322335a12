// SPDX-License-Identifier: Apache-2.0
// Where requests go, in words: what identifies the CA tells two sections apart, nothing else does.
#include "ca-client/endpoint.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"

// A section with everything in it; each backend takes what counts.
static const struct ca_settings full = {
    .name = "factory",
    .station = "bench 1",
    .url = "https://ca.example:8443/v2",
    .client_certificate_file = "/etc/station.pem",
    .client_key_file = "/etc/station.key",
    .server_root_file = "/etc/server-root.pem",
    .root_file = "/etc/root.pem",
    .api_key_file = "/etc/api_key",
    .api_secret_file = "/etc/api_secret",
    .extra_header = "X-Vault-Namespace: factory",
    .ca_certificate_file = "/etc/ca.pem",
    .username = "station-7",
    .password_file = "/etc/password",
    .token_file = "/etc/token",
    .ca_profile = "cameras",
    .authority = "CN=Issuing CA,O=Example",
    .end_entity_profile = "Camera",
    .provisioner = "line-1",
    .signing_key_file = "/etc/key.jwk",
    .command = "/usr/lib/site-ca",
    .socket = "/run/forward.sock",
    .price = "0.45 EUR",
};

static const char *text_of(const char *backend, const struct ca_settings *settings) {
    static char text[CA_ENDPOINT_SIZE];
    struct ca_settings own = *settings;
    own.backend = backend;
    memset(text, 'x', sizeof text);
    endpoint_text(&own, text);
    ck_assert_ptr_nonnull(memchr(text, '\0', sizeof text));
    return text;
}

START_TEST(test_each_backend) {
    static const struct {
        const char *backend;
        const char *text;
    } cases[] = {
        {"hvca", "hvca https://ca.example:8443/v2"},
        {"est", "est https://ca.example:8443/v2 ca_profile=cameras"},
        {"cmp",
         "cmp https://ca.example:8443/v2 ca_profile=cameras authority=CN=Issuing CA,O=Example"},
        {"ejbca", "ejbca https://ca.example:8443/v2"},
        {"cfssl", "cfssl https://ca.example:8443/v2 authority=CN=Issuing CA,O=Example"},
        {"stepca", "stepca https://ca.example:8443/v2 provisioner=line-1"},
        {"exec", "exec /usr/lib/site-ca"},
        {"outbox", "outbox"},
        {"file", "file"},
        {"local", "local"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ck_assert_str_eq(text_of(cases[i].backend, &full), cases[i].text);
    }
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        ck_assert_uint_ge(strlen(text_of(ca_table[i]->name, &full)), strlen(ca_table[i]->name));
        ck_assert_ptr_null(strstr(text_of(ca_table[i]->name, &full), "/etc/"));
        ck_assert_ptr_null(strstr(text_of(ca_table[i]->name, &full), "station-7"));
    }
}
END_TEST

START_TEST(test_url) {
    static const struct {
        const char *backend;
        const char *url;
        const char *text;
    } cases[] = {
        {"hvca", "HTTPS://Ca.Example:443/V2/", "hvca https://ca.example/V2"},
        {"hvca", "https://ca.example", "hvca https://ca.example"},
        {"hvca", "https://ca.example///", "hvca https://ca.example"},
        {"hvca", "https://ca.example:4430/v2", "hvca https://ca.example:4430/v2"},
        {"hvca", "https://ca.example:80/v2", "hvca https://ca.example:80/v2"},
        {"hvca", "http://127.0.0.1:80/v2", "hvca http://127.0.0.1/v2"},
        {"hvca", "http://[::1]:443/v2", "hvca http://[::1]:443/v2"},
        {"hvca", "https://[fe80::443]/v2", "hvca https://[fe80::443]/v2"},
        {"cmp", "https://ca.example/cmp/", "cmp https://ca.example/cmp/"},
        {"cmp", "https://ca.example/cmp", "cmp https://ca.example/cmp"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct ca_settings settings = {.url = cases[i].url};
        ck_assert_str_eq(text_of(cases[i].backend, &settings), cases[i].text);
    }
}
END_TEST

// Of the headers only the namespace chooses a CA; others may hold what is secret.
START_TEST(test_vault) {
    static const struct {
        const char *header;
        const char *mount;
        const char *text;
    } cases[] = {
        {NULL, NULL, "vault https://v:8200 authority=pki"},
        {"", "", "vault https://v:8200 authority=pki"},
        {NULL, "pki", "vault https://v:8200 authority=pki"},
        {NULL, "pki2", "vault https://v:8200 authority=pki2"},
        {"x-vault-namespace: line", "pki", "vault https://v:8200 namespace=line authority=pki"},
        {"X-Api-Key: very secret", "pki", "vault https://v:8200 authority=pki"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct ca_settings settings = {.url = "https://v:8200",
                                             .ca_profile = "camera",
                                             .extra_header = cases[i].header,
                                             .authority = cases[i].mount};
        ck_assert_str_eq(text_of("vault", &settings), cases[i].text);
    }
}
END_TEST

START_TEST(test_is_of) {
    struct ca_settings settings = {.backend = "hvca", .url = "https://new.example/v2/"};
    ck_assert(endpoint_is_of(&settings, "hvca https://new.example/v2"));
    ck_assert(endpoint_is_of(&settings, "")); // not known
    ck_assert(!endpoint_is_of(&settings, "hvca https://old.example/v2"));
    settings.formerly = "";
    ck_assert(!endpoint_is_of(&settings, "hvca https://old.example/v2"));
    settings.formerly = "hvca https://old.example/v2";
    ck_assert(endpoint_is_of(&settings, "hvca https://old.example/v2"));
    ck_assert(endpoint_is_of(&settings, "hvca https://new.example/v2"));
    ck_assert(!endpoint_is_of(&settings, "hvca https://old.example/v"));
    ck_assert(!endpoint_is_of(&settings, "est https://old.example/v2"));
}
END_TEST

START_TEST(test_formerly) {
    static const struct {
        const char *formerly;
        bool is_good;
    } cases[] = {
        {NULL, true},
        {"", true},
        {"hvca https://old.example/v2", true},
        {"hvca", false},
        {"hvcas https://old.example/v2", false},
        {"https://old.example/v2", false},
        {"est https://old.example/v2", false},
    };
    char text[CA_ENDPOINT_SIZE + 1];
    struct ca_settings settings = {.backend = "hvca"};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        settings.formerly = cases[i].formerly;
        ck_assert_msg(endpoint_check_formerly(&settings) == cases[i].is_good, "case %zu", i);
    }
    memset(text, 'a', sizeof text);
    memcpy(text, "hvca ", 5);
    settings.formerly = text;
    text[CA_ENDPOINT_SIZE] = '\0';
    ck_assert(!endpoint_check_formerly(&settings));
    text[CA_ENDPOINT_SIZE - 1] = '\0';
    ck_assert(endpoint_check_formerly(&settings));
}
END_TEST

// What does not fit is cut, and stays another one than what is alike in front.
START_TEST(test_long) {
    char command[400];
    char texts[4][CA_ENDPOINT_SIZE];
    const struct ca_settings settings = {.command = command};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        memset(command, 'a', sizeof command);
        command[0] = '/';
        command[i < 2 ? 300 : 301] = '\0';
        command[250] = i % 2 == 0 ? 'b' : 'c';
        text_copy(texts[i], sizeof texts[i], text_of("exec", &settings));
        ck_assert_uint_eq(strlen(texts[i]), CA_ENDPOINT_SIZE - 1);
        ck_assert_int_eq(strncmp(texts[i], "exec /aaa", 9), 0);
        for (size_t k = 0; k < i; k++) {
            ck_assert_str_ne(texts[i], texts[k]);
        }
    }
    for (size_t length = CA_ENDPOINT_SIZE - 8; length < CA_ENDPOINT_SIZE + 8; length++) {
        memset(command, 'a', sizeof command);
        command[0] = '/';
        command[length - strlen("exec ")] = '\0';
        const char *text = text_of("exec", &settings);
        ck_assert((strchr(text, '#') == NULL) == (length < CA_ENDPOINT_SIZE));
    }
    snprintf(command, sizeof command, "/k\303\244mera/\033[31m");
    ck_assert_str_eq(text_of("exec", &settings), "exec /k\\xc3\\xa4mera/\\x1b[31m");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("endpoint");
    TCase *tests = tcase_create("endpoint");
    tcase_add_test(tests, test_each_backend);
    tcase_add_test(tests, test_url);
    tcase_add_test(tests, test_vault);
    tcase_add_test(tests, test_is_of);
    tcase_add_test(tests, test_formerly);
    tcase_add_test(tests, test_long);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
