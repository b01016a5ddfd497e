-- The first schema. One text for both engines: BIGINT, TEXT and BYTEA only; "/*sqlite …*/" and "/*postgres …*/" are for one engine.
-- Every table that grows leads with the workspace. Mutable rows carry a revision; deletions leave
-- tombstones. Ids are the 64-bit numbers of `model::id`.

CREATE TABLE placements (
  workspace BIGINT NOT NULL PRIMARY KEY,
  state     BIGINT NOT NULL,  -- 1: here, 2: moving away, 3: gone
  version   BIGINT NOT NULL
);

CREATE TABLE workspaces (
  workspace BIGINT NOT NULL PRIMARY KEY,
  name      TEXT   NOT NULL,
  domain    TEXT   NOT NULL,
  created   BIGINT NOT NULL,
  revision  BIGINT NOT NULL
);
CREATE UNIQUE INDEX workspaces_domain ON workspaces (domain);

CREATE TABLE users (
  workspace     BIGINT NOT NULL,
  usr           BIGINT NOT NULL,
  kind          BIGINT NOT NULL,  -- 1: person, 2: bot
  bot           BIGINT,
  app           BIGINT,
  name          TEXT   NOT NULL,
  real_name     TEXT   NOT NULL,
  display_name  TEXT   NOT NULL,
  email         TEXT,
  password_hash TEXT,
  role          BIGINT NOT NULL,  -- 1: member, 2: admin, 3: owner, 4: primary owner
  tz            TEXT   NOT NULL,
  locale        TEXT   NOT NULL,
  deleted       BIGINT NOT NULL,
  updated       BIGINT NOT NULL,
  revision      BIGINT NOT NULL,
  PRIMARY KEY (workspace, usr)
) /*sqlite WITHOUT ROWID*/;
CREATE UNIQUE INDEX users_email ON users (workspace, email) WHERE email IS NOT NULL;
CREATE UNIQUE INDEX users_name ON users (workspace, name);

CREATE TABLE credentials (
  workspace BIGINT NOT NULL,
  id        BYTEA  NOT NULL,  -- first 16 bytes of the secret's hash
  secret    BYTEA  NOT NULL,  -- SHA-256 of the secret
  kind      BIGINT NOT NULL,  -- 1: bot, 2: user, 3: app, 4: session
  usr       BIGINT,
  bot       BIGINT,
  app       BIGINT,
  scopes    TEXT   NOT NULL,
  created   BIGINT NOT NULL,
  expires   BIGINT,
  revoked   BIGINT,
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, id)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX credentials_usr ON credentials (workspace, usr);

CREATE TABLE invites (
  workspace BIGINT NOT NULL,
  code      BYTEA  NOT NULL,
  inviter   BIGINT NOT NULL,
  email     TEXT,
  expires   BIGINT NOT NULL,
  uses_left BIGINT NOT NULL,
  created   BIGINT NOT NULL,
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, code)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE tickets (
  workspace    BIGINT NOT NULL,
  secret       BYTEA  NOT NULL,
  usr          BIGINT NOT NULL,
  credential   BYTEA  NOT NULL,
  rtm          BIGINT NOT NULL,
  needs_origin BIGINT NOT NULL,
  expires      BIGINT NOT NULL,
  PRIMARY KEY (workspace, secret)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX tickets_expires ON tickets (workspace, expires);

CREATE TABLE topics (
  workspace  BIGINT NOT NULL,
  topic      BIGINT NOT NULL,
  generation BIGINT NOT NULL,
  last_seq   BIGINT NOT NULL,
  last_ts    BIGINT NOT NULL,
  trimmed    BIGINT NOT NULL,  -- events up to this seq are gone
  PRIMARY KEY (workspace, topic)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE events (
  workspace BIGINT NOT NULL,
  topic     BIGINT NOT NULL,
  seq       BIGINT NOT NULL,
  kind      BIGINT NOT NULL,
  at        BIGINT NOT NULL,
  ref       BIGINT,           -- ts of the message, or id of the channel or user
  actor     BIGINT,
  data      TEXT,             -- small JSON, by kind
  PRIMARY KEY (workspace, topic, seq)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE channels (
  workspace     BIGINT NOT NULL,
  channel       BIGINT NOT NULL,
  kind          BIGINT NOT NULL,  -- 1: public, 2: private, 3: DM, 4: group DM
  name          TEXT   NOT NULL,
  name_key      TEXT,             -- unique; DMs have none
  direct_key    TEXT,             -- the people of a DM or group DM; unique
  creator       BIGINT NOT NULL,
  created       BIGINT NOT NULL,
  updated       BIGINT NOT NULL,
  archived      BIGINT NOT NULL,
  general       BIGINT NOT NULL,  -- 1: everybody is in it; 2: newcomers join it
  topic_value   TEXT   NOT NULL,
  topic_by      BIGINT,
  topic_at      BIGINT NOT NULL,
  purpose_value TEXT   NOT NULL,
  purpose_by    BIGINT,
  purpose_at    BIGINT NOT NULL,
  latest        BIGINT NOT NULL,  -- newest message that counts as unread
  member_count  BIGINT NOT NULL,
  revision      BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel)
) /*sqlite WITHOUT ROWID*/;
CREATE UNIQUE INDEX channels_name ON channels (workspace, name_key) WHERE name_key IS NOT NULL;
CREATE UNIQUE INDEX channels_direct ON channels (workspace, direct_key) WHERE direct_key IS NOT NULL;

CREATE TABLE memberships (
  workspace  BIGINT NOT NULL,
  channel    BIGINT NOT NULL,
  usr        BIGINT NOT NULL,
  present    BIGINT NOT NULL,  -- 1: in the channel, 0: left (tombstone)
  generation BIGINT NOT NULL,
  seq        BIGINT NOT NULL,  -- of the last join or leave in the channel
  last_read  BIGINT NOT NULL,
  revision   BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, usr)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX memberships_usr ON memberships (workspace, usr, present, channel);

CREATE TABLE messages (
  workspace     BIGINT NOT NULL,
  channel       BIGINT NOT NULL,
  ts            BIGINT NOT NULL,
  seq           BIGINT NOT NULL,
  author        BIGINT NOT NULL,
  bot           BIGINT,
  app           BIGINT,
  look          TEXT,             -- JSON: username, icon_emoji, icon_url of a bot's message
  subtype       BIGINT,
  subtype_data  TEXT,
  body          TEXT   NOT NULL,
  blocks        TEXT,
  attachments   TEXT,
  metadata      TEXT,
  client_msg_id TEXT,
  thread        BIGINT,
  parent_author BIGINT,
  shown         BIGINT NOT NULL,  -- 1: in the channel itself, 0: only in its thread
  counts        BIGINT NOT NULL,  -- 1: makes the channel unread
  edited_by     BIGINT,
  edited_at     BIGINT,
  reply_count   BIGINT NOT NULL,
  reply_latest  BIGINT NOT NULL,
  deleted       BIGINT NOT NULL,  -- 1: tombstone without content
  revision      BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, ts)
) /*sqlite WITHOUT ROWID*/;
CREATE INDEX messages_thread ON messages (workspace, channel, thread, ts) WHERE thread IS NOT NULL;

CREATE TABLE message_versions (
  workspace   BIGINT NOT NULL,
  channel     BIGINT NOT NULL,
  ts          BIGINT NOT NULL,
  revision    BIGINT NOT NULL,
  body        TEXT   NOT NULL,
  blocks      TEXT,
  attachments TEXT,
  metadata    TEXT,
  replaced_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, ts, revision)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE thread_users (
  workspace BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  thread    BIGINT NOT NULL,
  usr       BIGINT NOT NULL,
  first_ts  BIGINT NOT NULL,
  replies   BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, thread, usr)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE idempotency (
  workspace BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  author    BIGINT NOT NULL,
  msg_key   TEXT   NOT NULL,
  ts        BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, author, msg_key)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE reactions (
  workspace BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  ts        BIGINT NOT NULL,
  name      TEXT   NOT NULL,
  usr       BIGINT NOT NULL,
  at        BIGINT NOT NULL,
  removed   BIGINT NOT NULL,
  revision  BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, ts, name, usr)
) /*sqlite WITHOUT ROWID*/;

CREATE TABLE mentions (
  workspace BIGINT NOT NULL,
  channel   BIGINT NOT NULL,
  usr       BIGINT NOT NULL,  -- 0: everybody
  ts        BIGINT NOT NULL,
  PRIMARY KEY (workspace, channel, usr, ts)
) /*sqlite WITHOUT ROWID*/;

-- Which topics each transaction moved, in the order of its start (embedded: of its commit). Trimmed; only the
-- sweep reads it.
/*sqlite CREATE TABLE commits (n INTEGER PRIMARY KEY AUTOINCREMENT, at BIGINT NOT NULL, heads BYTEA NOT NULL);*/
/*postgres CREATE TABLE commits (n BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL,
  heads BYTEA NOT NULL);*/
