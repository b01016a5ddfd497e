import type { Channel, Team, User } from "../wire/types";

/**
 * What the workspace leaves to whom, with what holds when nothing was said. The server has the last word: this is only so that
 * nobody is offered what they will be refused.
 */
const DEFAULTS = {
  who_can_create_channels: "regular",
  who_can_create_groups: "regular",
  who_can_archive_channels: "regular",
  who_can_kick_channels: "admin",
  who_can_kick_groups: "regular",
  who_can_invite: "admin",
} as const;

const RANKS: Readonly<Record<string, number>> = { regular: 0, admin: 1, owner: 2 };

/** Whether somebody may do what a preference of the workspace is about. */
export function may(team: Team | undefined, self: User | undefined, what: keyof typeof DEFAULTS): boolean {
  const said = team?.prefs?.[what];
  const least = RANKS[typeof said === "string" ? said : DEFAULTS[what]] ?? RANKS["owner"]!;
  return self !== undefined && rankOf(self) >= least;
}

function rankOf(user: User): number {
  return user.is_owner ? 2 : user.is_admin ? 1 : 0;
}

/** What somebody may do with a channel. */
export interface Rights {
  rename: boolean;
  convert: boolean;
  archive: boolean;
  leave: boolean;
  kick: boolean;
}

export function rightsOf(channel: Channel, self: User | undefined, team: Team | undefined): Rights {
  const admin = self !== undefined && rankOf(self) >= 1;
  const creator = self !== undefined && channel.creator === self.id;
  const live = channel.is_archived !== true;
  const general = channel.is_general === true;
  return {
    rename: live && (admin || (creator && !general)),
    convert: live && admin && !general,
    archive: !general && may(team, self, "who_can_archive_channels"),
    leave: live && !general,
    kick: live && !general && (creator || may(team, self, channel.is_private ? "who_can_kick_groups" : "who_can_kick_channels")),
  };
}
