//! A range that was split: its parts take its place once that is committed.

use anyhow::Result;
use tokio::sync::oneshot;

use super::event::ReaderEvent;
use super::shard::Shard;
use super::turn::{Outcome, Turn};
use crate::cosmos::query_token;
use crate::failpoint;
use crate::feed::{FeedRange, Part, Position, ReadUntil};

impl Turn {
    /// Reports a split and waits until it is committed; only then are the children read.
    pub(super) async fn replace(mut self, children: Vec<Part>) -> Outcome {
        let mut cut = Vec::with_capacity(children.len());
        for (range, position) in children {
            let position = match &position {
                Some(position) => match self.cut(position, &range).await {
                    Ok(position) => position,
                    Err(error) => {
                        let range = self.shard.id;
                        let error =
                            error.context("cannot cut the position of a range that was split");
                        self.shared.send(ReaderEvent::Failed { range, error }).await;
                        return Outcome::Ended;
                    }
                },
                None => None,
            };
            cut.push((range, position));
        }
        if failpoint::is_planted("defect.one-token-for-all-children") {
            let first = cut.first().and_then(|(_, position)| position.clone());
            for (_, position) in &mut cut {
                position.clone_from(&first);
            }
        }
        let (reply, numbers) = oneshot::channel();
        let event = ReaderEvent::Replaced {
            parent: self.shard.id,
            children: cut.clone(),
            reply,
        };
        self.shared.send(event).await;
        let numbers = tokio::select! {
            biased;
            numbers = numbers => numbers,
            // The children are committed nevertheless if the job still takes events. If it does not, the
            // reply may never fail: an event that was sent while the receiver was dropped stays in the
            // channel, with its `reply`, for as long as this task holds a sender.
            () = self.shared.stop.cancelled() => return Outcome::Ended,
        };
        // No reply: the job is being torn down.
        let Ok(numbers) = numbers else {
            return Outcome::Ended;
        };
        // The next plan begins at the end of the whole range, in each of its parts.
        let exact = self.until() == Some(ReadUntil::Exact);
        let end = self.shard.horizon.pinned().filter(|_| exact).cloned();
        let children = cut.into_iter().zip(numbers).map(|((range, position), id)| {
            let child = Shard::new(id, range, position, &self.shared.options);
            let child = child.until(self.shard.stop.clone());
            let child = child.pinned_before(end.clone());
            // A page size that was too large for the parent is too large for its children.
            Shard {
                request: self.shard.request.clone(),
                is_of_snapshot: self.shard.is_of_snapshot,
                sighted: self.shard.sighted.clone(),
                ..child
            }
        });
        Outcome::Replaced(children.collect())
    }

    /// The position of a part of the range.
    async fn cut(&mut self, position: &Position, part: &FeedRange) -> Result<Option<Position>> {
        // Not shared, since a cursor cannot be.
        let shard = &mut *self.shard;
        if shard.request.is_query() {
            let token = query_token::cut(&position.token, &shard.range, part)?;
            return Ok(token.map(|token| Position { token, lsn: None }));
        }
        let client = &self.shared.client;
        client.cut(&shard.request, position, part).await
    }
}
