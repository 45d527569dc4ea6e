//! Requests for the tests of this module.

use azure_core::http::Method;
use azure_core::http::headers::{HeaderName, Headers};
use azure_data_cosmos_driver::test::HttpRequest;
use url::Url;

/// A request that reads `path` of some account.
pub(super) fn read_of(path: &str, headers: &[(HeaderName, &'static str)]) -> HttpRequest {
    let mut all = Headers::new();
    for (name, value) in headers {
        all.insert(name.clone(), *value);
    }
    let account = Url::parse("https://account.example").expect("it is a URL");
    HttpRequest {
        url: account.join(path).expect("it is a path"),
        method: Method::Get,
        headers: all,
        body: None,
        timeout: None,
    }
}
