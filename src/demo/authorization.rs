//! The signature of a request, checked like the service does.

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use percent_encoding::percent_decode_str;

/// The signed parts of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedRequest<'a> {
    pub(super) method: &'a str,
    /// Without a trailing slash, percent-encoded as received.
    pub(super) path: &'a str,
    /// Whether the last resource id in the path may be signed alone, in lower case.
    pub(super) is_by_rid: bool,
    /// The header `authorization`.
    pub(super) authorization: Option<&'a str>,
    /// The header `x-ms-date`, or `date` if that is missing.
    pub(super) date: Option<&'a str>,
}

/// Whether the request is signed with `key`, the account's key in base64.
///
/// Tokens of any other type, such as those of Entra ID, are not accepted.
pub(super) fn is_signed_with(key: &Secret, request: SignedRequest<'_>) -> bool {
    let (Some(authorization), Some(date)) = (request.authorization, request.date) else {
        return false;
    };
    // Most clients percent-encode the header; the Python client does not.
    let authorization = percent_decode_str(authorization).decode_utf8_lossy();
    let Some(signature) = authorization.strip_prefix("type=master&ver=1.0&sig=") else {
        return false;
    };
    let decoded = percent_decode_str(request.path).decode_utf8_lossy();
    // Clients differ in whether they sign an id percent-encoded or not.
    let by_name = [decoded.as_ref(), request.path].map(resource);
    let (resource_type, link) = &by_name[0];
    let rid = link.rsplit('/').next().unwrap_or_default();
    let by_rid = request
        .is_by_rid
        .then(|| (*resource_type, rid.to_ascii_lowercase()));
    let mut links = by_name.iter().chain(&by_rid);
    links.any(|(resource_type, resource_link)| {
        let text = format!(
            "{}\n{resource_type}\n{resource_link}\n{}\n\n",
            request.method.to_ascii_lowercase(),
            date.to_ascii_lowercase(),
        );
        hmac_sha256(&text, key).is_ok_and(|expected| expected == signature)
    })
}

/// The type and the link of the resource at `path`, in the form of the signature.
fn resource(path: &str) -> (&str, String) {
    let path = path.trim_matches('/');
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    match segments.as_slice() {
        [] => ("", String::new()),
        // Offers have no name: their link is only the resource id, in lower case.
        ["offers", rid] => ("offers", rid.to_ascii_lowercase()),
        // The link of a feed is its parent's, that of a resource its own.
        [parent @ .., last] if segments.len() % 2 == 1 => (last, parent.join("/")),
        [.., resource_type, _] => (resource_type, segments.join("/")),
        [_] => ("", String::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhpcyBpcyBhIGtleQ==";
    const DATE: &str = "Tue, 24 Nov 2026 03:00:00 GMT";

    fn sign(text: &str) -> String {
        let signature = hmac_sha256(text, &Secret::from(KEY)).unwrap();
        format!("type=master&ver=1.0&sig={signature}")
    }

    fn check(method: &str, path: &str, authorization: Option<&str>) -> bool {
        is_signed_with(
            &Secret::from(KEY),
            SignedRequest {
                method,
                path,
                is_by_rid: false,
                authorization,
                date: Some(DATE),
            },
        )
    }

    #[test]
    fn a_resource_id_is_signed_alone_and_in_lower_case() {
        let date = DATE.to_lowercase();
        let path = "/dbs/AAAAAQ==/colls/AAAAAYAAAAE=/pkranges";
        let signed = sign(&format!("get\npkranges\naaaaayaaaae=\n{date}\n\n"));
        let request = SignedRequest {
            method: "GET",
            path,
            is_by_rid: true,
            authorization: Some(&signed),
            date: Some(DATE),
        };
        let key = Secret::from(KEY);
        assert!(is_signed_with(&key, request));
        let is_by_rid = false;
        assert!(!is_signed_with(
            &key,
            SignedRequest {
                is_by_rid,
                ..request
            }
        ));
        let path = "/dbs/AAAAAQ==/colls/AAAAAYAAAAI=/pkranges";
        assert!(!is_signed_with(&key, SignedRequest { path, ..request }));
    }

    #[test]
    fn a_feed_is_signed_by_its_parents_link_and_a_resource_by_its_own() {
        let date = DATE.to_lowercase();
        for (method, path, text) in [
            ("GET", "/", format!("get\n\n\n{date}\n\n")),
            ("GET", "/dbs", format!("get\ndbs\n\n{date}\n\n")),
            (
                "GET",
                "/dbs/Shop",
                format!("get\ndbs\ndbs/Shop\n{date}\n\n"),
            ),
            (
                "POST",
                "/dbs/Shop/colls/a/docs",
                format!("post\ndocs\ndbs/Shop/colls/a\n{date}\n\n"),
            ),
            (
                "DELETE",
                "/dbs/Shop/colls/a/docs/x%20y",
                format!("delete\ndocs\ndbs/Shop/colls/a/docs/x y\n{date}\n\n"),
            ),
            (
                "GET",
                "/offers/AbC",
                format!("get\noffers\nabc\n{date}\n\n"),
            ),
        ] {
            assert!(check(method, path, Some(&sign(&text))), "{method} {path}");
        }
    }

    #[test]
    fn a_percent_encoded_signature_is_accepted() {
        let plain = sign(&format!("get\n\n\n{}\n\n", DATE.to_lowercase()));
        let escaped: String = url::form_urlencoded::byte_serialize(plain.as_bytes()).collect();
        assert_ne!(plain, escaped);
        assert!(check("GET", "/", Some(&escaped)));
    }

    #[test]
    fn anything_else_is_refused() {
        let date = DATE.to_lowercase();
        let other =
            hmac_sha256(&format!("get\n\n\n{date}\n\n"), &Secret::from("b3RoZXI=")).unwrap();
        for authorization in [
            None,
            Some(String::new()),
            Some(sign(&format!("post\n\n\n{date}\n\n"))),
            Some(format!("type=master&ver=1.0&sig={other}")),
            Some("type=aad&ver=1.0&sig=eyJ0eXAiOiJKV1Qi".to_owned()),
        ] {
            assert!(
                !check("GET", "/", authorization.as_deref()),
                "{authorization:?}"
            );
        }
    }
}
