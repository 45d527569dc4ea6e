//! Retries beyond the SDK's own: with growing pauses, up to a limit, and never silently.
//!
//! [`Retries`] is the policy. The reader counts with it for each range, a replay for each write; what
//! comes before the first page is retried by [`Persistence::persist`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos_driver::CosmosError;
use serde::{Deserialize, Serialize};

use super::backoff::Backoff;
use super::error::{
    self, ContainerReplaced, RowsWithoutFields, ServiceError, Verdict, describe, verdict,
};
use super::hints::explain;
use crate::error::{ExitCode, find, hint, with_exit_code, with_hint};

/// What to do about answers that make no sense.
const NONSENSE: &str = "something between this machine and the account may alter its answers, such as a \
    proxy or a gateway";

/// How many attempts follow the first at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub enum RetryLimit {
    /// So many.
    Times(u32),
    /// Any number.
    Unlimited,
}

impl From<u32> for RetryLimit {
    /// The highest number means no limit, on the command line and in states.
    fn from(times: u32) -> Self {
        match times {
            u32::MAX => Self::Unlimited,
            times => Self::Times(times),
        }
    }
}

impl From<RetryLimit> for u32 {
    fn from(limit: RetryLimit) -> Self {
        match limit {
            RetryLimit::Unlimited => Self::MAX,
            RetryLimit::Times(times) => times,
        }
    }
}

/// Counts the attempts at one thing since it last succeeded.
#[derive(Debug, Clone)]
pub struct Retries {
    limit: RetryLimit,
    backoff: Backoff,
}

/// An attempt that failed and will be repeated.
#[derive(Debug)]
pub struct RetryNotice {
    /// Which attempt failed, from 1.
    pub attempt: u32,
    /// How many attempts follow the first at most.
    pub limit: RetryLimit,
    /// How long until the next.
    pub pause: Duration,
    /// What went wrong, in one line.
    pub reason: String,
}

impl fmt::Display for RetryNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; retry {}", self.reason, self.attempt)?;
        if let RetryLimit::Times(max) = self.limit {
            write!(f, " of {max}")?;
        }
        write!(f, " in {:.1} s", self.pause.as_secs_f64())
    }
}

/// What to do about an error.
#[derive(Debug)]
pub(crate) enum Decision {
    /// Try again after the notice's pause.
    Retry(RetryNotice),
    /// Ask for smaller pages, then try again; if there are none, this is why it fails.
    ShrinkPage(anyhow::Error),
    /// Nothing helps.
    GiveUp(anyhow::Error),
}

impl Retries {
    /// Retries up to `limit`.
    pub fn new(limit: RetryLimit) -> Self {
        let backoff = Backoff::default();
        Self { limit, backoff }
    }

    /// An attempt succeeded. Returns whether one had failed before.
    pub(crate) fn reset(&mut self) -> bool {
        self.backoff.reset()
    }

    /// An attempt failed.
    pub(crate) fn decide(&mut self, error: anyhow::Error) -> Decision {
        let meaning = match error.downcast_ref::<CosmosError>() {
            Some(error) => Some(verdict(error)),
            None => find::<ServiceError>(&error).map(|explained| explained.verdict),
        };
        let retry_after = match meaning {
            Some(Verdict::Transient { retry_after }) => retry_after,
            Some(Verdict::PageTooLarge) => {
                return Decision::ShrinkPage(explain(error));
            }
            Some(_) => return Decision::GiveUp(explain(error)),
            None if error.is::<ContainerReplaced>() => {
                return Decision::GiveUp(with_hint(error, "export it to a new place"));
            }
            None if error.is::<RowsWithoutFields>() => {
                let error = with_exit_code(error, ExitCode::Usage);
                return Decision::GiveUp(with_hint(
                    error,
                    "select members instead of a value, such as SELECT c.id FROM c; or add --format jsonl",
                ));
            }
            // What the service sent makes no sense: a broken connection can do that too.
            None => None,
        };
        match self.again(retry_after, || one_line(&error)) {
            Some(notice) => Decision::Retry(notice),
            None => {
                let error = explain(error).context(self.gave_up());
                Decision::GiveUp(match meaning {
                    None if hint(&error).is_none() => with_hint(error, NONSENSE),
                    _ => error,
                })
            }
        }
    }

    /// An attempt failed with a transient error, and the service may have said when to try again. Returns
    /// `None` if the limit is reached.
    pub(crate) fn again(
        &mut self,
        retry_after: Option<Duration>,
        reason: impl FnOnce() -> String,
    ) -> Option<RetryNotice> {
        if let RetryLimit::Times(max) = self.limit
            && self.backoff.failures() >= max
        {
            return None;
        }
        let pause = self.backoff.next_pause(retry_after);
        Some(RetryNotice {
            attempt: self.backoff.failures(),
            limit: self.limit,
            pause,
            reason: reason(),
        })
    }

    /// The error of the last attempt, with the number of attempts if there were others before.
    pub(crate) fn after_retries(&self, error: anyhow::Error) -> anyhow::Error {
        match self.backoff.failures() {
            0 => error,
            _ => error.context(self.gave_up()),
        }
    }

    /// How many attempts were made, if there were others before the last one.
    pub(crate) fn tries(&self) -> String {
        match self.backoff.failures() {
            0 => String::new(),
            _ => self.gave_up(),
        }
    }

    /// How many attempts were made, when no more follow.
    pub(crate) fn gave_up(&self) -> String {
        match self.backoff.failures() {
            0 => "gave up after one try".to_owned(),
            more => format!("gave up after {} tries", u64::from(more) + 1),
        }
    }
}

/// How often something is retried, and who is notified.
#[derive(Clone)]
pub struct Persistence {
    limit: RetryLimit,
    notify: Arc<Notify>,
}

/// Takes what failed, and what happens next.
type Notify = dyn Fn(&str, &RetryNotice) + Send + Sync;

impl fmt::Debug for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persistence")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Default for Persistence {
    /// Retries nothing.
    fn default() -> Self {
        Self::new(RetryLimit::Times(0), |_, _| {})
    }
}

impl Persistence {
    /// Retries up to `limit`; `notify` is called before each pause.
    pub fn new(
        limit: RetryLimit,
        notify: impl Fn(&str, &RetryNotice) + Send + Sync + 'static,
    ) -> Self {
        Self {
            limit,
            notify: Arc::new(notify),
        }
    }

    /// Counts the attempts at one thing.
    pub(crate) fn retries(&self) -> Retries {
        Retries::new(self.limit)
    }

    /// Notifies that `what` failed, and waits until it is time for the next attempt.
    pub(crate) async fn pause(&self, what: &str, notice: &RetryNotice) {
        (self.notify)(what, notice);
        tokio::time::sleep(notice.pause).await;
    }

    /// Does `what` until it succeeds, fails for good, or has failed too often.
    ///
    /// # Errors
    ///
    /// The last one, explained.
    pub async fn persist<T, F: Future<Output = anyhow::Result<T>>>(
        &self,
        what: &str,
        mut once: impl FnMut() -> F,
    ) -> anyhow::Result<T> {
        let mut retries = self.retries();
        loop {
            let error = match once().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            match retries.decide(error) {
                Decision::Retry(notice) => self.pause(what, &notice).await,
                Decision::ShrinkPage(error) | Decision::GiveUp(error) => return Err(error),
            }
        }
    }
}

fn one_line(error: &anyhow::Error) -> String {
    match error.downcast_ref::<CosmosError>() {
        Some(error) => describe(error),
        None => error::one_line(&format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn attempts_end_at_the_limit() {
        let mut retries = Retries::new(RetryLimit::Times(12));
        for attempt in 1..=12 {
            let Decision::Retry(notice) = retries.decide(anyhow!("odd")) else {
                panic!("{attempt}")
            };
            assert_eq!(notice.attempt, attempt);
            let text = notice.to_string();
            let start = format!("odd; retry {attempt} of 12 in ");
            assert!(text.starts_with(&start), "{text}");
        }
        let Decision::GiveUp(error) = retries.decide(anyhow!("odd")) else {
            panic!()
        };
        assert_eq!(format!("{error:#}"), "gave up after 13 tries: odd");
    }

    #[test]
    fn without_a_limit_attempts_do_not_end() {
        let mut retries = Retries::new(RetryLimit::Unlimited);
        for _ in 0..100 {
            let Decision::Retry(notice) = retries.decide(anyhow!("odd")) else {
                panic!()
            };
            assert!(!notice.to_string().contains(" of "), "{notice}");
        }
    }

    #[test]
    fn a_success_restores_all_attempts() {
        let mut retries = Retries::new(RetryLimit::Times(1));
        assert!(matches!(retries.decide(anyhow!("odd")), Decision::Retry(_)));
        assert!(retries.reset());
        assert!(!retries.reset());
        assert!(matches!(retries.decide(anyhow!("odd")), Decision::Retry(_)));
        assert!(matches!(
            retries.decide(anyhow!("odd")),
            Decision::GiveUp(_)
        ));
    }
}
