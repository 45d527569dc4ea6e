//! Every relative link of the documentation names a file that exists, and every anchor a heading.

use std::collections::HashMap;
use std::path::Path;

use super::pages::pages;

/// The lines of a page outside of fenced blocks, each with its number, and without inline code.
fn prose(markdown: &str) -> Vec<(usize, String)> {
    let mut is_fenced = false;
    let mut found = Vec::new();
    for (index, line) in markdown.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        } else if !is_fenced {
            // Every second piece between backticks is code.
            let text: String = line.split('`').step_by(2).collect();
            found.push((index + 1, text));
        }
    }
    found
}

/// The targets of a page's inline links, each with its line.
fn links(markdown: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (line, text) in prose(markdown) {
        for after in text.split("](").skip(1) {
            let (target, _) = after.split_once(')').expect("a link ends on its line");
            found.push((line, target.to_owned()));
        }
    }
    found
}

/// The anchors that GitHub gives to a page's headings.
fn anchors(markdown: &str) -> Vec<String> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    let mut found = Vec::new();
    let mut is_fenced = false;
    for line in markdown.lines() {
        if line.trim_start().starts_with("```") {
            is_fenced = !is_fenced;
        }
        let heading = line.trim_start_matches('#');
        if is_fenced || heading == line || !heading.starts_with(' ') {
            continue;
        }
        let anchor: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let count = counts.entry(anchor.clone()).or_default();
        found.push(match *count {
            0 => anchor,
            n => format!("{anchor}-{n}"),
        });
        *count += 1;
    }
    found
}

/// Why a link of the page at `path` leads nowhere, if it does.
fn fault(path: &Path, text: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = match target.split_once('#') {
        Some((file, anchor)) => (file, Some(anchor)),
        None => (target, None),
    };
    let found = path.parent().unwrap().join(file);
    if !file.is_empty() && !found.exists() {
        return Some(format!("there is no file `{file}`"));
    }
    let anchor = anchor?;
    let has_anchor = if file.is_empty() {
        anchors(text).iter().any(|found| found == anchor)
    } else {
        let text = std::fs::read_to_string(&found).unwrap_or_default();
        anchors(&text).iter().any(|found| found == anchor)
    };
    (!has_anchor).then(|| format!("there is no heading `#{anchor}`"))
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let pages = pages();
    let mut faults = Vec::new();
    let mut count = 0;
    for page in &pages {
        for (line, target) in links(&page.text) {
            count += 1;
            if let Some(fault) = fault(&page.path, &page.text, &target) {
                faults.push(format!("{}:{line}: {fault}", page.name));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(count >= 40, "only {count} links were found");
}

#[test]
fn every_page_is_linked_from_the_readme() {
    let pages = pages();
    let readme = pages.iter().find(|page| page.name == "README.md").unwrap();
    let linked = links(&readme.text);
    for page in &pages {
        let is_linked = linked.iter().any(|(_, target)| *target == page.name);
        assert!(
            is_linked || page.name == "README.md",
            "README.md has no link to {}",
            page.name
        );
    }
}

#[test]
fn broken_links_are_found() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/planted.md");
    let text = "# A `heading`, twice\n[a](#a-heading-twice) `[no](link)`\n\
        ```sh\n# no heading\n[no](link)\n```\n## A heading twice\n\
        [b](#a-heading-twice-1) [c](#a-heading) [d](../README.md#install)\n\
        [e](absent.md) [f](../README.md#absent) [g](https://example.com/absent)\n";
    let faults: Vec<(usize, String)> = links(text)
        .into_iter()
        .filter(|(_, target)| fault(&path, text, target).is_some())
        .collect();
    let expected = [
        (8, "#a-heading"),
        (9, "absent.md"),
        (9, "../README.md#absent"),
    ];
    let expected = expected.map(|(line, target)| (line, target.to_owned()));
    assert_eq!(faults, expected);
}
