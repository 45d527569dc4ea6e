//! What an export or a resume is to do, resolved and validated.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::cli::{
    CommitArgs, ExportArgs, ExportMode, ReaderArgs, ResumeArgs, RotationArgs, SummaryFormat, Until,
};
use crate::destination::Output;
use crate::destination::names::FileNames;
use crate::durable::parent_of;
use crate::error::usage;
use crate::feed::Scope;
use crate::feed::{ChangeFeedStart, FeedMode, ReadUntil};
use crate::format::Format;
use crate::settings::files::{FilesPlan, override_rotation, usual_rotation};
use crate::settings::schema::ColumnsPlan;
use crate::state::model::FrozenOptions;
use crate::state::model::Settings;

/// Further tries of what failed, where it is not said otherwise.
pub const USUAL_RETRIES: u32 = 15;

/// What an export is to do.
#[derive(Debug)]
pub struct ExportPlan {
    /// What may not change while the export lives.
    pub options: FrozenOptions,
    /// What a resume takes over unless it is told otherwise.
    pub settings: Settings,
    /// Where the state is to be kept; none for standard output without `--state`.
    pub state_path: Option<PathBuf>,
    /// What relative output paths are relative to: the state file's directory.
    pub base: PathBuf,
    /// Whether output of an earlier export is replaced.
    pub force: bool,
    /// Where the documents go, as the user said it.
    pub destination: String,
    /// How the summary is printed.
    pub summary: SummaryFormat,
}

/// What a resume is to do.
#[derive(Debug)]
pub struct ResumePlan {
    /// The state file.
    pub state_path: PathBuf,
    /// Whether open files that do not match the state are thrown away.
    pub repair: bool,
    /// How the summary is printed.
    pub summary: SummaryFormat,
    follow: bool,
    no_follow: bool,
    until: Option<ReadUntil>,
    rotation: RotationArgs,
    reader: ReaderArgs,
    commit: CommitArgs,
}

impl ExportPlan {
    /// Resolves what was typed.
    ///
    /// # Errors
    ///
    /// If the output cannot be what it is said to be, or a path cannot be made absolute.
    pub fn new(args: &ExportArgs) -> Result<Self> {
        let files = FilesPlan::new(&args.files, &args.output)?;
        let columns = ColumnsPlan::new(&args.schema, &args.columns, files.format)?;
        let (mode, from) = feed_start(args.mode, args.from)?;
        let output = output_kind(&args.output, &files)?;
        let absolute =
            std::path::absolute(&args.output).context("cannot make the output path absolute")?;
        let default_state = FileNames::new(
            &output.at(&absolute)?,
            Path::new("."),
            "",
            files.extension(),
        )
        .default_state();
        let state_path = match &args.state {
            Some(path) => {
                Some(std::path::absolute(path).context("cannot make the state path absolute")?)
            }
            None => default_state,
        };
        let base = state_path
            .as_deref()
            .map_or_else(|| PathBuf::from("."), |path| parent_of(path).to_owned());
        // Paths below the state file's directory are kept relative to it, so that an export can be
        // moved as a whole.
        let relative = absolute
            .strip_prefix(&base)
            .map(Path::to_owned)
            .unwrap_or(absolute);
        let mut settings = usual_settings();
        settings.follow = args.follow;
        settings.until = args.until.map(read_until);
        usual_rotation(&mut settings, files.format);
        override_rotation(&mut settings, &args.rotation, files.format)?;
        override_settings(&mut settings, &args.reader, &args.commit);
        Ok(Self {
            options: FrozenOptions {
                mode,
                scope: Scope::default(),
                from,
                format: files.format,
                compression: files.compression,
                layout: columns.layout,
                inference: columns.inference,
                csv: files.csv,
                output: output.at(&relative)?,
            },
            settings,
            state_path,
            base,
            force: args.force,
            destination: match output {
                OutputKind::StandardOutput => "standard output".to_owned(),
                _ => args.output.display().to_string(),
            },
            summary: args.commit.summary,
        })
    }
}

impl ResumePlan {
    /// Resolves what was typed.
    ///
    /// # Errors
    ///
    /// If the path of the state file cannot be made absolute.
    pub fn new(args: &ResumeArgs) -> Result<Self> {
        Ok(Self {
            state_path: std::path::absolute(&args.state)
                .context("cannot make the state path absolute")?,
            repair: args.repair,
            summary: args.commit.summary,
            follow: args.follow,
            no_follow: args.no_follow,
            until: args.until.map(read_until),
            rotation: args.rotation.clone(),
            reader: args.reader.clone(),
            commit: args.commit.clone(),
        })
    }

    /// Changes what the state says to what was typed.
    ///
    /// # Errors
    ///
    /// If what was typed is not of the export's format.
    pub fn override_settings(&self, settings: &mut Settings, format: Format) -> Result<()> {
        settings.follow = (settings.follow || self.follow) && !self.no_follow;
        settings.until = self.until.or(settings.until);
        override_rotation(settings, &self.rotation, format)?;
        override_settings(settings, &self.reader, &self.commit);
        Ok(())
    }
}

fn read_until(until: Until) -> ReadUntil {
    match until {
        Until::Head => ReadUntil::Head,
        Until::Pin => ReadUntil::Pin,
    }
}

/// How it is read and committed unless it is said otherwise.
pub(super) fn usual_settings() -> Settings {
    Settings {
        follow: false,
        until: None,
        concurrency: None,
        page_size: 1000,
        max_retries: USUAL_RETRIES,
        poll_interval_ms: 1000,
        checkpoint_interval_ms: 5000,
        checkpoint_bytes: 256 << 20,
        rotate_bytes: None,
        rotate_interval_ms: None,
        row_group_bytes: None,
    }
}

/// Which feed is read, and from where.
pub(super) fn feed_start(
    mode: ExportMode,
    from: Option<ChangeFeedStart>,
) -> Result<(FeedMode, ChangeFeedStart)> {
    match (mode, from) {
        (ExportMode::Latest, from) => Ok((
            FeedMode::LatestVersion,
            from.unwrap_or(ChangeFeedStart::Beginning),
        )),
        (ExportMode::All, None | Some(ChangeFeedStart::Now)) => {
            Ok((FeedMode::AllVersionsAndDeletes, ChangeFeedStart::Now))
        }
        (ExportMode::All, Some(_)) => Err(usage(
            "all versions and deletes can be read from now on only",
            "leave --from out; what comes later is read with --follow, or by a run that goes on from there",
        )),
    }
}

fn override_settings(settings: &mut Settings, reader: &ReaderArgs, commit: &CommitArgs) {
    override_reader_settings(settings, reader);
    settings.checkpoint_interval_ms = commit
        .checkpoint_interval
        .map_or(settings.checkpoint_interval_ms, milliseconds);
    settings.checkpoint_bytes = commit.checkpoint_bytes.unwrap_or(settings.checkpoint_bytes);
}

/// Changes how it is read to what was typed.
pub(super) fn override_reader_settings(settings: &mut Settings, reader: &ReaderArgs) {
    settings.concurrency = reader.concurrency.or(settings.concurrency);
    settings.page_size = reader.page_size.unwrap_or(settings.page_size);
    settings.max_retries = reader.max_retries.unwrap_or(settings.max_retries);
    settings.poll_interval_ms = reader
        .poll_interval
        .map_or(settings.poll_interval_ms, milliseconds);
}

/// A duration in milliseconds, at least one.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis())
        .unwrap_or(u64::MAX)
        .max(1)
}

#[derive(Debug, Clone, Copy)]
enum OutputKind {
    Directory,
    File,
    StandardOutput,
}

impl OutputKind {
    fn at(self, path: &Path) -> Result<Output> {
        let text = || match path.to_str() {
            Some("") => Ok(".".to_owned()),
            Some(text) => Ok(text.to_owned()),
            None => Err(usage(
                format!("the path `{}` is not Unicode", path.display()),
                "choose another output: the path is kept in the state file, which is JSON",
            )),
        };
        Ok(match self {
            Self::Directory => Output::Directory(text()?),
            Self::File => Output::File(text()?),
            Self::StandardOutput => Output::StandardOutput,
        })
    }
}

/// What `path` is meant to be: `-`, a file with the format's extension, or a directory.
fn output_kind(path: &Path, files: &FilesPlan) -> Result<OutputKind> {
    if path == Path::new("-") {
        return Ok(OutputKind::StandardOutput);
    }
    let extension = files.extension();
    let text = path.as_os_str().to_string_lossy();
    if text.is_empty() {
        return Err(usage(
            "the output path is empty",
            format!("-o DIR, -o FILE.{extension} or -o -"),
        ));
    }
    let says_directory = text.ends_with(['/', std::path::MAIN_SEPARATOR]) || path.is_dir();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if !says_directory {
        let stem = name.strip_suffix(extension);
        if stem.is_some_and(|stem| stem.len() > 1 && stem.ends_with('.')) {
            return Ok(OutputKind::File);
        }
        // A directory with the name of a file would only be a mistake.
        let looks_like = ["jsonl", "csv", "parquet", "gz", "zst"];
        let found = path.extension().and_then(|extension| extension.to_str());
        if let Some(found) = found.filter(|found| looks_like.contains(found)) {
            return Err(usage(
                format!(
                    "the output `{}` ends in `.{found}`, but its files would end in `.{extension}`",
                    path.display()
                ),
                format!(
                    "name a file that ends in `.{extension}`, or a directory by `{}/`; --format and \
                     --compression say what is in it",
                    path.display()
                ),
            ));
        }
    }
    if path.exists() && !path.is_file() && !path.is_dir() {
        return Err(usage(
            format!(
                "the output `{}` is neither a file nor a directory",
                path.display()
            ),
            "name a directory or a new file; `-o -` writes to standard output",
        ));
    }
    if path.is_file() {
        return Err(usage(
            format!(
                "the output `{}` is a file without the extension `.{extension}`",
                path.display()
            ),
            "name a directory, or a new file with that extension",
        ));
    }
    Ok(OutputKind::Directory)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser;

    fn plan(arguments: &[&str]) -> ExportPlan {
        let all = ["cosmos-tail", "export"].iter().chain(arguments);
        match Cli::parse_from(all).command {
            Command::Export(args) => ExportPlan::new(&args).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_directory_holds_its_state_and_is_relative_to_it() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("orders");
        let plan = plan(&["-o", out.to_str().unwrap()]);
        assert_eq!(plan.options.output, Output::Directory(".".into()));
        assert_eq!(plan.state_path.unwrap(), out.join("state.json"));
        assert_eq!(plan.base, out);
    }

    #[test]
    fn a_file_has_its_state_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("orders.jsonl");
        let plan = plan(&["-o", out.to_str().unwrap()]);
        assert_eq!(plan.options.output, Output::File("orders.jsonl".into()));
        assert_eq!(
            plan.state_path.unwrap(),
            directory.path().join("orders.jsonl.state.json")
        );
    }

    #[test]
    fn a_state_elsewhere_makes_the_output_absolute() {
        let directory = tempfile::tempdir().unwrap();
        let (out, state) = (
            directory.path().join("out"),
            directory.path().join("states/a.json"),
        );
        let plan = plan(&[
            "-o",
            out.to_str().unwrap(),
            "--state",
            state.to_str().unwrap(),
        ]);
        assert_eq!(
            plan.options.output,
            Output::Directory(out.to_str().unwrap().into())
        );
        assert_eq!(plan.base, directory.path().join("states"));
    }

    #[test]
    fn standard_output_has_a_state_only_if_asked_for() {
        assert_eq!(plan(&["-o", "-"]).state_path, None);
        let with_state = plan(&["-o", "-", "--state", "s.json"]);
        assert_eq!(with_state.options.output, Output::StandardOutput);
        assert!(with_state.state_path.is_some());
    }

    #[test]
    fn what_looks_like_a_file_but_is_a_directory_is_a_directory() {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("a.jsonl");
        std::fs::create_dir(&out).unwrap();
        assert!(matches!(
            plan(&["-o", out.to_str().unwrap()]).options.output,
            Output::Directory(_)
        ));
        let file = directory.path().join("b.txt");
        std::fs::write(&file, "").unwrap();
        let args = ["cosmos-tail", "export", "-o", file.to_str().unwrap()];
        let Command::Export(args) = Cli::parse_from(args).command else {
            panic!()
        };
        assert!(ExportPlan::new(&args).is_err());
    }
}
