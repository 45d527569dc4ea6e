//! Runs that are stopped by Ctrl-C or a signal.

use nix::sys::signal::Signal;
use serde_json::json;

use super::{Pages, Stage};
use crate::command::{signal, spawn, wait};
use crate::gateway::{Action, Fault, Gateway, Hold, RequestKind};
use crate::orders::filled;
use crate::tail::Tailing;

/// A gateway with a few documents, and a stage in front of it.
fn account() -> (Gateway, Stage) {
    let (gateway, _) = filled(2, 12);
    gateway.create_container("shop", "copy", "/pk", 1);
    let stage = Stage::at(&gateway);
    (gateway, stage)
}

/// Runs a command until the gateway holds a request, and stops it by a signal.
fn held(
    pages: &mut Pages,
    name: &str,
    about: &str,
    (fault, by): (impl FnOnce(Action) -> Fault, Signal),
    typed: &str,
) {
    let (gateway, stage) = account();
    let hold = Hold::new();
    gateway.push_fault(fault(Action::Hold(hold.clone())));
    let child = spawn(&mut stage.command(typed));
    hold.wait_until_reached();
    signal(&child, by);
    let ended = stage.steady(wait(child));
    hold.release();
    pages.add(name, about, typed, &ended);
}

#[test]
fn stopped() {
    let mut pages = Pages::new("stopped");
    let third_page = |action| {
        Fault::on(RequestKind::ChangeFeed, action)
            .partition("1")
            .page(3)
    };
    let export = "cosmos-tail export -d shop -c orders --page-size 2 --concurrency 1";
    held(
        &mut pages,
        "export",
        "An export, by Ctrl-C.",
        (third_page, Signal::SIGINT),
        &format!("{export} -o orders"),
    );
    held(
        &mut pages,
        "export-terminated",
        "An export, by SIGTERM.",
        (third_page, Signal::SIGTERM),
        &format!("{export} -o orders"),
    );
    held(
        &mut pages,
        "export-to-stdout",
        "An export to standard output without a state, by Ctrl-C.",
        (third_page, Signal::SIGINT),
        &format!("{export} -o -"),
    );
    held(
        &mut pages,
        "before-the-account",
        "A run whose account does not answer, by Ctrl-C.",
        (
            |action| Fault::on(RequestKind::Account, action),
            Signal::SIGINT,
        ),
        "cosmos-tail export -d shop -c orders -o orders",
    );
    let replay = "cosmos-tail replay changes.jsonl -d shop -c copy --concurrency 1 --batch-size 1";
    throttled(
        &mut pages,
        "replay",
        "A replay with a state, by Ctrl-C.",
        &format!("{replay} --state replay.json"),
    );
    throttled(
        &mut pages,
        "replay-without-state",
        "A replay without a state, by Ctrl-C.",
        replay,
    );
    tails(&mut pages);
    pages.finish();
}

/// Runs a replay until its tenth write is throttled for longer than anybody waits, and stops it.
fn throttled(pages: &mut Pages, name: &str, about: &str, typed: &str) {
    let (gateway, stage) = account();
    let lines: String = (0..40)
        .map(|number| format!("{}\n", json!({"id": number.to_string(), "pk": "a"})))
        .collect();
    stage.write("changes.jsonl", lines);
    let throttle = Fault::on(RequestKind::ItemWrite, Action::throttle(60_000));
    gateway.push_fault(throttle.nth(10).always());
    let child = spawn(&mut stage.command(typed));
    gateway.wait_for(RequestKind::ItemWrite, 10);
    signal(&child, Signal::SIGINT);
    let ended = stage.steady(wait(child));
    pages.add(name, about, typed, &ended);
}

/// Tails that have shown what there is, and wait for more.
fn tails(pages: &mut Pages) {
    for (name, about, typed) in [
        (
            "tail",
            "A tail, by Ctrl-C.",
            "cosmos-tail tail -d shop -c orders",
        ),
        (
            "tail-with-state",
            "A tail with a state, by Ctrl-C.",
            "cosmos-tail tail -d shop -c orders --state tail.json",
        ),
    ] {
        let (_gateway, stage) = account();
        let ended = Tailing::start(&mut stage.command(typed)).stop();
        let ended = stage.steady(ended);
        pages.add(name, about, typed, &ended);
    }
}
