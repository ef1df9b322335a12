// SPDX-License-Identifier: Apache-2.0
// The command line: birthcert VERB [OPTION...] [ARGUMENT].
#ifndef BIRTHCERT_APP_OPTIONS_H
#define BIRTHCERT_APP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "station/app/output.h"
#include "station/base/error.h"

// Which options a verb takes besides the global ones.
enum option_set {
    OPTION_SLOT = 1 << 0,
    OPTION_ONCE = 1 << 1,
    OPTION_SERIAL = 1 << 2,
    OPTION_LOT = 1 << 3,
    OPTION_STATE = 1 << 4,
    OPTION_SINCE = 1 << 5,
    OPTION_UNTIL = 1 << 6,
    OPTION_FORMAT = 1 << 7,
    OPTION_WAIT = 1 << 8,
    OPTION_WATCH = 1 << 9,
    OPTION_SCAN = 1 << 10,
    OPTION_AGAIN = 1 << 14,
    OPTION_ISSUE = 1 << 15,
    OPTION_REASON = 1 << 11,
    OPTION_CERTIFICATE = 1 << 12,
    OPTION_APPROVE = 1 << 13,
    OPTION_PROFILE = 1 << 16,
};

// NULL, 0 or false where not given. Strings point into argv.
struct options {
    const char *config;
    bool json;
    bool no_color;
    bool verbose;
    bool help;
    const char *slot;
    bool once;
    const char *serial;
    const char *lot;
    const char *state;
    int64_t since_ms;
    int64_t until_ms;
    const char *format;
    uint32_t wait_s;
    bool has_wait;
    bool watch;
    bool scan;
    bool again;
    bool issue;
    const char *reason;
    const char *certificate;
    const char *approve;
    const char *profile;
    const char *argument;
    const char *object; // of ARGUMENT_PAIR the second
};

enum verb_argument {
    ARGUMENT_NONE,
    ARGUMENT_OPTIONAL,
    ARGUMENT_REQUIRED,
    ARGUMENT_PAIR, // what to do, which the usage begins with, and with what: "ca test NAME"
};

// One verb: a row of the table in verbs.c.
struct verb {
    const char *name;
    int (*run)(const struct options *options, struct output *output); // exit status
    enum verb_argument argument;
    unsigned options;    // enum option_set
    const char *usage;   // "tray MANIFEST.csv [--lot LOT]"
    const char *summary; // one line
    const char *help;    // what it does, and an example
};

extern const struct verb verb_table[]; // ends with a NULL name
const struct verb *verb_find(const char *name);

// Reads argv[2..] for a verb. E_USAGE.
MUST_CHECK bool options_parse(const struct verb *verb, int argc, char **argv,
                              struct options *options, struct error *error);

// Whether --json stands on the command line, which may not be understood otherwise: who asked for it
// reads the error too.
bool options_want_json(int argc, char **argv);

// Reads --reason, which was given: a name of RFC 5280, section 5.3.1. E_USAGE.
MUST_CHECK bool options_read_reason(const struct options *options,
                                    enum ca_revocation_reason *reason, struct error *error);

// Prints all verbs, or one.
void options_print_help(const struct verb *verb);

// cmd_*.c, one each. They print their own errors and return the exit status.
int cmd_init(const struct options *options, struct output *output);
int cmd_doctor(const struct options *options, struct output *output);
int cmd_run(const struct options *options, struct output *output);
int cmd_tray(const struct options *options, struct output *output);
int cmd_list(const struct options *options, struct output *output);
int cmd_show(const struct options *options, struct output *output);
int cmd_export(const struct options *options, struct output *output);
int cmd_reconcile(const struct options *options, struct output *output);
int cmd_revoke(const struct options *options, struct output *output);
int cmd_scrap(const struct options *options, struct output *output);
int cmd_rework(const struct options *options, struct output *output);
int cmd_orphans(const struct options *options, struct output *output);
int cmd_release(const struct options *options, struct output *output);
int cmd_forward(const struct options *options, struct output *output);
int cmd_ports(const struct options *options, struct output *output);
int cmd_outbox(const struct options *options, struct output *output);
int cmd_crl(const struct options *options, struct output *output);
int cmd_inbox(const struct options *options, struct output *output);
int cmd_ca(const struct options *options, struct output *output);
int cmd_diagram(const struct options *options, struct output *output);

#endif
