// SPDX-License-Identifier: Apache-2.0
#include "ca-client/site.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ca-client/x509.h"
#include "ca-client/x509_station.h"

#define TIMEOUT_DEFAULT_MS 30000
#define HEADER_MAX 512

static bool is_set(const char *text) {
    return text != NULL && text[0] != '\0';
}

static bool is_printable(const char *text) {
    for (size_t i = 0; text[i] != '\0'; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return text[0] != '\0';
}

static bool check_url(const char *url, struct error *error) {
    if (!is_set(url)) {
        return error_set(error, E_CA_CONFIG, "url is not set");
    }
    if (strlen(url) >= SITE_URL_SIZE - 32 || !is_printable(url) ||
        strpbrk(url, " @?#\\\"") != NULL) {
        return error_set(error, E_CA_CONFIG, "url: \"%s\" is no plain URL", url);
    }
    if (strncasecmp(url, "https://", 8) != 0 && !http_url_is_loopback(url)) {
        return error_set(error, E_CA_CONFIG, "url: \"%s\" must begin with https://", url);
    }
    return true;
}

static bool check_settings(const struct ca_settings *settings, struct error *error) {
    const char *header = settings->extra_header;
    if (!check_url(settings->url, error)) {
        return false;
    }
    if (is_set(settings->client_certificate_file) != is_set(settings->client_key_file)) {
        return error_set(error, E_CA_CONFIG,
                         "client_certificate_file and client_key_file go together");
    }
    if (is_set(header) &&
        (!is_printable(header) || strchr(header, ':') == NULL || strlen(header) > HEADER_MAX)) {
        return error_set(error, E_CA_CONFIG, "extra_header must be \"Name: value\"");
    }
    return true;
}

static bool copy_text(char **out, const char *text) {
    *out = is_set(text) ? strdup(text) : NULL;
    return !is_set(text) || *out != NULL;
}

bool site_copy_files(struct site *site, const struct ca_settings *settings) {
    return copy_text(&site->certificate_file, settings->client_certificate_file) &&
           copy_text(&site->key_file, settings->client_key_file) &&
           copy_text(&site->root_file, settings->root_file) &&
           copy_text(&site->intermediates_file, settings->intermediates_file);
}

static bool copy_settings(struct site *site, const struct ca_settings *settings) {
    site->in_flight = settings->in_flight > 0 ? settings->in_flight : 1;
    site->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_DEFAULT_MS;
    bool done = copy_text(&site->name, is_set(settings->name) ? settings->name : "?") &&
                copy_text(&site->base_url, settings->url) &&
                copy_text(&site->extra_header, settings->extra_header) &&
                site_copy_files(site, settings);
    size_t length = done && site->base_url != NULL ? strlen(site->base_url) : 0;
    while (length > 0 && site->base_url[length - 1] == '/') {
        site->base_url[--length] = '\0';
    }
    return done;
}

bool site_open(struct site *site, struct loop *loop, const struct ca_settings *settings,
               struct error *error) {
    int64_t not_after_ms = 0;
    if (!check_settings(settings, error)) {
        return false;
    }
    if (!copy_settings(site, settings)) {
        return error_set(error, E_MEMORY, "no memory for the CA");
    }
    bool is_plain = http_url_is_loopback(settings->url) && !is_set(settings->server_root_file);
    const struct http_settings http = {
        // Without TLS nothing is held against it, and the engine will have one all the same.
        .server_root_file = is_plain ? site->root_file : settings->server_root_file,
        .client_certificate_file = site->certificate_file,
        .client_key_file = site->key_file,
        .connections = site->in_flight,
        .timeout_ms = site->timeout_ms,
        .closes_connections = settings->closes_connections,
    };
    return (site->certificate_file == NULL ||
            x509_station_check(site->certificate_file, site->key_file, &not_after_ms, error)) &&
           http_new(loop, &http, &site->http, error);
}

void site_close(struct site *site) {
    http_free(site->http);
    free(site->name);
    free(site->base_url);
    free(site->extra_header);
    free(site->certificate_file);
    free(site->key_file);
    free(site->root_file);
    free(site->intermediates_file);
    *site = (struct site){0};
}

void site_note_error(struct ca_report *report, const struct error *error) {
    if (report->error.code == ERROR_NONE) {
        report->error = *error;
    }
}

void site_remark(struct ca_report *report, const char *format, ...) {
    size_t used = strlen(report->remark);
    size_t room = sizeof report->remark;
    va_list arguments;
    if (used + sizeof "; " >= room) {
        return;
    }
    if (used > 0) {
        used += (size_t)snprintf(report->remark + used, room - used, "; ");
    }
    va_start(arguments, format);
    vsnprintf(report->remark + used, room - used, format, arguments);
    va_end(arguments);
}

void site_report_station(struct site *site, struct ca_report *report) {
    struct error error = site->pin_refusal;
    if (site->certificate_file == NULL ||
        (error.code == ERROR_NONE &&
         x509_station_check(site->certificate_file, site->key_file,
                            &report->station_certificate_not_after_ms, &error))) {
        return;
    }
    if (error.code == E_KEY_PIN) {
        site->pin_refusal = error;
    }
    site_note_error(report, &error);
}

void site_report_chain(const struct site *site, struct slice chain, int64_t now_ms,
                       struct ca_report *report) {
    struct error error;
    struct slice rest = chain;
    if (site->root_file != NULL &&
        !x509_check_issuer(site->root_file, site->intermediates_file, chain, now_ms, &error)) {
        site_note_error(report, &error);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(report->chain); i++) {
        struct slice der = x509_first_der(rest);
        if (der.length == 0) {
            return;
        }
        x509_subject_text(der, report->chain[i], sizeof report->chain[i]);
        rest = (struct slice){rest.data + der.length, rest.length - der.length};
    }
}
