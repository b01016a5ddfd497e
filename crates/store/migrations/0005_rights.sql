-- Who may post where.

ALTER TABLE channels ADD COLUMN posting BIGINT NOT NULL DEFAULT 0;  -- 0: who is in it, 1: admins, 2: owners
