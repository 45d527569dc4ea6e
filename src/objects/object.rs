//! One object, by its address.

use std::fmt;

use super::address::Address;

/// One object below an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectAddress {
    /// The address that it is below.
    pub place: Address,
    /// Its name there.
    pub name: String,
}

impl ObjectAddress {
    /// The object `name` below `place`.
    pub fn new(place: &Address, name: &str) -> Self {
        Self {
            place: place.clone(),
            name: name.to_owned(),
        }
    }

    /// The object that an address names by its last part; `None` if nothing is before that.
    pub fn named(address: &Address) -> Option<Self> {
        let (place, name) = address.split_last()?;
        Some(Self { place, name })
    }
}

impl fmt::Display for ObjectAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.of(&self.name))
    }
}
