//! Redacts text that looks like a secret, wherever it comes from: an answer of the service, a network
//! error, or a value given to the wrong flag.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// Replaces everything that looks like a key, a signature or a token by `***`.
pub(crate) fn redact(text: &str) -> String {
    redact_runs(&redact_labelled(text))
}

/// Redacts what follows a label of a secret, such as `AccountKey=`.
fn redact_labelled(text: &str) -> String {
    // Each with the minimum length of a secret.
    const LABELS: [(&str, usize); 5] = [
        ("sig=", 1),
        ("sig%3d", 1),
        ("accountkey=", 1),
        ("bearer ", 20),
        ("client_secret=", 1),
    ];
    // ASCII lower case keeps all byte offsets.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((value, minimum)) = LABELS
        .iter()
        .filter_map(|(label, minimum)| {
            Some((lower[at..].find(label)? + at + label.len(), *minimum))
        })
        .min()
    {
        out.push_str(&text[at..value]);
        at = text[value..]
            .find(|c: char| !is_secret_char(c) && c != '%')
            .map_or(text.len(), |length| value + length);
        // Shorter text is prose: `AccountKey=…` in a hint, or "the bearer of".
        if at - value < minimum {
            out.push_str(&text[value..at]);
        } else {
            out.push_str("***");
        }
    }
    out.push_str(&text[at..]);
    out
}

/// Redacts runs of characters that have the form of a secret.
fn redact_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_secret_char) {
        let (between, tail) = rest.split_at(start);
        let end = end_of_run(tail);
        let (run, after) = tail.split_at(end);
        out.push_str(between);
        out.push_str(if looks_like_secret(run) { "***" } else { run });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The end of a run of secret characters. Padding ends base64, unless more letters follow, as in
/// `year=2026`.
fn end_of_run(text: &str) -> usize {
    let end = text
        .find(|c: char| !is_secret_char(c))
        .unwrap_or(text.len());
    let run = &text[..end];
    let padded = run.match_indices('=').map(|(at, _)| at + 1).find(|&at| {
        let next = run[at..].chars().next();
        next.is_none_or(|c| matches!(c, '/' | '.'))
    });
    padded.unwrap_or(end)
}

/// The characters of base64, of its URL-safe form, and the dots of a signed token.
fn is_secret_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_' | '.')
}

/// Whether `text` as a whole is an account key, or contains one as a connection string does.
pub(crate) fn is_account_key(text: &str) -> bool {
    /// The decoded length of an account key.
    const KEY_BYTES: usize = 64;
    let text = text.trim();
    text.to_ascii_lowercase().contains("accountkey=")
        || STANDARD_NO_PAD
            .decode(text.trim_end_matches('='))
            .is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// Whether a run of secret characters is a signature (44 characters), an account key (88) or a signed
/// token: long and ending in base64 padding, or two parts of base64, the first of which is a JSON
/// object. The portable form of a feed range, which is JSON in base64, is not a secret.
fn looks_like_secret(run: &str) -> bool {
    let unpadded = run.trim_end_matches('=');
    let is_json = run.starts_with("eyJ");
    (!is_json && unpadded.len() < run.len() && unpadded.len() >= 40)
        || (is_json && run.len() >= 40 && run.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldC1zZWNyZXQtc2U=";

    #[test]
    fn a_secret_is_redacted_up_to_its_end() {
        for (text, expected) in [
            (format!("https://{KEY}/"), "https:***/".to_owned()),
            (format!("`{KEY}`"), "`***`".to_owned()),
            (
                format!("/tmp/{KEY}/state.json"),
                "***/state.json".to_owned(),
            ),
        ] {
            assert_eq!(redact(&text), expected);
        }
    }

    #[test]
    fn text_that_is_not_a_secret_is_kept() {
        for text in [
            "/data/lake/of/some/thing/with/a/long/path/year=2026/month=11/state.json",
            "https://NAME.documents.azure.com:443/;AccountKey=…;",
            "the bearer of bad news",
            // The portable form of a feed range.
            "eyJSYW5nZSI6eyJtaW4iOiIiLCJtYXgiOiJGRiIsImlzTWluSW5jbHVzaXZlIjp0cnVlfX0=",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_key_is_recognized_by_its_form() {
        let emulator = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
        for key in [
            emulator,
            emulator.trim_end_matches('='),
            "AccountEndpoint=https://a/;AccountKey=abc",
        ] {
            assert!(is_account_key(key), "{key}");
        }
        for other in [
            "",
            "key",
            "/run/secrets/key",
            "abcd",
            "AAAA/BBBB",
            &"a".repeat(88),
        ] {
            assert!(!is_account_key(other), "{other}");
        }
    }
}
