//! What no report has: names, secrets, addresses and ids.

use std::borrow::Cow;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::cosmos::options::{ConnectOptions, CredentialOptions};
use crate::redact::redact;

/// The names and secrets that no report has, each with what takes its place.
#[derive(Debug)]
pub(super) struct Names(Vec<(String, &'static str)>);

impl Names {
    /// Those of a test, whose directory need not be there yet.
    pub(super) fn new(options: &ConnectOptions, database: &str, directory: &Path) -> Self {
        let mut names = Vec::new();
        if let CredentialOptions::Key(key) = &options.credential {
            names.push((key.expose().to_owned(), "***"));
        }
        let endpoint = options.endpoint.as_str();
        names.push((endpoint.trim_end_matches('/').to_owned(), "ENDPOINT"));
        let host = options.endpoint.host_str().unwrap_or_default();
        if let Some(port) = options.endpoint.port() {
            names.push((format!("{host}:{port}"), "HOST"));
        }
        names.push((host.to_owned(), "HOST"));
        if let Some((account, _)) = host
            .split_once('.')
            .filter(|_| options.endpoint.domain().is_some())
        {
            names.push((account.to_owned(), "ACCOUNT"));
        }
        let own = directory.file_name().unwrap_or_default();
        let parent = directory
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        let canonical = fs::canonicalize(parent.unwrap_or(Path::new(".")));
        let canonical = canonical.ok().map(|parent| parent.join(own));
        for path in canonical
            .into_iter()
            .chain(std::path::absolute(directory).ok())
        {
            names.push((path.display().to_string(), "DIRECTORY"));
        }
        names.push((directory.display().to_string(), "DIRECTORY"));
        if let Some(own) = directory.file_name() {
            names.push((own.to_string_lossy().into_owned(), "DIRECTORY"));
        }
        names.push((database.to_owned(), "DATABASE"));
        for variable in ["HOME", "USERPROFILE"] {
            if let Some(home) = std::env::var_os(variable).filter(|home| home.len() > 1) {
                names.push((home.to_string_lossy().into_owned(), "HOME"));
            }
        }
        names.retain(|(name, _)| !name.is_empty());
        Self(names)
    }

    /// `text` without them, in one line, and without addresses of networks and the ids that the service gives to
    /// requests, resources and identities.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, instead) in &self.0 {
            text = text.replace(name, instead);
        }
        let words = text.split_whitespace().map(without_address);
        redact(&without_guids(&words.collect::<Vec<_>>().join(" ")))
    }
}

/// A word without the IP address that it is.
fn without_address(word: &str) -> Cow<'_, str> {
    let is_of_address = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let own = word.trim_matches(|c: char| !c.is_ascii_hexdigit() && c != ':');
    let own = own.trim_end_matches(['.', ':']);
    let is_address = own.chars().all(is_of_address)
        && (own.parse::<IpAddr>().is_ok() || own.parse::<SocketAddr>().is_ok());
    match is_address && !own.is_empty() {
        true => Cow::Owned(word.replace(own, "ADDRESS")),
        false => Cow::Borrowed(word),
    }
}

/// `text` with `ID` in place of each GUID.
fn without_guids(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_guid = |text: &str| {
        text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        match rest.get(..LENGTH).filter(|own| is_guid(own)) {
            Some(_) => {
                out.push_str("ID");
                rest = &rest[LENGTH..];
            }
            None => {
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_neither_names_nor_addresses_nor_ids() {
        let names = Names(vec![
            (
                "https://secretive.documents.azure.com:443".to_owned(),
                "ENDPOINT",
            ),
            ("secretive".to_owned(), "ACCOUNT"),
            ("/home/me/ct".to_owned(), "DIRECTORY"),
        ]);
        for (text, cleaned) in [
            (
                "at https://secretive.documents.azure.com:443/dbs",
                "at ENDPOINT/dbs",
            ),
            (
                "secretive-westeurope.documents.azure.com\n  failed",
                "ACCOUNT-westeurope.documents.azure.com failed",
            ),
            (
                "originated from IP 203.0.113.7 through",
                "originated from IP ADDRESS through",
            ),
            ("from (203.0.113.7:1234).", "from (ADDRESS)."),
            ("from 2001:db8::17, which", "from ADDRESS, which"),
            (
                "ActivityId:0b1c2d3e-0000-4000-8000-00000000abcd, x",
                "ActivityId:ID, x",
            ),
            (
                "principal [0B1C2D3E-0000-4000-8000-00000000ABCD] may not",
                "principal [ID] may not",
            ),
            ("cannot write `/home/me/ct/x`", "cannot write `DIRECTORY/x`"),
            (
                "version 2.14.0 of 10:30, add: dead.",
                "version 2.14.0 of 10:30, add: dead.",
            ),
        ] {
            assert_eq!(names.clean(text), cleaned);
        }
    }
}
