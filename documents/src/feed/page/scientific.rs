//! Numbers in one form, without interpreting them as floating point.

/// The JSON text of a number as an integer without zeros at its ends, and an exponent if it is not 0: the same text
/// for the same value, except that zero keeps its sign. None if the exponent is beyond 64 bits.
pub fn scientific(number: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(number).ok()?;
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => ("-", text),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let all = digits.trim_start_matches('0');
    let significant = all.trim_end_matches('0');
    if significant.is_empty() {
        return Some(format!("{sign}0"));
    }
    let zeros = (all.len() - significant.len()) as i64;
    let exponent = exponent
        .checked_sub(fraction.len() as i64)?
        .checked_add(zeros)?;
    Some(match exponent {
        0 => format!("{sign}{significant}"),
        exponent => format!("{sign}{significant}e{exponent}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_the_same_form() {
        for (number, form) in [
            ("0", "0"),
            ("-0.00e7", "-0"),
            ("1.0", "1"),
            ("100", "1e2"),
            ("1E+2", "1e2"),
            ("18446744073709551617", "18446744073709551617"),
            ("-1.50e-3", "-15e-4"),
            ("10e399", "1e400"),
            ("1e400", "1e400"),
        ] {
            assert_eq!(
                scientific(number.as_bytes()).as_deref(),
                Some(form),
                "{number}"
            );
        }
        assert_eq!(scientific(b"1e99999999999999999999"), None);
    }
}
