//! The share of a plan that an export reads, resolved and validated.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::environment::Environment;
use super::files::{check_row_groups, default_rotation};
use super::given::{Given, default_settings};
use super::resume::ResumePlan;
use super::setting::FrozenIn;
use super::table;
use crate::cli::Command;
use crate::cli::location::Location;
use crate::cli::shards::ShardChoice;
use crate::destination::{
    Output, STATE_FILE, Shards, StateDirectory, Table, real, shard_directory,
};
use crate::durable::shown_path;
use crate::error::usage;
use crate::format::{Extension, Format};
use crate::report::SummaryFormat;
use crate::state::model::{FrozenOptions, Settings, ShardOfPlan};
use crate::state::plan_file::PlanFile;

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
    /// Where it writes, if that is a directory.
    pub place: Option<ShardPlace>,
    /// What never changes while the export lives.
    pub options: FrozenOptions,
    /// How it is read and committed.
    pub settings: Settings,
    /// Where the documents go, as the user wrote it.
    pub destination: String,
    /// How to print the summary.
    pub summary: SummaryFormat,
    given: Given,
}

/// Where a shard writes.
#[derive(Debug)]
pub struct ShardPlace {
    /// The directory of the data of all shards.
    pub table: PathBuf,
    /// What it has in common with the other shards.
    pub shards: Shards,
    /// Its own directory, which is the base of relative output paths.
    pub base: PathBuf,
    /// Its state.
    pub state_path: PathBuf,
}

impl ShardPlan {
    /// Its state, if it keeps one.
    pub fn state_path(&self) -> Option<&Path> {
        self.place.as_ref().map(|place| place.state_path.as_path())
    }

    /// The base of relative output paths.
    pub fn base(&self) -> &Path {
        self.place
            .as_ref()
            .map_or(Path::new("."), |place| &place.base)
    }

    /// Resolves what was given; none if no plan was.
    ///
    /// # Errors
    ///
    /// If the plan cannot be used, what is typed contradicts it, or the output is not one for shards.
    pub fn new(given: &Given, environment: Environment) -> Result<Option<Self>> {
        let Some(path) = given.typed(&table::EXPORT_PLAN) else {
            return Ok(None);
        };
        let file = PlanFile::read(&path)?;
        let shard = share_of(&file, given.get(&table::SHARD)?, environment)?;
        let location = given.get(&table::EXPORT_OUTPUT)?;
        let (output, place) = output_of(&location, shard)?;
        let options = file.options.frozen(output);
        given.ensure_agrees_with_plan(&FrozenIn {
            options: &options,
            base: place.as_ref().map_or(&path, |place| &place.base),
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
                Location::Local(path) => path.display().to_string(),
                _ => "standard output".to_owned(),
            },
            summary: given.get(&table::SUMMARY)?,
            given: given.clone(),
        }))
    }

    /// How the shard continues, with its state at this path.
    pub fn continued(&self, state_path: PathBuf) -> ResumePlan {
        ResumePlan::of_shard(&self.given, state_path, self.summary)
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
    const DIRECTORY: &str =
        "all shards write into one directory: -o DIR/; or to standard output: -o -";
    let path = match location {
        Location::StandardStream => return Ok((Output::StandardOutput, None)),
        Location::Objects(address) => {
            return Err(usage(
                format!("the shards of a plan cannot write to `{address}`"),
                DIRECTORY,
            ));
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
        Some(found) if found.own == StateDirectory::Inside.of(&directory) => StateDirectory::Inside,
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
            table: directory,
            shards: Shards {
                plan: shard.plan,
                count: shard.count,
                target: None,
                own,
            },
            state_path: base.join(STATE_FILE),
            base,
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
