// SPDX-License-Identifier: Apache-2.0
// birthcert doctor: checks everything before the first camera comes.
#include "station/app/doctor.h"
#include "station/app/options.h"
#include "station/app/reader.h"

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

static void say_configuration(struct doctor *doctor) {
    const struct config *config = doctor->config;
    doctor_ok(doctor, "configuration", "%s: %zu slot%s, %zu profile%s, %zu CA%s", config->file,
              config->slot_count, plural(config->slot_count), config->profile_count,
              plural(config->profile_count), config->ca_count, plural(config->ca_count));
}

// A forwarder has neither database nor cameras.
static void check_all(struct doctor *doctor) {
    say_configuration(doctor);
    if (doctor->config->forward_socket[0] == '\0') {
        doctor_check_store(doctor);
        doctor_check_disk(doctor);
        doctor_check_slots(doctor);
    }
    doctor_check_cas(doctor);
    doctor_check_clock(doctor);
}

int cmd_doctor(const struct options *options, struct output *output) {
    struct config *config = NULL;
    struct doctor doctor = {.output = output};
    struct error error;
    if (config_load(options->config, &config, &error)) {
        doctor.config = config;
        check_all(&doctor);
    } else {
        doctor_fault(&doctor, "configuration", &error); // nothing else can be looked at
    }
    config_free(config);
    if (!reader_flush(output, &error)) {
        output->ops->error(output, "doctor", &error);
        return exit_status_of(&error);
    }
    output_note(output, "%zu fault%s, %zu warning%s", doctor.fault_count,
                plural(doctor.fault_count), doctor.warning_count, plural(doctor.warning_count));
    return (int)doctor.status;
}
