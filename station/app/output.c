// SPDX-License-Identifier: Apache-2.0
#include "station/app/output.h"

#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>

#include "station/base/bytes.h"

int exit_status_of(const struct error *error) {
    switch (error_code_class(error->code)) {
    case ERROR_CLASS_NONE:
        return EXIT_OK;
    case ERROR_CLASS_UNIT:
        return EXIT_UNIT_FAILED;
    case ERROR_CLASS_USAGE:
        return error->code == E_NOTHING_TO_DO ? EXIT_NOTHING_TO_DO : EXIT_USAGE;
    case ERROR_CLASS_INTEGRITY:
        return EXIT_INTEGRITY;
    default:
        return EXIT_STATION;
    }
}

const char *output_install_name(const struct store_row *row) {
    static const char *const names[] = {"none", "started", "installed", "proved"};
    unsigned install = (unsigned)row->credential.install;
    bool is_replaced = row->is_old_board && install > INSTALL_NONE;
    return is_replaced ? "replaced" : install < ARRAY_LENGTH(names) ? names[install] : "?";
}

const char *output_certificate_state_name(enum certificate_state state) {
    static const char *const names[] = {
        [CERTIFICATE_LIVE] = "live",           [CERTIFICATE_QUARANTINED] = "quarantined",
        [CERTIFICATE_REVOKING] = "revoking",   [CERTIFICATE_REVOKED] = "revoked",
        [CERTIFICATE_WITHDRAWN] = "withdrawn",
    };
    bool is_known = (unsigned)state < ARRAY_LENGTH(names) && names[state] != NULL;
    return is_known ? names[state] : "?";
}

void output_init(struct output *output, bool json, bool no_color) {
    const char *variable = getenv("NO_COLOR"); // https://no-color.org: set and not empty
    bool wanted = !no_color && (variable == NULL || variable[0] == '\0');
    *output = (struct output){
        .ops = json ? &output_json : &output_text,
        .results = stdout,
        .messages = stderr,
        .json = json,
        .color = wanted && !json && isatty(STDOUT_FILENO) == 1,
        .live = !json && isatty(STDERR_FILENO) == 1,
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
}

void output_note(struct output *output, const char *format, ...) {
    va_list arguments;
    if (output->json) {
        return;
    }
    output_clear_status(output);
    va_start(arguments, format);
    vfprintf(output->messages, format, arguments);
    va_end(arguments);
    fputc('\n', output->messages);
}

void output_status(struct output *output, const char *line) {
    if (output->live) {
        fprintf(output->messages, "\r\033[K%s", line);
        fflush(output->messages);
        output->has_status_line = true;
    }
}

void output_clear_status(struct output *output) {
    if (output->has_status_line) {
        fputs("\r\033[K", output->messages);
        output->has_status_line = false;
    }
}
