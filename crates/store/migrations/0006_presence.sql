-- Who said that they are away; whether a session takes several people's presence in one event.

ALTER TABLE users ADD COLUMN manual_away BIGINT NOT NULL DEFAULT 0;
ALTER TABLE tickets ADD COLUMN batch_presence BIGINT NOT NULL DEFAULT 0;
