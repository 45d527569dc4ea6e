//! Finds the byte that ends a run: eight bytes at a time in a `u64`, and 64 at a time in a string that is
//! longer than a few words.
//!
//! Neither needs unsafe code, and both work on every target. Most strings, numbers and nested documents end
//! within the first step, where a word is the cheapest; on long text the compiler's vectors are twice as
//! fast.

const ONES: u64 = u64::MAX / 255;
const HIGH: u64 = ONES << 7;

/// Words of a string that are examined one by one, before the wider steps.
const FIRST_WORDS: usize = 4;
/// Length of a wider step, in bytes.
const BLOCK: usize = 64;

/// The index at or after `from` of the first byte that ends or interrupts a string: `"`, `\` or a
/// control character; `bytes.len()` if there is none. The bytes before it are added to `seen`.
#[inline(always)]
pub(super) fn string_stop(bytes: &[u8], from: usize, seen: &mut Seen) -> usize {
    match stop_in_words(bytes, from, FIRST_WORDS, seen) {
        Ok(stop) => stop,
        Err(from) => long_string_stop(bytes, from, seen),
    }
}

/// The same in text whose strings are known to be valid, without a search for control characters.
#[inline(always)]
pub(super) fn valid_string_stop(bytes: &[u8], from: usize) -> usize {
    match stop_in_words(bytes, from, FIRST_WORDS, &mut Seen::default()) {
        Ok(stop) => stop,
        Err(from) => {
            let rest = bytes.get(from..).unwrap_or_default();
            memchr::memchr2(b'"', b'\\', rest).map_or(bytes.len(), |at| from + at)
        }
    }
}

/// Which bits the bytes of a string have, in any of the eight places of a word.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen(u64);

impl Seen {
    /// Whether there was only ASCII.
    #[inline(always)]
    pub(super) fn is_ascii(self) -> bool {
        self.0 & HIGH == 0
    }

    /// Adds the bytes of `word` before the lowest one that is set in `stops`.
    #[inline(always)]
    fn add_before(&mut self, word: u64, stops: u64) {
        let lowest = stops & stops.wrapping_neg();
        // All bits of the stop itself but the high one are added too, which has no effect.
        self.0 |= word & lowest.wrapping_sub(1);
    }
}

/// The result of [`string_stop`] within so many words, or how far they reach.
#[inline(always)]
fn stop_in_words(
    bytes: &[u8],
    mut from: usize,
    words: usize,
    seen: &mut Seen,
) -> Result<usize, usize> {
    for _ in 0..words {
        let Some(word) = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>) else {
            break;
        };
        let word = u64::from_le_bytes(*word);
        let stops = string_stops(word);
        if stops != 0 {
            seen.add_before(word, stops);
            return Ok(from + stops.trailing_zeros() as usize / 8);
        }
        seen.0 |= word;
        from += 8;
    }
    Err(from)
}

/// [`string_stop`] in a long string: the loop over a block has no branches, so it is compiled to vectors.
#[inline(never)]
fn long_string_stop(bytes: &[u8], mut from: usize, seen: &mut Seen) -> usize {
    while let Some(block) = bytes.get(from..).and_then(<[u8]>::first_chunk::<BLOCK>) {
        let (mut stops, mut bits) = (0, 0);
        for word in block.as_chunks().0 {
            let word = u64::from_le_bytes(*word);
            stops |= string_stops(word);
            bits |= word;
        }
        if stops != 0 {
            break;
        }
        seen.0 |= bits;
        from += BLOCK;
    }
    // The stop is in the next block, or no whole block remains.
    match stop_in_words(bytes, from, BLOCK / 8, seen) {
        Ok(stop) => stop,
        Err(from) => string_stop_in_tail(bytes, from, seen),
    }
}

#[cold]
fn string_stop_in_tail(bytes: &[u8], from: usize, seen: &mut Seen) -> usize {
    let stop = find_in_tail(bytes, from, is_string_stop);
    let run = bytes.get(from..stop).unwrap_or_default();
    seen.0 |= u64::from(run.iter().fold(0, |bits, byte| bits | byte));
    stop
}

/// The index at or after `from` of the first byte that is not a decimal digit; `bytes.len()` if
/// there is none.
#[inline(always)]
pub(super) fn digits_end(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, non_digits, is_no_digit)
}

/// The index at or after `from` of the first quote, bracket or brace; `bytes.len()` if there is
/// none.
#[inline(always)]
pub(super) fn structure_stop(bytes: &[u8], from: usize) -> usize {
    find(bytes, from, structure_stops, is_structure)
}

/// Applies `stops` (the high bit of each byte) to whole words, and `is_stop` to the remaining bytes.
#[inline(always)]
fn find(bytes: &[u8], mut from: usize, stops: fn(u64) -> u64, is_stop: fn(u8) -> bool) -> usize {
    while let Some(word) = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>) {
        let mask = stops(u64::from_le_bytes(*word));
        if mask != 0 {
            return from + mask.trailing_zeros() as usize / 8;
        }
        from += 8;
    }
    find_in_tail(bytes, from, is_stop)
}

/// The last bytes of a body, too few for a word.
#[cold]
#[inline(never)]
fn find_in_tail(bytes: &[u8], from: usize, is_stop: fn(u8) -> bool) -> usize {
    (from..bytes.len())
        .find(|&index| is_stop(bytes[index]))
        .unwrap_or(bytes.len())
}

fn is_string_stop(byte: u8) -> bool {
    byte == b'"' || byte == b'\\' || byte < 0x20
}

fn is_structure(byte: u8) -> bool {
    matches!(byte, b'"' | b'[' | b']' | b'{' | b'}')
}

fn is_no_digit(byte: u8) -> bool {
    !byte.is_ascii_digit()
}

/// The borrow of a subtraction propagates upwards, so a bit above the lowest set one may be wrong. Only the
/// lowest is used.
#[inline(always)]
fn string_stops(word: u64) -> u64 {
    // Flipping 0x02 maps the quote to 0x20, the space elsewhere, and no control character above 0x1f:
    // one comparison finds both.
    let control_or_quote = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
    (control_or_quote | backslash) & !word & HIGH
}

/// Brackets and braces differ by the bit 0x20, their two sides by 0x06.
#[inline(always)]
fn structure_stops(word: u64) -> u64 {
    let zero = |word: u64| word.wrapping_sub(ONES) & !word;
    let folded = word | (ONES * 0x20);
    let quote = zero(word ^ (ONES * u64::from(b'"')));
    let open = zero(folded ^ (ONES * u64::from(b'{')));
    let close = zero(folded ^ (ONES * u64::from(b'}')));
    (quote | open | close) & HIGH
}

#[inline(always)]
fn non_digits(word: u64) -> u64 {
    // Digits become 0 to 9; adding 0x76 sets the high bit of everything else below 0x80.
    let value = word ^ (ONES * u64::from(b'0'));
    (((value & !HIGH) + ONES * 0x76) | value) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_found(bytes: &[u8], from: usize) {
        let first = |is_stop: fn(u8) -> bool| {
            (from..bytes.len())
                .find(|&i| is_stop(bytes[i]))
                .unwrap_or(bytes.len())
        };
        let mut seen = Seen::default();
        let found = (
            string_stop(bytes, from, &mut seen),
            digits_end(bytes, from),
            structure_stop(bytes, from),
        );
        let expected = (
            first(is_string_stop),
            first(is_no_digit),
            first(is_structure),
        );
        assert_eq!(found, expected, "{bytes:?} from {from}");
        let run = &bytes[from..expected.0];
        assert_eq!(seen.is_ascii(), run.is_ascii(), "{bytes:?} from {from}");
        if bytes.iter().all(|byte| *byte >= 0x20) {
            assert_eq!(
                valid_string_stop(bytes, from),
                expected.0,
                "{bytes:?} from {from}"
            );
        }
    }

    #[test]
    fn every_byte_at_every_place_is_classified() {
        for filler in [b'a', b'7', 0x80, 0xff] {
            for byte in 0..=u8::MAX {
                for place in (0..20).chain([31, 32, 33, 64, 95, 96, 97, 119]) {
                    let mut bytes = vec![filler; (place + 1).max(20)];
                    bytes[place] = byte;
                    assert_found(&bytes, 0);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn words_find_what_a_loop_over_bytes_finds(
            bytes in proptest::collection::vec(
                prop_oneof![any::<u8>(), b'0'..=b'9', b'!'..=b'#', b'['..=b']', b'{'..=b'}'], 0..80),
            from in 0usize..80,
        ) {
            assert_found(&bytes, from.min(bytes.len()));
        }

        #[test]
        fn blocks_find_what_a_loop_over_bytes_finds(
            mut bytes in proptest::collection::vec(b'#'..=b'[', 0..300),
            stops in proptest::collection::vec((any::<u8>(), 0usize..300), 0..3),
            from in 0usize..300,
        ) {
            for (stop, at) in stops {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = stop;
                }
            }
            assert_found(&bytes, from.min(bytes.len()));
        }
    }
}
