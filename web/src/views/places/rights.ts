import type { Channel, User } from "../../wire/types";

/** What somebody may do with a channel, by the server's rules; the server has the last word. */
export interface Rights {
  rename: boolean;
  convert: boolean;
  archive: boolean;
  leave: boolean;
  kick: boolean;
}

export function rightsOf(channel: Channel, self: User | undefined): Rights {
  const admin = self?.is_admin === true || self?.is_owner === true;
  const creator = self !== undefined && channel.creator === self.id;
  const live = channel.is_archived !== true;
  const general = channel.is_general === true;
  return {
    rename: live && (admin || (creator && !general)),
    convert: live && admin && !general,
    archive: !general,
    leave: live && !general,
    kick: live && !general && (admin || creator || channel.is_private === true),
  };
}
