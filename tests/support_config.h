// SPDX-License-Identifier: Apache-2.0
// The configuration of a bench whose database is a test's fixture.
#ifndef BIRTHCERT_TESTS_SUPPORT_CONFIG_H
#define BIRTHCERT_TESTS_SUPPORT_CONFIG_H

#include "tests/support_store.h"

// Of the last one that was written.
extern char config_file[128];

// Writes it beside the database, over any other: an embedded CA of that name, whose files are not
// there, the profile https, one slot, and the operator ada. `more` goes into the CA's section.
void config_write(const struct store_fixture *fixture, const char *ca, const char *more);

#endif
