// SPDX-License-Identifier: Apache-2.0
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "ca-client/http.h"

bool http_url_is_loopback(const char *url) {
    static const char scheme[] = "http://";
    char host[INET6_ADDRSTRLEN];
    uint8_t address[16];
    if (strncasecmp(url, scheme, sizeof scheme - 1) != 0) {
        return false;
    }
    const char *start = url + sizeof scheme - 1;
    if (strncmp(start, "[::1]", 5) == 0) {
        return start[5] == ':' || start[5] == '/' || start[5] == '\0';
    }
    size_t length = strcspn(start, ":/?#");
    if (length >= sizeof host) {
        return false;
    }
    memcpy(host, start, length);
    host[length] = '\0';
    return inet_pton(AF_INET, host, address) == 1 && address[0] == 127;
}
