// SPDX-License-Identifier: Apache-2.0
// Answers of a site's own CA program. The first byte says to what.
#include <stdlib.h>
#include <string.h>

#include "ca-client/ca_exec_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool condition) {
    if (!condition) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct exec_answer answer;
    struct error error;
    if (size == 0) {
        return 0;
    }
    enum exec_operation operation = (enum exec_operation)(data[0] % EXEC_OPERATION_COUNT);
    if (!exec_read_answer(operation, (struct slice){data + 1, size - 1}, &answer, &error)) {
        need(answer.chain == NULL && error.code != ERROR_NONE);
        return 0;
    }
    need(answer.outcome != CA_CERTIFICATE || buf_length(answer.chain) > 0);
    need(operation != EXEC_SUBMIT || answer.outcome != CA_ACCEPTED || answer.handle[0] != '\0');
    need(memchr(answer.text, '\0', sizeof answer.text) != NULL);
    buf_free(answer.chain);
    return 0;
}
