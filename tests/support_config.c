// SPDX-License-Identifier: Apache-2.0
#include "tests/support_config.h"

#include <check.h>
#include <stdio.h>

char config_file[128];

void config_write(const struct store_fixture *fixture, const char *ca, const char *more) {
    snprintf(config_file, sizeof config_file, "%s/birthcert.conf", fixture->folder);
    FILE *out = fopen(config_file, "w");
    ck_assert_ptr_nonnull(out);
    fprintf(out,
            "[store]\npath = %s\n[station]\noperator = ada\n[ca %s]\nbackend = local\n"
            "ca_certificate_file = root.pem\nca_key_file = root.key\n%s[profile https]\n"
            "based_on = https\nca = %s\n[slot 1]\nserial = /dev/null\n",
            fixture->path, ca, more, ca);
    fclose(out);
}
