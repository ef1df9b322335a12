-- SPDX-License-Identifier: Apache-2.0
-- Schema 3: certificates that the CA waits to hear of. SQLite changes no CHECK in place: the table is
-- built anew, with all its rows.

CREATE TABLE new_credential (
    id INTEGER PRIMARY KEY,
    unit INTEGER NOT NULL REFERENCES unit (id),
    board INTEGER NOT NULL CHECK (board >= 1),
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 255),
    key_type INTEGER NOT NULL CHECK (key_type BETWEEN 0 AND 255),
    request INTEGER NOT NULL DEFAULT 0 CHECK (request BETWEEN 0 AND 10),
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
    SELECT id, unit, board, number, key_type, request, install, wanted, attempt, sent_ms,
        not_before_s, profile, ca, handle, error, job_id, spki_sha256 FROM credential;
DROP TABLE credential;
ALTER TABLE new_credential RENAME TO credential;

CREATE INDEX credential_pending ON credential (id) WHERE request BETWEEN 1 AND 5 OR request = 10;

-- What the CA said when it gave a certificate and waits for an answer to, until it was answered.
CREATE TABLE offer (
    credential INTEGER PRIMARY KEY REFERENCES credential (id),
    der BLOB NOT NULL CHECK (length(der) BETWEEN 1 AND 16384)
) STRICT;
