// SPDX-License-Identifier: Apache-2.0
#include "station/app/trust.h"

#include "station/app/input_file.h"
#include "station/base/buf.h"

#define PEM_MAX (256 * 1024)

// What is gathered, PEM.
struct anchors {
    struct buf *roots;
    struct buf *intermediates;
};

static bool is_given(const char *file) {
    return file != NULL && file[0] != '\0';
}

// The embedded CA is its own root.
static const char *root_file_of(const struct ca_settings *settings) {
    return is_given(settings->root_file) ? settings->root_file : settings->ca_certificate_file;
}

bool trust_has_root(const struct ca_settings *settings) {
    return is_given(root_file_of(settings));
}

// The one before it may end without a newline.
static bool add_file(const char *file, struct buf *pem, struct error *error) {
    struct buf *text = NULL;
    if (!is_given(file)) {
        return true;
    }
    if (!input_file_read(file, PEM_MAX, E_CA_CONFIG, E_CA_CONFIG, &text, error)) {
        return false;
    }
    bool fits = buf_put(pem, buf_slice(text).data, buf_length(text)) && buf_put(pem, "\n", 1);
    buf_free(text);
    return fits ||
           error_set(error, E_CA_CONFIG, "%s: over %d bytes of certificates", file, PEM_MAX);
}

static bool add_section(const struct ca_settings *settings, struct anchors *anchors,
                        struct error *error) {
    bool done = add_file(root_file_of(settings), anchors->roots, error) &&
                add_file(settings->intermediates_file, anchors->intermediates, error);
    return done || error_prefix(error, "[ca %s]", settings->name);
}

static bool anchors_new(struct anchors *anchors, struct error *error) {
    anchors->roots = buf_new(PEM_MAX);
    anchors->intermediates = buf_new(PEM_MAX);
    return (anchors->roots != NULL && anchors->intermediates != NULL) ||
           error_set(error, E_MEMORY, "no memory for root certificates");
}

static bool anchors_trust(const struct anchors *anchors, struct x509_trust **trust,
                          struct error *error) {
    return x509_trust_new(buf_slice(anchors->roots), buf_slice(anchors->intermediates), trust,
                          error);
}

static void anchors_free(struct anchors *anchors) {
    buf_free(anchors->roots);
    buf_free(anchors->intermediates);
}

bool trust_read(const struct ca_settings *settings, struct x509_trust **trust,
                struct error *error) {
    struct anchors anchors = {0};
    if (!trust_has_root(settings)) {
        return error_set(error, E_CA_CONFIG, "[ca %s]: root_file is missing", settings->name);
    }
    bool done =
        anchors_new(&anchors, error) && add_section(settings, &anchors, error) &&
        (anchors_trust(&anchors, trust, error) || error_prefix(error, "[ca %s]", settings->name));
    anchors_free(&anchors);
    return done;
}

bool trust_read_all(const struct config *config, struct x509_trust **trust, struct error *error) {
    struct anchors anchors = {0};
    bool done = anchors_new(&anchors, error);
    for (size_t i = 0; done && i < config->ca_count; i++) {
        done = add_section(&config->cas[i].settings, &anchors, error);
    }
    if (done && buf_length(anchors.roots) == 0) {
        done = error_set(error, E_CA_CONFIG, "no [ca] section in %s has a root_file", config->file);
    }
    done = done && anchors_trust(&anchors, trust, error);
    anchors_free(&anchors);
    return done;
}
