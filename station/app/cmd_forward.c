// SPDX-License-Identifier: Apache-2.0
// birthcert forward: the CA side alone, for benches that hold no credentials of the CA.
#include "station/app/forward.h"
#include "station/app/options.h"

static void handle_signal(void *context) {
    forward_stop(context);
}

static bool run_forward(const struct config *config, struct output *output, struct loop **loop,
                        struct forward **forward, struct error *error) {
    if (config->forward_socket[0] == '\0') {
        return error_set(error, E_CONFIG, "%s: there is no [forward] with a socket", config->file);
    }
    if (!loop_new(loop, error) || !forward_new(*loop, config, output, forward, error) ||
        !loop_on_stop_signal(*loop, handle_signal, *forward, error)) {
        return false;
    }
    output_note(output, "listens on %s; Ctrl-C ends", config->forward_socket);
    loop_run(*loop);
    return true;
}

int cmd_forward(const struct options *options, struct output *output) {
    struct config *config = NULL;
    struct loop *loop = NULL;
    struct forward *forward = NULL;
    struct error error;
    bool done = config_load(options->config, &config, &error) &&
                run_forward(config, output, &loop, &forward, &error);
    if (!done) {
        output->ops->error(output, "forward", &error);
    }
    forward_free(forward);
    loop_free(loop);
    config_free(config);
    return done ? EXIT_OK : exit_status_of(&error);
}
