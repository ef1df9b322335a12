// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "tests/support_sim.h"

struct officer {
    struct sim *sim;
    struct batch *batch;
    bool confirmed; // the CA says that it revoked
};

static void put(struct officer *officer, struct record record) {
    record.time_ms = SIM_WALL_MS + officer->sim->now_ms;
    (void)text_copy(record.reason, sizeof record.reason, "superseded");
    if (!batch_put(officer->batch, &record)) {
        sim_fail(officer->sim, "the officer's batch is full");
    }
}

static bool revoke(void *context, const struct store_certificate *certificate) {
    struct officer *officer = context;
    struct record record = {
        .kind = RECORD_REVOKING,
        .unit_id = certificate->unit_id,
        .credential_id = certificate->credential_id,
        .certificate_id = certificate->certificate_id,
    };
    if (certificate->state == CERTIFICATE_LIVE) {
        put(officer, record);
        record.kind = RECORD_REVOKED;
        if (officer->confirmed) {
            put(officer, record);
            uint64_t number = load_be64(certificate->certificate.serial);
            officer->sim->issued[number - 1].is_revoked = true;
        }
    }
    return true;
}

// As birthcert scrap and rework do: the certificates first, all in one transaction.
static void end_unit(struct officer *officer, size_t index, enum record_kind last) {
    struct sim *sim = officer->sim;
    struct store_filter filter = {0};
    struct error error;
    officer->confirmed = sim_trouble(sim, 50);
    batch_clear(officer->batch);
    (void)text_copy(filter.serial, sizeof filter.serial, sim->cameras[index].serial);
    if (!store_sqlite.select_certificates(sim->store, &filter, revoke, officer, &error)) {
        sim_fail(sim, "certificates of %s: %s", filter.serial, error.text);
        return;
    }
    put(officer, (struct record){.kind = last, .unit_id = sim->unit_ids[index]});
    if (!store_sqlite.commit(sim->store, officer->batch, &error)) {
        sim_fail(sim, "the officer's commit: %s", error.text);
        return;
    }
    for (size_t i = 0; i < officer->batch->count; i++) {
        if (officer->batch->answers[i].code != ERROR_NONE) {
            sim_fail(sim, "the store refused the officer's record: %s",
                     officer->batch->answers[i].text);
        }
    }
}

// A camera that passed and that nobody has ended; SIM_CAMERAS where there is none.
static size_t choose(struct sim *sim) {
    size_t first = (size_t)sim_trouble_below(sim, SIM_CAMERAS);
    for (size_t i = 0; i < SIM_CAMERAS; i++) {
        size_t index = (first + i) % SIM_CAMERAS;
        if (!sim->is_bad[index] && !sim->is_held[index] && !sim->is_scrapped[index]) {
            return index;
        }
    }
    return SIM_CAMERAS;
}

static void scrap(struct officer *officer) {
    struct sim *sim = officer->sim;
    size_t index = choose(sim);
    if (index < SIM_CAMERAS) {
        sim_trace(sim, "-- the officer scraps %s", sim->cameras[index].serial);
        end_unit(officer, index, RECORD_SCRAP);
        sim->is_scrapped[index] = true;
    }
}

static void rework(struct officer *officer) {
    struct sim *sim = officer->sim;
    size_t index = choose(sim);
    if (index == SIM_CAMERAS) {
        return;
    }
    sim_trace(sim, "-- %s gets another board", sim->cameras[index].serial);
    end_unit(officer, index, RECORD_REWORK);
    for (size_t c = 0; c < SIM_CREDENTIALS; c++) {
        uint8_t spki[SHA256_SIZE];
        sim_hash((struct slice){sim->cameras[index].keys[c], SIM_KEY_SIZE}, spki);
        sim->retired += sim_ca_count(sim, spki);
        sim->installing[index][c] = false;
    }
    sim->locking[index] = false;
    sim->is_reworked[index] = true;
    sim_camera_new_board(sim, index);
}

void sim_officer_work(struct sim *sim) {
    static const struct store_session session = {"desk", "officer", "test"};
    struct officer officer = {.sim = sim, .batch = batch_new(OBJECT_MAX)};
    struct error error;
    if (officer.batch == NULL ||
        !store_sqlite.open(sim->store_path, STORE_WRITE, &session, &sim->store, &error)) {
        sim_fail(sim, "the officer does not get at the store");
    } else {
        scrap(&officer);
        rework(&officer);
        store_sqlite.close(sim->store);
    }
    sim->store = NULL;
    batch_free(officer.batch);
}
