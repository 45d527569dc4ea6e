//! What no report has: names, secrets, addresses and ids.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use crate::cosmos::options::{ConnectOptions, CredentialOptions, EntraIdOptions};
use crate::redact::redact;

/// The names and secrets that no report has, each with what takes its place.
#[derive(Debug)]
pub(super) struct Names(Vec<(String, &'static str)>);

impl Names {
    /// Those of a test, whose directory need not be there yet.
    pub(super) fn new(options: &ConnectOptions, database: &str, directory: &Path) -> Self {
        let mut names = Vec::new();
        match &options.credential {
            CredentialOptions::Key(key) => names.push((key.expose().to_owned(), "***")),
            CredentialOptions::EntraId(EntraIdOptions::ClientSecret { client_secret, .. }) => {
                names.push((client_secret.expose().to_owned(), "***"));
            }
            CredentialOptions::EntraId(_) => {}
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
        let words = text
            .split_whitespace()
            .map(|word| without_user(&without_addresses(word)));
        redact(&without_guids(&words.collect::<Vec<_>>().join(" ")))
    }

    /// The same, at most so many characters of it. It is cut last, so that no part of a name is left at the end.
    pub(super) fn clean_short(&self, text: &str, max: usize) -> String {
        let clean = self.clean(text);
        let mut short: String = clean.chars().take(max).collect();
        if short.len() < clean.len() {
            short.push('…');
        }
        short
    }
}

/// A word with `ADDRESS` in place of each IP address, whatever stands beside it.
fn without_addresses(word: &str) -> String {
    let is_of_address = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut out = String::with_capacity(word.len());
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c| !is_of_address(c)).unwrap_or(rest.len());
        let (run, tail) = rest.split_at(end);
        // A label before it may end in letters that are digits too.
        let starts = (0..run.len()).filter(|at| *at == 0 || run[..*at].ends_with(':'));
        let found = starts
            .filter_map(|at| {
                let own = run[at..].trim_end_matches(['.', ':']);
                is_address(own).then(|| (at, at + own.len()))
            })
            .next();
        match found {
            Some((from, to)) => {
                out.push_str(&run[..from]);
                out.push_str("ADDRESS");
                out.push_str(&run[to..]);
            }
            None => out.push_str(run),
        }
        let between = tail.find(is_of_address).unwrap_or(tail.len());
        out.push_str(&tail[..between]);
        rest = &tail[between..];
    }
    out
}

fn is_address(text: &str) -> bool {
    let has_digits = text.contains(|c: char| c.is_ascii_digit());
    has_digits && (text.parse::<IpAddr>().is_ok() || text.parse::<SocketAddr>().is_ok())
}

/// A word with `USER` in place of the name of a user, such as `me@example.com`.
fn without_user(word: &str) -> String {
    let is_of_name =
        |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '%' | '#');
    let Some((before, after)) = word.split_once('@') else {
        return word.to_owned();
    };
    let user = before.trim_end_matches(is_of_name);
    let domain = after.trim_start_matches(is_of_name);
    match user.len() < before.len() && domain.len() < after.len() {
        true => format!("{user}USER{}", without_user(domain)),
        false => format!("{before}@{}", without_user(after)),
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
            ("client=203.0.113.7;x", "client=ADDRESS;x"),
            ("IP:203.0.113.7. add:203.0.113.7", "IP:ADDRESS. add:ADDRESS"),
            ("203.0.113.0/24,198.51.100.1", "ADDRESS/24,ADDRESS"),
            ("from [2001:db8::17]:443", "from [ADDRESS]:443"),
            (
                "a std::fmt of `me@example.com`, c.x = @x",
                "a std::fmt of `USER`, c.x = @x",
            ),
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
        let cut = names.clean_short("at https://secretive.documents.azure.com:443/dbs", 5);
        assert_eq!(cut, "at EN…");
    }
}
