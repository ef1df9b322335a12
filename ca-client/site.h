// SPDX-License-Identifier: Apache-2.0
// Where a CA's API is, and how the station shows itself there: what the sections [ca NAME] of all
// CAs over HTTP have in common.
#ifndef BIRTHCERT_CA_SITE_H
#define BIRTHCERT_CA_SITE_H

#include <stdbool.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/http.h"
#include "station/base/bytes.h"
#include "station/base/error.h"
#include "station/io/loop.h"

#define SITE_URL_SIZE 640 // of the base URL

struct site {
    struct http *http;
    char *name;         // of the section
    char *base_url;     // without a slash at its end
    char *extra_header; // the files and this: NULL where not set
    char *certificate_file;
    char *key_file;
    char *root_file;
    char *intermediates_file;
    uint32_t timeout_ms;
    uint32_t in_flight;
    // Of the station's key, which then is not asked again; ERROR_NONE: there was none.
    struct error pin_refusal;
};

// Checks url (https://, or http:// to this computer), extra_header, and the station's certificate
// and key where there are any; copies them; starts the engine. After a failure site_close is due as
// well. E_CA_CONFIG, E_SECRET_*.
MUST_CHECK bool site_open(struct site *site, struct loop *loop, const struct ca_settings *settings,
                          struct error *error);
// For a CA without a server: its files only, for site_report_station and site_report_chain.
MUST_CHECK bool site_copy_files(struct site *site, const struct ca_settings *settings);
// Of one that was never opened, all zero: nothing.
void site_close(struct site *site);

// ---- for the report of ca_ops.check --------------------------------------------------------------

// The first thing that failed is what the report tells.
void site_note_error(struct ca_report *report, const struct error *error);
// Adds to what the report remarks, as far as there is room.
void site_remark(struct ca_report *report, const char *format, ...) PRINTF_LIKE(2, 3);
// Looks at the station's certificate and key, where there are any, as they are now. A PIN that was
// refused is not tried again.
void site_report_station(struct site *site, struct ca_report *report);
// Notes the subjects of the CA's chain (DER, issuing CA first), and whether it leads to the pinned
// root. An empty one is not known, and good.
void site_report_chain(const struct site *site, struct slice chain, int64_t now_ms,
                       struct ca_report *report);

#endif
