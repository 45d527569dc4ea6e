//! Deletes again what was created too late: a stop does not keep it from that, and it is said what could not be deleted.

use std::time::Duration;

use super::events::{Applied, ReplayEvent};
use super::item_sender::{ItemSender, NotApplied, Request};
use crate::cosmos::backoff::{Backoff, honoured};
use crate::cosmos::error::{Verdict, describe, verdict};
use crate::cosmos::items::{ItemAddress, ItemOutcome, ItemRequest};
use crate::signal;

/// For how long that is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// For how long after a stop.
const PATIENCE_AFTER_STOP: Duration = Duration::from_secs(10);
/// The longest pause between two attempts, unless the service asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

impl ItemSender {
    /// Deletes the document that was created with this ETag, unless somebody has written it since.
    pub(super) async fn undo_creation(&self, item: &ItemAddress, etag: Option<&str>) {
        let Some(etag) = etag else {
            return self.left_behind(item, "the service did not say its ETag");
        };
        let _told = signal::tell_at_once(left_behind(item, "this process was ended at once"));
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(PATIENCE_AFTER_STOP).await;
        };
        let why = tokio::select! {
            done = self.deleted_again(item, etag) => done.err(),
            () = stopped => Some("the service did not do it in time".to_owned()),
            () = tokio::time::sleep(PATIENCE) => Some("the service did not do it in time".to_owned()),
        };
        match why {
            None => tracing::debug!("item {:?} was created too late: deleted", item.id),
            Some(why) => self.left_behind(item, &why),
        }
    }

    /// Returns why it cannot be.
    async fn deleted_again(&self, item: &ItemAddress, etag: &str) -> Result<(), String> {
        let request = Request::Item(item, ItemRequest::Delete(Some(etag)));
        let mut backoff = Backoff::default();
        loop {
            let pause = match self.attempt(request).await {
                ItemOutcome::Deleted | ItemOutcome::Changed | ItemOutcome::NotFound => {
                    return Ok(());
                }
                ItemOutcome::Throttled(asked) => honoured(asked),
                ItemOutcome::Failed(error) => match verdict(&error) {
                    Verdict::Transient { retry_after } => {
                        // There is not much time.
                        let asked = retry_after.map(honoured).unwrap_or_default();
                        backoff.next_pause(None).min(LONGEST_PAUSE).max(asked)
                    }
                    _ => return Err(describe(&error)),
                },
                ItemOutcome::Refused(why) | ItemOutcome::TooLarge(why) => return Err(why),
                other => return Err(format!("unexpected: {other:?}")),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// It is known that a document may be in the target that is in no version of the source.
    fn left_behind(&self, item: &ItemAddress, why: &str) {
        let text = left_behind(item, why);
        self.observer.observe(&ReplayEvent::LeftBehind(text));
    }

    /// Says that a creation may be carried out later, if an attempt had no answer, and what became of it was not found out
    /// before its range was given up, a stop or a failure.
    pub(super) fn note_unanswered(
        &self,
        item: &ItemAddress,
        unanswered: bool,
        outcome: &Result<Applied, NotApplied>,
    ) {
        let is_unknown = matches!(
            outcome,
            Err(NotApplied::Late | NotApplied::Stopped | NotApplied::Failed(_))
        );
        if unanswered && is_unknown {
            self.left_behind(item, "the service did not answer");
        }
    }
}

fn left_behind(item: &ItemAddress, why: &str) -> String {
    format!(
        "item {:?} may have been created in the target after its range was given up, and was not deleted again ({why}); \
         `cosmos-tail compare` shows whether it is to be there",
        item.id
    )
}
