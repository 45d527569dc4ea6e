//! The order of writes: one after the other within a partition key, in any order between keys.

use std::collections::{HashMap, VecDeque};

use azure_data_cosmos_driver::models::PartitionKey;

/// Waiting writes: a queue for each partition key with writes that wait or run.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    queues: HashMap<PartitionKey, VecDeque<T>>,
    /// Keys with a write that may start.
    ready: VecDeque<PartitionKey>,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self {
            queues: HashMap::new(),
            ready: VecDeque::new(),
        }
    }
}

impl<T> Lanes<T> {
    /// Adds a write after the others of its key.
    pub(super) fn push(&mut self, key: &PartitionKey, write: T) {
        match self.queues.get_mut(key) {
            Some(queue) => queue.push_back(write),
            None => {
                self.queues.insert(key.clone(), VecDeque::from([write]));
                self.ready.push_back(key.clone());
            }
        }
    }

    /// The next writes that may start, all of one key and in their order: the first in its queue, and as
    /// many after it as `joins` accepts, one by one, into the run so far. No other write of the key starts
    /// before [`Lanes::done`].
    pub(super) fn next(&mut self, mut joins: impl FnMut(&[T], &T) -> bool) -> Option<Vec<T>> {
        let key = self.ready.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let mut run = vec![queue.pop_front()?];
        while queue.front().is_some_and(|write| joins(&run, write)) {
            run.extend(queue.pop_front());
        }
        Some(run)
    }

    /// The running writes of `key` have ended.
    pub(super) fn done(&mut self, key: &PartitionKey) {
        match self.queues.get(key) {
            Some(queue) if !queue.is_empty() => self.ready.push_back(key.clone()),
            _ => drop(self.queues.remove(key)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_a_key_run_in_order_and_other_keys_do_not_wait() {
        let (a, b) = (PartitionKey::from("a"), PartitionKey::from("b"));
        let mut lanes = Lanes::default();
        for (key, write) in [(&a, 1), (&a, 2), (&b, 3), (&a, 4)] {
            lanes.push(key, write);
        }
        let mut alone = || lanes.next(|_, _| false);
        assert_eq!(alone(), Some(vec![1]));
        assert_eq!(alone(), Some(vec![3]));
        assert_eq!(alone(), None);
        lanes.done(&a);
        assert_eq!(lanes.next(|_, _| false), Some(vec![2]));
        lanes.done(&b);
        assert_eq!(lanes.next(|_, _| false), None);
        lanes.done(&a);
        assert_eq!(lanes.next(|_, _| false), Some(vec![4]));
        lanes.done(&a);
        assert!(lanes.queues.is_empty());
        lanes.push(&a, 5);
        assert_eq!(lanes.next(|_, _| false), Some(vec![5]));
    }

    #[test]
    fn a_run_ends_before_the_first_write_that_does_not_join() {
        let key = PartitionKey::from("a");
        let mut lanes = Lanes::default();
        for write in [1, 2, 3, 9, 4, 5] {
            lanes.push(&key, write);
        }
        let rising = |run: &[i32], next: &i32| run.last().is_some_and(|last| last + 1 == *next);
        for run in [vec![1, 2, 3], vec![9], vec![4, 5]] {
            assert_eq!(lanes.next(rising), Some(run));
            assert_eq!(lanes.next(rising), None);
            lanes.done(&key);
        }
        assert!(lanes.queues.is_empty());
    }
}
