//! What a stored position is for.

use anyhow::{Result, ensure};

use super::query_token::query_parts;
use super::token::{TokenForm, segments};
use crate::feed::FeedRange;

/// Checks that `token` is for the container with this RID and for `range`: on another one the service would silently
/// start from the beginning.
///
/// # Errors
///
/// Says what it is for.
pub fn ensure_of(token: &str, container_rid: &str, range: &FeedRange) -> Result<()> {
    let form = TokenForm::of_any(token)?;
    ensure!(
        form.rid == container_rid,
        "it is for the container {}, not {container_rid}",
        form.rid
    );
    if form.is_of_query() {
        query_parts(token, range).map(|_| ())
    } else {
        segments(token, range).map(|_| ())
    }
}
