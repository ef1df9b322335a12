// SPDX-License-Identifier: Apache-2.0
#include "tests/support_camera_sim.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/clock.h"
#include "tests/support_pki.h"

#define ARGUMENTS_MAX 32
#define PATIENCE_MS 10000

// build/VARIANT/tests/check_x -> build/VARIANT/camera-sim
static void find_program(char out[512]) {
    ssize_t length = readlink("/proc/self/exe", out, 480);
    ck_assert_int_gt(length, 0);
    out[length] = '\0';
    *strrchr(out, '/') = '\0';
    char *name = strrchr(out, '/') + 1;
    snprintf(name, 512 - (size_t)(name - out), "camera-sim");
}

static pid_t spawn(const char *const arguments[], int *output) {
    char program[512];
    char *list[ARGUMENTS_MAX + 2] = {program};
    find_program(program);
    for (size_t i = 0; arguments[i] != NULL; i++) {
        ck_assert_uint_lt(i, ARGUMENTS_MAX);
        list[i + 1] = (char *)(uintptr_t)arguments[i];
    }
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t process = fork();
    ck_assert_int_ge(process, 0);
    if (process == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execv(program, list);
        _exit(127);
    }
    close(ends[1]);
    *output = ends[0];
    return process;
}

// Until the end, or a text that begins with `until`.
static void read_output(int output, char *out, size_t capacity, const char *until) {
    size_t used = 0;
    for (;;) {
        struct pollfd event = {.fd = output, .events = POLLIN};
        ck_assert_msg(poll(&event, 1, PATIENCE_MS) == 1, "camera-sim says nothing");
        ssize_t length = read(output, out + used, capacity - 1 - used);
        ck_assert_int_ge(length, 0);
        used += (size_t)length;
        out[used] = '\0';
        if (length == 0 || used == capacity - 1 || (until != NULL && strstr(out, until) != NULL)) {
            break;
        }
    }
    close(output);
}

void camera_sim_make_folder(struct camera_sim *sim) {
    char part[80];
    snprintf(sim->folder, sizeof sim->folder, "/tmp/birthcert-cameras-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(sim->folder));
    snprintf(part, sizeof part, "%s/p", sim->folder);
    ck_assert_int_eq(mkdir(part, 0700), 0);
    snprintf(part, sizeof part, "%s/s", sim->folder);
    ck_assert_int_eq(mkdir(part, 0700), 0);
}

void camera_sim_start(struct camera_sim *sim, const char *const arguments[]) {
    char ports[80];
    char state[80];
    char text[16] = "";
    const char *list[ARGUMENTS_MAX + 1] = {"--dir", ports, "--state", state};
    if (sim->folder[0] == '\0') {
        camera_sim_make_folder(sim);
    }
    snprintf(ports, sizeof ports, "%s/p", sim->folder);
    snprintf(state, sizeof state, "%s/s", sim->folder);
    sim->is_unix = false;
    for (size_t i = 0; arguments[i] != NULL; i++) {
        ck_assert_uint_lt(i, ARGUMENTS_MAX - 4);
        list[i + 4] = arguments[i];
        sim->is_unix = sim->is_unix || strcmp(arguments[i], "unix") == 0;
    }
    int output = -1;
    sim->process = spawn(list, &output);
    read_output(output, text, sizeof text, "ready\n");
    ck_assert_str_eq(text, "ready\n");
}

static int wait_for(pid_t process) {
    int status = -1;
    ck_assert_int_eq(waitpid(process, &status, 0), process);
    return status;
}

void camera_sim_stop(struct camera_sim *sim) {
    kill(sim->process, SIGTERM);
    int status = wait_for(sim->process);
    sim->process = 0;
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "camera-sim ended with %d",
                  status);
}

void camera_sim_kill(struct camera_sim *sim) {
    kill(sim->process, SIGKILL);
    wait_for(sim->process);
    sim->process = 0;
}

void camera_sim_remove(struct camera_sim *sim) {
    char part[80];
    if (sim->process > 0) {
        camera_sim_kill(sim);
    }
    if (sim->folder[0] != '\0') {
        snprintf(part, sizeof part, "%s/p", sim->folder);
        pki_folder_remove(part);
        snprintf(part, sizeof part, "%s/s", sim->folder);
        pki_folder_remove(part);
        rmdir(sim->folder);
        sim->folder[0] = '\0';
    }
}

int camera_sim_run(const char *const arguments[], char *out, size_t capacity) {
    int output = -1;
    out[0] = '\0';
    pid_t process = spawn(arguments, &output);
    read_output(output, out, capacity, NULL);
    int status = wait_for(process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void camera_sim_dump(const struct camera_sim *sim, char *out, size_t capacity) {
    char state[80];
    snprintf(state, sizeof state, "%s/s", sim->folder);
    const char *const arguments[] = {"--state", state, "--dump", NULL};
    ck_assert_int_eq(camera_sim_run(arguments, out, capacity), 0);
}

// ---- the line -----------------------------------------------------------------------------------

static int open_socket(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return -1;
    }
    return descriptor;
}

void camera_line_reopen(struct camera_line *line) {
    char path[96];
    camera_line_close(line);
    snprintf(path, sizeof path, "%s/p/cam%u", line->sim->folder, line->index);
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (line->descriptor < 0) {
        ck_assert_msg(clock_monotonic_ms() < end_ms, "%s does not come up", path);
        line->descriptor = line->sim->is_unix
                               ? open_socket(path)
                               : open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
        if (line->descriptor < 0) {
            poll(NULL, 0, 5);
        }
    }
    line->hung_up = false;
    session_forget(&line->session);
}

void camera_line_take(struct camera_line *line, const struct camera_sim *sim, int descriptor) {
    static const struct session_settings settings = {
        .max_payload = 1024,
        .generate_timeout_ms = 60000,
        .probe_interval_ms = 100,
        .watch_interval_ms = 1000,
        .seed = 4711,
    };
    memset(line, 0, sizeof *line);
    line->sim = sim;
    line->descriptor = descriptor;
    session_init(&line->session, &settings);
}

void camera_line_open(struct camera_line *line, const struct camera_sim *sim, uint32_t index) {
    camera_line_take(line, sim, -1);
    line->index = index;
    camera_line_reopen(line);
}

void camera_line_close(struct camera_line *line) {
    if (line->descriptor >= 0) {
        close(line->descriptor);
        line->descriptor = -1;
    }
}

static void write_out(struct camera_line *line) {
    struct slice rest = line->output.write;
    while (rest.length > 0) {
        ssize_t written = write(line->descriptor, rest.data, rest.length);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd event = {.fd = line->descriptor, .events = POLLOUT};
            poll(&event, 1, PATIENCE_MS);
            continue;
        }
        if (written < 0) {
            line->hung_up = true;
            return;
        }
        rest.data += written;
        rest.length -= (size_t)written;
    }
}

static void take_event(struct camera_line *line, int64_t end_ms) {
    struct pollfd event = {.fd = line->descriptor, .events = POLLIN};
    uint8_t bytes[2048];
    int64_t deadline_ms = session_deadline_ms(&line->session);
    deadline_ms = deadline_ms < end_ms ? deadline_ms : end_ms;
    int64_t wait_ms = deadline_ms - clock_monotonic_ms();
    int ready = poll(&event, 1, wait_ms > 0 ? (int)wait_ms : 0);
    line->output = (struct session_output){0};
    if (ready == 1) {
        ssize_t length = read(line->descriptor, bytes, sizeof bytes);
        line->hung_up = length <= 0;
        line->received += length > 0 ? (size_t)length : 0;
        if (length > 0) {
            session_receive(&line->session, clock_monotonic_ms(),
                            (struct slice){bytes, (size_t)length}, &line->output);
        }
    } else {
        session_tick(&line->session, clock_monotonic_ms(), &line->output);
    }
}

const struct session_result *
camera_line_do(struct camera_line *line, const struct session_order *order, int64_t patience_ms) {
    int64_t end_ms = clock_monotonic_ms() + patience_ms;
    line->output = (struct session_output){0};
    session_start(&line->session, clock_monotonic_ms(), order, &line->output);
    write_out(line);
    while (line->output.result.outcome == SESSION_RUNNING) {
        if (line->hung_up || clock_monotonic_ms() >= end_ms) {
            return NULL;
        }
        take_event(line, end_ms);
        if (!line->hung_up) {
            write_out(line);
        }
    }
    return &line->output.result;
}
