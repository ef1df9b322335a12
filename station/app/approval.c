// SPDX-License-Identifier: Apache-2.0
#include "station/app/approval.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "station/base/bytes.h"

bool approval_check(const struct config *config, const char *verb, const char *approve,
                    struct error *error) {
    if (approve == NULL) {
        return error_set(error, E_USAGE, "%s: --approve is missing: the name of a second person",
                         verb);
    }
    if (config->operator_name[0] == '\0') {
        return error_set(error, E_CONFIG,
                         "%s: %s needs to know who asks for it: set operator in [station]",
                         config->file, verb);
    }
    if (strcasecmp(config->operator_name, approve) == 0) {
        return error_set(error, E_USAGE,
                         "--approve %s: that is the operator; a second person has to approve",
                         approve);
    }
    return true;
}

void approval_text(const char *approve, char *out, size_t capacity) {
    char escaped[4 * NAME_SIZE];
    text_escape(escaped, sizeof escaped, approve, strlen(approve));
    int room = (int)capacity - (int)sizeof "approved by ";
    snprintf(out, capacity, "approved by %.*s", room, escaped);
}
