// SPDX-License-Identifier: Apache-2.0
#include "ca-client/ca.h"

#include <string.h>
#include <strings.h>

const struct ca_ops *const ca_table[] = {
    &ca_hvca,  &ca_est,  &ca_cmp,  &ca_ejbca,  &ca_cfssl, &ca_stepca,
    &ca_vault, &ca_exec, &ca_file, &ca_outbox, &ca_local, NULL,
};

static const char *const common_keys[] = {
    "backend",   "root_file", "intermediates_file",
    "in_flight", "timeout",   "requests_per_second",
    "settle",    "price",     NULL,
};

static const char *const reason_names[] = {
    [CA_REVOKE_UNSPECIFIED] = "unspecified",
    [CA_REVOKE_KEY_COMPROMISE] = "keyCompromise",
    [CA_REVOKE_AFFILIATION_CHANGED] = "affiliationChanged",
    [CA_REVOKE_SUPERSEDED] = "superseded",
    [CA_REVOKE_CESSATION_OF_OPERATION] = "cessationOfOperation",
    [CA_REVOKE_PRIVILEGE_WITHDRAWN] = "privilegeWithdrawn",
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

const char *ca_revocation_reason_name(enum ca_revocation_reason reason) {
    return (unsigned)reason < CA_REVOKE_COUNT ? reason_names[reason] : NULL;
}

bool ca_revocation_reason_find(const char *name, enum ca_revocation_reason *reason) {
    for (unsigned i = 0; i < CA_REVOKE_COUNT; i++) {
        if (strcasecmp(reason_names[i], name) == 0) {
            *reason = (enum ca_revocation_reason)i;
            return true;
        }
    }
    return false;
}

bool ca_takes_key(const struct ca_ops *ops, const char *key) {
    return is_listed(common_keys, key) || is_listed(ops->keys, key);
}
