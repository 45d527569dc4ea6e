//! Parsers of single values on the command line.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::feed::ChangeFeedStart;

/// Parses where to start: `beginning`, `now` or an RFC 3339 time that is not in the future.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_start(text: &str) -> Result<ChangeFeedStart, String> {
    match text {
        "beginning" => return Ok(ChangeFeedStart::Beginning),
        "now" => return Ok(ChangeFeedStart::Now),
        _ => {}
    }
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| {
        "expected `beginning`, `now` or a time such as 2026-11-23T12:00:00Z".to_owned()
    })?;
    if time > OffsetDateTime::now_utc() {
        return Err(
            "the time lies in the future; changes come from the past, or from `now` on".to_owned(),
        );
    }
    Ok(ChangeFeedStart::PointInTime(time))
}

/// Parses a number of bytes: a plain number, or one with `KB`, `MB`, `GB` (powers of 1000) or
/// `KiB`, `MiB`, `GiB` (powers of 1024). At least 1.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    const WRONG: &str = "expected a number of bytes such as 500000, 64MiB or 1GB";
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" | "K" => 1 << 10,
        "MiB" | "M" => 1 << 20,
        "GiB" | "G" => 1 << 30,
        _ => return Err(WRONG.to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| WRONG.to_owned())?;
    match number.checked_mul(factor) {
        Some(0) => Err("expected at least 1 byte".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("that many bytes do not fit 64 bits".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_plain_or_with_a_unit() {
        assert_eq!(parse_bytes("1"), Ok(1));
        assert_eq!(parse_bytes("64MiB"), Ok(64 << 20));
        assert_eq!(parse_bytes("1 GB"), Ok(1_000_000_000));
        for wrong in [
            "",
            "0",
            "-1",
            "1.5MiB",
            "MiB",
            "1TBX",
            "99999999999999999999",
            "99999999999GiB",
        ] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_start_is_a_word_or_a_time_in_the_past() {
        assert_eq!(parse_start("beginning"), Ok(ChangeFeedStart::Beginning));
        assert_eq!(parse_start("now"), Ok(ChangeFeedStart::Now));
        assert!(matches!(
            parse_start("2020-01-02T03:04:05+01:00"),
            Ok(ChangeFeedStart::PointInTime(_))
        ));
        for wrong in ["", "yesterday", "2020-01-02", "2999-01-01T00:00:00Z"] {
            assert!(parse_start(wrong).is_err(), "{wrong}");
        }
    }
}
