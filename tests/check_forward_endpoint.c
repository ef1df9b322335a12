// SPDX-License-Identifier: Apache-2.0
// The forwarder's configuration was edited while requests of its benches were with their CA: only the one
// that got them is asked.
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "station/app/forward.h"
#include "station/app/forward_parts.h"
#include "tests/support_folder.h"

static struct loop *loop;
static struct config *config;
static struct output output;
static struct forward *forward;
static struct outbox_message message;
static struct error error;
static enum ca_outcome outcome;

// Two CAs, one of which no profile names.
static void setup(void) {
    char file[128];
    folder_make();
    folder_path(file, sizeof file, "forward.conf");
    folder_write_text("forward.conf",
                      "[forward]\nsocket = sock\n"
                      "[ca mine]\nbackend = exec\ncommand = /bin/true\n"
                      "[ca other]\nbackend = exec\ncommand = /bin/sh\nformerly = exec /bin/false\n"
                      "[ca former]\nbackend = exec\ncommand = /bin/false\n"
                      "formerly = exec /opt/moved\n"
                      "[ca broken]\nbackend = exec\ncommand = /nowhere/program\n"
                      "[profile https]\nca = mine\n[profile idevid]\nca = mine\n");
    ck_assert_msg(config_load(file, &config, &error), "%s", error.text);
    output_init(&output, false, true);
    ck_assert(loop_new(&loop, &error));
    ck_assert_msg(forward_new(loop, config, &output, &forward, &error), "%s", error.text);
}

static void teardown(void) {
    forward_free(forward);
    loop_free(loop);
    config_free(config);
    folder_remove();
}

// The name of the section that is asked, "" for none.
static const char *choose(enum outbox_type type, const char *endpoint) {
    message.type = type;
    text_copy(message.endpoint, sizeof message.endpoint, endpoint);
    error = (struct error){0};
    const struct forward_ca *ca = forward_choose_ca(forward, config_find_profile(config, "https"),
                                                    &message, &outcome, &error);
    ck_assert((ca == NULL) == (error.code != ERROR_NONE));
    return ca != NULL ? ca->config->name : "";
}

START_TEST(says_what_is_behind) {
    struct ca_behind behind[CONFIG_PROFILES_MAX];
    ck_assert_uint_eq(forward_list_behind(forward, behind), 2);
    ck_assert_str_eq(behind[0].profile, "https");
    ck_assert_str_eq(behind[0].endpoint, "exec /bin/true");
    ck_assert_str_eq(behind[1].profile, "idevid");
    ck_assert_str_eq(behind[1].endpoint, "exec /bin/true");
}
END_TEST

// A bench of an earlier version says nothing.
START_TEST(the_profiles_own) {
    for (enum outbox_type type = OUTBOX_SUBMIT; type <= OUTBOX_REVOKE; type++) {
        ck_assert_str_eq(choose(type, ""), "mine");
        ck_assert_str_eq(choose(type, "exec /bin/true"), "mine");
    }
}
END_TEST

START_TEST(another_section_leads_there) {
    ck_assert_str_eq(choose(OUTBOX_RECONCILE, "exec /bin/false"), "former");
    ck_assert_str_eq(choose(OUTBOX_FETCH, "exec /bin/false"), "former");
    ck_assert_str_eq(choose(OUTBOX_RECONCILE, "exec /opt/moved"), "former");
    // Its address before is no longer its own where another one has it now.
    ck_assert_str_eq(choose(OUTBOX_REVOKE, "exec /bin/false"), "former");
    // A bench with a stale greeting notes a new intent.
    ck_assert_str_eq(choose(OUTBOX_SUBMIT, "exec /opt/moved"), "");
    ck_assert_uint_eq(forward->ca_count, 2); // opened once
    // What was not sent yet goes to the profile's CA, and nowhere else.
    ck_assert_str_eq(choose(OUTBOX_SUBMIT, "exec /bin/false"), "");
    ck_assert_int_eq(outcome, CA_NOT_SENT);
    ck_assert_int_eq(error.code, E_CA_CHANGED);
}
END_TEST

START_TEST(no_section_leads_there) {
    ck_assert_str_eq(choose(OUTBOX_RECONCILE, "exec /bin/gone"), "");
    ck_assert_int_eq(outcome, CA_CANNOT_TELL);
    ck_assert_int_eq(error.code, E_CA_CHANGED);
    ck_assert_str_eq(error.text,
                     "it was sent to exec /bin/gone, and the forwarder's [ca mine] leads to "
                     "exec /bin/true now");
    ck_assert_str_eq(choose(OUTBOX_FETCH, "exec /bin/gone"), "");
    ck_assert_int_eq(outcome, CA_NOT_SENT);
    ck_assert_int_eq(error.code, E_CA_CHANGED);
    ck_assert_str_eq(choose(OUTBOX_REVOKE, "exec /bin/gone"), "");
    ck_assert_int_eq(outcome, CA_NOT_SENT);
    ck_assert_int_eq(error.code, E_CA_CHANGED);
    // One that cannot be used now rules nothing out.
    ck_assert_str_eq(choose(OUTBOX_RECONCILE, "exec /nowhere/program"), "");
    ck_assert_int_eq(outcome, CA_NOT_SENT);
    ck_assert_int_eq(error.code, E_CA_CONFIG);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("forward, endpoint");
    TCase *tests = tcase_create("endpoint");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, says_what_is_behind);
    tcase_add_test(tests, the_profiles_own);
    tcase_add_test(tests, another_section_leads_there);
    tcase_add_test(tests, no_section_leads_there);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
