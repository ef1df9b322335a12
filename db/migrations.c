// SPDX-License-Identifier: Apache-2.0
#include "db/migrations.h"

#include <assert.h>

#include "station/base/bytes.h"

// C17 has no #embed; the assembler has had .incbin for ever. Paths are relative to the root.
__asm__(".pushsection .rodata\n"
        "migration_0001:\n"
        ".incbin \"db/migrations/0001_initial.sql\"\n"
        ".byte 0\n"
        "migration_0002:\n"
        ".incbin \"db/migrations/0002_revocation.sql\"\n"
        ".byte 0\n"
        "migration_0003:\n"
        ".incbin \"db/migrations/0003_confirmation.sql\"\n"
        ".byte 0\n"
        "migration_0004:\n"
        ".incbin \"db/migrations/0004_endpoint.sql\"\n"
        ".byte 0\n"
        "migration_0005:\n"
        ".incbin \"db/migrations/0005_rekey.sql\"\n"
        ".byte 0\n"
        "migration_0006:\n"
        ".incbin \"db/migrations/0006_issued_at.sql\"\n"
        ".byte 0\n"
        ".popsection\n");
extern const char migration_0001[];
extern const char migration_0002[];
extern const char migration_0003[];
extern const char migration_0004[];
extern const char migration_0005[];
extern const char migration_0006[];

const char *migration_sql(int version) {
    static const char *const steps[] = {migration_0001, migration_0002, migration_0003,
                                        migration_0004, migration_0005, migration_0006};
    static_assert(ARRAY_LENGTH(steps) == SCHEMA_VERSION, "a step of the schema is not embedded");
    assert(version >= 1 && version <= SCHEMA_VERSION);
    return steps[version - 1];
}
