//! Takes over from an earlier process: what a repair reads again is asked for before it is given up.

use std::fmt;
use std::num::NonZeroU32;

use anyhow::{Context, Result, ensure};

use super::{Connected, feed_request};
use crate::cosmos::cursor::{CursorStart, FeedRequest};
use crate::destination::{Destination, NeedsRepair, Recovery};
use crate::error::{find, with_hint};
use crate::feed::{ChangeFeedStart, FeedMode, Position, RangeState};
use crate::state::claim::Claimed;
use crate::state::ledger::{ReadAgain, bring_into_line, take_over as claim};
use crate::state::model::State;

/// The command that repairs.
#[derive(Debug, Clone, Copy)]
pub(super) enum RepairBy {
    /// A resume.
    Resume,
    /// The command of a tail.
    Tail,
    /// The command of a share of a plan.
    Share,
    /// The command of an instance of a group.
    Group,
}

impl RepairBy {
    /// How an export is continued.
    pub(super) fn of(state: &State) -> Self {
        match state.shard {
            Some(_) => Self::Share,
            None => Self::Resume,
        }
    }
}

impl fmt::Display for RepairBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resume => "`resume --repair`",
            Self::Tail => "the same `tail` command with --repair",
            Self::Share => "the same `export --plan` command with --repair",
            Self::Group => "the same command with --repair",
        })
    }
}

/// Claims the state and the destination, and brings them into line.
///
/// # Errors
///
/// If a part is not what was committed, which `by` repairs; if the service no longer has what a repair would read again;
/// or if another process claims the state meanwhile.
pub(super) async fn take_over(
    connected: &Connected,
    state: &mut State,
    destination: &dyn Destination,
    claimed: &mut Claimed,
    (by, repair): (RepairBy, bool),
) -> Result<Recovery> {
    let repairable = |error| with_repair(error, by);
    let again = claim(state, destination, claimed, repair).map_err(repairable)?;
    ensure_can_be_read(connected, state, &again).await?;
    bring_into_line(state, destination, claimed, &again, repair).map_err(repairable)
}

/// Adds the command that repairs to an error that it is for.
fn with_repair(error: anyhow::Error, by: RepairBy) -> anyhow::Error {
    let hint = match find::<NeedsRepair>(&error) {
        None => return error,
        Some(NeedsRepair::File(_)) => format!(
            "the file was changed or damaged after it was committed; {by} deletes it and reads its range again from the \
             start of the file"
        ),
        Some(NeedsRepair::Upload(..)) => format!(
            "Azure removes the parts of an upload a week after the last one, and a lifecycle rule an upload that is not \
             completed for long: if that is so, {by} reads the span of this object again. Not if somebody has moved or \
             deleted the object since it was completed: its changes would be there twice; put it back and continue \
             without --repair, or export to a new place"
        ),
    };
    with_hint(error, hint)
}

/// Checks that the service still has the changes after the starts of these parts: a container that keeps every version
/// keeps it for a time.
async fn ensure_can_be_read(connected: &Connected, state: &State, again: &ReadAgain) -> Result<()> {
    const HINT: &str =
        "nothing was given up: export to a new place, or restore what is missing and try again";
    for range in again.parts().iter().flat_map(|part| &part.start) {
        let Some(position) = &range.position else {
            ensure!(
                range.snapshot || state.options.from != ChangeFeedStart::Now,
                with_hint(
                    anyhow::anyhow!("where the range {} began was not recorded", range.range),
                    HINT
                )
            );
            continue;
        };
        if state.options.mode == FeedMode::AllVersionsAndDeletes && !range.snapshot {
            let request = FeedRequest {
                page_size: NonZeroU32::MIN,
                ..feed_request(state, &state.settings)?
            };
            let asked = ask(connected, &request, range, position).await;
            asked.map_err(|error| with_hint(error, HINT))?;
        }
    }
    Ok(())
}

/// Asks for one page from `position`.
async fn ask(
    connected: &Connected,
    request: &FeedRequest,
    range: &RangeState,
    position: &Position,
) -> Result<()> {
    let client = &connected.client;
    let what = format!("cannot read the range {} again", range.range);
    let page = || async {
        let start = CursorStart::Position(position);
        let mut cursor = client.open(request, &range.range, start).await?;
        cursor.admit(request).await;
        cursor.next().await.map(drop)
    };
    client
        .persistence()
        .persist(&what, page)
        .await
        .context(what)
}
