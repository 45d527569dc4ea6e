//! The order of writes: those of one partition key one after the other, those of different keys in
//! any order; and how far everything is done.

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

/// A place in a source, which moves step by step.
pub(super) trait Advance {
    /// What moves it.
    type Step;

    /// Takes a step; each is taken once, in the order of the source.
    fn advance(&mut self, step: Self::Step);
}

/// Which of the changes that were taken from the source are done, in the order of the source.
#[derive(Debug)]
pub(super) struct Progress<P: Advance> {
    /// Number of the first change in `open`.
    first: u64,
    /// Changes from the first that is not done.
    open: VecDeque<Open<P::Step>>,
    /// Where the source stood after the last change before which everything is done.
    position: P,
    /// What is left of changes that are done without a gap, in the order of the source.
    letters: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Open<S> {
    done: bool,
    /// The steps of the source up to the next change.
    after: Vec<S>,
    /// What is to be kept of it if it was refused.
    letter: Option<Vec<u8>>,
}

impl<P: Advance> Progress<P> {
    /// Begins at `position`.
    pub(super) fn new(position: P) -> Self {
        Self {
            first: 0,
            open: VecDeque::new(),
            position,
            letters: Vec::new(),
        }
    }

    /// A change was taken, with which the source takes this step. Returns its number.
    pub(super) fn take(&mut self, step: P::Step) -> u64 {
        self.open.push_back(Open {
            done: false,
            after: vec![step],
            letter: None,
        });
        self.first + self.open.len() as u64 - 1
    }

    /// The source takes a step without a change.
    pub(super) fn pass(&mut self, step: P::Step) {
        match self.open.back_mut() {
            Some(open) => open.after.push(step),
            None => self.position.advance(step),
        }
    }

    /// The change `number` is done, and leaves a dead letter if it was refused.
    pub(super) fn done(&mut self, number: u64, letter: Option<Vec<u8>>) {
        let index = usize::try_from(number.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(open) = self.open.get_mut(index) {
            open.done = true;
            open.letter = letter;
        }
        while self.open.front().is_some_and(|open| open.done)
            && let Some(open) = self.open.pop_front()
        {
            for step in open.after {
                self.position.advance(step);
            }
            self.letters.extend(open.letter);
            self.first += 1;
        }
    }

    /// The dead letters of the changes that are done without a gap, since this was last called.
    pub(super) fn take_letters(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.letters)
    }

    /// The dead letters that are left, of changes after a gap.
    pub(super) fn take_letters_after_gaps(&mut self) -> Vec<Vec<u8>> {
        let letters = self.open.iter_mut().filter_map(|open| open.letter.take());
        letters.collect()
    }

    /// How many changes are done without a gap.
    pub(super) fn done_through(&self) -> u64 {
        self.first
    }

    /// How many changes were taken.
    pub(super) fn taken(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    /// Where to go on: everything before is done.
    pub(super) fn position(&self) -> &P {
        &self.position
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

    #[derive(Debug, Clone, Copy, PartialEq)]
    struct At(char);

    impl Advance for At {
        type Step = char;

        fn advance(&mut self, step: char) {
            assert!(self.0 < step, "{self:?} goes back to {step}");
            self.0 = step;
        }
    }

    #[test]
    fn the_position_moves_only_over_what_is_done_without_a_gap() {
        let mut progress = Progress::new(At('0'));
        let numbers: Vec<u64> = ['a', 'b', 'c'].map(|at| progress.take(at)).to_vec();
        progress.done(numbers[1], Some(b"letter".to_vec()));
        assert!(progress.take_letters().is_empty());
        assert_eq!(
            (progress.done_through(), *progress.position()),
            (0, At('0'))
        );
        progress.done(numbers[0], None);
        assert_eq!(progress.take_letters(), [b"letter"]);
        assert_eq!(
            (progress.done_through(), *progress.position()),
            (2, At('b'))
        );
        // A step without a change waits for those before it.
        progress.pass('d');
        assert_eq!(*progress.position(), At('b'));
        progress.done(progress.taken() - 1, None);
        assert_eq!(
            (progress.done_through(), *progress.position()),
            (3, At('d'))
        );
        progress.pass('e');
        assert_eq!(
            (progress.done_through(), *progress.position()),
            (3, At('e'))
        );
    }
}
