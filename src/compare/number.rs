//! The canonical form of a number.

use crate::feed::page::scientific;

/// The most digits with which every number has a double of its own.
const MAX_PLAIN_DIGITS: usize = 15;

/// Appends the canonical form of a number: its double, if the text is one that a double is written as, such as `1.0`,
/// `1e2` or `0.10000000000000001`; otherwise its exact digits, such as those of an integer that no double holds.
pub(super) fn write_number(text: &[u8], out: &mut Vec<u8>) {
    if let Some(whole) = short_whole(text) {
        return write_double(whole as f64, out);
    }
    match double_of(text) {
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

/// A whole number with few digits, which most numbers are.
fn short_whole(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > MAX_PLAIN_DIGITS {
        return None;
    }
    let mut value = 0_i64;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + i64::from(digit - b'0');
    }
    Some(if negative { -value } else { value })
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
}
