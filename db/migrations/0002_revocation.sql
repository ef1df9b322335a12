-- SPDX-License-Identifier: Apache-2.0
-- Schema 2: certificates that are revoked or withdrawn, cameras that are scrapped, boards that are
-- swapped. SQLite changes no CHECK in place: the three tables are built anew, with all their rows.

-- board: which board the camera has now; 1 until a rework.
CREATE TABLE new_unit (
    id INTEGER PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 64),
    result INTEGER NOT NULL DEFAULT 0 CHECK (result BETWEEN 0 AND 3),
    error TEXT NOT NULL DEFAULT '',
    model TEXT NOT NULL,
    firmware TEXT NOT NULL,
    lot TEXT NOT NULL,
    label TEXT NOT NULL,
    hardware_id BLOB NOT NULL CHECK (length(hardware_id) <= 32),
    boot_id BLOB NOT NULL CHECK (length(boot_id) = 8),
    board INTEGER NOT NULL DEFAULT 1 CHECK (board >= 1),
    CHECK (result <> 2 OR error = '')
) STRICT;

INSERT INTO new_unit
    SELECT id, serial, result, error, model, firmware, lot, label, hardware_id, boot_id, 1 FROM unit;
DROP TABLE unit;
ALTER TABLE new_unit RENAME TO unit;

-- Those of a board that was swapped stay, with their keys: none of them may come back unnoticed.
CREATE TABLE new_credential (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL REFERENCES unit (id),
    board INTEGER NOT NULL CHECK (board >= 1),
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 255),
    key_type INTEGER NOT NULL CHECK (key_type BETWEEN 0 AND 255),
    request INTEGER NOT NULL DEFAULT 0 CHECK (request BETWEEN 0 AND 9),
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
    UNIQUE (unit, board, number),
    -- A request is for a key, and nothing is installed that was not issued.
    CHECK (request = 0 OR spki_sha256 IS NOT NULL),
    CHECK (install = 0 OR request IN (8, 9)),
    CHECK (request NOT BETWEEN 2 AND 4 OR attempt > 0)
) STRICT;

INSERT INTO new_credential
    SELECT id, unit, 1, number, key_type, request, install, wanted, attempt, sent_ms, not_before_s,
        profile, ca, handle, error, job_id, spki_sha256 FROM credential;
DROP TABLE credential;
ALTER TABLE new_credential RENAME TO credential;

CREATE INDEX credential_pending ON credential (id) WHERE request BETWEEN 1 AND 5;

-- state: 1 live, 2 quarantined, 3 its CA is asked to revoke it, 4 its CA said that it is revoked,
-- 5 withdrawn here, since its CA revokes nothing. From 3 on `reason` (RFC 5280, section 5.3.1, by
-- its name) says why, and `ended_ms` since when. `ca` is the one that issued it.
CREATE TABLE new_certificate (
    id INTEGER PRIMARY KEY,
    credential INTEGER NOT NULL REFERENCES credential (id),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
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
    ca TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    ended_ms INTEGER NOT NULL DEFAULT 0,
    UNIQUE (issuer, serial),
    CHECK (state <> 1 OR error = ''),
    CHECK (state <> 2 OR error <> ''),
    CHECK (state <> 1 OR (serial IS NOT NULL AND sha256 IS NOT NULL AND spki_sha256 IS NOT NULL
                          AND length(leaf) > 0)),
    CHECK ((state > 2) = (reason <> '')),
    CHECK ((state > 2) = (ended_ms <> 0))
) STRICT;

INSERT INTO new_certificate
    SELECT x.id, x.credential, x.state, x.time_ms, x.not_before_ms, x.not_after_ms, x.issuer,
        x.intermediates, x.error, x.subject, x.serial, x.sha256, x.spki_sha256, x.leaf, c.ca, '', 0
    FROM certificate x JOIN credential c ON c.id = x.credential;
DROP TABLE certificate;
ALTER TABLE new_certificate RENAME TO certificate;

CREATE UNIQUE INDEX certificate_live ON certificate (credential) WHERE state = 1;
CREATE INDEX certificate_quarantined ON certificate (credential) WHERE state = 2;
CREATE INDEX certificate_ended ON certificate (credential) WHERE state > 2;
