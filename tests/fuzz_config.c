// SPDX-License-Identifier: Apache-2.0
// Two texts, the file and a drop-in, with a NUL NUL between them.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "station/app/config_build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct error error;
    struct config *config = NULL;
    const uint8_t *split = size > 0 ? memmem(data, size, "\0\0", 2) : NULL;
    struct slice first = {data, split != NULL ? (size_t)(split - data) : size};
    struct slice second = {split != NULL ? split + 2 : NULL,
                           split != NULL ? size - first.length - 2 : 0};
    struct config_source *source = config_source_new();
    if (source == NULL) {
        return 0;
    }
    if (config_source_add_text(source, "bench/birthcert.conf", first, &error) &&
        config_source_add_text(source, "bench/conf.d/x.conf", second, &error) &&
        config_build(source, "bench/birthcert.conf", &config, &error) &&
        (config->slot_count == 0 || config->profile_count == 0)) {
        abort();
    }
    config_free(config);
    config_source_free(source);
    return 0;
}
