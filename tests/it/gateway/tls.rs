//! TLS with a self-signed certificate of this process.

use std::sync::{Arc, OnceLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

type SelfSigned = rcgen::CertifiedKey<rcgen::KeyPair>;

/// The certificate for both names of the loopback interface, the same for all gateways of a
/// process.
fn self_signed() -> &'static SelfSigned {
    static CERTIFICATE: OnceLock<SelfSigned> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        rcgen::generate_simple_self_signed(names).expect("make a certificate")
    })
}

/// The certificate, for clients to trust.
pub(super) fn certificate_pem() -> String {
    self_signed().cert.pem()
}

/// Accepts TLS, and negotiates the versions of HTTP.
pub(super) fn acceptor(http1_only: bool) -> TlsAcceptor {
    let SelfSigned { cert, signing_key } = self_signed();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the versions of TLS")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("the key is the certificate's");
    let versions: &[&[u8]] = if http1_only {
        &[b"http/1.1"]
    } else {
        &[b"h2", b"http/1.1"]
    };
    config.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}
