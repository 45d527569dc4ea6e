//! The tables of `docs/profiles.md`, made from the table of settings.

use std::fmt::Write;

use super::setting::{AnySetting, DefaultValue, Form, ProfileKey, Row};
use super::table::rows;
use super::value::Toml;
use crate::cli::Command;

/// The tables: the name of each, and its text in Markdown.
pub fn profile_tables() -> [(&'static str, String); 3] {
    [
        ("keys", keys()),
        ("options", options()),
        ("variables", variables()),
    ]
}

/// The keys of a profile itself.
fn keys() -> String {
    let mut text = "| key | meaning | flag |\n|---|---|---|\n".to_owned();
    for setting in rows().filter(|s| matches!(s.row().profile, Some(ProfileKey::Account(_)))) {
        let row = setting.row();
        let choices = choices(setting).map(|all| format!(": {all}"));
        line(
            &mut text,
            &[
                format!("`{}`", row.name),
                format!("{}{}", lower_first(row.help), choices.unwrap_or_default()),
                flag(row),
            ],
        );
    }
    text
}

/// The options of a profile: defaults of flags.
fn options() -> String {
    let mut text = "| option | value | default | meaning |\n|---|---|---|---|\n".to_owned();
    for setting in rows().filter(|s| s.row().profile == Some(ProfileKey::Option)) {
        let row = setting.row();
        let value = match row.toml {
            Toml::Whole => "number".to_owned(),
            Toml::Bytes => "number, or a text such as `\"64MiB\"`".to_owned(),
            Toml::Duration => "text such as `\"500ms\"`".to_owned(),
            Toml::Switch => "`true` or `false`".to_owned(),
            Toml::Text => choices(setting).unwrap_or_else(|| "text".to_owned()),
        };
        line(
            &mut text,
            &[
                format!("`{}`", row.name),
                value,
                defaults(row),
                lower_first(row.help),
            ],
        );
    }
    text
}

/// The variables that give a setting its value.
fn variables() -> String {
    let mut text = "| variable | meaning | flag |\n|---|---|---|\n".to_owned();
    for setting in rows() {
        let row = setting.row();
        if let Some(variable) = row.variable {
            line(
                &mut text,
                &[format!("`{variable}`"), lower_first(row.help), flag(row)],
            );
        }
    }
    text
}

fn line(text: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
    // A `String` takes any text.
    writeln!(text, "| {} |", cells.join(" | ")).ok();
}

fn flag(row: &Row) -> String {
    match row.form {
        Form::Elsewhere => String::new(),
        _ => row.short.map_or_else(
            || format!("`{}`", row.flag()),
            |short| format!("`-{short}`, `{}`", row.flag()),
        ),
    }
}

/// The default, and those of single commands that differ.
fn defaults(row: &Row) -> String {
    let show = |default| match default {
        DefaultValue::None => "none".to_owned(),
        DefaultValue::Value(text) => format!("`{text}`"),
        DefaultValue::Described(text) => text.to_owned(),
    };
    let mut text = show(row.default);
    for (command, default) in row.defaults {
        let name = format!("{command:?}").to_lowercase();
        text.push_str(&format!("; `{name}`: {}", show(*default)));
    }
    text
}

/// The choices of a setting, if it has fixed ones.
fn choices(setting: &dyn AnySetting) -> Option<String> {
    let arg = setting.arg(Some(Command::Export))?;
    let names: Vec<String> = arg
        .get_possible_values()
        .iter()
        .map(|value| format!("`\"{}\"`", value.get_name()))
        .collect();
    let (last, others) = names.split_last()?;
    Some(if others.is_empty() {
        last.clone()
    } else {
        format!("{} or {last}", others.join(", "))
    })
}

fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().chain(letters).collect()
    })
}
