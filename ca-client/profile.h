// SPDX-License-Identifier: Apache-2.0
// A certificate profile: what is asked for, and what an issued certificate is held against.
#ifndef BIRTHCERT_CA_PROFILE_H
#define BIRTHCERT_CA_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "station/base/error.h"

#define PROFILE_NAME_SIZE 65
#define PROFILE_TEXT_SIZE 129
#define PROFILE_LIST_MAX 4

// Templates hold {serial}, {model} and {mac} (the hardware id, if it has six bytes, as aa:bb:..).
// "" leaves a name out.
struct profile {
    char name[PROFILE_NAME_SIZE];
    uint8_t credential; // the camera's number of the credential to fill
    uint8_t key_type;   // enum key_type
    char ca[PROFILE_NAME_SIZE];
    bool replace_foreign_key; // a key of unknown origin is replaced; else the unit fails

    char common_name[PROFILE_TEXT_SIZE];
    char serial_number[PROFILE_TEXT_SIZE]; // X.520 serialNumber
    char organization[PROFILE_TEXT_SIZE];
    char organizational_unit[PROFILE_TEXT_SIZE];
    char country[3]; // ISO 3166, two letters
    char dns_names[PROFILE_LIST_MAX][PROFILE_TEXT_SIZE];
    // HardwareModuleName (RFC 4108, section 5) in subjectAltName: the type's OID, dotted; "": none.
    // Its serial number is the camera's serial.
    char hardware_type[PROFILE_TEXT_SIZE];

    bool server_auth;
    bool client_auth;
    // Validity asked for; 0: 9999-12-31T23:59:59Z (RFC 5280, section 4.1.2.5), where the CA allows.
    uint32_t validity_days;
};

// The built-in profiles, to start from; false for another name. "https": CN and serialNumber
// {serial}, host name {serial}.local, serverAuth and clientAuth, ten years, credential 1. "idevid"
// (IEEE 802.1AR): CN "{model} {serial}", serialNumber {serial}, HardwareModuleName with a type of
// the arc for documentation (RFC 5612) that a maker replaces, no end, credential 2.
bool profile_built_in(const char *name, struct profile *profile);

// What a camera puts into templates.
struct profile_subject {
    const char *serial;
    const char *model;
    const uint8_t *hardware_id;
    size_t hardware_id_length;
};

// Fills a template. E_CONFIG for an unknown placeholder or a result over `capacity` - 1 bytes, and
// for {mac} where the camera has none; E_CAM_MALFORMED for a serial or model that is no label
// (text_is_label). `out` is at most 64 bytes long for names in the subject
// (X.520 upper bounds): the caller gives the capacity that goes with it.
MUST_CHECK bool profile_fill(const char *template, const struct profile_subject *subject, char *out,
                             size_t capacity, struct error *error);

// Which of its keys ask for names beside the subject, for people: "dns_names and hardware_type"; NULL
// for none. Static.
const char *profile_further_names(const struct profile *profile);

// Checks what can be checked without a camera: placeholders, lengths, key type, country, OID.
MUST_CHECK bool profile_check(const struct profile *profile, struct error *error);

#endif
