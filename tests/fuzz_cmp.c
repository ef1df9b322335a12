// SPDX-License-Identifier: Apache-2.0
// What a CA, or whoever answers in its place, says in CMP. The first byte chooses the kind of
// transaction, the second what the answer is: the rest, or changes to a message that is right: pairs of
// a place and a byte. Without the secret nothing may pass for the CA's.
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ca-client/ca_cmp_talk.h"
#include "ca-client/x509.h"
#include "ca-client/x509_issue.h"

static struct cmp_station *station;
static struct buf *csr;
static struct buf *certificate;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void write_file(const char *path, struct slice text) {
    FILE *file = fopen(path, "we");
    need(file != NULL && fwrite(text.data, 1, text.length, file) == text.length);
    need(fclose(file) == 0 && chmod(path, 0600) == 0);
}

static void make_csr(void) {
    unsigned char *der = NULL;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *request = X509_REQ_new();
    need(X509_REQ_set_pubkey(request, key) == 1 && X509_REQ_sign(request, key, EVP_sha256()) > 0);
    int length = i2d_X509_REQ(request, &der);
    csr = buf_new(4096);
    need(length > 0 && buf_put(csr, der, (size_t)length));
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(key);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    char folder[] = "/tmp/fuzz-cmp-XXXXXX";
    char root_file[64];
    char secret_file[64];
    struct error error;
    struct buf *root = buf_new(16384);
    struct buf *key = buf_new(16384);
    (void)argc, (void)argv;
    need(mkdtemp(folder) != NULL);
    snprintf(root_file, sizeof root_file, "%s/root.pem", folder);
    snprintf(secret_file, sizeof secret_file, "%s/secret", folder);
    need(x509_create_root("Root", INT64_C(1772366400000), root, key, &error));
    write_file(root_file, buf_slice(root));
    write_file(secret_file, buf_slice(key).length > 0
                                ? (struct slice){(const uint8_t *)"not to be guessed", 17}
                                : (struct slice){0});
    const struct ca_settings settings = {
        .username = "station",
        .password_file = secret_file,
        .server_root_file = root_file,
        .root_file = root_file,
    };
    need(cmp_station_new(&settings, &station, &error));
    certificate = buf_new(16384);
    need(x509_pem_to_der(buf_slice(root), certificate, &error));
    make_csr();
    unlink(root_file);
    unlink(secret_file);
    rmdir(folder);
    buf_free(root);
    buf_free_secret(key);
    return 0;
}

static void run_once(struct cmp_talk *talk, bool is_heard) {
    struct cmp_step step;
    cmp_run(station, talk, &step);
    need(step.turn != CMP_DONE && step.turn != CMP_WAIT);
    need(step.turn != CMP_REFUSED || (is_heard && talk->kind == CMP_GREET));
    need((step.turn == CMP_SEND) == (step.message != NULL));
    need(!is_heard || step.turn != CMP_SEND);
    cmp_step_free(&step);
}

// What was just sent, changed: its header is as OpenSSL makes them.
static struct slice change_message(const struct cmp_talk *talk, struct slice changes,
                                   uint8_t out[8192]) {
    struct cmp_talk again = *talk;
    struct cmp_step step;
    cmp_run(station, &again, &step);
    need(step.turn == CMP_SEND && buf_length(step.message) <= 8192);
    size_t length = buf_length(step.message);
    memcpy(out, buf_slice(step.message).data, length);
    cmp_step_free(&step);
    for (size_t i = 0; i + 2 < changes.length; i += 3) {
        out[((size_t)changes.data[i] << 8 | changes.data[i + 1]) % length] = changes.data[i + 2];
    }
    return (struct slice){out, length};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cmp_talk talk;
    struct error error;
    static uint8_t changed[8192];
    if (size < 2) {
        return 0;
    }
    struct slice rest = {data + 2, size - 2};
    enum cmp_kind kind = (enum cmp_kind)(data[0] % 4);
    bool is_begun = kind == CMP_CONFIRM ? cmp_talk_resume(&talk, rest, &error)
                                        : cmp_talk_begin(&talk, kind, &error);
    if (is_begun) {
        talk.csr = buf_slice(csr);
        talk.certificate = buf_slice(certificate);
        talk.keeps = (data[1] & 1) != 0;
        talk.polls = (data[1] & 2) != 0;
        if (kind != CMP_CONFIRM && (data[1] & 4) != 0) {
            rest = change_message(&talk, rest, changed);
        }
        run_once(&talk, kind == CMP_CONFIRM);
        if (cmp_talk_hear(&talk, rest, &error)) {
            run_once(&talk, true);
        }
    }
    cmp_talk_free(&talk);
    return 0;
}
