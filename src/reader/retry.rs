//! Trying again, beyond the SDK's own tries: with growing pauses, and never silently.

use std::fmt;
use std::time::Duration;

use azure_data_cosmos_driver::CosmosError;

use crate::cosmos::error::{Verdict, describe, explain, verdict};
use crate::cosmos::feed::ContainerReplaced;
use crate::error::with_hint;

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
    pub(super) fn reset(&mut self) -> bool {
        std::mem::take(&mut self.failed) > 0
    }

    /// A try failed.
    pub(crate) fn decide(&mut self, error: anyhow::Error) -> Decision {
        let asked = match error.downcast_ref::<CosmosError>().map(verdict) {
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
        if self.failed >= self.max {
            let tries = match self.max {
                0 => "one try".to_owned(),
                more => format!("{} tries", more + 1),
            };
            let is_of_service = error.is::<CosmosError>();
            let error = explain(error).context(format!("gave up after {tries}"));
            return Decision::GiveUp(match is_of_service {
                true => error,
                false => with_hint(error, NONSENSE),
            });
        }
        self.failed += 1;
        let pause = FIRST_PAUSE
            .saturating_mul(1 << (self.failed - 1).min(10))
            .min(LONGEST_PAUSE);
        // Half of the pause is random, so that ranges that failed together do not return together.
        let pause = pause
            .mul_f64(0.5 + fastrand::f64() / 2.0)
            .max(asked.unwrap_or_default().min(LONGEST_PAUSE));
        Decision::Retry(RetryNotice {
            attempt: self.failed,
            max: self.max,
            pause,
            reason: one_line(&error),
        })
    }
}

fn one_line(error: &anyhow::Error) -> String {
    match error.downcast_ref::<CosmosError>() {
        Some(error) => describe(error),
        None => format!("{error:#}").chars().take(300).collect(),
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
