//! The keyed hashes of a comparison. Their keys are random and never leave the process, so nobody can write
//! documents whose hashes collide.

use std::hash::{BuildHasher, RandomState};

use siphasher::sip128::SipHasher13;

/// The keyed hashes of one comparison.
#[derive(Debug, Clone)]
pub struct Hashes {
    names: SipHasher13,
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
        Self {
            names: key(0),
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
        self.contents.hash(form).as_u128()
    }

    /// The hash of a document: of its name and its content together.
    pub fn document(&self, name: Name, content: u128) -> u128 {
        let mut both = [0; 32];
        both[..16].copy_from_slice(&name.to_le_bytes());
        both[16..].copy_from_slice(&content.to_le_bytes());
        self.documents.hash(&both).as_u128()
    }
}
