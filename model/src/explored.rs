//! The search of all states within the bounds of a model, and what it finds.

use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model, Path};

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Explored<Action> {
    /// Different states.
    pub states: usize,
    /// The length of the longest way.
    pub steps: usize,
    /// Whether everything can come to its end.
    pub ends: bool,
    /// Whether an object came back after a consumer had taken it away.
    pub comes_back: bool,
    /// A property that does not hold, and the shortest way to see that.
    pub violation: Option<(&'static str, Vec<Action>)>,
}

/// Explores everything, or up to the first violation of what is `expected` to hold always. `ends` and `comes_back` are the
/// names of properties.
pub(crate) fn explore<M>(
    model: M,
    threads: usize,
    expected: &[&'static str],
    ends: &str,
    comes_back: Option<&str>,
) -> Explored<M::Action>
where
    M: Model + Send + Sync + 'static,
    M::State: Hash + Send + Sync + PartialEq + std::fmt::Debug + Clone,
    M::Action: PartialEq + std::fmt::Debug + Clone + Send + Sync,
{
    let wanted = HasDiscoveries::AnyOf(expected.iter().copied().collect());
    let checker = model.checker().threads(threads).finish_when(wanted);
    let checker = checker.spawn_bfs().join();
    let found = checker.discoveries();
    let violation = found.iter().find(|(name, _)| expected.contains(name));
    Explored {
        states: checker.unique_state_count(),
        steps: checker.max_depth(),
        ends: found.contains_key(ends),
        comes_back: comes_back.is_some_and(|name| found.contains_key(name)),
        violation: violation.map(|(name, path)| (*name, Path::into_actions(path.clone()))),
    }
}
