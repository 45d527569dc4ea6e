//! Guesses at what was meant.

/// How many names a message lists.
const MAX_LISTED: usize = 10;
/// The longest name in a message, in characters.
const MAX_NAME: usize = 80;

/// The candidate that `given` is likely to mean: one that differs by a few letters, or the only one that
/// begins with it. None if they have little in common, since a wrong guess misleads.
pub(crate) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let given = plain(given);
    let length = given.chars().count();
    let allowed = match length {
        0..=2 => 0,
        3..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let by_letters = candidates
        .iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&given, &plain(candidate));
            (distance, *candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance);
    if let Some((_, candidate)) = by_letters {
        return Some(candidate);
    }
    let mut longer = candidates
        .iter()
        .filter(|candidate| length >= 3 && plain(candidate).starts_with(&given));
    match (longer.next(), longer.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// What exists in place of `given`: `did you mean X? the THINGS are: X, Y`, the nearest first, as many as fit
/// into a message. `None` if nothing exists.
pub(crate) fn instead(given: &str, things: &str, names: &[&str]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let listed = listed(given, names);
    Some(match nearest(given, names).map(shown) {
        Some(nearest) => format!("did you mean `{nearest}`? the {things} are: {listed}"),
        None => format!("the {things} are: {listed}"),
    })
}

/// The names, the nearest to `given` first, as many as fit into a message. Whoever prints it escapes it.
fn listed(given: &str, names: &[&str]) -> String {
    let mut sorted = names.to_vec();
    sorted.sort_by_cached_key(|name| distance(given, name));
    bounded(&sorted)
}

/// The names in their order, as many as fit into a message. Whoever prints it escapes it.
pub(crate) fn bounded(names: &[&str]) -> String {
    let listed = names.iter().take(MAX_LISTED).map(|name| shown(name));
    let mut listed: Vec<String> = listed.collect();
    if names.len() > MAX_LISTED {
        listed.push(format!("and {} more", names.len() - MAX_LISTED));
    }
    listed.join(", ")
}

/// A name in a message.
fn shown(name: &str) -> String {
    match name.char_indices().nth(MAX_NAME) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.to_owned(),
    }
}

fn distance(given: &str, candidate: &str) -> usize {
    strsim::damerau_levenshtein(&plain(given), &plain(candidate))
}

fn plain(text: &str) -> String {
    text.to_lowercase().replace(['_', ' '], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guess_has_most_letters_in_common() {
        let commands = [
            "ranges",
            "tail",
            "export",
            "resume",
            "verify",
            "replay",
            "completions",
        ];
        for (given, meant) in [
            ("exprot", Some("export")),
            ("EXPORT", Some("export")),
            ("tial", Some("tail")),
            ("range", Some("ranges")),
            ("comp", Some("completions")),
            ("consume", None),
            ("version", None),
            ("restore", None),
            ("cat", None),
            ("re", None),
            ("xyz", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, &commands), meant, "{given}");
        }
        assert_eq!(nearest("expo", &["export", "expose"]), None);
        assert_eq!(nearest("key_file", &["key", "key-file"]), Some("key-file"));
        assert_eq!(nearest("West Erope", &["West Europe"]), Some("West Europe"));
        assert_eq!(nearest("output", &["throughput"]), None);
    }

    #[test]
    fn the_nearest_name_is_proposed_only_if_it_is_near() {
        let names = ["orders_copy", "orders", "customers"];
        assert_eq!(
            instead("order", "containers", &names).unwrap(),
            "did you mean `orders`? the containers are: orders, orders_copy, customers"
        );
        assert_eq!(
            instead("xyz", "containers", &["orders"]).unwrap(),
            "the containers are: orders"
        );
        assert_eq!(
            instead("Orders", "containers", &["orders"]).unwrap(),
            "did you mean `orders`? the containers are: orders"
        );
        assert_eq!(instead("x", "containers", &[]), None);
    }

    #[test]
    fn a_list_is_bounded() {
        let names: Vec<String> = (0..10_000).map(|number| format!("c{number:05}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let listed = listed("c00042", &names);
        assert!(listed.starts_with("c00042, "), "{listed}");
        assert!(listed.ends_with(", and 9990 more"), "{listed}");
        let long = "é".repeat(255);
        let listed = super::listed("x", &["a", &long]);
        assert!(listed.chars().count() < 110, "{listed}");
    }
}
