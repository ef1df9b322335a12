// SPDX-License-Identifier: Apache-2.0
// The CMP server of support_cmp_server.h as a program, for tests/e2e_cmp.sh and tests/e2e_ca_cuts.sh:
// many transactions at once, each from its own CSR, which OpenSSL's server does not do. cmp-ca FOLDER
// links its files there, records in issued.pem what it issues, and says where it listens; SIGTERM ends
// it, and it says what it did.
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/support_cmp_server.h"

static void link_file(const char *folder, const char *name, const char *file) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    unlink(path);
    if (symlink(file, path) != 0) {
        perror(path);
    }
}

int main(int argc, char **argv) {
    static struct cmp_server server;
    char record_file[256];
    struct cmp_server_settings settings = {.record_file = record_file};
    sigset_t ends;
    int number = 0;
    if (argc != 2) {
        fprintf(stderr, "usage: cmp-ca FOLDER\n");
        return 2;
    }
    snprintf(record_file, sizeof record_file, "%s/issued.pem", argv[1]);
    (void)signal(SIGPIPE, SIG_IGN); // connections break
    sigemptyset(&ends);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    cmp_server_start(&server, &settings);
    link_file(argv[1], "station.pem", server.http.client_certificate_file);
    link_file(argv[1], "station.key", server.http.client_key_file);
    link_file(argv[1], "root.pem", server.http.root_file);
    link_file(argv[1], "issuing.pem", server.root_file);
    printf("listening %s\n", server.url);
    fflush(stdout);
    sigwait(&ends, &number);
    printf("issued %u, confirmed %u, rejected %u, revoked %u\n", server.issued, server.confirmed,
           server.rejected, server.revoked);
    cmp_server_stop(&server);
    return 0;
}
