//! `profiles`: the profiles of the configuration file, without their secrets.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use crate::cli::values::choice_name;
use crate::error::ExitCode;
use crate::report::{Align, Report, Table, TableFormat};
use crate::settings::{ConfigFile, Given, KeySource, Profile, table};

/// One row of the list.
#[derive(Debug, Serialize)]
struct Row {
    /// The name of the profile.
    profile: String,
    /// Whether it is the default profile.
    default: bool,
    /// The account's URL, or `emulator`.
    endpoint: Option<String>,
    /// Name of the database.
    database: Option<String>,
    /// Name of the container.
    container: Option<String>,
    /// The method of authentication, as in `--auth`.
    auth: Option<String>,
    /// The setting that provides the key: `key`, `key-file` or `key-command`.
    key: Option<&'static str>,
    /// The path of the key file, or the program of the key command without its arguments.
    key_source: Option<String>,
    /// The profile's defaults of flags.
    options: BTreeMap<&'static str, String>,
}

/// Prints the profiles of the configuration file.
pub(in crate::command) fn run(given: &Given, report: &Report) -> Result<ExitCode> {
    let format = given.get(&table::TABLE_FORMAT)?;
    let config = ConfigFile::from_process()?;
    for notice in &config.notices {
        report.warning(notice);
    }
    match &config.path {
        Some(path) if config.exists && config.profiles.is_empty() => {
            report.notice(&format!("no profiles in `{}`", path.display()));
        }
        Some(path) if config.exists => report.detail(&format!("profiles of `{}`", path.display())),
        Some(path) => report.notice(&format!("no profiles: `{}` does not exist", path.display())),
        None => report.notice("no profiles: COSMOS_TAIL_CONFIG is not set"),
    }
    let rows = rows(&config);
    match format {
        TableFormat::Json => report.print_json(&rows, true)?,
        TableFormat::Table if rows.is_empty() => {}
        TableFormat::Table => report.print_table(&table_of(&rows))?,
    }
    Ok(ExitCode::Done)
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
        // The arguments may contain a token.
        Some(KeySource::Command(words)) => (Some("key-command"), words.first().cloned()),
    };
    Row {
        profile: profile.name.clone(),
        default: default == Some(&profile.name),
        endpoint: profile.endpoint.as_ref().map(|endpoint| {
            if endpoint.is_emulator {
                "emulator".to_owned()
            } else {
                endpoint.url.to_string()
            }
        }),
        database: profile.database.clone(),
        container: profile.container.clone(),
        auth: profile.auth.as_ref().map(choice_name),
        key,
        key_source,
        options: profile.options.all().clone(),
    }
}

fn table_of(rows: &[Row]) -> Table<6> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut table = Table::new([
        ("PROFILE", Align::Left),
        ("ENDPOINT", Align::Left),
        ("DATABASE", Align::Left),
        ("CONTAINER", Align::Left),
        ("AUTH", Align::Left),
        ("KEY", Align::Left),
    ]);
    for row in rows {
        let mark = if row.default { " (default)" } else { "" };
        table.push([
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
        ]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_table_has_a_line_for_each_profile_and_no_secret() {
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
        let table = table_of(&rows(&config)).render();
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
