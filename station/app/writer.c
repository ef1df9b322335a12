// SPDX-License-Identifier: Apache-2.0
#include "station/app/writer.h"

#include "station/base/bytes.h"

bool writer_open(const struct config *config, enum store_mode mode, struct store **store,
                 struct error *error) {
    struct store_session session = {.version = BIRTHCERT_VERSION};
    *store = NULL;
    (void)text_copy(session.station, sizeof session.station, config->station); // the same sizes
    (void)text_copy(session.operator_name, sizeof session.operator_name, config->operator_name);
    return store_sqlite.open(config->store_path, mode, &session, store, error);
}

bool writer_commit(struct store *store, struct batch *batch, struct error *error) {
    if (!store_sqlite.commit(store, batch, error)) {
        return false;
    }
    for (size_t i = 0; i < batch->count; i++) {
        const struct answer *answer = &batch->answers[i];
        if (answer->code != ERROR_NONE) {
            return error_set(error, answer->code, "%s", answer->text);
        }
    }
    return true;
}
