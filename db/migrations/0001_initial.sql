-- SPDX-License-Identifier: Apache-2.0
-- Schema 1. Times are milliseconds since 1970 (those named _s seconds), hashes and DER are blobs,
-- error codes are their stable texts ('' for none), states are the numbers of db/record.h.

-- Who wrote: one row for each time that a writer opened the database.
CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    started_ms INTEGER NOT NULL,
    station TEXT NOT NULL,
    operator TEXT NOT NULL,
    version TEXT NOT NULL
) STRICT;

-- One camera.
CREATE TABLE unit (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 64),
    result INTEGER NOT NULL DEFAULT 0 CHECK (result BETWEEN 0 AND 2),
    error TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL,
    firmware TEXT NOT NULL,
    lot TEXT NOT NULL,
    label TEXT NOT NULL,
    hardware_id BLOB NOT NULL CHECK (length(hardware_id) <= 32),
    boot_id BLOB NOT NULL CHECK (length(boot_id) = 8),
    CHECK (result <> 2 OR error = '')
) STRICT;

-- One credential of a camera, with its key and its request to the CA.
CREATE TABLE credential (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL REFERENCES unit (id),
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 255),
    key_type INTEGER NOT NULL CHECK (key_type BETWEEN 0 AND 255),
    request INTEGER NOT NULL DEFAULT 0 CHECK (request BETWEEN 0 AND 8),
    install INTEGER NOT NULL DEFAULT 0 CHECK (install BETWEEN 0 AND 3),
    wanted INTEGER NOT NULL DEFAULT 1 CHECK (wanted BETWEEN 0 AND 1), -- at the last admission
    attempt INTEGER NOT NULL DEFAULT 0 CHECK (attempt >= 0),
    sent_ms INTEGER NOT NULL DEFAULT 0,
    not_before_s INTEGER NOT NULL DEFAULT 0,
    profile TEXT NOT NULL,
    ca TEXT NOT NULL DEFAULT '',
    handle TEXT NOT NULL DEFAULT '',
    error TEXT NOT NULL DEFAULT '',
    job_id BLOB NOT NULL CHECK (length(job_id) = 16),
    spki_sha256 BLOB UNIQUE CHECK (length(spki_sha256) = 32),
    UNIQUE (unit, number),
    -- A request is for a key, and nothing is installed that was not issued.
    CHECK (request = 0 OR spki_sha256 IS NOT NULL),
    CHECK (install = 0 OR request = 8),
    CHECK (request NOT BETWEEN 2 AND 4 OR attempt > 0)
) STRICT;

-- The outbox and what is in progress, so that a start does not read the whole table.
CREATE INDEX credential_pending ON credential (id) WHERE request BETWEEN 1 AND 5;

-- Beside its credential and not in it: that row is rewritten at each step, this one is not.
CREATE TABLE csr (
    credential INTEGER PRIMARY KEY REFERENCES credential (id),
    der BLOB NOT NULL CHECK (length(der) BETWEEN 1 AND 16384)
) STRICT;

CREATE TABLE issuer (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

-- What follows the leaf in a chain, kept once for all cameras.
CREATE TABLE intermediates (
    id INTEGER PRIMARY KEY,
    der BLOB NOT NULL UNIQUE
) STRICT;

-- state: 1 live, 2 quarantined. What could not be read of a quarantined certificate is NULL, which
-- no uniqueness touches.
CREATE TABLE certificate (
    id INTEGER PRIMARY KEY,
    credential INTEGER NOT NULL REFERENCES credential (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 2),
    time_ms INTEGER NOT NULL,
    not_before_ms INTEGER NOT NULL,
    not_after_ms INTEGER NOT NULL,
    issuer INTEGER NOT NULL REFERENCES issuer (id),
    intermediates INTEGER NOT NULL REFERENCES intermediates (id),
    error TEXT NOT NULL,
    subject TEXT NOT NULL,
    serial BLOB CHECK (length(serial) BETWEEN 1 AND 20),
    sha256 BLOB UNIQUE CHECK (length(sha256) = 32),
    spki_sha256 BLOB CHECK (length(spki_sha256) = 32),
    leaf BLOB NOT NULL CHECK (length(leaf) <= 16384),
    UNIQUE (issuer, serial),
    CHECK ((state = 1) = (error = '')),
    CHECK (state <> 1 OR (serial IS NOT NULL AND sha256 IS NOT NULL AND spki_sha256 IS NOT NULL
                          AND length(leaf) > 0))
) STRICT;

CREATE UNIQUE INDEX certificate_live ON certificate (credential) WHERE state = 1;
CREATE INDEX certificate_quarantined ON certificate (credential) WHERE state = 2;

-- The history of each unit. `credential` is the camera's number, 0 for the whole unit; `state` is
-- the new state that the kind is about; a refused record changed nothing but this.
CREATE TABLE event (
    unit INTEGER NOT NULL REFERENCES unit (id),
    seq INTEGER NOT NULL CHECK (seq > 0),
    time_ms INTEGER NOT NULL,
    session INTEGER NOT NULL REFERENCES session (id),
    kind INTEGER NOT NULL CHECK (kind > 0),
    credential INTEGER NOT NULL CHECK (credential BETWEEN 0 AND 255),
    state INTEGER NOT NULL,
    refused INTEGER NOT NULL CHECK (refused BETWEEN 0 AND 1),
    slot TEXT NOT NULL,
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (unit, seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER event_keep_update BEFORE UPDATE ON event
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER event_keep_delete BEFORE DELETE ON event
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER session_keep_update BEFORE UPDATE ON session
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
CREATE TRIGGER session_keep_delete BEFORE DELETE ON session
BEGIN
    SELECT RAISE(ABORT, 'the history is append-only');
END;
