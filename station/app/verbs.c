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
     "Lists units, one line per credential. --state is open, failed, passed, scrapped, pending (a\n"
     "request to the CA is in progress), doubt, quarantined, withdrawn (out of use, and its CA "
     "has\n"
     "not said that it is revoked), revoked (and no other certificate took its place) or orphan\n"
     "(issued and not installed).\n\n"
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
     "asks again for revocations that it has not confirmed, and lists certificates that were "
     "issued\n"
     "and are not installed. --wait is how long to look up requests, and then how long to ask for\n"
     "revocations, in seconds (300).\n\n"
     "Example: birthcert reconcile"},
    {"outbox", cmd_outbox, ARGUMENT_PAIR, OPTION_AGAIN, "outbox export FILE [--again]",
     "requests for a CA that no network leads to",
     "Writes what waits for a CA with backend = file into FILE, signed: what was asked for, with "
     "its\n"
     "CSR. Each request is written once; --again takes those too that were written before, where "
     "a\n"
     "file was lost. It works beside a running station.\n\n"
     "Example: birthcert outbox export /media/stick/requests.pem"},
    {"inbox", cmd_inbox, ARGUMENT_PAIR, 0, "inbox import FILE",
     "certificates that somebody brought from a CA",
     "Takes certificates from FILE: PEM, DER, PKCS #7 (.p7b), or signed as `outbox export` signs.\n"
     "It keeps those whose key is one that is waited for, at any CA: the station checks and\n"
     "installs them, and `reconcile` settles requests that are held. It works beside a running\n"
     "station.\n\n"
     "Example: birthcert inbox import /media/stick/certificates.pem"},
    {"ca", cmd_ca, ARGUMENT_PAIR, OPTION_SERIAL | OPTION_ISSUE,
     "ca test NAME [--serial S] [--issue]", "tries out one CA of the configuration",
     "Connects to the CA of section [ca NAME], logs in, reads its policy and quota, prints the "
     "chain\n"
     "that it issues with, and what each profile would ask it for, for a camera of serial S. "
     "Where\n"
     "no profile names that CA yet, all profiles are tried. It buys nothing, unless --issue is "
     "given:\n"
     "then one certificate, for the first profile and a key that is thrown away, goes the ordinary "
     "way\n"
     "through record, checks and CA, is revoked where the CA can, and its unit is scrapped. That "
     "closes\n"
     "its serial for good, so S has to begin with TRIAL- then; without --serial each trial has its "
     "own.\n"
     "A CA with backend = file takes no trial: one camera's request has to be carried there.\n\n"
     "Example: birthcert ca test hvca"},
    {"release", cmd_release, ARGUMENT_REQUIRED, OPTION_APPROVE | OPTION_PROFILE,
     "release SERIAL --approve NAME [--profile NAME]", "a held request is sent again",
     "Puts a camera's request that is held, or that persons carry to a CA with backend = file, "
     "back\n"
     "into the outbox, after the CA's administrator looked and found no certificate: if there is "
     "one\n"
     "after all, it is paid for twice. --approve is a second person beside the operator of the\n"
     "configuration; --profile names the one that was looked for where there are several. Where a\n"
     "certificate was found, inbox import takes it instead.\n\n"
     "Example: birthcert release VX2251L-000001 --approve \"B. Officer\""},
    {"revoke", cmd_revoke, ARGUMENT_REQUIRED, OPTION_REASON | OPTION_CERTIFICATE | OPTION_WAIT,
     "revoke SERIAL --reason R [--certificate HEX] [--wait SECONDS]",
     "revokes a camera's certificate",
     "Has the live certificates of a camera revoked by the CA that issued them; --certificate "
     "names\n"
     "one by its serial number, a quarantined one too. --reason is unspecified, keyCompromise,\n"
     "affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn. There is no way\n"
     "back: from then on the camera fails on a bench. What the CA does not confirm within --wait\n"
     "seconds (30) stays requested; reconcile, or the same again, repeats it. Where a CA revokes\n"
     "nothing by itself, the certificate is out of use here, and the text says whom to ask.\n\n"
     "Example: birthcert revoke VX2251L-000001 --reason keyCompromise"},
    {"crl", cmd_crl, ARGUMENT_PAIR, 0, "crl import FILE", "what a CA's own list says is revoked",
     "Takes a CA's certificate revocation list (CRL, complete, PEM or DER), and records every\n"
     "certificate on it as revoked: what the CA was asked for and has not confirmed, what is out "
     "of use\n"
     "here because the CA revokes at its own desk, and what it revoked without having been asked, "
     "whose\n"
     "camera then fails on a bench. The list has to be signed by the CA that issued, under a root "
     "of the\n"
     "configuration. What is recorded as revoked, and on no list a day later, is named. Cameras "
     "whose\n"
     "certificate is revoked: birthcert list --state revoked.\n\n"
     "Example: birthcert crl import /media/stick/ca.crl"},
    {"scrap", cmd_scrap, ARGUMENT_REQUIRED, OPTION_REASON | OPTION_WAIT,
     "scrap SERIAL [--reason R] [--wait SECONDS]", "closes a camera for good",
     "Has all of a camera's certificates revoked (--reason as in revoke, cessationOfOperation by\n"
     "default) and closes its record: whenever it comes to a bench again, it fails. --wait as in\n"
     "revoke (30).\n\n"
     "Example: birthcert scrap VX2251L-000001"},
    {"rework", cmd_rework, ARGUMENT_REQUIRED, OPTION_APPROVE | OPTION_WAIT,
     "rework SERIAL --approve NAME [--wait SECONDS]", "a camera got another board",
     "Has the certificates of a camera revoked as superseded, and opens it for a new board, which\n"
     "gets a key and a certificate of its own. Both boards stay on record, and the old one is "
     "known\n"
     "again. --approve is a second person beside the operator of the configuration. --wait as in\n"
     "revoke (30).\n\n"
     "Example: birthcert rework VX2251L-000001 --approve \"B. Officer\""},
    {"orphans", cmd_orphans, ARGUMENT_NONE, 0, "orphans", "certificates that are in no camera",
     "Lists certificates that were issued and are not installed, with age and price (price in the\n"
     "CA's section), and what to do with each: install or revoke.\n\n"
     "Example: birthcert orphans"},
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
