// JSON schemas of what Slack's published types lack, for exceptions.mjs. Unknown keys are refused here too.
import { sharedSchema } from './schemas.mjs';

export const string = { type: 'string' };
export const number = { type: 'number' };
export const integer = { type: 'integer' };
export const boolean = { type: 'boolean' };
export const isTrue = { const: true };
export const nothing = { type: 'null' };
export const id = (letters) => ({ type: 'string', pattern: `^[${letters}][A-Z0-9]{8,}$` });
export const ts = { type: 'string', pattern: '^\\d{10}\\.\\d{6}$' };
export const list = (items) => ({ type: 'array', items });
export const either = (...schemas) => ({ anyOf: schemas });
/** An object with these keys and no others; those that end in `?` may be missing. */
export function object(keys) {
  const properties = Object.fromEntries(Object.entries(keys).map(([key, schema]) => [key.replace(/\?$/, ''), schema]));
  const required = Object.keys(keys).filter((key) => !key.endsWith('?'));
  return { type: 'object', properties, required, additionalProperties: false };
}

export const text = object({ value: string, creator: either(id('UW'), { const: '' }), last_set: integer });

/** A conversation as every answer and event shows it. */
export const conversation = object({
  id: id('CDG'),
  created: integer,
  updated: integer,
  context_team_id: id('T'),
  is_channel: boolean,
  is_group: boolean,
  is_im: boolean,
  is_mpim: boolean,
  is_private: boolean,
  is_archived: boolean,
  is_org_shared: boolean,
  topic: text,
  purpose: text,
  'name?': string,
  'name_normalized?': string,
  'creator?': id('UW'),
  'user?': id('UW'),
  'priority?': number,
  'is_open?': boolean,
  'is_member?': boolean,
  'is_general?': boolean,
  'is_shared?': boolean,
  'is_ext_shared?': boolean,
  'is_pending_ext_shared?': boolean,
  'unlinked?': integer,
  'num_members?': integer,
  'last_read?': ts,
  'latest?': { type: ['object', 'null'] },
  'unread_count?': integer,
  'unread_count_display?': integer,
  'previous_names?': list(string),
  'shared_team_ids?': list(id('T')),
  'pending_shared?': list(string),
  'pending_connected_team_ids?': list(string),
});

export const edited = object({ user: id('UW'), ts });
export const reactions = list(object({ name: string, count: integer, users: list(id('UW')) }));
export const pinnedInfo = object({ channel: id('CDG'), pinned_by: id('UW'), pinned_ts: integer });

/** What a thread's first message has of it. */
export const threadKeys = {
  thread_ts: ts,
  reply_count: integer,
  reply_users: list(id('UW')),
  reply_users_count: integer,
  latest_reply: ts,
  is_locked: boolean,
};

/** A block as @slack/types has it. */
export const block = sharedSchema('KnownBlock');

const attached = sharedSchema('MessageAttachment');
/** An attachment as @slack/types has it, which is what is sent: what comes back is numbered. */
export const attachment = { ...attached, properties: { ...attached.properties, id: integer } };

/** What a message may have whatever it is about, as Slack documents it: each is a key of at least one of Slack's types. */
export const messageKeys = {
  ...threadKeys,
  team: id('T'),
  user: id('UW'),
  app_id: id('A'),
  bot_id: id('B'),
  client_msg_id: string,
  parent_user_id: id('UW'),
  edited,
  reactions,
  pinned_to: list(id('CDG')),
  pinned_info: pinnedInfo,
  hidden: boolean,
};

/** A whole message, for types that know only some of its keys. */
export const message = object({
  type: { const: 'message' },
  ts,
  'subtype?': string,
  'text?': string,
  'permalink?': string,
  ...Object.fromEntries(Object.entries(messageKeys).map(([key, schema]) => [`${key}?`, schema])),
});

/** A person's or a bot's place in a thread. */
export const subscription = object({ type: { const: 'thread' }, channel: id('CDG'), thread_ts: ts, last_read: ts, active: boolean });

const share = object({ ts, 'thread_ts?': ts, channel_name: string, team_id: id('T'), share_user_id: id('UW') });
const sharesOf = { type: 'object', patternProperties: { '^[CDG][A-Z0-9]{8,}$': list(share) }, additionalProperties: false };
/** Where a file was said: by conversation, public ones apart. */
export const shares = object({ 'public?': sharesOf, 'private?': sharesOf });

const sized = [360, 480, 720, 800, 960, 1024];
const thumbnails = Object.fromEntries([64, 80, 160, ...sized].map((edge) => [`thumb_${edge}?`, string]));
/** How large pictures are. */
export const sizes = Object.fromEntries([...sized.map((edge) => `thumb_${edge}`), 'original'].flatMap((it) => [[`${it}_w`, integer], [`${it}_h`, integer]]));

/** A file inside of a message: where else it is said, the message does not tell. */
export const file = either(
  object({
    id: id('F'), created: integer, timestamp: integer, updated: integer, name: string, title: string, mimetype: string, filetype: string,
    pretty_type: string, user: id('UW'), user_team: id('T'), editable: boolean, size: integer, mode: { enum: ['hosted', 'snippet'] },
    is_external: boolean, external_type: string, is_public: boolean, public_url_shared: boolean, display_as_bot: boolean, username: string,
    url_private: string, url_private_download: string, media_display_type: string, permalink: string, 'permalink_public?': string,
    'alt_txt?': string, is_starred: boolean, has_rich_preview: boolean, file_access: string, comments_count: integer,
    ...thumbnails, 'thumb_tiny?': string, ...Object.fromEntries(Object.entries(sizes).map(([key, as]) => [`${key}?`, as])),
  }),
  object({ id: id('F'), mode: { const: 'tombstone' } }),
);
