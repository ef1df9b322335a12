// SPDX-License-Identifier: Apache-2.0
// For tests of the store and on it: a database in a folder of its own, and the records of a unit.
#ifndef BIRTHCERT_TESTS_SUPPORT_STORE_H
#define BIRTHCERT_TESTS_SUPPORT_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"

struct store_fixture {
    char folder[64];
    char path[96];
    struct store *store;
    struct batch *batch;
    int64_t now_ms; // of the records made; goes on by one with each
};

extern const struct store_session store_test_session;

// Makes a folder and a new database in it. Fails the test where it cannot.
void store_fixture_setup(struct store_fixture *fixture);
// Closes it and removes the folder with all files in it.
void store_fixture_teardown(struct store_fixture *fixture);
// Closes and opens again as the writer.
void store_fixture_reopen(struct store_fixture *fixture);

// Opens the fixture's file once more. Sets `error` to zero first.
bool store_try_open(struct store_fixture *fixture, enum store_mode mode, struct store **store,
                    struct error *error);
void store_fixture_close(struct store_fixture *fixture); // teardown may follow
// The size of the fixture's file with `suffix` behind its name.
int64_t store_file_size(const struct store_fixture *fixture, const char *suffix);
// Waits for a child: its exit status, 128 and more for a signal.
int store_child_status(int child);

// A unit with `credentials` credentials, numbers 1, 2, ...
struct record store_record_admit(struct store_fixture *fixture, const char *serial,
                                 uint32_t credentials);
// A record on a credential of the unit: `index` counts from 0.
struct record store_record(struct store_fixture *fixture, enum record_kind kind,
                           const struct unit_record *unit, uint32_t index);

// Fills hashes, serial number and names from `seed`: another seed, another certificate. The chain
// lies in static memory, until the next call.
struct certificate_record store_test_certificate(uint32_t seed, const uint8_t *spki_sha256);
// A hash made from `seed`.
void store_test_hash(uint32_t seed, uint8_t sha256[SHA256_SIZE]);

// Commits one record and returns what the store said of it. Fails the test where the commit fails.
// The answer is valid until the next commit.
const struct answer *store_commit_one(struct store_fixture *fixture, const struct record *record);

// Commits one record that must be accepted, or refused with this code and a text.
void store_accept(struct store_fixture *fixture, const struct record *record);
void store_refuse(struct store_fixture *fixture, const struct record *record, enum error_code code);

// Records with the key, the CSR and the certificate that go with a seed.
struct record store_record_key(struct store_fixture *fixture, const struct unit_record *unit,
                               uint32_t index, uint32_t seed);
struct record store_record_csr(struct store_fixture *fixture, const struct unit_record *unit,
                               uint32_t seed, const char *csr);
struct record store_record_certificate(struct store_fixture *fixture,
                                       const struct unit_record *unit, uint32_t seed,
                                       uint32_t key_seed, enum error_code reason);

// The unit and its first request as the store has them now.
struct unit_record store_admit_again(struct store_fixture *fixture, const char *serial);
struct request_record store_load_request(struct store_fixture *fixture,
                                         const struct unit_record *unit);

size_t store_event_count(struct store_fixture *fixture, int64_t unit_id);
struct store_event store_last_event(struct store_fixture *fixture, int64_t unit_id);

// Takes a new unit with one credential as far as `request`, with key and certificate from `seed`;
// at REQUEST_ISSUED it goes on to `install`. Fails the test where a record is refused.
struct unit_record store_make_unit(struct store_fixture *fixture, const char *serial, uint32_t seed,
                                   enum request_state request, enum install_state install);

#endif
