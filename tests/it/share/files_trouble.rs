//! What goes wrong around the files of a group: leases that are gone or not of these instances, states that cannot be used,
//! and leases that divide the container in another way.

use cosmos_tail::feed::{FeedRange, RangeSet};
use cosmos_tail::state::file;
use cosmos_tail::state::model::State;
use cosmos_tail::state::of_group::OfGroup;

use super::files::{FilesScene, PREFIX};
use crate::leases::written::ago;

impl FilesScene {
    /// The name of the object that is the state of a range.
    fn state_of(range: &str) -> String {
        format!("{PREFIX}_cosmos-tail/ranges/{range}.json")
    }
}

/// A merged partition may count its LSNs anew: so that the lease has a position which was saved before has nothing to do with
/// its LSN.
#[test]
fn a_lease_that_has_what_was_saved_is_not_ahead_whatever_its_lsn() {
    let scene = FilesScene::new(1);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    let (range, mut state) = scene.look().unwrap().states.pop_first().unwrap();
    let group = state.group.as_mut().unwrap();
    let saved = scene.scene.stored()["0"]["ContinuationToken"].clone();
    assert!(
        group.saved.iter().any(|etag| saved == etag.as_str()),
        "{saved}: {:?}",
        group.saved
    );
    group.saved.push("\"999\"".to_owned());
    let object = format!("{PREFIX}_cosmos-tail/ranges/{range}.json");
    let text = file::render(&state).unwrap();
    scene.store.replace(&object, Some(&text));
    let bounds = ["", "FF"].map(str::to_owned);
    let net = scene.scene.leased.net("orders");
    net.partition("0", &bounds, None, Some(999), &ago(0));
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
    assert!(!scene.verify().stderr.contains("others have handled"));
}

#[test]
fn a_state_that_has_not_begun_is_no_obstacle_to_others() {
    let scene = FilesScene::new(2);
    scene.fill(0..60);
    scene.start_and_stop(0..60);
    // As an instance leaves it that dies before it has looked at the others.
    let state = scene.look().unwrap().states.pop_first().unwrap().1;
    let range = FeedRange::new("10", "30").unwrap();
    let mut options = state.options.clone();
    options.scope.ranges = vec![range.clone()];
    let mut across = State::new(state.kind, state.source, options, state.settings);
    across.export_id = state.export_id;
    across.partition_key = state.partition_key;
    across.group = Some(OfGroup::new(state.group.unwrap().place));
    across.ranges = RangeSet::number([(range, None)]).unwrap();
    let text = file::render(&across).unwrap();
    let object = FilesScene::state_of("10-30");
    scene.store.replace(&object, Some(&text));
    scene.fill(60..100);
    scene.start_and_stop(0..100);
    scene.assert_exact(0..100);
    assert!(
        scene.look().unwrap().states["10-30"]
            .group
            .as_ref()
            .unwrap()
            .over
    );
}
