//! Points in time, as they are typed.
//!
//! A time is `2026-11-23`, `2026-11-23 12:00` or RFC 3339, such as `2026-11-23T12:00:00.5+01:00`. Without an
//! offset it is in UTC, as is everything that is printed. An age, such as `10m`, is that long ago.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::values::Parsed;
use crate::clock;
use crate::feed::ChangeFeedStart;

/// Parses where to start: `beginning`, `now`, a time that is not in the future, or an age.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn start(text: &str) -> Parsed<ChangeFeedStart> {
    match text {
        "beginning" => return Ok(ChangeFeedStart::Beginning),
        "now" => return Ok(ChangeFeedStart::Now),
        _ => {}
    }
    let time = point(text).ok_or(
        "expected `beginning`, `now`, a time in UTC such as 2026-11-23 or \"2026-11-23 12:00\", or an age such \
         as 10m",
    )?;
    if time > clock::now() {
        return Err(
            "the time is in the future by this machine's clock; start in the past or at `now`. Without an \
             offset such as +01:00 a time is in UTC"
                .to_owned(),
        );
    }
    Ok(ChangeFeedStart::PointInTime(time))
}

/// Where a lease is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseStart {
    /// Where a feed can start.
    At(ChangeFeedStart),
    /// After the change with this LSN, as an ETag.
    Etag(String),
}

/// Parses where a lease is to begin: where a feed can start, or an LSN, which may be quoted as in an ETag.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn lease_start(text: &str) -> Parsed<LeaseStart> {
    let inner = text
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'));
    let lsn = inner.unwrap_or(text);
    let is_lsn = !lsn.is_empty() && lsn.bytes().all(|byte| byte.is_ascii_digit());
    if is_lsn && lsn.parse::<u64>().is_ok() {
        return Ok(LeaseStart::Etag(format!("\"{lsn}\"")));
    }
    match start(text) {
        Ok(start) => Ok(LeaseStart::At(start)),
        Err(reason) if reason.starts_with("expected") => {
            Err(format!("{reason}; or the LSN of a position, such as 1234"))
        }
        Err(reason) => Err(reason),
    }
}

/// Parses a time or an age.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn time_or_age(text: &str) -> Parsed<OffsetDateTime> {
    point(text).ok_or_else(|| {
        "expected a time in UTC such as 2026-11-23 or \"2026-11-23 12:00\", or an age such as 10m".to_owned()
    })
}

/// Whether a time is given as an age.
pub fn is_age(text: &str) -> bool {
    age(text).is_some()
}

fn point(text: &str) -> Option<OffsetDateTime> {
    age(text).or_else(|| time(text))
}

fn age(text: &str) -> Option<OffsetDateTime> {
    let age = humantime::parse_duration(text).ok()?;
    clock::now().checked_sub(time::Duration::try_from(age).ok()?)
}

/// A date, with or without a time of day, which has an offset or is in UTC.
fn time(text: &str) -> Option<OffsetDateTime> {
    const DATE: usize = "2026-11-23".len();
    let (date, rest) = text.split_at_checked(DATE)?;
    if rest.is_empty() {
        return rfc3339(&format!("{date}T00:00:00Z"));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (of_day, offset) = match rest.find(['Z', 'z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let seconds = if of_day.len() == "12:00".len() {
        ":00"
    } else {
        ""
    };
    rfc3339(&format!("{date}T{of_day}{seconds}{offset}"))
}

fn rfc3339(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_time_is_in_utc_unless_it_has_an_offset() {
        let noon = datetime!(2025-11-23 12:00 UTC);
        for text in [
            "2025-11-23 12:00",
            "2025-11-23T12:00",
            "2025-11-23 12:00:00",
            "2025-11-23t12:00:00.000z",
            "2025-11-23 12:00Z",
            "2025-11-23 13:00+01:00",
            "2025-11-23T07:00:00-05:00",
        ] {
            assert_eq!(time_or_age(text), Ok(noon), "{text}");
            assert_eq!(
                start(text),
                Ok(ChangeFeedStart::PointInTime(noon)),
                "{text}"
            );
        }
        let midnight = datetime!(2024-02-29 00:00 UTC);
        assert_eq!(time_or_age("2024-02-29"), Ok(midnight));
        let fraction = datetime!(2025-11-23 12:00:00.25 UTC);
        assert_eq!(time_or_age("2025-11-23 12:00:00.25"), Ok(fraction));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for wrong in [
            "",
            "yesterday",
            "20251123",
            "2025-11",
            "2025-13-01",
            "2025-02-29",
            "2025-11-23 ",
            "2025-11-23T",
            "2025-11-23 12",
            "2025-11-23 24:00",
            "2025-11-23 12:60",
            "2025-11-23  12:00",
            "2025-11-23 12:00 +01:00",
            "2025-11-23x12:00",
            "2025-11-23 12:00+25:00",
            "2025-11-2é 12:00",
            "10 parsecs",
            "-10m",
            "10",
        ] {
            assert!(time_or_age(wrong).is_err(), "{wrong}");
            assert!(start(wrong).is_err(), "{wrong}");
        }
        assert!(time_or_age("now").is_err());
        assert!(time_or_age("999999999999y").is_err());
    }

    #[test]
    fn a_lease_begins_where_a_feed_does_or_at_an_lsn() {
        let etag = LeaseStart::Etag("\"1234\"".to_owned());
        assert_eq!(lease_start("1234"), Ok(etag.clone()));
        assert_eq!(lease_start("\"1234\""), Ok(etag));
        let now = LeaseStart::At(ChangeFeedStart::Now);
        assert_eq!(lease_start("now"), Ok(now));
        assert!(matches!(
            lease_start("10m"),
            Ok(LeaseStart::At(ChangeFeedStart::PointInTime(_)))
        ));
        for wrong in ["", "\"", "\"\"", "-1", "99999999999999999999", "LSN 7"] {
            let reason = lease_start(wrong).unwrap_err();
            assert!(reason.contains("such as 1234"), "{wrong}: {reason}");
        }
    }

    #[test]
    fn a_start_is_a_word_a_time_in_the_past_or_an_age() {
        assert_eq!(start("beginning"), Ok(ChangeFeedStart::Beginning));
        assert_eq!(start("now"), Ok(ChangeFeedStart::Now));
        assert!(start("2999-01-01").unwrap_err().contains("in the future"));
        assert!(time_or_age("2999-01-01").is_ok());
        let Ok(ChangeFeedStart::PointInTime(time)) = start("10m") else {
            panic!()
        };
        let age = OffsetDateTime::now_utc() - time;
        assert!((age - time::Duration::minutes(10)).abs() < time::Duration::minutes(1));
    }
}
