//! The pages of a folder, compared with the files in the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::command::Ended;

/// How to accept a change.
const HOW: &str = "if this is intended, write the pages again with \
    COSMOS_TAIL_REGENERATE=1 cargo test --locked --test it moments, and review the diff";

/// The directory of all folders.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/moments")
}

/// The pages of one folder.
pub(super) struct Pages {
    directory: PathBuf,
    pages: BTreeMap<String, String>,
    /// Those that this system cannot make.
    left_out: BTreeSet<String>,
}

impl Pages {
    /// No pages yet, of the folder of this name.
    pub(super) fn new(folder: &str) -> Self {
        assert!(super::FOLDERS.contains(&folder), "{folder} is not listed");
        Self::of(root().join(folder))
    }

    fn of(directory: PathBuf) -> Self {
        Self {
            directory,
            pages: BTreeMap::new(),
            left_out: BTreeSet::new(),
        }
    }

    /// Adds the page `name`: a sentence about the moment, what was typed, and how it ended. Whatever
    /// differs from run to run has been replaced already.
    #[track_caller]
    pub(super) fn add(&mut self, name: &str, about: &str, typed: &str, ended: &Ended) {
        let code = match ended.code {
            Some(code) => code.to_string(),
            None => "none, ended by a signal".to_owned(),
        };
        let mut page = format!("# {about}\n$ {typed}\nexit code: {code}\n");
        for (stream, text) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
            if !text.is_empty() {
                page.push_str(&format!("---- {stream} ----\n{text}"));
                if !text.ends_with('\n') {
                    page.push_str("\n---- no newline at the end ----\n");
                }
            }
        }
        let earlier = self.pages.insert(format!("{name}.txt"), page);
        assert!(earlier.is_none(), "there are two pages {name}");
    }

    /// Leaves out the page `name`, which this system cannot make: its file stays as it is.
    pub(super) fn leave_out(&mut self, name: &str) {
        self.left_out.insert(format!("{name}.txt"));
    }

    fn knows(&self, file: &str) -> bool {
        self.pages.contains_key(file) || self.left_out.contains(file)
    }

    /// Asserts that the folder holds these pages and nothing else; or makes it so, if asked to.
    #[track_caller]
    pub(super) fn finish(&self) {
        if std::env::var_os("COSMOS_TAIL_REGENERATE").is_some() {
            self.write();
        }
        if let Err(faults) = self.compare() {
            panic!("{faults}\n{HOW}");
        }
    }

    fn write(&self) {
        std::fs::create_dir_all(&self.directory).unwrap();
        for name in self.in_tree().keys() {
            if !self.knows(name) {
                std::fs::remove_file(self.directory.join(name)).unwrap();
            }
        }
        for (name, page) in &self.pages {
            std::fs::write(self.directory.join(name), page).unwrap();
        }
    }

    /// The files in the tree. Git may have given them the line ends of Windows.
    fn in_tree(&self) -> BTreeMap<String, String> {
        let Ok(entries) = std::fs::read_dir(&self.directory) else {
            return BTreeMap::new();
        };
        entries
            .map(|entry| {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                let text = std::fs::read_to_string(entry.path()).unwrap();
                (name, text.replace("\r\n", "\n"))
            })
            .collect()
    }

    /// # Errors
    ///
    /// What differs, by the names of the files.
    fn compare(&self) -> Result<(), String> {
        let in_tree = self.in_tree();
        let mut faults = Vec::new();
        for (name, page) in &self.pages {
            let path = self.directory.join(name);
            match in_tree.get(name) {
                None => faults.push(format!("{} is missing", path.display())),
                Some(text) if text != page => {
                    faults.push(format!("{} differs:\n{}", path.display(), diff(text, page)));
                }
                Some(_) => {}
            }
        }
        for name in in_tree.keys().filter(|name| !self.knows(name)) {
            let path = self.directory.join(name);
            faults.push(format!("{} belongs to no moment", path.display()));
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("\n"))
        }
    }
}

/// The lines that differ, between those that two texts have in common at their beginning and end.
fn diff(expected: &str, found: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (expected.lines().collect(), found.lines().collect());
    let same = |pair: &(&&str, &&str)| pair.0 == pair.1;
    let start = old.iter().zip(&new).take_while(same).count();
    let (old, new) = (&old[start..], &new[start..]);
    let end = (old.iter().rev().zip(new.iter().rev()))
        .take_while(same)
        .count();
    let removed = old[..old.len() - end]
        .iter()
        .map(|line| format!("  -{line}"));
    let added = new[..new.len() - end]
        .iter()
        .map(|line| format!("  +{line}"));
    removed.chain(added).collect::<Vec<_>>().join("\n")
}

fn ended(stderr: &str) -> Ended {
    Ended {
        code: Some(1),
        stdout: "1\n".to_owned(),
        stderr: stderr.to_owned(),
    }
}

/// Two pages, and a folder that holds them.
fn two_pages() -> (tempfile::TempDir, Pages) {
    let directory = tempfile::tempdir().unwrap();
    let mut pages = Pages::of(directory.path().join("folder"));
    pages.add("one", "First.", "cosmos-tail one", &ended("error: one\n"));
    pages.add("two", "Second.", "cosmos-tail two", &ended("error: two"));
    pages.write();
    (directory, pages)
}

#[test]
fn a_page_holds_the_command_the_exit_code_and_both_streams() {
    let (_directory, pages) = two_pages();
    pages.compare().unwrap();
    assert_eq!(
        pages.in_tree()["two.txt"],
        "# Second.\n$ cosmos-tail two\nexit code: 1\n---- stdout ----\n1\n---- stderr ----\nerror: two\n\
         ---- no newline at the end ----\n"
    );
}

#[test]
fn a_changed_message_fails_by_the_name_of_its_page() {
    let (directory, pages) = two_pages();
    let mut changed = Pages::of(pages.directory.clone());
    changed.add("one", "First.", "cosmos-tail one", &ended("error: 1\n"));
    changed.add("two", "Second.", "cosmos-tail two", &ended("error: two"));
    let path = directory.path().join("folder").join("one.txt");
    assert_eq!(
        changed.compare().unwrap_err(),
        format!("{} differs:\n  -error: one\n  +error: 1", path.display())
    );
    // So does another exit code, and text on the other stream.
    for (code, stdout) in [(Some(2), "1\n"), (Some(1), ""), (None, "1\n")] {
        let mut changed = Pages::of(pages.directory.clone());
        let mut other = ended("error: one\n");
        (other.code, other.stdout) = (code, stdout.to_owned());
        changed.add("one", "First.", "cosmos-tail one", &other);
        changed.add("two", "Second.", "cosmos-tail two", &ended("error: two"));
        assert!(changed.compare().unwrap_err().contains("one.txt differs"));
    }
}

#[test]
fn a_page_without_a_moment_and_a_moment_without_a_page_fail() {
    let (_directory, mut pages) = two_pages();
    let orphan = pages.directory.join("orphan.txt");
    std::fs::write(&orphan, "# Nothing.\n").unwrap();
    assert_eq!(
        pages.compare().unwrap_err(),
        format!("{} belongs to no moment", orphan.display())
    );
    // Writing the pages removes it.
    pages.write();
    pages.compare().unwrap();
    pages.add("new", "New.", "cosmos-tail new", &ended(""));
    let path = pages.directory.join("new.txt");
    assert_eq!(
        pages.compare().unwrap_err(),
        format!("{} is missing", path.display())
    );
}

#[test]
fn a_page_of_another_system_stays() {
    let (_directory, pages) = two_pages();
    let mut here = Pages::of(pages.directory.clone());
    here.add("one", "First.", "cosmos-tail one", &ended("error: one\n"));
    here.leave_out("two");
    here.write();
    here.compare().unwrap();
    pages.compare().unwrap();
}

#[test]
fn windows_line_ends_in_the_tree_make_no_difference() {
    let (_directory, pages) = two_pages();
    let path = pages.directory.join("one.txt");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace('\n', "\r\n")).unwrap();
    pages.compare().unwrap();
}
