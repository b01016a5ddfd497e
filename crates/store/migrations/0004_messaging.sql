-- Profiles, status, do-not-disturb, preferences; renamed and closed conversations; threads that people follow; pins;
-- scheduled messages; jobs.

ALTER TABLE users ADD COLUMN profile TEXT;  -- JSON: title, phone, status and the like; NULL: all empty
ALTER TABLE users ADD COLUMN dnd     TEXT;  -- JSON: schedule and snooze; NULL: never

CREATE INDEX users_bot ON users (workspace, bot) WHERE bot IS NOT NULL;

CREATE TABLE preferences (
  workspace BIGINT NOT NULL,
  usr       BIGINT NOT NULL,  -- 0: the workspace's own
  name      TEXT   NOT NULL,
  value     TEXT   NOT NULL,  -- JSON
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, usr, name)
) /*sqlite WITHOUT ROWID*/;

ALTER TABLE channels ADD COLUMN previous_names TEXT;  -- JSON, oldest first; NULL: none
ALTER TABLE channels ADD COLUMN pins   BIGINT NOT NULL DEFAULT 0;  -- pinned messages that exist
ALTER TABLE channels ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;  -- members who have closed it (DMs)
ALTER TABLE memberships ADD COLUMN closed BIGINT NOT NULL DEFAULT 0;

ALTER TABLE messages ADD COLUMN pinned_by BIGINT;
ALTER TABLE messages ADD COLUMN pinned_at BIGINT;
CREATE INDEX messages_pinned ON messages (workspace, channel, pinned_at) WHERE pinned_at IS NOT NULL;

ALTER TABLE mentions ADD COLUMN thread BIGINT NOT NULL DEFAULT 0;  -- of a reply that the channel does not show
UPDATE mentions SET thread = coalesce((SELECT m.thread FROM messages m WHERE m.workspace = mentions.workspace
  AND m.channel = mentions.channel AND m.ts = mentions.ts AND m.shown = 0), 0);

CREATE INDEX reactions_usr ON reactions (workspace, usr, at) WHERE removed = 0;

CREATE TABLE thread_subscriptions (
  workspace BIGINT NOT NULL,
  usr       BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  thread    BIGINT NOT NULL,
  active    BIGINT NOT NULL,  -- 0: not followed any more, and not again by itself
  last_read BIGINT NOT NULL,
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, usr, channel, thread)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE scheduled_messages (
  workspace BIGINT NOT NULL,
  id        BIGINT NOT NULL,
  usr       BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  post_at   BIGINT NOT NULL,  -- seconds
  created   BIGINT NOT NULL,
  draft     TEXT   NOT NULL,  -- JSON
  PRIMARY KEY (workspace, id)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX scheduled_messages_usr ON scheduled_messages (workspace, usr, post_at);

-- What is to be done later or by somebody else. A row goes when its job is done.
CREATE TABLE jobs (
  workspace BIGINT NOT NULL,
  id        BIGINT NOT NULL,
  kind      TEXT   NOT NULL,
  payload   TEXT   NOT NULL,  -- JSON
  key       TEXT,             -- of several jobs with one key one is queued
  run_at    BIGINT NOT NULL,  -- not before; whoever runs it moves it on to the end of its lease
  tries     BIGINT NOT NULL,
  dead      BIGINT NOT NULL,  -- 1: given up, until somebody looks at it
  error     TEXT,             -- of the last try
  created   BIGINT NOT NULL,
  PRIMARY KEY (workspace, id)
) /*sqlite WITHOUT ROWID*/;
CREATE UNIQUE INDEX jobs_key ON jobs (workspace, kind, key) WHERE key IS NOT NULL;
CREATE INDEX jobs_due ON jobs (run_at) WHERE dead = 0;
