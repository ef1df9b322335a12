// SPDX-License-Identifier: Apache-2.0
#include "tests/support_store.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/bytes.h"

const struct store_session store_test_session = {"bench 1", "ada", "test"};

void store_fixture_setup(struct store_fixture *fixture) {
    struct error error = {0};
    *fixture = (struct store_fixture){.now_ms = 1700000000000};
    text_copy(fixture->folder, sizeof fixture->folder, "/tmp/birthcert-store-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof fixture->path, "%s/units.db", fixture->folder);
    ck_assert_msg(store_sqlite.open(fixture->path, STORE_CREATE, &store_test_session,
                                    &fixture->store, &error),
                  "%s", error.text);
    fixture->batch = batch_new(4 << 20);
    ck_assert_ptr_nonnull(fixture->batch);
}

static void remove_folder(const char *folder) {
    DIR *directory = opendir(folder);
    ck_assert_ptr_nonnull(directory);
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            ck_assert_int_eq(unlinkat(dirfd(directory), entry->d_name, 0), 0);
        }
    }
    closedir(directory);
    ck_assert_int_eq(rmdir(folder), 0);
}

void store_fixture_teardown(struct store_fixture *fixture) {
    store_sqlite.close(fixture->store);
    batch_free(fixture->batch);
    remove_folder(fixture->folder);
}

bool store_try_open(struct store_fixture *fixture, enum store_mode mode, struct store **store,
                    struct error *error) {
    *error = (struct error){0};
    return store_sqlite.open(fixture->path, mode, &store_test_session, store, error);
}

void store_fixture_close(struct store_fixture *fixture) {
    store_sqlite.close(fixture->store);
    fixture->store = NULL;
}

void store_fixture_reopen(struct store_fixture *fixture) {
    struct error error = {0};
    store_sqlite.close(fixture->store);
    fixture->store = NULL;
    ck_assert_msg(
        store_sqlite.open(fixture->path, STORE_WRITE, &store_test_session, &fixture->store, &error),
        "%s", error.text);
}

int64_t store_file_size(const struct store_fixture *fixture, const char *suffix) {
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s%s", fixture->path, suffix);
    ck_assert_int_eq(stat(path, &status), 0);
    return status.st_size;
}

int store_child_status(int child) {
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

struct record store_record_admit(struct store_fixture *fixture, const char *serial,
                                 uint32_t credentials) {
    struct record record = {.kind = RECORD_ADMIT, .time_ms = fixture->now_ms++};
    struct admission *admission = &record.admission;
    text_copy(record.slot, sizeof record.slot, "A1");
    snprintf(admission->serial, sizeof admission->serial, "%s", serial);
    text_copy(admission->model, sizeof admission->model, "CAM-7");
    text_copy(admission->firmware, sizeof admission->firmware, "1.2.3");
    memcpy(admission->hardware_id, "\x00\x11\x22\x33\x44\x55", 6);
    admission->hardware_id_length = 6;
    memcpy(admission->boot_id, "bootbook", BOOT_ID_SIZE);
    text_copy(admission->lot, sizeof admission->lot, "lot 1");
    admission->wanted_count = credentials;
    for (uint32_t i = 0; i < credentials; i++) {
        admission->wanted[i].number = (uint8_t)(i + 1);
        admission->wanted[i].key_type = 1;
        text_copy(admission->wanted[i].profile, sizeof admission->wanted[i].profile,
                  i == 0 ? "https" : "idevid");
    }
    return record;
}

struct record store_record(struct store_fixture *fixture, enum record_kind kind,
                           const struct unit_record *unit, uint32_t index) {
    struct record record = {.kind = kind, .unit_id = unit->unit_id, .time_ms = fixture->now_ms++};
    if (index < unit->credential_count) {
        record.credential_id = unit->credentials[index].credential_id;
    }
    return record;
}

void store_test_hash(uint32_t seed, uint8_t sha256[SHA256_SIZE]) {
    // Spread as a hash is, so that indexes are met as they will be.
    uint64_t value = seed * 2 + 1;
    for (size_t i = 0; i < SHA256_SIZE; i++) {
        value = value * 6364136223846793005u + 1442695040888963407u;
        sha256[i] = (uint8_t)(value >> 56);
    }
}

struct certificate_record store_test_certificate(uint32_t seed, const uint8_t *spki_sha256) {
    static uint8_t chain[500 + 700];
    struct certificate_record certificate = {.serial_length = 16};
    store_test_hash(seed ^ 0x55555555, certificate.sha256);
    memcpy(certificate.spki_sha256, spki_sha256, SHA256_SIZE);
    memcpy(certificate.serial, certificate.sha256, certificate.serial_length);
    text_copy(certificate.issuer, sizeof certificate.issuer, "CN=Factory CA,O=Example");
    snprintf(certificate.subject, sizeof certificate.subject, "CN=camera %u", seed);
    certificate.not_before_ms = 1700000000000;
    certificate.not_after_ms = 2000000000000;
    memset(chain, 0x11, sizeof chain);
    memcpy(chain, "\x30\x82\x01\xf0", 4); // a SEQUENCE of 496 bytes, then others
    store_be32(chain + 4, seed);
    certificate.chain = (struct slice){chain, sizeof chain};
    return certificate;
}

const struct answer *store_commit_one(struct store_fixture *fixture, const struct record *record) {
    struct error error = {0};
    batch_clear(fixture->batch);
    ck_assert(batch_put(fixture->batch, record));
    ck_assert_msg(store_sqlite.commit(fixture->store, fixture->batch, &error), "%s", error.text);
    return &fixture->batch->answers[0];
}

void store_accept(struct store_fixture *fixture, const struct record *record) {
    const struct answer *answer = store_commit_one(fixture, record);
    ck_assert_msg(answer->code == ERROR_NONE, "record kind %d: %s", (int)record->kind,
                  answer->text);
}

void store_refuse(struct store_fixture *fixture, const struct record *record,
                  enum error_code code) {
    const struct answer *answer = store_commit_one(fixture, record);
    ck_assert_msg(answer->code == code, "record kind %d: %s instead of %s: %s", (int)record->kind,
                  error_code_text(answer->code), error_code_text(code), answer->text);
    ck_assert(answer->text[0] != '\0');
}

struct record store_record_key(struct store_fixture *fixture, const struct unit_record *unit,
                               uint32_t index, uint32_t seed) {
    struct record record = store_record(fixture, RECORD_KEY, unit, index);
    store_test_hash(seed, record.spki_sha256);
    return record;
}

struct record store_record_csr(struct store_fixture *fixture, const struct unit_record *unit,
                               uint32_t seed, const char *csr) {
    struct record record = store_record(fixture, RECORD_CSR, unit, 0);
    store_test_hash(seed, record.spki_sha256);
    record.bytes = (struct slice){(const uint8_t *)csr, strlen(csr)};
    return record;
}

struct record store_record_certificate(struct store_fixture *fixture,
                                       const struct unit_record *unit, uint32_t seed,
                                       uint32_t key_seed, enum error_code reason) {
    struct record record = store_record(fixture, RECORD_CERTIFICATE, unit, 0);
    uint8_t spki_sha256[SHA256_SIZE];
    store_test_hash(key_seed, spki_sha256);
    record.certificate = store_test_certificate(seed, spki_sha256);
    record.error = reason;
    return record;
}

struct unit_record store_admit_again(struct store_fixture *fixture, const char *serial) {
    struct record record = store_record_admit(fixture, serial, 0);
    store_accept(fixture, &record);
    ck_assert(!fixture->batch->answers[0].unit.is_new);
    return fixture->batch->answers[0].unit;
}

struct request_record store_load_request(struct store_fixture *fixture,
                                         const struct unit_record *unit) {
    struct record record = store_record(fixture, RECORD_LOAD_REQUEST, unit, 0);
    store_accept(fixture, &record);
    return fixture->batch->answers[0].request;
}

static bool count_event(void *context, const struct store_event *event) {
    (void)event;
    ++*(size_t *)context;
    return true;
}

size_t store_event_count(struct store_fixture *fixture, int64_t unit_id) {
    size_t count = 0;
    struct error error = {0};
    ck_assert(store_sqlite.select_events(fixture->store, unit_id, count_event, &count, &error));
    return count;
}

static bool keep_event(void *context, const struct store_event *event) {
    *(struct store_event *)context = *event;
    return true;
}

struct store_event store_last_event(struct store_fixture *fixture, int64_t unit_id) {
    struct store_event event = {0};
    struct error error = {0};
    ck_assert(store_sqlite.select_events(fixture->store, unit_id, keep_event, &event, &error));
    return event;
}

static void make_request(struct store_fixture *fixture, const struct unit_record *unit,
                         uint32_t seed, enum request_state request) {
    struct record record = store_record_key(fixture, unit, 0, seed);
    store_accept(fixture, &record);
    record = store_record_csr(fixture, unit, seed, "a csr");
    store_accept(fixture, &record);
    if (request == REQUEST_QUEUED) {
        return;
    }
    record = store_record(fixture, RECORD_SENT, unit, 0);
    text_copy(record.ca, sizeof record.ca, "hvca");
    text_copy(record.endpoint, sizeof record.endpoint, "hvca https://ca.example/v2");
    record.not_before_s = 1700000123;
    store_accept(fixture, &record);
    if (request == REQUEST_SENT) {
        return;
    }
    if (request == REQUEST_QUARANTINED || request == REQUEST_ISSUED ||
        request == REQUEST_UNCONFIRMED) {
        record = store_record_certificate(
            fixture, unit, seed, seed, request == REQUEST_QUARANTINED ? E_CERT_NAMES : ERROR_NONE);
        if (request == REQUEST_UNCONFIRMED) {
            record.bytes = (struct slice){(const uint8_t *)"an offer", 8};
        }
    } else {
        record = store_record(fixture, RECORD_REQUEST, unit, 0);
        record.request = request;
        text_copy(record.handle, sizeof record.handle, "h-1");
    }
    store_accept(fixture, &record);
}

struct unit_record store_make_unit(struct store_fixture *fixture, const char *serial, uint32_t seed,
                                   enum request_state request, enum install_state install) {
    struct record record = store_record_admit(fixture, serial, 1);
    store_accept(fixture, &record);
    struct unit_record unit = fixture->batch->answers[0].unit;
    if (request != REQUEST_NONE) {
        make_request(fixture, &unit, seed, request);
    }
    for (unsigned step = INSTALL_STARTED; step <= install; step++) {
        record = store_record(fixture, RECORD_INSTALL, &unit, 0);
        text_copy(record.slot, sizeof record.slot, "A1");
        record.install = (enum install_state)step;
        store_accept(fixture, &record);
    }
    return unit;
}
