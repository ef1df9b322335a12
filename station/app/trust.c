// SPDX-License-Identifier: Apache-2.0
#include "station/app/trust.h"

#include "station/app/input_file.h"
#include "station/base/buf.h"

#define TRUST_FILE_MAX (256 * 1024)

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

static bool read_file(const char *file, struct buf **pem, struct error *error) {
    return input_file_read(file, TRUST_FILE_MAX, E_CA_CONFIG, E_CA_CONFIG, pem, error);
}

bool trust_read(const struct ca_settings *settings, struct x509_trust **trust,
                struct error *error) {
    struct buf *roots = NULL;
    struct buf *intermediates = NULL;
    if (!trust_has_root(settings)) {
        return error_set(error, E_CA_CONFIG, "[ca %s]: root_file is missing", settings->name);
    }
    bool done =
        read_file(root_file_of(settings), &roots, error) &&
        (!is_given(settings->intermediates_file) ||
         read_file(settings->intermediates_file, &intermediates, error)) &&
        x509_trust_new(buf_slice(roots),
                       intermediates != NULL ? buf_slice(intermediates) : (struct slice){NULL, 0},
                       trust, error);
    buf_free(roots);
    buf_free(intermediates);
    return done || error_prefix(error, "[ca %s]", settings->name);
}
