// SPDX-License-Identifier: Apache-2.0
// What is said to a site's own CA program and what it answers: docs/exec.md. Pure; the answer is
// hostile text under the caps of json_load.h.
#ifndef BIRTHCERT_CA_EXEC_JSON_H
#define BIRTHCERT_CA_EXEC_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/call.h"
#include "station/base/buf.h"
#include "station/base/error.h"

enum exec_operation {
    EXEC_CHECK,
    EXEC_SUBMIT,
    EXEC_FETCH,
    EXEC_RECONCILE,
    EXEC_REVOKE,
    EXEC_OPERATION_COUNT
};

// The word that stands for it: "submit".
const char *exec_operation_name(enum exec_operation operation);

// The program's input. The caller frees it; NULL and an error where a name does not fill (E_CONFIG,
// E_CAM_MALFORMED) or without memory.
struct buf *exec_write_question(enum exec_operation operation, const struct call *call,
                                struct error *error);

#define EXEC_TEXT_SIZE 160

struct exec_answer {
    bool is_good; // check: "ok"
    enum ca_outcome outcome;
    char text[EXEC_TEXT_SIZE]; // what it says for a person, not escaped; ""
    char handle[CA_HANDLE_SIZE];
    uint32_t retry_after_ms;
    int64_t quota; // check; -1: it does not say
    struct buf
        *chain; // DER: certificate and what is above it; check: the CA's own. Owned, may be NULL
};

// Reads an answer to `operation`; E_CA_NONSENSE, and nothing to free, where it is none. Else the
// caller frees answer->chain.
MUST_CHECK bool exec_read_answer(enum exec_operation operation, struct slice text,
                                 struct exec_answer *answer, struct error *error);

#endif
