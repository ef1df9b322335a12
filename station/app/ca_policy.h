// SPDX-License-Identifier: Apache-2.0
// What the core has to know of a CA, out of its backend's data and its section of the configuration. Pure.
#ifndef BIRTHCERT_APP_CA_POLICY_H
#define BIRTHCERT_APP_CA_POLICY_H

#include "ca-client/ca.h"
#include "station/core/policy.h"

// The settings are those of a CA that could be opened. The endpoint of one that judges endpoints itself is "":
// it says later what they are.
struct ca_policy ca_policy_of(const struct ca_ops *ops, const struct ca_settings *settings);

#endif
