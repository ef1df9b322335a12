// SPDX-License-Identifier: Apache-2.0
// birthcert ports: what is plugged in where, and which slot it belongs to.
#include <stdlib.h>

#include "station/app/options.h"
#include "station/app/output_ports.h"
#include "station/app/ports_follow.h"
#include "station/app/reader.h"
#include "station/base/clock.h"
#include "station/io/loop.h"

struct ports {
    struct output *output;
    struct config *config; // NULL: there is none
    struct ports_follow *follow;
    struct loop *loop;
    struct ports_watch *watch;
    bool is_failed;
    struct error error; // why the watch ended, when is_failed
};

// ---- the list -----------------------------------------------------------------------------------

// Only where nobody named a configuration it may be missing.
static bool load_config(struct ports *ports, const struct options *options, struct error *error) {
    const char *named = getenv("BIRTHCERT_CONFIG");
    bool is_named = options->config != NULL || (named != NULL && named[0] != '\0');
    if (config_load(options->config, &ports->config, error)) {
        return true;
    }
    if (is_named || error->code != E_CONFIG_MISSING) {
        return false;
    }
    config_free(ports->config);
    ports->config = NULL;
    return true;
}

// Returns how many ports were put.
static size_t put_ports(struct ports *ports) {
    const struct ports_view *view = &ports->follow->view;
    struct ports_item item;
    size_t count = 0;
    for (size_t i = 0; i < view->list->count; i++) {
        if (ports_view_is_shown(view, i)) {
            ports_view_judge(view, i, &item);
            output_port(ports->output, &item);
            count++;
        }
    }
    for (size_t i = 0; ports->config != NULL && i < ports->config->slot_count; i++) {
        if (ports_view_judge_slot(view, i, &item)) {
            output_port(ports->output, &item);
        }
    }
    return count;
}

static void put_sections(struct ports *ports) {
    const struct ports_view *view = &ports->follow->view;
    bool is_first = true;
    for (size_t i = 0; !ports->output->json && i < view->list->count; i++) {
        struct ports_item item;
        ports_view_judge(view, i, &item);
        if (item.section[0] == '\0' || !ports_view_is_shown(view, i)) {
            continue;
        }
        if (is_first) {
            fputs("\nTo use what is unassigned, add to the configuration:\n",
                  ports->output->results);
            is_first = false;
        }
        output_port_section(ports->output, &item);
    }
}

static size_t put_list(struct ports *ports) {
    size_t left_out = ports->follow->known.left_out;
    size_t count = put_ports(ports);
    put_sections(ports);
    if (ports->config == NULL) {
        output_note(ports->output,
                    "there is no configuration here (--config FILE): no port belongs to a slot");
    }
    if (left_out > 0) {
        output_note(ports->output, "%zu more ports are left out", left_out);
    }
    if (count == 0) {
        output_note(ports->output, "nothing is plugged in");
    }
    return count;
}

// ---- the watch ----------------------------------------------------------------------------------

static void put_event(void *context, enum port_event event, const struct ports_item *item) {
    static const char *const words[] = {
        [PORT_PLUGGED] = "plugged",
        [PORT_UNPLUGGED] = "unplugged",
        [PORT_CHANGED] = "changed",
    };
    struct ports *ports = context;
    output_port_event(ports->output, clock_wall_ms(), words[event], item);
}

static void handle_port(void *context, enum port_event event, const struct port_entry *entry) {
    struct ports *ports = context;
    if (ports->is_failed) {
        return; // the loop comes to its end
    }
    if (!ports_follow_take(ports->follow, event, entry, &ports->error) ||
        !reader_flush(ports->output, &ports->error)) {
        ports->is_failed = true;
        loop_stop(ports->loop);
    }
}

static void handle_stop(void *context) {
    struct ports *ports = context;
    loop_stop(ports->loop);
}

static bool start_watch(struct ports *ports, struct error *error) {
    return loop_new(&ports->loop, error) &&
           loop_on_stop_signal(ports->loop, handle_stop, ports, error) &&
           ports_watch_new(ports->loop, handle_port, ports, &ports->watch, error);
}

static bool run_watch(struct ports *ports, struct error *error) {
    output_note(ports->output, "watching the ports; Ctrl-C ends");
    loop_run(ports->loop);
    if (ports->is_failed) {
        *error = ports->error;
    }
    return !ports->is_failed;
}

// ---- the verb -----------------------------------------------------------------------------------

static bool run_ports(struct ports *ports, const struct options *options, size_t *count,
                      struct error *error) {
    ports->follow = calloc(1, sizeof *ports->follow);
    if (ports->follow == NULL) {
        return error_set(error, E_MEMORY, "no memory for the ports");
    }
    // The watch begins before the list is read: nothing is missed between.
    if (!load_config(ports, options, error) || (options->watch && !start_watch(ports, error)) ||
        !ports_follow_start(ports->follow, ports->config, put_event, ports, error)) {
        return false;
    }
    *count = put_list(ports);
    return reader_flush(ports->output, error) && (!options->watch || run_watch(ports, error));
}

int cmd_ports(const struct options *options, struct output *output) {
    struct ports ports = {.output = output};
    struct error error;
    size_t count = 0;
    int exit_status = EXIT_OK;
    if (!run_ports(&ports, options, &count, &error)) {
        output->ops->error(output, "ports", &error);
        exit_status = exit_status_of(&error);
    } else if (count == 0 && !options->watch) {
        exit_status = EXIT_NOTHING_TO_DO;
    }
    ports_watch_free(ports.watch);
    loop_free(ports.loop);
    free(ports.follow);
    config_free(ports.config);
    return exit_status;
}
