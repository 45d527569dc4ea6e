//! The steps that read every version: the feed of all versions and deletes, and a snapshot with its changes.

use anyhow::Result;

use super::child::Ended;
use super::known;
use super::oracle::{self, Sameness, Version, judge_versions, versions_of};
use super::outcome::Verdict;
use super::steps::{Trial, VERSIONS, lines_in, words};
use super::writes::Writer;
use crate::feed::page::OperationType;

/// The ids of documents of several versions that are in the container before anything is read.
const OLD: [&str; 3] = ["old-1", "old-2", "old-3"];

impl Trial<'_> {
    /// What the account refuses of the feed of all versions, or how it failed. An account that has accepted a container
    /// that keeps versions has to give them.
    fn refused_or_failed(&self, before: u64, ended: &Ended) -> Verdict {
        let reason = ended.reason();
        match &self.policy_refusal {
            Some(policy) if self.seen().refusals() > before => Verdict::Refused(format!(
                "{reason}; a container that keeps them was refused: {policy}"
            )),
            Some(policy) => Verdict::Failed(format!(
                "{reason}; a container that keeps them was refused: {policy}"
            )),
            None => Verdict::Failed(reason),
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
}
