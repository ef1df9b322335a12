// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca.h"

#include <string.h>

const struct ca_ops *const ca_table[] = {
    &ca_hvca,
    &ca_local,
    NULL,
};

const struct ca_ops *ca_find(const char *name) {
    for (size_t i = 0; ca_table[i] != NULL; i++) {
        if (strcmp(ca_table[i]->name, name) == 0) {
            return ca_table[i];
        }
    }
    return NULL;
}
