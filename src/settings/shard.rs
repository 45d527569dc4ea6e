//! The share of a plan that an export reads, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::environment::Environment;
use super::files::{check_row_groups, default_rotation};
use super::given::{Given, default_settings};
use super::resume::{ResumeCommand, ResumePlan};
use super::setting::FrozenIn;
use super::table;
use crate::cli::Command;
use crate::cli::location::Location;
use crate::cli::shards::ShardChoice;
use crate::destination::{
    Home, Output, STATE_FILE, Shards, StateDirectory, Table, real, shard_directory,
};
use crate::durable::shown_path;
use crate::error::usage;
use crate::escape::shell_word;
use crate::format::{Extension, Format};
use crate::objects::Address;
use crate::report::SummaryFormat;
use crate::state::model::{FrozenOptions, Settings, ShardOfPlan};
use crate::state::plan_file::PlanFile;
use crate::state::plan_place;

/// Where jobs of arrays say which of their processes this one is, and where the first of their numbers is.
const INDICES: [(&str, Option<&str>); 3] = [
    ("JOB_COMPLETION_INDEX", None),
    ("SLURM_ARRAY_TASK_ID", Some("SLURM_ARRAY_TASK_MIN")),
    ("AWS_BATCH_JOB_ARRAY_INDEX", None),
];

/// What an export of a share of a plan does.
#[derive(Debug)]
pub struct ShardPlan {
    /// The plan.
    pub file: PlanFile,
    /// The share of it.
    pub shard: ShardOfPlan,
    /// Where it writes, if that is a directory or an object store.
    pub place: Option<ShardPlace>,
    /// What never changes while the export lives.
    pub options: FrozenOptions,
    /// How it is read and committed.
    pub settings: Settings,
    /// Where the documents go, as the user wrote it.
    pub destination: String,
    /// How to print the summary.
    pub summary: SummaryFormat,
    /// What continues it, as it can be typed.
    command: String,
    given: Given,
}

/// Where a shard writes.
#[derive(Debug)]
pub struct ShardPlace {
    /// What it has in common with the other shards.
    pub shards: Shards,
    /// Where that is for this shard.
    pub own: OwnPlace,
}

/// The place of one shard.
#[derive(Debug)]
pub enum OwnPlace {
    /// In a directory.
    Directory {
        /// The directory of the data of all shards.
        table: PathBuf,
        /// Its own directory, which is the base of relative output paths.
        base: PathBuf,
        /// Its state.
        state_path: PathBuf,
    },
    /// In an object store, with the state there.
    Objects(Address),
}

impl ShardPlace {
    /// What is there of shards, of this plan or of another one.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn found(&self) -> Result<Option<Shards>> {
        match &self.own {
            OwnPlace::Directory { table, .. } => Shards::of(table),
            OwnPlace::Objects(address) => Shards::at(&address.of_all()),
        }
    }
}

impl ShardPlan {
    /// The file of its state, if it has one.
    pub fn state_path(&self) -> Option<&Path> {
        match &self.place.as_ref()?.own {
            OwnPlace::Directory { state_path, .. } => Some(state_path),
            OwnPlace::Objects(_) => None,
        }
    }

    /// Its address, if it writes to an object store.
    pub fn objects(&self) -> Option<&Address> {
        match &self.place.as_ref()?.own {
            OwnPlace::Directory { .. } => None,
            OwnPlace::Objects(address) => Some(address),
        }
    }

    /// The base of relative output paths.
    pub fn base(&self) -> &Path {
        match self.place.as_ref().map(|place| &place.own) {
            Some(OwnPlace::Directory { base, .. }) => base,
            Some(OwnPlace::Objects(_)) | None => Path::new("."),
        }
    }

    /// Resolves what was given; none if no plan was.
    ///
    /// # Errors
    ///
    /// If the plan cannot be used, what is typed contradicts it, or the output is not one for shards.
    pub fn new(given: &Given, environment: Environment) -> Result<Option<Self>> {
        let Some(named) = given.typed(&table::EXPORT_PLAN) else {
            return Ok(None);
        };
        let file = plan_place::read(&named)?;
        let shard = share_of(&file, given.get(&table::SHARD)?, environment)?;
        let location = given.get(&table::EXPORT_OUTPUT)?;
        let (output, place) = output_of(&location, shard)?;
        let options = file.options.frozen(output);
        given.ensure_agrees_with_plan(&FrozenIn {
            options: &options,
            base: named.path().unwrap_or(Path::new(".")),
        })?;
        if options.format == Format::Parquet && place.is_none() {
            return Err(usage(
                "the plan is for Parquet, which cannot be written to standard output: readers start at the end of the file",
                "a plan with --format arrow has the same columns and can be a stream; for Parquet, use -o DIR",
            ));
        }
        let mut settings = default_settings(Command::Export)?;
        default_rotation(&mut settings, options.format, &location);
        check_row_groups(given, options.format)?;
        given.store_in(&mut settings)?;
        settings.until = file.until;
        Ok(Some(Self {
            file,
            shard,
            place,
            options,
            settings,
            destination: match &location {
                Location::StandardStream => "standard output".to_owned(),
                place => place.to_string(),
            },
            command: format!(
                "cosmos-tail export --plan {} --shard {}/{} -o {}",
                shell_word(Path::new(&plan_place::typed(&named))),
                shard.index,
                shard.count,
                shell_word(Path::new(&location.to_string())),
            ),
            summary: given.get(&table::SUMMARY)?,
            given: given.clone(),
        }))
    }

    /// How the shard continues, with its state at this path.
    pub fn continued(&self, state_path: PathBuf) -> ResumePlan {
        ResumePlan::of_shard(&self.given, state_path, self.summary)
    }

    /// How the shard continues whose objects have this address.
    pub fn continued_at(&self, address: &Address) -> ResumePlan {
        let command = self.command.clone();
        ResumePlan::of_shard_at(&self.given, address, command, self.summary)
    }

    /// What continues it; nothing does if it is a stream.
    pub fn again(&self) -> Option<ResumeCommand> {
        match (self.state_path(), self.objects()) {
            (Some(path), _) => Some(ResumeCommand::of(path)),
            (None, Some(address)) => {
                Some(ResumeCommand::of_shard_at(address, self.command.clone()))
            }
            (None, None) => None,
        }
    }
}

/// The share of the plan in `file` that was chosen.
///
/// # Errors
///
/// If the job that runs this process does not say which one it has.
pub(super) fn share_of(
    file: &PlanFile,
    chosen: ShardChoice,
    environment: Environment,
) -> Result<ShardOfPlan> {
    Ok(ShardOfPlan {
        plan: file.plan_id,
        index: index_of(chosen, environment)?,
        count: chosen.count,
    })
}

/// The number of the share.
fn index_of(chosen: ShardChoice, environment: Environment) -> Result<u32> {
    if let Some(index) = chosen.index {
        return Ok(index);
    }
    let number = |name: &str| -> Result<Option<u32>> {
        let Some(text) = environment(name).filter(|text| !text.trim().is_empty()) else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|_| {
            usage(
                format!("{name} is `{}`, which is not a number", text.escape_debug()),
                "name the share itself, such as --shard 0/4",
            )
        })
    };
    let mut found: Option<(&str, u32)> = None;
    for (name, first) in INDICES {
        let Some(index) = number(name)? else { continue };
        let first = match first {
            Some(first) => number(first)?.unwrap_or(0),
            None => 0,
        };
        let index = index.checked_sub(first).ok_or_else(|| {
            usage(
                format!("{name} is {index}, below the first number {first}"),
                "name the share itself, such as --shard 0/4",
            )
        })?;
        if let Some((other, _)) = found.filter(|(_, known)| *known != index) {
            return Err(usage(
                format!("{other} and {name} name two shares"),
                "name the share itself, such as --shard 0/4, or remove one of the variables",
            ));
        }
        found = Some((name, index));
    }
    let Some((name, index)) = found else {
        return Err(usage(
            "--shard auto needs the number of this process, and no variable has it",
            "a job of Kubernetes with `completionMode: Indexed` sets JOB_COMPLETION_INDEX; arrays of Slurm and AWS Batch \
             have SLURM_ARRAY_TASK_ID and AWS_BATCH_JOB_ARRAY_INDEX",
        ));
    };
    if index >= chosen.count {
        return Err(usage(
            format!(
                "{name} makes this share {index}, but the last one of {} is {}",
                chosen.count,
                chosen.count - 1
            ),
            "the number in --shard auto/N is that of all processes of the job",
        ));
    }
    Ok(index)
}

/// Where the shard writes.
fn output_of(location: &Location, shard: ShardOfPlan) -> Result<(Output, Option<ShardPlace>)> {
    const DIRECTORY: &str = "all shards write into one place: -o DIR/, or -o s3://BUCKET/PREFIX/; or to standard output: -o -";
    let path = match location {
        Location::StandardStream => return Ok((Output::StandardOutput, None)),
        Location::Objects(address) => {
            if Extension::of(address.path()).is_some() {
                return Err(usage(
                    format!(
                        "the shards of a plan cannot write to the single object `{}`",
                        address.object()
                    ),
                    DIRECTORY,
                ));
            }
            let place = ShardPlace {
                shards: Shards {
                    plan: shard.plan,
                    count: shard.count,
                    target: None,
                    home: Home::Objects(address.clone()),
                },
                own: OwnPlace::Objects(address.of_shard(shard.index)),
            };
            return Ok((Output::Objects, Some(place)));
        }
        Location::Local(path) => path,
    };
    let text = path.as_os_str().to_string_lossy();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_directory = text.ends_with(['/', std::path::MAIN_SEPARATOR]) || path.is_dir();
    if path.is_file() || (!is_directory && (text.is_empty() || Extension::of(&name).is_some())) {
        return Err(usage(
            format!(
                "the shards of a plan cannot write to the single file `{}`",
                shown_path(path)
            ),
            DIRECTORY,
        ));
    }
    let directory = std::path::absolute(path).context("cannot make the output path absolute")?;
    let directory = real(&directory);
    let state_directory = match Shards::of(&directory)? {
        Some(found) if found.home == Home::Directory(StateDirectory::Inside.of(&directory)) => {
            StateDirectory::Inside
        }
        Some(_) => StateDirectory::Beside,
        None => StateDirectory::choose(&directory, None),
    };
    let own = state_directory.of(&directory);
    let base = own.join(shard_directory(shard.index));
    let table = Table {
        directory: None,
        state_directory,
        shard: Some(shard.index),
    };
    Ok((
        Output::Table(table),
        Some(ShardPlace {
            shards: Shards {
                plan: shard.plan,
                count: shard.count,
                target: None,
                home: Home::Directory(own),
            },
            own: OwnPlace::Directory {
                table: directory,
                state_path: base.join(STATE_FILE),
                base,
            },
        }),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(text: &str, environment: Environment) -> Result<u32> {
        index_of(crate::cli::shards::shard(text).unwrap(), environment)
    }

    #[test]
    fn a_job_says_which_share_a_process_has() {
        assert_eq!(index("3/4", &|_| panic!()).unwrap(), 3);
        let of = |names: &'static [(&str, &str)]| {
            let found = |name: &str| {
                let found = names.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).to_owned())
            };
            index("auto/4", &found)
        };
        assert_eq!(of(&[("JOB_COMPLETION_INDEX", "2")]).unwrap(), 2);
        let slurm = [("SLURM_ARRAY_TASK_ID", "7"), ("SLURM_ARRAY_TASK_MIN", "5")];
        assert_eq!(of(Box::leak(Box::new(slurm))).unwrap(), 2);
        assert_eq!(of(&[("AWS_BATCH_JOB_ARRAY_INDEX", "0")]).unwrap(), 0);
        for (wrong, why) in [
            (&[][..], "no variable has it"),
            (&[("JOB_COMPLETION_INDEX", "4")], "the last one of 4 is 3"),
            (&[("JOB_COMPLETION_INDEX", "x")], "not a number"),
            (&[("JOB_COMPLETION_INDEX", "-1")], "not a number"),
            (
                &[("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_MIN", "5")],
                "below the first number 5",
            ),
            (
                &[
                    ("JOB_COMPLETION_INDEX", "1"),
                    ("AWS_BATCH_JOB_ARRAY_INDEX", "2"),
                ],
                "name two shares",
            ),
        ] {
            let error = of(wrong).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
