// SPDX-License-Identifier: Apache-2.0
#include "station/app/reader.h"

#include <errno.h>
#include <string.h>

bool reader_open(struct reader *reader, const struct options *options, struct error *error) {
    *reader = (struct reader){.ops = &store_sqlite};
    return config_load(options->config, &reader->config, error) &&
           reader->ops->open(reader->config->store_path, STORE_READ, NULL, &reader->store, error);
}

void reader_close(struct reader *reader) {
    if (reader->ops != NULL) {
        reader->ops->close(reader->store);
    }
    config_free(reader->config);
    *reader = (struct reader){0};
}

bool reader_can_write(const struct output *output) {
    return ferror(output->results) == 0;
}

bool reader_flush(struct output *output, struct error *error) {
    errno = 0;
    bool flushed = fflush(output->results) == 0;
    if (flushed && reader_can_write(output)) {
        return true;
    }
    return error_set(error, E_SYSTEM, "the results could not be written: %s",
                     errno != 0 ? strerror(errno) : "is the disk full, or the pipe closed?");
}
