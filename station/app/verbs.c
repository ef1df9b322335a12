// SPDX-License-Identifier: Apache-2.0
// The table of verbs.
#include <string.h>

#include "station/app/options.h"

const struct verb verb_table[] = {
    {"init", cmd_init, ARGUMENT_OPTIONAL, 0, "init [DIR]",
     "a new bench: configuration, database, CA",
     "Makes a folder (this one by default) with a commented configuration, an empty database and "
     "an\n"
     "embedded CA for trying out, and says what to edit. It never overwrites a file.\n\n"
     "Example: birthcert init bench"},
    {"doctor", cmd_doctor, ARGUMENT_NONE, 0, "doctor", "checks everything before the first camera",
     "Checks configuration, ports, database, disk, clock, CA login, the CA's policy against the\n"
     "profiles, quota, and the end of the station's own certificate. One line each: ok, warning "
     "or\n"
     "fault, and what to do.\n\n"
     "Example: birthcert doctor --config bench/birthcert.conf"},
    {"run", cmd_run, ARGUMENT_NONE,
     OPTION_SLOT | OPTION_ONCE | OPTION_SERIAL | OPTION_SCAN | OPTION_LOT,
     "run [--slot S] [--once] [--serial S | --scan] [--lot LOT]", "the operator's loop",
     "Provisions each camera that appears in a slot and says PASS or FAIL. --slot takes one slot\n"
     "only. --once ends after one camera. --serial is the serial on the label: the camera's, the\n"
     "CSR's and the certificate's must equal it (with --slot, or on a bench of one slot). --scan\n"
     "takes that serial for each camera from a barcode scanner, which types it as a line: scan "
     "and\n"
     "plug in, in any order, wait for the word, unplug.\n\n"
     "Example: birthcert run --slot 1 --once --serial VX2251L-000001"},
    {"tray", cmd_tray, ARGUMENT_REQUIRED, OPTION_LOT | OPTION_WAIT,
     "tray MANIFEST.csv [--lot LOT] [--wait SECONDS]", "the batch job: all slots at once",
     "Provisions the tray that a CSV file describes: column slot, and column serial where serials\n"
     "are known beforehand. Run it again to go on where an interrupted run stopped. --wait is how\n"
     "long to wait for a camera that does not answer, or a CA that cannot be reached (60).\n\n"
     "Example: birthcert tray tray-0815.csv --lot 2026-03-A"},
    {"list", cmd_list, ARGUMENT_NONE, OPTION_STATE | OPTION_LOT, "list [--state S] [--lot L]",
     "what the database knows",
     "Lists units, one line per credential. --state is open, failed, passed, pending (a request "
     "to\n"
     "the CA is in progress), doubt, quarantined or orphan (issued and not installed).\n\n"
     "Example: birthcert list --state failed --lot 2026-03-A"},
    {"show", cmd_show, ARGUMENT_REQUIRED, 0, "show SERIAL", "a unit's whole life",
     "Shows what is on record of one unit, and every event of its life.\n\n"
     "Example: birthcert show VX2251L-000001"},
    {"export", cmd_export, ARGUMENT_NONE, OPTION_LOT | OPTION_SINCE | OPTION_UNTIL | OPTION_FORMAT,
     "export [--lot L] [--since T] [--until T] [--format csv|json]", "the audit export for QA",
     "Writes every unit with serial, model, lot, slot, station, operator, key type, public key\n"
     "hash, certificate serial, issuer, validity, the time of each step, result and reason, as "
     "CSV\n"
     "(RFC 4180) or as JSON, one object a line. Times are UTC.\n\n"
     "Example: birthcert export --since 2026-03-01 --format csv > march.csv"},
    {"reconcile", cmd_reconcile, ARGUMENT_NONE, OPTION_WAIT, "reconcile [--wait SECONDS]",
     "settles what is in doubt with the CA",
     "Asks the CA about every request whose answer was lost or that is held, settles what it can,\n"
     "and lists certificates that were issued and are not installed.\n\n"
     "Example: birthcert reconcile"},
    {"forward", cmd_forward, ARGUMENT_NONE, 0, "forward",
     "only the CA side, for benches without it",
     "Passes the requests of benches, whose CA has backend = outbox, to the CA that its own "
     "profile\n"
     "of the same name and content has, and the answers back. It holds the CA's credentials, and "
     "no\n"
     "database. One line for each certificate on stderr. SIGTERM ends it when what is in progress\n"
     "is done.\n\n"
     "Example: birthcert forward --config /etc/birthcert/forward.conf"},
    {"ports", cmd_ports, ARGUMENT_NONE, OPTION_WATCH, "ports [--watch]",
     "what is plugged in where, and for which slot",
     "Lists USB devices and serial ports with the slot that each belongs to, and for a camera or "
     "a\n"
     "serial port without one the section to paste into the configuration. Says what stands in "
     "the\n"
     "way: permissions, drivers, two devices with one serial. --watch goes on with a line for "
     "each\n"
     "that is plugged in or unplugged. It needs no configuration and no root.\n\n"
     "Example: birthcert ports --watch"},
    {"diagram", cmd_diagram, ARGUMENT_NONE, 0, "diagram", "the state diagrams, from the tables",
     "Prints the state diagrams of units and requests (Markdown with Mermaid), as the program's "
     "own\n"
     "tables have them.\n\n"
     "Example: birthcert diagram > station/core/STATES.md"},
    {0},
};

const struct verb *verb_find(const char *name) {
    for (const struct verb *verb = verb_table; verb->name != NULL; verb++) {
        if (strcmp(verb->name, name) == 0) {
            return verb;
        }
    }
    return NULL;
}
