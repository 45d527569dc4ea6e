//! What the user set: the command line, variables and the profile, looked up by the table of settings.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ArgMatches;
use clap::parser::ValueSource;
use serde_json::Value;

use super::arguments::{
    definition, ensure_one_container, ensure_values, of_subcommand, subcommands,
};
use super::profile::{ChosenProfile, ProfileOptions, WantedProfile};
use super::resolved::{Origin, ResolvedValue};
use super::setting::{
    AnySetting, Comparison, DefaultValue, Form, FrozenIn, Heading, Kept, ProfileKey, Row, Setting,
};
use super::table::{self, rows};
use super::value::Toml;
use crate::cli::times::is_age;
use crate::cli::{Command, tips};
use crate::cosmos::retry::RetryLimit;
use crate::error::usage;
use crate::escape::shell_word;
use crate::report::{SummaryFormat, Verbosity};
use crate::state::model::Settings;

/// What was typed, and what variables and a profile add to it.
#[derive(Debug, Clone)]
pub struct Given {
    command: Command,
    matches: ArgMatches,
    environment: fn(&str) -> Option<String>,
    profile: Option<(String, ProfileOptions)>,
}

/// A value that was given, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl Given {
    /// Parses a command line, whose first word is the program.
    ///
    /// # Errors
    ///
    /// What clap has to say: what is wrong, or the help that was asked for.
    pub fn parse<A>(arguments: impl IntoIterator<Item = A>) -> Result<Self, clap::Error>
    where
        A: Into<OsString>,
    {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let definition = definition(Row::is_accepted_by);
        let matches = match definition.clone().try_get_matches_from(&arguments) {
            Ok(matches) => matches,
            Err(error) if error.use_stderr() => {
                // What clap did not expect may be the value of a flag that was taken for a value itself.
                let understood = definition
                    .clone()
                    .ignore_errors(true)
                    .try_get_matches_from(&arguments)
                    .ok();
                let names = understood.as_ref().map_or_else(Vec::new, subcommands);
                let cause = understood.and_then(|matches| {
                    let (command, matches) = of_subcommand(matches).ok()?;
                    ensure_values(&matches, command).err()
                });
                return Err(cause.unwrap_or_else(|| tips::with_tip(error, &definition, &names)));
            }
            Err(answer) => return Err(answer),
        };
        let (command, matches) = of_subcommand(matches)?;
        ensure_values(&matches, command)?;
        ensure_one_container(&matches, command)?;
        Ok(Self {
            command,
            matches,
            environment: super::environment::process_environment,
            profile: None,
        })
    }

    /// Parses the words after the program of a command line that is still being typed, as far as they make sense.
    ///
    /// # Errors
    ///
    /// If they make no sense at all.
    pub(crate) fn parse_unfinished(words: &[OsString]) -> Result<Self, clap::Error> {
        let program = OsString::from("cosmos-tail");
        let matches = definition(Row::is_accepted_by)
            .ignore_errors(true)
            .try_get_matches_from(std::iter::once(&program).chain(words))?;
        // The command may come last. Only what all commands have is of interest then.
        let (command, matches) = match of_subcommand(matches.clone()) {
            Ok(found) => found,
            Err(_) => (Command::Ls, matches),
        };
        Ok(Self {
            command,
            matches,
            environment: super::environment::process_environment,
            profile: None,
        })
    }

    /// How to print what is wrong with a command line that cannot be parsed: as JSON if it asks for a summary as
    /// JSON, which a script reads, or for messages as JSON.
    pub fn verbosity_of(arguments: &[OsString]) -> Verbosity {
        let words = arguments.iter().map(|word| word.to_string_lossy());
        let words: Vec<_> = words.take_while(|word| word != "--").collect();
        let last = |row: &Row| {
            let flag = row.flag();
            let inline = format!("{flag}=");
            let mut values = words.iter().enumerate().rev().filter_map(|(at, word)| {
                let next = || words.get(at + 1).filter(|_| *word == flag);
                word.strip_prefix(&inline)
                    .or_else(|| next().map(|word| &**word))
            });
            values.next().map(str::to_owned)
        };
        let row = &table::LOG_FORMAT.row;
        let log = last(row).or_else(|| {
            let environment = super::environment::process_environment;
            environment(row.variable?)
        });
        Verbosity {
            json: last(&table::SUMMARY.row).as_deref() == Some("json"),
            log: log
                .and_then(|text| table::LOG_FORMAT.value.parse(&text).ok())
                .unwrap_or_default(),
            ..Verbosity::default()
        }
    }

    /// How much to print on standard error.
    pub fn verbosity(&self) -> Verbosity {
        Verbosity {
            verbose: self.typed(&table::VERBOSE).unwrap_or(0),
            quiet: self.is_on(&table::QUIET),
            json: self.prints_json_summary(),
            // A variable that is none of them is reported by the run.
            log: self.get(&table::LOG_FORMAT).unwrap_or_default(),
        }
    }

    /// Whether the command line asks for a summary as JSON.
    fn prints_json_summary(&self) -> bool {
        let summary = match self.command {
            Command::Export | Command::Resume => self.typed(&table::SUMMARY),
            Command::Replay | Command::Compare => self.typed(&table::REPLAY_SUMMARY),
            _ => None,
        };
        summary == Some(SummaryFormat::Json)
    }

    /// The profile that the flag names, otherwise the one that the variable names.
    ///
    /// # Errors
    ///
    /// None: any name can be looked for.
    pub fn wanted_profile(&self) -> Result<Option<WantedProfile>> {
        if let Some(name) = self.typed(&table::TESTED_PROFILE) {
            return Ok(Some(WantedProfile::new(name, Origin::Argument)));
        }
        let found = self.found(&table::PROFILE)?;
        Ok(found.map(|found| WantedProfile::new(found.value, found.origin)))
    }

    /// The command.
    pub fn command(&self) -> Command {
        self.command
    }

    /// With the options of a profile as further defaults.
    #[must_use]
    pub(crate) fn with_profile(mut self, chosen: Option<ChosenProfile<'_>>) -> Self {
        self.profile =
            chosen.map(|chosen| (chosen.profile.name.clone(), chosen.profile.options.clone()));
        self
    }

    /// With other variables than those of this process.
    #[cfg(test)]
    pub(crate) fn with_environment(mut self, environment: fn(&str) -> Option<String>) -> Self {
        self.environment = environment;
        self
    }

    /// The value on the command line.
    pub(crate) fn typed<T>(&self, setting: &Setting<T>) -> Option<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        if !self.is_typed(&setting.row) {
            return None;
        }
        self.matches
            .try_get_one::<T>(setting.row.name)
            .ok()
            .flatten()
            .cloned()
    }

    /// All values of a setting that can be repeated.
    pub(crate) fn list<T>(&self, setting: &Setting<T>) -> Vec<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        let values = self.matches.try_get_many::<T>(setting.row.name);
        values
            .ok()
            .flatten()
            .map_or_else(Vec::new, |values| values.cloned().collect())
    }

    /// Whether a flag is on the command line.
    pub(crate) fn is_typed(&self, row: &Row) -> bool {
        row.form != Form::Elsewhere
            && row.is_accepted_by(self.command)
            && self.matches.value_source(row.name) == Some(ValueSource::CommandLine)
    }

    /// Whether the time that was given is an age, which is another time in each run.
    pub(crate) fn is_age<T>(&self, setting: &Setting<T>) -> bool {
        let text = self.text(&setting.row);
        text.is_some_and(|(text, _)| is_age(&text))
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(&self, switch: &Setting<bool>) -> bool {
        self.typed(switch)
            .or_else(|| switch.value.parse(self.of_profile(&switch.row)?).ok())
            .unwrap_or(false)
    }

    /// The value that was given: by the flag, otherwise by the variable, otherwise by the profile.
    ///
    /// # Errors
    ///
    /// A usage error if the variable is wrong. Flags and profiles have been checked already.
    pub(crate) fn found<T>(&self, setting: &Setting<T>) -> Result<Option<Found<T>>>
    where
        T: Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.typed(setting) {
            let origin = Origin::Flag(setting.row.name);
            return Ok(Some(Found { value, origin }));
        }
        let Some((text, origin)) = self.text_elsewhere(&setting.row) else {
            return Ok(None);
        };
        let value = setting
            .value
            .parse(&text)
            .map_err(|reason| wrong(&setting.row, &origin, reason))?;
        Ok(Some(Found { value, origin }))
    }

    /// The value that was given, otherwise the default.
    ///
    /// # Errors
    ///
    /// As [`Given::found`]; and if there is no default, which is a defect of the caller.
    pub(crate) fn get<T>(&self, setting: &Setting<T>) -> Result<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        match self.found(setting)? {
            Some(found) => Ok(found.value),
            None => setting.default_for(self.command),
        }
    }

    /// Stores in the settings of a state what was given of those that it keeps.
    ///
    /// # Errors
    ///
    /// A usage error if a variable is wrong.
    pub(crate) fn store_in(&self, settings: &mut Settings) -> Result<()> {
        for setting in rows().filter(|s| s.row().is_of(self.command)) {
            let row = setting.row();
            if !matches!(row.kept, Kept::Changeable(_)) {
                continue;
            }
            if let Some((text, origin)) = self.text(row) {
                setting
                    .store_text(settings, &text)
                    .map_err(|reason| wrong(row, &origin, reason))?;
            }
        }
        Ok(())
    }

    /// Refuses what is typed if it contradicts what a state has frozen.
    ///
    /// # Errors
    ///
    /// A usage error that names both values.
    pub(crate) fn ensure_agrees(&self, frozen: &FrozenIn<'_>) -> Result<()> {
        for setting in rows().filter(|s| s.row().is_compared_by(self.command)) {
            let row = setting.row();
            let Some((text, origin)) = self.text(row).filter(|_| self.is_typed(row)) else {
                continue;
            };
            let compared = setting
                .compare_text(frozen, &text)
                .map_err(|reason| wrong(row, &origin, reason))?;
            let flag = row.flag();
            let differs = match compared {
                Comparison::Same => continue,
                Comparison::Other(own) => {
                    let given = text.escape_debug();
                    format!("with {flag} {own}, not with {flag} {given}")
                }
                Comparison::Absent => {
                    format!("without {flag}, not with {}", typed_as(row, &text))
                }
            };
            return Err(usage(
                format!("the state is of an export {differs}"),
                format!(
                    "leave {flag} out: a resume continues the export as it was started; for another one, \
                     export to a new output"
                ),
            ));
        }
        Ok(())
    }

    /// Refuses what is typed if it contradicts the plan that is carried out.
    ///
    /// # Errors
    ///
    /// A usage error that names both values.
    pub(crate) fn ensure_agrees_with_plan(&self, frozen: &FrozenIn<'_>) -> Result<()> {
        for setting in rows().filter(|setting| self.is_typed(setting.row())) {
            let row = setting.row();
            let is_planned = matches!(row.kept, Kept::Frozen(field) if field != "output");
            let Some((text, origin)) = self.text(row).filter(|_| is_planned) else {
                continue;
            };
            let compared = setting
                .compare_text(frozen, &text)
                .map_err(|reason| wrong(row, &origin, reason))?;
            let flag = row.flag();
            let differs = match compared {
                Comparison::Same => continue,
                Comparison::Other(own) => {
                    format!("has {flag} {own}, not {flag} {}", text.escape_debug())
                }
                Comparison::Absent => {
                    format!("was made without {flag}, not with {}", typed_as(row, &text))
                }
            };
            return Err(usage(
                format!("the plan {differs}"),
                format!("leave {flag} out: all shards of a plan read and write the same"),
            ));
        }
        Ok(())
    }

    /// What was typed of the settings that a state keeps and a resume can change, as words for a shell.
    pub(crate) fn changed_options(&self) -> Vec<String> {
        let mut words = Vec::new();
        for row in rows().map(AnySetting::row).filter(|row| self.is_typed(row)) {
            if let (Kept::Changeable(_), Some((text, _))) = (row.kept, self.text(row)) {
                words.push(row.flag());
                if row.form != Form::Switch {
                    words.push(shell_word(Path::new(&text)).to_string());
                }
            }
        }
        words
    }

    /// The points in time on the command line, and what each means in UTC.
    pub(crate) fn times(&self) -> Vec<ResolvedValue> {
        rows()
            .filter(|setting| setting.row().is_time && self.is_typed(setting.row()))
            .filter_map(|setting| {
                let name = setting.row().name;
                let shown = setting.shown(&self.matches)?;
                Some(ResolvedValue::new(name, shown, Origin::Flag(name)))
            })
            .collect()
    }

    /// The points in time, and the options of the command that a profile can have, with their values and where
    /// each came from. Those of the connection are reported when it is made.
    ///
    /// # Errors
    ///
    /// A usage error if a variable is wrong.
    pub(crate) fn option_values(&self) -> Result<Vec<ResolvedValue>> {
        let mut values = self.times();
        for setting in self.options() {
            let row = setting.row();
            let (text, origin) = match (self.text(row), row.default_of(self.command)) {
                (Some(given), _) => given,
                (None, DefaultValue::None) => continue,
                (None, DefaultValue::Described(text)) => {
                    values.push(ResolvedValue::new(row.name, text, Origin::Default));
                    continue;
                }
                (None, DefaultValue::Value(text)) => (text.to_owned(), Origin::Default),
            };
            let shown = setting
                .check(&text)
                .map_err(|reason| wrong(row, &origin, reason))?;
            values.push(ResolvedValue::new(row.name, with_unit(row, shown), origin));
        }
        Ok(values)
    }

    /// The options of a resume, as [`Given::option_values`] has those of other commands: what was given, and
    /// otherwise the `settings` of the state.
    ///
    /// # Errors
    ///
    /// None that a test does not exclude: the settings can be written as JSON.
    pub(crate) fn resumed_values(&self, settings: &Settings) -> Result<Vec<ResolvedValue>> {
        let kept = serde_json::to_value(settings).context("the settings of the state")?;
        let mut values = Vec::new();
        for row in self.options().map(AnySetting::row) {
            let Kept::Changeable(field) = row.kept else {
                continue;
            };
            // What an export does without the setting, since `resume` itself has "from the state".
            let text = match (&kept[field], row.default_of(Command::Export)) {
                (Value::Null, DefaultValue::Described(text)) => {
                    values.push(ResolvedValue::new(row.name, text, Origin::Default));
                    continue;
                }
                (Value::Null | Value::Bool(false), _) => continue,
                (Value::String(text), _) => text.clone(),
                (Value::Number(number), _) if row.toml == Toml::Duration => {
                    let duration = Duration::from_millis(number.as_u64().unwrap_or_default());
                    humantime::format_duration(duration).to_string()
                }
                (other, _) => with_unit(row, other.to_string()),
            };
            let origin = self.text(row).map_or(Origin::State, |(_, origin)| origin);
            values.push(ResolvedValue::new(row.name, text, origin));
        }
        Ok(values)
    }

    /// The settings of the command that a profile can have in its options, except those of the connection.
    fn options(&self) -> impl Iterator<Item = &'static dyn AnySetting> {
        rows().filter(|setting| {
            let row = setting.row();
            row.is_of(self.command)
                && matches!(row.profile, Some(ProfileKey::Option))
                && row.heading != Some(Heading::Connection)
        })
    }

    /// The text that was given: by the flag, otherwise by the variable, otherwise by the profile.
    pub(super) fn text(&self, row: &Row) -> Option<(String, Origin)> {
        if !self.is_typed(row) {
            return self.text_elsewhere(row);
        }
        let text = match row.form {
            Form::Switch => "true".to_owned(),
            _ => {
                let mut words = self.matches.get_raw(row.name)?;
                words.next()?.to_string_lossy().into_owned()
            }
        };
        Some((text, Origin::Flag(row.name)))
    }

    /// The text of the variable, otherwise of the profile. A variable that is set to nothing counts as
    /// not set.
    fn text_elsewhere(&self, row: &Row) -> Option<(String, Origin)> {
        let of_variable = row.variable.and_then(|name| {
            let text = (self.environment)(name).filter(|text| !text.trim().is_empty())?;
            Some((text, Origin::Variable(name)))
        });
        of_variable.or_else(|| {
            let (name, _) = self.profile.as_ref()?;
            let text = self.of_profile(row)?.to_owned();
            Some((text, Origin::Profile(name.clone())))
        })
    }

    fn of_profile(&self, row: &Row) -> Option<&str> {
        let (_, options) = self.profile.as_ref()?;
        options.text(row.name)
    }
}

/// The settings of a state before anything was given: the defaults of a command.
///
/// # Errors
///
/// If a default of the table is wrong, which a test excludes.
pub(crate) fn default_settings(command: Command) -> Result<Settings> {
    let mut settings = Settings {
        follow: false,
        until: None,
        concurrency: None,
        page_size: 0,
        max_retries: RetryLimit::Unlimited,
        max_ru: None,
        poll_interval_ms: 0,
        checkpoint_interval_ms: 0,
        checkpoint_bytes: 0,
        rotate_bytes: None,
        rotate_interval_ms: None,
        row_group_bytes: None,
        extra: None,
    };
    for setting in rows() {
        let row = setting.row();
        if let (Kept::Changeable(_), DefaultValue::Value(text)) =
            (row.kept, row.default_of(command))
        {
            setting
                .store_text(&mut settings, text)
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("the default of {}", row.flag()))?;
        }
    }
    Ok(settings)
}

/// A number of bytes with the largest unit that divides it, such as `256MiB`; any other text as it is.
fn with_unit(row: &Row, text: String) -> String {
    let bytes = text.parse::<u64>().ok().filter(|bytes| *bytes > 0);
    let Some(bytes) = bytes.filter(|_| row.toml == Toml::Bytes) else {
        return text;
    };
    [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, size)| bytes % size == 0)
        .map_or(text, |(unit, size)| format!("{}{unit}", bytes / size))
}

/// What was typed.
fn typed_as(row: &Row, text: &str) -> String {
    match row.form {
        Form::Switch => row.flag(),
        _ => format!("{} {}", row.flag(), text.escape_debug()),
    }
}

fn wrong(row: &Row, origin: &Origin, reason: String) -> anyhow::Error {
    usage(
        format!("{origin} has a wrong value: {reason}"),
        format!("give it a value that {} takes, or remove it", row.flag()),
    )
}
