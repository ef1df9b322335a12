// SPDX-License-Identifier: Apache-2.0
#include "tests/support_hvca_sim.h"

#include <arpa/inet.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "station/base/bytes.h"
#include "tests/support_pki.h"

static const struct sim_kind hvca_kind = {
    .program = "hvca-sim",
    .path = "/v2",
    .files = {"root.pem", "server_root.pem", "client.pem", "client.key", "api_key", "api_secret"},
};

__attribute__((noreturn)) static void give_up(const char *what) {
    fprintf(stderr, "simulator: %s\n", what);
    exit(2);
}

static void find_program(const char *name, char out[PATH_MAX]) {
    char self[PATH_MAX] = "";
    if (readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
        give_up("where is this program?");
    }
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(self, '/');
        if (slash != NULL) {
            *slash = '\0';
        }
    }
    if (snprintf(out, PATH_MAX, "%s/%s", self, name) >= PATH_MAX || access(out, X_OK) != 0) {
        give_up("not built: make it first");
    }
}

static void run_child(const char *program, struct hvca_sim *sim, const char *const options[],
                      int output) {
    const char *arguments[SIM_OPTIONS_MAX + 10] = {program, "--state", sim->folder,
                                                   "--control-port", "0"};
    char port[16];
    size_t count = 5;
    if (sim->port != 0) {
        snprintf(port, sizeof port, "%u", sim->port);
        arguments[count++] = "--port";
        arguments[count++] = port;
    }
    for (size_t i = 0; options != NULL && options[i] != NULL && i < SIM_OPTIONS_MAX; i++) {
        arguments[count++] = options[i];
    }
    dup2(output, STDOUT_FILENO);
    execv(program, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static void read_ports(struct hvca_sim *sim, int input) {
    FILE *lines = fdopen(input, "r");
    char line[256];
    unsigned long control = 0;
    unsigned long port = 0;
    while (lines != NULL && (port == 0 || control == 0) && fgets(line, sizeof line, lines)) {
        port = strncmp(line, "listening ", 10) == 0 ? strtoul(line + 10, NULL, 10) : port;
        control = strncmp(line, "control ", 8) == 0 ? strtoul(line + 8, NULL, 10) : control;
    }
    if (port == 0 || control == 0) {
        give_up("it did not start");
    }
    fclose(lines);
    sim->port = (unsigned)port;
    sim->control_port = (unsigned)control;
    snprintf(sim->url, sizeof sim->url, "https://127.0.0.1:%lu%s", port, sim->kind->path);
}

void hvca_sim_restart(struct hvca_sim *sim, const char *const options[]) {
    char program[PATH_MAX];
    int ends[2];
    find_program(sim->kind->program, program);
    if (pipe(ends) != 0) {
        give_up("no pipe");
    }
    sim->pid = fork();
    if (sim->pid < 0) {
        give_up("no process");
    }
    if (sim->pid == 0) {
        close(ends[0]);
        run_child(program, sim, options, ends[1]);
    }
    close(ends[1]);
    read_ports(sim, ends[0]);
}

void hvca_sim_start(struct hvca_sim *sim, const char *const options[]) {
    sim_start_kind(sim, &hvca_kind, options);
}

void sim_start_kind(struct hvca_sim *sim, const struct sim_kind *kind,
                    const char *const options[]) {
    memset(sim, 0, sizeof *sim);
    sim->kind = kind;
    snprintf(sim->folder, sizeof sim->folder, "/tmp/check_sim_XXXXXX");
    if (mkdtemp(sim->folder) == NULL) {
        give_up("no folder in /tmp");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(kind->files); i++) {
        snprintf(sim->files[i], SIM_PATH_SIZE, "%s/%s", sim->folder, kind->files[i]);
    }
    hvca_sim_restart(sim, options);
}

void hvca_sim_kill(struct hvca_sim *sim) {
    if (sim->pid > 0) {
        kill(sim->pid, SIGKILL);
        waitpid(sim->pid, NULL, 0);
        sim->pid = 0;
    }
}

void hvca_sim_stop(struct hvca_sim *sim) {
    hvca_sim_kill(sim);
    pki_folder_remove(sim->folder);
}

struct ca_settings hvca_sim_settings(struct hvca_sim *sim) {
    return (struct ca_settings){
        .name = "hvca",
        .backend = "hvca",
        .url = sim->url,
        .root_file = sim->files[0],
        .server_root_file = sim->files[1],
        .client_certificate_file = sim->files[2],
        .client_key_file = sim->files[3],
        .api_key_file = sim->files[4],
        .api_secret_file = sim->files[5],
        .in_flight = 8,
        .timeout_ms = 10000,
    };
}

// ---- the control port ---------------------------------------------------------------------------

static int connect_control(const struct hvca_sim *sim) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)sim->control_port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0 ||
        connect(descriptor, (const struct sockaddr *)&address, sizeof address) != 0) {
        give_up("its control port does not answer");
    }
    return descriptor;
}

static json_t *exchange(const struct hvca_sim *sim, const char *method, const char *body) {
    char text[16384];
    size_t used = 0;
    ssize_t got = 0;
    int descriptor = connect_control(sim);
    int length = snprintf(text, sizeof text,
                          "%s /control HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
                          "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                          method, strlen(body), body);
    if (send(descriptor, text, (size_t)length, MSG_NOSIGNAL) != length) {
        give_up("its control port does not listen");
    }
    while (used < sizeof text - 1 &&
           (got = recv(descriptor, text + used, sizeof text - 1 - used, 0)) > 0) {
        used += (size_t)got;
    }
    close(descriptor);
    text[used] = '\0';
    const char *answer = strstr(text, "\r\n\r\n");
    json_t *root = answer == NULL ? NULL : json_loads(answer + 4, 0, NULL);
    if (strncmp(text, "HTTP/1.1 200", 12) != 0 || root == NULL) {
        fprintf(stderr, "%s\n", text);
        give_up("its control port refused");
    }
    return root;
}

void hvca_sim_control(const struct hvca_sim *sim, const char *json) {
    json_decref(exchange(sim, "POST", json));
}

int64_t hvca_sim_count(const struct hvca_sim *sim, const char *name) {
    json_t *root = exchange(sim, "GET", "");
    const json_t *at = root;
    char copy[64];
    snprintf(copy, sizeof copy, "%s", name);
    char *rest = NULL;
    for (char *part = strtok_r(copy, ".", &rest); part != NULL; part = strtok_r(NULL, ".", &rest)) {
        at = json_object_get(at, part);
    }
    if (!json_is_integer(at)) {
        give_up(name);
    }
    int64_t value = json_integer_value(at);
    json_decref(root);
    return value;
}
