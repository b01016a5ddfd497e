//! When somebody does not want to be disturbed.

use jiff::{Timestamp, ToSpan, Zoned, tz::TimeZone};
use model::{Dnd, User};

use crate::json::Object;

/// What Slack says for times that do not exist.
const NEVER: i64 = 1;

/// Who looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// The person: the snooze is told apart from the daily time.
    ByThemselves,
    /// Anybody else: a snooze looks like the daily time.
    ByOthers,
}

/// A time in which somebody is not to be disturbed, seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    /// Its beginning.
    pub start: i64,
    /// Its end.
    pub end: i64,
}

/// The daily time that is now, or the next one; `None`: there is none. In a time zone that nobody knows, UTC counts.
#[must_use]
pub fn daily(dnd: &Dnd, tz: &str, now: i64) -> Option<Quiet> {
    if !dnd.daily || dnd.start_minute == dnd.end_minute {
        return None;
    }
    let zone = TimeZone::get(tz).unwrap_or(TimeZone::UTC);
    let today = Timestamp::from_second(now).ok()?.to_zoned(zone);
    (-1..=2).filter_map(|day| quiet_of(dnd, &today, day)).find(|quiet| quiet.end > now.max(dnd.ended_until))
}

/// The daily time that begins so many days from today.
fn quiet_of(dnd: &Dnd, today: &Zoned, day: i32) -> Option<Quiet> {
    let at = |day: i32, minute: u16| {
        let date = today.date().checked_add(day.days()).ok()?;
        let (hour, minute) = (i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?);
        // A time that the clocks jump over is the moment after the jump.
        let time = date.at(hour, minute, 0, 0).to_zoned(today.time_zone().clone()).ok()?;
        Some(time.timestamp().as_second())
    };
    let to = if dnd.end_minute > dnd.start_minute { day } else { day + 1 };
    Some(Quiet { start: at(day, dnd.start_minute)?, end: at(to, dnd.end_minute)? })
}

/// Writes what `dnd.info`, `dnd.teamInfo` and the events say, at the time `now` (seconds since 1970).
pub fn put_dnd(object: &mut Object, user: &User, now: i64, seen: Seen) {
    let dnd = &user.dnd;
    let snooze = dnd.snooze_until > now;
    let mut quiet = daily(dnd, &user.tz, now);
    if snooze && seen == Seen::ByOthers {
        quiet = Some(Quiet { start: now, end: dnd.snooze_until });
    }
    let (start, end) = quiet.map_or((NEVER, NEVER), |quiet| (quiet.start, quiet.end));
    object.put("dnd_enabled", &quiet.is_some()).put("next_dnd_start_ts", &start).put("next_dnd_end_ts", &end);
    if seen == Seen::ByThemselves {
        put_snooze(object, dnd, now);
    }
}

/// Writes the snooze.
pub fn put_snooze(object: &mut Object, dnd: &Dnd, now: i64) {
    let snooze = dnd.snooze_until > now;
    object.put("snooze_enabled", &snooze);
    if snooze {
        object
            .put("snooze_endtime", &dnd.snooze_until)
            .put("snooze_remaining", &(dnd.snooze_until - now))
            .put("snooze_is_indefinite", &false);
    }
}

/// Seconds by which a zone's clocks are ahead of UTC at a time.
#[must_use]
pub fn offset(tz: &str, now: i64) -> i64 {
    let zone = TimeZone::get(tz).unwrap_or(TimeZone::UTC);
    Timestamp::from_second(now).map_or(0, |at| i64::from(zone.to_offset(at).seconds()))
}

/// Whether there is such a time zone.
#[must_use]
pub fn is_time_zone(tz: &str) -> bool {
    TimeZone::get(tz).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-03-28 12:00 UTC, a day before the clocks change in Berlin.
    const NOON: i64 = 1_774_699_200;
    const HOUR: i64 = 3_600;

    fn night() -> Dnd {
        Dnd { daily: true, ..Dnd::default() }
    }

    #[test]
    fn the_daily_time_is_the_one_that_is_now_or_next() {
        for (tz, now, start, end) in [
            ("Etc/UTC", NOON, NOON + 10 * HOUR, NOON + 20 * HOUR),
            ("Etc/UTC", NOON + 11 * HOUR, NOON + 10 * HOUR, NOON + 20 * HOUR),
            ("Etc/UTC", NOON + 14 * HOUR, NOON + 10 * HOUR, NOON + 20 * HOUR),
            ("Etc/UTC", NOON + 20 * HOUR, NOON + 34 * HOUR, NOON + 44 * HOUR),
            // 22:00 is 21:00 UTC in winter, 8:00 is 6:00 UTC in summer: the night is nine hours long.
            ("Europe/Berlin", NOON, NOON + 9 * HOUR, NOON + 18 * HOUR),
            ("Nowhere/At_All", NOON, NOON + 10 * HOUR, NOON + 20 * HOUR),
        ] {
            assert_eq!(daily(&night(), tz, now), Some(Quiet { start, end }), "{tz} {now}");
        }
        // 12:00 UTC is 8:00 in New York: the night has just ended.
        let next = Quiet { start: NOON + 14 * HOUR, end: NOON + 24 * HOUR };
        assert_eq!(daily(&night(), "America/New_York", NOON), Some(next));
    }

    #[test]
    fn a_time_within_the_day_an_ended_one_and_none() {
        let lunch = Dnd { start_minute: 12 * 60, end_minute: 13 * 60, ..night() };
        assert_eq!(daily(&lunch, "Etc/UTC", NOON), Some(Quiet { start: NOON, end: NOON + HOUR }));
        let ended = Dnd { ended_until: NOON + HOUR, ..lunch };
        let tomorrow = Quiet { start: NOON + 24 * HOUR, end: NOON + 25 * HOUR };
        assert_eq!(daily(&ended, "Etc/UTC", NOON), Some(tomorrow));
        assert_eq!(daily(&Dnd::default(), "Etc/UTC", NOON), None);
        assert_eq!(daily(&Dnd { end_minute: 22 * 60, ..night() }, "Etc/UTC", NOON), None);
    }

    #[test]
    fn offsets_follow_the_season() {
        assert_eq!(offset("Europe/Berlin", NOON), HOUR);
        assert_eq!(offset("Europe/Berlin", NOON + 24 * HOUR), 2 * HOUR);
        assert_eq!(offset("Nowhere/At_All", NOON), 0);
        assert!(is_time_zone("Asia/Tokyo") && !is_time_zone("Nowhere/At_All"));
    }
}
