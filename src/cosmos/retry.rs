//! Trying again, beyond the SDK's own tries: with growing pauses, and never silently.
//!
//! [`Retries`] is the policy. Reading the feed counts with it by itself, range by range; what comes
//! before the first page is tried by [`Persistence::persist`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use azure_data_cosmos_driver::CosmosError;

use super::error::{ContainerReplaced, ServiceError, Verdict, describe, verdict};
use super::hints::explain;
use crate::error::{find, hint, with_hint};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// What to do about answers that make no sense.
const NONSENSE: &str = "something between this machine and the account may alter its answers, such as a \
    proxy or a gateway";
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Counts the tries of one thing since it last succeeded.
#[derive(Debug, Clone)]
pub struct Retries {
    max: u32,
    failed: u32,
}

/// A try that failed and will be repeated.
#[derive(Debug)]
pub struct RetryNotice {
    /// Which try failed, from 1.
    pub attempt: u32,
    /// How many are made at most, beyond the first.
    pub max: u32,
    /// How long until the next.
    pub pause: Duration,
    /// What went wrong, in one line.
    pub reason: String,
}

impl fmt::Display for RetryNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (
            Self {
                attempt,
                max,
                reason,
                ..
            },
            pause,
        ) = (self, self.pause.as_secs_f64());
        write!(f, "{reason}; retry {attempt} of {max} in {pause:.1} s")
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
    /// At most `max` tries beyond the first.
    pub fn new(max: u32) -> Self {
        Self { max, failed: 0 }
    }

    /// A try succeeded. Says whether one had failed before.
    pub(crate) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.failed) > 0
    }

    /// A try failed.
    pub(crate) fn decide(&mut self, error: anyhow::Error) -> Decision {
        let meaning = match error.downcast_ref::<CosmosError>() {
            Some(error) => Some(verdict(error)),
            None => find::<ServiceError>(&error).map(|explained| explained.verdict),
        };
        let asked = match meaning {
            Some(Verdict::Transient { retry_after }) => retry_after,
            Some(Verdict::PageTooLarge) => {
                return Decision::ShrinkPage(explain(error));
            }
            Some(_) => return Decision::GiveUp(explain(error)),
            None if error.is::<ContainerReplaced>() => {
                return Decision::GiveUp(with_hint(error, "export it to a new place"));
            }
            // What the service sent makes no sense: a broken connection can do that too.
            None => None,
        };
        match self.again(asked, || one_line(&error)) {
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

    /// A try failed of what may succeed when it is tried again, not before the pause that the service
    /// `asked` for. None if there are no more tries.
    pub(crate) fn again(
        &mut self,
        asked: Option<Duration>,
        reason: impl FnOnce() -> String,
    ) -> Option<RetryNotice> {
        if self.failed >= self.max {
            return None;
        }
        self.failed += 1;
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (self.failed - 1).min(10))
            .min(LONGEST_PAUSE);
        // Half of the pause is random, so that ranges that failed together do not return together.
        let pause = pause
            .mul_f64(0.5 + fastrand::f64() / 2.0)
            .max(asked.unwrap_or_default().min(LONGEST_PAUSE));
        Some(RetryNotice {
            attempt: self.failed,
            max: self.max,
            pause,
            reason: reason(),
        })
    }

    /// The error of the last try, if others were made before, with their number.
    pub(crate) fn after_retries(&self, error: anyhow::Error) -> anyhow::Error {
        match self.failed {
            0 => error,
            _ => error.context(self.gave_up()),
        }
    }

    /// How often it was tried, when no more tries follow.
    pub(crate) fn gave_up(&self) -> String {
        match self.failed {
            0 => "gave up after one try".to_owned(),
            more => format!("gave up after {} tries", more + 1),
        }
    }
}

/// How often something is tried again, and who hears of it.
#[derive(Clone)]
pub struct Persistence {
    max_retries: u32,
    told: Arc<Told>,
}

/// Hears what failed, and what is done about it.
type Told = dyn Fn(&str, &RetryNotice) + Send + Sync;

impl fmt::Debug for Persistence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Persistence")
            .field("max_retries", &self.max_retries)
            .finish_non_exhaustive()
    }
}

impl Default for Persistence {
    /// Tries nothing again.
    fn default() -> Self {
        Self::new(0, |_, _| {})
    }
}

impl Persistence {
    /// At most `max_retries` tries beyond the first; `told` hears what failed before each.
    pub fn new(
        max_retries: u32,
        told: impl Fn(&str, &RetryNotice) + Send + Sync + 'static,
    ) -> Self {
        Self {
            max_retries,
            told: Arc::new(told),
        }
    }

    /// Counts the tries of one thing.
    pub(crate) fn retries(&self) -> Retries {
        Retries::new(self.max_retries)
    }

    /// Says that `what` failed, and waits until it is tried again.
    pub(crate) async fn pause(&self, what: &str, notice: &RetryNotice) {
        (self.told)(what, notice);
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
        None => super::error::one_line(&format!("{error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn pauses_grow_to_a_bound_and_the_tries_end() {
        let mut retries = Retries::new(12);
        let mut longest = Duration::ZERO;
        for attempt in 1..=12 {
            let Decision::Retry(notice) = retries.decide(anyhow!("odd")) else {
                panic!("{attempt}")
            };
            assert_eq!(notice.attempt, attempt);
            assert!(notice.pause <= LONGEST_PAUSE && notice.pause >= FIRST_PAUSE / 2);
            longest = longest.max(notice.pause);
        }
        assert!(longest >= LONGEST_PAUSE / 2);
        let Decision::GiveUp(error) = retries.decide(anyhow!("odd")) else {
            panic!()
        };
        assert_eq!(format!("{error:#}"), "gave up after 13 tries: odd");
    }

    #[test]
    fn a_success_gives_all_tries_back() {
        let mut retries = Retries::new(1);
        assert!(matches!(retries.decide(anyhow!("odd")), Decision::Retry(_)));
        retries.reset();
        assert!(matches!(retries.decide(anyhow!("odd")), Decision::Retry(_)));
        assert!(matches!(
            retries.decide(anyhow!("odd")),
            Decision::GiveUp(_)
        ));
    }
}
