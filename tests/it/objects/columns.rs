//! The columns of an export, in a file or an object.

use std::process::Command;

use crate::bad_input::refuse;
use crate::command::{against, succeed};
use crate::store_scene::StoreScene;

const OBJECT: &str = "az://lake/columns/orders.txt";

/// A command against the container, which reaches the store, in the directory of the scene.
fn reach(scene: &StoreScene, arguments: &[&str]) -> Command {
    let mut command = against(&scene.gateway);
    scene.reach(&mut command).args(arguments);
    command.current_dir(scene.disk.path());
    command
}

#[test]
fn columns_are_written_to_an_object_or_a_file_and_read_from_there() {
    let scene = StoreScene::new(2, 40);
    let reach = |arguments: &[&str]| reach(&scene, arguments);
    let printed = succeed(&mut reach(&["schema"])).stdout;
    for place in [OBJECT, "orders.txt"] {
        let written = succeed(&mut reach(&["schema", "-o", place]));
        assert_eq!(written.stdout, "");
        let told = format!("wrote the columns to `{place}`");
        assert!(written.stderr.contains(&told), "{}", written.stderr);
        let again = ["schema", "-o", place, "--columns", "id:string"];
        refuse(&mut reach(&again), 2, &[&format!("`{place}` exists")]);
    }
    let kept = scene.store.objects().remove("columns/orders.txt").unwrap();
    assert_eq!(String::from_utf8(kept).unwrap(), printed);
    let local = std::fs::read_to_string(scene.disk.path().join("orders.txt")).unwrap();
    assert_eq!(local, printed);
    // What it says is what an export has, whatever the documents have.
    let object = "columns/few.txt";
    scene
        .store
        .replace(object, Some(b"id string\nnumber int64\n"));
    let few = format!("az://lake/{object}");
    let out = ["export", "-o", "out.csv", "--schema", &few];
    succeed(&mut reach(&out));
    let text = std::fs::read_to_string(scene.disk.path().join("out.csv")).unwrap();
    let header = text.lines().next().unwrap();
    assert!(header.contains(",id,number,_"), "{header}");
    for (text, told) in [
        (None, "there is no object `az://lake/columns/few.txt`"),
        (
            Some(&b"id\xff"[..]),
            "the schema file `az://lake/columns/few.txt` is wrong",
        ),
    ] {
        scene.store.replace(object, text);
        let another = ["export", "-o", "another.csv", "--schema", &few];
        refuse(&mut reach(&another), 2, &[told]);
    }
}

#[test]
fn documents_are_compared_with_the_columns_of_an_export_in_a_store_as_with_those_of_a_directory() {
    let scene = StoreScene::new(2, 40);
    let reach = |arguments: &[&str]| reach(&scene, arguments);
    let (place, elsewhere) = ("az://lake/tables/orders/", "az://lake/states/orders.json");
    for output in [
        &["out/"][..],
        &[place],
        &["az://lake/tables/others/", "--state", elsewhere],
    ] {
        let export = [&["export", "--format", "csv", "-o"], output].concat();
        succeed(&mut reach(&export));
    }
    let mut late = crate::orders::document(40);
    late["discount"] = serde_json::json!(0.5);
    scene.container.upsert(late);
    let expected = succeed(&mut reach(&["schema", "--diff", "out"]));
    assert!(expected.stdout.contains("discount"), "{}", expected.stdout);
    let before = scene.store.objects();
    let state = format!("{place}_cosmos-tail/state.json");
    for named in [place, place.trim_end_matches('/'), &state, elsewhere] {
        let told = succeed(&mut reach(&["schema", "--diff", named]));
        assert_eq!(told.stdout, expected.stdout, "{named}");
    }
    assert!(scene.store.objects() == before);
    // A file of columns, and what is neither.
    scene
        .store
        .replace("columns/all.txt", Some(b"id string\nnumber int64\n"));
    let told = succeed(&mut reach(&[
        "schema",
        "--diff",
        "az://lake/columns/all.txt",
    ]));
    assert!(told.stdout.contains("discount"), "{}", told.stdout);
    let hidden = "the state of the export at `az://lake/tables/others/` is not there: it is `az://lake/states/orders.json`";
    for (named, why) in [
        (
            "az://lake/nothing/",
            "there is no export at `az://lake/nothing/`",
        ),
        ("az://lake/tables/others/", hidden),
        ("az://lake/states/none.json", "there is no state at"),
    ] {
        refuse(&mut reach(&["schema", "--diff", named]), 2, &[why]);
    }
}
