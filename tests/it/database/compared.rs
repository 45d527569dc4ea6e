//! Two databases that are compared, container by container.

use super::*;
use crate::orders::document;
use crate::replay::summary;

const TARGET: &str = "copy";

/// A database, its export, and a copy of it.
fn copied(names: &[&str]) -> Database {
    let database = Database::new(names, 2, 40);
    database.gateway.create_database(TARGET);
    succeed(&mut database.export());
    let mut replay = database.command();
    replay.env("AZURE_COSMOS_DATABASE", TARGET);
    succeed(replay.arg("replay").arg(&database.out).arg("--create"));
    database
}

/// A comparison of the copy with what `arguments` name.
fn compare(database: &Database, arguments: &[&str]) -> Command {
    let mut command = database.command();
    command
        .env("AZURE_COSMOS_DATABASE", TARGET)
        .args(["compare", "--settle", "0s"])
        .args(arguments);
    command
}

/// The lines of a report, sorted: kind, container, and the id if it is of a document.
fn lines(report: &str) -> Vec<String> {
    let mut lines: Vec<String> = report
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| line[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("kind"), text("container"), text("id"))
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn each_container_has_a_verdict_and_all_have_one() {
    let names = ["Orders", "orders", "für", "log"];
    let database = copied(&names);
    let gateway = &database.gateway;
    let backup = database.out.to_str().unwrap();
    let sides: [&[&str]; 2] = [&[backup], &["--from-container", "shop/*"]];
    for side in sides {
        let ended = succeed(&mut compare(&database, side));
        let said = "same: 4 containers the same; ";
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let target = |name: &str| gateway.container(TARGET, name).unwrap();
    target("orders").delete("item-3", "key-3");
    target("orders").upsert(document(100));
    let mut changed = document(5);
    changed["number"] = json!(6);
    target("für").upsert(changed);
    gateway.delete_container(TARGET, "log");
    gateway.create_container(TARGET, "other", "/pk", 1);
    let expected = [
        "different für item-5",
        "extra orders item-100",
        "extra other -",
        "missing log -",
        "missing orders item-3",
    ];
    for side in sides {
        let ended = run(compare(&database, side).args(["--summary", "json", "--report", "-"]));
        assert_eq!(ended.code, Some(5), "{}", ended.stderr);
        assert_eq!(lines(&ended.stdout), expected, "{}", ended.stderr);
        let summary = summary(&ended);
        assert_eq!(summary["outcome"], "different");
        assert_eq!(summary["missing_containers"], json!(["log"]));
        assert_eq!(summary["extra_containers"], json!(["other"]));
        let outcomes: Vec<Value> = summary["containers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| json!([one["container"], one["outcome"], one["source"]["documents"]]))
            .collect();
        let outcomes = Value::from(outcomes);
        let expected = json!([
            ["Orders", "same", 40],
            ["für", "different", 40],
            ["orders", "different", 40]
        ]);
        assert_eq!(outcomes, expected);
    }
    // For people, and in a file that each container adds to.
    let report = database.out.with_file_name("report.jsonl");
    std::fs::write(&report, "of an earlier run\n").unwrap();
    let ended = run(compare(&database, &[backup]).arg("--report").arg(&report));
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_eq!(lines(&std::fs::read_to_string(&report).unwrap()), expected);
    for said in [
        "log: missing: only the source has this container",
        "other: extra: only the target has this container",
        "orders: different: 1 missing, 1 extra; ",
        "different: 1 container the same, 2 different (für, orders), 1 missing (log), 1 extra (other); ",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    // What is not chosen does not count, on either side.
    for arguments in [
        &["--only", "Orders"][..],
        &[
            "--exclude",
            "orders",
            "--exclude",
            "für",
            "--exclude",
            "log",
            "--exclude",
            "other",
        ],
    ] {
        for side in sides {
            succeed(compare(&database, side).args(arguments));
        }
    }
    succeed(&mut compare(&database, &["--from-container", "shop/O*"]));
    // The copy as it is now, exported, is the same on both sides.
    let later = database.out.with_file_name("later");
    let mut export = database.command();
    export.env("AZURE_COSMOS_DATABASE", TARGET);
    succeed(
        export
            .args(["export", "--all-containers", "-o"])
            .arg(&later),
    );
    let later = later.to_str().unwrap();
    succeed(&mut compare(&database, &[later]));
    let mut files = cosmos_tail();
    files.args(["compare", backup, "--with", later, "--report", "-"]);
    let ended = run(&mut files);
    assert_eq!(ended.code, Some(5), "{}", ended.stderr);
    assert_eq!(lines(&ended.stdout), expected, "{}", ended.stderr);
    assert_eq!(gateway.violations(), [""; 0]);
}

/// A share is one of what each container has itself, so that a small one is not read at the rate of a large one before it.
#[test]
fn each_container_has_a_budget_and_a_cost_of_its_own() {
    const DOCUMENTS: usize = 20;
    let names = ["a", "b", "c"];
    let database = Database::new(&names, 2, DOCUMENTS);
    let gateway = &database.gateway;
    gateway.create_database(TARGET);
    // One percent is 10,000, 40 and 10,000 RU/s.
    let throughputs = [1_000_000, 4000, 1_000_000];
    for (name, throughput) in names.iter().zip(throughputs) {
        let copy = gateway.create_container(TARGET, name, "/pk", 1);
        fill(&copy, 0..DOCUMENTS);
        for container in [database.container(name), &copy] {
            gateway.set_offer(container.rid(), json!({"offerThroughput": throughput}));
        }
    }
    let mut command = compare(&database, &["--from-container", "shop/*"]);
    command.args(["--max-ru", "1%", "--source-max-ru", "2%"]);
    let ended = succeed(command.args(["-v", "--summary", "json"]));
    for said in [
        "a: --max-ru 2% is 20000 RU/s for shop/a",
        "a: --max-ru 1% is 10000 RU/s for copy/a",
        "b: --max-ru 2% is 80 RU/s for shop/b",
        "b: --max-ru 1% is 40 RU/s for copy/b",
    ] {
        assert!(ended.stderr.contains(said), "no {said}: {}", ended.stderr);
    }
    let log = gateway.request_log();
    let summary = summary(&ended);
    for (name, of_container) in names.iter().zip(summary["containers"].as_array().unwrap()) {
        let copy = gateway.container(TARGET, name).unwrap();
        for (side, container) in [("source", database.container(name)), ("target", &copy)] {
            let own = log
                .iter()
                .filter(|one| one.container.as_deref() == Some(container.rid()));
            // A page that costs more than its share of a second is asked for in smaller parts.
            let pages = own.clone().filter(|one| one.is_page());
            let largest = pages.filter_map(|one| one.max_item_count).max();
            let is_small = largest.is_some_and(|size| size <= DOCUMENTS as i64);
            assert_eq!(is_small, *name == "b", "{side} {name}: {largest:?}");
            let charged: u64 = own.map(|one| one.charge_hundredths).sum();
            let cost = of_container[side]["request_units"].as_f64().unwrap();
            let charged = charged as f64 / 100.0;
            // It was looked up too, and its throughput.
            let is_its_own = (charged..charged + 2.5).contains(&cost);
            assert!(is_its_own, "{side} {name}: {cost} instead of {charged}");
        }
    }
    assert_eq!(gateway.violations(), [""; 0]);
}

#[test]
fn a_container_that_cannot_be_compared_is_named_and_the_others_are() {
    let database = copied(&["a", "b", "c"]);
    let backup = database.out.to_str().unwrap();
    // Its directory has the export of another one.
    for name in ["a", "_a.cosmos-tail"] {
        std::fs::remove_dir_all(database.out.join(name)).unwrap();
    }
    let ended = run(compare(&database, &[backup]).args(["--summary", "json"]));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let said = "1 of 3 containers could not be compared: a";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let summary = summary(&ended);
    assert_eq!(summary["outcome"], "incomplete");
    assert_eq!(summary["failed"][0]["container"], "a");
    let outcomes = summary["containers"].as_array().unwrap().iter();
    let outcomes: Vec<&Value> = outcomes.map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes, ["same", "same"]);
    succeed(compare(&database, &[backup]).args(["--exclude", "a"]));
}

#[test]
fn what_is_of_one_container_is_refused_by_a_comparison_of_several() {
    let database = copied(&["a", "b"]);
    let backup = database.out.to_str().unwrap();
    let inside = database.out.join("a/report.jsonl");
    let inside = inside.to_str().unwrap();
    let alone = database.directory("a");
    let alone = alone.to_str().unwrap();
    for (arguments, said) in [
        (
            &[backup, "-c", "a"][..],
            "--container cannot be used with several containers",
        ),
        (
            &["--from-container", "shop/*", "--follow"],
            "--follow cannot be used with several containers",
        ),
        (
            &[backup, "--repair-to", "r"],
            "--repair-to cannot be used with several containers",
        ),
        (
            &[backup, "--partition-key", "/pk"],
            "--partition-key cannot be used with several containers",
        ),
        (&[backup, "--only", "x"], "there is no container `x`"),
        (
            &[backup, "--exclude", "*"],
            "there is no container to compare",
        ),
        (&[backup, alone], "its side has other files"),
        (
            &[backup, "--with", alone],
            "and the target is not a database",
        ),
        (
            &[alone, "--with", backup],
            "and the source is not a database",
        ),
        (&[alone, "--only", "a"], "the source is not one"),
        (&[backup, "--with", backup], "both sides are the database"),
        (
            &["--from-container", "copy/*"],
            "both sides are the database copy",
        ),
        (&[backup, "--report", inside], "which is compared"),
    ] {
        let mut command = compare(&database, arguments);
        if arguments.contains(&"--with") {
            command.env_remove("AZURE_COSMOS_DATABASE");
        }
        refuse(&mut command, 2, &[said]);
    }
    assert!(!std::path::Path::new(inside).exists());
}
