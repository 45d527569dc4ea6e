//! `verify`: an export that is sound, and every kind of damage.

use std::io::Write;

use super::{Pages, Stage};
use crate::command::{all_files, run, state_directory};
use crate::gateway::{Action, Fault, RequestKind};
use crate::orders::filled;
use crate::verify::{DAMAGE, exported, rewrite};

#[test]
fn verify() {
    let mut pages = Pages::new("verify");
    // One range at a time, so that the files are the same in every run.
    let (_gateway, _container, _directory, whole) = exported(&["--concurrency", "1"]);
    let fresh = || {
        let stage = Stage::alone();
        let orders = stage.path("orders");
        for (from, to) in [
            (whole.clone(), orders.clone()),
            (state_directory(&whole), state_directory(&orders)),
        ] {
            std::fs::create_dir(&to).unwrap();
            for path in all_files(&from) {
                std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
            }
        }
        stage
    };
    let stage = fresh();
    for (name, about, typed) in [
        ("sound", "A sound export.", "cosmos-tail verify orders"),
        (
            "sound-json",
            "The same as JSON.",
            "cosmos-tail verify orders --format json",
        ),
        (
            "sound-quiet",
            "The same with -q.",
            "cosmos-tail verify orders -q",
        ),
        (
            "no-export",
            "A directory that is not an export.",
            "cosmos-tail verify .",
        ),
        (
            "missing",
            "A path that does not exist.",
            "cosmos-tail verify missing",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    for (about, damage, _) in DAMAGE {
        let stage = fresh();
        damage(&stage.path("orders"));
        let name: String = about
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
            .collect();
        let name = format!("fault-{}", name.replace("--", "-"));
        let about = format!("A fault: {about}.");
        stage.show(&mut pages, &name, &about, "cosmos-tail verify orders");
    }
    let stage = fresh();
    // The stage's own gzip, so that the page does not depend on a program.
    let first = crate::command::files(&stage.path("orders"), "jsonl").remove(0);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&std::fs::read(&first).unwrap()).unwrap();
    std::fs::write(first.with_extension("jsonl.gz"), encoder.finish().unwrap()).unwrap();
    std::fs::remove_file(&first).unwrap();
    stage.show(
        &mut pages,
        "compressed-later",
        "A file was compressed after the export.",
        "cosmos-tail verify orders",
    );
    let stage = fresh();
    std::fs::remove_file(stage.path("_orders.cosmos-tail/manifest.ndjson")).unwrap();
    stage.show(
        &mut pages,
        "fault-json",
        "A fault as JSON.",
        "cosmos-tail verify orders --format json",
    );
    let stage = fresh();
    stage.edit("_orders.cosmos-tail/state.json", |bytes| bytes[200] ^= 1);
    stage.show(
        &mut pages,
        "state-corrupt",
        "A state file that is damaged.",
        "cosmos-tail verify orders",
    );
    let stage = fresh();
    let path = stage.path("_orders.cosmos-tail/state.json.lock");
    let lock = cosmos_tail::durable::Lock::acquire(&path).unwrap();
    stage.show(
        &mut pages,
        "in-use",
        "An export that is being written.",
        "cosmos-tail verify orders",
    );
    drop(lock);
    interrupted(&mut pages);
    pages.finish();
}

/// What an export that stopped early left, and a file that was moved away.
fn interrupted(pages: &mut Pages) {
    let (gateway, _) = filled(2, 600);
    let gone = Fault::on(RequestKind::ChangeFeed, Action::status(403, 0));
    gateway.push_fault(gone.partition("1").page(4).always());
    let stage = Stage::at(&gateway);
    run(&mut stage.command(
        "cosmos-tail export -d shop -c orders -o orders --page-size 50 --checkpoint-interval 1ms",
    ));
    let out = stage.path("orders");
    rewrite(
        &state_directory(&out).join("orders-00001-000001.jsonl.open"),
        |bytes| {
            bytes.extend(b"{\"id\":\"never comm");
        },
    );
    stage.write("_orders.cosmos-tail/orders-00001-000002.jsonl.open", "{}\n");
    stage.write("_orders.cosmos-tail/state.json.tmp", "{");
    rewrite(&state_directory(&out).join("manifest.ndjson"), |bytes| {
        bytes.extend(b"{\"export");
    });
    let taken = out.join("orders-00000-000001.jsonl");
    std::fs::rename(&taken, stage.path("taken")).unwrap();
    for (name, about, typed) in [
        (
            "notes",
            "What an interrupted export left, and a file that was moved away.",
            "cosmos-tail verify orders",
        ),
        (
            "notes-strict",
            "The same with --strict.",
            "cosmos-tail verify orders --strict",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
}
