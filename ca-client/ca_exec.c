// SPDX-License-Identifier: Apache-2.0
// A site's own CA: a program that is run for each request, with JSON in and out (docs/exec.md).
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca.h"
#include "ca-client/ca_exec_json.h"
#include "ca-client/call.h"
#include "ca-client/http.h"
#include "ca-client/rate.h"
#include "ca-client/site.h"
#include "ca-client/x509.h"
#include "station/base/clock.h"
#include "station/base/log.h"
#include "station/io/process.h"

#define TIMEOUT_DEFAULT_MS 30000
// sysexits.h has these for programs: it does not know the operation; it did nothing, try later.
#define STATUS_USAGE 64
#define STATUS_LATER 75

struct exec_call {
    struct call base;
    enum exec_operation operation;
    struct exec_call *next_waiting;
    struct process *process; // while it runs
};

struct ca {
    struct call_list calls;
    struct loop_timer *timer;
    struct rate rate;
    struct exec_call *first; // that wait
    struct exec_call *last;
    uint32_t running;
    uint32_t in_flight;
    uint32_t timeout_ms;
    bool resends_lost;
    int64_t opened_ms;      // monotonic
    int64_t opened_wall_ms; // and by the clock that requests are noted by
    struct site site;       // root_file and intermediates_file, for the report; it has no server
    char command[PATH_MAX];
};

// ---- answers ------------------------------------------------------------------------------------

// `answer` is NULL where there was none.
static void report(struct exec_call *call, const struct exec_answer *answer,
                   const struct error *error) {
    const struct ca *ca = call->base.list->owner;
    bool is_there = answer != NULL && (answer->is_good || answer->outcome == CA_REFUSED);
    struct ca_report report = {.reachable = is_there, .logged_in = is_there, .quota = -1};
    if (error->code != ERROR_NONE) {
        site_note_error(&report, error);
    }
    if (is_there) {
        struct slice none = {0};
        report.quota = answer->quota;
        site_report_chain(&ca->site, answer->chain != NULL ? buf_slice(answer->chain) : none,
                          clock_wall_ms(), &report);
    }
    report.policy_fits = report.error.code == ERROR_NONE;
    call_report(&call->base, &report);
}

static void finish_check(struct exec_call *call, const struct exec_answer *answer) {
    struct error error = {0};
    if (!answer->is_good) {
        // It knows nothing of this profile, or cannot work now.
        error_set(&error, answer->outcome == CA_REFUSED ? E_CA_POLICY : E_CA_UNREACHABLE, "%s",
                  answer->text[0] != '\0' ? answer->text : "the program gives no reason");
    }
    report(call, answer, &error);
}

static enum error_code code_of(const struct exec_answer *answer) {
    switch (answer->outcome) {
    case CA_NOT_SENT:
        return answer->retry_after_ms > 0 ? E_CA_BUSY : E_CA_UNREACHABLE;
    case CA_REFUSED:
        return E_CA_REFUSED;
    case CA_DOUBT:
        return E_CA_DOUBT;
    default:
        return ERROR_NONE;
    }
}

// A station that was killed ends no program: one that it started may be at work as long as it had been
// given. What was found before that is over counts for nothing, 0: it does.
static uint32_t too_early_ms(const struct exec_call *call) {
    const struct ca *ca = call->base.list->owner;
    int64_t left_ms = ca->opened_ms + ca->timeout_ms - call->base.started_ms;
    bool is_of_earlier = call->base.request.sent_ms <= ca->opened_wall_ms;
    return is_of_earlier && left_ms > 0 ? (uint32_t)left_ms : 0;
}

static void finish(struct exec_call *call, const struct exec_answer *answer) {
    struct ca_result result = {
        .outcome = answer->outcome,
        .retry_after_ms = answer->retry_after_ms,
        .handle = answer->handle[0] != '\0' ? answer->handle : NULL,
    };
    if (answer->outcome == CA_NOT_ISSUED && result.retry_after_ms == 0) {
        result.retry_after_ms = too_early_ms(call);
    }
    if (answer->outcome == CA_CANNOT_TELL) {
        call_hold(&call->base, answer->text[0] != '\0' ? answer->text : "the program cannot tell");
        return;
    }
    if (code_of(answer) != ERROR_NONE) {
        error_set(&result.error, code_of(answer), "%s: %s", exec_operation_name(call->operation),
                  answer->text[0] != '\0' ? answer->text : "the program gives no reason");
    }
    if (answer->outcome == CA_CERTIFICATE) {
        struct slice all = buf_slice(answer->chain);
        result.leaf = x509_first_der(all);
        result.extra =
            (struct slice){all.data + result.leaf.length, all.length - result.leaf.length};
    }
    call_finish(&call->base, &result);
}

// Without an answer that can be read nobody knows what the program did, but for an operation that
// does nothing.
static void finish_without_answer(struct exec_call *call, const struct error *error,
                                  bool did_nothing) {
    if (call->operation == EXEC_CHECK) {
        report(call, NULL, error);
        return;
    }
    bool is_harmless = did_nothing || call->operation == EXEC_FETCH;
    call_fail(&call->base,
              call->operation == EXEC_RECONCILE ? CA_DOUBT
              : is_harmless                     ? CA_NOT_SENT
                                                : CA_DOUBT,
              error, 0);
}

static void explain_end(const struct ca *ca, const struct process_result *result,
                        struct error *error) {
    const char *said = (const char *)result->messages.data;
    int length = (int)result->messages.length; // at most PROCESS_MESSAGES_MAX
    while (length > 0 && said[length - 1] == '\n') {
        length--;
    }
    const char *colon = length > 0 ? ": " : "";
    enum error_code code = result->status == STATUS_LATER ? E_CA_UNREACHABLE : E_CA_NONSENSE;
    switch (result->end) {
    case PROCESS_EXITED:
        error_set(error, code, "%s ended with status %d%s%.*s", ca->command, result->status, colon,
                  length, said);
        break;
    case PROCESS_SIGNALLED:
        error_set(error, code, "%s was ended by signal %d%s%.*s", ca->command, result->status,
                  colon, length, said);
        break;
    case PROCESS_TIMED_OUT:
        error_set(error, E_CA_UNREACHABLE, "%s took longer than %u s%s%.*s", ca->command,
                  ca->timeout_ms / 1000, colon, length, said);
        break;
    default:
        error_set(error, code, "%s said more than %d bytes", ca->command, HTTP_BODY_MAX);
    }
}

static void handle_failure(struct exec_call *call, const struct process_result *result) {
    const struct ca *ca = call->base.list->owner;
    bool has_exited = result->end == PROCESS_EXITED;
    bool is_unknown = has_exited && result->status == STATUS_USAGE;
    struct error error;
    explain_end(ca, result, &error);
    if (is_unknown && call->operation == EXEC_RECONCILE) {
        call_cannot_look(&call->base, ca->resends_lost);
    } else if (is_unknown && call->operation == EXEC_CHECK) {
        finish_check(call, &(struct exec_answer){.is_good = true, .quota = -1});
    } else if (is_unknown && call->operation == EXEC_REVOKE) {
        error.code = E_CA_UNSUPPORTED;
        error_prefix(&error, "this program revokes nothing");
        call_fail(&call->base, CA_REFUSED, &error, 0);
    } else {
        finish_without_answer(call, &error,
                              is_unknown || (has_exited && result->status == STATUS_LATER));
    }
}

static void handle_result(void *context, const struct process_result *result) {
    struct exec_call *call = context;
    struct ca *ca = call->base.list->owner;
    struct exec_answer answer;
    struct error error;
    call->process = NULL; // it frees itself
    ca->running--;
    loop_timer_start(ca->timer, 0);
    if (result->end != PROCESS_EXITED || result->status != 0) {
        handle_failure(call, result);
        return;
    }
    if (!exec_read_answer(call->operation, result->output, &answer, &error)) {
        finish_without_answer(call, &error, false);
        return;
    }
    if (call->operation == EXEC_CHECK) {
        finish_check(call, &answer);
    } else {
        finish(call, &answer);
    }
    buf_free(answer.chain);
}

// ---- questions ----------------------------------------------------------------------------------

static void start(struct exec_call *call) {
    struct ca *ca = call->base.list->owner;
    const char *const arguments[] = {ca->command, exec_operation_name(call->operation), NULL};
    struct error error;
    struct buf *question = exec_write_question(call->operation, &call->base, &error);
    if (question == NULL) {
        bool is_for_good = error.code != E_MEMORY && call->operation == EXEC_SUBMIT;
        call_fail(&call->base, is_for_good ? CA_REFUSED : CA_NOT_SENT, &error, 0);
        return;
    }
    const struct process_settings settings = {
        .arguments = arguments,
        .input = buf_slice(question),
        .output_max = HTTP_BODY_MAX,
        .timeout_ms = ca->timeout_ms,
    };
    if (process_start(call->base.list->loop, &settings, handle_result, call, &call->process,
                      &error)) {
        ca->running++;
    } else {
        finish_without_answer(call, &error, true);
    }
    buf_free(question);
}

static void pump(void *context) {
    struct ca *ca = context;
    int64_t wait_ms = 0;
    while (ca->first != NULL && ca->running < ca->in_flight) {
        if (!rate_take(&ca->rate, clock_monotonic_ms(), &wait_ms)) {
            loop_timer_start(ca->timer, wait_ms);
            return;
        }
        struct exec_call *call = ca->first;
        ca->first = call->next_waiting;
        ca->last = ca->first == NULL ? NULL : ca->last;
        start(call);
    }
}

static void ask(struct ca *ca, enum exec_operation operation, const struct ca_request *request,
                enum ca_revocation_reason reason) {
    struct exec_call *call =
        (struct exec_call *)call_new(&ca->calls, sizeof(struct exec_call), request);
    call->operation = operation;
    call->base.reason = reason;
    if (call_ends_early(&call->base)) {
        return;
    }
    if (ca->last != NULL) {
        ca->last->next_waiting = call;
    } else {
        ca->first = call;
    }
    ca->last = call;
    loop_timer_start(ca->timer, 0);
}

static void exec_check(struct ca *ca, const struct profile *profile) {
    const struct ca_request request = {.profile = profile};
    ask(ca, EXEC_CHECK, &request, CA_REVOKE_UNSPECIFIED);
}

static void exec_submit(struct ca *ca, const struct ca_request *request) {
    ask(ca, EXEC_SUBMIT, request, CA_REVOKE_UNSPECIFIED);
}

static void exec_fetch(struct ca *ca, const struct ca_request *request) {
    ask(ca, EXEC_FETCH, request, CA_REVOKE_UNSPECIFIED);
}

static void exec_reconcile(struct ca *ca, const struct ca_request *request) {
    ask(ca, EXEC_RECONCILE, request, CA_REVOKE_UNSPECIFIED);
}

static void exec_revoke(struct ca *ca, const struct ca_request *request,
                        enum ca_revocation_reason reason) {
    ask(ca, EXEC_REVOKE, request, reason);
}

// ---- opening ------------------------------------------------------------------------------------

static void end_process(struct call *call) {
    process_free(((struct exec_call *)call)->process);
}

// Who can change the program can issue: it is guarded as a key is.
static bool check_command(const char *name, char command[PATH_MAX], struct error *error) {
    struct stat status;
    if (name == NULL || name[0] == '\0') {
        return error_set(error, E_CA_CONFIG, "command is not set");
    }
    if (realpath(name, command) == NULL || stat(command, &status) != 0) {
        return error_set(error, E_CA_CONFIG, "command %s: %s", name, strerror(errno));
    }
    if (!S_ISREG(status.st_mode) || access(command, X_OK) != 0) {
        return error_set(error, E_CA_CONFIG, "command %s: is no program that this user may run",
                         name);
    }
    bool is_guarded = (status.st_uid == 0 || status.st_uid == geteuid()) &&
                      (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
    return is_guarded || error_set(error, E_CA_CONFIG,
                                   "command %s: others can change it: chmod go-w it, and see who "
                                   "owns it",
                                   name);
}

static void exec_close(struct ca *ca) {
    if (ca == NULL) {
        return;
    }
    call_list_end(&ca->calls);
    loop_timer_free(ca->timer);
    site_close(&ca->site);
    free(ca);
}

static bool set_up(struct ca *ca, struct loop *loop, const struct ca_settings *settings,
                   struct error *error) {
    ca->timer = loop_timer_new(loop, pump, ca);
    ca->in_flight = settings->in_flight > 0 ? settings->in_flight : 1;
    ca->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_DEFAULT_MS;
    ca->resends_lost = settings->resends_lost;
    ca->opened_ms = clock_monotonic_ms();
    ca->opened_wall_ms = clock_wall_ms();
    rate_init(&ca->rate, settings->requests_per_second, clock_monotonic_ms());
    return ca->timer != NULL && site_copy_files(&ca->site, settings)
               ? check_command(settings->command, ca->command, error)
               : error_set(error, E_MEMORY, "no memory for the CA");
}

static bool exec_open(struct loop *loop, const struct ca_settings *settings,
                      const struct ca_events *events, void *context, struct ca **out,
                      struct error *error) {
    struct ca *ca = calloc(1, sizeof *ca);
    *out = NULL;
    if (ca == NULL) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    ca->calls = (struct call_list){
        .loop = loop,
        .ca = settings->name,
        .events = *events,
        .context = context,
        .owner = ca,
        .on_free = end_process,
    };
    if (!set_up(ca, loop, settings, error)) {
        exec_close(ca);
        return error_prefix(error, "ca %s", settings->name != NULL ? settings->name : "exec");
    }
    *out = ca;
    return true;
}

static const char *const exec_keys[] = {"command", "lost_answer", "formerly", NULL};

const struct ca_ops ca_exec = {
    .name = "exec",
    .is_public = true,
    .settle_ms = 30000, // what it asks in turn may have lists that lag
    .can_revoke = true,
    .keys = exec_keys,
    .remark = "A program of the site's own that is run for each request, JSON in and out: see\n"
              "share/doc/birthcert/ca/exec.md.",
    .example = "backend = exec\n"
               "command = /usr/local/lib/birthcert/site-ca\n"
               "root_file = site/root.pem\n"
               "in_flight = 4\n",
    .open = exec_open,
    .close = exec_close,
    .check = exec_check,
    .submit = exec_submit,
    .fetch = exec_fetch,
    .reconcile = exec_reconcile,
    .revoke = exec_revoke,
};
