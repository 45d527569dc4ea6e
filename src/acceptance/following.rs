//! The steps that read while documents are written.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::child::Running;
use super::known::{self, FILLERS};
use super::oracle::documents_of;
use super::outcome::Verdict;
use super::scratch::MARKER_CONTAINER;
use super::steps::{DOCUMENTS, Trial, words};
use super::writes::Writer;

/// How long a tail waits for another change before it ends.
const IDLE: &str = "30s";
/// How often what it has written is judged.
const LOOK: Duration = Duration::from_millis(200);

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
        self.judge_running(vec![(running, out)]).await
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
        let written = |running: Running| {
            let stdout = running.stdout().to_owned();
            (running, stdout)
        };
        let both = [first, second].map(written).into();
        self.judge_running(both).await
    }

    /// Judges what followers have written to these files: again and again, until it is right or all of them have ended,
    /// which they do once nothing changes any more.
    async fn judge_running(&self, mut followers: Vec<(Running, PathBuf)>) -> Result<Verdict> {
        let is_one = followers.len() == 1;
        loop {
            let mut have_ended = true;
            for (running, _) in &mut followers {
                have_ended &= !running.is_running()?;
            }
            let mut read = Vec::new();
            for (_, path) in &followers {
                read.extend(documents_of(path).unwrap_or_default());
            }
            let judged = self.documents.judge_followed(&read, is_one);
            if judged.is_ok() {
                for (running, _) in followers {
                    running.kill().await?;
                }
                return Ok(Verdict::Passed);
            }
            if have_ended {
                for (running, _) in followers {
                    let ended = running.ended().await?;
                    if ended.code != Some(0) {
                        return Ok(Verdict::Failed(ended.reason()));
                    }
                }
                return Ok(judged.into());
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}
