//! The times that the SDKs write into leases.

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

/// The time of a text: RFC 3339 with up to nine decimals, perhaps followed by the name of a zone in brackets.
/// Without an offset it is taken to be in UTC.
pub(super) fn parse(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    let text = text.split_once('[').map_or(text, |(time, _)| time);
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(time);
    }
    let format = time::macros::format_description!(
        "[year]-[month]-[day]T[hour]:[minute]:[second][optional [.[subsecond]]]"
    );
    let time = PrimitiveDateTime::parse(text, format).ok()?;
    Some(time.assume_offset(UtcOffset::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_forms_of_each_sdk_are_read() {
        let noon = datetime!(2026-08-15 12:00 UTC);
        for text in [
            "2026-08-15T12:00:00Z",
            "2026-08-15T12:00:00.0Z",
            "2026-08-15T12:00:00.0000000Z",
            "2026-08-15T12:00:00.000000000Z",
            "2026-08-15T12:00:00.000Z[UTC]",
            "2026-08-15T14:00:00+02:00",
            "2026-08-15T14:00:00+02:00[Europe/Berlin]",
            "2026-08-15T12:00:00",
            "2026-08-15T12:00:00.000",
        ] {
            assert_eq!(parse(text), Some(noon), "{text}");
        }
        for wrong in [
            "",
            "now",
            "2026-08-15",
            "12:00",
            "/Date(1755259200000)/",
            "[UTC]",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
