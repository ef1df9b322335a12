// SPDX-License-Identifier: Apache-2.0
// The port: what the unit asks for becomes an order, and what comes back becomes the unit's event.
#include <check.h>
#include <string.h>

#include "station/core/port.h"

// ---- an edge whose cryptography a test can follow -----------------------------------------------

struct edge_state {
    unsigned nonces; // how many were made
    bool proof_is_good;
    struct slice proved_chain; // what the last check was about
    uint8_t proved_nonce[MESSAGE_NONCE_SIZE];
    uint8_t algorithm;
};

static void edge_sha256(void *context, struct slice data, uint8_t out[SHA256_SIZE]) {
    (void)context;
    memset(out, data.length > 0 ? data.data[0] : 0, SHA256_SIZE);
    out[0] = (uint8_t)data.length;
}

static void edge_random(void *context, uint8_t *out, size_t length) {
    struct edge_state *edge = context;
    memset(out, (int)++edge->nonces, length);
}

static void edge_read_csr(void *context, struct slice der, struct unit_csr *csr) {
    (void)context;
    csr->key_type = der.data[0];
}

static size_t edge_make_subject(void *context, const struct unit *unit, uint8_t *out,
                                size_t capacity) {
    (void)context;
    ck_assert_uint_ge(capacity, 4);
    memset(out, unit->record.serial[0], 4);
    return 4;
}

static struct slice edge_leaf(void *context, struct slice chain) {
    (void)context;
    return (struct slice){chain.data, 10};
}

static bool edge_check_proof(void *context, struct slice chain, struct slice nonce,
                             uint8_t algorithm, struct slice signature, struct error *error) {
    struct edge_state *edge = context;
    edge->proved_chain = chain;
    memcpy(edge->proved_nonce, nonce.data, nonce.length);
    edge->algorithm = algorithm;
    return (edge->proof_is_good && signature.length == 3) ||
           error_set(error, E_CAM_PROOF, "the signature is wrong");
}

static const struct port_edge port_edge = {
    .sha256 = edge_sha256,
    .random = edge_random,
    .read_csr = edge_read_csr,
    .make_subject = edge_make_subject,
    .leaf = edge_leaf,
    .check_proof = edge_check_proof,
};

struct bench {
    struct edge_state edge;
    struct port port;
    struct unit_policy policy;
    struct unit unit;
    struct session_output output;
    struct unit_csr csr;
    struct unit_event event;
};

static void init(struct bench *bench, enum unit_state state) {
    static const struct session_settings settings = {
        .max_payload = 512, .probe_interval_ms = 500, .watch_interval_ms = 1000, .seed = 1};
    memset(bench, 0, sizeof *bench);
    bench->policy.lock = true;
    port_init(&bench->port, &settings, &port_edge, &bench->edge);
    unit_init(&bench->unit, &bench->policy);
    bench->unit.state = state;
    bench->unit.chain_length = 50;
    memset(bench->unit.chain, 0x66, sizeof bench->unit.chain);
    text_copy(bench->unit.record.serial, SERIAL_SIZE, "CAM-1");
    text_copy(bench->unit.info.serial, SERIAL_SIZE, "CAM-1");
    bench->unit.record.credential_count = 2;
    bench->unit.record.credentials[1].number = 7;
    bench->unit.record.credentials[1].key_type = KEY_P384;
    memset(bench->unit.record.credentials[1].job_id, 0x77, JOB_ID_SIZE);
    bench->unit.current = 1;
    bench->edge.proof_is_good = true;
}

static const struct session_order *act(struct bench *bench, enum unit_action action) {
    port_act(&bench->port, 1000, &bench->unit, action, &bench->output);
    return &bench->port.session.order;
}

static bool translate(struct bench *bench, const struct session_result *result) {
    return port_translate(&bench->port, &bench->unit, result, &bench->csr, &bench->event);
}

// ---- actions ------------------------------------------------------------------------------------

START_TEST(test_orders) {
    static const struct {
        enum unit_action action;
        enum session_order_kind order;
    } cases[] = {
        {UNIT_ACT_PROBE, SESSION_PROBE},     {UNIT_ACT_PROBE_LATER, SESSION_PROBE},
        {UNIT_ACT_WATCH, SESSION_WATCH},     {UNIT_ACT_GENERATE, SESSION_GENERATE},
        {UNIT_ACT_FETCH_CSR, SESSION_FETCH}, {UNIT_ACT_CONFIRM, SESSION_IDENTIFY},
        {UNIT_ACT_INSTALL, SESSION_INSTALL}, {UNIT_ACT_READ_BACK, SESSION_FETCH},
        {UNIT_ACT_PROVE, SESSION_PROVE},     {UNIT_ACT_FINISH, SESSION_FINISH},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        static struct bench bench;
        init(&bench, UNIT_WAITING);
        const struct session_order *order = act(&bench, cases[i].action);
        ck_assert_int_eq(order->kind, cases[i].order);
        ck_assert_uint_eq(order->credential, 7);
        ck_assert_int_eq(bench.output.result.outcome, SESSION_RUNNING);
    }
    static struct bench bench;
    init(&bench, UNIT_WAITING);
    act(&bench, UNIT_ACT_NONE);
    ck_assert_uint_eq(bench.output.write.length, 0);
    ck_assert_int_eq(session_deadline_ms(&bench.port.session), LINK_NEVER);
}
END_TEST

START_TEST(test_what_orders_carry) {
    static struct bench bench;
    init(&bench, UNIT_GENERATING);
    bench.unit.replace_key = true;
    const struct session_order *order = act(&bench, UNIT_ACT_GENERATE);
    ck_assert_uint_eq(order->key_type, KEY_P384);
    ck_assert_uint_eq(order->job_id[15], 0x77);
    ck_assert(order->replace);
    ck_assert_uint_eq(order->subject.length, 4);
    ck_assert_uint_eq(order->subject.data[3], 'C');
    order = act(&bench, UNIT_ACT_FETCH_CSR);
    ck_assert_int_eq(order->object, OBJECT_CSR);
    order = act(&bench, UNIT_ACT_READ_BACK);
    ck_assert_int_eq(order->object, OBJECT_CHAIN);
    order = act(&bench, UNIT_ACT_INSTALL);
    ck_assert_uint_eq(order->chain.length, 50);
    ck_assert_uint_eq(order->sha256[0], 50);
    ck_assert_uint_eq(order->sha256[1], 0x66);
    order = act(&bench, UNIT_ACT_FINISH);
    ck_assert(order->lock);
    bench.policy.lock = false;
    order = act(&bench, UNIT_ACT_FINISH);
    ck_assert(!order->lock);
    order = act(&bench, UNIT_ACT_PROBE_LATER);
    ck_assert_uint_eq(order->pause_ms, PORT_LATER_MS);
    order = act(&bench, UNIT_ACT_PROBE);
    ck_assert_uint_eq(order->pause_ms, 0);
}
END_TEST

// Only a camera that failed is asked to show itself.
START_TEST(test_a_failed_camera_blinks) {
    static const enum unit_verdict verdicts[] = {UNIT_PASS, UNIT_FAIL};
    for (size_t i = 0; i < ARRAY_LENGTH(verdicts); i++) {
        static struct bench bench;
        init(&bench, UNIT_DONE);
        bench.unit.verdict = verdicts[i];
        act(&bench, UNIT_ACT_WATCH);
        ck_assert_uint_eq(bench.port.session.order.blink_s,
                          verdicts[i] == UNIT_FAIL ? PORT_BLINK_S : 0);
    }
}
END_TEST

// Whoever answers a probe is a stranger.
START_TEST(test_probe_forgets) {
    static struct bench bench;
    init(&bench, UNIT_DONE);
    bench.port.session.identified = true;
    act(&bench, UNIT_ACT_WATCH);
    ck_assert(bench.port.session.identified);
    act(&bench, UNIT_ACT_PROBE);
    ck_assert(!bench.port.session.identified);
}
END_TEST

// ---- results ------------------------------------------------------------------------------------

static struct session_result proof(uint8_t leaf_byte, size_t leaf_length) {
    static const uint8_t signature[] = {1, 2, 3};
    struct session_result result = {
        .outcome = SESSION_DONE,
        .order = SESSION_PROVE,
        .signature = {signature, sizeof signature},
        .signature_algorithm = SIGNATURE_ECDSA_SHA256,
    };
    memset(result.certificate_sha256, leaf_byte, SHA256_SIZE);
    result.certificate_sha256[0] = (uint8_t)leaf_length;
    return result;
}

// The nonce is fresh each time, and it is the one that the signature is held against.
START_TEST(test_proof) {
    static struct bench bench;
    init(&bench, UNIT_PROVING);
    for (uint8_t visit = 1; visit < 4; visit++) {
        const struct session_order *order = act(&bench, UNIT_ACT_PROVE);
        ck_assert_uint_eq(order->nonce[31], visit);
        struct session_result result = proof(0x66, 10);
        ck_assert(translate(&bench, &result));
        ck_assert_int_eq(bench.event.kind, UNIT_ON_PROOF);
        ck_assert_int_eq(bench.event.error.code, ERROR_NONE);
        ck_assert_uint_eq(bench.edge.proved_nonce[0], visit);
        ck_assert_uint_eq(bench.edge.proved_nonce[31], visit);
        ck_assert_ptr_eq(bench.edge.proved_chain.data, bench.unit.chain);
        ck_assert_uint_eq(bench.edge.proved_chain.length, 50);
        ck_assert_uint_eq(bench.edge.algorithm, SIGNATURE_ECDSA_SHA256);
    }
}
END_TEST

START_TEST(test_bad_proofs) {
    static struct bench bench;
    for (int i = 0; i < 4; i++) {
        init(&bench, UNIT_PROVING);
        act(&bench, UNIT_ACT_PROVE);
        struct session_result result = proof(0x66, 10);
        switch (i) {
        case 0: // of another certificate
            result.certificate_sha256[31] ^= 1;
            break;
        case 1: // of the whole chain
            result.certificate_sha256[0] = 50;
            break;
        case 2:
            bench.edge.proof_is_good = false;
            break;
        default:
            result.signature.length = 0;
            break;
        }
        ck_assert(translate(&bench, &result));
        ck_assert_int_eq(bench.event.kind, UNIT_ON_PROOF);
        ck_assert_int_eq(bench.event.error.code, E_CAM_PROOF);
    }
}
END_TEST

START_TEST(test_good_results) {
    static struct bench bench;
    static const uint8_t object[] = {KEY_P384, 2, 3};
    struct session_result result = {.outcome = SESSION_DONE, .object = {object, sizeof object}};
    memset(result.spki_sha256, 0x11, SHA256_SIZE);
    result.lifecycle = LIFECYCLE_LOCKED;
    static const struct {
        enum session_order_kind order;
        enum unit_state state;
        enum unit_event_kind event;
    } cases[] = {
        {SESSION_PROBE, UNIT_EMPTY, UNIT_ON_IDENTIFIED},
        {SESSION_IDENTIFY, UNIT_CONFIRMING, UNIT_ON_IDENTIFIED},
        {SESSION_GENERATE, UNIT_GENERATING, UNIT_ON_KEY},
        {SESSION_FETCH, UNIT_FETCHING_CSR, UNIT_ON_CSR},
        {SESSION_FETCH, UNIT_READING_BACK, UNIT_ON_READ_BACK},
        {SESSION_INSTALL, UNIT_INSTALLING, UNIT_ON_INSTALLED},
        {SESSION_FINISH, UNIT_LOCKING, UNIT_ON_FINISHED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        init(&bench, cases[i].state);
        result.order = cases[i].order;
        ck_assert(translate(&bench, &result));
        ck_assert_int_eq(bench.event.kind, cases[i].event);
        ck_assert_int_eq(bench.event.error.code, ERROR_NONE);
        switch (cases[i].event) {
        case UNIT_ON_KEY:
            ck_assert_uint_eq(bench.event.spki_sha256[31], 0x11);
            break;
        case UNIT_ON_CSR:
            ck_assert_uint_eq(bench.event.csr->key_type, KEY_P384);
            ck_assert(slice_equal(bench.event.csr->der, result.object));
            break;
        case UNIT_ON_READ_BACK:
            ck_assert(slice_equal(bench.event.bytes, result.object));
            break;
        case UNIT_ON_FINISHED:
            ck_assert_uint_eq(bench.event.lifecycle, LIFECYCLE_LOCKED);
            break;
        default:
            break;
        }
    }
    // A watch has no good end, and what runs has none yet.
    result.order = SESSION_WATCH;
    ck_assert(!translate(&bench, &result));
    result.outcome = SESSION_RUNNING;
    ck_assert(!translate(&bench, &result));
}
END_TEST

START_TEST(test_bad_results) {
    static struct bench bench;
    static const struct {
        enum session_outcome outcome;
        enum session_order_kind order;
        enum unit_event_kind event;
        enum error_code code;
    } cases[] = {
        {SESSION_REFUSED, SESSION_PROVE, UNIT_ON_REFUSED, E_CAM_REFUSED},
        {SESSION_TIMEOUT, SESSION_PROVE, UNIT_ON_FAILED, E_CAM_TIMEOUT},
        {SESSION_TIMEOUT, SESSION_WATCH, UNIT_ON_GONE, E_PORT_HANGUP},
        {SESSION_BROKEN, SESSION_PROVE, UNIT_ON_FAILED, E_CAM_MALFORMED},
        {SESSION_BROKEN, SESSION_WATCH, UNIT_ON_FAILED, E_CAM_MALFORMED},
        {SESSION_SWAPPED, SESSION_WATCH, UNIT_ON_FAILED, E_CAM_SWAPPED},
        {SESSION_SWAPPED, SESSION_IDENTIFY, UNIT_ON_FAILED, E_CAM_SWAPPED},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        init(&bench, UNIT_PROVING);
        struct session_result result = {.outcome = cases[i].outcome, .order = cases[i].order};
        result.camera_error = CAMERA_STORAGE;
        text_copy(result.text, sizeof result.text, "\x1b[2J%s%n");
        text_copy(result.info.serial, sizeof result.info.serial, "\x1b]0;");
        ck_assert(translate(&bench, &result));
        ck_assert_int_eq(bench.event.kind, cases[i].event);
        ck_assert_int_eq(bench.event.error.code, cases[i].code);
        ck_assert_ptr_null(strchr(bench.event.error.text, '\x1b'));
        if (cases[i].event == UNIT_ON_REFUSED) {
            ck_assert_int_eq(bench.event.camera_error, CAMERA_STORAGE);
            ck_assert_str_eq(bench.event.error.text, "\\x1b[2J%s%n");
        }
    }
}
END_TEST

int main(void) {
    Suite *suite = suite_create("port");
    TCase *port = tcase_create("port");
    tcase_set_timeout(port, 120); // a busy machine is no failure
    tcase_add_test(port, test_orders);
    tcase_add_test(port, test_what_orders_carry);
    tcase_add_test(port, test_probe_forgets);
    tcase_add_test(port, test_a_failed_camera_blinks);
    tcase_add_test(port, test_proof);
    tcase_add_test(port, test_bad_proofs);
    tcase_add_test(port, test_good_results);
    tcase_add_test(port, test_bad_results);
    suite_add_tcase(suite, port);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
