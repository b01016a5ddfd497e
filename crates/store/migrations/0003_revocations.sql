-- Credentials that a transaction revoked, 16 bytes each: the other processes end the sessions that they started.
ALTER TABLE commits ADD COLUMN revoked BYTEA;
