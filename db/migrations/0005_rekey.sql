-- SPDX-License-Identifier: Apache-2.0
-- Schema 5: a request that rekeys a certificate of the board that was swapped says which one.

-- The serial number, in hex, of the certificate that the last attempt asked the CA to rekey; '' where it
-- asked for one of its own.
ALTER TABLE credential ADD COLUMN replaces TEXT NOT NULL DEFAULT '';
