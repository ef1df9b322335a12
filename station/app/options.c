// SPDX-License-Identifier: Apache-2.0
#include "station/app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "station/base/bytes.h"
#include "station/base/clock.h"

enum global_option {
    GLOBAL_CONFIG = 1 << 24, // above every option of a verb
    GLOBAL_JSON,
    GLOBAL_NO_COLOR,
    GLOBAL_VERBOSE,
    GLOBAL_HELP
};

static const struct option option_table[] = {
    {"config", required_argument, NULL, GLOBAL_CONFIG},
    {"json", no_argument, NULL, GLOBAL_JSON},
    {"no-color", no_argument, NULL, GLOBAL_NO_COLOR},
    {"verbose", no_argument, NULL, GLOBAL_VERBOSE},
    {"help", no_argument, NULL, GLOBAL_HELP},
    {"slot", required_argument, NULL, OPTION_SLOT},
    {"once", no_argument, NULL, OPTION_ONCE},
    {"serial", required_argument, NULL, OPTION_SERIAL},
    {"lot", required_argument, NULL, OPTION_LOT},
    {"state", required_argument, NULL, OPTION_STATE},
    {"since", required_argument, NULL, OPTION_SINCE},
    {"until", required_argument, NULL, OPTION_UNTIL},
    {"format", required_argument, NULL, OPTION_FORMAT},
    {"wait", required_argument, NULL, OPTION_WAIT},
    {"watch", no_argument, NULL, OPTION_WATCH},
    {"scan", no_argument, NULL, OPTION_SCAN},
    {"again", no_argument, NULL, OPTION_AGAIN},
    {"issue", no_argument, NULL, OPTION_ISSUE},
    {"reason", required_argument, NULL, OPTION_REASON},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"approve", required_argument, NULL, OPTION_APPROVE},
    {"profile", required_argument, NULL, OPTION_PROFILE},
    {NULL, 0, NULL, 0},
};

static bool read_time(const char *name, int64_t *wall_ms, struct error *error) {
    return clock_parse_utc(optarg, wall_ms) ||
           error_set(error, E_USAGE, "--%s %s: a time looks like 2026-03-01 or 2026-03-01T12:34",
                     name, optarg);
}

static bool read_name(const char *name, size_t capacity, const char **value, struct error *error) {
    if (!text_is_label(optarg) || strlen(optarg) >= capacity) {
        return error_set(error, E_USAGE, "--%s: 1 to %zu printable characters are allowed", name,
                         capacity - 1);
    }
    *value = optarg;
    return true;
}

static bool read_wait(struct options *options, struct error *error) {
    char *end;
    unsigned long seconds = strtoul(optarg, &end, 10);
    if (*end != '\0' || end == optarg || optarg[0] == '-' || seconds > 86400) {
        return error_set(error, E_USAGE, "--wait %s: whole seconds, at most 86400", optarg);
    }
    options->wait_s = (uint32_t)seconds;
    options->has_wait = true;
    return true;
}

static bool take_option(int code, struct options *options, struct error *error) {
    switch (code) {
    case GLOBAL_CONFIG:
        options->config = optarg;
        return true;
    case GLOBAL_JSON:
        options->json = true;
        return true;
    case GLOBAL_NO_COLOR:
        options->no_color = true;
        return true;
    case GLOBAL_VERBOSE:
        options->verbose = true;
        return true;
    case GLOBAL_HELP:
        options->help = true;
        return true;
    case OPTION_SLOT:
        return read_name("slot", NAME_SIZE, &options->slot, error);
    case OPTION_ONCE:
        options->once = true;
        return true;
    case OPTION_SERIAL:
        return read_name("serial", SERIAL_SIZE, &options->serial, error);
    case OPTION_LOT:
        return read_name("lot", NAME_SIZE, &options->lot, error);
    case OPTION_STATE:
        options->state = optarg;
        return true;
    case OPTION_SINCE:
        return read_time("since", &options->since_ms, error);
    case OPTION_UNTIL:
        return read_time("until", &options->until_ms, error);
    case OPTION_FORMAT:
        options->format = optarg;
        return true;
    case OPTION_SCAN:
        options->scan = true;
        return true;
    case OPTION_ISSUE:
        options->issue = true;
        return true;
    case OPTION_AGAIN:
        options->again = true;
        return true;
    case OPTION_REASON:
        options->reason = optarg;
        return true;
    case OPTION_CERTIFICATE:
        options->certificate = optarg;
        return true;
    case OPTION_APPROVE:
        return read_name("approve", NAME_SIZE, &options->approve, error);
    case OPTION_PROFILE:
        return read_name("profile", NAME_SIZE, &options->profile, error);
    case OPTION_WATCH:
        options->watch = true;
        return true;
    default:
        return read_wait(options, error);
    }
}

bool options_read_reason(const struct options *options, enum ca_revocation_reason *reason,
                         struct error *error) {
    return ca_revocation_reason_find(options->reason, reason) ||
           error_set(error, E_USAGE,
                     "--reason %s: unspecified, keyCompromise, affiliationChanged, superseded, "
                     "cessationOfOperation and privilegeWithdrawn are allowed",
                     options->reason);
}

// Whether `word` is the one that the usage has behind the verb: "test" of "ca test NAME".
static bool is_of_pair(const struct verb *verb, const char *word) {
    const char *known = verb->usage + strlen(verb->name) + 1;
    size_t length = strcspn(known, " ");
    return strlen(word) == length && memcmp(word, known, length) == 0;
}

static bool take_argument(const struct verb *verb, int argc, char **argv, struct options *options,
                          struct error *error) {
    int given = argc - optind;
    int allowed = verb->argument == ARGUMENT_NONE ? 0 : verb->argument == ARGUMENT_PAIR ? 2 : 1;
    int needed = verb->argument == ARGUMENT_OPTIONAL ? 0 : allowed;
    if (verb->argument == ARGUMENT_PAIR && given > 0 && !options->help &&
        !is_of_pair(verb, argv[optind])) {
        return error_set(error, E_USAGE, "%s: \"%s\" is not known; usage: birthcert %s", verb->name,
                         argv[optind], verb->usage);
    }
    if (given > allowed) {
        return error_set(error, E_USAGE, "%s: \"%s\" is too much; usage: birthcert %s", verb->name,
                         argv[optind + allowed], verb->usage);
    }
    options->argument = given > 0 ? argv[optind] : NULL;
    options->object = given > 1 ? argv[optind + 1] : NULL;
    if (given < needed && !options->help) {
        return error_set(error, E_USAGE, "%s: something is missing; usage: birthcert %s",
                         verb->name, verb->usage);
    }
    return true;
}

// The word that getopt has stopped at. It goes on to the next one only after the last letter of one
// with short options.
static const char *stopped_at(int argc, char **argv) {
    const char *next = optind < argc ? argv[optind] : "";
    bool is_next = optopt != 0 && next[0] == '-' && next[1] == (char)optopt && next[2] != '\0';
    return is_next ? next : argv[optind - 1];
}

// Why getopt has stopped: `code` is what it returned.
static const char *why_stopped(int code, const char *word) {
    bool takes_none = optopt != 0 && strncmp(word, "--", 2) == 0 && strchr(word, '=') != NULL;
    return code == ':' ? "needs a value" : takes_none ? "takes no value" : "is not known";
}

bool options_parse(const struct verb *verb, int argc, char **argv, struct options *options,
                   struct error *error) {
    int code;
    int index = 0;
    *options = (struct options){0};
    optind = 2;
    opterr = 0;
    while ((code = getopt_long(argc, argv, ":", option_table, &index)) != -1) {
        if (code == ':' || code == '?') {
            const char *word = stopped_at(argc, argv);
            return error_set(error, E_USAGE, "%s: option \"%s\" %s; usage: birthcert %s",
                             verb->name, word, why_stopped(code, word), verb->usage);
        }
        if (code < GLOBAL_CONFIG && (verb->options & (unsigned)code) == 0) {
            return error_set(error, E_USAGE, "%s takes no --%s; usage: birthcert %s", verb->name,
                             option_table[index].name, verb->usage);
        }
        if (!take_option(code, options, error)) {
            return false;
        }
    }
    return take_argument(verb, argc, argv, options, error);
}

// Cut short it counts as well, as getopt_long takes it: no other option begins with --j.
bool options_want_json(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        size_t length = strlen(argv[i]);
        if (length >= strlen("--j") && strncmp(argv[i], "--json", length) == 0) {
            return true;
        }
    }
    return false;
}

static const char global_help[] =
    "Options of every verb:\n"
    "  --config FILE   the configuration (else $BIRTHCERT_CONFIG, birthcert.conf in this folder,\n"
    "                  /etc/birthcert/birthcert.conf)\n"
    "  --json          one JSON object a line on stdout and stderr, for machines\n"
    "  --no-color      no colours (NO_COLOR in the environment says the same)\n"
    "  --verbose       more about what happens, on stderr\n"
    "  --help          help, with an example\n"
    "Exit status: 0 all well, 1 a unit failed, 2 usage or configuration, 3 nothing to do,\n"
    "  4 the station or the CA is at fault, 5 integrity: a person has to look\n";

void options_print_help(const struct verb *verb) {
    if (verb != NULL) {
        printf("birthcert %s\n\n%s\n\n%s", verb->usage, verb->help, global_help);
        return;
    }
    puts("birthcert gives each network camera its certificate before it leaves the factory.\n");
    for (const struct verb *row = verb_table; row->name != NULL; row++) {
        printf("  birthcert %-52s %s\n", row->usage, row->summary);
    }
    printf("\n%s\nbirthcert --version says which version this is.\n", global_help);
}
