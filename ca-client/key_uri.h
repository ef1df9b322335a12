// SPDX-License-Identifier: Apache-2.0
// pkcs11: URIs (RFC 7512) for the files key*.c.
#ifndef BIRTHCERT_CA_KEY_URI_H
#define BIRTHCERT_CA_KEY_URI_H

#include <p11-kit/uri.h>

#include "station/base/error.h"

// NULL and E_CONFIG where it is not good for a private key. The text of the error never holds a
// part of the URI: somebody may have put the PIN into it. The caller frees it, p11_kit_uri_free.
P11KitUri *key_uri_parse(const char *uri, struct error *error);

// The file of pin-source, as secret_read takes it: a path or "credential:NAME". NULL without one.
const char *key_uri_pin_file(const P11KitUri *uri);

#endif
