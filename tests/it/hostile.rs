//! States with valid checksums and hostile contents, drawn from a seed: `COSMOS_TAIL_HOSTILE=1000000` sets
//! their number, `COSMOS_TAIL_TEST_SEED` repeats them.

#[path = "../../fuzz/cases/hostile.rs"]
mod arena;

use std::path::Path;
use std::time::Instant;

use arena::{Arena, Outcome};

/// A directory in memory, if there is one.
fn root() -> tempfile::TempDir {
    match Path::new("/dev/shm").is_dir() {
        true => tempfile::tempdir_in("/dev/shm").unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

#[test]
fn a_hostile_state_changes_nothing_that_is_not_its_own() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let count: u64 = number("COSMOS_TAIL_HOSTILE").unwrap_or(2000);
    let seed = number("COSMOS_TAIL_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("COSMOS_TAIL_TEST_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let root = root();
    let arena = Arena::new(root.path());
    let began = Instant::now();
    let mut outcomes = [0_u64; 3];
    for _ in 0..count {
        let mut input = [0; 96];
        random.fill(&mut input);
        outcomes[arena.check(&input) as usize] += 1;
    }
    let [no_state, refused, taken] = [Outcome::NoState, Outcome::Refused, Outcome::Taken]
        .map(|outcome| outcomes[outcome as usize]);
    println!(
        "{count} inputs in {:.0} s: {no_state} were no states, {refused} were refused, {taken} were taken",
        began.elapsed().as_secs_f64()
    );
    assert!(
        no_state < count / 4 && refused > count / 10 && taken > count / 50,
        "{outcomes:?}"
    );
}
