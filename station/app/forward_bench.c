// SPDX-License-Identifier: Apache-2.0
// A bench's connection: what is said on it, and its end.
#include "station/app/forward_parts.h"

void forward_drop_bench(struct forward_bench *bench, const struct error *why) {
    output_note(bench->forward->output, "bench %s (connection %llu) is gone: %s",
                bench->name[0] != '\0' ? bench->name : "-", (unsigned long long)bench->number,
                why->text);
    outbox_line_free(bench->line);
    *bench = (struct forward_bench){.forward = bench->forward};
}

void forward_send_out(struct forward_bench *bench, bool was_put) {
    struct error error;
    if (!was_put || !outbox_line_put(bench->line, buf_slice(bench->forward->out))) {
        error_set(&error, E_CA_BUSY, "it does not take its answers");
        forward_drop_bench(bench, &error);
    }
}
