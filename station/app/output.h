// SPDX-License-Identifier: Apache-2.0
// What the program says: one set of items, written as text for people or as JSON Lines for machines
// (OUTPUT.md). Results go to stdout, the rest to stderr. Everything hostile is escaped here.
#ifndef BIRTHCERT_APP_OUTPUT_H
#define BIRTHCERT_APP_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "db/store.h"
#include "station/app/price.h"
#include "station/base/error.h"
#include "station/core/unit.h"

enum exit_status {
    EXIT_OK = 0,
    EXIT_UNIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_NOTHING_TO_DO = 3,
    EXIT_STATION = 4,
    EXIT_INTEGRITY = 5,
};

// The exit status that goes with an error.
int exit_status_of(const struct error *error);

struct output_verdict {
    const char *slot;
    const char *transport; // and path: the slot's port
    const char *path;
    const char *serial; // "" where the camera did not say
    const char *model;
    enum unit_verdict verdict;
    const struct error *error; // of a FAIL
    int64_t elapsed_ms;        // since the camera was found
};

enum output_level { OUTPUT_OK, OUTPUT_WARNING, OUTPUT_FAULT };

// One line of doctor.
struct output_check {
    enum output_level level;
    const char *subject; // "database", "slot 3", "CA factory"
    const char *text;
    const char *remedy; // "" where there is nothing to do
    const char *code;   // "" or E-...
};

// One line of reconcile: a request, or a certificate that is not installed.
struct output_request {
    const struct store_row *row;
    const char *finding; // "issued", "not issued: queued again", "held", "issued, not installed"
    const char *remedy;
};

// One certificate: what revoke, scrap, rework and reconcile did to it, or what orphans found.
struct output_certificate {
    const struct store_certificate *stored; // without a serial number: one that may be at the CA
    const char *finding;
    const char *remedy;        // "" where there is nothing to do
    const struct error *error; // NULL where there is none
    int64_t age_ms;            // of an orphan; 0 else
    const char *price;         // "" where it is not known
};

// The end of orphans.
struct output_orphans {
    size_t count;
    size_t at_work; // that came a moment ago, to cameras that may be in their slots; not in `count`
    size_t currency_count;
    char costs[PRICE_CURRENCIES_MAX][PRICE_TEXT_SIZE]; // "1.35 EUR"
};

#define SUMMARY_REASONS_MAX 16

struct output_summary {
    const char *lot;
    size_t total;
    size_t passed;
    size_t already;
    size_t failed;
    size_t unfinished;
    size_t first_pass; // passed in one go, without having been taken up before
    int64_t elapsed_ms;
    int64_t takt_ms; // elapsed by finished units; 0: none
    size_t reason_count;
    struct {
        enum error_code code;
        size_t count;
    } reasons[SUMMARY_REASONS_MAX];
    struct {
        uint64_t visits;
        int64_t total_ms;
    } steps[UNIT_STATE_COUNT];
};

struct output;

struct output_ops {
    void (*verdict)(struct output *output, const struct output_verdict *verdict);
    void (*check)(struct output *output, const struct output_check *check);
    void (*unit)(struct output *output, const struct store_row *row);
    void (*event)(struct output *output, const struct store_event *event);
    void (*request)(struct output *output, const struct output_request *request);
    void (*certificate)(struct output *output, const struct output_certificate *certificate);
    void (*orphans)(struct output *output, const struct output_orphans *orphans);
    void (*summary)(struct output *output, const struct output_summary *summary);
    // To stderr. `context` is where it happened ("slot 3, serial X"), "" for nowhere special.
    void (*error)(struct output *output, const char *context, const struct error *error);
};

struct output {
    const struct output_ops *ops;
    FILE *results;  // stdout
    FILE *messages; // stderr
    bool json;
    bool color;
    bool live; // stderr is a terminal: a status line may be redrawn on it
    bool has_status_line;
};

// `no_color` is --no-color; NO_COLOR and a stdout that is no terminal say the same.
void output_init(struct output *output, bool json, bool no_color);

// Static text. "proved", or "replaced" where the board that it was on was swapped; "revoking".
const char *output_install_name(const struct store_row *row);
const char *output_certificate_state_name(enum certificate_state state);

// A line for people on stderr; nothing with --json.
void output_note(struct output *output, const char *format, ...) PRINTF_LIKE(2, 3);

// Redraws the status line on a terminal; nothing elsewhere. The next item clears it first.
void output_status(struct output *output, const char *line);
void output_clear_status(struct output *output);

extern const struct output_ops output_text;
extern const struct output_ops output_json;

#endif
