//! Which elements of two arrays belong together.

/// The most elements that are inserted or removed by the shortest script that is looked for. Its cost grows with
/// the square of it.
const MAX_EDITS: usize = 256;

/// What may still be spent on comparing arrays. It bounds the time that one change takes, whatever it has.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Default for Budget {
    fn default() -> Self {
        Self(2_000_000)
    }
}

impl Budget {
    /// Takes `steps` from the budget. Returns whether it had them.
    pub(super) fn take(&mut self, steps: usize) -> bool {
        match self.0.checked_sub(steps) {
            Some(left) => {
                self.0 = left;
                true
            }
            None => false,
        }
    }
}

/// The positions of a longest common subsequence of `old` and `new`, in order. If it would cost too much to find,
/// only the common beginning and end.
pub(super) fn common<T: PartialEq>(
    old: &[T],
    new: &[T],
    budget: &mut Budget,
) -> Vec<(usize, usize)> {
    let begin = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (rest_old, rest_new) = (&old[begin..], &new[begin..]);
    let both = rest_old.iter().rev().zip(rest_new.iter().rev());
    let end = both.take_while(|(a, b)| a == b).count();
    let middle_old = &rest_old[..rest_old.len() - end];
    let middle_new = &rest_new[..rest_new.len() - end];
    let mut pairs: Vec<(usize, usize)> = (0..begin).map(|at| (at, at)).collect();
    if !middle_old.is_empty() && !middle_new.is_empty() {
        let found = shortest_script(middle_old, middle_new, budget).unwrap_or_default();
        pairs.extend(found.into_iter().map(|(a, b)| (begin + a, begin + b)));
    }
    let (old_end, new_end) = (old.len() - end, new.len() - end);
    pairs.extend((0..end).map(|at| (old_end + at, new_end + at)));
    pairs
}

/// The elements that the shortest script of insertions and removals keeps (Myers, "An O(ND) difference algorithm").
fn shortest_script<T: PartialEq>(
    old: &[T],
    new: &[T],
    budget: &mut Budget,
) -> Option<Vec<(usize, usize)>> {
    let (n, m) = (old.len() as isize, new.len() as isize);
    let max = (old.len() + new.len()).min(MAX_EDITS);
    // For each diagonal the furthest position in `old`; `traces` has those of each number of edits.
    let offset = max as isize + 1;
    let at = |k: isize| (k + offset) as usize;
    let mut furthest = vec![0isize; 2 * max + 3];
    let mut traces: Vec<Vec<isize>> = Vec::new();
    for edits in 0..=max as isize {
        // Only these were reached.
        traces.push(furthest[at(-edits - 1)..=at(edits + 1)].to_vec());
        for k in (-edits..=edits).step_by(2) {
            let down = k == -edits || (k != edits && furthest[at(k - 1)] < furthest[at(k + 1)]);
            let start = if down {
                furthest[at(k + 1)]
            } else {
                furthest[at(k - 1)] + 1
            };
            let mut x = start;
            while x < n && x - k < m && x - k >= 0 && old[x as usize] == new[(x - k) as usize] {
                x += 1;
            }
            if !budget.take(1 + (x - start) as usize) {
                return None;
            }
            furthest[at(k)] = x;
            if x >= n && x - k >= m {
                return Some(kept(&traces, n, m));
            }
        }
    }
    None
}

/// Follows the traces back from the end.
fn kept(traces: &[Vec<isize>], n: isize, m: isize) -> Vec<(usize, usize)> {
    let (mut x, mut y) = (n, m);
    let mut pairs = Vec::new();
    for (edits, trace) in traces.iter().enumerate().rev() {
        let edits = edits as isize;
        let furthest = |k: isize| trace[(k + edits + 1) as usize];
        let k = x - y;
        let down = k == -edits || (k != edits && furthest(k - 1) < furthest(k + 1));
        let before = if down { k + 1 } else { k - 1 };
        let (from_x, from_y) = if edits == 0 {
            (0, 0)
        } else {
            (furthest(before), furthest(before) - before)
        };
        while x > from_x && y > from_y {
            x -= 1;
            y -= 1;
            pairs.push((x as usize, y as usize));
        }
        (x, y) = (from_x, from_y);
    }
    pairs.reverse();
    pairs
}

/// Pairs of `0..old` and `0..new`, in order, whose likenesses have the largest sum. What is not alike at all is not
/// paired; nothing is, if that would cost too much.
pub(super) fn alike(
    old: usize,
    new: usize,
    likeness: impl Fn(usize, usize) -> usize,
    budget: &mut Budget,
) -> Vec<(usize, usize)> {
    /// Comparing two elements takes longer than a step.
    const STEPS: usize = 64;
    const MAX_PAIRS: usize = 4096;
    let pairs = old.saturating_mul(new);
    if pairs > MAX_PAIRS || !budget.take(pairs * STEPS) {
        return Vec::new();
    }
    let scores: Vec<usize> = (0..old)
        .flat_map(|a| (0..new).map(move |b| (a, b)))
        .map(|(a, b)| likeness(a, b))
        .collect();
    // The best sum of what follows a position.
    let width = new + 1;
    let mut best = vec![0usize; (old + 1) * width];
    for a in (0..old).rev() {
        for b in (0..new).rev() {
            let score = scores[a * new + b];
            let paired = score + best[(a + 1) * width + b + 1];
            let apart = best[(a + 1) * width + b].max(best[a * width + b + 1]);
            best[a * width + b] = paired.max(apart);
        }
    }
    let (mut a, mut b, mut found) = (0, 0, Vec::new());
    while a < old && b < new {
        let score = scores[a * new + b];
        let here = best[a * width + b];
        if score > 0 && here == score + best[(a + 1) * width + b + 1] {
            found.push((a, b));
            a += 1;
            b += 1;
        } else if here == best[(a + 1) * width + b] {
            a += 1;
        } else {
            b += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn pairs(old: &str, new: &str) -> Vec<(usize, usize)> {
        common(old.as_bytes(), new.as_bytes(), &mut Budget::default())
    }

    #[test]
    fn an_insertion_keeps_what_follows() {
        assert_eq!(pairs("abc", "abc"), [(0, 0), (1, 1), (2, 2)]);
        assert_eq!(pairs("abc", "axbc"), [(0, 0), (1, 2), (2, 3)]);
        assert_eq!(pairs("axbyc", "abzc"), [(0, 0), (2, 1), (4, 3)]);
        assert_eq!(pairs("", "abc"), []);
        assert_eq!(pairs("abc", "xyz"), []);
    }

    #[test]
    fn what_costs_too_much_is_not_looked_for() {
        let old: Vec<u32> = (0..1_000_000).collect();
        let new: Vec<u32> = (0..1_000_000).map(|n| n * 7 % 1_000_003).collect();
        let found = common(&old, &new, &mut Budget::default());
        assert_eq!(found, [(0, 0)]);
        let mut few = old.clone();
        few.remove(500_000);
        few.insert(7, 42);
        assert_eq!(common(&old, &few, &mut Budget::default()).len(), 999_999);
        let mut spent = Budget(0);
        assert_eq!(common(b"abc", b"bcd", &mut spent), []);
        assert_eq!(alike(1, 1, |_, _| 1, &mut spent), []);
    }

    #[test]
    fn alike_elements_are_paired_in_order() {
        let likeness = |old: &'static [u8], new: &'static [u8]| {
            let table = |a: usize, b: usize| usize::from(old[a] == new[b]);
            alike(old.len(), new.len(), table, &mut Budget::default())
        };
        assert_eq!(likeness(b"ab", b"xa"), [(0, 1)]);
        assert_eq!(likeness(b"ab", b"ba").len(), 1);
        assert_eq!(likeness(b"ab", b"xy"), []);
    }

    /// The length of a longest common subsequence, by the definition.
    fn longest(old: &[u8], new: &[u8]) -> usize {
        let mut row = vec![0; new.len() + 1];
        for a in old {
            let mut diagonal = 0;
            for (at, b) in new.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if a == b {
                    diagonal + 1
                } else {
                    above.max(row[at])
                };
                diagonal = above;
            }
        }
        row[new.len()]
    }

    proptest! {
        #[test]
        fn the_common_subsequence_is_a_longest(
            old in vec(0u8..4, 0..40),
            new in vec(0u8..4, 0..40),
        ) {
            let found = common(&old, &new, &mut Budget::default());
            prop_assert!(found.iter().all(|&(a, b)| old[a] == new[b]));
            prop_assert!(found.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(found.len(), longest(&old, &new));
        }
    }
}
