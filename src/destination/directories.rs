//! The names of the directories of the containers of a database.
//!
//! A directory has the name of its container, as far as every file system takes it: Windows has reserved names, and
//! neither Windows nor macOS tells upper from lower case. Readers of tables skip names that begin with `_` or `.`, and take
//! `=` for the value of a partition.

use std::collections::HashSet;

use super::names::fnv_1a;

/// The longest name: it leaves space for that of the state directory, in which a `%` is three characters.
const MAX_NAME: usize = 64;
/// How much is kept of the beginning of a name that is too long.
const CUT: usize = 40;

/// Names of devices on Windows, with any extension.
const DEVICES: [&str; 4] = ["con", "prn", "aux", "nul"];
/// The same, followed by a digit.
const NUMBERED_DEVICES: [&str; 2] = ["com", "lpt"];

/// Names of directories that are taken, in lower case.
#[derive(Debug, Default)]
pub struct Directories(HashSet<String>);

impl Directories {
    /// Notes that a name is taken. Returns whether it was free.
    pub fn take(&mut self, name: &str) -> bool {
        self.0.insert(name.to_ascii_lowercase())
    }

    /// Takes a name for the container `container`; `seed` tells it from another one of the same name.
    pub fn name(&mut self, container: &str, seed: &str) -> String {
        let plain = encoded(container);
        if plain.len() <= MAX_NAME && self.take(&plain) {
            return plain;
        }
        let cut = cut(container);
        let mut text = container.to_owned();
        loop {
            let name = format!("{cut}~{:016x}", fnv_1a(text.as_bytes()));
            if self.take(&name) {
                return name;
            }
            text.push('\0');
            text.push_str(seed);
        }
    }
}

/// A name of a file for the container `container`, which depends on no other container: where its name could differ from
/// another one in upper and lower case alone, there is a hash in it.
pub fn lasting_name(container: &str) -> String {
    let plain = encoded(container);
    let is_plain = plain.len() <= MAX_NAME && !container.chars().any(|c| c.is_ascii_uppercase());
    if is_plain {
        return plain;
    }
    format!("{}~{:016x}", cut(container), fnv_1a(container.as_bytes()))
}

/// Whether `name` can be the name of such a directory: it is that of a file, and of nothing else.
pub fn is_directory_name(name: &str) -> bool {
    let is_safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '%' | '~');
    (1..=MAX_NAME).contains(&name.len())
        && name.chars().all(is_safe)
        && !name.starts_with(['_', '.'])
        && !name.ends_with('.')
        && !is_device(name)
}

fn encoded(container: &str) -> String {
    let mut name: String = container
        .char_indices()
        .map(|(at, c)| {
            let is_last = at + c.len_utf8() == container.len();
            encoded_at(c, at == 0, is_last)
        })
        .collect();
    if is_device(&name) {
        let first = name.as_bytes()[0];
        name.replace_range(..1, &format!("%{first:02X}"));
    }
    name
}

/// The beginning of a name that is too long, or taken.
fn cut(container: &str) -> String {
    let mut name = encoded(container);
    name.truncate(CUT);
    // Not within a character.
    if let Some(at) = name.rfind('%').filter(|at| at + 3 > name.len()) {
        name.truncate(at);
    }
    name
}

fn encoded_at(c: char, is_first: bool, is_last: bool) -> String {
    let is_safe = match c {
        '_' => !is_first,
        '.' => !is_first && !is_last,
        _ => c.is_ascii_alphanumeric() || c == '-',
    };
    if is_safe {
        return c.to_string();
    }
    let mut bytes = [0; 4];
    let bytes = c.encode_utf8(&mut bytes).bytes();
    bytes.map(|byte| format!("%{byte:02X}")).collect()
}

fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default();
    let stem = stem.to_ascii_lowercase();
    let numbered = |device: &&str| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    DEVICES.contains(&&*stem) || NUMBERED_DEVICES.iter().any(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_a_name_that_every_file_system_takes() {
        for (container, expected) in [
            ("orders", "orders"),
            ("Orders-2026_v1.0", "Orders-2026_v1.0"),
            ("_orders", "%5Forders"),
            (".hidden", "%2Ehidden"),
            ("ends.", "ends%2E"),
            ("ends ", "ends%20"),
            ("..", "%2E%2E"),
            ("day=1", "day%3D1"),
            ("50%", "50%25"),
            ("a:b*c\"d<e>f|g", "a%3Ab%2Ac%22d%3Ce%3Ef%7Cg"),
            ("con", "%63on"),
            ("NUL.txt", "%4EUL.txt"),
            ("com7", "%63om7"),
            ("com", "com"),
            ("console", "console"),
            ("für", "f%C3%BCr"),
        ] {
            let found = Directories::default().name(container, "");
            assert_eq!(found, expected);
            assert!(is_directory_name(&found), "{found}");
        }
        for wrong in ["", ".", "..", "a/b", "a\\b", "_a", "a.", "nul", "ü", "C:"] {
            assert!(!is_directory_name(wrong), "{wrong}");
        }
    }

    #[test]
    fn no_two_containers_have_one_directory() {
        let mut taken = Directories::default();
        let names = [
            "orders",
            "Orders",
            "ORDERS",
            "orders",
            "orders",
            &"x".repeat(255),
            &"ü".repeat(255),
        ];
        let found: Vec<String> = (0..)
            .zip(names)
            .map(|(seed, name)| taken.name(name, &seed.to_string()))
            .collect();
        assert_eq!(found[0], "orders");
        let lower: HashSet<String> = found.iter().map(|name| name.to_lowercase()).collect();
        assert_eq!(lower.len(), names.len(), "{found:?}");
        assert!(
            found.iter().all(|name| is_directory_name(name)),
            "{found:?}"
        );
    }
}
