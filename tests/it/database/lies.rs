//! Lists of containers that are wrong, and directories that have something else than the list says.

use super::*;
use crate::command::{files, state_directory};

/// Answers the list of containers changed.
fn edit_list(database: &Database, edit: impl Fn(&mut Value) + Send + Sync + 'static) {
    let action = Action::edit_json(edit);
    database
        .gateway
        .push_fault(Fault::on(RequestKind::ContainerFeed, action).always());
}

/// Exchanges the directories of two containers, with their states.
fn swap(database: &Database, a: &str, b: &str) {
    let (a, b) = (database.directory(a), database.directory(b));
    for (a, b) in [
        (a.clone(), b.clone()),
        (state_directory(&a), state_directory(&b)),
    ] {
        let aside = database.out.with_file_name("aside");
        std::fs::rename(&a, &aside).unwrap();
        std::fs::rename(&b, &a).unwrap();
        std::fs::rename(&aside, &b).unwrap();
    }
}

fn replay(database: &Database, target: &str) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", target)
        .args(["replay", "--create", "--max-retries", "0"])
        .arg(&database.out);
    command
}

#[track_caller]
fn assert_finds(database: &Database, said: &str) {
    let ended = verify(&database.out, &[]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stdout.contains(said), "no {said}: {}", ended.stdout);
}

#[test]
fn a_container_that_a_list_lacks_is_not_gone() {
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    let before = database.file();
    fill(database.container("b"), 20..30);
    for (counts, said) in [
        (1, "list of containers lacks `b`, which exists"),
        (2, "it has 1 of the 2 entries that it counts"),
    ] {
        edit_list(&database, move |list| {
            list["DocumentCollections"].as_array_mut().unwrap().pop();
            list["_count"] = counts.into();
        });
        let ended = run(&mut database.resume());
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
        assert_eq!(database.file(), before);
        database.gateway.clear_faults();
    }
    succeed(&mut database.resume());
    database.assert_whole();
}

#[test]
fn a_list_that_contradicts_itself_is_refused() {
    let database = Database::new(&["a", "b"], 1, 20);
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit, &str); 4] = [
        (
            "one RID",
            |list| list[1]["_rid"] = list[0]["_rid"].clone(),
            "lists the container `b`",
        ),
        (
            "no RID",
            |list| list[1]["_rid"] = "".into(),
            "lists the container `b`",
        ),
        (
            "one name",
            |list| list[1]["id"] = "a".into(),
            "lists the container `a`",
        ),
        (
            "a path",
            |list| list[1]["id"] = "b/docs".into(),
            "\"b/docs\", which no request can name",
        ),
    ];
    for (what, edit, said) in edits {
        edit_list(&database, move |list| {
            edit(&mut list["DocumentCollections"]);
        });
        let ended = run(&mut database.export());
        assert_eq!(ended.code, Some(1), "{what}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
        assert!(!database.out.join("database.json").exists(), "{what}");
        database.gateway.clear_faults();
    }
    succeed(&mut database.export());
    database.assert_whole();
}

#[test]
fn a_pattern_that_selects_nothing_is_said() {
    let mut database = Database::new(&["orders-eu", "log"], 1, 10);
    let some = |database: &Database| {
        let mut command = database.command();
        command
            .args(["export", "-c", "log", "-c", "order-*", "-o"])
            .arg(&database.out);
        command
    };
    let nothing = "no container of the database `shop` is one of `order-*`";
    refuse(&mut some(&database), 2, &[nothing, "orders-eu"]);
    assert!(!database.out.join("database.json").exists());
    let one = database
        .gateway
        .create_container(DATABASE, "order-1", "/pk", 1);
    fill(&one, 0..3);
    succeed(&mut some(&database));
    // Another order of names asks for the same.
    succeed(
        database
            .command()
            .args(["export", "-c", "order-*", "-c", "log", "-o"])
            .arg(&database.out),
    );
    database.containers.remove(0);
    database.containers.push(("order-1".to_owned(), one));
    database.assert_whole();
}

#[test]
fn an_empty_database_has_a_list_and_is_continued() {
    let mut database = Database::new(&[], 1, 0);
    database.gateway.create_database(DATABASE);
    succeed(&mut database.export());
    assert_eq!(database.file().containers, []);
    let first = database
        .gateway
        .create_container(DATABASE, "first", "/pk", 1);
    fill(&first, 0..4);
    database.containers.push(("first".to_owned(), first));
    let ended = succeed(&mut database.resume());
    assert!(
        ended.stderr.contains("the container `first` is new"),
        "{}",
        ended.stderr
    );
    database.assert_whole();
}

#[test]
fn another_export_in_the_directory_of_a_container_is_refused() {
    let database = Database::new(&["a", "b"], 1, 20);
    database.gateway.create_database("copy");
    succeed(&mut database.export());
    let directory = database.directory("a");
    std::fs::remove_dir_all(&directory).unwrap();
    std::fs::remove_dir_all(state_directory(&directory)).unwrap();
    // From here on only, which is less than the export of the database promises.
    succeed(
        database
            .command()
            .env("AZURE_COSMOS_CONTAINER", "a")
            .args(["export", "--from", "now", "-o"])
            .arg(&directory),
    );
    let said = "it is not what the export of the database asks for: its start";
    let ended = fail(&mut database.resume(), 3);
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert_finds(&database, said);
    let ended = fail(&mut replay(&database, "copy"), 1);
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(database.gateway.container("copy", "a").is_none());
}

#[test]
fn directories_that_are_exchanged_are_refused() {
    let database = Database::new(&["a", "b"], 1, 20);
    database.gateway.create_database("copy");
    succeed(&mut database.export());
    swap(&database, "a", "b");
    let said = "it is the export of the container";
    assert_finds(&database, said);
    for ended in [
        fail(&mut replay(&database, "copy"), 1),
        fail(&mut database.resume(), 3),
    ] {
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    assert_eq!(database.gateway.requests(RequestKind::ItemWrite), 0);
    assert!(database.gateway.container("copy", "a").is_none());
    swap(&database, "a", "b");
    succeed(&mut replay(&database, "copy"));
    database.assert_whole();
}

#[test]
fn an_export_that_is_not_finished_is_not_replayed_silently() {
    let database = Database::new(&["a", "b"], 1, 20);
    database.gateway.create_database("copy");
    let rid = database.container("b").rid().to_owned();
    database.gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::status(403, 0))
            .when(move |record| record.is_page() && record.container.as_deref() == Some(&rid))
            .always(),
    );
    fail(&mut database.export(), 3);
    database.gateway.clear_faults();
    let ended = fail(&mut replay(&database, "copy"), 1);
    let said = "the export of 1 of 2 containers is not finished: b";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    succeed(&mut database.resume());
    succeed(&mut replay(&database, "copy"));
    let copied = database.gateway.container("copy", "b").unwrap();
    assert_eq!(crate::replay::content(&copied).len(), 20);
}

#[test]
fn the_database_that_was_exported_is_no_target() {
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    database.gateway.delete_container(DATABASE, "b");
    let parts = ["is the one that was exported", "name another database"];
    refuse(&mut replay(&database, DATABASE), 2, &parts);
    assert!(database.gateway.container(DATABASE, "b").is_none());
    assert_eq!(database.gateway.requests(RequestKind::ItemWrite), 0);
}

#[test]
fn a_container_that_cannot_be_checked_leaves_the_others_checked() {
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    let state = state_directory(&database.directory("a")).join("state.json");
    std::fs::write(&state, "{}").unwrap();
    let file = files(&database.directory("b"), "jsonl").remove(0);
    std::fs::write(&file, "").unwrap();
    let ended = verify(&database.out, &["--format", "json"]);
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["faults"][0]["file"], "a");
    assert_eq!(found["containers"][0]["container"], "b");
    assert_ne!(found["containers"][0]["faults"], json!([]));
    assert_finds(&database, "a: it cannot be checked");
}

#[test]
fn a_data_file_with_the_name_of_the_list_is_data() {
    let database = Database::new(&["a"], 1, 20);
    database.gateway.create_container("copy", "a", "/pk", 1);
    succeed(&mut database.export());
    let list = database.out.join("database.json");
    assert!(DatabaseFile::named(&list).is_some());
    let directory = database.out.with_file_name("data");
    std::fs::create_dir(&directory).unwrap();
    let file = directory.join("database.json");
    std::fs::copy(&files(&database.directory("a"), "jsonl")[0], &file).unwrap();
    for path in [&file, &directory] {
        assert_eq!(DatabaseFile::named(path), None);
    }
    succeed(
        database
            .command()
            .env("AZURE_COSMOS_DATABASE", "copy")
            .env("AZURE_COSMOS_CONTAINER", "a")
            .arg("replay")
            .arg(&file),
    );
    let copied = database.gateway.container("copy", "a").unwrap();
    assert_eq!(crate::replay::content(&copied).len(), 20);
    // A list that is damaged is still no data.
    for damaged in ["", "{\"format\":\"cosm", "\0\0\0\0"] {
        std::fs::write(&list, damaged).unwrap();
        assert!(DatabaseFile::named(&database.out).is_some(), "{damaged:?}");
    }
}

/// What follows by itself is read to its end with the others.
#[cfg(unix)]
#[test]
fn a_container_that_was_set_to_follow_does_not_hold_up_the_others() {
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    let before = database.gateway.requests(RequestKind::ChangeFeed);
    let mut follow = cosmos_tail();
    follow
        .env("AZURE_COSMOS_KEY", KEY)
        .args(["resume", "--follow", "--save-options"])
        .arg(database.directory("a"));
    let child = crate::command::spawn(&mut follow);
    database
        .gateway
        .wait_for(RequestKind::ChangeFeed, before + 1);
    fill(database.container("a"), 20..40);
    wait_for_documents(&database.directory("a"), 40);
    crate::command::interrupt(&child);
    assert_eq!(crate::command::wait(child).code, Some(130));
    fill(database.container("b"), 20..40);
    succeed(&mut database.resume());
    database.assert_whole();
}

/// A link has the place of the directory, so its state is elsewhere.
#[cfg(unix)]
#[test]
fn a_directory_that_is_a_link_is_not_taken_for_new() {
    let link = |from: &std::path::Path, to: &std::path::Path| {
        std::os::unix::fs::symlink(to, from).unwrap();
    };
    let database = Database::new(&["a", "b"], 1, 20);
    succeed(&mut database.export());
    let (a, b) = (database.directory("a"), database.directory("b"));
    let elsewhere = database.out.with_file_name("elsewhere");
    std::fs::rename(&a, &elsewhere).unwrap();
    link(&a, &elsewhere);
    let ended = fail(&mut database.resume(), 3);
    let said = "jsonl` exists";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert_finds(&database, "a: the export of the container has no state");
    std::fs::remove_file(&a).unwrap();
    std::fs::rename(&elsewhere, &a).unwrap();
    database.assert_whole();

    // The directory of another container.
    std::fs::rename(&b, &elsewhere).unwrap();
    link(&b, &a);
    let said = "it is the export of the container";
    let ended = fail(&mut database.resume(), 3);
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert_finds(&database, said);
    std::fs::remove_file(&b).unwrap();
    std::fs::rename(&elsewhere, &b).unwrap();
    database.assert_whole();
}
