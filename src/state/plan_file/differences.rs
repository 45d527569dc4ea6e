//! What differs in how files are written, for people.

use super::PlannedOptions;
use crate::feed::FeedMode;
use crate::format::CsvOptions;

impl PlannedOptions {
    /// The first option by which files that `found` describes are written in another way than those of `self`: as they are
    /// written, and as these are.
    pub fn differs_from(&self, found: &Self) -> Option<(String, String)> {
        let by = |options: &Self| options.partition_by.map(|by| by.name().to_owned());
        let mode = |options: &Self| match options.mode {
            FeedMode::LatestVersion => "latest",
            FeedMode::AllVersionsAndDeletes => "all",
        };
        let csv =
            |text: fn(&CsvOptions) -> String| move |options: &Self| options.csv.as_ref().map(text);
        let delimiter = csv(|csv| csv.delimiter.escape_debug().to_string());
        let null = csv(|csv| csv.null.escape_debug().to_string());
        let switch = |is_on: bool| is_on.then(String::new);
        let safe = |options: &Self| switch(options.csv.as_ref().is_some_and(|csv| csv.safe));
        let bom = |options: &Self| switch(options.csv.as_ref().is_some_and(|csv| csv.bom));
        let values = |options: &Self| {
            [
                ("--mode", Some(mode(options).to_owned())),
                ("--format", Some(options.format.name().to_owned())),
                ("--compression", Some(options.compression.to_string())),
                ("--partition-by", by(options)),
                ("--delimiter", delimiter(options)),
                ("--null", null(options)),
                ("--csv-safe", safe(options)),
                ("--csv-bom", bom(options)),
            ]
        };
        let mut pairs = values(found).into_iter().zip(values(self));
        let ((flag, there), (_, own)) = pairs.find(|(there, own)| there != own)?;
        let shown = |value: Option<String>| match value {
            None => format!("without {flag}"),
            Some(value) => format!("with {flag} {value}").trim_end().to_owned(),
        };
        Some((shown(there), shown(own)))
    }
}
