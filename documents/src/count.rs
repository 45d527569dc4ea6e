//! Counts with their nouns, in the singular and the plural.

use indicatif::HumanCount;

/// A count with its noun, such as `1 range` or `1,234 changes`.
pub fn count(number: u64, one: &str) -> String {
    format!("{} {}", HumanCount(number), noun(number, one))
}

/// The same without separators, such as `1234 bytes`: a figure that is compared with that of another program.
pub fn exactly(number: u64, one: &str) -> String {
    format!("{number} {}", noun(number, one))
}

/// Names in a sentence: `a`, `a and b`, `a, b and c`.
pub fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
    }
}

/// `was` or `were`.
pub fn was(number: u64) -> &'static str {
    if number == 1 { "was" } else { "were" }
}

/// `it` or `them`.
pub fn them(number: u64) -> &'static str {
    if number == 1 { "it" } else { "them" }
}

/// The noun `one` in the number that goes with `number`.
fn noun(number: u64, one: &str) -> String {
    if number == 1 {
        return one.to_owned();
    }
    if let Some(stem) = one.strip_suffix('y')
        && !stem.ends_with(['a', 'e', 'i', 'o', 'u'])
    {
        return format!("{stem}ies");
    }
    let hisses = ["s", "x", "z", "ch", "sh"];
    let ending = if hisses.iter().any(|end| one.ends_with(end)) {
        "es"
    } else {
        "s"
    };
    format!("{one}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noun_follows_its_number() {
        for (number, one, expected) in [
            (0, "document", "0 documents"),
            (1, "document", "1 document"),
            (1234, "finished file", "1,234 finished files"),
            (1, "retry", "1 retry"),
            (2, "retry", "2 retries"),
            (2, "key", "2 keys"),
            (2, "batch", "2 batches"),
            (2, "index", "2 indexes"),
        ] {
            assert_eq!(count(number, one), expected);
        }
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(exactly(1234, "byte"), "1234 bytes");
        assert_eq!(exactly(1, "byte"), "1 byte");
        assert_eq!((was(0), was(1), was(2)), ("were", "was", "were"));
    }
}
