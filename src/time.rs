//! Points in time as file systems keep them: seconds and nanoseconds since 1970, UTC.

use chrono::{DateTime, SecondsFormat, Utc};
use std::time::SystemTime;

/// A point in time, to the nanosecond. Orders by time.
///
/// ```
/// use electrus::time::Timestamp;
///
/// let time = Timestamp::parse("2026-01-15T11:30:00.5+01:00").unwrap();
/// assert_eq!(time.to_rfc3339(), "2026-01-15T10:30:00.500+00:00");
/// assert!(time < Timestamp { nanos: 600_000_000, ..time });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z; negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1,000,000,000.
    pub nanos: u32,
}

impl Timestamp {
    /// The system's clock now.
    pub fn now() -> Timestamp {
        let now = Utc::now();
        Timestamp { seconds: now.timestamp(), nanos: now.timestamp_subsec_nanos().min(999_999_999) }
    }

    /// RFC 3339 in UTC with offset: `2026-01-15T10:30:00.123456789+00:00`. A time beyond the calendar is given as seconds.
    pub fn to_rfc3339(self) -> String {
        match DateTime::<Utc>::from_timestamp(self.seconds, self.nanos) {
            Some(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, false),
            None => format!("@{}", self.seconds),
        }
    }

    /// Reads RFC 3339 of any offset.
    pub fn parse(text: &str) -> Option<Timestamp> {
        let time = DateTime::parse_from_rfc3339(text).ok()?;
        Some(Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() })
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Timestamp {
        let time = DateTime::<Utc>::from(time);
        Timestamp { seconds: time.timestamp(), nanos: time.timestamp_subsec_nanos() }
    }
}
