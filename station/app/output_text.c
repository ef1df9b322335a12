// SPDX-License-Identifier: Apache-2.0
#include <inttypes.h>

#include "station/app/output.h"
#include "station/app/output_safe.h"
#include "station/base/bytes.h"
#include "station/base/clock.h"
#include "station/core/request.h"

#define RED "\033[1;31m"
#define GREEN "\033[1;32m"
#define YELLOW "\033[1;33m"
#define PLAIN "\033[0m"

static const char *paint(const struct output *output, const char *color) {
    return output->color ? color : "";
}

static void put_verdict(struct output *output, const struct output_verdict *verdict) {
    bool failed = verdict->verdict == UNIT_FAIL;
    output_clear_status(output);
    fprintf(output->results, "%s%-4s%s  slot %-8s %s", paint(output, failed ? RED : GREEN),
            unit_verdict_name(verdict->verdict), paint(output, PLAIN), SAFE(verdict->slot),
            verdict->serial[0] != '\0' ? SAFE(verdict->serial) : "(no serial)");
    if (!failed) {
        fprintf(output->results, "  %.1f s\n", (double)verdict->elapsed_ms / 1000);
        return;
    }
    const char *remedy = error_code_remedy(verdict->error->code);
    fprintf(output->results, "  %s %s%s%s [%s %s]\n", error_code_text(verdict->error->code),
            SAFE(verdict->error->text), remedy[0] != '\0' ? "; " : "", remedy,
            SAFE(verdict->transport), SAFE(verdict->path));
}

static void put_check(struct output *output, const struct output_check *check) {
    static const char *const words[] = {"ok", "warning", "fault"};
    static const char *const colors[] = {GREEN, YELLOW, RED};
    fprintf(output->results, "%s%-7s%s  %s: %s%s%s%s%s\n", paint(output, colors[check->level]),
            words[check->level], paint(output, PLAIN), SAFE(check->subject),
            check->code[0] != '\0' ? check->code : "", check->code[0] != '\0' ? " " : "",
            SAFE(check->text), check->remedy[0] != '\0' ? "; " : "", SAFE(check->remedy));
}

static const char *result_word(const struct store_row *row) {
    static const char *const words[] = {"open", "FAILED", "PASSED", "SCRAPPED"};
    return words[row->unit.result];
}

// Of what is out of use, how far that has come.
static const char *state_word(const struct store_row *row) {
    bool has_ended =
        row->credential.request == REQUEST_WITHDRAWN && row->has_certificate && row->ended_ms != 0;
    return row->credential.number == 0 ? ""
           : has_ended                 ? output_certificate_state_name(row->certificate_state)
                                       : request_state_name(row->credential.request);
}

static void put_unit(struct output *output, const struct store_row *row) {
    char time[CLOCK_TEXT_SIZE];
    const char *state = state_word(row);
    clock_format_utc(time, row->finished_ms != 0 ? row->finished_ms : row->admitted_ms);
    fprintf(output->results, "%-24s %-7s %-12s %-10s %-12s slot %-8s %s", SAFE(row->unit.serial),
            result_word(row), row->credential.number == 0 ? "-" : SAFE(row->credential.profile),
            state, row->lot[0] != '\0' ? SAFE(row->lot) : "-", SAFE(row->slot), time);
    if (row->unit.result == UNIT_FAILED || row->unit.result == UNIT_SCRAPPED) {
        fprintf(output->results, "  %s %s", error_code_text(row->unit_error), SAFE(row->unit_text));
    }
    fputc('\n', output->results);
}

static void put_event(struct output *output, const struct store_event *event) {
    char time[CLOCK_TEXT_SIZE];
    clock_format_utc(time, event->time_ms);
    fprintf(output->results, "%4" PRIu32 "  %s  %-12s", event->sequence, time,
            SAFE(event->kind_text));
    if (event->credential != 0) {
        fprintf(output->results, " credential %u", event->credential);
    }
    if (event->slot[0] != '\0') {
        fprintf(output->results, " slot %s", SAFE(event->slot));
    }
    fprintf(output->results, " at %s%s%s", SAFE(event->station),
            event->operator_name[0] != '\0' ? " by " : "", SAFE(event->operator_name));
    if (event->code[0] != '\0' || event->text[0] != '\0') {
        fprintf(output->results, ": %s%s%s", SAFE(event->code), event->code[0] != '\0' ? " " : "",
                SAFE(event->text));
    }
    fputc('\n', output->results);
}

static void put_request(struct output *output, const struct output_request *request) {
    const struct store_row *row = request->row;
    char serial[2 * CERTIFICATE_SERIAL_MAX + 1] = "";
    if (row->has_certificate) {
        hex_encode(serial, row->certificate.serial, row->certificate.serial_length);
    }
    fprintf(output->results, "%-24s %-12s %s%s%s%s%s\n", SAFE(row->unit.serial),
            SAFE(row->credential.profile), SAFE(request->finding),
            serial[0] != '\0' ? ", certificate " : "", serial,
            request->remedy[0] != '\0' ? "; " : "", SAFE(request->remedy));
}

static void put_age(FILE *out, int64_t age_ms) {
    int64_t minutes = age_ms / 60000;
    if (minutes < 60) {
        fprintf(out, " %4" PRId64 " min", minutes);
    } else if (minutes < 48 * 60) {
        fprintf(out, " %4" PRId64 " h  ", minutes / 60);
    } else {
        fprintf(out, " %4" PRId64 " d  ", minutes / (24 * 60));
    }
}

static void put_certificate(struct output *output, const struct output_certificate *shown) {
    const struct store_certificate *stored = shown->stored;
    const struct error *error = shown->error;
    FILE *out = output->results;
    char serial[2 * CERTIFICATE_SERIAL_MAX + 1];
    hex_encode(serial, stored->certificate.serial, stored->certificate.serial_length);
    bool failed = error != NULL && error->code != ERROR_NONE;
    fprintf(out, "%-24s %-12s %-10s certificate %-20s", SAFE(stored->serial), SAFE(stored->profile),
            stored->ca[0] != '\0' ? SAFE(stored->ca) : "-", serial[0] != '\0' ? serial : "?");
    if (shown->age_ms > 0) {
        put_age(out, shown->age_ms);
        fprintf(out, "  %s", shown->price[0] != '\0' ? SAFE(shown->price) : "-");
    }
    fprintf(out, "  %s%s%s%s%s%s%s%s%s%s\n", SAFE(shown->finding),
            stored->reason[0] != '\0' ? " (" : "", SAFE(stored->reason),
            stored->reason[0] != '\0' ? ")" : "", failed ? ": " : "",
            failed ? error_code_text(error->code) : "", failed ? " " : "",
            failed ? SAFE(error->text) : "", shown->remedy[0] != '\0' ? "; " : "",
            SAFE(shown->remedy));
}

static void put_orphans(struct output *output, const struct output_orphans *orphans) {
    FILE *out = output->results;
    fprintf(out, "%zu certificate%s", orphans->count, orphans->count == 1 ? "" : "s");
    for (size_t i = 0; i < orphans->currency_count; i++) {
        fprintf(out, ", %s", SAFE(orphans->costs[i]));
    }
    if (orphans->at_work > 0) {
        fprintf(out, "; %zu more came a moment ago: their cameras may be at work",
                orphans->at_work);
    }
    fputc('\n', out);
}

static void put_summary(struct output *output, const struct output_summary *summary) {
    FILE *out = output->results;
    output_clear_status(output);
    fprintf(out,
            "\n%zu units%s%s: %zu passed, %zu already provisioned, %zu failed, %zu unfinished\n",
            summary->total, summary->lot[0] != '\0' ? " of lot " : "", SAFE(summary->lot),
            summary->passed, summary->already, summary->failed, summary->unfinished);
    for (size_t i = 0; i < summary->reason_count; i++) {
        fprintf(out, "  %zu x %s: %s\n", summary->reasons[i].count,
                error_code_text(summary->reasons[i].code),
                error_code_meaning(summary->reasons[i].code));
    }
    size_t tried = summary->passed + summary->failed + summary->unfinished;
    if (tried > 0) {
        fprintf(out, "first-pass yield %.1f %%, ",
                100.0 * (double)summary->first_pass / (double)tried);
    }
    fprintf(out, "%.1f s in all, takt %.2f s\n", (double)summary->elapsed_ms / 1000,
            (double)summary->takt_ms / 1000);
    fputs("mean time by step:", out);
    for (enum unit_state state = UNIT_ADMITTING; state < UNIT_DONE; state++) {
        if (summary->steps[state].visits > 0) {
            fprintf(out, " %s %.3f s;", unit_state_name(state),
                    (double)summary->steps[state].total_ms / 1000 /
                        (double)summary->steps[state].visits);
        }
    }
    fputc('\n', out);
}

static void put_error(struct output *output, const char *context, const struct error *error) {
    const char *remedy = error_code_remedy(error->code);
    output_clear_status(output);
    fprintf(output->messages, "birthcert: %s%s%s %s%s%s\n", SAFE(context),
            context[0] != '\0' ? ": " : "", error_code_text(error->code), SAFE(error->text),
            remedy[0] != '\0' ? "; " : "", remedy);
}

const struct output_ops output_text = {
    .verdict = put_verdict,
    .check = put_check,
    .unit = put_unit,
    .event = put_event,
    .request = put_request,
    .certificate = put_certificate,
    .orphans = put_orphans,
    .summary = put_summary,
    .error = put_error,
};
