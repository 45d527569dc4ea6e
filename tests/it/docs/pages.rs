//! The pages of the documentation.

use std::path::{Path, PathBuf};

/// A Markdown file of this repository.
#[derive(Debug)]
pub(super) struct Page {
    /// Its path in the repository, such as `docs/tail.md`.
    pub name: String,
    pub path: PathBuf,
    pub text: String,
}

/// README.md, CHANGELOG.md, each page of docs/ and the README.md of each of its directories, sorted by name.
pub(super) fn pages() -> Vec<Page> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names = vec!["README.md".to_owned(), "CHANGELOG.md".to_owned()];
    for entry in std::fs::read_dir(root.join("docs")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.path().is_dir() {
            names.push(format!("docs/{name}/README.md"));
        } else if name.ends_with(".md") {
            names.push(format!("docs/{name}"));
        }
    }
    names.sort();
    let read = |name: String| {
        let path = root.join(&name);
        let text = std::fs::read_to_string(&path).unwrap();
        Page { name, path, text }
    };
    names.into_iter().map(read).collect()
}
