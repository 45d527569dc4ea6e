//! What the witness saw, summed up.

use std::collections::BTreeMap;
use std::path::Path;

use super::outcome::{Answers, Believed};
use crate::cosmos::witness::{AccountFacts, BELIEFS, Sighting};

/// Headers of the service and of HTTP, which are named in a report. Others, which something on the way may add, are only
/// counted.
const KNOWN_HEADERS: [&str; 16] = [
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-type",
    "date",
    "etag",
    "last-modified",
    "lsn",
    "pragma",
    "retry-after",
    "server",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
];

/// Everything that was seen so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Sightings {
    held: BTreeMap<String, u64>,
    differs: BTreeMap<String, BTreeMap<String, u64>>,
    answers: BTreeMap<(String, u16, u32), u64>,
    headers: BTreeMap<String, BTreeMap<String, String>>,
    charge: u64,
    pub(super) account: AccountFacts,
}

impl Sightings {
    /// Reads what the witness wrote. A line that a kill has cut is left out.
    pub(super) fn read(path: &Path) -> Self {
        let text = std::fs::read(path).unwrap_or_default();
        let lines = text.split(|byte| *byte == b'\n');
        let mut all = Self::default();
        for sighting in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
            all.add(sighting);
        }
        all
    }

    fn add(&mut self, sighting: Sighting) {
        for id in sighting.held {
            *self.held.entry(id).or_default() += 1;
        }
        for (id, saw) in sighting.differs {
            *self.differs.entry(id).or_default().entry(saw).or_default() += 1;
        }
        let headers = self.headers.entry(sighting.request.clone()).or_default();
        for (name, shape) in sighting.headers {
            if name.starts_with("x-ms-") || KNOWN_HEADERS.contains(&name.as_str()) {
                headers.insert(name, shape);
            } else {
                headers.insert("others".to_owned(), "left out".to_owned());
            }
        }
        let answer = (sighting.request, sighting.status, sighting.substatus);
        *self.answers.entry(answer).or_default() += 1;
        self.charge += sighting.charge;
        if let Some(account) = sighting.account {
            self.account = account;
        }
    }

    /// Request units charged.
    pub(super) fn request_units(&self) -> f64 {
        self.charge as f64 / 100.0
    }

    /// How often the feed was refused as one that the account does not have.
    pub(super) fn refusals(&self) -> u64 {
        let of_feed = self
            .answers
            .iter()
            .filter(|((request, ..), _)| request == "feed");
        of_feed
            .filter(|((_, status, _), _)| *status == 400)
            .map(|(_, times)| times)
            .sum()
    }

    /// Each belief, with what was seen of it.
    pub(super) fn beliefs(&self) -> Vec<Believed> {
        let believed = BELIEFS.iter().map(|belief| {
            let saw = self.differs.get(belief.id).cloned().unwrap_or_default();
            let held = self.held.get(belief.id).copied().unwrap_or(0);
            Believed {
                id: belief.id,
                belief: belief.text,
                result: match (saw.is_empty(), held) {
                    (false, _) => "differs",
                    (true, 0) => "not seen",
                    (true, _) => "held",
                },
                answers: held + saw.values().sum::<u64>(),
                saw,
            }
        });
        believed.collect()
    }

    /// Answers by request and status.
    pub(super) fn answers(&self) -> Vec<Answers> {
        let answers = self.answers.iter();
        let of_kind = answers.map(|((request, status, substatus), times)| Answers {
            request: request.clone(),
            status: *status,
            substatus: *substatus,
            answers: *times,
        });
        of_kind.collect()
    }

    /// Headers by request.
    pub(super) fn headers(&self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.headers.clone()
    }
}
