//! What the export of a whole database does, resolved and validated.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::endpoint::check_name;
use super::export::ExportPlan;
use super::given::Given;
use super::resume::ResumePlan;
use super::setting::Row;
use super::table;
use super::value::shown_start;
use crate::cli::location::Location;
use crate::cosmos::max_ru::MaxRu;
use crate::durable::shown_path;
use crate::error::usage;
use crate::escape::shell_word;
use crate::feed::{ChangeFeedStart, FeedMode};
use crate::report::SummaryFormat;
use crate::schema::TableLayout;
use crate::state::database_file::{ContainerPlace, DatabaseFile};
use crate::state::model::{FrozenOptions, Settings};

/// Stands for any characters in a pattern.
const ANY: char = '*';

/// What selects all containers.
pub const ALL_CONTAINERS: &str = "*";

/// What the export of a database does.
#[derive(Debug)]
pub struct DatabasePlan {
    /// The directory that has the directories of the containers, absolute.
    pub directory: PathBuf,
    /// The same, as it was typed.
    pub shown: String,
    /// What is asked for, if it begins: a continuation takes it from its file.
    pub new: Option<NewDatabase>,
    /// How to print the summary.
    pub summary: SummaryFormat,
    given: Given,
}

/// The export of a database, as it was typed.
#[derive(Debug)]
pub struct NewDatabase {
    /// Which containers are exported, as patterns.
    pub selected: Vec<String>,
    /// The options of each; none of them says where it is.
    pub options: FrozenOptions,
    /// The settings of each.
    pub settings: Settings,
}

impl DatabasePlan {
    /// The export of several containers, if the command line asks for that.
    ///
    /// # Errors
    ///
    /// If it asks for something that is of one container.
    pub fn of_export(given: &Given) -> Result<Option<Self>> {
        let Some(selected) = selected(given)? else {
            return Ok(None);
        };
        let location = given.get(&table::EXPORT_OUTPUT)?;
        let Location::Local(path) = &location else {
            return Err(usage(
                format!(
                    "several containers are exported to a local directory, not to `{location}`"
                ),
                "name a directory: -o backup/; to another place each container is exported by itself: -c NAME",
            ));
        };
        for (row, why, instead) in &REFUSED {
            if given.is_typed(row) {
                return Err(of_one(&row.flag(), why, instead));
            }
        }
        let plan = ExportPlan::of_database(given, path)?;
        if matches!(plan.options.layout, Some(TableLayout::Columns { .. })) {
            return Err(of_one(
                "a schema",
                "has the columns of one container",
                "leave it out: the columns of each container are inferred from its documents",
            ));
        }
        ensure_fixed_start(given, &plan.options)?;
        let plan = Self {
            directory: absolute(path)?,
            shown: path.display().to_string(),
            new: Some(NewDatabase {
                selected,
                options: plan.options,
                settings: plan.settings,
            }),
            summary: plan.summary,
            given: given.clone(),
        };
        Ok(Some(plan))
    }

    /// The continuation of the export of a database, if the path names one.
    ///
    /// # Errors
    ///
    /// If the command line asks for something that is of one container.
    pub fn of_resume(given: &Given) -> Result<Option<Self>> {
        let named = given.typed(&table::RESUME_PATH);
        let Some(path) = named.as_ref().and_then(Location::path) else {
            return Ok(None);
        };
        let Some(directory) = DatabaseFile::named(path) else {
            return Ok(None);
        };
        for (row, why, instead) in &REFUSED {
            if given.is_typed(row) {
                return Err(of_one(&row.flag(), why, instead));
            }
        }
        Ok(Some(Self {
            directory: absolute(&directory)?,
            shown: directory.display().to_string(),
            new: None,
            summary: given.get(&table::SUMMARY)?,
            given: given.clone(),
        }))
    }

    /// The settings of this run, where the export has `settings`.
    ///
    /// # Errors
    ///
    /// If something was given that is of one container.
    pub fn settle(&self, settings: &Settings) -> Result<Settings> {
        let mut own = settings.clone();
        self.given.store_in(&mut own)?;
        own.follow = false;
        if let Some(MaxRu::Percent(percent)) = own.max_ru {
            return Err(of_one(
                &format!("--max-ru {percent}%"),
                "is a share of the throughput of one container",
                "give --max-ru as a number of RU/s, for all containers together",
            ));
        }
        Ok(own)
    }

    /// Refuses to continue an export that was begun with something else.
    ///
    /// # Errors
    ///
    /// A usage error that says what differs.
    pub fn ensure_agrees(&self, file: &DatabaseFile) -> Result<()> {
        let Some(new) = &self.new else {
            return Ok(());
        };
        let as_set = |selected: &[String]| selected.iter().cloned().collect::<BTreeSet<_>>();
        let differs = if as_set(&new.selected) != as_set(&file.selected) {
            format!(
                "of `{}`, not of `{}`",
                file.selected.join("`, `"),
                new.selected.join("`, `")
            )
        } else if new.options != file.options {
            "with another format or other options".to_owned()
        } else {
            return Ok(());
        };
        Err(usage(
            format!(
                "the export in `{}` is {differs}",
                shown_path(&self.directory)
            ),
            format!(
                "`cosmos-tail resume {}` continues it as it is; for another one, export to a new directory",
                shell_word(Path::new(&self.shown))
            ),
        ))
    }

    /// The export of a container that was not begun.
    ///
    /// # Errors
    ///
    /// If its path is not Unicode.
    pub fn begin(&self, file: &DatabaseFile, container: &ContainerPlace) -> Result<ExportPlan> {
        let settings = self.settle(&file.settings)?;
        let directory = self.directory.join(&container.directory);
        ExportPlan::in_database(&file.options, settings, &directory, self.summary)
    }

    /// The continuation of a container with the state `state_path`.
    pub fn resume(&self, state_path: PathBuf) -> ResumePlan {
        ResumePlan::in_database(&self.given, state_path, self.summary)
    }

    /// The command that continues it.
    pub fn command(&self) -> String {
        let mut words = vec![shell_word(Path::new(&self.shown)).to_string()];
        // Those of the first run are in its file.
        if self.new.is_none() {
            words.extend(self.given.changed_options());
        }
        format!("cosmos-tail resume {}", words.join(" "))
    }
}

/// What is of one container.
static REFUSED: [(&Row, &str, &str); 11] = [
    (
        &table::SHARED_GROUP.row,
        "is of one container",
        "leave it out; or start instances for each container, each with a group of its own",
    ),
    (
        &table::RESUME_STATE.row,
        "is of one container",
        "leave it out: the directory has the states of its containers",
    ),
    (
        &table::FOLLOW.row,
        "never ends, so the containers after it would not be begun",
        "leave it out, and run the same command again for what came since; or follow each container by itself",
    ),
    (&table::QUERY.row, "is of one container", "name it: -c NAME"),
    (
        &table::QUERY_FILE.row,
        "is of one container",
        "name it: -c NAME",
    ),
    (
        &table::EXPORT_PLAN.row,
        "is of one container",
        "name it: -c NAME",
    ),
    (
        &table::EXPORT_STATE.row,
        "is of one container",
        "leave it out: each container has a state beside its directory",
    ),
    (
        &table::FORCE.row,
        "replaces the export of one container",
        "choose another directory, or delete this one first",
    ),
    (
        &table::METRICS_LISTEN.row,
        "answers about one container",
        "leave it out; the summary has the figures of each container",
    ),
    (
        &table::ACCOUNT_MOVED.row,
        "is of one container",
        "resume each container by its directory, with --account-moved",
    ),
    (
        &table::COLUMNS.row,
        "has the columns of one container",
        "leave it out: the columns of each container are inferred from its documents",
    ),
];

/// Refuses a start that is another one for each container, or for each run.
fn ensure_fixed_start(given: &Given, options: &FrozenOptions) -> Result<()> {
    if options.from == ChangeFeedStart::Now && !options.snapshot {
        let (what, instead) = match options.mode {
            FeedMode::LatestVersion => (
                "--from now",
                "leave --from out, or give a time; or export each container by itself: -c NAME",
            ),
            FeedMode::AllVersionsAndDeletes => (
                "--mode all without --snapshot",
                "add --snapshot, which has the documents too; or export each container by itself: -c NAME",
            ),
        };
        return Err(usage(
            format!(
                "{what} cannot be used with several containers: a container that is begun after others would lack what \
                 came before"
            ),
            instead,
        ));
    }
    match (options.from, given.is_age(&table::EXPORT_FROM)) {
        (ChangeFeedStart::PointInTime(_), true) => Err(usage(
            "an age cannot be the start of several containers: it is another time in each run, and the next one \
             continues the same export",
            format!("give the time: --from {}", shown_start(options.from)),
        )),
        _ => Ok(()),
    }
}

/// The refusal of what is of one container.
pub(super) fn of_one(what: &str, why: &str, instead: &str) -> anyhow::Error {
    usage(
        format!("{what} cannot be used with several containers: it {why}"),
        instead.to_owned(),
    )
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).context("cannot make the output path absolute")
}

/// The patterns of the containers, if there may be several.
fn selected(given: &Given) -> Result<Option<Vec<String>>> {
    if given.is_on(&table::ALL_CONTAINERS) {
        return Ok(Some(vec![ALL_CONTAINERS.to_owned()]));
    }
    let named = given.list(&table::CONTAINER);
    let are_several = named.len() > 1 || named.iter().any(|name| name.contains(ANY));
    if !are_several {
        return Ok(None);
    }
    let mut selected = Vec::new();
    for name in named {
        let name = check_name("container", name.trim())?;
        if name.is_empty() {
            return Err(usage("the name of a container is empty", "leave -c out"));
        }
        if !selected.contains(&name) {
            selected.push(name);
        }
    }
    Ok(Some(selected))
}

/// Whether a pattern stands for several names.
pub fn is_pattern(pattern: &str) -> bool {
    pattern.contains(ANY)
}

/// Whether `pattern` stands for `name`: `*` is any characters, everything else itself.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once(ANY) else {
        return pattern == name;
    };
    let Some(mut left) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split(ANY).collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        let Some(at) = left.find(piece) else {
            return false;
        };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_names() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("*", "orders", true),
            ("orders", "orders", true),
            ("orders", "orders2", false),
            ("order*", "orders", true),
            ("order*", "order", true),
            ("*s", "orders", true),
            ("*s", "order", false),
            ("o*d*s", "orders", true),
            ("o*x*s", "orders", false),
            ("a*a", "a", false),
            ("a*a", "aa", true),
            ("**", "x", true),
            ("Orders", "orders", false),
            ("o?ders", "orders", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    fn plan(arguments: &[&str]) -> Result<Option<DatabasePlan>> {
        let all = ["cosmos-tail", "export", "-o", "backup/"]
            .iter()
            .chain(arguments);
        DatabasePlan::of_export(&Given::parse(all).unwrap())
    }

    #[test]
    fn several_containers_are_asked_for_in_three_ways() {
        let selected = |arguments: &[&str]| {
            let plan = plan(arguments).unwrap();
            plan.map(|plan| plan.new.unwrap().selected)
        };
        assert_eq!(selected(&[]), None);
        assert_eq!(selected(&["-c", "a"]), None);
        assert_eq!(selected(&["--all-containers"]).unwrap(), ["*"]);
        assert_eq!(
            selected(&["-c", "a", "-c", "b", "-c", "a"]).unwrap(),
            ["a", "b"]
        );
        assert_eq!(selected(&["-c", "a*"]).unwrap(), ["a*"]);
    }

    #[test]
    fn a_start_is_the_same_in_each_run() {
        for arguments in [
            &["--mode", "all", "--snapshot"][..],
            &["--from", "2026-11-01"],
            &["--from", "beginning"],
        ] {
            plan(&[&["--all-containers"], arguments].concat()).unwrap();
        }
        let error = plan(&["--all-containers", "--from", "10m"]).unwrap_err();
        let error = error.to_string();
        assert!(error.starts_with("an age cannot be the start"), "{error}");
    }

    #[test]
    fn what_is_of_one_container_is_refused() {
        for (arguments, named) in [
            (&["--follow"][..], "--follow"),
            (&["--query", "SELECT * FROM c"], "--query"),
            (&["--state", "s"], "--state"),
            (&["--force"], "--force"),
            (&["--format", "csv", "--columns", "id"], "--columns"),
            (&["--from", "now"], "--from now"),
            (&["--mode", "all"], "--mode all without --snapshot"),
        ] {
            let all = [&["--all-containers"], arguments].concat();
            let error = plan(&all).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
            assert!(
                error.contains("cannot be used with several containers"),
                "{error}"
            );
        }
    }
}
