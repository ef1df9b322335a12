// SPDX-License-Identifier: Apache-2.0
// The folder DATABASE.carried beside the database: which requests persons carried away to a CA, and
// which certificates they brought. Files are named after the SHA-256 of the public key; a certificate
// can serve no other request than the one for its key. It works beside a running station, which
// looks here before it asks a CA what became of a request.
#ifndef BIRTHCERT_APP_CARRY_H
#define BIRTHCERT_APP_CARRY_H

#include <stdbool.h>
#include <stdint.h>

#include "db/store.h"
#include "station/app/config.h"
#include "station/base/buf.h"
#include "station/base/bytes.h"
#include "station/base/error.h"

#define CARRY_CERTIFICATE_MAX (256 * 1024) // one with those above it, PEM

// Whether persons carry the request: the CA that has it is one that no network leads to.
bool carry_is_for(const struct config *config, const struct store_row *row);
// Whether its certificate was rejected: at a CA that waits to hear what became of it, what is in quarantine
// was, but for what it would not hear of. Nobody can bring that, and no look makes it good. `ops` may be
// NULL.
bool carry_was_rejected(const struct ca_ops *ops, enum request_state request,
                        enum error_code error);
// Whether the request was carried away before.
bool carry_is_out(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE]);
// Notes that it is: durable when this returns true. E_SYSTEM.
MUST_CHECK bool carry_note_out(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                               struct error *error);

// Keeps the certificate that was brought for a key, PEM, leaf first, in the place of any other:
// durable when this returns true. E_SYSTEM.
MUST_CHECK bool carry_put_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                             struct slice pem, struct error *error);
// Forgets that it was carried away: it is carried once more. E_SYSTEM.
MUST_CHECK bool carry_forget_out(const struct config *config,
                                 const uint8_t spki_sha256[SHA256_SIZE], struct error *error);
// Puts what was brought for a key out of the way, as KEY.bad: it is no good. E_SYSTEM.
MUST_CHECK bool carry_set_aside(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                                struct error *error);
bool carry_is_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE]);
// Reads it. The caller frees `*pem`. E_SYSTEM, also where nobody brought one.
MUST_CHECK bool carry_take_in(const struct config *config, const uint8_t spki_sha256[SHA256_SIZE],
                              struct buf **pem, struct error *error);

// Writes a whole file in the place of any other, durable when this returns true. E_SYSTEM.
MUST_CHECK bool carry_write_file(const char *path, struct slice content, struct error *error);

#endif
