//! Parsers of single values on the command line.

use std::ops::RangeInclusive;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::replay::Speed;
use crate::cli::SchemaSource;
use crate::clock;
use crate::feed::ChangeFeedStart;
use crate::format::Compression;
use crate::schema::SampleSize;

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
    if time > clock::now() {
        return Err(
            "the time lies in the future by this machine's clock; changes come from the past, or from \
             `now` on"
                .to_owned(),
        );
    }
    Ok(ChangeFeedStart::PointInTime(time))
}

/// Parses where a tail starts: as [`parse_start`], or an age such as `10m`.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_tail_start(text: &str) -> Result<ChangeFeedStart, String> {
    match parse_age(text) {
        Some(time) => Ok(ChangeFeedStart::PointInTime(time)),
        None => parse_start(text).map_err(|reason| {
            reason.replace(
                "`now` or a time such as 2026-11-23T12:00:00Z",
                "`now`, a time such as 2026-11-23T12:00:00Z or an age such as 10m",
            )
        }),
    }
}

/// Parses a speed: `max`, or how many times as fast.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse() {
        Ok(times) if times > 0.0 && f64::is_finite(times) => Ok(Speed::Times(times)),
        _ => Err("expected `max` or a number above 0, such as 1, 10 or 0.5".to_owned()),
    }
}

/// Parses a moment: an RFC 3339 time, or an age such as `10m`, which means that long ago.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_time_or_age(text: &str) -> Result<OffsetDateTime, String> {
    parse_age(text)
        .or_else(|| OffsetDateTime::parse(text, &Rfc3339).ok())
        .ok_or_else(|| {
            "expected a time such as 2026-11-23T12:00:00Z or an age such as 10m".to_owned()
        })
}

fn parse_age(text: &str) -> Option<OffsetDateTime> {
    let age = humantime::parse_duration(text).ok()?;
    clock::now().checked_sub(time::Duration::try_from(age).ok()?)
}

/// Parses how much is looked at: a number of pages, or `all`.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_sample(text: &str) -> Result<SampleSize, String> {
    match (text, text.parse()) {
        ("all", _) => Ok(SampleSize::All),
        (_, Ok(pages @ 1..)) => Ok(SampleSize::Pages(pages)),
        _ => Err("expected a number of pages, at least 1, or `all`".to_owned()),
    }
}

/// Parses where a schema comes from: `infer`, `raw`, or else a file.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_schema_source(text: &str) -> Result<SchemaSource, String> {
    match text {
        "infer" => Ok(SchemaSource::Infer),
        "raw" => Ok(SchemaSource::Raw),
        "" => Err("expected `infer`, `raw` or a file".to_owned()),
        file => Ok(SchemaSource::File(file.into())),
    }
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

/// As [`parse_bytes`], or `none`, which no file ever reaches.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_bytes_or_none(text: &str) -> Result<u64, String> {
    match text {
        "none" => Ok(u64::MAX),
        _ => parse_bytes(text).map_err(|reason| format!("{reason}, or `none`")),
    }
}

/// Parses a duration such as `10m` that is not zero, or `none`, which never passes.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_duration_or_none(text: &str) -> Result<Duration, String> {
    match (text, humantime::parse_duration(text)) {
        ("none", _) => Ok(Duration::MAX),
        (_, Ok(duration)) if !duration.is_zero() => Ok(duration),
        _ => {
            Err("expected a duration such as 10m that is longer than nothing, or `none`".to_owned())
        }
    }
}

/// Parses `CODEC` or `CODEC:LEVEL`.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_compression(text: &str) -> Result<Compression, String> {
    let (codec, level) = match text.split_once(':') {
        Some((codec, level)) => (codec, Some(level)),
        None => (text, None),
    };
    let within = |range: RangeInclusive<u32>, usual: u32| match level.map(str::parse) {
        None => Ok(usual),
        Some(Ok(level)) if range.contains(&level) => Ok(level),
        Some(_) => Err(format!(
            "{codec} has levels from {} to {}",
            range.start(),
            range.end()
        )),
    };
    match codec {
        "gzip" => return Ok(Compression::Gzip(within(0..=9, 6)?)),
        "zstd" => return Ok(Compression::Zstd(within(1..=22, 3)?.cast_signed())),
        _ => {}
    }
    match (codec, level) {
        ("none", None) => Ok(Compression::None),
        ("snappy", None) => Ok(Compression::Snappy),
        ("lz4", None) => Ok(Compression::Lz4),
        ("none" | "snappy" | "lz4", Some(_)) => Err(format!("{codec} has no levels")),
        _ => Err("expected none, snappy, lz4, gzip or zstd".to_owned()),
    }
}

/// Parses what stands between two cells of CSV: one ASCII character, or `tab`.
///
/// # Errors
///
/// A sentence for the user, without the flag's name: clap puts it before.
pub fn parse_delimiter(text: &str) -> Result<char, String> {
    let mut characters = match text {
        "tab" | "\\t" => "\t",
        text => text,
    }
    .chars();
    match (characters.next(), characters.next()) {
        (Some('"' | '\r' | '\n' | '\0'), None) => {
            Err("quotes, line ends and NUL have a meaning of their own in CSV".to_owned())
        }
        (Some(delimiter), None) if delimiter.is_ascii() => Ok(delimiter),
        _ => Err("expected one ASCII character, or `tab`".to_owned()),
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
    fn a_codec_may_have_a_level() {
        assert_eq!(parse_compression("zstd"), Ok(Compression::Zstd(3)));
        assert_eq!(parse_compression("gzip:0"), Ok(Compression::Gzip(0)));
        assert_eq!(parse_compression("none"), Ok(Compression::None));
        for wrong in [
            "", "zstd:", "zstd:23", "zstd:-1", "gzip:10", "snappy:1", "brotli",
        ] {
            assert!(parse_compression(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_delimiter_is_one_ascii_character() {
        assert_eq!(parse_delimiter(";"), Ok(';'));
        assert_eq!(parse_delimiter("tab"), Ok('\t'));
        for wrong in ["", ",,", "\"", "\n", "§"] {
            assert!(parse_delimiter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_tail_starts_at_an_age_too() {
        let Ok(ChangeFeedStart::PointInTime(time)) = parse_tail_start("10m") else {
            panic!()
        };
        let age = OffsetDateTime::now_utc() - time;
        assert!((age - time::Duration::minutes(10)).abs() < time::Duration::minutes(1));
        assert_eq!(parse_tail_start("now"), Ok(ChangeFeedStart::Now));
        assert!(
            parse_tail_start("10 parsecs")
                .unwrap_err()
                .contains("an age such as 10m")
        );
        assert!(parse_time_or_age("2999-01-01T00:00:00Z").is_ok());
        assert!(parse_time_or_age("now").is_err());
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

    #[test]
    fn a_speed_is_max_or_a_positive_number() {
        assert_eq!(parse_speed("max"), Ok(Speed::Max));
        assert_eq!(parse_speed("10"), Ok(Speed::Times(10.0)));
        assert_eq!(parse_speed("0.25"), Ok(Speed::Times(0.25)));
        for wrong in ["0", "-1", "inf", "nan", "", "2x", "MAX", "1e999"] {
            assert!(parse_speed(wrong).is_err(), "{wrong}");
        }
    }
}
