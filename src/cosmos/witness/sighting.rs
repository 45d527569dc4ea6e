//! A line of the witness: what one answer showed.

use serde::{Deserialize, Serialize};

/// What an account says about itself, without names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountFacts {
    /// Its default consistency level.
    pub consistency: String,
    /// How many regions it can be read from.
    pub readable_regions: usize,
    /// How many regions it can be written in.
    pub writable_regions: usize,
    /// Whether it says that it can be written in several regions.
    pub multiple_writes: Option<bool>,
    /// Whether it says that it has continuous backups.
    pub continuous_backup: Option<bool>,
}

/// What one answer showed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sighting {
    /// What was requested, such as `feed`.
    pub request: String,
    /// The status of the answer.
    pub status: u16,
    /// Its substatus, 0 if it has none.
    pub substatus: u32,
    /// What it was charged with, in hundredths of an RU.
    pub charge: u64,
    /// The documents of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<usize>,
    /// The beliefs that held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// The beliefs that did not, each with what was seen instead.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<(String, String)>,
    /// Headers of this kind of answer that this process has not seen before, each with the shape of its value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// What the account says about itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountFacts>,
}
