//! `--ttl`: what becomes of the time to live of documents.
//!
//! The service counts it from the last write of a document, and a replay writes it: so it begins again in the target,
//! unless what is left of it is written instead.

use std::borrow::Cow;

use anyhow::{Context, Result};

use super::item_write::Defect;
use crate::clock;
use crate::cosmos::definition::DefaultTtl;
use crate::feed::page::{members, whole};
use crate::settings::Ttl;
use crate::source::Exported;
use crate::state::container_file::ContainerFile;

/// The member of a document that holds it.
const MEMBER: &str = "ttl";

/// What becomes of the time to live of the documents of one source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lifetime {
    choice: Ttl,
    /// What documents without a time to live of their own have.
    default: DefaultTtl,
    /// When the documents were exported, in seconds since 1970; none for now.
    exported: Option<i64>,
}

/// A document after its time to live was decided.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Alive<'a> {
    /// It is written.
    Document(Cow<'a, [u8]>),
    /// Its time had passed when it was exported.
    Expired,
}

impl Lifetime {
    /// For a source of which nothing is known.
    pub(super) fn new(choice: Ttl) -> Self {
        Self {
            choice,
            default: DefaultTtl::Unknown,
            exported: None,
        }
    }

    /// For the files of an export.
    ///
    /// # Errors
    ///
    /// If the definition of its container is needed, and cannot be used.
    pub(super) fn of_export(self, exported: &Exported) -> Result<Self> {
        let needed = exported.definition.as_deref();
        let default = match needed.filter(|_| self.choice == Ttl::Remaining) {
            Some(path) => ContainerFile::read(path)
                .context("--ttl remaining needs the default time to live")?
                .map_or(DefaultTtl::Unknown, |file| file.definition.default_ttl()),
            None => DefaultTtl::Unknown,
        };
        Ok(Self {
            default,
            exported: exported.at,
            ..self
        })
    }

    /// For a container, which is read now.
    pub(super) fn of_container(self, default: DefaultTtl) -> Self {
        Self {
            default,
            exported: None,
            ..self
        }
    }

    /// The document that is written for `document`, which was last written at `written`.
    ///
    /// # Errors
    ///
    /// If it has a time to live, and it is not known when it began.
    pub(super) fn apply<'a>(
        self,
        document: &'a [u8],
        written: Option<i64>,
    ) -> Result<Alive<'a>, Defect> {
        let unchanged = Ok(Alive::Document(Cow::Borrowed(document)));
        let own = members(document).filter(|member| member.is_named(MEMBER));
        let own = own.last().map(|member| member.value);
        match self.choice {
            Ttl::Keep => return unchanged,
            Ttl::Drop if own.is_none() => return unchanged,
            Ttl::Drop => return Ok(Alive::Document(Cow::Owned(with_ttl(document, None)))),
            Ttl::Remaining => {}
        }
        let seconds = match (own, self.default) {
            // Nothing expires there.
            (_, DefaultTtl::Off) => None,
            // Anything else is no time to live, and the service says so.
            (Some(own), _) => whole::<i64>(own).filter(|seconds| *seconds > 0),
            (None, DefaultTtl::Seconds(seconds)) => Some(seconds),
            (None, DefaultTtl::Unknown | DefaultTtl::Never) => None,
        };
        let Some(seconds) = seconds else {
            return unchanged;
        };
        let Some(written) = written else {
            return Err(Defect::new(
                "it has no `_ts`, which --ttl remaining needs to know what is left of its time to live",
            ));
        };
        let now = self
            .exported
            .unwrap_or_else(|| clock::now().unix_timestamp());
        // A clock that is behind leaves no more than there was.
        let age = now.saturating_sub(written).max(0);
        let rest = seconds.saturating_sub(age);
        if rest < 1 {
            return Ok(Alive::Expired);
        }
        Ok(Alive::Document(Cow::Owned(with_ttl(document, Some(rest)))))
    }
}

/// `document` with this time to live, or without any. All else is copied as it is.
fn with_ttl(document: &[u8], seconds: Option<i64>) -> Vec<u8> {
    let mut seconds = seconds;
    let mut made = Vec::with_capacity(document.len() + 16);
    made.push(b'{');
    let mut put = |name: &[u8], value: &[u8]| {
        if made.len() > 1 {
            made.push(b',');
        }
        made.push(b'"');
        made.extend_from_slice(name);
        made.extend_from_slice(b"\":");
        made.extend_from_slice(value);
    };
    for member in members(document) {
        if !member.is_named(MEMBER) {
            put(member.raw_name, member.value);
        } else if let Some(seconds) = seconds.take() {
            put(member.raw_name, seconds.to_string().as_bytes());
        }
    }
    if let Some(seconds) = seconds {
        put(MEMBER.as_bytes(), seconds.to_string().as_bytes());
    }
    made.push(b'}');
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written for a document that was exported 100 seconds after it was written.
    fn made(choice: Ttl, default: DefaultTtl, document: &str) -> String {
        let lifetime = Lifetime {
            choice,
            default,
            exported: Some(1100),
        };
        match lifetime.apply(document.as_bytes(), Some(1000)) {
            Ok(Alive::Document(document)) => String::from_utf8(document.into_owned()).unwrap(),
            Ok(Alive::Expired) => "expired".to_owned(),
            Err(defect) => defect.reason,
        }
    }

    #[test]
    fn the_rest_of_a_time_to_live_is_written() {
        use DefaultTtl::{Never, Off, Seconds, Unknown};
        for (default, document, expected) in [
            (
                Unknown,
                r#"{"id":"a","ttl":150,"n":1e400}"#,
                r#"{"id":"a","ttl":50,"n":1e400}"#,
            ),
            (Never, r#"{"ttl":101}"#, r#"{"ttl":1}"#),
            (Never, r#"{"ttl":100}"#, "expired"),
            (Never, r#"{"ttl":1}"#, "expired"),
            (Never, r#"{"ttl":1.5e2}"#, r#"{"ttl":50}"#),
            (Never, r#"{"t\u0074l":150}"#, r#"{"t\u0074l":50}"#),
            (Never, r#"{"ttl":9,"a":1,"ttl":150}"#, r#"{"ttl":50,"a":1}"#),
            // It is within another value.
            (Never, r#"{"a":{"ttl":150}}"#, r#"{"a":{"ttl":150}}"#),
            (Seconds(150), r#"{"id":"a"}"#, r#"{"id":"a","ttl":50}"#),
            (Seconds(150), "{}", r#"{"ttl":50}"#),
            (Seconds(100), r#"{"id":"a"}"#, "expired"),
            (Seconds(100), r#"{"ttl":150}"#, r#"{"ttl":50}"#),
            (Seconds(100), r#"{"ttl":-1}"#, r#"{"ttl":-1}"#),
            (Never, r#"{"id":"a"}"#, r#"{"id":"a"}"#),
            (Unknown, r#"{"id":"a"}"#, r#"{"id":"a"}"#),
            (Off, r#"{"ttl":50}"#, r#"{"ttl":50}"#),
            (Seconds(150), r#"{"ttl":null}"#, r#"{"ttl":null}"#),
            (Seconds(150), r#"{"ttl":"60"}"#, r#"{"ttl":"60"}"#),
            (Seconds(150), r#"{"ttl":0}"#, r#"{"ttl":0}"#),
        ] {
            assert_eq!(
                made(Ttl::Remaining, default, document),
                expected,
                "{document}"
            );
            assert_eq!(made(Ttl::Keep, default, document), document);
        }
        assert_eq!(
            made(Ttl::Drop, Unknown, r#"{"ttl":5, "id":"a","ttl":6}"#),
            r#"{"id":"a"}"#
        );
        assert_eq!(
            made(Ttl::Drop, Seconds(5), r#"{ "id":"a"}"#),
            r#"{ "id":"a"}"#
        );
    }

    #[test]
    fn a_time_to_live_that_began_at_an_unknown_time_is_refused() {
        let lifetime = Lifetime::new(Ttl::Remaining);
        let refused = lifetime.apply(br#"{"ttl":150}"#, None).unwrap_err();
        assert!(refused.reason.contains("no `_ts`"), "{}", refused.reason);
        // It has none that could be shortened.
        for document in [r#"{"ttl":-1}"#, "{}"] {
            assert!(lifetime.apply(document.as_bytes(), None).is_ok());
        }
        // A clock that is behind.
        let early = Lifetime {
            exported: Some(10),
            ..lifetime
        };
        let alive = early.apply(br#"{"ttl":150}"#, Some(1000)).unwrap();
        assert_eq!(
            alive,
            Alive::Document(Cow::Owned(br#"{"ttl":150}"#.to_vec()))
        );
    }
}
