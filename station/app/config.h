// SPDX-License-Identifier: Apache-2.0
// The configuration: an INI file and the drop-ins *.conf of the folder conf.d beside it, read in
// the order of their names. Unknown sections, unknown keys and bad values are errors with file and
// line and what is allowed.
#ifndef BIRTHCERT_APP_CONFIG_H
#define BIRTHCERT_APP_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ca-client/ca.h"
#include "ca-client/profile.h"
#include "db/record.h"
#include "protocol/transport.h"
#include "station/base/error.h"

#define CONFIG_SLOTS_MAX 256
#define CONFIG_CAS_MAX 16
#define CONFIG_PROFILES_MAX UNIT_CREDENTIALS_MAX

// Cameras that do not show the bench's USB interface, and are known by their VID:PID.
struct config_usb_ids {
    size_t count;
    struct usb_id ids[TRANSPORT_USB_IDS_MAX];
};

// [slot NAME]: one place on the bench that a camera is plugged into.
struct config_slot {
    char name[NAME_SIZE];
    char transport[NAME_SIZE]; // "serial", "usb" or "unix", by which of the keys was given
    char path[256];            // usb: the port path, as 1-2.3
    uint32_t bit_rate;         // 0: the transport's default
    char wake_line[129];       // "" for none
};

struct config_ca {
    char name[NAME_SIZE];
    struct ca_settings settings; // its strings belong to the config
};

struct config {
    char file[512];          // as it was opened
    char station[NAME_SIZE]; // [station] name; the host's name by default
    char operator_name[NAME_SIZE];
    char lot[NAME_SIZE];
    bool lock; // [station] lock = yes: FINISH locks the camera; the default
    // Policy of retries and deadlines, milliseconds.
    uint32_t generate_timeout_ms; // cap for GENERATE_KEY, default 300 s
    struct config_usb_ids usb_ids;

    char store_path[512]; // [store] path; a relative one is relative to the file's folder

    char forward_socket[108]; // [forward] socket; "": this is no forwarder's configuration

    size_t ca_count;
    struct config_ca cas[CONFIG_CAS_MAX];
    size_t profile_count; // at least 1; each fills another credential
    struct profile profiles[CONFIG_PROFILES_MAX];
    size_t slot_count; // 0: of somebody without cameras
    struct config_slot slots[CONFIG_SLOTS_MAX];
};

// Reads the configuration. `path` NULL: $BIRTHCERT_CONFIG, else birthcert.conf in this folder, else
// /etc/birthcert/birthcert.conf. The caller frees it with config_free, also after a failure.
// E_CONFIG_MISSING, E_CONFIG. Secret files are named here and read, and checked, where they are
// used.
MUST_CHECK bool config_load(const char *path, struct config **config, struct error *error);
void config_free(struct config *config); // takes NULL

// Whether a camera can be worked on. E_CONFIG.
MUST_CHECK bool config_require_slots(const struct config *config, struct error *error);
// NULL where there is none of that name.
const struct config_slot *config_find_slot(const struct config *config, const char *name);
const struct config_ca *config_find_ca(const struct config *config, const char *name);
const struct ca_ops *config_find_backend(const struct config *config, const char *ca);
// Whether what went to `endpoint` may be asked about in that section: endpoint_is_of, where the CA does not
// judge that itself. False for NULL.
bool config_ca_leads_to(const struct config_ca *ca, const char *endpoint);
const struct profile *config_find_profile(const struct config *config, const char *name);
// A copy with the profiles of that CA alone; where no profile names it, with all of them, as if they
// did: somebody wants to know before he changes to it. It shares the configuration's strings. The
// caller frees it with free. NULL without memory.
struct config *config_view(const struct config *config, const char *ca);
// Whether a request for that credential would have that CA rekey what it supersedes.
bool config_rekeys(const struct config *config, const char *ca, uint8_t credential);
// How many certificates of that CA a camera gets.
size_t config_count_profiles(const struct config *config, const char *ca);

// Writes a new folder for a bench: birthcert.conf with every key explained, conf.d, the database's
// place, and an embedded CA for trying out (ca/root.pem, ca/root.key). Never overwrites a file.
MUST_CHECK bool config_init(const char *folder, struct error *error);

#endif
