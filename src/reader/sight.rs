//! How far the partitions of a container have been seen by several readers of it.

use std::sync::{Arc, Mutex};

use anyhow::Result;

use super::seen::{self, Seen};
use crate::cosmos::client::CosmosClient;

/// What several readers of a container have seen of it: one that follows its feed, and others beside that. Replicas are
/// compared by the LSNs of their session tokens, which need not compare with those of ETags.
#[derive(Debug, Clone, Default)]
pub struct Sight(Arc<Mutex<Seen>>);

/// What had been seen when a reading began. No answer may be from before that.
#[derive(Debug, Clone)]
pub struct Floor {
    sight: Sight,
    then: Arc<Seen>,
    /// Whether what is not known of a partition will be.
    pub(super) waits: bool,
}

/// What part a range has in what is seen.
#[derive(Debug, Clone)]
pub(super) enum Sighted {
    /// Its answers are noted: the ranges are those of the whole container.
    Leading(Sight),
    /// Its answers must not be from before this, and are noted too.
    Above(Floor),
}

impl Sight {
    /// Whether it is known how far `partition` is.
    pub fn has(&self, partition: &str) -> bool {
        seen::locked(&self.0).of(partition).is_some()
    }

    /// How far `partition` has been seen.
    fn of(&self, partition: &str) -> Option<u64> {
        seen::locked(&self.0).of(partition)
    }

    /// What has been seen until now. `waits` says that whoever follows the feed will see other partitions too, and that
    /// no answer of these is of use before.
    pub fn floor(&self, waits: bool) -> Floor {
        Floor {
            waits,
            sight: self.clone(),
            then: Arc::new(seen::locked(&self.0).clone()),
        }
    }

    /// Notes that `partition` has answered up to `lsn`. Returns whether more had been seen before, of it or of the ones
    /// that it came from.
    ///
    /// # Errors
    ///
    /// If it cannot be found out which ones these are.
    pub(super) async fn note(
        &self,
        client: &CosmosClient,
        partition: &str,
        lsn: Option<u64>,
    ) -> Result<bool> {
        let before = seen::note(&self.0, client, partition, lsn).await?;
        Ok(lsn.is_some() && before > lsn)
    }
}

impl Floor {
    /// How far `partition` had been seen when the reading began; a later one, when it was seen first.
    pub(super) fn of(&self, partition: &str) -> Option<u64> {
        self.then.of(partition).or_else(|| self.sight.of(partition))
    }

    /// Notes that `partition` has been seen to `lsn`.
    pub(super) fn note(&self, partition: &str, lsn: u64) {
        seen::locked(&self.sight.0).raise(partition, lsn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(sight: &Sight, lsn: u64) {
        seen::locked(&sight.0).note("0", Some(lsn));
    }

    #[test]
    fn a_floor_stays_where_it_was_and_knows_later_partitions() {
        let sight = Sight::default();
        note(&sight, 150);
        let floor = sight.floor(true);
        note(&sight, 170);
        assert_eq!((floor.of("0"), floor.of("1")), (Some(150), None));
        floor.note("0", 180);
        floor.note("0", 160);
        assert_eq!(sight.of("0"), Some(180));
        seen::locked(&sight.0).note("1", Some(175));
        assert_eq!(floor.of("1"), Some(175));
    }
}
