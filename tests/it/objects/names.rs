//! Names with characters that a request has to encode.

use std::collections::BTreeSet;
use std::process::Command;

use crate::command::{DATABASE, against, assert_same, cosmos_tail, succeed};
use crate::orders::fill;
use crate::replay::{COPY, content};
use crate::store_scene::StoreScene;

/// Of the place, within the container.
const PATH: &str = "our lake/ä+ö &=1/it's (one), $2;@:!";

#[test]
fn a_place_with_characters_that_are_encoded_is_found_by_every_command() {
    let scene = StoreScene::new(2, 60);
    let reach = |mut command: Command, arguments: &[&str]| -> Command {
        scene.reach(&mut command).args(arguments);
        command
    };
    let account = |arguments: &[&str]| reach(against(&scene.gateway), arguments);
    let place = format!("az://lake/{PATH}/");
    let state = format!("az://lake/{PATH}, states/state of it.json");
    for sides in [&[][..], &["--state", &state]] {
        let place = match sides {
            [] => place.clone(),
            _ => format!("{}-2/", place.trim_end_matches('/')),
        };
        let export = ["export", "-o", &place, "--rotate-bytes", "4KiB"];
        succeed(&mut account(&[&export, sides].concat()));
        fill(&scene.container, 60..80);
        let named: &[&str] = match sides {
            [] => &["resume", &place],
            _ => &["resume", "--state", &state],
        };
        succeed(&mut account(named));
        let checked = match sides {
            [] => &place,
            _ => &state,
        };
        succeed(&mut reach(cosmos_tail(), &["verify", "--strict", checked]));
        let copied = format!("{COPY}-{}", sides.len());
        let copy = scene.gateway.create_container(DATABASE, &copied, "/pk", 1);
        succeed(&mut account(&[
            "replay", &place, "-d", DATABASE, "-c", &copied,
        ]));
        assert_same(&content(&copy), &content(&scene.container));
    }
    let names = scene.store.objects().into_keys();
    let tops: BTreeSet<String> = names
        .map(|name| name.split('/').next().unwrap().to_owned())
        .collect();
    assert_eq!(tops, BTreeSet::from(["our lake".to_owned()]));
}
