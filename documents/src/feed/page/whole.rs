//! Whole numbers in JSON, in any spelling.

/// No larger power of ten is multiplied with.
const MAX_POWER: i64 = 38;

/// The value of a JSON number that is whole and fits `T`, however it is written: `1790000000`, `1790000000.0` and
/// `1.79e9` are the same number, and writers differ in how they write it. For validated text.
pub fn whole<T: TryFrom<i128>>(json: &[u8]) -> Option<T> {
    let text = std::str::from_utf8(json).ok()?;
    let value = if let Ok(plain) = text.parse::<i64>() {
        plain.into()
    } else {
        scaled(text)?
    };
    T::try_from(value).ok()
}

/// The value of a number with a fraction or an exponent.
fn scaled(text: &str) -> Option<i128> {
    let (is_negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = [whole, fraction].concat();
    if whole.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let significant = digits.trim_end_matches('0');
    let zeros = i64::try_from(digits.len() - significant.len()).ok()?;
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Some(0);
    }
    let power = exponent
        .checked_sub(i64::try_from(fraction.len()).ok()?)?
        .checked_add(zeros)?;
    if !(0..=MAX_POWER).contains(&power) {
        return None;
    }
    let scale = 10_i128.checked_pow(u32::try_from(power).ok()?)?;
    let value = significant.parse::<i128>().ok()?.checked_mul(scale)?;
    Some(if is_negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_has_many_spellings() {
        for text in [
            "1790000000",
            "1790000000.0",
            "1790000000.000",
            "1.79e9",
            "1.79E+9",
            "1.790000000e9",
            "179e7",
            "17900000000e-1",
            "0.179e10",
        ] {
            assert_eq!(whole::<i64>(text.as_bytes()), Some(1_790_000_000), "{text}");
        }
        for (text, value) in [
            ("0", 0),
            ("-0", 0),
            ("-0.0e99", 0),
            ("-5.0", -5),
            ("9223372036854775807.0", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(whole::<i64>(text.as_bytes()), Some(value), "{text}");
        }
        assert_eq!(whole::<u64>(b"18446744073709551615"), Some(u64::MAX));
        for text in [
            "1790000000.5",
            "1e-1",
            "9223372036854775808",
            "1e400",
            "1e999999999999999999999",
            "-1e19",
            "\"1790000000\"",
            "null",
            "[1]",
            "{}",
            "true",
        ] {
            assert_eq!(whole::<i64>(text.as_bytes()), None, "{text}");
        }
        assert_eq!(whole::<u64>(b"-1"), None);
    }
}
