//! The steps that copy, and compare the copy.

use anyhow::Result;

use super::known;
use super::oracle::{Expected, Sameness, documents_of};
use super::outcome::Verdict;
use super::steps::{DOCUMENTS, LEVELS, Trial, words};
use super::writes::Writer;

const COPY: &str = "copy";
const LEVELS_COPY: &str = "levels_copy";

impl Trial<'_> {
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
}
