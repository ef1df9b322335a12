// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "station/app/options.h"
#include "station/base/log.h"

static int fail(bool json, const struct error *error) {
    struct output output;
    output_init(&output, json, false);
    output.ops->error(&output, "", error);
    return exit_status_of(error);
}

int main(int argc, char **argv) {
    struct error error;
    struct options options;
    struct output output;
    prctl(PR_SET_DUMPABLE, 0); // a core dump would hold the CA's credentials
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        options_print_help(NULL);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        options_print_help(NULL);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("birthcert " BIRTHCERT_VERSION);
        return EXIT_OK;
    }
    const struct verb *verb = verb_find(argv[1]);
    if (verb == NULL) {
        error_set(&error, E_USAGE, "there is no verb \"%s\"", argv[1]);
        return fail(options_want_json(argc, argv), &error);
    }
    if (!options_parse(verb, argc, argv, &options, &error)) {
        return fail(options_want_json(argc, argv), &error);
    }
    if (options.help) {
        options_print_help(verb);
        return EXIT_OK;
    }
    log_set_level(options.verbose ? LOG_INFO : LOG_ERROR);
    log_set_json(options.json);
    output_init(&output, options.json, options.no_color);
    return verb->run(&options, &output);
}
