// Where what the server says differs from the TypeScript types of @slack/web-api and @slack/types, and why. Each must
// be used: one that is not is reported, so that this list does not outlive its reasons.

/** Methods that have no response type: ours, and those of Slack's own client. */
export const untyped = [/^parlance\./, /^realtime\.connect$/, /^client\./, /^subscriptions\.thread\./, /^users\.prefs\./, /^presence\.set$/];

const SAMPLED = 'the SDK made this type from recorded answers, which did not have the key; Slack documents it';
const OURS = 'ours';
/** Met only when all tests have run, or by chance: not meeting it is no finding. */
const SOMETIMES = true;

/** Findings that are as they should be: name (method or event), path, reason, whether it is met only sometimes. */
export const accepted = [
  [/^conversations\.(history|replies)$/, /^\/_p$/, `${OURS}: the position at which the page was read, when it is asked for`],
  [/^(chat\.postMessage|conversations\.history)$/, /\/blocks\/\[\]\//, 'the blocks of responses are typed by samples that knew few elements of rich texts'],
  [/^(chat\.postMessage|conversations\.history)$/, /\/metadata\/event_payload\//, 'what is in a payload is the sender\'s business'],
  [/^chat\.postMessage$/, /^\/message\/client_msg_id$/, SAMPLED],
  [/^chat\.update$/, /^\/message\//, SAMPLED],
  [/^conversations\.(create|invite|join|rename|setPurpose|setTopic)$/, /^\/channel\/num_members$/, `${OURS}: a conversation looks the same wherever it is shown`],
  [/^users\.conversations$/, /^\/channels\/\[\]\/(is_member|num_members)$/, `${OURS}: a conversation looks the same wherever it is shown`],
  [/^conversations\.open$/, /^\/channel\//, 'with return_im the whole conversation comes, of which the type has a part'],
  [/^conversations\.info$/, /^\/channel\/(priority|user)$/, SAMPLED],
  [/^conversations\.leave$/, /^\/not_in_channel$/, SAMPLED],
  [/^conversations\.history$/, /^\/messages\/\[\]\/(name|old_name|pinned_info|pinned_to)$/, SAMPLED],
  [/^conversations\.replies$/, /^\/messages\/\[\]\/(hidden|subtype)$/, SAMPLED],
  [/^dnd\.info$/, /^\/snooze_/, SAMPLED],
  [/^conversations\.history$/, /^\/channel_actions_ts$/, 'Slack documents null when there are none'],
  [/^pins\.list$/, /^\/(count|items\/\[\]\/message\/pinned_info)$/, SAMPLED],
  [/^auth\.revoke$/, /^\/revoked$/, SAMPLED],
  [/^api\.test$/, /^\/args\//, 'an echo of what was sent', SOMETIMES],
  [/^conversations\.replies$/, /^\/messages\/\[\]\/(pinned_info|pinned_to)$/, SAMPLED, SOMETIMES],
  [/^conversations\.list$/, /^\/channels\/\[\]\/is_open$/, 'a closed DM or group DM, which the samples did not have', SOMETIMES],
  [/^conversations\.setTopic$/, /^\/channel\/(is_open|priority|user)$/, 'the topic of a DM, which the samples did not have', SOMETIMES],
  [/^message/, /^\/channel_type$/, 'the Events API adds it; RTM does not have it but for DMs'],
  [/^message/, /^\/(app_id|team|edited|thread_ts|parent_user_id|is_locked|latest_reply|reply_count|reply_users|reply_users_count|pinned_to|pinned_info|reactions|bot_id|client_msg_id|metadata|blocks|attachments|hidden|user|text|subtype|topic|purpose|old_name|name)\b/, 'the types of message events have the keys that some kinds had in samples; any message can be in a thread, edited, pinned'],
  [/^message channel_join$/, /^\/inviter$/, 'nobody invited who came by themselves'],
  [/^message thread_broadcast$/, /^\/(root|client_msg_id)$/, 'NOT YET: the parent of a broadcast reply is not in its event'],
  [/^message message_(changed|deleted)$/, /^\/(previous_message|message)$/, 'an event that is read again has what the message is now, not what it was'],
  [/^group_unarchive$/, /^\/user$/, 'RTM has it, the Events API calls it actor_id'],
  [/^im_created$/, /./, 'RTM has the whole conversation'],
  [/^member_left_channel$/, /^\/actor_id$/, `${OURS}: who removed them`],
  [/^dnd_updated$/, /^\/dnd_status\/snooze_is_indefinite$/, SAMPLED],
  [/^pin_(added|removed)$/, /^\/pin_count$/, 'a string in @slack/types, a number in the Java SDK and in what Slack sends'],
  [/^user_change$/, /^\/user\/profile\/(avatar_hash|image_\d+)$/, 'NOT YET: photos'],
  [/^user_change$/, /^\/user\/profile\/fields$/, 'NOT YET: custom fields'],
  [/^user_change$/, /^\/user\/profile\/pronouns$/, SAMPLED],
  [/^pin_(added|removed)$/, /^\/item\/message\//, 'NOT YET: permalink; the rest is what any message has'],
];

/** Response keys that a method never has here, with the reason: they do not make it partial. */
export const neverHere = [
  [/./, /^(error|needed|provided|warning|response_metadata|ok|arg|callstack|req_method|headers)$/, 'part of the envelope'],
  [/./, /^(errors|detail|deprecated_argument)$/, 'in refusals'],
];
