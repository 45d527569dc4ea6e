//! Looking again at what differs, while a side is a container: it may be on its way.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Result;
use tokio::time::Instant;

use super::comparison::{Comparison, Differing, Open};
use super::examine::Contents;
use super::selection::Selection;
use crate::content::hashes::Name;
use crate::count::count;
use crate::report::Report;

/// After so many times the settling time, what still changes is said to be changing.
const MAX_SETTLING: u32 = 4;

/// How often to look again within the settling time, and the pauses between.
const LOOKS: u32 = 8;
const MIN_PAUSE: Duration = Duration::from_millis(200);
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// Of more documents than this the settling time is waited for at once: each look is a reading of their ranges.
const MANY: usize = 1000;

/// What became of documents that differed.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// They stayed different, with the same contents.
    pub(super) different: Differing,
    /// They differ, but were changed within the settling time.
    pub(super) changing: u64,
}

impl Comparison {
    /// Looks again at documents until each is the same on both sides, or has been different for `settle` without a
    /// change.
    pub(super) async fn settle(
        &self,
        differing: Differing,
        settle: Duration,
        report: &Report,
    ) -> Result<Settled> {
        let is_live = self.sides.iter().any(|side| side.is_container());
        let mut known: HashMap<Name, (Open, Instant)> = HashMap::new();
        let begun = Instant::now();
        known.extend(
            differing
                .open
                .iter()
                .map(|open| (open.name, (*open, begun))),
        );
        if is_live && !settle.is_zero() && !known.is_empty() {
            let (differ, they) = if known.len() == 1 {
                ("differs", "it is")
            } else {
                ("differ", "they are")
            };
            report.notice(&format!(
                "{} {differ}: {they} read again for {} in case {they} on the way (--settle)",
                count(known.len() as u64, "document"),
                humantime::format_duration(settle),
            ));
        }
        while is_live && !settle.is_zero() && !known.is_empty() {
            let is_settled = |since: &Instant| since.elapsed() >= settle;
            if known.values().all(|(_, since)| is_settled(since))
                || begun.elapsed() >= settle.saturating_mul(MAX_SETTLING)
            {
                break;
            }
            let pause = match known.len() {
                0..=MANY => (settle / LOOKS).clamp(MIN_PAUSE, MAX_PAUSE),
                _ => settle,
            };
            tokio::time::sleep(pause).await;
            let names = known.iter().map(|(name, (open, _))| (*name, open.bucket));
            let looked = self.sorted(Selection::Names(names.collect())).await?;
            let now: HashMap<Name, Contents> = looked
                .iter()
                .map(|open| (open.name, open.contents))
                .collect();
            known.retain(|name, (open, since)| match now.get(name) {
                // It is the same now, or on neither side.
                None => false,
                Some(contents) => {
                    if *contents != open.contents {
                        open.contents = *contents;
                        *since = Instant::now();
                    }
                    true
                }
            });
        }
        let mut settled = Settled {
            different: Differing {
                open: Vec::new(),
                beyond: differing.beyond,
                beyond_in: differing.beyond_in,
            },
            changing: 0,
        };
        for (open, since) in known.into_values() {
            if is_live && !settle.is_zero() && since.elapsed() < settle {
                settled.changing += 1;
            } else {
                settled.different.open.push(open);
            }
        }
        Ok(settled)
    }
}
