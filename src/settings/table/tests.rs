//! The table and everything that is made from it agree.

use std::collections::BTreeSet;

use clap::Arg;
use serde_json::Value;

use super::*;
use crate::cli::Command;
use crate::cosmos::retry::RetryLimit;
use crate::destination::{Output, PartitionBy};
use crate::feed::{ChangeFeedStart, FeedMode, ReadUntil, RecordForm, Scope};
use crate::format::{Compression, CsvOptions, Format};
use crate::schema::{InferenceOptions, TableForm, TableLayout};
use crate::settings::arguments::command;
use crate::settings::setting::{AccountKey, DefaultValue, Form, Kept, ProfileKey, Setting};
use crate::settings::value::number;
use crate::state::model::{FrozenOptions, Settings};

/// How a clap definition differs from the table, by the names of command and flag.
fn differences(definition: &clap::Command) -> Vec<String> {
    let mut found = Vec::new();
    let own = |subcommand: &&clap::Command| subcommand.get_name() != "help";
    for subcommand in definition.get_subcommands().filter(own) {
        let name = subcommand.get_name();
        let which = Command::of_name(name).unwrap();
        // What clap adds itself has no row.
        let own = |arg: &&Arg| !["help", "version"].contains(&arg.get_id().as_str());
        for arg in subcommand.get_arguments().filter(own) {
            let id = arg.get_id().as_str();
            let row = rows().find(|setting| {
                let row = setting.row();
                row.name == id && row.form != Form::Elsewhere && row.is_of(which)
            });
            let Some(row) = row.map(AnySetting::row) else {
                found.push(format!("{name} --{id} has no row"));
                continue;
            };
            let command = (!row.is_global()).then_some(which);
            let (help, full) = row.help_of(command);
            let shown = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string);
            if shown(arg.get_help()) != Some(help) || shown(arg.get_long_help()) != Some(full) {
                found.push(format!("{name} --{id} has another help than its row"));
            }
            if !arg.get_default_values().is_empty() && !counts(row.form) {
                found.push(format!("{name} --{id} has another default than its row"));
            }
        }
    }
    found
}

/// Whether clap itself gives such flags a default: off, or no times.
fn counts(form: Form) -> bool {
    matches!(form, Form::Switch | Form::Count)
}

/// The clap definition with everything that is propagated to the subcommands.
fn definition() -> clap::Command {
    let mut definition = command();
    definition.build();
    definition
}

#[test]
fn the_definition_is_consistent() {
    command().debug_assert();
}

#[test]
fn flags_helps_and_defaults_are_those_of_the_table() {
    assert_eq!(differences(&definition()), Vec::<String>::new());
}

#[test]
fn a_flag_without_a_row_fails_by_name() {
    let planted = definition().mut_subcommand("export", |export| {
        export.arg(Arg::new("planted").long("planted"))
    });
    assert_eq!(differences(&planted), ["export --planted has no row"]);
}

#[test]
fn another_help_or_default_fails_by_name() {
    let planted = definition().mut_subcommand("tail", |tail| {
        tail.mut_arg("page-size", |arg| arg.help("Pages [default: 7]"))
            .mut_arg("mode", |arg| arg.default_value("all"))
    });
    assert_eq!(
        differences(&planted),
        [
            "tail --page-size has another help than its row",
            "tail --mode has another default than its row",
        ]
    );
}

#[test]
fn every_default_is_a_value_of_its_setting() {
    for setting in rows() {
        let row = setting.row();
        let defaults = row.defaults.iter().map(|(_, default)| *default);
        for default in defaults.chain([row.default]) {
            if let DefaultValue::Value(text) = default {
                assert!(setting.check(text).is_ok(), "{}: {text}", row.name);
            }
        }
    }
}

#[test]
fn a_command_has_no_two_settings_of_one_name() {
    let mut names = BTreeSet::new();
    for setting in rows() {
        let row = setting.row();
        for subcommand in command().get_subcommands() {
            let which = Command::of_name(subcommand.get_name()).unwrap();
            if row.is_accepted_by(which) {
                let name = format!("{} {}", subcommand.get_name(), row.name);
                assert!(names.insert(name.clone()), "{name}");
            }
        }
    }
}

#[test]
fn a_profile_has_each_key_once() {
    let mut keys = Vec::new();
    let mut options = BTreeSet::new();
    for setting in rows() {
        match setting.row().profile {
            Some(ProfileKey::Account(key)) => keys.push(key),
            Some(ProfileKey::Option) => assert!(options.insert(setting.row().name)),
            None => {}
        }
    }
    assert_eq!(
        keys,
        [
            AccountKey::Endpoint,
            AccountKey::Database,
            AccountKey::Container,
            AccountKey::Auth,
            AccountKey::KeyFile,
            AccountKey::KeyCommand,
            AccountKey::Key,
        ]
    );
}

/// The fields of an object of a state that no row keeps, and the rows that keep one that it does not have.
fn not_kept(object: &Value, is_kept: impl Fn(Kept) -> Option<&'static str>) -> Vec<String> {
    let fields: BTreeSet<&str> = object
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let kept: BTreeSet<&str> = rows()
        .filter(|setting| !setting.row().is_of(Command::Replay))
        .filter_map(|setting| is_kept(setting.row().kept))
        .collect();
    fields
        .symmetric_difference(&kept)
        .map(|name| (*name).to_owned())
        .collect()
}

fn settings_field(kept: Kept) -> Option<&'static str> {
    match kept {
        Kept::Changeable(field) => Some(field),
        Kept::Frozen(_) | Kept::No => None,
    }
}

fn options_field(kept: Kept) -> Option<&'static str> {
    match kept {
        Kept::Frozen(field) => Some(field),
        Kept::Changeable(_) | Kept::No => None,
    }
}

/// The settings of a state, with a value in each field.
fn whole_settings() -> Value {
    let settings = Settings {
        follow: true,
        until: Some(ReadUntil::Head),
        concurrency: Some(1),
        page_size: 1,
        max_retries: RetryLimit::Times(1),
        max_ru: Some(crate::cosmos::max_ru::MaxRu::PerSecond(1)),
        poll_interval_ms: 1,
        checkpoint_interval_ms: 1,
        checkpoint_bytes: 1,
        rotate_bytes: Some(1),
        rotate_interval_ms: Some(1),
        row_group_bytes: Some(1),
        extra: Some(crate::format::Extra::Fail),
    };
    serde_json::to_value(settings).unwrap()
}

/// The options of a state, with a value in each field.
fn whole_options() -> Value {
    let options = FrozenOptions {
        mode: FeedMode::LatestVersion,
        scope: Scope {
            partition_key: Some(Vec::new()),
            ..Scope::default()
        },
        snapshot: true,
        query: Some(crate::feed::Query {
            text: String::new(),
            parameters: Vec::new(),
        }),
        masked: true,
        from: ChangeFeedStart::Now,
        format: Format::Csv,
        compression: Compression::Gzip(6),
        layout: Some(TableLayout::Raw),
        // No flag sets it: it is that of the build that began the export.
        table: TableForm::First,
        inference: Some(InferenceOptions::default()),
        csv: Some(CsvOptions::default()),
        output: Output::StandardOutput,
        partition_by: Some(PartitionBy::Day),
        records: Some(RecordForm::Changes),
    };
    serde_json::to_value(options).unwrap()
}

#[test]
fn a_row_keeps_each_field_of_a_state() {
    assert_eq!(
        not_kept(&whole_settings(), settings_field),
        Vec::<String>::new()
    );
    assert_eq!(
        not_kept(&whole_options(), options_field),
        Vec::<String>::new()
    );
}

#[test]
fn a_resume_compares_each_flag_of_an_export_that_is_frozen() {
    for setting in rows() {
        let row = setting.row();
        let is_frozen = row.is_of(Command::Export) && matches!(row.kept, Kept::Frozen(_));
        assert_eq!(
            row.is_compared_by(Command::Resume),
            is_frozen,
            "{}",
            row.name
        );
        assert!(!is_frozen || setting.is_comparable(), "{}", row.name);
    }
}

#[test]
fn a_setting_of_a_state_without_a_row_fails_by_name() {
    let mut planted = whole_settings();
    planted["planted"] = 1.into();
    assert_eq!(not_kept(&planted, settings_field), ["planted"]);
    planted.as_object_mut().unwrap().remove("planted");
    planted.as_object_mut().unwrap().remove("page_size");
    assert_eq!(not_kept(&planted, settings_field), ["page_size"]);
}

#[test]
fn a_default_that_is_no_value_is_found() {
    let planted: Setting<u32> =
        Setting::new("planted", number("N", crate::cli::values::whole::<1, 5>)).default("6");
    assert!(planted.check("6").is_err());
    assert!(planted.default_for(Command::Export).is_err());
}
