//! The columns of an export, in a file or an object.

use std::process::Command;

use crate::bad_input::refuse;
use crate::command::{against, succeed};
use crate::store_scene::StoreScene;

const OBJECT: &str = "az://lake/columns/orders.txt";

#[test]
fn columns_are_written_to_an_object_or_a_file_and_read_from_there() {
    let scene = StoreScene::new(2, 40);
    let reach = |arguments: &[&str]| -> Command {
        let mut command = against(&scene.gateway);
        scene.reach(&mut command).args(arguments);
        command.current_dir(scene.disk.path());
        command
    };
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
