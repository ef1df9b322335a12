// SPDX-License-Identifier: Apache-2.0
// Where requests go: what of a [ca NAME] section identifies the CA, in words. A request is looked up,
// fetched and confirmed where it was sent, and the section's name does not say that: the section may
// have been edited since. Pure.
#ifndef BIRTHCERT_CA_ENDPOINT_H
#define BIRTHCERT_CA_ENDPOINT_H

#include "ca-client/ca.h"

// "hvca https://host:8443/v2", "vault https://host:8200 authority=pki": the backend, then what its
// look-up depends on, and what chooses another CA at the same place. Two places have two texts; two texts
// may stand for one CA, which has several names then. In the url only what never makes
// a difference is made the same: the letters' case of scheme and host, a port that is the scheme's
// own, slashes at the end where the backend drops them. No credential is in it: that these are
// renewed changes nothing, and another account at the same url is not seen.
//
// Of a CA that judges endpoints itself it says nothing but the backend.
//
// Printable ASCII, never empty. What is too long ends in a hash of the whole. The settings are those of a
// CA that could be opened.
void endpoint_text(const struct ca_settings *settings, char out[CA_ENDPOINT_SIZE]);

// Whether that is the section's endpoint_text.
bool endpoint_leads_to(const struct ca_settings *settings, const char *endpoint);

// Whether what was recorded as `endpoint` is the CA that the section leads to: endpoint_text, or `formerly`,
// by which a person says that the CA has moved. "", not known, counts as that.
bool endpoint_is_of(const struct ca_settings *settings, const char *endpoint);

// Whether `formerly` could be one: of the section's backend, and as long as they are at most. NULL and "", for
// never, are.
bool endpoint_check_formerly(const struct ca_settings *settings);

#endif
