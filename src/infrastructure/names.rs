//! Symbolic names: what resources are called within a file.

use std::collections::BTreeSet;

/// Names that were given out.
#[derive(Debug, Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A symbolic name for what is called `parts`, that no other has. It begins with its kind, so it is no keyword.
    pub(super) fn of(&mut self, kind: &str, parts: &[&str]) -> String {
        let mut name = kind.to_owned();
        for part in parts {
            name.push('_');
            let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
            name.extend(part.chars().map(plain));
        }
        let mut number = 1;
        let mut unique = name.clone();
        while !self.0.insert(unique.to_ascii_lowercase()) {
            number += 1;
            unique = format!("{name}_{number}");
        }
        unique
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_that_no_other_has() {
        let mut names = Names::default();
        let mut of = |parts: &[&str]| names.of("container", parts);
        assert_eq!(of(&["shop", "orders"]), "container_shop_orders");
        assert_eq!(of(&["shop", "or-ders"]), "container_shop_or_ders");
        assert_eq!(of(&["shop", "or.ders"]), "container_shop_or_ders_2");
        assert_eq!(of(&["Shop", "Orders"]), "container_Shop_Orders_2");
        assert_eq!(of(&["1", "größe ${x}'"]), "container_1_gr__e___x__");
    }
}
