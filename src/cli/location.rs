//! Where a text points that somebody typed: the one parser of paths and addresses.

use std::path::{Path, PathBuf};

use crate::objects::Address;

/// Where documents are written to or read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `-`: standard output or standard input.
    StandardStream,
    /// A path of this machine.
    Local(PathBuf),
    /// A place in an object store.
    Objects(Address),
}

/// The schemes that people give to stores, with or without the two slashes: a shell or a library may have
/// removed one of them.
const STORES: [&str; 22] = [
    "abfs", "abfss", "adl", "az", "azure", "b2", "blob", "cos", "dbfs", "file", "ftp", "gcs", "gs",
    "hdfs", "http", "https", "oss", "r2", "s3", "s3a", "s3n", "sftp",
];

/// What is supported.
#[cfg(feature = "object-stores")]
const SUPPORTED: &str =
    "cosmos-tail reads and writes local files, Azure Blob Storage (az:, abfss:) and S3 (s3:)";
#[cfg(not(feature = "object-stores"))]
const SUPPORTED: &str = "cosmos-tail reads and writes local files";

/// The schemes of Google Cloud Storage.
const GOOGLE: [&str; 2] = ["gs", "gcs"];

impl Location {
    /// The location that `text` names.
    ///
    /// # Errors
    ///
    /// If it is an address with a scheme, none of which is supported: as a path it would name a local directory
    /// such as `s3:`.
    pub fn parse(text: &Path) -> Result<Self, String> {
        if text == Path::new("-") {
            return Ok(Self::StandardStream);
        }
        #[cfg(feature = "object-stores")]
        if let Some(address) = Address::parse(&text.to_string_lossy()) {
            return address.map(Self::Objects);
        }
        local(text).map(Self::Local)
    }

    /// The path, if it is one of this machine.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::StandardStream | Self::Objects(_) => None,
            Self::Local(path) => Some(path),
        }
    }

    /// Whether it is a standard stream.
    pub fn is_standard_stream(&self) -> bool {
        *self == Self::StandardStream
    }
}

impl std::fmt::Display for Location {
    /// As it is typed.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::StandardStream => f.write_str("-"),
            Self::Local(path) => path.display().fmt(f),
            Self::Objects(address) => address.fmt(f),
        }
    }
}

/// The path of a file or a directory, where a standard stream cannot take its place.
///
/// # Errors
///
/// As of [`Location::parse`], or if it is `-`.
pub fn file(text: &Path) -> Result<PathBuf, String> {
    match Location::parse(text)? {
        Location::Local(path) => Ok(path),
        Location::Objects(_) => Err(
            "expected a path: a place in an object store cannot be used here".to_owned(),
        ),
        Location::StandardStream => Err(
            "expected a path: a standard stream cannot be used here (a file of this name is written as `./-`)"
                .to_owned(),
        ),
    }
}

/// The path of a file or a directory, or a place in an object store.
///
/// # Errors
///
/// As of [`file()`].
pub fn place(text: &Path) -> Result<Location, String> {
    match Location::parse(text)? {
        objects @ Location::Objects(_) => Ok(objects),
        _ => file(text).map(Location::Local),
    }
}

fn local(text: &Path) -> Result<PathBuf, String> {
    match scheme_of(&text.to_string_lossy()) {
        None => Ok(text.to_owned()),
        Some(scheme) if scheme.eq_ignore_ascii_case("file") => {
            Err("expected a path, such as /data/orders, without `file:`".to_owned())
        }
        Some(scheme) if GOOGLE.iter().any(|gs| gs.eq_ignore_ascii_case(scheme)) => Err(format!(
            "`{scheme}:` is not supported: {SUPPORTED}. For Google Cloud Storage use a local directory, and copy it \
             from or to there with `gcloud storage rsync --recursive` while no export writes to it"
        )),
        Some(scheme) => Err(format!(
            "`{scheme}:` is not supported: {SUPPORTED} (a local path that begins like this is written with `./` \
             in front)"
        )),
    }
}

/// The scheme that `text` begins with. A single letter is a drive of Windows, and a colon alone can be part of
/// a file's name, as in `12:30.jsonl`.
fn scheme_of(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once(':')?;
    let is_scheme = scheme.len() > 1
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    let is_store = || {
        rest.starts_with(['/', '\\'])
            && STORES
                .iter()
                .any(|store| store.eq_ignore_ascii_case(scheme))
    };
    (is_scheme && (rest.starts_with("//") || is_store())).then_some(scheme)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dash_is_a_stream_and_anything_without_a_scheme_is_a_path() {
        let location = |text: &str| Location::parse(Path::new(text));
        assert_eq!(location("-"), Ok(Location::StandardStream));
        for path in [
            "out/",
            "./-",
            "orders-12:30.jsonl",
            "2026-11-28T12:00:00Z/",
            r"C:\data\orders.csv",
            "C:/data/orders.csv",
            "c://data",
            "./s3://lake",
            "s3:",
            "s3",
            "a:b/c",
            ":///x",
            "/s3://x",
            "1a://x",
        ] {
            assert_eq!(location(path), Ok(Location::Local(path.into())), "{path}");
            assert_eq!(file(Path::new(path)), Ok(path.into()), "{path}");
        }
    }

    #[test]
    fn an_address_with_a_scheme_is_refused() {
        for (text, scheme) in [
            ("r2://lake/orders/", "r2"),
            ("GS://lake/orders/", "GS"),
            ("s3:/lake/orders", "s3"),
            ("gs://lake/x", "gs"),
            ("https://example.com/c?sig=abc", "https"),
            ("git+ssh://host/x", "git+ssh"),
            ("unknown://x", "unknown"),
        ] {
            for refused in [
                Location::parse(Path::new(text)).map(drop),
                file(Path::new(text)).map(drop),
            ] {
                let message = refused.unwrap_err();
                assert!(
                    message.starts_with(&format!("`{scheme}:` is not")),
                    "{message}"
                );
            }
        }
        for text in ["gs://lake/x", "GCS://lake/x", "gs:/lake/x"] {
            let message = Location::parse(Path::new(text)).unwrap_err();
            assert!(message.contains("`gcloud storage rsync"), "{message}");
        }
        for text in ["file:///tmp/x", "file:/tmp/x", "FILE://x"] {
            let message = Location::parse(Path::new(text)).unwrap_err();
            assert!(message.contains("without `file:`"), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_need_not_be_unicode() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff:b"));
        assert_eq!(Location::parse(path), Ok(Location::Local(path.to_owned())));
        let address = Path::new(std::ffi::OsStr::from_bytes(b"gs://a\xff"));
        assert!(Location::parse(address).is_err());
    }
}
