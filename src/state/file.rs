//! The state file: how a state is written, and checked when it is read.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use fs_err as fs;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::claim::Claim;
use super::model::{State, VERSION};
use crate::count::exactly;
use crate::destination::earlier::Earlier;
use crate::destination::{Output, STATE_FILE, StateDirectory, find_state};
use crate::durable::{self, shown_path};
use crate::error::{ExitCode, usage, with_exit_code, with_hint};

const FORM: Form = Form {
    name: "cosmos-tail state",
    version: VERSION,
    start_over: "export to a new place",
};

/// A kind of state file, by its envelope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Form {
    /// The name that marks it.
    pub(crate) name: &'static str,
    /// The format that this build writes, and the newest that it reads.
    pub(crate) version: u32,
    /// How to start over without the state.
    pub(crate) start_over: &'static str,
}

/// The largest state file that is read: some ten thousand ranges take a few megabytes.
const MAX_BYTES: u64 = 256 << 20;

/// The envelope of the state: enough to know whether it can be read at all.
#[derive(Serialize, Deserialize)]
struct Envelope<'a> {
    format: String,
    version: u32,
    /// The checksum of the text of `state`.
    #[serde(with = "crate::destination::checksum_text")]
    crc32c: u32,
    /// Who wrote it, in a store without locks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    claim: Option<Claim>,
    #[serde(borrow)]
    state: &'a RawValue,
}

/// The text of a state file.
///
/// # Errors
///
/// If the state breaks one of its rules ([`State::check`]): better no commit than a wrong one.
pub fn render(state: &State) -> Result<Vec<u8>> {
    render_with_claim(state, None)
}

/// The same, with the claim of the writer, for a store without locks.
///
/// # Errors
///
/// As [`render`].
pub fn render_with_claim(state: &State, claim: Option<Claim>) -> Result<Vec<u8>> {
    ensure!(
        state.version == VERSION,
        "a state of an older format cannot be written"
    );
    state
        .check()
        .context("the state to be committed contradicts itself; nothing was committed")?;
    FORM.render_with_claim(state, claim)
}

impl Form {
    /// The text of a state file that holds `state`.
    ///
    /// # Errors
    ///
    /// If it cannot be serialized.
    pub(crate) fn render(&self, state: &impl Serialize) -> Result<Vec<u8>> {
        self.render_with_claim(state, None)
    }

    /// The same, with the claim of the writer.
    fn render_with_claim(&self, state: &impl Serialize, claim: Option<Claim>) -> Result<Vec<u8>> {
        let body = RawValue::from_string(serde_json::to_string_pretty(state)?)?;
        let envelope = Envelope {
            format: self.name.to_owned(),
            version: self.version,
            crc32c: crc32c::crc32c(body.get().as_bytes()),
            claim,
            state: &body,
        };
        let mut text = serde_json::to_vec(&envelope)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The state in the text of a state file.
    ///
    /// # Errors
    ///
    /// If it is of another form or newer than this build, or if it is corrupt.
    pub(crate) fn parse<T: DeserializeOwned>(&self, text: &[u8]) -> Result<T> {
        self.parse_with_version(text).map(|(state, _)| state)
    }

    /// The same, with the format version of the text.
    ///
    /// # Errors
    ///
    /// As [`Form::parse`].
    fn parse_with_version<T: DeserializeOwned>(&self, text: &[u8]) -> Result<(T, u32)> {
        #[derive(Deserialize)]
        struct Version {
            format: String,
            version: u32,
        }
        let corrupt = |reason: String| self.corrupt(&reason);
        // The version first: a newer format need not have anything else in common with this one.
        let version: Version = serde_json::from_slice(text).map_err(|e| corrupt(e.to_string()))?;
        if version.format != self.name && version.format.starts_with("cosmos-tail ") {
            return Err(usage(
                format!("it is a {}, not a {}", version.format, self.name),
                "`resume` continues exports; to continue a tail or a replay, run its command again",
            ));
        }
        if version.format != self.name {
            return Err(corrupt(format!("it is not marked as a {}", self.name)));
        }
        if version.version > self.version {
            return Err(with_hint(
                anyhow!(
                    "state format {} is newer than this build supports ({})",
                    version.version,
                    self.version
                ),
                format!("upgrade cosmos-tail, or {}", self.start_over),
            ));
        }
        let envelope: Envelope =
            serde_json::from_slice(text).map_err(|e| corrupt(e.to_string()))?;
        let found = crc32c::crc32c(envelope.state.get().as_bytes());
        if found != envelope.crc32c {
            return Err(corrupt(format!(
                "its checksum is {found:08x}, but {:08x} is recorded",
                envelope.crc32c
            )));
        }
        let state =
            serde_json::from_str(envelope.state.get()).map_err(|e| corrupt(e.to_string()))?;
        Ok((state, version.version))
    }

    fn corrupt(&self, reason: &str) -> anyhow::Error {
        with_hint(
            anyhow!("the state file is corrupt: {reason}"),
            format!(
                "a damaged or older state could lose or repeat changes, so it is not used: restore its last \
                 version, or {}",
                self.start_over
            ),
        )
    }
}

/// Reads the state file `path`.
///
/// # Errors
///
/// If there is none, if it is newer than this build, or if it is corrupt. It is then left unchanged: an
/// older copy in its place could repeat changes.
pub fn load(path: &Path) -> Result<State> {
    read(path).with_context(|| format!("cannot resume from `{}`", shown_path(&path)))
}

/// Reads the state file `path`, for whatever purpose.
///
/// # Errors
///
/// As [`load`].
pub fn read(path: &Path) -> Result<State> {
    let state = parse(&read_text(path)?)?;
    if state.options.output == Output::Objects {
        return Err(usage(
            "it is the state of an export to an object store, and counts only there",
            "name the address of the export, such as az://CONTAINER/PATH/",
        ));
    }
    Ok(state)
}

/// The text of the state file `path`.
///
/// # Errors
///
/// If there is none, or it cannot be one.
pub(crate) fn read_text(path: &Path) -> Result<Vec<u8>> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(with_hint(
                with_exit_code(anyhow!("there is no such file"), ExitCode::Usage),
                "`export -o DIR` keeps its state in _DIR.cosmos-tail/state.json, `export -o FILE` in \
                 FILE.state.json",
            ));
        }
        Err(error) => return Err(error.into()),
    };
    if metadata.is_dir() {
        return Err(with_hint(
            with_exit_code(anyhow!("it is a directory"), ExitCode::Usage),
            match find_state(path) {
                Ok(Some(state)) => format!("name the state file: {}", shown_path(&state)),
                _ => format!(
                    "no export keeps its state there: name a state, such as {}",
                    shown_path(&StateDirectory::Beside.of(path).join(STATE_FILE))
                ),
            },
        ));
    }
    ensure!(metadata.is_file(), "it is not a regular file");
    ensure!(
        metadata.len() <= MAX_BYTES,
        "with {} it is not a state file",
        exactly(metadata.len(), "byte")
    );
    Ok(fs::read(path)?)
}

/// Parses the text of a state file.
///
/// # Errors
///
/// As [`load`].
pub fn parse(text: &[u8]) -> Result<State> {
    let (mut state, version) = FORM.parse_with_version::<State>(text)?;
    state.version = version;
    state.check().map_err(|e| FORM.corrupt(&e.to_string()))?;
    Ok(state)
}

/// The claim in the text of a state file, if it can be read.
pub fn claim_of(text: &[u8]) -> Option<Claim> {
    serde_json::from_slice::<Envelope>(text).ok()?.claim
}

/// The files that the state file `path` lists, for an export that replaces them.
///
/// # Errors
///
/// As [`load`].
pub fn read_earlier(path: &Path) -> Result<Earlier> {
    let state = read(path)?;
    Ok(Earlier {
        export_id: state.export_id,
        names: state.file_names(durable::parent_of(path)),
        output: state.options.output,
        ranges: state.ranges,
        series: state.series,
        sealed: state.sealed,
        manifest: state.manifest,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::destination::{Output, SeriesState};
    use crate::feed::*;
    use crate::format::{Compression, Format};
    use crate::state::model::*;

    pub(crate) fn sample() -> State {
        let part = |id: u32, min: &str, max: &str| {
            let position = Position {
                token: format!("c1.token{id}"),
                lsn: Some(7),
            };
            (FeedRange::new(min, max).unwrap(), Some(position))
        };
        let source = ContainerAddress {
            endpoint: "https://a.documents.azure.com/".into(),
            database: "shop".into(),
            container: "orders".into(),
            container_rid: "AAAA".into(),
        };
        let options = FrozenOptions {
            mode: FeedMode::LatestVersion,
            scope: Scope::default(),
            snapshot: false,
            query: None,
            masked: false,
            from: ChangeFeedStart::Beginning,
            format: Format::Jsonl,
            compression: Compression::None,
            layout: None,
            table: crate::schema::TableForm::default(),
            inference: None,
            csv: None,
            output: Output::Directory(".".into()),
            partition_by: None,
            records: None,
        };
        let settings = Settings {
            follow: false,
            until: None,
            concurrency: None,
            page_size: 1000,
            max_retries: 15.into(),
            max_ru: None,
            poll_interval_ms: 1000,
            checkpoint_interval_ms: 5000,
            checkpoint_bytes: 1 << 28,
            rotate_bytes: None,
            rotate_interval_ms: None,
            row_group_bytes: None,
            extra: None,
        };
        State {
            export_id: uuid::Uuid::from_u128(7),
            generation: 3,
            created: time::macros::datetime!(2026-11-23 12:00 UTC),
            ranges: RangeSet::number([part(0, "", "1FFF"), part(1, "1FFF", "FF")]).unwrap(),
            series: vec![SeriesState {
                id: 0,
                next_part: 1,
                open: None,
            }],
            ..State::new(JobKind::Export, source, options, settings)
        }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let state = sample();
        assert_eq!(parse(&render(&state).unwrap()).unwrap(), state);
    }

    #[test]
    fn a_scope_comes_back_as_it_was() {
        let mut state = sample();
        state.options.scope.ranges = state.ranges.iter().map(|r| r.range.clone()).collect();
        assert_eq!(parse(&render(&state).unwrap()).unwrap(), state);
        state.options.scope.partition_key = Some(vec!["a".into()]);
        assert_eq!(parse(&render(&state).unwrap()).unwrap(), state);
    }

    #[test]
    fn what_was_not_asked_for_is_not_in_the_text() {
        let text = String::from_utf8(render(&sample()).unwrap()).unwrap();
        for absent in ["scope", "compression", "overflowed"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let text = render(&sample()).unwrap();
        for at in 0..text.len() - 1 {
            let mut changed = text.clone();
            changed[at] = changed[at].wrapping_add(1);
            assert!(parse(&changed).is_err(), "byte {at}");
            assert!(parse(&text[..at]).is_err(), "length {at}");
        }
    }

    #[test]
    fn only_what_is_missing_is_called_missing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("state.json");
        let missing = "there is no such file";
        assert_eq!(read(&path).unwrap_err().to_string(), missing);
        fs::write(&path, "").unwrap();
        let below = read(&path.join("below-a-file")).unwrap_err();
        assert_ne!(below.to_string(), missing);
    }

    #[test]
    fn a_newer_state_is_refused_whatever_it_holds() {
        let newer = br#"{"format":"cosmos-tail state","version":4,"body":"something else"}"#;
        let error = parse(newer).unwrap_err().to_string();
        assert_eq!(
            error,
            "state format 4 is newer than this build supports (3)"
        );
    }

    #[test]
    fn a_state_that_contradicts_itself_is_not_written() {
        let mut state = sample();
        let (mut ranges, next) = state.ranges.into_parts();
        ranges.pop();
        state.ranges = RangeSet::from_parts(ranges, next);
        assert!(format!("{:#}", render(&state).unwrap_err()).contains("feed ranges end at `1FFF`"));
    }
}
