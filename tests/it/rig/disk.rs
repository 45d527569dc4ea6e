//! A disk that fills, runs into a quota, or writes less than it was given: at the first bytes of a
//! file, in the middle of it, and late.

use serde_json::json;

use crate::scene::{FORMATS, Scene, expect, has_state};

/// The error of a write, and its message.
const TROUBLES: [(&str, &str); 4] = [
    ("return(ENOSPC)", "no storage space"),
    ("return(EDQUOT)", "quota"),
    // Half of a row, or of a row group, is in the file then.
    ("return(torn)", "no storage space"),
    ("return(EIO)", "input/output error"),
];

/// A container each of whose files has many writes: Parquet has one for each row group, which needs up to a
/// megabyte of documents.
fn scene(format: &[&str]) -> Scene {
    let mut scene = Scene::new(format);
    if format.contains(&"parquet") {
        for number in 0..16 {
            let text: String = std::iter::repeat_with(fastrand::alphanumeric)
                .take(300_000)
                .collect();
            scene.container.upsert(json!({
                "id": format!("large-{number}"), "pk": format!("key-{number}"), "text": text,
            }));
        }
        let groups = ["--row-group-size", "1MiB"].map(str::to_owned);
        scene.arguments.extend(groups);
    }
    scene
}

#[test]
fn a_disk_that_fills_up_loses_nothing() {
    for format in FORMATS {
        for (action, told) in TROUBLES {
            for passed in [0, 2, 5] {
                let name = format!("part.write={passed}*off->{action}, {format:?}");
                let scene = scene(format);
                let ended = scene.go_on(&format!("part.write={passed}*off->{action}"));
                assert_eq!(ended.code, Some(3), "{name}: {}", ended.stderr);
                let message = ended.stderr.to_lowercase();
                assert!(message.contains(told), "{name}: {}", ended.stderr);
                assert!(has_state(&scene.out), "{name}");
                // As long as the disk is full, every resume ends in the same way.
                let again = scene.go_on(&format!("part.write={action}"));
                assert_eq!(again.code, Some(3), "{name}: {}", again.stderr);
                expect(scene.finish(), &name);
            }
        }
    }
}

#[test]
fn short_and_interrupted_writes_are_continued() {
    for format in FORMATS {
        for action in ["return(short)", "return(EINTR)"] {
            let name = format!("{action}, {format:?}");
            let scene = scene(format);
            // Every other write, so that all of them finish eventually.
            let ended = scene.go_on(&format!("part.write=50%{action}"));
            assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
            expect(scene.finish(), &name);
        }
    }
}
