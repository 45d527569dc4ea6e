//! Operations that take longer than a request: their state is read until they have ended.

use std::time::{Duration, Instant};

use serde::Deserialize;
use url::Url;

use super::containers::is_missing;
use super::error::{ErrorText, Fault, Refusal};
use super::http::{Answer, Http, parsed};

/// How long an operation may take.
const DEADLINE: Duration = Duration::from_mins(10);
/// The pause between two looks at it, if the control plane names none, and the least one.
pub(super) const PAUSE: Duration = Duration::from_secs(3);
pub(super) const LEAST_PAUSE: Duration = Duration::from_millis(100);

/// What is known about an operation after a look at it.
pub(super) enum State {
    /// It is under way.
    Running,
    /// It has succeeded.
    Done,
}

/// Where an operation is looked at.
enum Watched {
    /// By its state.
    Operation(String),
    /// By an address that answers 202 until it has ended.
    Location(String),
}

/// Waits until the operation that this answer began has ended. Whoever may begin it need not have the right to look at
/// its state, but at what it makes, which is at `made`.
///
/// # Errors
///
/// If it failed, or has not ended in time.
pub(super) async fn ended(http: &Http, began: Answer, what: &str, made: &Url) -> Result<(), Fault> {
    let started = Instant::now();
    let mut pause = began.retry_after;
    let mut watched = match (began.operation, began.location, began.status) {
        (Some(operation), _, _) => Some(Watched::Operation(operation)),
        (None, Some(location), 202) => Some(Watched::Location(location)),
        (None, _, 202) => None,
        (None, _, _) => return Ok(()),
    };
    while started.elapsed() < DEADLINE {
        tokio::time::sleep(pause.unwrap_or(PAUSE).max(LEAST_PAUSE)).await;
        let Some(place) = &watched else {
            if exists(http, made, what).await? {
                return Ok(());
            }
            continue;
        };
        match look(http, place, what).await {
            Ok((State::Done, _)) => return Ok(()),
            Ok((State::Running, next)) => pause = next,
            // It covers a resource, and the state of an operation is none.
            Err(fault) if matches!(fault.status(), Some(403 | 404)) => {
                watched = None;
                pause = None;
            }
            Err(fault) => return Err(fault),
        }
    }
    Err(Fault::Unusable(format!(
        "it has not ended within {} minutes, and may still succeed",
        DEADLINE.as_secs() / 60
    )))
}

/// Whether there is a resource at `url`.
pub(super) async fn exists(http: &Http, url: &Url, what: &str) -> Result<bool, Fault> {
    match http.get(url, what).await {
        Ok(_) => Ok(true),
        Err(fault) if is_missing(&fault) => Ok(false),
        Err(fault) => Err(fault),
    }
}

async fn look(
    http: &Http,
    place: &Watched,
    what: &str,
) -> Result<(State, Option<Duration>), Fault> {
    let (Watched::Operation(address) | Watched::Location(address)) = place;
    let url = http.named(address)?;
    let answer = http.get(&url, what).await?;
    let state = match place {
        Watched::Location(_) if answer.status == 202 => State::Running,
        Watched::Location(_) => State::Done,
        Watched::Operation(_) => state_in(&answer.body)?,
    };
    Ok((state, answer.retry_after))
}

/// The state of an operation.
fn state_in(body: &[u8]) -> Result<State, Fault> {
    #[derive(Deserialize)]
    struct Operation {
        status: String,
        #[serde(default)]
        error: Option<ErrorText>,
    }
    let operation: Operation = parsed(body)?;
    match operation.status.to_ascii_lowercase().as_str() {
        "succeeded" => Ok(State::Done),
        "failed" | "canceled" => {
            let text = operation.error.unwrap_or_else(|| ErrorText {
                code: operation.status,
                message: String::new(),
            });
            // The request itself was accepted: what it asked for was not.
            Err(Fault::Refused(Refusal::from_text(400, text, None)))
        }
        // Whatever else it is called, it has not ended.
        _ => Ok(State::Running),
    }
}
