-- SPDX-License-Identifier: Apache-2.0
-- Schema 6: a certificate is revoked where it was issued. Its request may have gone elsewhere since.

-- What identifies the CA that issued it, in words, as credential.endpoint; '': not known.
ALTER TABLE certificate ADD COLUMN endpoint TEXT NOT NULL DEFAULT '';

-- Of one in quarantine after more than one attempt it cannot be told which of them brought it.
UPDATE certificate SET endpoint = (SELECT c.endpoint FROM credential c WHERE c.id = credential)
    WHERE EXISTS (SELECT 1 FROM credential c WHERE c.id = credential AND c.ca = certificate.ca
                  AND (certificate.state = 1 OR c.attempt <= 1));
