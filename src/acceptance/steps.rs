//! The steps: what is run, and how it is judged.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use super::child::{Ended, Program};
use super::known::{self, FILLERS};
use super::oracle::{self, Expected, Sameness, Version, documents_of, judge_versions, versions_of};
use super::outcome::{Shape, Verdict};
use super::scratch::{MARKER_CONTAINER, Scratch};
use super::sightings::Sightings;
use super::writes::Writer;
use crate::cosmos::account::CosmosAccount;
use crate::cosmos::client::CosmosClient;
use crate::feed::page::OperationType;

pub(super) const DOCUMENTS: &str = "documents";
const LEVELS: &str = "levels";
const VERSIONS: &str = "versions";
const COPY: &str = "copy";
const LEVELS_COPY: &str = "levels_copy";

/// How long a tail waits for another change before it ends.
const IDLE: &str = "4s";
/// The ids of documents of several versions that are in the container before anything is read.
const OLD: [&str; 3] = ["old-1", "old-2", "old-3"];

/// A test that runs: the account, the program, and what each container holds.
pub(super) struct Trial<'a> {
    pub(super) account: &'a CosmosAccount,
    pub(super) program: &'a Program,
    pub(super) scratch: &'a Scratch,
    pub(super) max_ru: Option<u64>,
    pub(super) documents: Expected,
    levels: Expected,
    versions: Expected,
    /// Why no container keeps all versions by its own policy.
    policy_refusal: Option<String>,
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

    /// The containers.
    pub(super) async fn create_containers(&mut self) -> Result<Verdict> {
        let database = &self.scratch.name;
        let keyed = |name: &str, paths: &[&str]| {
            let kind = if paths.len() > 1 { "MultiHash" } else { "Hash" };
            json!({ "id": name, "partitionKey": { "paths": paths, "kind": kind, "version": 2 } })
        };
        for definition in [
            keyed(DOCUMENTS, &["/pk"]),
            keyed(LEVELS, &["/tenant", "/user"]),
        ] {
            let created = self
                .account
                .create_container_by(database, &definition, None)
                .await?;
            if let Err(refusal) = created {
                return Ok(Verdict::Refused(refusal.reason));
            }
        }
        let plain = keyed(VERSIONS, &["/pk"]);
        let mut keeping = plain.clone();
        keeping["changeFeedPolicy"] = json!({ "retentionDuration": 10 });
        if let Err(refusal) = self
            .account
            .create_container_by(database, &keeping, None)
            .await?
        {
            self.policy_refusal = Some(refusal.reason);
            let created = self
                .account
                .create_container_by(database, &plain, None)
                .await?;
            if let Err(refusal) = created {
                return Ok(Verdict::Refused(refusal.reason));
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
    async fn judge_files(
        &self,
        out: &Path,
        expected: &Expected,
        sameness: Sameness,
    ) -> Result<Verdict> {
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
            Some(1) => Verdict::Passed,
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
            "3",
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
            (Verdict::Passed, 0) => {
                Verdict::Skipped("it ended before it could be killed".to_owned())
            }
            (verdict, _) => verdict,
        })
    }

    /// What the account refuses of the feed of all versions, or how it failed.
    fn refused_or_failed(&self, before: u64, ended: &Ended) -> Verdict {
        let reason = match &self.policy_refusal {
            Some(policy) => format!(
                "{}; a container that keeps them was refused: {policy}",
                ended.reason()
            ),
            None => ended.reason(),
        };
        match self.seen().refusals() > before {
            true => Verdict::Refused(reason),
            false => Verdict::Failed(reason),
        }
    }

    /// Creates, replaces and deletes documents; returns each version in its order.
    async fn change(&mut self, writer: &mut Writer<'_>, new: &str) -> Result<Vec<Version>> {
        use OperationType::{Create, Delete, Replace};
        let (first, second) = (format!("{new}-1"), format!("{new}-2"));
        let mut versions = Vec::new();
        for (id, number, operation) in [
            (first.as_str(), 1, Create),
            (&first, 2, Replace),
            (OLD[0], 7, Replace),
            (&second, 1, Create),
            (&first, 3, Replace),
            (&first, 0, Delete),
            (&second, 0, Delete),
            (&second, 2, Create),
        ] {
            let known = known::version(id, number);
            let text = match operation {
                Delete => {
                    writer.delete(&known, &mut self.versions).await?;
                    None
                }
                _ => Some(writer.put(&known, &mut self.versions).await?),
            };
            versions.push(oracle::version(operation, id, text));
        }
        Ok(versions)
    }

    /// Exports all versions: every one once, in the order of its document.
    pub(super) async fn all_versions(&mut self) -> Result<Verdict> {
        let client = self.open(VERSIONS).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        for id in OLD {
            writer
                .put(&known::version(id, 1), &mut self.versions)
                .await?;
        }
        let out = self.program.path("all");
        let before = self.seen().refusals();
        let mut command = words!["export", "-o", &out, "--mode", "all"];
        command.extend(self.named(VERSIONS));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(self.refused_or_failed(before, &ended));
        }
        let expected = self.change(&mut writer, "new").await?;
        let ended = self.program.run(&words!["resume", &out]).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!("resume: {}", ended.reason())));
        }
        Ok(judge_versions(&expected, &versions_of(&lines_in(&out)?)?).into())
    }

    /// Exports a snapshot, and the changes since.
    pub(super) async fn snapshot(&mut self) -> Result<Verdict> {
        let out = self.program.path("snapshot");
        let before = self.seen().refusals();
        let mut command = words!["export", "-o", &out, "--mode", "all", "--snapshot"];
        command.extend(self.named(VERSIONS));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(self.refused_or_failed(before, &ended));
        }
        let client = self.open(VERSIONS).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        let at_first = self.versions.clone();
        let expected = self.change(&mut writer, "later").await?;
        let ended = self.program.run(&words!["resume", &out]).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!("resume: {}", ended.reason())));
        }
        let read = versions_of(&lines_in(&out)?)?;
        let (documents, changes): (Vec<_>, Vec<_>) = read
            .into_iter()
            .partition(|version| version.operation == Some(OperationType::Snapshot));
        let documents: Vec<Vec<u8>> = documents
            .into_iter()
            .filter_map(|version| version.text)
            .collect();
        let judged = at_first.judge(&documents, Sameness::Text);
        Ok(judged
            .and_then(|()| judge_versions(&expected, &changes))
            .into())
    }

    /// Copies the documents from container to container.
    pub(super) async fn copy(&self) -> Result<Verdict> {
        let source = format!("{}/{DOCUMENTS}", self.scratch.name);
        let mut command = words!["replay", "--from-container", source, "--create"];
        command.extend(self.named(COPY));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        self.judge_container(COPY, &self.documents).await
    }

    /// Copies the documents with a hierarchical key from files.
    pub(super) async fn copy_files(&self) -> Result<Verdict> {
        let out = self.program.path(LEVELS);
        let mut command = words!["replay", out, "--create"];
        command.extend(self.named(LEVELS_COPY));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        self.judge_container(LEVELS_COPY, &self.levels).await
    }

    /// Judges what a container holds.
    async fn judge_container(&self, container: &str, expected: &Expected) -> Result<Verdict> {
        let out = self.program.path(&format!("judged-{container}"));
        let mut command = words!["export", "-o", &out];
        command.extend(self.named(container));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!(
                "reading the copy: {}",
                ended.reason()
            )));
        }
        self.judge_files(&out, expected, Sameness::Text).await
    }

    /// Compares the copy, which is the same, and once a document of it is gone.
    pub(super) async fn compare(&self) -> Result<Verdict> {
        let source = format!("{}/{DOCUMENTS}", self.scratch.name);
        let found = self.program.path("differences.jsonl");
        let mut command = words!["compare", "--from-container", source, "--settle", "1s"];
        command.extend(words!["--report", &found]);
        command.extend(self.named(COPY));
        let ended = self.program.run(&command).await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(format!(
                "of two that are the same: {}",
                ended.reason()
            )));
        }
        let gone = known::filler(0, 2);
        let client = self.open(COPY).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        writer.delete(&gone, &mut self.documents.clone()).await?;
        std::fs::remove_file(&found).ok();
        let ended = self.program.run(&command).await?;
        if ended.code != Some(5) {
            let what = "a document that is missing was not found";
            return Ok(Verdict::Failed(format!("{what}: {}", ended.reason())));
        }
        let lines = documents_of(&found)?;
        let is_it = |line: &Vec<u8>| {
            let line: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
            line["kind"] == "missing" && line["id"] == gone.id.as_str()
        };
        Ok(match &lines[..] {
            [line] if is_it(line) => Verdict::Passed,
            _ => Verdict::Failed("another difference than the planted one was found".to_owned()),
        })
    }

    /// Writes while something reads: replaces, creates and deletes.
    async fn write_meanwhile(&mut self, from: usize) -> Result<()> {
        let client = self.open(DOCUMENTS).await?;
        let mut writer = Writer::new(&client, self.max_ru);
        for number in (from..from + 30).chain(FILLERS + from..FILLERS + from + 10) {
            let version = 3 + u32::try_from(from)?;
            writer
                .put(&known::filler(number, version), &mut self.documents)
                .await?;
            if number % 7 == 0 {
                writer
                    .delete(&known::filler(number, version), &mut self.documents)
                    .await?;
            }
        }
        Ok(())
    }

    /// Follows the container while it is written.
    pub(super) async fn follow(&mut self) -> Result<Verdict> {
        let out = self.program.path("followed.jsonl");
        let mut command = words![
            "tail",
            "-o",
            &out,
            "--from",
            "beginning",
            "--format",
            "json"
        ];
        command.extend(words!["--idle-timeout", IDLE, "--poll-interval", "200ms"]);
        command.extend(self.named(DOCUMENTS));
        let mut running = self.program.start(&command)?;
        if running.until(|said| said.contains("tailing")).await? {
            self.write_meanwhile(10).await?;
        }
        let ended = running.ended().await?;
        if ended.code != Some(0) {
            return Ok(Verdict::Failed(ended.reason()));
        }
        Ok(self
            .documents
            .judge_followed(&documents_of(&out)?, true)
            .into())
    }

    /// Two tails share the ranges by leases, while the container is written.
    pub(super) async fn share(&mut self) -> Result<Verdict> {
        let leases = format!("{}/{MARKER_CONTAINER}", self.scratch.name);
        let mut command = words!["tail", "--group", "acceptance", "--leases", leases];
        command.extend(words!["--from", "beginning", "--format", "json"]);
        command.extend(words!["--idle-timeout", IDLE, "--poll-interval", "200ms"]);
        command.extend(words![
            "--acquire-interval",
            "500ms",
            "--renew-interval",
            "1s"
        ]);
        command.extend(words!["--expiration-interval", "10s"]);
        command.extend(self.named(DOCUMENTS));
        let mut first = self.program.start(&command)?;
        let second = self.program.start(&command)?;
        if first.until(|said| said.contains("tailing")).await? {
            self.write_meanwhile(60).await?;
        }
        let mut read = Vec::new();
        for running in [first, second] {
            let ended = running.ended().await?;
            if ended.code != Some(0) {
                return Ok(Verdict::Failed(ended.reason()));
            }
            read.extend(documents_of(&ended.stdout)?);
        }
        Ok(self.documents.judge_followed(&read, false).into())
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
