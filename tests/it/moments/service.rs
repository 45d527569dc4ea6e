//! A command as a service: messages as objects, a reload, a key that changes.

use nix::sys::signal::Signal;

use super::{Pages, Stage};
use crate::command::{files, interrupt, run, signal, spawn, wait};
use crate::gateway::{Action, Container, Fault, Gateway, KEY, RequestKind};
use crate::monitor::wait_until;
use crate::orders::{fill, filled};

const NEW_KEY: &str = "YW5vdGhlciBrZXkgb2YgdGhlIHNjcmlwdGVkIGdhdGV3YXk=";

#[test]
fn service() {
    let mut pages = Pages::new("service");
    let (gateway, _) = filled(1, 12);
    let stage = Stage::at(&gateway);
    stage.show(
        &mut pages,
        "log-format-json",
        "Messages for a program that collects logs.",
        "cosmos-tail export -d shop -c orders -o orders/ --log-format json",
    );
    stage.show(
        &mut pages,
        "log-format-json-verbose",
        "The same with -v, and a summary for scripts.",
        "cosmos-tail export -d shop -c orders -o again/ --log-format json --summary json -v",
    );
    stage.show(
        &mut pages,
        "log-format-json-error",
        "An error is an object too.",
        "COSMOS_TAIL_LOG_FORMAT=json cosmos-tail export -d shop -c nowhere -o more/",
    );
    stage.show(
        &mut pages,
        "log-format-json-usage",
        "So is a command line that cannot be parsed.",
        "cosmos-tail export -d shop -c orders --ouput orders/ --log-format json",
    );
    stage.show(
        &mut pages,
        "log-format-of-another-kind",
        "A form that does not exist.",
        "cosmos-tail ranges -d shop -c orders --log-format yaml",
    );
    stage.show(
        &mut pages,
        "log-format-variable",
        "The same in the variable.",
        "COSMOS_TAIL_LOG_FORMAT=yaml cosmos-tail ranges -d shop -c orders",
    );
    reload(&mut pages);
    watchdog(&mut pages);
    keys(&mut pages);
    pages.finish();
}

/// A gateway, its container, and a stage in front of it.
fn account() -> (Gateway, Container, Stage) {
    let (gateway, container) = filled(1, 12);
    let stage = Stage::at(&gateway);
    (gateway, container, stage)
}

fn reload(pages: &mut Pages) {
    let (gateway, container, stage) = account();
    let typed = "cosmos-tail export -d shop -c orders -o orders/ --follow --poll-interval 20ms";
    let child = spawn(&mut stage.command(typed));
    gateway.wait_until_caught_up(&container);
    // Long enough for what was read to be in a file.
    let polls = gateway.requests(RequestKind::ChangeFeed);
    gateway.wait_for(RequestKind::ChangeFeed, polls + 10);
    signal(&child, Signal::SIGUSR1);
    let finished = || match files(&stage.path("orders"), "jsonl").len() {
        0 => Err("none".to_owned()),
        _ => Ok(()),
    };
    wait_until("the finished file", finished);
    fill(&container, 12..20);
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    let ended = stage.steady(wait(child));
    let about = "SIGUSR1, as systemctl reload sends it, and Ctrl-C later.";
    pages.add("reload", about, typed, &ended);
}

fn watchdog(pages: &mut Pages) {
    if cfg!(not(target_os = "linux")) {
        return pages.leave_out("watchdog");
    }
    let (gateway, container, stage) = account();
    let typed = "NOTIFY_SOCKET=/run/none WATCHDOG_USEC=1500000 \
                 cosmos-tail export -d shop -c orders -o orders/ --follow --poll-interval 1s";
    let child = spawn(&mut stage.command(typed));
    gateway.wait_until_caught_up(&container);
    interrupt(&child);
    let ended = stage.steady(wait(child));
    let about = "systemd would end it between two polls.";
    pages.add("watchdog", about, typed, &ended);
}

fn keys(pages: &mut Pages) {
    let typed = "AZURE_COSMOS_KEY= cosmos-tail export -d shop -c orders -o orders/ --key-file account.key \
                 --page-size 4";
    for (name, about, new) in [
        (
            "key-changed",
            "The account gets another key, and so does the file.",
            NEW_KEY,
        ),
        (
            "key-refused",
            "The account gets another key, and the file something else.",
            "the new key\n",
        ),
    ] {
        let (gateway, _, stage) = account();
        stage.write("account.key", KEY);
        let (file, accepted) = (stage.path("account.key"), gateway.key());
        private(&file);
        let change = Action::call(move || {
            std::fs::write(&file, new).unwrap();
            NEW_KEY.clone_into(&mut accepted.lock().unwrap());
        });
        gateway.push_fault(Fault::on(RequestKind::ChangeFeed, change).nth(2));
        let ended = stage.steady(run(&mut stage.command(typed)));
        pages.add(name, about, typed, &ended);
    }
}

/// Otherwise it is reported that others can read the file.
fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
