// SPDX-License-Identifier: Apache-2.0
// birthcert diagram: the state diagrams of units and requests, as the core's own tables have them.
#include <stdio.h>
#include <string.h>

#include "station/app/options.h"
#include "station/app/reader.h"
#include "station/core/request.h"
#include "station/core/unit.h"

#define STATES_MAX 16
#define EVENTS_MAX 32

_Static_assert((int)UNIT_STATE_COUNT <= STATES_MAX && (int)STEP_COUNT <= STATES_MAX, "too many");
_Static_assert((int)UNIT_EVENT_COUNT <= EVENTS_MAX && (int)REQUEST_EVENT_COUNT <= EVENTS_MAX,
               "too many");

// One machine's transitions: bit `event` of edges[from][to].
struct machine {
    const char *name;
    const char *title;
    const char *introduction;
    unsigned state_count;
    unsigned event_count;
    const char *(*state_name)(unsigned state);
    const char *(*event_name)(unsigned event);
    uint32_t edges[STATES_MAX][STATES_MAX];
};

static const char *unit_state_text(unsigned state) {
    return unit_state_name((enum unit_state)state);
}

static const char *unit_event_text(unsigned event) {
    return unit_event_name((enum unit_event_kind)event);
}

static const char *request_step_text(unsigned step) {
    return request_step_name((enum request_step)step);
}

static const char *request_event_text(unsigned event) {
    return request_event_name((enum request_event_kind)event);
}

static void see_unit(void *context, enum unit_state from, enum unit_event_kind event,
                     enum unit_state to) {
    struct machine *machine = context;
    machine->edges[from][to] |= UINT32_C(1) << event;
}

static void see_request(void *context, enum request_step from, enum request_event_kind event,
                        enum request_step to) {
    struct machine *machine = context;
    machine->edges[from][to] |= UINT32_C(1) << event;
}

// Mermaid's names have no blanks.
static void put_id(FILE *out, const char *name) {
    for (; *name != '\0'; name++) {
        fputc(*name == ' ' ? '_' : *name, out);
    }
}

static void put_edge(FILE *out, const struct machine *machine, unsigned from, unsigned to) {
    const char *separator = ": ";
    fputs("    ", out);
    put_id(out, machine->state_name(from));
    fputs(" --> ", out);
    put_id(out, machine->state_name(to));
    for (unsigned event = 0; event < machine->event_count; event++) {
        if ((machine->edges[from][to] & UINT32_C(1) << event) != 0) {
            fprintf(out, "%s%s", separator, machine->event_name(event));
            separator = ", ";
        }
    }
    fputc('\n', out);
}

static void put_markdown(FILE *out, const struct machine *machine) {
    fprintf(out, "\n## %s\n\n%s\n\n```mermaid\nstateDiagram-v2\n", machine->title,
            machine->introduction);
    for (unsigned state = 0; state < machine->state_count; state++) {
        const char *name = machine->state_name(state);
        if (strchr(name, ' ') != NULL) {
            fprintf(out, "    state \"%s\" as ", name);
            put_id(out, name);
            fputc('\n', out);
        }
    }
    fputs("    [*] --> ", out);
    put_id(out, machine->state_name(0));
    fputc('\n', out);
    for (unsigned from = 0; from < machine->state_count; from++) {
        for (unsigned to = 0; to < machine->state_count; to++) {
            if (machine->edges[from][to] != 0) {
                put_edge(out, machine, from, to);
            }
        }
    }
    fputs("```\n", out);
}

// The names are the program's own words: nothing in them needs escaping.
static void put_json(FILE *out, const struct machine *machine) {
    for (unsigned from = 0; from < machine->state_count; from++) {
        for (unsigned to = 0; to < machine->state_count; to++) {
            for (unsigned event = 0; event < machine->event_count; event++) {
                if ((machine->edges[from][to] & UINT32_C(1) << event) != 0) {
                    fprintf(out,
                            "{\"type\":\"transition\",\"machine\":\"%s\",\"from\":\"%s\","
                            "\"event\":\"%s\",\"to\":\"%s\"}\n",
                            machine->name, machine->state_name(from), machine->event_name(event),
                            machine->state_name(to));
                }
            }
        }
    }
}

int cmd_diagram(const struct options *options, struct output *output) {
    struct machine machines[] = {
        {.name = "unit",
         .title = "A unit in a slot",
         .introduction = "From a camera that answers to a result that is on record\n"
                         "([unit.h](unit.h), [unit_table.c](unit_table.c)).",
         .state_count = UNIT_STATE_COUNT,
         .event_count = UNIT_EVENT_COUNT,
         .state_name = unit_state_text,
         .event_name = unit_event_text},
        {.name = "request",
         .title = "A request to the CA",
         .introduction = "From the outbox to a certificate on record, or to what a person has to "
                         "decide\n([request.h](request.h), [request.c](request.c)).",
         .state_count = STEP_COUNT,
         .event_count = REQUEST_EVENT_COUNT,
         .state_name = request_step_text,
         .event_name = request_event_text},
    };
    struct error error;
    (void)options;
    unit_visit_transitions(see_unit, &machines[0]);
    request_visit_transitions(see_request, &machines[1]);
    if (!output->json) {
        fputs("# States\n\n"
              "`birthcert diagram` prints this page from the tables that the program runs on. Do "
              "not edit it.\n"
              "An arrow carries the events that may lead that way; an event that a state does not "
              "show is\ndropped there.\n",
              output->results);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(machines); i++) {
        (output->json ? put_json : put_markdown)(output->results, &machines[i]);
    }
    if (!reader_flush(output, &error)) {
        output->ops->error(output, "diagram", &error);
        return exit_status_of(&error);
    }
    return EXIT_OK;
}
