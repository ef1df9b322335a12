// SPDX-License-Identifier: Apache-2.0
// The steps of the schema, embedded in the program: db/migrations/NNNN_name.sql, in their order.
#ifndef BIRTHCERT_DB_MIGRATIONS_H
#define BIRTHCERT_DB_MIGRATIONS_H

#define SCHEMA_VERSION 6

// SQL that leads from schema `version` - 1 to `version`, 1 to SCHEMA_VERSION; NUL-terminated.
const char *migration_sql(int version);

#endif
