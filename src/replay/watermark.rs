//! How far every change is done. Writes end in any order; the watermark moves only over changes that
//! are done without a gap.

use std::collections::VecDeque;

/// A position that advances step by step.
pub(super) trait Advance {
    /// How it advances.
    type Step;

    /// Takes a step. Each is taken once, in the order of the source.
    fn advance(&mut self, step: Self::Step);
}

/// Which of the changes taken from the source are done.
#[derive(Debug)]
pub(super) struct Watermark<P: Advance> {
    /// Number of the first change in `open`.
    first: u64,
    /// The changes from the first that is not done.
    open: VecDeque<Open<P::Step>>,
    /// The position of the source before the first change that is not done.
    position: P,
    /// Dead letters of the changes that are done without a gap, in the order of the source.
    letters: Vec<Vec<u8>>,
    /// How many of the changes that are done without a gap were refused.
    refused: u64,
}

#[derive(Debug)]
struct Open<S> {
    done: bool,
    /// The steps of the source up to the next change.
    after: Vec<S>,
    /// Whether it was refused.
    refused: bool,
    /// Its dead letter, if there is one.
    letter: Option<Vec<u8>>,
}

impl<P: Advance> Watermark<P> {
    /// A watermark at `position`.
    pub(super) fn new(position: P) -> Self {
        Self {
            first: 0,
            open: VecDeque::new(),
            position,
            letters: Vec::new(),
            refused: 0,
        }
    }

    /// A change was taken, with which the source advances by `step`. Returns its number.
    pub(super) fn take(&mut self, step: P::Step) -> u64 {
        self.open.push_back(Open {
            done: false,
            after: vec![step],
            refused: false,
            letter: None,
        });
        self.first + self.open.len() as u64 - 1
    }

    /// The source advances without a change.
    pub(super) fn pass(&mut self, step: P::Step) {
        match self.open.back_mut() {
            Some(open) => open.after.push(step),
            None => self.position.advance(step),
        }
    }

    /// The change `number` is done.
    pub(super) fn done(&mut self, number: u64) {
        self.settle(number, false, None);
    }

    /// The change `number` is refused, with its dead letter, if there is one.
    pub(super) fn refused(&mut self, number: u64, letter: Option<Vec<u8>>) {
        self.settle(number, true, letter);
    }

    fn settle(&mut self, number: u64, refused: bool, letter: Option<Vec<u8>>) {
        let index = usize::try_from(number.wrapping_sub(self.first)).unwrap_or(usize::MAX);
        if let Some(open) = self.open.get_mut(index) {
            open.done = true;
            open.refused = refused;
            open.letter = letter;
        }
        while self.open.front().is_some_and(|open| open.done)
            && let Some(open) = self.open.pop_front()
        {
            for step in open.after {
                self.position.advance(step);
            }
            self.letters.extend(open.letter);
            self.refused += u64::from(open.refused);
            self.first += 1;
        }
    }

    /// The dead letters of changes that are done without a gap, since the last call.
    pub(super) fn take_letters(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.letters)
    }

    /// Whether there are any since that.
    pub(super) fn has_letters(&self) -> bool {
        !self.letters.is_empty()
    }

    /// The remaining dead letters, of changes after a gap.
    pub(super) fn take_letters_after_gaps(&mut self) -> Vec<Vec<u8>> {
        let letters = self.open.iter_mut().filter_map(|open| open.letter.take());
        letters.collect()
    }

    /// How many changes are done without a gap.
    pub(super) fn done_through(&self) -> u64 {
        self.first
    }

    /// How many of the changes that are done without a gap were refused.
    pub(super) fn refused_through(&self) -> u64 {
        self.refused
    }

    /// How many changes were taken.
    pub(super) fn taken(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    /// The position before which every change is done.
    pub(super) fn position(&self) -> &P {
        &self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut watermark = Watermark::new(At('0'));
        let numbers: Vec<u64> = ['a', 'b', 'c'].map(|at| watermark.take(at)).to_vec();
        watermark.refused(numbers[1], Some(b"letter".to_vec()));
        assert!(watermark.take_letters().is_empty());
        assert_eq!(
            (watermark.done_through(), *watermark.position()),
            (0, At('0'))
        );
        assert_eq!(watermark.refused_through(), 0);
        watermark.done(numbers[0]);
        assert_eq!(watermark.refused_through(), 1);
        assert_eq!(watermark.take_letters(), [b"letter"]);
        assert_eq!(
            (watermark.done_through(), *watermark.position()),
            (2, At('b'))
        );
        // A step without a change waits for the changes before it.
        watermark.pass('d');
        assert_eq!(*watermark.position(), At('b'));
        watermark.done(watermark.taken() - 1);
        assert_eq!(
            (watermark.done_through(), *watermark.position()),
            (3, At('d'))
        );
        watermark.pass('e');
        assert_eq!(
            (watermark.done_through(), *watermark.position()),
            (3, At('e'))
        );
    }
}
