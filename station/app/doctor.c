// SPDX-License-Identifier: Apache-2.0
#include "station/app/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "station/base/bytes.h"
#include "station/base/clock.h"

#define TEXT_SIZE 1024
#define MIB ((uint64_t)1024 * 1024)
#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 3600 * SECOND_MS)
#define CLOCK_EARLIEST_MS (INT64_C(1704067200) * SECOND_MS) // 2024-01-01: before this program

static void put(struct doctor *doctor, const struct output_check *check) {
    doctor->warning_count += check->level == OUTPUT_WARNING ? 1 : 0;
    doctor->fault_count += check->level == OUTPUT_FAULT ? 1 : 0;
    doctor->output->ops->check(doctor->output, check);
}

static void escape_format(char out[TEXT_SIZE], const char *format, va_list arguments) {
    char raw[TEXT_SIZE];
    vsnprintf(raw, sizeof raw, format, arguments);
    text_escape(out, TEXT_SIZE, raw, strlen(raw));
}

void doctor_ok_text(struct doctor *doctor, const char *subject, const char *text) {
    put(doctor,
        &(struct output_check){
            .level = OUTPUT_OK, .subject = subject, .text = text, .remedy = "", .code = ""});
}

void doctor_ok(struct doctor *doctor, const char *subject, const char *format, ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    escape_format(text, format, arguments);
    va_end(arguments);
    doctor_ok_text(doctor, subject, text);
}

void doctor_warn(struct doctor *doctor, const char *subject, const char *remedy, const char *format,
                 ...) {
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    escape_format(text, format, arguments);
    va_end(arguments);
    put(doctor, &(struct output_check){.level = OUTPUT_WARNING,
                                       .subject = subject,
                                       .text = text,
                                       .remedy = remedy,
                                       .code = ""});
}

static void put_error(struct doctor *doctor, enum output_level level, const char *subject,
                      const struct error *error) {
    put(doctor, &(struct output_check){.level = level,
                                       .subject = subject,
                                       .text = error->text,
                                       .remedy = error_code_remedy(error->code),
                                       .code = error_code_text(error->code)});
}

void doctor_warn_error(struct doctor *doctor, const char *subject, const struct error *error) {
    put_error(doctor, OUTPUT_WARNING, subject, error);
}

// There is no unit here that could fail: what is not the configuration's fault and no matter of
// integrity is the station's.
static enum exit_status status_of_fault(enum error_code code) {
    switch (error_code_class(code)) {
    case ERROR_CLASS_USAGE:
        return EXIT_USAGE;
    case ERROR_CLASS_INTEGRITY:
        return EXIT_INTEGRITY;
    default:
        return EXIT_STATION;
    }
}

void doctor_fault(struct doctor *doctor, const char *subject, const struct error *error) {
    enum exit_status status = status_of_fault(error->code);
    doctor->status = status > doctor->status ? status : doctor->status;
    put_error(doctor, OUTPUT_FAULT, subject, error);
}

enum output_level doctor_judge_disk(uint64_t free_bytes) {
    return free_bytes < 100 * MIB    ? OUTPUT_FAULT
           : free_bytes < 1024 * MIB ? OUTPUT_WARNING
                                     : OUTPUT_OK;
}

enum output_level doctor_judge_clock(int64_t offset_ms) {
    int64_t distance_ms = offset_ms < 0 ? -offset_ms : offset_ms;
    return distance_ms > 300 * SECOND_MS  ? OUTPUT_FAULT
           : distance_ms > 60 * SECOND_MS ? OUTPUT_WARNING
                                          : OUTPUT_OK;
}

enum output_level doctor_judge_quota(int64_t certificates) {
    return certificates <= 0 ? OUTPUT_FAULT : certificates < 100 ? OUTPUT_WARNING : OUTPUT_OK;
}

enum output_level doctor_judge_end(int64_t not_after_ms, int64_t now_ms) {
    return not_after_ms <= now_ms                ? OUTPUT_FAULT
           : not_after_ms < now_ms + 30 * DAY_MS ? OUTPUT_WARNING
                                                 : OUTPUT_OK;
}

void doctor_check_clock(struct doctor *doctor) {
    static const char subject[] = "clock";
    struct error error;
    int64_t now_ms = clock_wall_ms();
    double offset_s = (double)doctor->ca_clock_offset_ms / 1000;
    char now[CLOCK_TEXT_SIZE];
    clock_format_utc(now, now_ms);
    if (now_ms < CLOCK_EARLIEST_MS) {
        error_set(&error, E_CLOCK, "it is %s here", now);
        doctor_fault(doctor, subject, &error);
        return;
    }
    if (!doctor->knows_ca_clock) {
        doctor_ok(doctor, subject, "%s; no CA told its time", now);
        return;
    }
    switch (doctor_judge_clock(doctor->ca_clock_offset_ms)) {
    case OUTPUT_OK:
        doctor_ok(doctor, subject, "%s; the CA's is %+.1f s from it", now, offset_s);
        break;
    case OUTPUT_WARNING:
        doctor_warn(doctor, subject, error_code_remedy(E_CLOCK),
                    "it is %s here; the CA's clock is %+.0f s from it", now, offset_s);
        break;
    default:
        error_set(&error, E_CLOCK, "it is %s here; the CA's clock is %+.0f s from it", now,
                  offset_s);
        doctor_fault(doctor, subject, &error);
    }
}
