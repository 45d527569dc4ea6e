//! A hash of texts that is fast, and whose collisions are bounded by a proof.
//!
//! It is NH with words of 64 bits, in two halves of which the second one has the keys of the next words (Black, Halevi,
//! Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO 1999, Theorem 2). Whatever two texts of one length and of at most [`PART`] bytes
//! are, they have the same hash with a probability of at most 2<sup>-128</sup>, if they were written by somebody who does
//! not know the keys. Nothing else is promised of it: hashes tell about the keys, and sums of them cancel out. So they go
//! through a pseudorandom function before they are compared or added.

/// The most bytes that are hashed at once.
pub(super) const PART: usize = 2048;

/// The words of the key: one for each word of a part, and two for the second half.
const KEY_WORDS: usize = PART / 8 + 2;

/// The bytes of the hash of a part.
pub(super) const HASH_BYTES: usize = 32;

/// The key.
#[derive(Debug)]
pub(super) struct PartKey([[u64; 2]; KEY_WORDS / 2]);

impl PartKey {
    /// A key of these words.
    pub(super) fn new(mut word: impl FnMut() -> u64) -> Self {
        Self(std::array::from_fn(|_| [word(), word()]))
    }

    /// The hash of a text of at most [`PART`] bytes. The last word is filled up with zeros, so the length has to be compared
    /// with it.
    #[inline]
    pub(super) fn hash(&self, part: &[u8]) -> [u8; HASH_BYTES] {
        let mut halves = [0_u128; 2];
        let (pairs, rest) = part.as_chunks::<16>();
        let mut keys = self.0.windows(2);
        for (pair, keys) in pairs.iter().zip(&mut keys) {
            add(&mut halves, pair, keys);
        }
        if !rest.is_empty()
            && let Some(keys) = keys.next()
        {
            let mut pair = [0; 16];
            pair[..rest.len()].copy_from_slice(rest);
            add(&mut halves, &pair, keys);
        }
        let mut hash = [0; HASH_BYTES];
        hash[..16].copy_from_slice(&halves[0].to_le_bytes());
        hash[16..].copy_from_slice(&halves[1].to_le_bytes());
        hash
    }
}

/// Adds two words to both halves.
#[inline(always)]
fn add(halves: &mut [u128; 2], pair: &[u8; 16], keys: &[[u64; 2]]) {
    // One number of 128 bits is read as two words by one instruction each.
    let pair = u128::from_le_bytes(*pair);
    let (first, second) = (pair as u64, (pair >> 64) as u64);
    for (half, key) in halves.iter_mut().zip(keys) {
        let factors = (first.wrapping_add(key[0]), second.wrapping_add(key[1]));
        *half = half.wrapping_add(u128::from(factors.0) * u128::from(factors.1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key(seed: u64) -> PartKey {
        let mut random = fastrand::Rng::with_seed(seed);
        PartKey::new(|| random.u64(..))
    }

    /// The same as the paper defines it, for one half.
    fn defined(key: &PartKey, shift: usize, part: &[u8]) -> u128 {
        let words: Vec<u64> = key.0.iter().flatten().copied().collect();
        let mut text = part.to_vec();
        text.resize(part.len().next_multiple_of(16), 0);
        let word = |at: usize| {
            (0..8).fold(0_u64, |word, byte| {
                word | u64::from(text[at * 8 + byte]) << (8 * byte)
            })
        };
        (0..text.len() / 16).fold(0, |sum, pair| {
            let factor = |at: usize| u128::from(word(at).wrapping_add(words[at + shift]));
            sum.wrapping_add(factor(2 * pair).wrapping_mul(factor(2 * pair + 1)))
        })
    }

    proptest! {
        #[test]
        fn a_hash_is_what_the_paper_defines(part in proptest::collection::vec(any::<u8>(), 0..300), seed in any::<u64>()) {
            let key = key(seed);
            let expected = [defined(&key, 0, &part), defined(&key, 2, &part)];
            prop_assert_eq!(key.hash(&part).to_vec(), expected.map(u128::to_le_bytes).concat());
        }

        #[test]
        fn texts_of_one_length_have_two_hashes(
            mut part in proptest::collection::vec(any::<u8>(), 1..PART),
            at in any::<proptest::sample::Index>(),
            other in 1_u8..,
            seed in any::<u64>(),
        ) {
            let key = key(seed);
            let before = key.hash(&part);
            let at = at.index(part.len());
            part[at] = part[at].wrapping_add(other);
            prop_assert_ne!(before, key.hash(&part));
        }
    }

    #[test]
    fn a_part_may_have_all_its_bytes() {
        let key = key(1);
        let (mut a, mut b) = ([1; PART], [1; PART]);
        assert_eq!(key.hash(&a), key.hash(&b));
        for at in [0, 7, 8, PART / 2, PART - 16, PART - 1] {
            a[at] = 2;
            assert_ne!(key.hash(&a), key.hash(&b), "{at}");
            b[at] = 2;
        }
    }
}
