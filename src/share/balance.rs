//! Which leases an instance takes, and which it lets go: the strategy of the processors of .NET and Java, which
//! gives each instance the same number.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A lease as a list shows it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) token: &'a str,
    pub(super) owner: Option<&'a str>,
    /// Whether it can be taken: nobody has it, or it has expired.
    pub(super) is_free: bool,
}

/// What an instance does next, as places in the list.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Balance {
    /// Leases that are free.
    pub(super) take: Vec<usize>,
    /// A lease of the instance that has the most.
    pub(super) steal: Option<usize>,
    /// Leases that this instance lets go, since others have too few.
    pub(super) release: Vec<usize>,
}

/// Balances a group for the instance `own`.
///
/// As the SDKs do, it steals one lease at a time, and only if none is free. An instance of ours that finds that it has
/// too many lets them go itself, so that a group is balanced after two lists and not after as many as there are leases.
pub(super) fn balance(leases: &[Seen<'_>], own: &str) -> Balance {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::from([(own, 0)]);
    for lease in leases {
        if let Some(owner) = lease.owner.filter(|_| !lease.is_free) {
            *counts.entry(owner).or_default() += 1;
        }
    }
    let target = leases.len().div_ceil(counts.len()).max(1);
    let has = counts.get(own).copied().unwrap_or_default();
    let mut free: Vec<usize> = (0..leases.len()).filter(|&at| leases[at].is_free).collect();
    if has > target {
        return Balance {
            release: excess(leases, own, &counts, target, free.len()),
            ..Balance::default()
        };
    }
    let needed = target - has;
    if needed == 0 {
        return Balance::default();
    }
    if !free.is_empty() {
        // Instances that see the same list begin with different leases.
        free.sort_by_key(|&at| order(own, leases[at].token));
        free.truncate(needed);
        return Balance {
            take: free,
            ..Balance::default()
        };
    }
    Balance {
        steal: to_steal(leases, own, &counts, target, needed),
        ..Balance::default()
    }
}

/// A lease of the instance that has the most, if that is too many.
fn to_steal(
    leases: &[Seen<'_>],
    own: &str,
    counts: &BTreeMap<&str, usize>,
    target: usize,
    needed: usize,
) -> Option<usize> {
    let others = counts.iter().filter(|(owner, _)| **owner != own);
    let (busiest, most) = others.max_by_key(|(_, count)| **count)?;
    let allowed = target - usize::from(needed > 1);
    if *most <= allowed {
        return None;
    }
    let of_busiest = (0..leases.len()).filter(|&at| leases[at].owner == Some(*busiest));
    of_busiest.min_by_key(|&at| order(own, leases[at].token))
}

/// Leases beyond the target that others have too few of.
fn excess(
    leases: &[Seen<'_>],
    own: &str,
    counts: &BTreeMap<&str, usize>,
    target: usize,
    free: usize,
) -> Vec<usize> {
    let others = counts.iter().filter(|(owner, _)| **owner != own);
    let wanted: usize = others.map(|(_, count)| target.saturating_sub(*count)).sum();
    let has = counts.get(own).copied().unwrap_or_default();
    let number = (has - target).min(wanted.saturating_sub(free));
    let mut owned: Vec<usize> = (0..leases.len())
        .filter(|&at| leases[at].owner == Some(own) && !leases[at].is_free)
        .collect();
    owned.sort_by_key(|&at| order(own, leases[at].token));
    owned.truncate(number);
    owned
}

fn order(own: &str, token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (own, token).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Leases with these owners; an empty one is none.
    struct Leases(Vec<(String, String)>);

    impl Leases {
        fn new(owners: &[(&str, usize)]) -> Self {
            let owners = owners
                .iter()
                .flat_map(|(owner, count)| vec![*owner; *count]);
            let numbered = owners.enumerate();
            Self(
                numbered
                    .map(|(at, owner)| (at.to_string(), owner.to_owned()))
                    .collect(),
            )
        }

        fn balance(&self, own: &str) -> Balance {
            let seen: Vec<Seen<'_>> = self
                .0
                .iter()
                .map(|(token, owner)| Seen {
                    token,
                    owner: Some(owner.as_str()).filter(|owner| !owner.is_empty()),
                    is_free: owner.is_empty(),
                })
                .collect();
            balance(&seen, own)
        }

        /// One round of an instance.
        fn round(&mut self, own: &str) -> usize {
            let Balance {
                take,
                steal,
                release,
            } = self.balance(own);
            let changed = take.len() + release.len() + usize::from(steal.is_some());
            for at in take.into_iter().chain(steal) {
                own.clone_into(&mut self.0[at].1);
            }
            for at in release {
                self.0[at].1.clear();
            }
            changed
        }

        fn counts(&self) -> BTreeMap<&str, usize> {
            let mut counts = BTreeMap::new();
            for (_, owner) in &self.0 {
                *counts.entry(owner.as_str()).or_default() += 1;
            }
            counts
        }
    }

    #[test]
    fn free_leases_are_taken_up_to_the_share() {
        assert_eq!(Leases::new(&[("", 4)]).balance("a").take.len(), 4);
        assert_eq!(Leases::new(&[("", 4), ("b", 2)]).balance("a").take.len(), 3);
        assert_eq!(Leases::new(&[("", 4), ("a", 3)]).balance("a").take.len(), 4);
        assert_eq!(Leases::new(&[]).balance("a"), Balance::default());
    }

    #[test]
    fn one_lease_is_stolen_and_only_from_who_has_too_many() {
        let balance = Leases::new(&[("b", 4)]).balance("a");
        assert!(
            balance.steal.is_some() && balance.take.is_empty(),
            "{balance:?}"
        );
        // The share is 2; with a need of 1, an instance that has 2 keeps them.
        assert_eq!(
            Leases::new(&[("a", 1), ("b", 2)]).balance("a"),
            Balance::default()
        );
        // With a need of 2 or more it does not.
        let balance = Leases::new(&[("b", 3), ("c", 3)]).balance("a");
        assert!(balance.steal.is_some(), "{balance:?}");
        // Nothing to steal where all have one.
        assert_eq!(
            Leases::new(&[("b", 1), ("c", 1)]).balance("a"),
            Balance::default()
        );
    }

    #[test]
    fn who_has_too_many_lets_go_what_others_lack() {
        let leases = Leases::new(&[("a", 249), ("b", 1), ("c", 1), ("d", 5)]);
        assert_eq!(leases.balance("a").release.len(), 249 - 64);
        // Others need fewer than it has too many.
        assert_eq!(
            Leases::new(&[("a", 4), ("b", 2), ("c", 2)])
                .balance("a")
                .release
                .len(),
            1
        );
        // What is free already is enough for them.
        assert_eq!(
            Leases::new(&[("a", 4), ("b", 2), ("", 2)]).balance("a"),
            Balance::default()
        );
    }

    #[test]
    fn eight_instances_with_256_leases_are_balanced_after_three_rounds() {
        let names: Vec<String> = (0..8).map(|at| format!("worker-{at}")).collect();
        // All of them are the first one's, or nobody's.
        for mut leases in [Leases::new(&[("worker-0", 256)]), Leases::new(&[("", 256)])] {
            for _ in 0..3 {
                for name in &names {
                    leases.round(name);
                }
            }
            assert_eq!(leases.counts().values().collect::<Vec<_>>(), [&32; 8]);
            // And stays so.
            for name in &names {
                assert_eq!(leases.round(name), 0);
            }
        }
    }

    #[test]
    fn any_group_comes_to_rest() {
        let mut random = fastrand::Rng::with_seed(25);
        for _ in 0..300 {
            let instances = random.usize(1..9);
            let names: Vec<String> = (0..instances).map(|at| format!("w{at}")).collect();
            let mut leases = Leases::new(&[("", random.usize(0..60))]);
            for (_, owner) in &mut leases.0 {
                let of = random.usize(0..=instances);
                if of < instances {
                    owner.clone_from(&names[of]);
                }
            }
            let mut rounds = 0;
            loop {
                let changed: usize = names.iter().map(|name| leases.round(name)).sum();
                if changed == 0 {
                    break;
                }
                rounds += 1;
                assert!(rounds < 12, "{:?}", leases.counts());
            }
            assert!(!leases.counts().contains_key(""), "{:?}", leases.counts());
            let counts: Vec<usize> = names
                .iter()
                .map(|name| leases.counts().get(name.as_str()).copied().unwrap_or(0))
                .collect();
            let most = counts.iter().max().copied().unwrap_or(0);
            assert!(most <= leases.0.len().div_ceil(instances), "{counts:?}");
        }
    }
}
