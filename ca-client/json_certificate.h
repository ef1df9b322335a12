// SPDX-License-Identifier: Apache-2.0
// Certificates as members of JSON: PEM in texts. For backends only.
#ifndef BIRTHCERT_CA_JSON_CERTIFICATE_H
#define BIRTHCERT_CA_JSON_CERTIFICATE_H

#include <jansson.h>

#include "station/base/buf.h"
#include "station/base/error.h"

// Appends the DER of all certificates in the text, or in each text of the list; `what` the answer is
// to is for the message. E_CA_NONSENSE where there is none in one of them, or `member` is no text;
// E_MEMORY. A list may be empty.
MUST_CHECK bool json_take_certificate(const json_t *member, const char *what, struct buf *der,
                                      struct error *error);
MUST_CHECK bool json_take_certificates(const json_t *list, const char *what, struct buf *der,
                                       struct error *error);

#endif
