//! Changes to the text of the configuration file, which keep everything else as it is.

use anyhow::{Context, Result, anyhow};
use toml_edit::{DocumentMut, InlineTable, Item, Table, TableLike, Value};

use super::model::{DEFAULT_PROFILE, OPTIONS, PROFILES};

/// The keys and values of a new profile, in the order in which they are written.
#[derive(Debug, Clone, Default)]
pub struct NewProfile {
    /// Of the profile itself.
    pub(in crate::settings) keys: Vec<(&'static str, Value)>,
    /// Of its table of options.
    pub(in crate::settings) options: Vec<(&'static str, Value)>,
}

impl NewProfile {
    /// Whether it has nothing.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.options.is_empty()
    }

    /// Names a key file.
    pub fn set_key_file(&mut self, path: &str) {
        let key = crate::settings::table::KEY_FILE.row.name;
        self.keys.retain(|(name, _)| *name != key);
        self.keys.push((key, path.into()));
    }

    fn fill(&self, table: &mut dyn TableLike) {
        for (name, value) in &self.keys {
            table.insert(name, Item::Value(value.clone()));
        }
    }
}

/// A text without its byte order mark and with line feeds alone, and what it takes to restore both.
struct Form {
    has_mark: bool,
    is_crlf: bool,
}

const MARK: char = '\u{feff}';

impl Form {
    fn of(text: &str) -> (Self, String) {
        let stripped = text.strip_prefix(MARK);
        let plain = stripped.unwrap_or(text);
        let feeds = plain.matches('\n').count();
        let is_crlf = feeds > 0 && plain.matches("\r\n").count() == feeds;
        let form = Self {
            has_mark: stripped.is_some(),
            is_crlf,
        };
        let text = if is_crlf {
            plain.replace("\r\n", "\n")
        } else {
            plain.to_owned()
        };
        (form, text)
    }

    fn restore(&self, text: String) -> String {
        let text = if self.is_crlf {
            text.replace('\n', "\r\n")
        } else {
            text
        };
        if self.has_mark {
            format!("{MARK}{text}")
        } else {
            text
        }
    }
}

/// `text` with a profile, which replaces one of its name.
///
/// # Errors
///
/// If the text is not TOML, or its profiles are not a table.
pub(super) fn with_profile(text: &str, name: &str, new: &NewProfile) -> Result<String> {
    let (form, text) = Form::of(text);
    let mut document: DocumentMut = text.parse().context("it is not TOML")?;
    // What follows the last line would move behind the new table.
    let end = document.trailing().as_str().unwrap_or_default().to_owned();
    let profiles = document.entry(PROFILES).or_insert_with(|| {
        let mut profiles = Table::new();
        profiles.set_implicit(true);
        Item::Table(profiles)
    });
    let is_new = profiles.get(name).is_none();
    let mut moves_end = false;
    match profiles {
        Item::Table(profiles) => {
            let mut table = Table::new();
            new.fill(&mut table);
            if !new.options.is_empty() {
                let mut options = Table::new();
                for (name, value) in &new.options {
                    options.insert(name, Item::Value(value.clone()));
                }
                table.insert(OPTIONS, Item::Table(options));
            }
            match profiles.get(name) {
                Some(Item::Table(old)) if !old.is_dotted() => {
                    table.set_position(old.position());
                    *table.decor_mut() = old.decor().clone();
                }
                Some(_) => {}
                None => {
                    let gap = if text.trim().is_empty() { "" } else { "\n" };
                    table.decor_mut().set_prefix(format!("{end}{gap}"));
                    moves_end = true;
                }
            }
            profiles.insert(name, Item::Table(table));
        }
        Item::Value(Value::InlineTable(profiles)) => {
            let mut table = InlineTable::new();
            new.fill(&mut table);
            if !new.options.is_empty() {
                let options: InlineTable = new.options.iter().cloned().collect();
                table.insert(OPTIONS, options.into());
            }
            profiles.insert(name, table.into());
        }
        _ => return Err(anyhow!("`{}` is not a table", PROFILES)),
    }
    if is_new && moves_end {
        document.set_trailing("");
    }
    Ok(form.restore(document.to_string()))
}

/// `text` with another default profile.
///
/// # Errors
///
/// If the text is not TOML.
pub(super) fn with_default(text: &str, name: &str) -> Result<String> {
    let (form, text) = Form::of(text);
    let mut document: DocumentMut = text.parse().context("it is not TOML")?;
    match document.get_mut(DEFAULT_PROFILE) {
        Some(Item::Value(value)) => {
            let decor = value.decor().clone();
            *value = name.into();
            *value.decor_mut() = decor;
        }
        _ => {
            document.insert(DEFAULT_PROFILE, toml_edit::value(name));
        }
    }
    Ok(form.restore(document.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new() -> NewProfile {
        NewProfile {
            keys: vec![
                ("endpoint", "shop".into()),
                ("database", "a\"b\u{1b}".into()),
            ],
            options: vec![("page-size", 5.into())],
        }
    }

    const ADDED: &str = "[profiles.b]\nendpoint = \"shop\"\ndatabase = 'a\"b\u{1b}'\n\n[profiles.b.options]\npage-size = 5\n";

    fn added() -> String {
        // A control character has to be escaped.
        ADDED.replace("'a\"b\u{1b}'", "\"a\\\"b\\u001B\"")
    }

    #[test]
    fn a_profile_is_added_at_the_end_and_the_rest_stays_as_it_is() {
        for text in [
            "",
            "# mine\n",
            "default-profile = 'a' # so\n\n[profiles.a]   # one\nendpoint =   'x'   # two\n# three\n",
            "[profiles.z]\nendpoint = 'x'\n\n[profiles.a]\nendpoint = 'y'\noptions.page-size = 3\n# key-file = 'x'\n",
            "[profiles.a]\n[profiles.a.options]\npage-size = 1\n",
        ] {
            let gap = if text.trim().is_empty() { "" } else { "\n" };
            let found = with_profile(text, "b", &new()).unwrap();
            assert_eq!(found, format!("{text}{gap}{}", added()));
        }
    }

    #[test]
    fn a_last_line_without_its_end_gets_one() {
        let found = with_profile("[profiles.a]\nendpoint = 'x'", "b", &new()).unwrap();
        assert_eq!(
            found,
            format!("[profiles.a]\nendpoint = 'x'\n\n{}", added())
        );
    }

    #[test]
    fn line_ends_and_the_mark_of_windows_are_kept() {
        let text = "\u{feff}# mine\r\n[profiles.a]\r\nendpoint = 'x' # one\r\n";
        let found = with_profile(text, "b", &new()).unwrap();
        assert!(found.starts_with(text), "{found:?}");
        assert_eq!(found.matches('\n').count(), found.matches("\r\n").count());
        assert!(
            with_default(text, "a")
                .unwrap()
                .contains("default-profile = \"a\"\r\n")
        );
    }

    #[test]
    fn a_profile_is_replaced_where_it_is() {
        let text = "# one\n[profiles.b]\nendpoint = 'x'\nkey = 'y'\n\n# two\n[profiles.c]\nendpoint = 'z'\n";
        let new = NewProfile {
            keys: vec![("endpoint", "shop".into())],
            options: Vec::new(),
        };
        assert_eq!(
            with_profile(text, "b", &new).unwrap(),
            "# one\n[profiles.b]\nendpoint = \"shop\"\n\n# two\n[profiles.c]\nendpoint = 'z'\n"
        );
    }

    #[test]
    fn inline_and_dotted_profiles_stay_what_they_are() {
        for text in [
            "profiles = { a = { endpoint = 'x' } }\n",
            "profiles.a = { endpoint = 'x' }\n",
            "profiles.a.endpoint = 'x'\n",
            "[profiles]\na.endpoint = 'x'\n",
            "[profiles]\na = { endpoint = 'x' }\n",
        ] {
            let found = with_profile(text, "b", &new()).unwrap();
            let parsed: DocumentMut = found.parse().unwrap_or_else(|e| panic!("{found}: {e}"));
            let profile = |name: &str, key: &str| {
                let profiles = parsed["profiles"].as_table_like().unwrap();
                let profile = profiles.get(name).unwrap().as_table_like().unwrap();
                profile.get(key).unwrap().as_str().unwrap().to_owned()
            };
            assert_eq!(
                (profile("a", "endpoint"), profile("b", "endpoint")),
                ("x".into(), "shop".into())
            );
        }
    }

    #[test]
    fn the_default_is_set_where_it_was_or_comes_first() {
        assert_eq!(
            with_default(
                "# one\ndefault-profile = 'a' # two\n[profiles.a]\n[profiles.b]\n",
                "b"
            )
            .unwrap(),
            "# one\ndefault-profile = \"b\" # two\n[profiles.a]\n[profiles.b]\n"
        );
        let found = with_default("# one\n[profiles.a]\n", "a").unwrap();
        assert_eq!(found, "default-profile = \"a\"\n# one\n[profiles.a]\n");
    }
}
