//! A step of a shard that reads a query: a page of rows, and what its continuation means.
//!
//! A query has no position in time: its continuation is where the service goes on within the range, and when there is
//! none, the range has been answered. So nothing is pinned, and nothing is compared with an LSN.

use anyhow::{Result, ensure};

use super::event::AnsweringPartition;
use super::judge::Step;
use super::options::ReadEnd;
use super::turn::{Handed, Turn};
use crate::clock;
use crate::cosmos::cursor::QueryAnswer;
use crate::cosmos::query::explain_page;
use crate::cosmos::query_token::{QueryPart, QueryPlace, answered, is_answered};
use crate::feed::page::Page;
use crate::feed::{Position, ReachedEnd};

impl Turn {
    /// Fetches a page of the query, and hands it over.
    pub(super) async fn step_of_query(&mut self) -> Result<Step> {
        self.shard.began_at.get_or_insert_with(clock::now);
        let position = self.shard.position.as_ref();
        if let Some(position) = position
            && is_answered(&position.token)?
        {
            return Ok(Step::Reached(Some(ReachedEnd::Answered)));
        }
        let continues = position.is_some();
        let answer = self.admitted().await?.next_of_query().await;
        let answer = match answer.map_err(|error| explain_page(error, continues))? {
            Some(answer) => answer,
            None => self.empty(),
        };
        let request_charge = answer.request_charge;
        let taken = self.take_rows(answer).await;
        if taken.is_err() {
            // The service charged for it all the same.
            self.shared.charged(request_charge).await;
        }
        taken
    }

    /// The answer of a range for which nothing was left to request.
    fn empty(&self) -> QueryAnswer {
        QueryAnswer {
            page: Page::default(),
            request_charge: 0.0,
            partition: None,
            token: answered(self.shared.client.rid()),
            parts: vec![QueryPart {
                range: self.shard.range.clone(),
                place: QueryPlace::Answered,
            }],
        }
    }

    async fn take_rows(&mut self, answer: QueryAnswer) -> Result<Step> {
        let shard = &mut self.shard;
        let before = shard.position.as_ref().map(|position| &position.token);
        ensure!(
            before != Some(&answer.token),
            "the service sent the continuation of the previous page again"
        );
        let QueryAnswer {
            page,
            request_charge,
            partition,
            token,
            parts,
        } = answer;
        shard.pages += u32::from(!page.is_empty());
        let position = Position { token, lsn: None };
        let step = if parts.iter().all(|part| part.place == QueryPlace::Answered) {
            Step::Reached(Some(ReachedEnd::Answered))
        } else if matches!(self.shared.options.end, ReadEnd::Pages(max) if shard.pages >= max) {
            Step::Reached(None)
        } else if parts.len() > 1 {
            let children = parts.into_iter().map(|part| {
                let is_fresh = part.place == QueryPlace::Fresh;
                (part.range, (!is_fresh).then(|| position.clone()))
            });
            Step::Split(children.collect())
        } else {
            Step::More
        };
        // Before the page waits for space: that is not the account's fault.
        self.hears();
        let handed = Handed {
            page,
            request_charge,
            partition: AnsweringPartition {
                id: partition,
                lsn: None,
            },
        };
        self.hand_over(handed, position).await?;
        self.succeeded(false).await;
        Ok(step)
    }
}
