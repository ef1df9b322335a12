// SPDX-License-Identifier: Apache-2.0
// birthcert outbox export: what a person is to carry to a CA.
#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ca-client/bundle.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "station/app/carry.h"
#include "station/app/doctor.h"
#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/base/array.h"
#include "station/base/clock.h"

struct outbox {
    const struct options *options;
    struct doctor says;
    struct reader reader;
    const struct config_ca *ca; // of the requests taken so far; its key signs
    json_t *requests;
    uint8_t (*keys)[SHA256_SIZE]; // of the same
    size_t count;
    size_t capacity;
    size_t carried; // were written before
    size_t others;  // are for another CA
    size_t queued;  // a station has to take them up first
    struct error error;
};

// The CA of the request's profile, where persons carry requests to it; else NULL.
static const struct config_ca *offline_ca(const struct outbox *outbox,
                                          const struct profile *profile) {
    const struct config_ca *ca =
        profile != NULL ? config_find_ca(outbox->reader.config, profile->ca) : NULL;
    const struct ca_ops *ops = ca != NULL ? ca_find(ca->settings.backend) : NULL;
    return ops != NULL && ops->is_offline ? ca : NULL;
}

static bool keep_key(struct outbox *outbox, const uint8_t spki_sha256[SHA256_SIZE]) {
    void *keys =
        array_reserve(outbox->keys, outbox->count, &outbox->capacity, sizeof *outbox->keys);
    if (keys == NULL) {
        return error_set(&outbox->error, E_MEMORY, "no memory for a bundle");
    }
    outbox->keys = keys;
    memcpy(outbox->keys[outbox->count++], spki_sha256, SHA256_SIZE);
    return true;
}

static bool take_request(struct outbox *outbox, const struct request_record *record,
                         const struct profile *profile) {
    struct ca_request request = {
        .profile = profile,
        .subject = {.serial = record->serial,
                    .model = record->model,
                    .hardware_id = record->hardware_id,
                    .hardware_id_length = record->hardware_id_length},
        .csr = record->csr,
        .sent_ms = record->sent_ms,
        .handle = "",
    };
    json_t *object = json_object();
    memcpy(request.spki_sha256, record->spki_sha256, SHA256_SIZE);
    error_set(&outbox->error, E_MEMORY, "no memory for a bundle");
    bool done = json_put_text(object, "profile", profile->name) &&
                json_put_request(object, &request, &outbox->error) &&
                json_array_append(outbox->requests, object) == 0 &&
                keep_key(outbox, record->spki_sha256);
    json_decref(object);
    if (done) {
        outbox->error = (struct error){0};
    }
    return done;
}

// False ends the visit: outbox->error says why.
static bool visit_request(void *context, const struct request_record *record) {
    struct outbox *outbox = context;
    const struct profile *profile = config_find_profile(outbox->reader.config, record->profile);
    const struct config_ca *ca = offline_ca(outbox, profile);
    if (ca == NULL || record->csr.length == 0) {
        return true;
    }
    if (record->state != REQUEST_ACCEPTED) {
        outbox->queued++;
        return true;
    }
    if (!outbox->options->again && carry_is_out(outbox->reader.config, record->spki_sha256)) {
        outbox->carried++;
        return true;
    }
    outbox->ca = outbox->ca != NULL ? outbox->ca : ca;
    if (outbox->ca != ca) { // a bundle is for one CA, and signed for it
        outbox->others++;
        return true;
    }
    return take_request(outbox, record, profile);
}

static struct buf *write_content(struct outbox *outbox, struct error *error) {
    char now[CLOCK_TEXT_SIZE];
    json_t *root = json_object();
    clock_format_utc(now, clock_wall_ms());
    error_set(error, E_MEMORY, "no memory for a bundle");
    bool done = json_put(root, "version", json_integer(1)) &&
                json_put_text(root, "station", outbox->reader.config->station) &&
                json_put_text(root, "ca", outbox->ca->name) &&
                json_put_text(root, "made_at", now) &&
                json_put(root, "requests", json_incref(outbox->requests));
    if (!done) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, BUNDLE_MAX, error);
}

static bool sign_content(const struct outbox *outbox, struct slice content, struct buf **bundle,
                         struct error *error) {
    const struct ca_settings *settings = &outbox->ca->settings;
    if (settings->client_key_file == NULL || settings->client_key_file[0] == '\0') {
        return error_set(error, E_CA_CONFIG,
                         "[ca %s]: client_certificate_file and client_key_file are not set: "
                         "nobody could tell who wrote the bundle",
                         outbox->ca->name);
    }
    return bundle_sign(settings->client_certificate_file, settings->client_key_file, content,
                       bundle, error) ||
           error_prefix(error, "[ca %s]", outbox->ca->name);
}

// First it is noted that they are out, then the file gets its name: a request that was noted and
// not written is found with --again, one that was written twice might be issued twice.
static bool write_bundle(struct outbox *outbox, struct error *error) {
    struct buf *content = write_content(outbox, error);
    struct buf *bundle = NULL;
    bool done = content != NULL && sign_content(outbox, buf_slice(content), &bundle, error);
    for (size_t i = 0; done && i < outbox->count; i++) {
        done = carry_note_out(outbox->reader.config, outbox->keys[i], error);
    }
    done = done && carry_write_file(outbox->options->object, buf_slice(bundle), error);
    buf_free(bundle);
    buf_free(content);
    return done;
}

// Before anything is noted as out: a slip in the name must not need --again.
static bool check_place(const char *path, struct error *error) {
    char folder[PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (strcmp(path, "-") == 0) { // stdout says what was exported
        return error_set(error, E_USAGE, "-: name a file; ./- is one of that name");
    }
    // With its slash: what is no folder is found by it.
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash + 1 - path) : 1,
             slash != NULL ? path : ".");
    if (access(path, F_OK) == 0) {
        return error_set(error, E_EXISTS, "%s: is there already, and may not have been carried yet",
                         path);
    }
    if (errno != ENOENT || access(folder, W_OK) != 0) {
        bool is_slip = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
        return error_set(error, is_slip ? E_USAGE : E_SYSTEM, "%s: %s", path, strerror(errno));
    }
    return true;
}

static bool export_requests(struct outbox *outbox, struct error *error) {
    const struct reader *reader = &outbox->reader;
    if (!reader->ops->select_requests(reader->store, visit_request, outbox, error)) {
        return false;
    }
    if (outbox->error.code != ERROR_NONE) {
        *error = outbox->error;
        return false;
    }
    if (outbox->count > 0 &&
        (!check_place(outbox->options->object, error) || !write_bundle(outbox, error))) {
        return false;
    }
    if (outbox->others > 0) {
        doctor_warn(&outbox->says, "outbox", "export once more, into another file",
                    "%zu more are for another CA than %s", outbox->others, outbox->ca->name);
    }
    doctor_ok(&outbox->says, "outbox",
              "%zu requests are in %s; %zu were carried before, %zu are not taken up yet (run "
              "birthcert tray or run)",
              outbox->count, outbox->count > 0 ? outbox->options->object : "no file",
              outbox->carried, outbox->queued);
    return true;
}

int cmd_outbox(const struct options *options, struct output *output) {
    struct outbox outbox = {
        .options = options, .says = {.output = output}, .requests = json_array()};
    struct error error;
    bool done = reader_open(&outbox.reader, options, &error) && export_requests(&outbox, &error);
    if (!done) {
        output->ops->error(output, "outbox export", &error);
    }
    reader_close(&outbox.reader);
    json_decref(outbox.requests);
    free(outbox.keys);
    return !done ? exit_status_of(&error) : outbox.count > 0 ? EXIT_OK : EXIT_NOTHING_TO_DO;
}
