//! The `profiles` subcommand: what the configuration file holds, without its secrets.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::ValueEnum;
use serde::Serialize;

use crate::cli::{AuthMethod, TableFormat};
use crate::escape::escape_for_terminal;
use crate::report::Report;
use crate::settings::{ConfigFile, KeySource, Profile};

/// One line of the list.
#[derive(Debug, Serialize)]
struct Row {
    /// Its name.
    profile: String,
    /// Whether it is the one that is meant when none is named.
    default: bool,
    /// The account's URL, or `emulator`.
    endpoint: Option<String>,
    /// Name of the database.
    database: Option<String>,
    /// Name of the container.
    container: Option<String>,
    /// How to prove who you are, as `--auth` has it.
    auth: Option<String>,
    /// Where the key is: `key`, `key-file` or `key-command`.
    key: Option<&'static str>,
    /// The key file's path, or the key command's program without its arguments.
    key_source: Option<String>,
    /// Defaults of flags.
    options: BTreeMap<&'static str, String>,
}

/// Prints the profiles of a configuration file.
///
/// # Errors
///
/// If standard output is closed.
pub fn list(config: &ConfigFile, format: TableFormat, report: &Report) -> Result<()> {
    for notice in &config.notices {
        report.warning(notice);
    }
    match &config.path {
        Some(path) if config.exists => report.detail(&format!("profiles of `{}`", path.display())),
        Some(path) => report.notice(&format!("no profiles: `{}` does not exist", path.display())),
        None => report.notice("no profiles: COSMOS_TAIL_CONFIG is not set"),
    }
    let rows = rows(config);
    match format {
        TableFormat::Json => report.print_json(&rows, true),
        TableFormat::Table => report.print(&table(&rows)),
    }
}

fn rows(config: &ConfigFile) -> Vec<Row> {
    config
        .profiles
        .iter()
        .map(|profile| row(profile, config.default_profile.as_ref()))
        .collect()
}

fn row(profile: &Profile, default: Option<&String>) -> Row {
    let (key, key_source) = match &profile.key {
        None => (None, None),
        Some(KeySource::Text(_)) => (Some("key"), None),
        Some(KeySource::File(path)) => (Some("key-file"), Some(path.display().to_string())),
        // Its arguments may hold a token.
        Some(KeySource::Command(words)) => (Some("key-command"), words.first().cloned()),
    };
    let name_of = |method: AuthMethod| Some(method.to_possible_value()?.get_name().to_owned());
    Row {
        profile: profile.name.clone(),
        default: default == Some(&profile.name),
        endpoint: profile.endpoint.as_ref().map(|own| match own.is_emulator {
            true => "emulator".to_owned(),
            false => own.url.to_string(),
        }),
        database: profile.database.clone(),
        container: profile.container.clone(),
        auth: profile.auth.and_then(name_of),
        key,
        key_source,
        options: profile.options.given().into_iter().collect(),
    }
}

fn table(rows: &[Row]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut lines = vec![
        [
            "PROFILE",
            "ENDPOINT",
            "DATABASE",
            "CONTAINER",
            "AUTH",
            "KEY",
        ]
        .map(str::to_owned),
    ];
    for row in rows {
        let mark = if row.default { " (default)" } else { "" };
        let cells = [
            format!("{}{mark}", row.profile),
            or_dash(&row.endpoint),
            or_dash(&row.database),
            or_dash(&row.container),
            or_dash(&row.auth),
            match (row.key, &row.key_source) {
                (Some(kind), Some(source)) => format!("{kind} {source}"),
                (Some(kind), None) => kind.to_owned(),
                (None, _) => "-".to_owned(),
            },
        ];
        lines.push(cells.map(|cell| escape_for_terminal(&cell).into_owned()));
    }
    let width = |column: usize| {
        let lengths = lines.iter().map(|line| line[column].chars().count());
        lengths.max().unwrap_or(0)
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths);
        let padded: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_table_has_a_line_for_each_profile_and_no_secret() {
        let text = "
            default-profile = 'b'
            [profiles.a]
            endpoint = 'emulator'
            key-command = ['az', 'canary']
            [profiles.b]
            endpoint = 'shop'
            database = 'shop'
            container = 'orders'
            auth = 'managed-identity'
            [profiles.c]
            key = 'canary'
        ";
        let config = ConfigFile::parse(text.as_bytes(), Path::new("/c.toml"), None).unwrap();
        let table = table(&rows(&config));
        let cells: Vec<Vec<&str>> = table
            .lines()
            .map(|line| {
                line.split("  ")
                    .map(str::trim)
                    .filter(|c| !c.is_empty())
                    .collect()
            })
            .collect();
        let url = "https://shop.documents.azure.com/";
        assert_eq!(
            cells,
            [
                [
                    "PROFILE",
                    "ENDPOINT",
                    "DATABASE",
                    "CONTAINER",
                    "AUTH",
                    "KEY"
                ],
                ["a", "emulator", "-", "-", "-", "key-command az"],
                [
                    "b (default)",
                    url,
                    "shop",
                    "orders",
                    "managed-identity",
                    "-"
                ],
                ["c", "-", "-", "-", "-", "key"],
            ]
        );
        let columns: Vec<Option<usize>> = ["ENDPOINT", "emulator", "https"]
            .iter()
            .map(|cell| table.lines().find_map(|line| line.find(cell)))
            .collect();
        assert_eq!(columns, [Some("b (default)  ".len()); 3]);
    }
}
