// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/migrations.h"
#include "db/store_sqlite.h"

static bool schema_integer(struct store *store, const char *sql, int *value, struct error *error) {
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(store->connection, sql, -1, &statement, NULL);
    status = status == SQLITE_OK ? sqlite3_step(statement) : status;
    bool good = status == SQLITE_ROW || store_fail(store, error, "opening");
    if (good) {
        *value = sqlite3_column_int(statement, 0);
    }
    sqlite3_finalize(statement);
    return good;
}

bool store_identify(struct store *store, int *version, struct error *error) {
    int application_id = 0;
    if (!schema_integer(store, "PRAGMA application_id", &application_id, error) ||
        !schema_integer(store, "PRAGMA user_version", version, error)) {
        return false;
    }
    if (application_id != STORE_APPLICATION_ID) {
        return error_set(error, E_STORE_FOREIGN, "%s: not a birthcert database", store->name);
    }
    if (*version > SCHEMA_VERSION || *version < 0) {
        return error_set(error, E_STORE_NEWER, "%s: schema %d; this program knows up to %d",
                         store->name, *version, SCHEMA_VERSION);
    }
    return true;
}

static bool schema_execute(struct store *store, const char *sql, struct error *error) {
    return sqlite3_exec(store->connection, sql, NULL, NULL, NULL) == SQLITE_OK ||
           store_fail(store, error, "changing the schema");
}

static bool schema_keeps_references(struct store *store, struct error *error) {
    sqlite3_stmt *statement = NULL;
    int status =
        sqlite3_prepare_v2(store->connection, "PRAGMA foreign_key_check", -1, &statement, NULL);
    status = status == SQLITE_OK ? sqlite3_step(statement) : status;
    bool good = status == SQLITE_DONE;
    if (status == SQLITE_ROW) {
        error_set(error, E_STORE_CORRUPT, "%s: a row of %s refers to nothing", store->name,
                  (const char *)sqlite3_column_text(statement, 0));
    } else if (!good) {
        store_fail(store, error, "changing the schema");
    }
    sqlite3_finalize(statement);
    return good;
}

static bool schema_step(struct store *store, int version, struct error *error) {
    char marks[96];
    snprintf(marks, sizeof marks, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             STORE_APPLICATION_ID, version);
    if (!schema_execute(store, "BEGIN IMMEDIATE", error)) {
        return false;
    }
    if (!schema_execute(store, migration_sql(version), error) ||
        !schema_execute(store, marks, error) || !schema_keeps_references(store, error) ||
        !schema_execute(store, "COMMIT", error)) {
        sqlite3_exec(store->connection, "ROLLBACK", NULL, NULL, NULL);
        return error_prefix(error, "schema %d", version);
    }
    return true;
}

bool store_migrate(struct store *store, int version, struct error *error) {
    // A step may have to rebuild a table that others refer to: references are checked at its end.
    if (!schema_execute(store, "PRAGMA foreign_keys = OFF", error)) {
        return false;
    }
    while (version < SCHEMA_VERSION) {
        if (!schema_step(store, ++version, error)) {
            return false;
        }
    }
    return schema_execute(store, "PRAGMA foreign_keys = ON", error);
}

// VACUUM INTO does not sync what it writes.
static bool sync_path(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return false;
    }
    bool good = fsync(descriptor) == 0;
    close(descriptor);
    return good;
}

static bool backup_write(struct store *store, const char *path, struct error *error) {
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(store->connection, "VACUUM INTO ?", -1, &statement, NULL);
    if (status == SQLITE_OK) {
        status = sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
    }
    status = status == SQLITE_OK ? sqlite3_step(statement) : status;
    bool good = status == SQLITE_DONE || store_fail(store, error, "backing up");
    sqlite3_finalize(statement);
    if (good && !sync_path(path)) {
        good = error_set(error, E_STORE_IO, "%s: the backup cannot be made durable", store->name);
    }
    return good;
}

// The new name is durable only when its folder is. `path` is absolute.
static bool backup_rename(struct store *store, const char *part, char *path, struct error *error) {
    bool good = rename(part, path) == 0;
    char *slash = strrchr(path, '/');
    if (good && slash != NULL) {
        slash[slash == path ? 1 : 0] = '\0';
        good = sync_path(path);
    }
    return good ||
           error_set(error, E_STORE_IO, "%s: the backup cannot be renamed: %m", store->name);
}

bool store_backup(struct store *store, int version, struct error *error) {
    // Under another name until it is whole: what is called backup is one.
    char *part = sqlite3_mprintf("%s.backup-v%d.part", store->path, version);
    char *path = sqlite3_mprintf("%s.backup-v%d", store->path, version);
    bool good = part != NULL && path != NULL;
    if (!good) {
        error_set(error, E_MEMORY, "%s: no memory for a backup", store->name);
        goto done;
    }
    unlink(part);
    good = backup_write(store, part, error) && backup_rename(store, part, path, error);
    if (!good) {
        unlink(part);
    }
done:
    sqlite3_free(part);
    sqlite3_free(path);
    return good;
}
