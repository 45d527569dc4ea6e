//! The claim of a place whose state is elsewhere (rule 12).
//!
//! A state protects itself, by its lock or by its conditions; it does not protect a place from a copy of itself, or
//! from another export whose state is on another machine. So the place has an object that names one export, its state,
//! and the process that writes here. A state keeps the ids that this claim may have: a copy that was left behind does
//! not have the id of the latest process, and is refused.

use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::clock;
use crate::cosmos::backoff::Backoff;
use crate::destination::{Committed, Holder};
use crate::error::{ExitCode, with_exit_code, with_hint};
use crate::escape::shell_word;
use crate::failpoint;
use crate::objects::{Bucket, PutOutcome};
use crate::process;

/// The object of the claim. It is of a whole place: the shards of a plan have their states there, and none.
pub(super) const CLAIM: &str = "_cosmos-tail/claim.json";

const FORMAT: &str = "cosmos-tail claim";

const STEP: &str = "object.state";

/// Attempts to write it.
const ATTEMPTS: u32 = 6;

/// Where the state of an export is, if it is not where its objects are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateElsewhere {
    /// Its absolute path, or its address.
    pub state: String,
    /// The machine that the path is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl StateElsewhere {
    /// The state at this path of this machine.
    pub fn of_path(path: &str) -> Self {
        Self {
            state: path.to_owned(),
            host: process::host_name(),
        }
    }

    /// The state at this address.
    pub fn of_address(address: &str) -> Self {
        Self {
            state: address.to_owned(),
            host: None,
        }
    }

    /// The command that continues the export.
    pub fn resume(&self) -> String {
        let state = shell_word(&self.state);
        match &self.host {
            None => format!("cosmos-tail resume --state {state}"),
            Some(host) => format!("cosmos-tail resume --state {state}, on {host}"),
        }
    }
}

/// The content of the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceClaim {
    format: String,
    /// The export that writes here.
    pub export_id: Uuid,
    /// Its container, which objects are named by.
    pub container: String,
    /// The extension of its objects, without a dot.
    pub extension: String,
    /// Where its state is.
    #[serde(flatten)]
    pub of: StateElsewhere,
    /// The process that may write here.
    claim: Uuid,
    /// The same for people.
    holder: Holder,
    /// Whether its export stopped before it published anything, since another one had begun here: then it is none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    withdrawn: bool,
}

impl PlaceClaim {
    /// Reads the claim of a place, with its version; none if the state is not elsewhere, or there is no export.
    ///
    /// # Errors
    ///
    /// If it is damaged, or cannot be read.
    pub fn read(bucket: &Bucket) -> Result<Option<(Self, String)>> {
        let there = Self::read_any(bucket)?;
        Ok(there.filter(|(there, _)| !there.withdrawn))
    }

    fn text(&self) -> Result<Vec<u8>> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        Ok(text)
    }

    /// The same, of one that was withdrawn too: another replaces it.
    fn read_any(bucket: &Bucket) -> Result<Option<(Self, String)>> {
        let Some(found) = bucket.get(CLAIM)? else {
            return Ok(None);
        };
        let claim: Result<Self, _> = serde_json::from_slice(&found.bytes);
        match claim {
            Ok(claim) if claim.format == FORMAT => Ok(Some((claim, found.version))),
            _ => Err(with_hint(
                anyhow!("`{}` is damaged", bucket.address().of(CLAIM)),
                "it names the state that the objects belong to: restore it, or export to a new place",
            )),
        }
    }
}

/// The claim of this process.
#[derive(Debug)]
pub(super) struct Claiming {
    own: StateElsewhere,
    /// The ids that the claim may have.
    known: Mutex<Vec<Uuid>>,
    /// When this process wrote it last.
    written: Mutex<OffsetDateTime>,
}

/// How old the object becomes while a process runs: rules that delete objects go by their age.
const OLDEST: time::Duration = time::Duration::DAY;

/// When that is tried again which a store did not do.
const AGAIN: time::Duration = time::Duration::HOUR;

impl Claiming {
    /// The claim of an export whose state is there.
    pub(super) fn of(own: StateElsewhere) -> Self {
        Self {
            own,
            known: Mutex::default(),
            written: Mutex::new(clock::now()),
        }
    }

    /// Writes the claim of this process once more, if it is a day old: the same text, in place of the version that is there.
    /// That it cannot be written is no error: it counts as it is.
    pub(super) fn renew(&self, bucket: &Bucket, process: Uuid) {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if clock::now() - *written < OLDEST {
            return;
        }
        // If it cannot be written, it is tried again after an hour.
        *written = clock::now() - OLDEST + AGAIN;
        drop(written);
        let Ok(Some((own, version))) = PlaceClaim::read(bucket) else {
            return;
        };
        if own.claim == process
            && let Ok(text) = own.text()
            && let Ok(PutOutcome::Done(_)) = bucket.put(STEP, CLAIM, text, Some(&version))
        {
            *self.written.lock().unwrap_or_else(PoisonError::into_inner) = clock::now();
        }
    }

    fn set_known(&self, known: Vec<Uuid>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    /// The ids that the claim may have; `process` is the one that it will have.
    pub(super) fn ids(&self, process: Uuid) -> Vec<Uuid> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let earlier = known.iter().copied().filter(|known| *known != process);
        earlier.chain([process]).collect()
    }

    fn made(&self, export_id: Uuid, process: Uuid, container: &str, extension: &str) -> PlaceClaim {
        PlaceClaim {
            format: FORMAT.to_owned(),
            export_id,
            container: container.to_owned(),
            extension: extension.to_owned(),
            of: self.own.clone(),
            claim: process,
            holder: Holder::this(),
            withdrawn: false,
        }
    }

    /// Checks that the claim is of this export, and of a process that the state knows. A start that died after its first
    /// commit has left none.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub(super) fn prove(&self, bucket: &Bucket, committed: &Committed<'_>) -> Result<()> {
        self.set_known(committed.claims.to_vec());
        match PlaceClaim::read(bucket)? {
            Some((there, _)) => ensure_known(bucket, &there, committed.export_id, committed.claims),
            None if committed.manifest.entries == 0 => Ok(()),
            None => Err(is_gone(bucket)),
        }
    }

    /// Puts the claim of this process in place of one that the state knows, or where there is none yet. The state has
    /// been committed with it. Returns the earlier one.
    ///
    /// # Errors
    ///
    /// If another process has claimed the place meanwhile, or the store does not answer.
    pub(super) fn take(
        &self,
        bucket: &Bucket,
        committed: &Committed<'_>,
        (process, container, extension): (Uuid, &str, &str),
    ) -> Result<Option<PlaceClaim>> {
        let export_id = committed.export_id;
        let known = self.ids(process);
        let there = PlaceClaim::read_any(bucket)?;
        let earlier = there.as_ref().map(|(there, _)| there.clone());
        let earlier = earlier.filter(|there| !there.withdrawn);
        match &earlier {
            Some(there) => ensure_known(bucket, there, export_id, &known)?,
            None if committed.manifest.entries == 0 => {}
            None => return Err(is_gone(bucket)),
        }
        let claim = self.made(export_id, process, container, extension);
        let may_replace =
            |there: &PlaceClaim| there.export_id == export_id && known.contains(&there.claim);
        write(bucket, &claim, there, may_replace)?;
        self.set_known(vec![process]);
        Ok(earlier)
    }

    /// Puts the claim of the earlier process back, which may still run: this one has changed nothing. Where there was
    /// none, that of this process is withdrawn: whoever may write need not be allowed to delete.
    pub(super) fn give_back(
        bucket: &Bucket,
        earlier: Option<PlaceClaim>,
        process: Uuid,
    ) -> Result<()> {
        let Some((own, version)) = PlaceClaim::read(bucket)? else {
            return Ok(());
        };
        let claim = earlier.unwrap_or_else(|| PlaceClaim {
            withdrawn: true,
            ..own.clone()
        });
        let is_own = |there: &PlaceClaim| there.claim == process;
        write(bucket, &claim, Some((own, version)), is_own)
    }

    /// Checks that the claim is still that of this process.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub(super) fn check(bucket: &Bucket, process: Uuid) -> Result<()> {
        let there = PlaceClaim::read(bucket)?.map(|(there, _)| there);
        let there = there.ok_or_else(|| is_gone(bucket))?;
        match there.claim == process {
            true => Ok(()),
            false => Err(is_of_another(bucket, &there)),
        }
    }
}

/// Stores a claim in place of what is there, if that may be replaced.
fn write(
    bucket: &Bucket,
    claim: &PlaceClaim,
    there: Option<(PlaceClaim, String)>,
    may_replace: impl Fn(&PlaceClaim) -> bool,
) -> Result<()> {
    let text = claim.text()?;
    let was_there = there.is_some();
    let mut there = there;
    let mut last = None;
    let mut backoff = Backoff::default();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            failpoint::pause(backoff.next_pause(None));
        }
        match &there {
            Some((found, _)) if found == claim => return Ok(()),
            Some((found, _)) if found.withdrawn => {}
            Some((found, _)) if found.export_id != claim.export_id => {
                return Err(is_of_another_export(bucket, found));
            }
            Some((found, _)) if !may_replace(found) => return Err(is_of_another(bucket, found)),
            _ => {}
        }
        let version = there.as_ref().map(|(_, version)| version.as_str());
        match bucket.put_where_possible(STEP, CLAIM, text.clone(), version) {
            Ok(PutOutcome::Done(_)) if bucket.honours_conditions() => return Ok(()),
            // Another one may have done the same: the last one has it, which the next look finds.
            Ok(PutOutcome::Done(_) | PutOutcome::Conflict) => {}
            Ok(PutOutcome::Unclear(error)) => last = Some(error),
            Err(error) => return Err(error),
        }
        match PlaceClaim::read_any(bucket) {
            Ok(Some((found, _))) if found == *claim => return Ok(()),
            // It was deleted meanwhile, and nobody knows what came then.
            Ok(None) if was_there => return Err(is_gone(bucket)),
            Ok(found) => there = found,
            Err(error) => last = Some(error),
        }
    }
    Err(last
        .unwrap_or_else(|| anyhow!("the store keeps refusing it"))
        .context(format!("cannot write `{}`", bucket.address().of(CLAIM))))
}

fn ensure_known(
    bucket: &Bucket,
    there: &PlaceClaim,
    export_id: Uuid,
    known: &[Uuid],
) -> Result<()> {
    if there.export_id != export_id {
        return Err(is_of_another_export(bucket, there));
    }
    if known.contains(&there.claim) {
        return Ok(());
    }
    Err(with_hint(
        anyhow!(
            "the state is not the latest one of `{}`: it is a copy, and the objects were continued with another: {}",
            bucket.address(),
            there.holder
        ),
        format!(
            "continue with the state of that process: {}",
            there.of.resume()
        ),
    ))
}

fn is_of_another_export(bucket: &Bucket, there: &PlaceClaim) -> anyhow::Error {
    with_hint(
        anyhow!(
            "`{}` belongs to another export, {}, with the state `{}`",
            bucket.address(),
            there.export_id,
            there.of.state.escape_debug()
        ),
        format!(
            "continue that one: {}; or choose another path for this one",
            there.of.resume()
        ),
    )
}

fn is_gone(bucket: &Bucket) -> anyhow::Error {
    with_hint(
        anyhow!("`{}` is gone", bucket.address().of(CLAIM)),
        "nothing proves that the objects belong to this state: restore it, or export to a new place",
    )
}

fn is_of_another(bucket: &Bucket, there: &PlaceClaim) -> anyhow::Error {
    with_hint(
        anyhow!(
            "another process has claimed `{}`: {}",
            bucket.address(),
            there.holder
        ),
        "this process stops: let the other one continue, or stop it and resume",
    )
}

/// The error for a place that an export with its state elsewhere has.
///
/// # Errors
///
/// If its claim is damaged.
pub(super) fn is_taken(bucket: &Bucket) -> Result<Option<anyhow::Error>> {
    let Some((there, _)) = PlaceClaim::read(bucket)? else {
        return Ok(None);
    };
    let error = anyhow!("`{}` already exists", bucket.address().of(CLAIM));
    Ok(Some(with_hint(
        with_exit_code(error, ExitCode::Usage),
        format!(
            "continue what is there with `{}`; if that state is lost, choose another path: its position is not known \
             here",
            there.of.resume()
        ),
    )))
}

/// Whether the state of the export at the place of `bucket` is elsewhere: where, for people.
///
/// # Errors
///
/// If its claim is damaged, or cannot be read.
pub fn state_elsewhere(bucket: &Bucket) -> Result<Option<PlaceClaim>> {
    let there = PlaceClaim::read(bucket).context("cannot find out where the state is")?;
    Ok(there.map(|(there, _)| there))
}
