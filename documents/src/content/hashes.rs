//! The keyed hashes of a comparison. Their keys are random and never leave the process, so nobody can write
//! documents whose hashes collide.
//!
//! A content is hashed in parts (`parts.rs`), which is fast, and what that leaves of it by SipHash.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use siphasher::sip128::SipHasher13;

use super::parts::{HASH_BYTES, PART, PartKey};

/// The keyed hashes of one comparison.
#[derive(Debug, Clone)]
pub struct Hashes {
    names: SipHasher13,
    parts: Arc<PartKey>,
    contents: SipHasher13,
    documents: SipHasher13,
    /// A defect that a test plants: the content of documents does not count.
    #[cfg(feature = "failpoints")]
    pub ignores_content: bool,
}

/// A document, by the hash of its partition key and id.
pub type Name = u128;

impl Hashes {
    /// Hashes with new keys.
    pub fn random() -> Self {
        // The system's random numbers, stretched by a keyed hash.
        let secret = RandomState::new();
        let key = |turn: u8| {
            let mut key = [0; 16];
            key[..8].copy_from_slice(&secret.hash_one((turn, 0_u8)).to_le_bytes());
            key[8..].copy_from_slice(&secret.hash_one((turn, 1_u8)).to_le_bytes());
            SipHasher13::new_with_key(&key)
        };
        let mut words = 0_u32..;
        Self {
            names: key(0),
            parts: Arc::new(PartKey::new(|| secret.hash_one(words.next()))),
            contents: key(1),
            documents: key(2),
            #[cfg(feature = "failpoints")]
            ignores_content: false,
        }
    }

    /// The hash of a partition key and an id, in their canonical form.
    pub fn name(&self, form: &[u8]) -> Name {
        self.names.hash(form).as_u128()
    }

    /// The hash of a content, in its canonical form.
    pub fn content(&self, form: &[u8]) -> u128 {
        #[cfg(feature = "failpoints")]
        if self.ignores_content {
            return 0;
        }
        // The length, and the hashes of all parts: what has another length or another part, has another one of these.
        let length = (form.len() as u64).to_le_bytes();
        if form.len() <= PART {
            let mut left = [0; 8 + HASH_BYTES];
            left[..8].copy_from_slice(&length);
            left[8..].copy_from_slice(&self.parts.hash(form));
            return self.contents.hash(&left).as_u128();
        }
        let mut left = length.to_vec();
        left.extend(form.chunks(PART).flat_map(|part| self.parts.hash(part)));
        self.contents.hash(&left).as_u128()
    }

    /// The hash of a document: of its name and its content together.
    pub fn document(&self, name: Name, content: u128) -> u128 {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&name.to_le_bytes());
        both[16..].copy_from_slice(&content.to_le_bytes());
        self.documents.hash(&both).as_u128()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_of_any_length_have_their_own_hashes() {
        let hashes = Hashes::random();
        let mut seen = std::collections::HashSet::new();
        for length in (0..70)
            .chain(PART - 20..PART + 20)
            .chain(3 * PART - 2..3 * PART + 3)
        {
            let mut text = vec![0; length];
            // Whose last word is the same when it is filled up.
            assert!(seen.insert(hashes.content(&text)), "{length}");
            for at in [0, length / 2, length.saturating_sub(1)] {
                if let Some(byte) = text.get_mut(at) {
                    *byte += 1;
                    let own = hashes.content(&text);
                    assert_eq!(own, hashes.content(&text.clone()));
                    assert!(seen.insert(own), "{length} {at}");
                }
            }
        }
        let other = Hashes::random();
        assert!(!seen.contains(&other.content(b"")));
    }

    #[test]
    fn parts_have_their_order() {
        let hashes = Hashes::random();
        let [a, b] = [[1; PART], [2; PART]];
        let content = |parts: [[u8; PART]; 2]| hashes.content(parts.as_flattened());
        assert_ne!(content([a, b]), content([b, a]));
        assert_ne!(content([a, a]), content([b, b]));
    }
}
