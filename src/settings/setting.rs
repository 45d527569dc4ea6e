//! What a row of the table of settings is made of.
//!
//! A row names a setting once: its flag, its key in a profile, its variable, its default, the commands that
//! have it, and how the state keeps it. Flags, help, profiles, `-v` and the documentation follow from it.

use std::path::Path;

use clap::{Arg, ArgAction, ArgMatches};

use super::value::{Toml, Value};

pub(crate) use super::properties::{
    AccountKey, Commands, DefaultValue, Form, Heading, Kept, ProfileKey,
};
use crate::cli::Command;
use crate::cli::values::{self, Parsed};
use crate::state::model::{FrozenOptions, Settings};

/// A setting whose values are of type `T`.
pub(crate) struct Setting<T: 'static> {
    pub(crate) row: Row,
    pub(crate) value: Value<T>,
    /// Stores a value in the settings of a state, if the state keeps the setting.
    store: Option<fn(&mut Settings, T)>,
    /// Compares a value with the one that a state has frozen.
    compare: Option<fn(&FrozenIn<'_>, &T) -> Comparison>,
}

/// What a state has frozen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FrozenIn<'a> {
    pub(crate) options: &'a FrozenOptions,
    /// The base of relative paths: the directory of the state file.
    pub(crate) base: &'a Path,
}

/// How a value that was typed compares with the one that a state has frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// They are the same.
    Same,
    /// The state has this value, as it would be typed.
    Other(String),
    /// The state has none, or does not record it.
    Absent,
}

impl Comparison {
    /// Compares a value with the state's own, both in the one form in which they are shown.
    pub(crate) fn of(own: Option<String>, given: &str) -> Self {
        match own {
            Some(own) if own == given => Self::Same,
            Some(own) => Self::Other(own),
            None => Self::Absent,
        }
    }
}

/// The part of a setting that does not depend on the type of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The name: of the flag, of the profile key, and in what `-v` prints.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    pub(crate) short: Option<char>,
    pub(crate) commands: Commands,
    /// The heading in the help; without one it is among the options of the command.
    pub(crate) heading: Option<Heading>,
    /// One line of meaning.
    pub(crate) help: &'static str,
    /// The same in fewer words, for `-h`.
    pub(crate) brief: Option<&'static str>,
    /// More, for `--help` and the man pages.
    pub(crate) details: &'static str,
    pub(crate) default: DefaultValue,
    /// The defaults of single commands, where they differ.
    pub(crate) defaults: &'static [(Command, DefaultValue)],
    pub(crate) variable: Option<&'static str>,
    pub(crate) profile: Option<ProfileKey>,
    /// The form of its value in a profile.
    pub(crate) toml: Toml,
    /// Whether its value may begin with a hyphen.
    pub(crate) may_have_hyphen: bool,
    /// Whether it is a point in time.
    pub(crate) is_time: bool,
    pub(crate) kept: Kept,
    /// Commands that accept it, as all do, and have no use for it: their help does not show it.
    unused_by: &'static [Command],
    /// Commands whose short help does not show it.
    in_full: Commands,
    required: Required,
    conflicts: &'static [&'static str],
    requires: Option<&'static str>,
}

#[derive(Debug, Clone, Copy)]
enum Required {
    No,
    Yes,
    Unless(&'static [&'static str]),
}

impl Setting<bool> {
    /// A flag without a value.
    pub(crate) const fn switch(name: &'static str) -> Self {
        let mut switch = Self::new(name, Value::new("", values::switch));
        switch.row.form = Form::Switch;
        switch.row.toml = Toml::Switch;
        switch.value.placeholder = None;
        switch
    }
}

impl Setting<u8> {
    /// A flag without a value, which counts.
    pub(crate) const fn count(name: &'static str) -> Self {
        let mut count = Self::new(name, Value::new("", values::count));
        count.row.form = Form::Count;
        count.value.placeholder = None;
        count
    }
}

impl<T: Clone + Send + Sync + 'static> Setting<T> {
    /// A flag with a value.
    pub(crate) const fn new(name: &'static str, value: Value<T>) -> Self {
        Self {
            row: Row {
                name,
                form: Form::Value,
                short: None,
                commands: Commands::All,
                heading: None,
                help: "",
                brief: None,
                details: "",
                default: DefaultValue::None,
                defaults: &[],
                variable: None,
                profile: None,
                toml: value.toml,
                may_have_hyphen: value.may_have_hyphen,
                is_time: value.is_time,
                kept: Kept::No,
                unused_by: &[],
                in_full: Commands::Of(&[]),
                required: Required::No,
                conflicts: &[],
                requires: None,
            },
            value,
            store: None,
            compare: None,
        }
    }

    pub(crate) const fn help(mut self, help: &'static str) -> Self {
        self.row.help = help;
        self
    }

    /// In fewer words, without a default: what `-h` shows.
    pub(crate) const fn brief(mut self, brief: &'static str) -> Self {
        self.row.brief = Some(brief);
        self
    }

    pub(crate) const fn details(mut self, details: &'static str) -> Self {
        self.row.details = details;
        self
    }

    pub(crate) const fn short(mut self, short: char) -> Self {
        self.row.short = Some(short);
        self
    }

    pub(crate) const fn under(mut self, heading: Heading) -> Self {
        self.row.heading = Some(heading);
        self
    }

    /// Only these commands have it.
    pub(crate) const fn of(mut self, commands: &'static [Command]) -> Self {
        self.row.commands = Commands::Of(commands);
        self
    }

    /// All commands accept it, but the help of these does not show it.
    pub(crate) const fn unused_by(mut self, commands: &'static [Command]) -> Self {
        self.row.unused_by = commands;
        self
    }

    /// Only the full help shows it.
    pub(crate) const fn in_full(mut self) -> Self {
        self.row.in_full = Commands::All;
        self
    }

    /// Of these commands only the full help shows it.
    pub(crate) const fn in_full_of(mut self, commands: &'static [Command]) -> Self {
        self.row.in_full = Commands::Of(commands);
        self
    }

    pub(crate) const fn form(mut self, form: Form) -> Self {
        self.row.form = form;
        self
    }

    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.row.default = DefaultValue::Value(value);
        self
    }

    pub(crate) const fn described_default(mut self, description: &'static str) -> Self {
        self.row.default = DefaultValue::Described(description);
        self
    }

    pub(crate) const fn defaults(mut self, defaults: &'static [(Command, DefaultValue)]) -> Self {
        self.row.defaults = defaults;
        self
    }

    pub(crate) const fn variable(mut self, name: &'static str) -> Self {
        self.row.variable = Some(name);
        self
    }

    /// A profile has it as this key.
    pub(crate) const fn account_key(mut self, key: AccountKey) -> Self {
        self.row.profile = Some(ProfileKey::Account(key));
        self
    }

    /// A profile can have it among its options.
    pub(crate) const fn profile_option(mut self) -> Self {
        self.row.profile = Some(ProfileKey::Option);
        self
    }

    /// The state keeps it in this field of its options; no resume can change it.
    pub(crate) const fn frozen(mut self, field: &'static str) -> Self {
        self.row.kept = Kept::Frozen(field);
        self
    }

    /// Compares a frozen value with the one of a state, for a resume that names it again.
    pub(crate) const fn compared(mut self, compare: fn(&FrozenIn<'_>, &T) -> Comparison) -> Self {
        self.compare = Some(compare);
        self
    }

    /// The state keeps it in this field of its settings, where `store` stores it.
    pub(crate) const fn kept(mut self, field: &'static str, store: fn(&mut Settings, T)) -> Self {
        self.row.kept = Kept::Changeable(field);
        self.store = Some(store);
        self
    }

    pub(crate) const fn required(mut self) -> Self {
        self.row.required = Required::Yes;
        self
    }

    pub(crate) const fn required_unless(mut self, others: &'static [&'static str]) -> Self {
        self.row.required = Required::Unless(others);
        self
    }

    pub(crate) const fn conflicts(mut self, others: &'static [&'static str]) -> Self {
        self.row.conflicts = others;
        self
    }

    pub(crate) const fn requires(mut self, other: &'static str) -> Self {
        self.row.requires = Some(other);
        self
    }

    /// The default of a command.
    ///
    /// # Errors
    ///
    /// If it has none, which is a defect of the caller.
    pub(crate) fn default_for(&self, command: Command) -> anyhow::Result<T> {
        let DefaultValue::Value(text) = self.row.default_of(command) else {
            anyhow::bail!("{} has no default", self.row.flag());
        };
        self.value.parse(text).map_err(anyhow::Error::msg)
    }

    /// Stores a value in the settings of a state, if the state keeps the setting.
    pub(crate) fn store(&self, settings: &mut Settings, value: T) {
        if let Some(store) = self.store {
            store(settings, value);
        }
    }
}

impl Row {
    /// Whether all commands have it.
    pub(crate) fn is_global(&self) -> bool {
        matches!(self.commands, Commands::All)
    }

    /// Whether the help of a command shows it.
    pub(crate) fn is_shown_by(&self, command: Command) -> bool {
        self.is_of(command) && !self.unused_by.contains(&command)
    }

    /// Whether only the full help of a command shows it; without a command, the help of the program.
    fn is_in_full(&self, command: Option<Command>) -> bool {
        match (self.in_full, command) {
            (Commands::All, _) | (_, None) => true,
            (Commands::Of(commands), Some(command)) => commands.contains(&command),
        }
    }

    /// Whether a command has it.
    pub(crate) fn is_of(&self, command: Command) -> bool {
        match self.commands {
            Commands::All => true,
            Commands::Of(commands) => commands.contains(&command),
        }
    }

    /// Whether a command accepts its flag only to compare it with the state: a resume can name what the
    /// export has frozen, and nothing else.
    pub(crate) fn is_compared_by(&self, command: Command) -> bool {
        command == Command::Resume
            && matches!(self.kept, Kept::Frozen(_))
            && !self.is_global()
            && self.is_of(Command::Export)
    }

    /// Whether the command line of a command can have it.
    pub(crate) fn is_accepted_by(&self, command: Command) -> bool {
        self.is_of(command) || self.is_compared_by(command)
    }

    /// The flag as it is typed.
    pub(crate) fn flag(&self) -> String {
        format!("--{}", self.name)
    }

    /// Whether `text` is its flag, in full or short.
    pub(crate) fn is_flag(&self, text: &str) -> bool {
        let has_flag = !matches!(
            self.form,
            Form::Argument | Form::Arguments | Form::Elsewhere
        );
        let is_short = |short: char| {
            text.strip_prefix('-')
                .is_some_and(|rest| rest.chars().eq([short]))
        };
        has_flag && (text.strip_prefix("--") == Some(self.name) || self.short.is_some_and(is_short))
    }

    /// The default of a command.
    pub(crate) fn default_of(&self, command: Command) -> DefaultValue {
        if command == Command::Resume && matches!(self.kept, Kept::Changeable(_)) {
            return match self.form {
                Form::Switch => DefaultValue::None,
                _ => DefaultValue::Described("from the state"),
            };
        }
        let own = self.defaults.iter().find(|(of, _)| *of == command);
        own.map_or(self.default, |(_, default)| *default)
    }

    /// The help text of a command: short, and in full.
    pub(crate) fn help_of(&self, command: Option<Command>) -> (String, String) {
        let mut help = self.help.to_owned();
        let default = command.map_or(self.default, |command| self.default_of(command));
        if let DefaultValue::Value(text) | DefaultValue::Described(text) = default {
            help.push_str(&format!(" [default: {text}]"));
        }
        let mut full = help.clone();
        if let Some(variable) = self.variable {
            full.push_str(&format!(" [env: {variable}]"));
        }
        if !self.details.is_empty() {
            full.push_str(&format!("\n\n{}", self.details));
        }
        (self.brief.map_or(help, str::to_owned), full)
    }
}

/// A setting of any type.
pub(crate) trait AnySetting: Sync {
    /// What does not depend on the type.
    fn row(&self) -> &Row;

    /// Its definition for clap, in a command or in all of them. None if it is not on the command line.
    fn arg(&self, command: Option<Command>) -> Option<Arg>;

    /// Checks a value, and returns it in the one form in which it is shown.
    ///
    /// # Errors
    ///
    /// A sentence that says what is expected.
    fn check(&self, text: &str) -> Parsed<String>;

    /// The value on the command line, in the one form in which it is shown.
    fn shown(&self, matches: &ArgMatches) -> Option<String>;

    /// Stores the value of a text in the settings of a state, if the state keeps it.
    ///
    /// # Errors
    ///
    /// A sentence that says what is expected.
    fn store_text(&self, settings: &mut Settings, text: &str) -> Parsed<()>;

    /// Compares the value of a text with the one that a state has frozen.
    ///
    /// # Errors
    ///
    /// A sentence that says what is expected.
    fn compare_text(&self, frozen: &FrozenIn<'_>, text: &str) -> Parsed<Comparison>;

    /// Whether it can be compared with what a state has frozen.
    #[cfg(test)]
    fn is_comparable(&self) -> bool;
}

impl<T: Clone + Send + Sync + 'static> AnySetting for Setting<T> {
    fn row(&self) -> &Row {
        &self.row
    }

    fn arg(&self, command: Option<Command>) -> Option<Arg> {
        let row = &self.row;
        let (help, full) = row.help_of(command);
        let mut arg = Arg::new(row.name)
            .help(help)
            .long_help(full)
            .global(row.is_global())
            .hide(command.is_some_and(|command| row.unused_by.contains(&command)))
            .hide_short_help(row.is_in_full(command))
            .conflicts_with_all(row.conflicts);
        arg = match row.form {
            Form::Value | Form::Values | Form::Argument | Form::Arguments => arg
                .value_parser((self.value.parser)(self.value.parse))
                .value_hint(self.value.completion),
            Form::Switch | Form::Count | Form::Elsewhere => arg,
        };
        if row.may_have_hyphen && matches!(row.form, Form::Value | Form::Values) {
            arg = arg.allow_hyphen_values(true);
        }
        if let Some(placeholder) = self.value.placeholder {
            arg = arg.value_name(placeholder);
        }
        arg = match row.form {
            Form::Value | Form::Argument => arg.action(ArgAction::Set),
            Form::Values | Form::Arguments => arg.action(ArgAction::Append),
            Form::Switch => arg.action(ArgAction::SetTrue),
            Form::Count => arg.action(ArgAction::Count),
            Form::Elsewhere => return None,
        };
        arg = match row.form {
            Form::Argument => arg,
            Form::Arguments => arg.num_args(1..),
            _ => arg.long(row.name),
        };
        if let Some(short) = row.short {
            arg = arg.short(short);
        }
        if let Some(heading) = row.heading {
            arg = arg.help_heading(heading.text());
        }
        if let Some(other) = row.requires {
            arg = arg.requires(other);
        }
        if command.is_some_and(|command| row.is_compared_by(command)) {
            return Some(arg.hide(true));
        }
        Some(match row.required {
            Required::No => arg,
            Required::Yes => arg.required(true),
            Required::Unless(others) => arg.required_unless_present_any(others),
        })
    }

    fn check(&self, text: &str) -> Parsed<String> {
        let value = self.value.parse(text)?;
        Ok(self.value.show(&value).unwrap_or_else(|| text.to_owned()))
    }

    fn shown(&self, matches: &ArgMatches) -> Option<String> {
        let value = matches.try_get_one::<T>(self.row.name).ok().flatten()?;
        self.value.show(value)
    }

    fn store_text(&self, settings: &mut Settings, text: &str) -> Parsed<()> {
        let value = self.value.parse(text)?;
        self.store(settings, value);
        Ok(())
    }

    fn compare_text(&self, frozen: &FrozenIn<'_>, text: &str) -> Parsed<Comparison> {
        let value = self.value.parse(text)?;
        let compare = self.compare.map(|compare| compare(frozen, &value));
        Ok(compare.unwrap_or(Comparison::Absent))
    }

    #[cfg(test)]
    fn is_comparable(&self) -> bool {
        self.compare.is_some()
    }
}

/// Declares settings, and lists them as `ROWS`.
macro_rules! settings {
    ($($(#[$attribute:meta])* $name:ident: $type:ty = $setting:expr;)*) => {
        $($(#[$attribute])* pub(crate) static $name: $crate::settings::setting::Setting<$type> = $setting;)*

        pub(super) static ROWS: &[&dyn $crate::settings::setting::AnySetting] =
            &[$($(#[$attribute])* &$name,)*];
    };
}
pub(crate) use settings;
