//! The position that an ETag of the feed names.

use serde::Deserialize;

/// The LSN inside the ETag of a feed response, if the ETag has a known form.
///
/// The service sends the LSN of the page's last item as a quoted decimal number (`"1234"`); it is
/// accepted without quotes and as a weak ETag (`W/"1234"`) too. The in-memory emulator sends a JSON
/// object whose member `lsn` is that number, quoted or not. Everything else is `None`.
pub fn lsn_of_etag(etag: &str) -> Option<u64> {
    let text = etag.trim();
    let text = text.strip_prefix("W/").unwrap_or(text);
    let text = text
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text);
    if text.starts_with('{') {
        #[derive(Deserialize)]
        struct Cursor {
            lsn: u64,
        }
        return serde_json::from_str::<Cursor>(text).ok().map(|c| c.lsn);
    }
    // `u64::from_str` alone would accept a leading plus sign.
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::lsn_of_etag;

    #[test]
    fn the_services_etag_is_a_quoted_decimal_number() {
        assert_eq!(lsn_of_etag("\"1234\""), Some(1234));
        assert_eq!(lsn_of_etag("1234"), Some(1234));
        assert_eq!(lsn_of_etag("W/\"1234\""), Some(1234));
        assert_eq!(lsn_of_etag(" \"0\" "), Some(0));
        assert_eq!(lsn_of_etag("\"18446744073709551615\""), Some(u64::MAX));
    }

    #[test]
    fn the_in_memory_emulators_etag_is_a_json_object_with_an_lsn() {
        let cursor = r#"{"kind":"change_feed_cursor_v1","lsn":5,"epk":"0A","id":"a\"b"}"#;
        assert_eq!(lsn_of_etag(cursor), Some(5));
        assert_eq!(lsn_of_etag(&format!("\"{cursor}\"")), Some(5));
        assert_eq!(lsn_of_etag(&format!("W/\"{cursor}\"")), Some(5));
    }

    #[test]
    fn an_etag_of_another_form_has_no_lsn() {
        for etag in [
            "",
            "\"\"",
            "\"",
            "*",
            "-1",
            "\"+1\"",
            "\"12a\"",
            "1 2",
            "\"18446744073709551616\"",
            "{}",
            r#"{"lsn":"5"}"#,
            r#"{"lsn":-5}"#,
            r#"{"lsn":5"#,
            "\"0100a3c2-0000-0700-0000-66f2a8b10000\"",
        ] {
            assert_eq!(lsn_of_etag(etag), None, "{etag}");
        }
    }
}
