//! Answers of the account.

use azure_core::http::headers::{HeaderName, Headers};
use bytes::Bytes;
use http_body_util::Full;

/// An answer of the emulator, or of the host in its place.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Headers,
    pub(super) body: Bytes,
}

impl Answer {
    /// An answer of the host itself, in the service's form.
    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let mut headers = Headers::new();
        headers.insert("content-type", "application/json");
        Self {
            status,
            headers,
            body: serde_json::json!({ "code": code, "message": message })
                .to_string()
                .into(),
        }
    }

    /// The answer if the emulator itself fails.
    pub(super) fn failed(error: &anyhow::Error) -> Self {
        Self::error(500, "InternalServerError", &format!("{error:#}"))
    }

    /// The request units that it says it cost.
    pub(super) fn charge(&self) -> f64 {
        let name = HeaderName::from_static("x-ms-request-charge");
        let charge = self.headers.get_optional_str(&name);
        charge.and_then(|text| text.parse().ok()).unwrap_or(0.0)
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn into_http(self) -> hyper::Response<Full<Bytes>> {
        let mut response = hyper::Response::builder().status(self.status);
        for (name, value) in self.headers.iter() {
            response = response.header(name.as_str(), ascii(value.as_str()).as_ref());
        }
        let body = match self.status {
            // These have no body by definition.
            204 | 304 => Bytes::new(),
            _ => self.body,
        };
        response.body(Full::new(body)).unwrap_or_else(|error| {
            let message = format!("the answer has an invalid HTTP header: {error}");
            let mut response = hyper::Response::new(Full::new(message.into()));
            *response.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

/// Escapes what is not allowed in a header.
///
/// The emulator's continuations are JSON with ids in their strings. There `\u` and four digits mean the same
/// as the character, so a client returns an equal value.
fn ascii(value: &str) -> std::borrow::Cow<'_, str> {
    if value.is_ascii() {
        return value.into();
    }
    let mut escaped = String::with_capacity(value.len() * 2);
    for unit in value.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("\\u{unit:04x}")),
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_continuation_with_an_id_beyond_ascii_has_the_same_value() {
        let token = r#"{"id":"ключ 🦆","lsn":7}"#;
        let escaped = ascii(token);
        assert!(escaped.is_ascii(), "{escaped}");
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(&escaped), value(token));
    }
}
