//! Guesses at what was meant.

/// The candidate that `given` is likely to mean: one that differs by a few letters, or the only one that
/// begins with it. None if they have little in common, since a wrong guess misleads.
pub(crate) fn nearest<'a>(given: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let plain = |text: &str| text.to_lowercase().replace(['_', ' '], "-");
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
}
