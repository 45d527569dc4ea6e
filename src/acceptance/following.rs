//! The steps that read while documents are written.

use anyhow::Result;

use super::known::{self, FILLERS};
use super::oracle::documents_of;
use super::outcome::Verdict;
use super::scratch::MARKER_CONTAINER;
use super::steps::{DOCUMENTS, Trial, words};
use super::writes::Writer;

/// How long a tail waits for another change before it ends.
const IDLE: &str = "4s";

impl Trial<'_> {
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
