// SPDX-License-Identifier: Apache-2.0
// Runs the simulated factory over many seeds: sim_core [FIRST [COUNT]], or sim_core --trace SEED.
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support_sim.h"

#define SEEDS 2000

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *ftw) {
    (void)status;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_folder(const char *folder) {
    nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

// The databases are small and short-lived: in memory where there is a place for that.
static char *make_folder(char *path, size_t capacity) {
    snprintf(path, capacity, "%s/birthcert-sim-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    return mkdtemp(path);
}

static int run_seeds(struct sim *sim, uint64_t first, uint64_t count) {
    char folder[40];
    uint64_t steps = 0;
    uint64_t starts = 0;
    int failed = 0;
    for (uint64_t seed = first; seed < first + count; seed++) {
        if (make_folder(folder, sizeof folder) == NULL) {
            perror("mkdtemp");
            return 1;
        }
        if (!sim_run(sim, seed, folder, false)) {
            failed++;
            printf("seed %llu: %s\n  replay: sim_core --trace %llu\n", (unsigned long long)seed,
                   sim->failure, (unsigned long long)seed);
        }
        steps += sim->steps;
        starts += sim->starts;
        remove_folder(folder);
    }
    printf("simulation: %llu steps, %llu starts of the station\n", (unsigned long long)steps,
           (unsigned long long)starts);
    printf("sim_core: %llu passed, %d failed\n", (unsigned long long)count - (unsigned)failed,
           failed);
    return failed == 0 ? 0 : 1;
}

static int trace_seed(struct sim *sim, uint64_t seed) {
    char folder[40];
    if (make_folder(folder, sizeof folder) == NULL) {
        perror("mkdtemp");
        return 1;
    }
    bool good = sim_run(sim, seed, folder, true);
    printf("seed %llu: %s\n", (unsigned long long)seed, good ? "holds" : sim->failure);
    remove_folder(folder);
    return good ? 0 : 1;
}

int main(int argc, char **argv) {
    struct sim *sim = calloc(1, sizeof *sim);
    int status;
    if (sim == NULL) {
        return 1;
    }
    if (argc == 3 && strcmp(argv[1], "--trace") == 0) {
        status = trace_seed(sim, strtoull(argv[2], NULL, 10));
    } else {
        uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 10) : 1;
        uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 10) : SEEDS;
        status = run_seeds(sim, first, count);
    }
    free(sim);
    return status;
}
