//! `--speed`: changes at the intervals at which they were made.

use std::time::Duration;

use anyhow::Result;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::delivery::{Delivery, Taken};
use super::interpreter::Meaning;

/// The longest wait for a change. It is as good as forever, and the clock can still represent it.
const MAX_WAIT: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// When changes are due: as long after the first change as they were made after it, divided by the speed.
#[derive(Debug)]
pub(super) struct Schedule {
    speed: f64,
    /// When the first change arrived, and when it was made, in seconds since 1970.
    first: Option<(Instant, i64)>,
}

impl Schedule {
    /// `speed` seconds of the source pass in one second; it is positive.
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, first: None }
    }

    /// When a change that was made at `seconds` is due. None if it is due now: because its time is not known,
    /// has passed, or is before that of the first change.
    pub(super) fn due(&mut self, seconds: Option<i64>) -> Option<Instant> {
        let seconds = seconds?;
        let now = Instant::now();
        let (start, first) = *self.first.get_or_insert((now, seconds));
        let after = seconds.checked_sub(first).filter(|after| *after > 0)?;
        let scaled = Duration::try_from_secs_f64(after as f64 / self.speed);
        let due = start + scaled.unwrap_or(MAX_WAIT).min(MAX_WAIT);
        (due > now).then_some(due)
    }
}

/// Passes on what `source` delivers: each change when it is due, and anything else right after the
/// change before it. Ends with the source, and when the receiver is dropped.
pub(super) fn in_time(
    mut source: mpsc::Receiver<Result<Delivery>>,
    speed: f64,
) -> mpsc::Receiver<Result<Delivery>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut schedule = Schedule::new(speed);
        while let Some(taken) = source.recv().await {
            let due = match &taken {
                Ok(Delivery::Record(Taken {
                    meaning: Ok(Meaning::Write(write)),
                    ..
                })) => schedule.due(write.seconds),
                _ => None,
            };
            if let Some(due) = due {
                tokio::select! {
                    () = sleep_until(due) => {}
                    () = sender.closed() => return,
                }
            }
            if sender.send(taken).await.is_err() {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use azure_data_cosmos_driver::models::PartitionKey;

    use super::super::item_write::{Action, Defect, ItemWrite};
    use super::super::original::Original;
    use super::super::position::{InputPosition, Step};
    use super::*;
    use crate::cosmos::items::ItemAddress;

    fn taken(meaning: Result<Meaning, Defect>) -> Result<Delivery> {
        Ok(Delivery::Record(Taken {
            original: Original::of_record(bytes::Bytes::new(), None),
            meaning,
            after: Step {
                position: InputPosition::default(),
                feed: None,
                bytes: 0,
            },
            tenure: None,
        }))
    }

    fn change(seconds: Option<i64>) -> Result<Delivery> {
        taken(Ok(Meaning::Write(ItemWrite {
            item: ItemAddress {
                key: PartitionKey::from("p"),
                id: "1".to_owned(),
            },
            action: Action::Delete { expired: false },
            seconds,
            missing_path: None,
            source: None,
        })))
    }

    /// When each delivery is passed on, in seconds after the start. All of them are there at the start.
    async fn times(speed: f64, all: Vec<Result<Delivery>>) -> Vec<f64> {
        let (sender, source) = mpsc::channel(all.len());
        for one in all {
            sender.send(one).await.unwrap();
        }
        drop(sender);
        let began = Instant::now();
        let mut receiver = in_time(source, speed);
        let mut times = Vec::new();
        while receiver.recv().await.is_some() {
            times.push(began.elapsed().as_millis() as f64 / 1000.0);
        }
        times
    }

    #[tokio::test(start_paused = true)]
    async fn intervals_are_those_of_the_source_scaled() {
        let made = [1_700_000_000, 1_700_000_000, 1_700_000_010, 1_700_000_100];
        let changes = || made.map(|seconds| change(Some(seconds))).into();
        assert_eq!(times(1.0, changes()).await, [0.0, 0.0, 10.0, 100.0]);
        assert_eq!(times(10.0, changes()).await, [0.0, 0.0, 1.0, 10.0]);
        assert_eq!(times(0.5, changes()).await, [0.0, 0.0, 20.0, 200.0]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_change_and_one_without_a_time_follow_at_once() {
        let made = [
            None,
            Some(100),
            None,
            Some(130),
            Some(90),
            None,
            Some(120),
            Some(131),
        ];
        let changes = made.map(change).into();
        assert_eq!(
            times(1.0, changes).await,
            [0.0, 0.0, 0.0, 30.0, 30.0, 30.0, 30.0, 31.0]
        );
        let others = vec![
            taken(Ok(Meaning::OutsideWindow)),
            change(Some(5)),
            taken(Ok(Meaning::Dropped)),
            taken(Err(Defect::new("broken"))),
            Err(anyhow::anyhow!("torn")),
            Ok(Delivery::CaughtUp),
            change(Some(6)),
        ];
        assert_eq!(
            times(1.0, others).await,
            [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn late_changes_are_passed_on_at_once() {
        let (sender, source) = mpsc::channel(8);
        for seconds in [0, 10, 20, 30] {
            sender.send(change(Some(seconds))).await.unwrap();
        }
        let began = Instant::now();
        let mut receiver = in_time(source, 1.0);
        receiver.recv().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_secs(25)).await;
        let mut times = Vec::new();
        for _ in 0..3 {
            receiver.recv().await.unwrap().unwrap();
            times.push(began.elapsed().as_secs());
        }
        assert_eq!(times, [25, 25, 30]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_when_the_receiver_is_dropped() {
        let (sender, source) = mpsc::channel(8);
        for seconds in [i64::MIN, 0, i64::MAX] {
            sender.send(change(Some(seconds))).await.unwrap();
        }
        let mut receiver = in_time(source, 1e-9);
        receiver.recv().await.unwrap().unwrap();
        let began = Instant::now();
        drop(receiver);
        sender.closed().await;
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
