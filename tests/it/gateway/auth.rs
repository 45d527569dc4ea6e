//! Master-key authorization: makes and checks the signature of a request.

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;

/// The authorization header of a request: `verb` in lower case, the resource type (`dbs`,
/// `colls`, `pkranges`, `docs`, or nothing for the account), the resource link, and the value of
/// `x-ms-date`.
pub(crate) fn sign(key: &str, verb: &str, resource_type: &str, link: &str, date: &str) -> String {
    let text = format!(
        "{}\n{resource_type}\n{link}\n{}\n\n",
        verb.to_ascii_lowercase(),
        date.to_ascii_lowercase()
    );
    let signature =
        hmac_sha256(&text, &Secret::new(key.to_owned())).expect("the account key is base64");
    url::form_urlencoded::byte_serialize(format!("type=master&ver=1.0&sig={signature}").as_bytes())
        .collect()
}

/// Whether `header` signs the request with `key`. `segments` is the request's path, decoded.
///
/// A feed is signed with its parent's link; a resource addressed by RID with its RID alone, in
/// lower case, by some clients.
pub(super) fn verify(key: &str, verb: &str, segments: &[String], date: &str, header: &str) -> bool {
    let is_feed = segments.len() % 2 == 1;
    let resource_type = match (segments.len(), is_feed) {
        (0, _) => "",
        (n, true) => segments[n - 1].as_str(),
        (n, false) => segments[n - 2].as_str(),
    };
    let link_segments = &segments[..segments.len() - usize::from(is_feed)];
    let by_name = link_segments.join("/");
    let by_rid = link_segments
        .last()
        .map(|rid| rid.to_ascii_lowercase())
        .unwrap_or_default();
    // Decoded, since the case of percent-encoded digits is the client's choice.
    let decode = |header: &str| {
        url::form_urlencoded::parse(format!("sig={header}").as_bytes())
            .next()
            .map(|(_, value)| value.into_owned())
    };
    let presented = decode(header);
    [by_name, by_rid]
        .iter()
        .map(|link| sign(key, verb, resource_type, link, date))
        .any(|expected| decode(&expected) == presented)
}
