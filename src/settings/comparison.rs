//! What `compare` does, resolved and validated.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::feed_start::feed_start;
use super::given::Given;
use super::replay::{FeedPlan, container_named};
use super::table;
use crate::cli::Command;
use crate::cli::location::Location;
use crate::cosmos::max_ru::MaxRu;
use crate::cosmos::retry::RetryLimit;
use crate::error::usage;
use crate::feed::{ChangeFeedStart, FeedMode, RecordForm};
use crate::render::Filter;
use crate::report::SummaryFormat;
use crate::source::CsvReading;

/// A side of a comparison, as it was typed.
#[derive(Debug)]
pub enum ComparedSide {
    /// Files and directories.
    Files(Vec<Location>),
    /// A container: the source is named, the target is that of the connection.
    Container(Option<FeedPlan>),
}

/// What a comparison does.
#[derive(Debug)]
pub struct ComparePlan {
    /// The side whose documents are looked for.
    pub source: ComparedSide,
    /// The side on which they are looked for.
    pub target: ComparedSide,
    /// What files hold that do not say so themselves.
    pub input: Option<RecordForm>,
    /// How CSV is read that no export wrote.
    pub csv: CsvReading,
    /// The paths of the partition key, if they were typed.
    pub partition_key: Vec<String>,
    /// The program that documents of the source go through.
    pub transform: Option<Filter>,
    /// The paths that are not compared.
    pub ignore: Vec<String>,
    /// Whether texts are compared.
    pub exact: bool,
    /// Whether the documents themselves are compared, not their hashes.
    pub bytes: bool,
    /// Where the report goes, if anywhere.
    pub report: Option<Location>,
    /// Whether it has values.
    pub values: bool,
    /// Most documents in it.
    pub max_differences: u64,
    /// Where what repairs the target is written, if anywhere.
    pub repair_to: Option<PathBuf>,
    /// Whether deletions belong to it.
    pub repair_delete: bool,
    /// How long a document must have been different.
    pub settle: Duration,
    /// Whether to go on, with the changes of both sides.
    pub follow: bool,
    /// Whether to end once both sides are the same.
    pub until_same: bool,
    /// Which feed is followed.
    pub mode: FeedMode,
    /// Bytes of memory for comparing.
    pub memory: u64,
    /// The budget of each side in RU/s, if there is one, and that of the source.
    pub max_ru: Option<MaxRu>,
    /// That of the source, if it has one of its own.
    pub source_max_ru: Option<MaxRu>,
    /// How often a failed request is retried.
    pub retry_limit: RetryLimit,
    /// How to print the summary.
    pub summary: SummaryFormat,
    /// The container that it is about, if it is one of several comparisons, to whose report its lines are added.
    pub of_several: Option<String>,
}

impl ComparePlan {
    /// Resolves what was given.
    ///
    /// # Errors
    ///
    /// If it contradicts itself.
    pub fn new(given: &Given) -> Result<Self> {
        let source = match given.typed(&table::COMPARED_CONTAINER) {
            Some(name) => {
                let (database, container) = container_named(&name)?;
                ComparedSide::Container(Some(FeedPlan {
                    database,
                    container,
                    profile: given.typed(&table::COMPARED_PROFILE),
                    mode: FeedMode::LatestVersion,
                    snapshot: false,
                    from: ChangeFeedStart::Beginning,
                    follow: false,
                }))
            }
            None => ComparedSide::Files(given.list(&table::COMPARED)),
        };
        let with = given.list(&table::COMPARED_WITH);
        let target = if with.is_empty() {
            ComparedSide::Container(None)
        } else {
            for row in [&table::CONTAINER.row, &table::DATABASE.row] {
                if given.is_typed(row) {
                    return Err(usage(
                        format!("--with and {} are two targets", row.flag()),
                        "compare with one after the other",
                    ));
                }
            }
            ComparedSide::Files(with)
        };
        let follow = given.is_on(&table::COMPARED_FOLLOW);
        if follow
            && let (ComparedSide::Files(_), _) | (_, ComparedSide::Files(_)) = (&source, &target)
        {
            return Err(usage(
                "--follow is for two containers: files do not change",
                "name the source with --from-container, and the target with -d and -c",
            ));
        }
        let partition_key = given.list(&table::COMPARED_KEY);
        let is_path = |path: &&String| path.len() > 1 && path.starts_with('/');
        if let Some(wrong) = partition_key.iter().find(|path| !is_path(path)) {
            return Err(usage(
                format!("`{wrong}` is not the path of a partition key"),
                "it starts with a slash and names a property, such as /customerId or /address/city",
            ));
        }
        Ok(Self {
            source,
            target,
            input: given.typed(&table::COMPARED_INPUT).map(RecordForm::from),
            csv: CsvReading {
                delimiter: given.typed(&table::COMPARED_DELIMITER),
                types: given.typed(&table::COMPARED_TYPES),
            },
            partition_key,
            transform: given
                .typed(&table::COMPARED_PROGRAM)
                .map(|program| Filter::compile("--transform", &program))
                .transpose()?,
            ignore: given.list(&table::IGNORE),
            exact: given.is_on(&table::EXACT),
            bytes: given.is_on(&table::COMPARED_BYTES),
            report: given.typed(&table::DIFFERENCES),
            values: given.is_on(&table::VALUES),
            max_differences: given.get(&table::MAX_DIFFERENCES)?,
            repair_to: given.typed(&table::COMPARED_REPAIR),
            repair_delete: given.is_on(&table::COMPARED_REPAIR_DELETE),
            settle: given.get(&table::COMPARED_SETTLE)?,
            follow,
            until_same: given.is_on(&table::UNTIL_SAME),
            mode: feed_start(given.get(&table::COMPARED_MODE)?, None)?.0,
            memory: given.get(&table::MEMORY)?,
            max_ru: given.typed(&table::COMPARE_MAX_RU),
            source_max_ru: given.typed(&table::SOURCE_MAX_RU),
            retry_limit: table::MAX_RETRIES.default_for(Command::Export)?.into(),
            summary: given.get(&table::REPLAY_SUMMARY)?,
            of_several: None,
        })
    }
}
