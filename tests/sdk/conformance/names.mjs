// Names of methods and events that Slack has and its TypeScript packages do not.

/** Methods without a response type: documented, or of Slack's own client. */
export const METHODS = [
  'apps.icon.set', 'assistant.search.context', 'assistant.search.info', 'chat.command', 'client.counts', 'client.dms', 'client.userBoot',
  'conversations.genericInfo', 'conversations.view', 'entity.acknowledgeCommentAction', 'entity.presentComments', 'files.upload',
  'oauth.v2.user.access', 'openid.connect.token', 'openid.connect.userInfo', 'presence.set', 'rtm.start', 'search.modules.channels',
  'subscriptions.thread.add', 'subscriptions.thread.mark', 'subscriptions.thread.remove', 'users.prefs.get', 'users.prefs.set', 'users.setActive',
];

/** Events of RTM, of Slack's own client, and subtypes of messages. */
export const EVENTS = [
  'bot_added', 'bot_changed', 'channel_joined', 'channel_marked', 'commands_changed', 'entity_comments_requested', 'error', 'goodbye',
  'group_joined', 'group_marked', 'hello', 'im_marked', 'manual_presence_change', 'mpim_close', 'mpim_joined', 'mpim_marked', 'mpim_open',
  'pref_change', 'presence_change', 'reconnect_url', 'team_pref_change', 'team_profile_change', 'team_profile_delete', 'team_profile_reorder',
  'thread_marked', 'thread_subscribed', 'thread_unsubscribed', 'update_thread_state', 'url_verification', 'user_connection', 'user_invalidated', 'user_typing',
  ...[
    'assistant_app_thread', 'bot_add', 'bot_disable', 'bot_enable', 'bot_remove', 'channel_canvas_updated', 'channel_convert_to_private',
    'channel_convert_to_public', 'document_mention', 'group_archive', 'group_join', 'group_leave', 'group_name', 'group_purpose', 'group_topic',
    'group_unarchive', 'huddle_thread', 'joiner_notification', 'pinned_item', 'reminder_add', 'reminder_delete', 'tombstone',
  ].map((it) => `message ${it}`),
];

/** Names in the tables that are no methods to call and no events that come: addresses, frames of clients, and names of subscriptions. */
export const NEITHER = /^(wss:|edgeapi:|(RTM->client|client->RTM|Socket|HTTP): |message\.|presence_(query|sub)$)/;
