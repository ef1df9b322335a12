// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca.h"

#include <string.h>

const struct ca_ops *const ca_table[] = {
    &ca_hvca,
    &ca_cmp,
    &ca_local,
    NULL,
};

static const char *const common_keys[] = {
    "backend", "root_file", "intermediates_file", "in_flight", "timeout", "requests_per_second",
    "settle",  NULL,
};

static bool is_listed(const char *const *names, const char *name) {
    for (size_t i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

const struct ca_ops *ca_find(const char *name) {
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        if (strcmp(ca_table[i]->name, name) == 0) {
            return ca_table[i];
        }
    }
    return NULL;
}

bool ca_takes_key(const struct ca_ops *ops, const char *key) {
    return is_listed(common_keys, key) || is_listed(ops->keys, key);
}
