//! The steps: what is run, and how it is judged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::child::Program;
use super::known::{self, FILLERS};
use super::oracle::{Expected, Sameness, documents_of};
use super::outcome::{Shape, Verdict};
use super::scratch::Scratch;
use super::sightings::Sightings;
use super::writes::Writer;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::scratch::Refusal;

pub(super) const DOCUMENTS: &str = "documents";
pub(super) const LEVELS: &str = "levels";
pub(super) const VERSIONS: &str = "versions";
/// What an error says of a container that does not exist.
const MISSING: &str = "there is no container `missing` in the database";

/// A test that runs: the account, the program, and what each container holds.
pub(super) struct Trial<'a> {
    pub(super) account: &'a CosmosAccount,
    pub(super) program: &'a Program,
    pub(super) scratch: &'a Scratch,
    pub(super) max_ru: Option<u64>,
    pub(super) documents: Expected,
    pub(super) levels: Expected,
    pub(super) versions: Expected,
    /// Why no container keeps all versions by its own policy.
    pub(super) policy_refusal: Option<String>,
}

/// A format of files, and how exactly it keeps a document.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) name: &'static str,
    arguments: &'static [&'static str],
    sameness: Sameness,
}

const fn form(name: &'static str, arguments: &'static [&'static str], sameness: Sameness) -> Form {
    Form {
        name,
        arguments,
        sameness,
    }
}

/// The formats in which the documents are exported and read back.
pub(super) const FORMS: [Form; 8] = [
    form("JSON lines", &[], Sameness::Text),
    form(
        "JSON lines, zstd",
        &["--compression", "zstd"],
        Sameness::Text,
    ),
    form(
        "JSON lines, gzip",
        &["--compression", "gzip"],
        Sameness::Text,
    ),
    form(
        "CSV of raw documents",
        &["--format", "csv", "--schema", "raw"],
        Sameness::Text,
    ),
    form(
        "CSV of columns",
        &["--format", "csv", "--sample", "all"],
        Sameness::Content,
    ),
    form(
        "Parquet of columns",
        &["--format", "parquet", "--sample", "all"],
        Sameness::Content,
    ),
    form(
        "Parquet of raw documents",
        &[
            "--format",
            "parquet",
            "--compression",
            "zstd",
            "--schema",
            "raw",
        ],
        Sameness::Text,
    ),
    form(
        "Arrow of columns",
        &["--format", "arrow", "--compression", "lz4"],
        Sameness::Content,
    ),
];

/// Words of a command line.
macro_rules! words {
    ($($word:expr),* $(,)?) => { Vec::from([$(std::ffi::OsString::from($word)),*]) };
}
pub(super) use words;

impl<'a> Trial<'a> {
    pub(super) fn new(
        account: &'a CosmosAccount,
        program: &'a Program,
        scratch: &'a Scratch,
        max_ru: Option<u64>,
    ) -> Self {
        Self {
            account,
            program,
            scratch,
            max_ru,
            documents: Expected::default(),
            levels: Expected::default(),
            versions: Expected::default(),
            policy_refusal: None,
        }
    }

    pub(super) async fn open(&self, container: &str) -> Result<CosmosClient> {
        self.account.open(&self.scratch.name, container).await
    }

    /// `-d DATABASE -c CONTAINER`.
    pub(super) fn named(&self, container: &str) -> Vec<OsString> {
        words!["-d", &self.scratch.name, "-c", container]
    }

    /// What the witness saw so far.
    pub(super) fn seen(&self) -> Sightings {
        Sightings::read(self.program.witness())
    }

    /// Creates a container in the database of the test. One that is there was created by an attempt whose answer was lost.
    pub(super) async fn create_container(
        &self,
        definition: &serde_json::Value,
        throughput: Option<u64>,
    ) -> Result<Result<(), Refusal>> {
        let created = self
            .account
            .create_container_by(&self.scratch.name, definition, throughput)
            .await?;
        Ok(match created {
            Err(refusal) if refusal.status == 409 => Ok(()),
            created => created,
        })
    }

    /// The containers.
    pub(super) async fn create_containers(&mut self) -> Result<Verdict> {
        let keyed = |name: &str, paths: &[&str]| {
            let kind = if paths.len() > 1 { "MultiHash" } else { "Hash" };
            json!({ "id": name, "partitionKey": { "paths": paths, "kind": kind, "version": 2 } })
        };
        for definition in [
            keyed(DOCUMENTS, &["/pk"]),
            keyed(LEVELS, &["/tenant", "/user"]),
        ] {
            if let Err(refusal) = self.create_container(&definition, None).await? {
                return Ok(refusal.into());
            }
        }
        let plain = keyed(VERSIONS, &["/pk"]);
        let mut keeping = plain.clone();
        keeping["changeFeedPolicy"] = json!({ "retentionDuration": 10 });
        if let Err(refusal) = self.create_container(&keeping, None).await? {
            if !matches!(refusal.status, 400 | 403) {
                return Ok(refusal.into());
            }
            self.policy_refusal = Some(refusal.reason);
            if let Err(refusal) = self.create_container(&plain, None).await? {
                return Ok(refusal.into());
            }
        }
        Ok(Verdict::Passed)
    }

    /// Writes the known set: every shape, then many small documents, of which some are replaced and deleted.
    pub(super) async fn write_documents(&mut self, shapes: &mut Vec<Shape>) -> Result<Verdict> {
        let client = self.open(DOCUMENTS).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        for known in known::shapes() {
            shapes.push(writer.try_shape(&known, &mut self.documents).await?);
        }
        for number in 0..FILLERS {
            writer
                .put(&known::filler(number, 1), &mut self.documents)
                .await?;
        }
        for number in (0..FILLERS).step_by(5) {
            writer
                .put(&known::filler(number, 2), &mut self.documents)
                .await?;
        }
        for number in (3..FILLERS).step_by(20) {
            writer
                .delete(&known::filler(number, 1), &mut self.documents)
                .await?;
        }
        let client = self.open(LEVELS).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        for known in known::levels() {
            shapes.push(writer.try_shape(&known, &mut self.levels).await?);
        }
        Ok(Verdict::Passed)
    }

    /// Exports the documents in a form, and judges the files as `replay` reads them back.
    pub(super) async fn export(&self, form: Form) -> Result<Verdict> {
        let out = self.program.path(&form.name.replace([' ', ','], "-"));
        let mut command = words!["export", "-o", &out];
        command.extend(self.named(DOCUMENTS));
        command.extend(form.arguments.iter().map(OsString::from));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        self.judge_files(&out, &self.documents, form.sameness).await
    }

    /// Judges the files of an export, after `verify`.
    pub(super) async fn judge_files(
        &self,
        out: &Path,
        expected: &Expected,
        sameness: Sameness,
    ) -> Result<Verdict> {
        if expected.len() == 0 {
            return Ok(Verdict::Failed(
                "the service accepted no document of it, so nothing was tested".to_owned(),
            ));
        }
        let verified = self.program.run(&words!["verify", out]).await?;
        if verified.code != Some(0) {
            return Ok(Verdict::Failed(format!("verify: {}", verified.reason())));
        }
        let read = self.program.run(&words!["replay", out, "--stdout"]).await?;
        if read.code != Some(0) {
            return Ok(Verdict::Failed(format!(
                "reading it back: {}",
                read.reason()
            )));
        }
        Ok(expected
            .judge(&documents_of(&read.stdout)?, sameness)
            .into())
    }

    /// Exports the documents with a hierarchical key.
    pub(super) async fn export_levels(&self) -> Result<Verdict> {
        let out = self.program.path(LEVELS);
        let mut command = words!["export", "-o", &out];
        command.extend(self.named(LEVELS));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        self.judge_files(&out, &self.levels, Sameness::Text).await
    }

    /// Exports what a query selects.
    pub(super) async fn query(&self) -> Result<Verdict> {
        let out = self.program.path("query");
        let mut command = words!["export", "-o", &out, "--parameter", "kind=filler"];
        command.extend(words!["--query", "SELECT * FROM c WHERE c.kind = @kind"]);
        command.extend(self.named(DOCUMENTS));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        let fillers = self.documents.only(|id| id.starts_with("filler-"));
        self.judge_files(&out, &fillers, Sameness::Text).await
    }

    /// Exports a container that does not exist, which is refused.
    pub(super) async fn missing(&self) -> Result<Verdict> {
        let mut command = words!["export", "-o", self.program.path("missing")];
        command.extend(self.named("missing"));
        let ended = self.program.run(&command).await?;
        Ok(match ended.code {
            Some(1) if ended.reason().contains(MISSING) => Verdict::Passed,
            _ => Verdict::Failed(format!("it was not refused: {}", ended.reason())),
        })
    }

    /// Kills an export, kills its resume, and resumes it to its end.
    pub(super) async fn kill(&self, form: Form) -> Result<Verdict> {
        let mut kills = 0;
        let out = self
            .program
            .path(&format!("killed-{}", form.name.replace([' ', ','], "-")));
        let state = state_of(&out);
        let small = [
            "--page-size",
            "2",
            "--concurrency",
            "1",
            "--checkpoint-interval",
            "20ms",
        ];
        let mut command = words!["export", "-o", &out];
        command.extend(self.named(DOCUMENTS));
        command.extend(form.arguments.iter().map(OsString::from));
        let resume = words!["resume", &out];
        for arguments in [&command, &resume] {
            let mut arguments = arguments.clone();
            arguments.extend(small.iter().map(OsString::from));
            let mut running = self.program.start(&arguments)?;
            let (mut base, wanted) = (None, fastrand::usize(2..20));
            let witness = self.program.witness();
            running
                .until(|_| {
                    state.exists() && {
                        let lines = lines_of(witness);
                        lines >= *base.get_or_insert(lines) + wanted
                    }
                })
                .await?;
            kills += u32::from(running.kill().await?);
        }
        let ended = self.program.run(&resume).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!("resume: {}", ended.reason())));
        }
        let verdict = self
            .judge_files(&out, &self.documents, form.sameness)
            .await?;
        Ok(match (verdict, kills) {
            (Verdict::Passed, 0 | 1) => {
                Verdict::Skipped("it ended before it could be killed twice".to_owned())
            }
            (verdict, _) => verdict,
        })
    }
}

/// The state of an export to the directory `out`.
fn state_of(out: &Path) -> PathBuf {
    let name = out.file_name().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("_{name}.cosmos-tail"))
        .join("state.json")
}

/// How many answers the witness has written.
fn lines_of(witness: &Path) -> usize {
    let bytes = std::fs::read(witness).unwrap_or_default();
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

/// The lines of all finished files of JSON lines in a directory.
pub(super) fn lines_in(directory: &Path) -> Result<Vec<Vec<u8>>> {
    let entries = std::fs::read_dir(directory).context("an export has no directory")?;
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| {
            entry
                .map(|entry| entry.path())
                .map_err(|error| anyhow!(error))
        })
        .collect::<Result<_>>()?;
    paths.sort();
    let mut lines = Vec::new();
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
    {
        lines.extend(documents_of(path)?);
    }
    Ok(lines)
}
