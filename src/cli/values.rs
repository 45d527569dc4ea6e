//! Parsers of single values.
//!
//! A parser gets the text from a flag, a variable or a profile. Its error is a sentence for the user that
//! says what is expected; it never repeats the text, which may be a secret, nor the name of the flag,
//! which the caller adds.

mod azure;

use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use clap::ValueEnum;

use crate::cli::choices::SchemaSource;
use crate::cli::location::{self, Location};
use crate::cosmos::max_ru::MaxRu;
use crate::feed::QueryParameter;
use crate::format::Compression;
use crate::nearest::nearest;
use crate::schema::SampleSize;

pub use azure::{account_name, regions, resource_group, subscription, token_scope};

/// What a parser returns: the value, or a sentence that says what is expected.
pub type Parsed<T> = Result<T, String>;

/// A limit that can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit<T> {
    /// At this value.
    At(T),
    /// There is none.
    None,
}

/// How fast changes follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Speed {
    /// As fast as possible.
    Max,
    /// At this multiple of the speed at which they were made; positive and finite.
    Times(f64),
}

/// A lag that is too much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LagLimit {
    /// More transactions than this.
    Transactions(u64),
    /// A change that has waited for longer than this.
    Time(Duration),
}

/// Parses a lag: a number of transactions, or a duration.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn lag_limit(text: &str) -> Parsed<LagLimit> {
    match (text.parse(), humantime::parse_duration(text)) {
        (Ok(transactions), _) => Ok(LagLimit::Transactions(transactions)),
        (_, Ok(duration)) => Ok(LagLimit::Time(duration)),
        _ => Err(
            "expected a number of transactions, such as 1000, or a duration such as 10m".to_owned(),
        ),
    }
}

/// Takes any text.
///
/// # Errors
///
/// None.
pub fn text(text: &str) -> Parsed<String> {
    Ok(text.to_owned())
}

/// Takes the path of a file or a directory of this machine.
///
/// # Errors
///
/// If it is an address with a scheme.
pub fn path(text: &str) -> Parsed<PathBuf> {
    location::file(Path::new(text))
}

/// Takes a path, which `-` is too.
///
/// # Errors
///
/// If it is an address with a scheme.
pub fn path_or_dash(text: &Path) -> Parsed<PathBuf> {
    match Location::parse(text)? {
        Location::StandardStream => Ok(text.to_owned()),
        Location::Local(_) | Location::Objects(_) => location::file(text),
    }
}

/// Takes a path, or `-` for a standard stream.
///
/// # Errors
///
/// If it is an address with a scheme.
pub fn location(text: &str) -> Parsed<Location> {
    Location::parse(Path::new(text))
}

/// Takes the path of a file or a directory, or a place in an object store.
///
/// # Errors
///
/// If it is neither.
pub fn place(text: &str) -> Parsed<Location> {
    location::place(Path::new(text))
}

/// Parses a whole number from `MIN` to `MAX`.
///
/// # Errors
///
/// If it is not one.
pub fn whole<const MIN: u32, const MAX: u32>(text: &str) -> Parsed<u32> {
    long_whole::<0, { u64::MAX }>(text)
        .ok()
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| (MIN..=MAX).contains(number))
        .ok_or_else(|| out_of_range(MIN.into(), MAX.into(), u32::MAX.into()))
}

/// Parses a whole number of 64 bits from `MIN` to `MAX`.
///
/// # Errors
///
/// If it is not one.
pub fn long_whole<const MIN: u64, const MAX: u64>(text: &str) -> Parsed<u64> {
    text.parse()
        .ok()
        .filter(|number| (MIN..=MAX).contains(number))
        .ok_or_else(|| out_of_range(MIN, MAX, u64::MAX))
}

fn out_of_range(min: u64, max: u64, widest: u64) -> String {
    if max == widest {
        format!("expected a whole number, at least {min}")
    } else {
        format!("expected a whole number from {min} to {max}")
    }
}

/// Parses what a type can parse itself, when its error is a sentence for the user.
///
/// # Errors
///
/// Those of the type.
pub fn by_type<T: FromStr<Err = String>>(text: &str) -> Parsed<T> {
    text.parse()
}

/// Parses a number of any kind.
///
/// # Errors
///
/// If it is not one.
pub fn number(text: &str) -> Parsed<f64> {
    text.parse()
        .map_err(|_| "expected a number such as 5 or 0.5".to_owned())
}

/// Parses a port.
///
/// # Errors
///
/// If it is not one.
pub fn port(text: &str) -> Parsed<u16> {
    text.parse()
        .map_err(|_| "expected a port from 0 to 65535".to_owned())
}

/// Parses an address to listen at: an IP address or `localhost`, with a port; or a port of the loopback address.
///
/// # Errors
///
/// If it is not one.
pub fn listen(text: &str) -> Parsed<SocketAddr> {
    let text = text.trim();
    let (host, port) = text.rsplit_once(':').unwrap_or(("", text));
    let on_loopback = matches!(host, "" | "localhost");
    match port.parse::<u16>() {
        Ok(port) if on_loopback => Ok((Ipv4Addr::LOCALHOST, port).into()),
        _ => text.parse().map_err(|_| {
            "expected an IP address and a port, such as 127.0.0.1:9464, [::1]:9464 or 0.0.0.0:9464; or a port"
                .to_owned()
        }),
    }
}

/// Parses a small count.
///
/// # Errors
///
/// If it is not one.
pub fn count(text: &str) -> Parsed<u8> {
    text.parse()
        .map_err(|_| "expected a whole number from 0 to 255".to_owned())
}

/// Parses `true` or `false`.
///
/// # Errors
///
/// If it is neither.
pub fn switch(text: &str) -> Parsed<bool> {
    text.parse()
        .map_err(|_| "expected true or false".to_owned())
}

/// Parses one of the fixed choices of a flag.
///
/// # Errors
///
/// Lists the choices, with a guess if one is close.
pub fn choice<T: ValueEnum>(text: &str) -> Parsed<T> {
    T::from_str(text, false).map_err(|_| {
        let names: Vec<String> = T::value_variants().iter().map(choice_name).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let guess = nearest(text, &names)
            .map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
        format!("expected one of: {}{guess}", names.join(", "))
    })
}

/// The name of a choice, as it is typed.
pub fn choice_name<T: ValueEnum>(choice: &T) -> String {
    choice
        .to_possible_value()
        .map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Parses a duration such as `500ms`, `2s` or `1m`.
///
/// # Errors
///
/// If it is not one.
pub fn duration(text: &str) -> Parsed<Duration> {
    humantime::parse_duration(text)
        .map_err(|_| "expected a duration such as 500ms, 2s or 1m".to_owned())
}

/// Parses the path of a member, such as `/address/city`.
///
/// # Errors
///
/// If it is not one.
pub fn member_path(text: &str) -> Parsed<String> {
    let is_path = text.len() > 1 && text.starts_with('/') && !text.contains("//");
    if is_path && !text.ends_with('/') {
        Ok(text.to_owned())
    } else {
        Err("expected the path of a member such as /importedAt or /address/city".to_owned())
    }
}

/// Parses a speed: `max`, or a multiple of the original speed.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn speed(text: &str) -> Parsed<Speed> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    match text.parse() {
        Ok(times) if times > 0.0 && f64::is_finite(times) => Ok(Speed::Times(times)),
        _ => Err("expected `max` or a number greater than 0, such as 1, 10 or 0.5".to_owned()),
    }
}

/// Parses the size of a sample: a number of pages, or `all`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn sample(text: &str) -> Parsed<SampleSize> {
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
/// A sentence that says what is expected.
pub fn schema_source(text: &str) -> Parsed<SchemaSource> {
    match text {
        "infer" => Ok(SchemaSource::Infer),
        "raw" => Ok(SchemaSource::Raw),
        "" => Err("expected `infer`, `raw` or a file".to_owned()),
        file => place(file).map(SchemaSource::File),
    }
}

/// Parses the value of a parameter of a query: its name, with or without `@`, and JSON or text.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn query_parameter(text: &str) -> Parsed<QueryParameter> {
    let expected = || "expected a name and a value, such as least=9000".to_owned();
    let (name, value) = text.split_once('=').ok_or_else(expected)?;
    let name = name.strip_prefix('@').unwrap_or(name);
    if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        return Err(expected());
    }
    let value = serde_json::from_str(value).or_else(|error| {
        // As text it would equal no number.
        let is_too_large = value.parse().is_ok_and(f64::is_infinite);
        if is_too_large && value.ends_with(|c: char| c.is_ascii_digit()) {
            return Err(format!("the number is too large: {error}"));
        }
        Ok(value.into())
    })?;
    Ok(QueryParameter {
        name: format!("@{name}"),
        value,
    })
}

/// Parses a number of bytes: a plain number, or one with `KB`, `MB`, `GB` (powers of 1000) or
/// `KiB`, `MiB`, `GiB` (powers of 1024). At least 1.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn bytes(text: &str) -> Parsed<u64> {
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
        None => Err("that many bytes do not fit in 64 bits".to_owned()),
    }
}

/// Parses a size as [`bytes()`] does, or `none`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn bytes_limit(text: &str) -> Parsed<Limit<u64>> {
    if text == "none" {
        return Ok(Limit::None);
    }
    bytes(text)
        .map(Limit::At)
        .map_err(|reason| format!("{reason}, or `none`"))
}

/// Parses a duration such as `10m` that is not zero, or `none`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn duration_limit(text: &str) -> Parsed<Limit<Duration>> {
    match (text, humantime::parse_duration(text)) {
        ("none", _) => Ok(Limit::None),
        (_, Ok(duration)) if !duration.is_zero() => Ok(Limit::At(duration)),
        _ => Err("expected a duration such as 10m that is longer than zero, or `none`".to_owned()),
    }
}

/// Parses a limit of request units: a number that is not zero, or a share such as `20%`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn max_ru(text: &str) -> Parsed<MaxRu> {
    text.parse()
        .map_err(|expected| format!("expected {expected}"))
}

/// Parses the same, or `none`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn max_ru_or_none(text: &str) -> Parsed<Limit<MaxRu>> {
    match text {
        "none" => Ok(Limit::None),
        _ => text
            .parse()
            .map(Limit::At)
            .map_err(|expected| format!("expected {expected}, or `none`")),
    }
}

/// Parses `CODEC` or `CODEC:LEVEL`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn compression(text: &str) -> Parsed<Compression> {
    let (codec, level) = match text.split_once(':') {
        Some((codec, level)) => (codec, Some(level)),
        None => (text, None),
    };
    let within = |range: RangeInclusive<u32>, default: u32| match level.map(str::parse) {
        None => Ok(default),
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

/// Parses the delimiter of CSV: one ASCII character, or `tab`.
///
/// # Errors
///
/// A sentence that says what is expected.
pub fn delimiter(text: &str) -> Parsed<char> {
    let mut characters = match text {
        "tab" | "\\t" => "\t",
        text => text,
    }
    .chars();
    match (characters.next(), characters.next()) {
        (Some('"' | '\r' | '\n' | '\0'), None) => {
            Err("quotes, line ends and NUL have a special meaning in CSV".to_owned())
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
        assert_eq!(bytes("1"), Ok(1));
        assert_eq!(bytes("64MiB"), Ok(64 << 20));
        assert_eq!(bytes("1 GB"), Ok(1_000_000_000));
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
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_address_to_listen_at_is_on_the_loopback_unless_it_says_otherwise() {
        for (text, address) in [
            ("127.0.0.1:9464", "127.0.0.1:9464"),
            ("9464", "127.0.0.1:9464"),
            (":9464", "127.0.0.1:9464"),
            ("localhost:0", "127.0.0.1:0"),
            ("0.0.0.0:9464", "0.0.0.0:9464"),
            ("[::1]:9464", "[::1]:9464"),
            ("[::]:9464", "[::]:9464"),
        ] {
            assert_eq!(listen(text).unwrap().to_string(), address, "{text}");
        }
        for text in [
            "",
            ":",
            "127.0.0.1",
            "127.0.0.1:65536",
            "::1",
            "shop:9464",
            "::1:x",
            "-1",
            "http://127.0.0.1:9464",
            "127.0.0.1:9464/metrics",
            "999.0.0.1:1",
        ] {
            assert!(listen(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_codec_may_have_a_level() {
        assert_eq!(compression("zstd"), Ok(Compression::Zstd(3)));
        assert_eq!(compression("gzip:0"), Ok(Compression::Gzip(0)));
        assert_eq!(compression("none"), Ok(Compression::None));
        for wrong in [
            "", "zstd:", "zstd:23", "zstd:-1", "gzip:10", "snappy:1", "brotli",
        ] {
            assert!(compression(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_delimiter_is_one_ascii_character() {
        assert_eq!(delimiter(";"), Ok(';'));
        assert_eq!(delimiter("tab"), Ok('\t'));
        for wrong in ["", ",,", "\"", "\n", "§"] {
            assert!(delimiter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_speed_is_max_or_a_positive_number() {
        assert_eq!(speed("max"), Ok(Speed::Max));
        assert_eq!(speed("10"), Ok(Speed::Times(10.0)));
        assert_eq!(speed("0.25"), Ok(Speed::Times(0.25)));
        for wrong in ["0", "-1", "inf", "nan", "", "2x", "MAX", "1e999"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
