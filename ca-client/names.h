// SPDX-License-Identifier: Apache-2.0
// The names of one camera's certificate: a profile's templates, filled. What is asked for, what the
// camera puts into its CSR and what an issued certificate is held against all come from here.
#ifndef BIRTHCERT_CA_NAMES_H
#define BIRTHCERT_CA_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "ca-client/profile.h"
#include "station/base/error.h"

#define NAMES_ATTRIBUTE_SIZE 65 // X.520 upper bounds: 64
#define NAMES_DNS_SIZE 254      // RFC 1035: 253 without the final dot

// "" where the profile leaves a name out.
struct names {
    char country[3];
    char organization[NAMES_ATTRIBUTE_SIZE];
    char organizational_unit[NAMES_ATTRIBUTE_SIZE];
    char common_name[NAMES_ATTRIBUTE_SIZE];
    char serial_number[NAMES_ATTRIBUTE_SIZE]; // PrintableString's characters only (X.520, 6.2.9)
    size_t dns_count;
    char dns_names[PROFILE_LIST_MAX][NAMES_DNS_SIZE]; // host names (RFC 1123), in lower case
    const char *hardware_type;   // OID, dotted; "": no HardwareModuleName. Points into the profile.
    const char *hardware_serial; // points into the subject
};

// E_CONFIG where a template does not fill, or its result cannot stand where it is meant to;
// E_CAM_MALFORMED where what the camera says of itself cannot stand in any name.
MUST_CHECK bool names_fill(const struct profile *profile, const struct profile_subject *subject,
                           struct names *names, struct error *error);

// A host name, RFC 1123, section 2.1: labels of letters, digits and hyphens. Not its length in all.
bool names_is_host(const char *name);

#endif
