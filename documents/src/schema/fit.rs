//! Which values fit a column: the table of the [module above](super), as functions.
//!
//! They take the JSON text of values that a [`Page`](crate::feed::page::Page) has validated, and interpret
//! no more of it than they must.

use std::borrow::Cow;

use super::column::Fraction;

/// The largest number of significant digits that every double preserves (`DBL_DIG` of C).
const SAFE_DIGITS: usize = 15;
/// The largest power of ten, positive or negative, for which that holds without a closer look.
const SAFE_EXPONENT: i64 = 290;

/// The value of `json` if it is written as an integer within 64 bits, but not as `-0`.
pub fn int64(json: &[u8]) -> Option<i64> {
    let (negative, digits) = match json {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    // Nineteen digits may overflow 64 bits, eighteen cannot.
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut magnitude: u64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(digit);
    }
    if !negative {
        return i64::try_from(magnitude).ok();
    }
    // An integer cannot preserve the sign of `-0`.
    if magnitude == 0 {
        return None;
    }
    0_i64.checked_sub_unsigned(magnitude)
}

/// The double nearest to `json`, if it preserves the number: the shortest decimal number that identifies
/// the double is the same, with the same sign.
pub fn double(json: &[u8]) -> Option<f64> {
    if !matches!(json.first()?, b'-' | b'0'..=b'9') {
        return None;
    }
    let text = std::str::from_utf8(json).ok()?;
    let value: f64 = text.parse().ok()?;
    if !value.is_finite() {
        return None;
    }
    if has_few_digits(json) {
        return Some(value);
    }
    let decimal = Decimal::of(text)?;
    let is_safe = decimal.digits.len() <= SAFE_DIGITS && decimal.exponent.abs() <= SAFE_EXPONENT;
    let same = is_safe || Decimal::of(&format!("{value:e}")).as_ref() == Some(&decimal);
    same.then_some(value)
}

/// Whether a number has no exponent and so few digits that a double preserves it. That is cheap to check,
/// and true of most numbers.
fn has_few_digits(json: &[u8]) -> bool {
    let others = json.iter().filter(|byte| !byte.is_ascii_digit()).count();
    let has_no_exponent = others == 0 || !json.iter().any(|byte| matches!(byte, b'e' | b'E'));
    json.len() - others <= SAFE_DIGITS && has_no_exponent
}

/// A decimal number: `0.digits × 10^exponent`, with digits that have no zeros at either end.
#[derive(Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    negative: bool,
    digits: Cow<'a, [u8]>,
    exponent: i64,
}

impl<'a> Decimal<'a> {
    /// Parses a JSON number, or the text that Rust writes for a finite double. None if it is not a number, or
    /// its exponent does not fit 64 bits.
    pub fn of(text: &'a str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i64>().ok()?),
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Cow<'a, [u8]> = match fraction {
            "" => Cow::Borrowed(whole.as_bytes()),
            fraction => Cow::Owned([whole.as_bytes(), fraction.as_bytes()].concat()),
        };
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let leading = digits.iter().take_while(|&&digit| digit == b'0').count();
        let trailing = digits.iter().rev().take_while(|&&digit| digit == b'0');
        let end = (digits.len() - trailing.count()).max(leading);
        let digits = match digits {
            Cow::Borrowed(digits) => Cow::Borrowed(&digits[leading..end]),
            Cow::Owned(digits) => Cow::Owned(digits[leading..end].to_vec()),
        };
        let point = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
        let exponent = if digits.is_empty() {
            0
        } else {
            exponent.checked_add(point)?
        };
        Some(Self {
            negative,
            digits,
            exponent,
        })
    }
}

/// A string that UTF-8 can represent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Text<'a> {
    /// Without escapes: this is the text itself.
    Plain(&'a [u8]),
    /// With escapes: this is the JSON between the quotes.
    Escaped(&'a [u8]),
}

/// The text of `json` if it is a string, unless it contains a lone surrogate.
pub fn string(json: &[u8]) -> Option<Text<'_>> {
    let [b'"', inner @ .., b'"'] = json else {
        return None;
    };
    match memchr::memchr(b'\\', inner) {
        None => Some(Text::Plain(inner)),
        Some(first) => has_whole_characters(inner, first).then_some(Text::Escaped(inner)),
    }
}

impl<'a> Text<'a> {
    /// The text, decoded if it has escapes.
    pub fn decoded(self) -> Cow<'a, [u8]> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Escaped(inner) => {
                let mut out = Vec::with_capacity(inner.len());
                unescape(inner, &mut out);
                Cow::Owned(out)
            }
        }
    }

    /// Appends the text to `out`.
    pub fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => out.extend_from_slice(text),
            Self::Escaped(inner) => unescape(inner, out),
        }
    }
}

/// Whether every surrogate in `inner` is half of a pair. Its first escape is at `at`.
fn has_whole_characters(inner: &[u8], mut at: usize) -> bool {
    loop {
        match (code_unit(inner, at), code_unit(inner, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => return false,
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
        match inner.get(at..).and_then(|rest| memchr::memchr(b'\\', rest)) {
            Some(next) => at += next,
            None => return true,
        }
    }
}

/// The code unit of the escape `\u` with its four digits at `at`, if there is one.
fn code_unit(inner: &[u8], at: usize) -> Option<u16> {
    let digits = inner.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// Appends the text of a JSON string that has `inner` between its quotes. Lone surrogates become U+FFFD; no
/// caller has any, since a string with one does not fit.
pub fn unescape(inner: &[u8], out: &mut Vec<u8>) {
    let mut rest = inner;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        let mut taken = at + 2;
        let character = match (rest.get(at + 1), code_unit(rest, at)) {
            (Some(b'u'), Some(unit)) => {
                taken = at + 6;
                match (unit, code_unit(rest, taken)) {
                    (0xD800..=0xDBFF, Some(low @ 0xDC00..=0xDFFF)) => {
                        taken += 6;
                        let pair = char::decode_utf16([unit, low]).next();
                        pair.and_then(Result::ok)
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                    _ => char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            (Some(b'b'), _) => '\u{8}',
            (Some(b'f'), _) => '\u{c}',
            (Some(b'n'), _) => '\n',
            (Some(b'r'), _) => '\r',
            (Some(b't'), _) => '\t',
            (Some(other), _) => char::from(*other),
            (None, _) => char::REPLACEMENT_CHARACTER,
        };
        let mut utf8 = [0; 4];
        out.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
}

/// The unit in which the times of a column are counted from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeUnit {
    /// Microseconds, for every year of four digits.
    Microseconds,
    /// Nanoseconds, for the years 1678 to 2261.
    Nanoseconds,
}

impl Fraction {
    /// The coarsest unit that represents every fraction of this form.
    pub fn unit(self) -> TimeUnit {
        match self {
            Self::Digits(0..=6) => TimeUnit::Microseconds,
            Self::Digits(_) | Self::Shortest => TimeUnit::Nanoseconds,
        }
    }
}

/// The time of `text` in the unit of `fraction`, if it is written exactly as
/// `YYYY-MM-DDTHH:MM:SS[.fraction]Z`. The text has no quotes.
pub fn timestamp(text: &[u8], fraction: Fraction) -> Option<i64> {
    let (seconds, digits) = instant(text, fraction)?;
    let places = match fraction.unit() {
        TimeUnit::Microseconds => 6,
        TimeUnit::Nanoseconds => 9,
    };
    let scale = |power: usize| 10_i64.pow(u32::try_from(power).unwrap_or(u32::MAX));
    let parts = decimal(digits)? * scale(places - digits.len());
    // Before 1970, too, the fraction counts forward from the second.
    seconds.checked_mul(scale(places))?.checked_add(parts)
}

/// The same in microseconds, whatever the fraction, and whether they are all of it. Otherwise the time is the
/// last whole microsecond before it.
pub fn microseconds(text: &[u8], fraction: Fraction) -> Option<(i64, bool)> {
    let (seconds, digits) = instant(text, fraction)?;
    let (kept, rest) = digits.split_at(digits.len().min(6));
    let scale = 10_i64.pow(u32::try_from(6 - kept.len()).unwrap_or(0));
    let parts = decimal(kept)? * scale;
    decimal(rest)?;
    let moment = seconds.checked_mul(1_000_000)?.checked_add(parts)?;
    Some((moment, rest.iter().all(|digit| *digit == b'0')))
}

/// The seconds since 1970 and the digits after them of a text that has the form of `fraction`.
fn instant(text: &[u8], fraction: Fraction) -> Option<(i64, &[u8])> {
    let (head, tail) = text.split_at_checked(19)?;
    let digits = match tail {
        [b'Z'] => &[][..],
        [b'.', digits @ .., b'Z'] if !digits.is_empty() => digits,
        _ => return None,
    };
    let is_as_said = match fraction {
        Fraction::Digits(wanted) => digits.len() == usize::from(wanted),
        Fraction::Shortest => digits.len() <= 9 && digits.last() != Some(&b'0'),
    };
    if !is_as_said {
        return None;
    }
    let number = |from: usize, to: usize| decimal(&head[from..to]);
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if separators.iter().any(|&(at, wanted)| head[at] != wanted) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date =
        time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?)
            .ok()?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    const EPOCH: i64 = 2_440_588;
    let days = i64::from(date.to_julian_day()) - EPOCH;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second, digits))
}

/// The value of at most eighteen digits; 0 if there are none.
fn decimal(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0_i64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit <= 9).then(|| number * 10 + i64::from(digit))
    })
}

/// Appends a time in the form that [`timestamp`] reads.
pub fn write_timestamp(moment: i64, fraction: Fraction, out: &mut Vec<u8>) {
    write_moment(moment, fraction.unit(), fraction, out);
}

/// The same for a time in any unit.
pub fn write_moment(moment: i64, unit: TimeUnit, fraction: Fraction, out: &mut Vec<u8>) {
    use std::io::Write;
    let per_second = match unit {
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Nanoseconds => 1_000_000_000,
    };
    let nanoseconds = moment.rem_euclid(per_second) * (1_000_000_000 / per_second);
    let time = time::OffsetDateTime::from_unix_timestamp(moment.div_euclid(per_second));
    let time = time.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (date, clock) = (time.date(), time.time());
    // Writing to memory does not fail.
    let _infallible = write!(
        out,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        date.year(),
        u8::from(date.month()),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    );
    let digits = format!("{nanoseconds:09}");
    let digits = match fraction {
        Fraction::Digits(wanted) => &digits[..usize::from(wanted).min(9)],
        Fraction::Shortest => digits.trim_end_matches('0'),
    };
    if !digits.is_empty() {
        out.push(b'.');
        out.extend_from_slice(digits.as_bytes());
    }
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn integers_fit_within_64_bits() {
        for fits in [0, 1, -1, 42, i64::MAX, i64::MIN, 1_000_000_000_000_000_000] {
            assert_eq!(int64(fits.to_string().as_bytes()), Some(fits));
        }
        for not in [
            "-0",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551617",
            "99999999999999999999999",
            "1.0",
            "1e2",
            "true",
            "null",
            "\"1\"",
            "",
            "-",
        ] {
            assert_eq!(int64(not.as_bytes()), None, "{not}");
        }
    }

    #[test]
    fn doubles_fit_if_they_preserve_the_number() {
        for fits in [
            "0",
            "-0",
            "0.0",
            "-0.0",
            "1",
            "1.10",
            "1e2",
            "1E+2",
            "0.1",
            "123456.789",
            "1.7976931348623157e308",
            "5e-324",
            "2.2250738585072014e-308",
            "9007199254740992",
            "9007199254740994",
            "0.30000000000000004",
            "1e23",
            "1e22",
            "1000000000000000000000000",
            "0e400",
        ] {
            let value = double(fits.as_bytes());
            assert_eq!(value, Some(fits.parse().unwrap()), "{fits}");
        }
        for not in [
            "1e400",
            "-1e400",
            "1e-400",
            "4.9e-324",
            "9007199254740993",
            "18446744073709551617",
            "0.1000000000000000055511151231257827",
            "3.141592653589793238",
            "1e99999999999999999999",
            "true",
            "\"1\"",
            "[1]",
        ] {
            assert_eq!(double(not.as_bytes()), None, "{not}");
        }
        assert!(double(b"-0").unwrap().is_sign_negative());
    }

    #[test]
    fn strings_fit_if_utf8_can_represent_them() {
        let decoded = |json: &str| string(json.as_bytes()).map(|text| text.decoded().into_owned());
        for fits in [
            r#""""#,
            r#""plain größe 🎈""#,
            r#""a\"\\\/\b\f\n\r\tb""#,
            r#""\u0000\u00e9\u2028\uD83C\uDF88\ud83c\udf88""#,
            r#""x\\uD800""#,
            r#""\\\\\ud83c\udf88""#,
        ] {
            let expected: String = serde_json::from_str(fits).unwrap();
            assert_eq!(decoded(fits).unwrap(), expected.as_bytes(), "{fits}");
        }
        for not in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\ud800\udc00""#,
            r#""\ud83cx\udf88""#,
            r#""a\\\ud800b""#,
            r#""\ud800\n""#,
            "1",
            "null",
        ] {
            assert_eq!(decoded(not), None, "{not}");
        }
    }

    #[test]
    fn timestamps_fit_only_in_the_exact_form() {
        let shortest = |text: &str| timestamp(text.as_bytes(), Fraction::Shortest);
        let digits = |text: &str, digits| timestamp(text.as_bytes(), Fraction::Digits(digits));
        assert_eq!(digits("1970-01-01T00:00:00Z", 0), Some(0));
        assert_eq!(
            digits("2026-11-23T12:00:00.120Z", 3),
            Some(1_795_435_200_120_000)
        );
        assert_eq!(digits("1969-12-31T23:59:59.5Z", 1), Some(-500_000));
        assert_eq!(
            digits("0000-01-01T00:00:00Z", 0),
            Some(-62_167_219_200_000_000)
        );
        assert_eq!(shortest("1970-01-01T00:00:01.25Z"), Some(1_250_000_000));
        assert_eq!(shortest("1970-01-01T00:00:01Z"), Some(1_000_000_000));
        for not in [
            "1970-01-01T00:00:01.0Z",
            "1970-01-01T00:00:01.Z",
            "1970-01-01T00:00:01",
            "1970-01-01 00:00:01Z",
            "1970-01-01T00:00:01z",
            "1970-01-01T00:00:01+00:00",
            "1970-02-30T00:00:01Z",
            "1970-01-01T24:00:00Z",
            "1970-01-01T00:00:60Z",
            "1970-01-01T00:00:00.1234567891Z",
            "1970-01-01T00:00:+1Z",
            "1600-01-01T00:00:00Z",
            "9999-01-01T00:00:00Z",
            "",
        ] {
            assert_eq!(shortest(not), None, "{not}");
        }
        assert_eq!(digits("1970-01-01T00:00:01.12Z", 3), None);
        assert!(digits("9999-12-31T23:59:59.999999Z", 6).is_some());
    }

    proptest! {
        #[test]
        fn a_written_double_fits(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            for text in [format!("{value:e}"), format!("{value}")] {
                prop_assert_eq!(double(text.as_bytes()).map(f64::to_bits), Some(bits), "{}", text);
            }
        }

        #[test]
        fn a_decimal_fits_exactly_if_its_double_preserves_it(text in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,20})?(e-?[0-9]{1,3})?") {
            let value: f64 = text.parse().unwrap();
            let expected = value.is_finite() && Decimal::of(&format!("{value:e}")) == Decimal::of(&text);
            prop_assert_eq!(double(text.as_bytes()).is_some(), expected);
        }

        #[test]
        fn a_written_timestamp_is_read_back(moment in any::<i64>(), digits in 0_u8..10) {
            let fraction = Fraction::Digits(digits);
            let places = if fraction.unit() == TimeUnit::Microseconds { 6 } else { 9 };
            let moment = match places { 6 => moment.rem_euclid(253_402_300_800_000_000), _ => moment };
            let moment = moment - moment.rem_euclid(10_i64.pow(places - u32::from(digits)));
            let mut text = Vec::new();
            write_timestamp(moment, fraction, &mut text);
            prop_assert_eq!(timestamp(&text, fraction), Some(moment), "{}", String::from_utf8_lossy(&text));
        }
    }
}
