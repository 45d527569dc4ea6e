//! The order of writes: those of one partition key one after the other, those of different keys in
//! any order.

use std::collections::{HashMap, VecDeque};

use azure_data_cosmos_driver::models::PartitionKey;

/// Writes that wait, one queue for each partition key that has any or has one under way.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    queues: HashMap<PartitionKey, VecDeque<T>>,
    /// Keys with a write that may begin.
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
    /// Puts a write behind the others of its key.
    pub(super) fn push(&mut self, key: &PartitionKey, write: T) {
        match self.queues.get_mut(key) {
            Some(queue) => queue.push_back(write),
            None => {
                self.queues.insert(key.clone(), VecDeque::from([write]));
                self.ready.push_back(key.clone());
            }
        }
    }

    /// Writes of one key that may begin, in their order: one, and those behind it of which
    /// `joins` says, one by one, that they go with what is there already. The key has none other until
    /// [`Lanes::done`].
    pub(super) fn next(&mut self, mut joins: impl FnMut(&[T], &T) -> bool) -> Option<Vec<T>> {
        let key = self.ready.pop_front()?;
        let queue = self.queues.get_mut(&key)?;
        let mut run = vec![queue.pop_front()?];
        while queue.front().is_some_and(|write| joins(&run, write)) {
            run.extend(queue.pop_front());
        }
        Some(run)
    }

    /// The writes of `key` that were under way have ended.
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
    fn writes_of_a_key_follow_each_other_and_other_keys_do_not_wait() {
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
    fn what_joins_goes_with_the_first_up_to_what_does_not() {
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
