// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <jansson.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "ca-client/ca_ejbca_internal.h"
#include "ca-client/json_load.h"
#include "ca-client/json_request.h"
#include "ca-client/profile.h"

#define PASSWORD_BYTES 16

// ---- the end entity -----------------------------------------------------------------------------

static bool is_plain(char c) {
    return isalnum((unsigned char)c) || c == '-' || c == '.' || c == '_';
}

// No two texts become the same one: EJBCA would take two cameras for one end entity.
static bool put_plain(struct buf *out, const char *text) {
    bool done = true;
    for (; done && *text != '\0'; text++) {
        done = is_plain(*text) ? buf_put(out, text, 1) : buf_printf(out, "+%02x", (uint8_t)*text);
    }
    return done;
}

bool ejbca_username(const struct ca_request *request, char out[EJBCA_USERNAME_SIZE],
                    struct error *error) {
    struct buf *name = buf_new(EJBCA_USERNAME_SIZE - 1);
    bool good = name != NULL && put_plain(name, request->subject.serial) &&
                buf_put_text(name, "@") && put_plain(name, request->profile->name) &&
                text_copy(out, EJBCA_USERNAME_SIZE, buf_text(name));
    buf_free(name);
    return good || error_set(error, E_CAM_SERIAL,
                             "the serial \"%s\" makes a name for EJBCA of more than %d characters",
                             request->subject.serial, EJBCA_USERNAME_SIZE - 1);
}

// ---- enrolling ----------------------------------------------------------------------------------

// EJBCA wants the end entity's enrollment code set and shown in the same request; it is good for
// nothing after that.
static bool put_password(json_t *root) {
    uint8_t bytes[PASSWORD_BYTES];
    char text[2 * PASSWORD_BYTES + 1] = "";
    bool good = RAND_bytes(bytes, sizeof bytes) == 1;
    hex_encode(text, bytes, good ? sizeof bytes : 0);
    good = good && json_put_text(root, "password", text);
    explicit_bzero(bytes, sizeof bytes);
    explicit_bzero(text, sizeof text);
    return good;
}

static bool fill_enroll(json_t *root, const struct ca *ca, const struct ca_request *request,
                        struct error *error) {
    char username[EJBCA_USERNAME_SIZE];
    error_set(error, E_MEMORY, "no memory for a request to the CA");
    return ejbca_username(request, username, error) &&
           json_put_pem(root, "certificate_request", request->csr, "CERTIFICATE REQUEST", error) &&
           json_put_text(root, "certificate_profile_name", ca->profile) &&
           json_put_text(root, "end_entity_profile_name", ca->entity_profile) &&
           json_put_text(root, "certificate_authority_name", ca->authority) &&
           json_put_text(root, "username", username) && put_password(root) &&
           // The chain is known, and a failure to find it would hide that the certificate is made.
           json_put(root, "include_chain", json_false());
}

struct buf *ejbca_write_enroll(const struct ca *ca, const struct ca_request *request,
                               struct error *error) {
    json_t *root = json_object();
    if (!fill_enroll(root, ca, request, error)) {
        json_decref(root);
        return NULL;
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

// ---- searching ----------------------------------------------------------------------------------

static bool put_criterion(json_t *list, const char *property, const char *value) {
    return json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "property", property, "value",
                                                 value, "operation", "EQUAL")) == 0;
}

// Takes `criteria` over; NULL stands for one that could not be made.
static struct buf *finish_search(json_t *criteria, uint32_t page, struct error *error) {
    json_t *root = NULL;
    if (criteria != NULL) {
        root = json_pack("{s:{s:i, s:i}, s:{s:s, s:s}, s:o}", "pagination", "page_size",
                         EJBCA_PAGE_SIZE, "current_page", (int)page, "sort", "property",
                         "ISSUED_DATE", "operation", "DESC", "criteria", criteria);
    }
    return json_write(root, WEB_REQUEST_MAX, error);
}

// The names of CA and profiles are there to be refused where the station may not see what they issued:
// without them EJBCA would leave that out, in silence.
struct buf *ejbca_write_search(const struct ca *ca, const char *username, uint32_t page,
                               struct error *error) {
    json_t *list = json_array();
    if (!put_criterion(list, "QUERY", username[0] != '\0' ? username : "@") ||
        !put_criterion(list, "CA", ca->authority) ||
        !put_criterion(list, "END_ENTITY_PROFILE", ca->entity_profile) ||
        !put_criterion(list, "CERTIFICATE_PROFILE", ca->profile)) {
        json_decref(list);
        list = NULL;
    }
    return finish_search(list, page, error);
}

static struct buf *write_search_one(const char *property, const char *value, uint32_t page,
                                    struct error *error) {
    json_t *list = json_array();
    if (!put_criterion(list, property, value)) {
        json_decref(list);
        list = NULL;
    }
    return finish_search(list, page, error);
}

struct buf *ejbca_write_search_text(const char *text, uint32_t page, struct error *error) {
    return write_search_one("QUERY", text, page, error);
}

struct buf *ejbca_write_search_authority(const struct ca *ca, uint32_t page, struct error *error) {
    return write_search_one("CA", ca->authority, page, error);
}

// ---- paths --------------------------------------------------------------------------------------

bool ejbca_write_path(char out[WEB_PATH_SIZE], const char *before, const char *segment,
                      const char *behind) {
    struct buf *path = buf_new(WEB_PATH_SIZE - 1);
    bool done = path != NULL && buf_put_text(path, before);
    for (; done && *segment != '\0'; segment++) {
        done = is_plain(*segment) ? buf_put(path, segment, 1)
                                  : buf_printf(path, "%%%02X", (uint8_t)*segment);
    }
    done = done && buf_put_text(path, behind) && text_copy(out, WEB_PATH_SIZE, buf_text(path));
    buf_free(path);
    return done;
}
