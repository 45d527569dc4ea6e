//! The canonical form of a number.

use crate::feed::page::scientific;

/// The most digits with which every number has a double of its own.
const MAX_PLAIN_DIGITS: usize = 15;

/// Appends the canonical form of a number: its double, if the text is one that a double is written as, such as `1.0`,
/// `1e2` or `0.10000000000000001`; otherwise its exact digits, such as those of an integer that no double holds. An integer
/// of 64 bits has all its digits, also if they are those that a double near it is written with.
pub(crate) fn write_number(text: &[u8], out: &mut Vec<u8>) {
    if let Some(double) = short_decimal(text) {
        return write_double(double, out);
    }
    match double_of(text).filter(|double| !is_another_integer(text, *double)) {
        Some(double) => write_double(double, out),
        None => {
            out.push(b'e');
            match scientific(text) {
                Some(exact) => out.extend_from_slice(exact.as_bytes()),
                // An exponent beyond 64 bits.
                None => out.extend_from_slice(text),
            }
            out.push(0);
        }
    }
}

fn write_double(double: f64, out: &mut Vec<u8>) {
    // 0 has one form.
    let double = if double == 0.0 { 0.0 } else { double };
    out.push(b'd');
    out.extend_from_slice(&double.to_bits().to_be_bytes());
}

/// A number with few digits and no exponent, which most numbers are. Its digits and the power of ten are doubles, so
/// their quotient is the double that is nearest to it.
fn short_decimal(text: &[u8]) -> Option<f64> {
    const POWERS: [f64; MAX_PLAIN_DIGITS + 1] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ];
    let (is_negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > MAX_PLAIN_DIGITS {
        return None;
    }
    let mut value = 0_u64;
    let mut point = None;
    for (at, digit) in digits.iter().enumerate() {
        match digit {
            b'0'..=b'9' => value = value * 10 + u64::from(digit - b'0'),
            b'.' if point.is_none() => point = Some(at),
            _ => return None,
        }
    }
    let places = point.map_or(0, |point| digits.len() - point - 1);
    let double = value as f64 / POWERS[places];
    Some(if is_negative { -double } else { double })
}

/// The double that is written as `text`: in as few digits as it needs, in 17, or in all that it has.
fn double_of(text: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(text).ok()?;
    let double: f64 = text.parse().ok()?;
    if !double.is_finite() {
        return None;
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    if double.is_normal() && digits <= MAX_PLAIN_DIGITS {
        return Some(double);
    }
    let exact = scientific(text.as_bytes())?;
    if exact == "0" || exact == "-0" {
        return Some(0.0);
    }
    let is = |form: String| scientific(form.as_bytes()).is_some_and(|form| form == exact);
    /// No double has more digits.
    const ALL_DIGITS: usize = 770;
    let is_written_so = is(format!("{double:e}"))
        || is(format!("{double:.16e}"))
        || (digits > 17 && is(format!("{double:.ALL_DIGITS$e}")));
    is_written_so.then_some(double)
}

/// Whether `text` is an integer of 64 bits, without point and exponent, that `double` is not.
fn is_another_integer(text: &[u8], double: f64) -> bool {
    let integer = std::str::from_utf8(text).ok();
    let integer = integer.and_then(|text| text.parse::<i128>().ok());
    let is_of_64_bits = |integer: &i128| integer.unsigned_abs() <= u128::from(u64::MAX);
    // The cast is exact: a double that is near such an integer is one itself.
    integer
        .filter(is_of_64_bits)
        .is_some_and(|integer| double as i128 != integer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Vec<u8> {
        let mut form = Vec::new();
        write_number(text.as_bytes(), &mut form);
        form
    }

    #[test]
    fn numbers_of_one_value_have_one_form() {
        for (a, b) in [
            ("1", "1.0"),
            ("100", "1e2"),
            ("1E+2", "100.000"),
            ("0", "-0.0"),
            ("0", "0e99999"),
            ("0.1", "0.10000000000000001"),
            ("0.1", "1e-1"),
            (
                "0.1",
                "0.1000000000000000055511151231257827021181583404541015625",
            ),
            ("1180591620717411303424", "1.1805916207174113e21"),
            ("1e400", "10e399"),
            ("5e-324", "4.9406564584124654e-324"),
            (
                "123456789012345678901234567890.5",
                "1234567890123456789012345678905e-1",
            ),
            ("100000000000000000000000", "1e23"),
            ("72057594037927936", "7.205759403792794e16"),
            ("-9223372036854775808", "-9.223372036854775808e18"),
        ] {
            assert_eq!(form(a), form(b), "{a} {b}");
        }
    }

    #[test]
    fn numbers_of_another_value_have_another_form() {
        for (a, b) in [
            ("1", "2"),
            ("1", "-1"),
            ("9007199254740993", "9007199254740992"),
            ("9007199254740993", "9007199254740994"),
            ("12345678901234567890", "12345678901234567168"),
            // The same double, in as few digits as it needs and in all.
            ("72057594037927940", "72057594037927936"),
            ("-72057594037927940", "-72057594037927936"),
            ("1234567890123456800", "1234567890123456768"),
            ("18446744073709552000", "18446744073709551615"),
            ("12345678901234567890", "12345678901234567891"),
            ("1e400", "1e401"),
            ("1e-400", "0"),
            ("1e-400", "2e-400"),
            ("0.1", "0.2"),
            ("1e99999999999999999999", "1e99999999999999999998"),
        ] {
            assert_ne!(form(a), form(b), "{a} {b}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_short_number_is_the_double_that_is_nearest(whole in 0_u64..10_000_000_000, places in 0_usize..14, minus in proptest::bool::ANY) {
            let digits = format!("{whole:0>width$}", width = places + 1);
            let (before, after) = digits.split_at(digits.len() - places);
            let point = if places > 0 { "." } else { "" };
            let text = format!("{}{before}{point}{after}", if minus { "-" } else { "" });
            if let Some(short) = short_decimal(text.as_bytes()) {
                proptest::prop_assert_eq!(short.to_bits(), text.parse::<f64>().unwrap().to_bits(), "{}", text);
            }
        }
    }
}
