-- Files: what was uploaded, where it is shared, and how much of its disk a workspace uses.

CREATE TABLE files (
  workspace     BIGINT NOT NULL,
  id            BIGINT NOT NULL,
  usr           BIGINT NOT NULL,
  state         BIGINT NOT NULL,  -- 1: announced, 2: its bytes are there, 3: complete, 4: deleted (tombstone)
  created       BIGINT NOT NULL,
  updated       BIGINT NOT NULL,
  name          TEXT   NOT NULL,
  title         TEXT   NOT NULL,
  alt_text      TEXT   NOT NULL,
  bytes         BIGINT NOT NULL,  -- announced, then real; what the workspace's use counts
  secret        BYTEA,            -- SHA-256 of the capability to upload; NULL: none, or used up
  expires       BIGINT NOT NULL,  -- until when it must be complete
  blob          TEXT,             -- name of the bytes below the file's folder
  sha256        BYTEA,
  mime          TEXT   NOT NULL,
  filetype      TEXT   NOT NULL,
  snippet       BIGINT NOT NULL,  -- 1: a snippet of the type that its owner named
  thumbnails    BIGINT NOT NULL,  -- 0: none are wanted, 1: still to be made, 2: made, 3: cannot be made
  image         TEXT,             -- JSON: its size, its thumbnails
  public_secret TEXT,             -- of the public link. Everybody who sees the file is shown it, so no hash will do
  revision      BIGINT NOT NULL,
  PRIMARY KEY (workspace, id)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX files_created ON files (workspace, created) WHERE state = 3;

CREATE TABLE file_shares (
  workspace BIGINT NOT NULL,
  file      BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  ts        BIGINT NOT NULL,  -- the message that has it
  place     BIGINT NOT NULL,  -- among the files of the message
  usr       BIGINT NOT NULL,
  thread    BIGINT,
  removed   BIGINT NOT NULL,  -- 1: its message was deleted (tombstone)
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, file, channel, ts)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX file_shares_message ON file_shares (workspace, channel, ts);

CREATE TABLE file_usage (
  workspace BIGINT NOT NULL,
  bytes     BIGINT NOT NULL,  -- of its files, announced ones included
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace)
) /*sqlite WITHOUT ROWID*/;

ALTER TABLE messages ADD COLUMN files BIGINT NOT NULL DEFAULT 0;  -- how many it has
