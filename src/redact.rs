//! What looks like a secret is not repeated, wherever it comes from: an answer of the service, the
//! network's words, or a flag that was meant for something else.

/// Blots out what looks like a key, a signature or a token.
pub(crate) fn redact(text: &str) -> String {
    redact_runs(&redact_labelled(text))
}

/// Blots out what follows a label that announces a secret.
fn redact_labelled(text: &str) -> String {
    // With the fewest characters that are taken for a secret.
    const LABELS: [(&str, usize); 5] = [
        ("sig=", 1),
        ("sig%3d", 1),
        ("accountkey=", 1),
        ("bearer ", 20),
        ("client_secret=", 1),
    ];
    // Lower case in ASCII keeps every byte where it is.
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some((value, least)) = LABELS
        .iter()
        .filter_map(|(label, least)| Some((lower[at..].find(label)? + at + label.len(), *least)))
        .min()
    {
        out.push_str(&text[at..value]);
        at = text[value..]
            .find(|c: char| !is_secret_char(c) && c != '%')
            .map_or(text.len(), |length| value + length);
        // `AccountKey=…` says where a key belongs, and the bearer of something is no token.
        match at - value < least {
            true => out.push_str(&text[value..at]),
            false => out.push_str("***"),
        }
    }
    out.push_str(&text[at..]);
    out
}

/// Blots out what has the form of a secret.
fn redact_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(is_secret_char) {
        let (between, tail) = rest.split_at(start);
        let end = tail
            .find(|c: char| !is_secret_char(c))
            .unwrap_or(tail.len());
        let (run, after) = tail.split_at(end);
        out.push_str(between);
        out.push_str(if looks_like_secret(run) { "***" } else { run });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The characters of base64, its URL-safe form, and of the dots of a signed token.
fn is_secret_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_' | '.')
}

/// Whether a run of such characters is a signature (44 characters), an account key (88) or a signed
/// token: long, and ending in base64's padding, or two parts of base64 of which the first is a JSON
/// object. The portable form of a feed range, which is JSON in base64, is no secret.
fn looks_like_secret(run: &str) -> bool {
    let unpadded = run.trim_end_matches('=');
    let is_json = run.starts_with("eyJ");
    (!is_json && unpadded.len() < run.len() && unpadded.len() >= 40)
        || (is_json && run.len() >= 40 && run.contains('.'))
}
