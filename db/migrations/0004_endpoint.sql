-- SPDX-License-Identifier: Apache-2.0
-- Schema 4: where a request went. `ca` is the name of a section, which may lead elsewhere by now.

-- What identifies the CA, in words (ca-client/endpoint.h); '': not known.
ALTER TABLE credential ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';
