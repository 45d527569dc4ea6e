//! The certificates of authorities that the system trusts. A minimal system or container may have none.

/// The cause of a failure, where [`are_missing`].
pub(super) const MISSING: &str = "this system has no CA certificates, so no server can be verified";

/// The hint for it.
pub(super) const HOW_TO_ADD: &str = "install the system's CA certificates (on Debian, Alpine and Fedora the package \
    ca-certificates), or set SSL_CERT_FILE to a PEM file that contains them";

/// Whether an HTTP client could not be built because there are none, by the text of the TLS library's error.
pub(super) fn are_missing(error: &str) -> bool {
    error
        .to_ascii_lowercase()
        .contains("no ca certificates were loaded")
}
