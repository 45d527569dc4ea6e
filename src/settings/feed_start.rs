//! Which feed is read, and from where.

use anyhow::Result;

use crate::cli::choices::Mode;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode};

/// The mode of the feed, and where it starts.
///
/// # Errors
///
/// If all versions are requested from the past.
pub(super) fn feed_start(
    mode: Mode,
    from: Option<ChangeFeedStart>,
) -> Result<(FeedMode, ChangeFeedStart)> {
    match (mode, from) {
        (Mode::Latest, from) => Ok((
            FeedMode::LatestVersion,
            from.unwrap_or(ChangeFeedStart::Beginning),
        )),
        (Mode::All, None | Some(ChangeFeedStart::Now)) => {
            Ok((FeedMode::AllVersionsAndDeletes, ChangeFeedStart::Now))
        }
        (Mode::All, Some(_)) => Err(usage(
            "all versions and deletes can be read only from now on",
            "leave --from out; read later changes with --follow, or with a later run that continues",
        )),
    }
}
