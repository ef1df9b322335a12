// SPDX-License-Identifier: Apache-2.0
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/migrations.h"
#include "db/store_sqlite.h"
#include "station/base/clock.h"
#include "station/base/lock_file.h"

#define BUSY_TIMEOUT_MS 2000 // a reader while the writer starts anew in the WAL, and the reverse

static void store_name_set(struct store *store, const char *location) {
    size_t length = strlen(location);
    size_t most = sizeof store->name - 1;
    size_t skip = length > most ? length - most : 0;
    text_escape(store->name, sizeof store->name, location + skip, length - skip);
}

// ---- the writer's lock --------------------------------------------------------------------------

// A file of its own, since closing any descriptor of the database would drop SQLite's locks on it.
static bool lock_take(struct store *store, struct error *error) {
    char *path = sqlite3_mprintf("%s.lock", store->path);
    if (path == NULL) {
        return error_set(error, E_MEMORY, "%s: no memory", store->name);
    }
    char owner[LOCK_OWNER_SIZE];
    store->lock = lock_file_take(path, 0640, owner);
    int cause = errno;
    sqlite3_free(path);
    if (store->lock >= 0) {
        return true;
    }
    if (cause == EWOULDBLOCK) {
        return error_set(error, E_STORE_LOCKED, "%s: process %s writes to it", store->name,
                         owner[0] != '\0' ? owner : "(unknown)");
    }
    bool refused = cause == EACCES || cause == EPERM || cause == EROFS;
    return error_set(error, refused ? E_STORE_READONLY : E_STORE_OPEN, "%s.lock: %s", store->name,
                     strerror(cause));
}

// ---- opening ------------------------------------------------------------------------------------

static bool create_file(const char *location, struct error *error) {
    int descriptor = open(location, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (descriptor < 0) {
        bool refused = errno == EACCES || errno == EPERM || errno == EROFS;
        return error_set(error, refused ? E_STORE_READONLY : E_STORE_OPEN, "%s: %s", location,
                         errno == EEXIST ? "exists already; it is left as it is" : strerror(errno));
    }
    close(descriptor);
    return true;
}

// One name for one file, however it was called: the lock stands beside the real one.
static bool find_file(struct store *store, const char *location, struct error *error) {
    char *real = realpath(location, NULL);
    if (real == NULL) {
        return error_set(error, E_STORE_OPEN, "%s: %s", location, strerror(errno));
    }
    store->path = real;
    store_name_set(store, real);
    struct stat status;
    if (stat(real, &status) == 0 && !S_ISREG(status.st_mode)) {
        return error_set(error, E_STORE_FOREIGN, "%s: not a file", store->name);
    }
    if (access(real, R_OK) != 0) {
        return error_set(error, E_STORE_OPEN, "%s: %s", store->name, strerror(errno));
    }
    if (store->mode != STORE_READ && access(real, W_OK) != 0) {
        return error_set(error, E_STORE_READONLY, "%s: %s", store->name, strerror(errno));
    }
    return true;
}

static bool open_connection(struct store *store, struct error *error) {
    int flags = store->mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    int status = sqlite3_open_v2(store->path, &store->connection,
                                 flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (store->connection == NULL) {
        return error_set(error, E_MEMORY, "%s: no memory", store->name);
    }
    if (status != SQLITE_OK) {
        return store_fail(store, error, "opening");
    }
    // The file may come from anywhere: nothing in its schema is to be believed.
    sqlite3_db_config(store->connection, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->connection, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(store->connection, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_db_config(store->connection, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    // Only the writer checkpoints, when it is due. The files of the WAL stay behind, so that one who
    // may only read finds them.
    sqlite3_db_config(store->connection, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_busy_timeout(store->connection, BUSY_TIMEOUT_MS);
    return sqlite3_exec(store->connection, "PRAGMA cell_size_check = ON", NULL, NULL, NULL) ==
               SQLITE_OK ||
           store_fail(store, error, "opening");
}

static int note_wal_pages(void *context, sqlite3 *connection, const char *schema, int pages) {
    (void)connection;
    (void)schema;
    struct store *store = context;
    store->wal_pages = pages;
    return SQLITE_OK;
}

// Its answer is the mode that it could set, so it may have failed and say nothing.
static bool set_wal(struct store *store, struct error *error) {
    struct query query;
    bool found = false;
    char mode[16] = "";
    bool good = query_begin_own(store, "PRAGMA journal_mode = WAL", &query, error) &&
                query_row(&query, &found, error);
    if (good && found) {
        query_text(&query, 0, mode, sizeof mode);
    }
    query_end_own(&query);
    return good && (strcmp(mode, "wal") == 0 ||
                    error_set(error, E_STORE_OPEN, "%s: its file system has no shared memory",
                              store->name));
}

static bool configure(struct store *store, struct error *error) {
    // recursive_triggers: so that INSERT OR REPLACE cannot pass by the triggers on DELETE.
    static const char reader[] = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY";
    static const char writer[] =
        "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
        "PRAGMA recursive_triggers = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384;"
        "PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 16777216";
    if (sqlite3_exec(store->connection, store->mode == STORE_READ ? reader : writer, NULL, NULL,
                     NULL) != SQLITE_OK) {
        return store_fail(store, error, "opening");
    }
    if (store->mode != STORE_READ) {
        if (!set_wal(store, error)) {
            return false;
        }
        sqlite3_wal_hook(store->connection, note_wal_pages, store);
        store->checkpoint_at = CHECKPOINT_PAGES;
    }
    return true;
}

static bool bring_up_schema(struct store *store, struct error *error) {
    int version = 0;
    if (store->mode == STORE_CREATE) {
        return configure(store, error) && store_migrate(store, 0, error);
    }
    if (!store_identify(store, &version, error) || !configure(store, error)) {
        return false;
    }
    if (version == SCHEMA_VERSION) {
        return true;
    }
    if (store->mode == STORE_READ) {
        return error_set(error, E_STORE_OPEN,
                         "%s: schema %d is older than this program's; the next run of a station "
                         "brings it up to date",
                         store->name, version);
    }
    return store_backup(store, version, error) && store_migrate(store, version, error);
}

static bool begin_session(struct store *store, const struct store_session *session,
                          struct error *error) {
    if (store->mode == STORE_READ) {
        return true;
    }
    assert(session != NULL);
    struct query query = query_begin(store, SQL_SESSION_INSERT);
    query_bind_integer(&query, clock_wall_ms());
    query_bind_text(&query, session->station);
    query_bind_text(&query, session->operator_name);
    query_bind_text(&query, session->version);
    if (!query_run(&query, error)) {
        return false;
    }
    store->session_id = sqlite3_last_insert_rowid(store->connection);
    return true;
}

static void store_sqlite_close(struct store *store) {
    if (store == NULL) {
        return;
    }
    store_finalize(store);
    if (store->session_id != 0) {
        // So that the file alone is the whole database, where no reader is in the way.
        sqlite3_busy_timeout(store->connection, 0);
        sqlite3_wal_checkpoint_v2(store->connection, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                  NULL);
    }
    sqlite3_close(store->connection);
    if (store->lock >= 0) {
        close(store->lock);
    }
    free(store->path);
    free(store);
}

static bool store_open_found(struct store *store, const char *location,
                             const struct store_session *session, struct error *error) {
    return find_file(store, location, error) &&
           (store->mode == STORE_READ || lock_take(store, error)) &&
           open_connection(store, error) && bring_up_schema(store, error) &&
           store_prepare(store, error) && begin_session(store, session, error);
}

static void remove_beside(const char *path, const char *suffix) {
    char *beside = sqlite3_mprintf("%s%s", path, suffix);
    if (beside != NULL) {
        unlink(beside);
    }
    sqlite3_free(beside);
}

// Leaves nothing behind of what was begun: half a database helps nobody, and beside a file that is
// not ours there is no place for ours.
static void open_undo(struct store *store, bool created, enum error_code code) {
    static const char *const all[] = {"", "-wal", "-shm", "-journal", ".lock"};
    if (store->path != NULL && store->lock >= 0 && code == E_STORE_FOREIGN) {
        remove_beside(store->path, ".lock");
    }
    char *path = store->path;
    store->path = NULL;
    store_sqlite_close(store);
    for (size_t i = 0; created && path != NULL && i < ARRAY_LENGTH(all); i++) {
        remove_beside(path, all[i]);
    }
    free(path);
}

static bool store_sqlite_open(const char *location, enum store_mode mode,
                              const struct store_session *session, struct store **opened,
                              struct error *error) {
    *opened = NULL;
    // Nobody reads these statistics, and their mutex costs a tenth of a commit. Refused, harmlessly,
    // once SQLite has begun.
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return error_set(error, E_MEMORY, "%s: no memory", location);
    }
    store->mode = mode;
    store->lock = -1;
    store_name_set(store, location);
    bool created = mode == STORE_CREATE && create_file(location, error);
    if ((mode == STORE_CREATE && !created) || !store_open_found(store, location, session, error)) {
        open_undo(store, created, error->code);
        return false;
    }
    *opened = store;
    return true;
}

const struct store_ops store_sqlite = {
    .name = "sqlite",
    .open = store_sqlite_open,
    .close = store_sqlite_close,
    .commit = store_sqlite_commit,
    .select_requests = store_sqlite_select_requests,
    .select_rows = store_sqlite_select_rows,
    .select_events = store_sqlite_select_events,
    .select_certificates = store_sqlite_select_certificates,
    .check = store_sqlite_check,
};
