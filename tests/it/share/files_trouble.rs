//! What goes wrong around the files of a group: leases that are gone or not of these instances, states that cannot be used,
//! and leases that divide the container in another way.

use cosmos_tail::state::file;

use super::files::{FilesScene, PREFIX};
use crate::leases::written::ago;

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
