// SPDX-License-Identifier: Apache-2.0
// Runs a program on a machine whose USB and serial ports umockdev makes up:
//
//   mock-ports [FILE...] -- COMMAND [ARGUMENT...]
//
// Each FILE describes devices in umockdev's form. While the command runs, lines on standard input
// are orders:
//
//   plug FILE        what the file describes is plugged in
//   unplug DEVICE    the device, /sys/devices/..., goes, with all below it
//   authorize DEVICE the kernel may use it from now on, and udev reports a change
//   stop             SIGINT for the command
//
// It ends when its input and the command have ended, with the command's exit status; 128 and more
// where a signal ended it. libumockdev-preload.so.0 has to be in LD_PRELOAD.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <umockdev.h>
#include <unistd.h>

static bool plug(UMockdevTestbed *bed, const char *file) {
    GError *error = NULL;
    if (!umockdev_testbed_add_from_file(bed, file, &error)) {
        fprintf(stderr, "mock-ports: %s: %s\n", file, error->message);
        g_error_free(error);
        return false;
    }
    return true;
}

static bool obey(UMockdevTestbed *bed, const char *order, pid_t command) {
    const char *blank = strchr(order, ' ');
    const char *subject = blank != NULL ? blank + 1 : "";
    if (strcmp(order, "stop") == 0) {
        return kill(command, SIGINT) == 0;
    }
    if (strncmp(order, "plug ", 5) == 0) {
        return plug(bed, subject);
    }
    if (strncmp(order, "unplug ", 7) == 0) {
        umockdev_testbed_uevent(bed, subject, "remove");
        umockdev_testbed_remove_device(bed, subject);
        return true;
    }
    if (strncmp(order, "authorize ", 10) == 0) {
        umockdev_testbed_set_attribute(bed, subject, "authorized", "1\n");
        umockdev_testbed_uevent(bed, subject, "change");
        return true;
    }
    return false;
}

static void obey_all(UMockdevTestbed *bed, pid_t command) {
    char line[1024];
    while (fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (!obey(bed, line, command)) {
            fprintf(stderr, "mock-ports: cannot: %s\n", line);
        }
    }
}

// The orders are not the command's input.
static bool start(char **arguments, pid_t *command) {
    posix_spawn_file_actions_t actions;
    int status = posix_spawn_file_actions_init(&actions);
    if (status == 0) {
        status = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        status = status == 0
                     ? posix_spawnp(command, arguments[0], &actions, NULL, arguments, environ)
                     : status;
        posix_spawn_file_actions_destroy(&actions);
    }
    if (status != 0) {
        fprintf(stderr, "mock-ports: %s: %s\n", arguments[0], strerror(status));
    }
    return status == 0;
}

static int end_of(pid_t command) {
    int status = 0;
    while (waitpid(command, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Other users' programs may look at the machine too.
static void open_to_all(UMockdevTestbed *bed) {
    gchar *root = umockdev_testbed_get_root_dir(bed);
    if (chmod(root, 0755) != 0) {
        perror("mock-ports: chmod");
    }
    g_free(root);
}

static int run(UMockdevTestbed *bed, char **arguments) {
    pid_t command = 0;
    open_to_all(bed);
    for (; *arguments != NULL && strcmp(*arguments, "--") != 0; arguments++) {
        if (!plug(bed, *arguments)) {
            return 125;
        }
    }
    if (*arguments == NULL || arguments[1] == NULL) {
        fputs("usage: mock-ports [FILE...] -- COMMAND [ARGUMENT...]\n", stderr);
        return 125;
    }
    if (!start(arguments + 1, &command)) {
        return 125;
    }
    obey_all(bed, command);
    return end_of(command);
}

int main(int argc, char **argv) {
    (void)argc;
    UMockdevTestbed *bed = umockdev_testbed_new();
    int status = run(bed, argv + 1);
    g_object_unref(bed);
    return status;
}
