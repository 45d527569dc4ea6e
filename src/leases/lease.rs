//! One lease, in whichever dialect it is written.

use serde_json::Value;
use time::OffsetDateTime;

use super::document::Document;
use super::java_token::JavaState;
use super::moment;
use super::prefix::Target;
use crate::feed::{FeedMode, FeedRange, lsn_of_etag};

/// The form of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// .NET, of a partition.
    NetPartition,
    /// .NET, of a range.
    NetRange,
    /// Java, of a partition: `handleChanges`.
    JavaPartition,
    /// Java, of a range: the other handlers.
    JavaRange,
}

/// Which processors understand a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Dialect {
    /// .NET and Functions.
    Net,
    /// Java's `handleChanges`.
    JavaPartition,
    /// Java's other handlers.
    JavaRange,
}

impl Form {
    pub(crate) fn dialect(self) -> Dialect {
        match self {
            Self::NetPartition | Self::NetRange => Dialect::Net,
            Self::JavaPartition => Dialect::JavaPartition,
            Self::JavaRange => Dialect::JavaRange,
        }
    }

    /// The version that the documents have.
    pub(crate) fn version(self) -> u8 {
        match self {
            Self::NetPartition | Self::JavaPartition => 0,
            Self::NetRange | Self::JavaRange => 1,
        }
    }
}

impl Dialect {
    /// For JSON, and as it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Net => "dotnet",
            Self::JavaPartition => "java-partitions",
            Self::JavaRange => "java",
        }
    }

    /// In sentences.
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Net => ".NET",
            Self::JavaPartition => "Java's handleChanges",
            Self::JavaRange => "Java",
        }
    }
}

/// How far the range of a lease has been handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checkpoint {
    /// There is no position: it starts where its processor's options say.
    Unset,
    /// Up to this ETag.
    At(String),
    /// Its processor cannot read it either, for this reason.
    Unreadable(String),
}

impl Checkpoint {
    pub(crate) fn etag(&self) -> Option<&str> {
        match self {
            Self::At(etag) => Some(etag),
            Self::Unset | Self::Unreadable(_) => None,
        }
    }

    pub(crate) fn lsn(&self) -> Option<u64> {
        self.etag().and_then(lsn_of_etag)
    }
}

/// A lease.
#[derive(Debug, Clone)]
pub(crate) struct Lease {
    pub(crate) id: String,
    /// The id of its partition, or its range as `MIN-MAX`.
    pub(crate) token: String,
    pub(crate) form: Form,
    /// The instance that has it; none if it is free.
    pub(crate) owner: Option<String>,
    pub(crate) checkpoint: Checkpoint,
    /// The range that its document has.
    pub(crate) own_range: Option<FeedRange>,
    /// When it was written last by its owner's clock.
    pub(crate) renewed: Option<OffsetDateTime>,
    /// When it was written last by the service's clock, in seconds since 1970.
    pub(crate) written: Option<i64>,
    pub(crate) mode: FeedMode,
    pub(crate) etag: Option<String>,
    pub(crate) document: Document,
}

/// A document under the prefix of a group that is no lease of a known form, and why.
#[derive(Debug, Clone)]
pub(crate) struct Foreign {
    pub(crate) id: String,
    pub(crate) reason: String,
    /// If it is a lease of another dialect than the others.
    pub(crate) lease: Option<Box<Lease>>,
}

impl Lease {
    /// The lease of a document.
    ///
    /// # Errors
    ///
    /// Why it is none, in words.
    pub(crate) fn of(document: Document, target: &Target) -> Result<Self, String> {
        let id = document.text("id").ok_or("it has no id")?;
        let token = document
            .text("LeaseToken")
            .or_else(|| document.text("PartitionId"))
            .filter(|token| !token.is_empty())
            .ok_or("it has no LeaseToken")?;
        let form = form_of(&document, &token, target)?;
        let own_range = match form {
            Form::NetPartition => range_of(&document, "FeedRange")?,
            Form::NetRange => {
                let range = range_of(&document, "FeedRange")?;
                Some(range.ok_or("it has no FeedRange")?)
            }
            Form::JavaRange => {
                let range = range_of(&document, "feedRange")?;
                Some(range.ok_or("it has no feedRange")?)
            }
            Form::JavaPartition => None,
        };
        let (checkpoint, state) = checkpoint_of(&document, form)?;
        let mode = match (document.text("Mode"), &state) {
            (_, Some(state)) => state.mode(),
            (Some(mode), None) if mode == "Full-Fidelity Feed" => FeedMode::AllVersionsAndDeletes,
            _ => FeedMode::LatestVersion,
        };
        Ok(Self {
            owner: document.text("Owner").filter(|owner| !owner.is_empty()),
            renewed: document
                .text("timestamp")
                .and_then(|text| moment::parse(&text)),
            written: document.whole("_ts"),
            etag: document.text("_etag"),
            id,
            token,
            form,
            checkpoint,
            own_range,
            mode,
            document,
        })
    }

    /// When it counts as renewed. Without a time that it names itself, .NET takes the service's, and Java the
    /// present.
    pub(crate) fn renewed_at(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.renewed.or_else(|| match self.form.dialect() {
            Dialect::Net => OffsetDateTime::from_unix_timestamp(self.written?).ok(),
            Dialect::JavaPartition | Dialect::JavaRange => self.owner.as_ref().map(|_| now),
        })
    }

    /// The state that the token of a Java lease holds.
    pub(crate) fn java_state(&self) -> Option<JavaState> {
        let token = self.document.text("ContinuationToken")?;
        JavaState::decode(&token).ok()
    }
}

fn form_of(document: &Document, token: &str, target: &Target) -> Result<Form, String> {
    let is_java_range = document.has("feedRange");
    let has_net_members = ["FeedRange", "properties", "PartitionId", "Mode"]
        .iter()
        .any(|name| document.has(name));
    if is_java_range && has_net_members {
        return Err("it has members of .NET and of Java".to_owned());
    }
    let version = match document.value("version") {
        None | Some(Value::Null) => None,
        Some(version) => match version.as_i64() {
            Some(version @ 0..=1) => Some(version),
            _ => {
                return Err(format!(
                    "its version is {}, which is not known",
                    version.to_string().chars().take(20).collect::<String>()
                ));
            }
        },
    };
    let is_partition = token.bytes().all(|byte| byte.is_ascii_digit());
    Ok(match version {
        _ if is_java_range => Form::JavaRange,
        Some(1) => Form::NetRange,
        Some(_) => Form::NetPartition,
        None if has_net_members => Form::NetPartition,
        None if !is_partition => return Err("it has no range".to_owned()),
        // The oldest leases of .NET have no members of their own.
        None if matches!(target, Target::Rid(_)) => Form::NetPartition,
        None => Form::JavaPartition,
    })
}

/// The range in a member, if there is one.
fn range_of(document: &Document, name: &str) -> Result<Option<FeedRange>, String> {
    let Some(value) = document.value(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let range = &value["Range"];
    if range["isMinInclusive"] == false || range["isMaxInclusive"] == true {
        return Err(format!("the bounds of its {name} are unusual"));
    }
    let bound = |bound: &str| Some(range[bound].as_str()?.to_ascii_uppercase());
    let both = bound("min").zip(bound("max"));
    let range = both.and_then(|(min, max)| FeedRange::new(&min, &max).ok());
    range
        .map(Some)
        .ok_or_else(|| format!("its {name} is not a range"))
}

fn checkpoint_of(
    document: &Document,
    form: Form,
) -> Result<(Checkpoint, Option<JavaState>), String> {
    let token = match document.value("ContinuationToken") {
        None | Some(Value::Null) => return Ok((Checkpoint::Unset, None)),
        Some(Value::String(token)) => token,
        Some(_) => return Err("its ContinuationToken is not a string".to_owned()),
    };
    let decoded = JavaState::decode(&token);
    Ok(match (form, decoded) {
        (Form::JavaRange, Ok(state)) => {
            let checkpoint = state.etag().map_or(Checkpoint::Unset, checkpoint_at);
            (checkpoint, Some(state))
        }
        (Form::JavaRange, Err(error)) => {
            let reason = format!("its token is not one of Java's: {error:#}");
            (Checkpoint::Unreadable(reason), None)
        }
        (_, Ok(_)) => {
            let reason = "its token is one of Java's, which a processor of .NET has taken over";
            (Checkpoint::Unreadable(reason.to_owned()), None)
        }
        (_, Err(_)) if token.is_empty() => (Checkpoint::Unset, None),
        (_, Err(_)) => (checkpoint_at(&token), None),
    })
}

fn checkpoint_at(etag: &str) -> Checkpoint {
    if lsn_of_etag(etag).is_some() {
        return Checkpoint::At(etag.to_owned());
    }
    let shown: String = etag.escape_debug().take(40).collect();
    Checkpoint::Unreadable(format!("its position `{shown}` is none of a change feed"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rid() -> Target {
        Target::Rid("nMNRAKUxYpc=".to_owned())
    }

    fn parse(document: &Value) -> Result<Lease, String> {
        parse_in(document, &rid())
    }

    fn parse_in(document: &Value, target: &Target) -> Result<Lease, String> {
        Lease::of(
            Document::parse(document.to_string().as_bytes()).unwrap(),
            target,
        )
    }

    #[test]
    fn each_form_is_told_from_the_others() {
        let range = json!({"Range": {"min": "", "max": "FF"}});
        let java = JavaState::new(
            "r",
            FeedMode::AllVersionsAndDeletes,
            &FeedRange::full(),
            "\"9\"",
        );
        for (document, form, lsn) in [
            (
                json!({"id": "p..0", "version": 0, "LeaseToken": "0", "FeedRange": range, "Owner": null,
                    "ContinuationToken": "\"7\"", "properties": {}}),
                Form::NetPartition,
                Some(7),
            ),
            // Older ones.
            (
                json!({"id": "p..0", "PartitionId": "0", "ContinuationToken": "7", "properties": {}}),
                Form::NetPartition,
                Some(7),
            ),
            (
                json!({"id": "p..0", "LeaseToken": "0"}),
                Form::NetPartition,
                None,
            ),
            (
                json!({"id": "p..-FF", "version": 1, "LeaseToken": "-FF", "FeedRange": range}),
                Form::NetRange,
                None,
            ),
            (
                json!({"id": "p..-FF", "LeaseToken": "-FF", "feedRange": range,
                    "ContinuationToken": java.encode()}),
                Form::JavaRange,
                Some(9),
            ),
        ] {
            let lease = parse(&document).unwrap();
            assert_eq!(
                (lease.form, lease.checkpoint.lsn()),
                (form, lsn),
                "{document}"
            );
        }
        let names = Target::Names("shop_orders".to_owned());
        let document = json!({"id": "p..0", "LeaseToken": "0", "ContinuationToken": "\"3\"",
            "timestamp": "2026-08-15T12:00:00.000Z", "Owner": "a"});
        let lease = parse_in(&document, &names).unwrap();
        assert_eq!(lease.form, Form::JavaPartition);
        assert_eq!(lease.own_range, None);
    }

    #[test]
    fn what_is_no_lease_says_why() {
        let range = json!({"Range": {"min": "", "max": "FF"}});
        for (document, reason) in [
            (json!({"id": "p..0"}), "no LeaseToken"),
            (json!({"id": "p..0", "LeaseToken": 0}), "no LeaseToken"),
            (json!({"id": "p..x", "LeaseToken": "x"}), "no range"),
            (
                json!({"id": "p..0", "LeaseToken": "0", "version": 2}),
                "version is 2",
            ),
            (
                json!({"id": "p..0", "LeaseToken": "0", "version": "1"}),
                "version is \"1\"",
            ),
            (
                json!({"id": "p..-FF", "LeaseToken": "-FF", "version": 1}),
                "no FeedRange",
            ),
            (
                json!({"id": "p..-FF", "LeaseToken": "-FF", "feedRange": {"Range": {"min": "x", "max": "FF"}}}),
                "not a range",
            ),
            (
                json!({"id": "p..-FF", "LeaseToken": "-FF", "feedRange": range, "FeedRange": range}),
                "of .NET and of Java",
            ),
            (
                json!({"id": "p..0", "LeaseToken": "0", "ContinuationToken": 7}),
                "not a string",
            ),
        ] {
            let found = parse(&document).unwrap_err();
            assert!(found.contains(reason), "{document}: {found}");
        }
    }

    #[test]
    fn a_token_of_the_other_sdk_is_named() {
        let range = json!({"Range": {"min": "", "max": "FF"}});
        let java = JavaState::new("r", FeedMode::LatestVersion, &FeedRange::full(), "\"9\"");
        let spoiled = json!({"id": "p..-FF", "version": 1, "LeaseToken": "-FF", "FeedRange": range,
            "ContinuationToken": java.encode()});
        let lease = parse(&spoiled).unwrap();
        assert!(matches!(lease.checkpoint, Checkpoint::Unreadable(_)));
        let nonsense =
            json!({"id": "p..0", "LeaseToken": "0", "version": 0, "ContinuationToken": "abc"});
        let lease = parse(&nonsense).unwrap();
        assert!(matches!(lease.checkpoint, Checkpoint::Unreadable(_)));
        let net = json!({"id": "p..-FF", "LeaseToken": "-FF", "feedRange": range, "ContinuationToken": "\"9\""});
        let lease = parse(&net).unwrap();
        assert!(matches!(lease.checkpoint, Checkpoint::Unreadable(_)));
    }
}
