//! Exports and resumes, and how they end.

use serde_json::json;

use super::{Pages, Stage};
use crate::command::state_directory;
use crate::gateway::{Action, Fault, RequestKind, RequestRecord};
use crate::orders::{document, fill, filled};

#[test]
fn export() {
    let mut pages = Pages::new("export");
    summaries(&mut pages);
    definitions(&mut pages);
    in_the_way(&mut pages);
    resumed(&mut pages);
    troubled(&mut pages);
    Stage::alone().show(
        &mut pages,
        "demo",
        "An export of the embedded account.",
        "cosmos-tail --demo export -o orders",
    );
    pages.finish();
}

/// The definition of the container, which is written beside an export.
fn definitions(pages: &mut Pages) {
    let (gateway, container) = filled(1, 10);
    let stage = Stage::at(&gateway);
    gateway.push_fault(Fault::on(RequestKind::Offers, Action::status(403, 0)).always());
    stage.show(
        pages,
        "throughput-denied",
        "The credential does not cover the throughput.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    gateway.clear_faults();
    let broken = Fault::on(RequestKind::Offers, Action::answer(200, None, "<html>"));
    gateway.push_fault(broken.always());
    stage.show(
        pages,
        "throughput-unreadable",
        "The throughput cannot be read.",
        "cosmos-tail export -d shop -c orders -o again",
    );
    gateway.clear_faults();
    container.define(json!({"defaultTtl": 60}));
    stage.show(
        pages,
        "definition-changed",
        "The definition of the container has changed since the export began.",
        "cosmos-tail resume orders",
    );
}

/// How an export ends that has nothing in its way.
fn summaries(pages: &mut Pages) {
    let (gateway, container) = filled(2, 300);
    let mut odd = document(300);
    odd["number"] = json!("text where all others have a number");
    container.upsert(odd);
    gateway.create_container("shop", "empty", "/pk", 1);
    let stage = Stage::at(&gateway);
    let mut show = |name: &str, about: &str, typed: &str| {
        stage.show(pages, name, about, typed);
    };
    show(
        "jsonl",
        "To a directory, as JSON lines.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    show(
        "csv",
        "As CSV: the columns are inferred, and one value does not fit.",
        "cosmos-tail export -d shop -c orders -o csv --format csv --sample 1",
    );
    show(
        "parquet",
        "As one Parquet file, by the extension.",
        "cosmos-tail export -d shop -c orders -o orders.parquet --concurrency 1",
    );
    show(
        "gzip",
        "As one compressed file, by the extension.",
        "cosmos-tail export -d shop -c orders -o orders.jsonl.gz --concurrency 1",
    );
    show(
        "json-summary",
        "The summary as JSON.",
        "cosmos-tail export -d shop -c orders -o json --summary json",
    );
    show(
        "quiet",
        "With -q.",
        "cosmos-tail export -d shop -c orders -o quiet -q",
    );
    show(
        "until-pin",
        "Up to where the ranges were at the start.",
        "cosmos-tail export -d shop -c orders -o pin --until pin",
    );
    show(
        "from-now",
        "From now on, and nothing comes.",
        "cosmos-tail export -d shop -c orders -o now --from now",
    );
    show(
        "empty",
        "An empty container.",
        "cosmos-tail export -d shop -c empty -o empty",
    );
    show(
        "empty-csv",
        "An empty container as CSV: there is nothing to infer columns from.",
        "cosmos-tail export -d shop -c empty -o empty-csv --format csv",
    );
    show(
        "state-elsewhere",
        "To standard output, with a state file.",
        "cosmos-tail export -d shop -c empty -o - --state state.json",
    );
    let (gateway, container) = filled(1, 0);
    container.upsert(json!({"id": "1", "pk": "a", "total": 9.5}));
    container.upsert(json!({"id": "2", "pk": "b", "total": 12}));
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "stdout",
        "To standard output.",
        "cosmos-tail export -d shop -c orders -o -",
    );
    stage.show(
        pages,
        "verbose",
        "With -v.",
        "cosmos-tail export -d shop -c orders -o orders -v",
    );
}

/// What is there already.
fn in_the_way(pages: &mut Pages) {
    let (gateway, _) = filled(1, 10);
    let stage = Stage::at(&gateway);
    stage.prepare("cosmos-tail export -d shop -c orders -o orders");
    stage.show(
        pages,
        "exists-with-state",
        "An earlier export is in the directory.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    let move_all = |from: &str, to: &str| {
        let (from, to) = (stage.path(from), stage.path(to));
        std::fs::rename(state_directory(&from), state_directory(&to)).unwrap();
        std::fs::rename(from, to).unwrap();
    };
    move_all("orders", "it's my $HOME");
    stage.show_on_unix(
        pages,
        "exists-in-a-directory-to-quote",
        "The same, in a directory whose name a shell would split and expand.",
        "cosmos-tail export -d shop -c orders -o \"it's my $HOME\"",
    );
    move_all("it's my $HOME", "orders");
    std::fs::remove_file(stage.path("_orders.cosmos-tail/state.json")).unwrap();
    stage.show(
        pages,
        "exists-without-state",
        "Files of an earlier export are in the directory, without its state.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    stage.show(
        pages,
        "force",
        "With --force they are replaced.",
        "cosmos-tail export -d shop -c orders -o orders --force",
    );
    stage.write("notes.jsonl", "mine");
    stage.show(
        pages,
        "exists-file",
        "A file has the name of the output.",
        "cosmos-tail export -d shop -c orders -o notes.jsonl",
    );
    stage.write("file.txt", "mine");
    stage.show_on_unix(
        pages,
        "output-below-a-file",
        "The output is below a file.",
        "cosmos-tail export -d shop -c orders -o file.txt/orders",
    );
    #[cfg(unix)]
    std::os::unix::fs::symlink("file.txt", stage.path("link.jsonl")).unwrap();
    stage.show_on_unix(
        pages,
        "output-is-a-link",
        "The output is a symbolic link.",
        "cosmos-tail export -d shop -c orders -o link.jsonl --force",
    );
}

/// Resumes of exports that were finished.
fn resumed(pages: &mut Pages) {
    let (gateway, container) = filled(2, 100);
    let stage = Stage::at(&gateway);
    stage.prepare("cosmos-tail export -d shop -c orders -o orders");
    stage.show(
        pages,
        "resume-nothing-new",
        "A resume, and nothing has changed.",
        "cosmos-tail resume --state orders/state.json",
    );
    fill(&container, 100..150);
    stage.show(
        pages,
        "resume-increment",
        "A resume that reads what has changed.",
        "cosmos-tail resume --state orders/state.json",
    );
    fill(&container, 150..160);
    stage.show(
        pages,
        "resume-verbose",
        "The same with -v.",
        "cosmos-tail resume --state orders/state.json -v --page-size 500",
    );
}

/// What goes wrong on the way, each time with an account of its own.
fn troubled(pages: &mut Pages) {
    let feed = |action| Fault::on(RequestKind::ChangeFeed, action);
    let refused = || feed(Action::status(400, 0)).always();
    let is_read = |record: &RequestRecord| record.token.as_deref() != Some("*");
    let account = || {
        let (gateway, container) = filled(3, 600);
        let stage = Stage::at(&gateway);
        (gateway, container, stage)
    };
    let mut show = |faults: Vec<Fault>, name: &str, about: &str, typed: &str| {
        let (gateway, _container, stage) = account();
        for fault in faults {
            gateway.push_fault(fault);
        }
        stage.show(pages, name, about, typed);
    };
    show(
        vec![refused()],
        "all-ranges-failed",
        "Every range is refused.",
        "cosmos-tail export -d shop -c orders -o orders",
    );
    show(
        vec![refused()],
        "schema-sample-failed",
        "The sample for the columns is refused.",
        "cosmos-tail export -d shop -c orders -o orders --format csv",
    );
    show(
        vec![refused()],
        "from-now-refused",
        "A start from now, and the ranges cannot be pinned.",
        "cosmos-tail export -d shop -c orders -o orders --from now --concurrency 1",
    );
    let in_range_0 = |action, page| feed(action).partition("0").page(page);
    show(
        vec![
            in_range_0(Action::CorruptBody, 2),
            in_range_0(Action::MissingEtag, 3),
        ],
        "retried",
        "Two pages are asked for again.",
        "cosmos-tail export -d shop -c orders -o orders --page-size 50",
    );
    show(
        vec![feed(Action::CorruptBody).always().when(is_read)],
        "page-corrupt",
        "Every page is cut off.",
        "cosmos-tail export -d shop -c orders -o orders --max-retries 1 --concurrency 1",
    );
    show(
        vec![feed(Action::status(404, 1013)).always()],
        "container-gone",
        "The container is deleted while it is read.",
        "cosmos-tail export -d shop -c orders -o orders --max-retries 0 --concurrency 1",
    );
    let (gateway, _container, stage) = account();
    gateway.push_fault(feed(Action::status(403, 0)).partition("1").page(3).always());
    stage.show(
        pages,
        "range-failed",
        "One range is refused; the others are read to their end.",
        "cosmos-tail export -d shop -c orders -o orders --page-size 50",
    );
    gateway.clear_faults();
    stage.show(
        pages,
        "resume-after-a-failure",
        "The rest of it, once the cause is fixed.",
        "cosmos-tail resume --state orders/state.json",
    );
    let (gateway, container, stage) = account();
    let split = Action::call(move || {
        container.split("0", 2);
    });
    gateway.push_fault(in_range_0(split, 3).when(is_read));
    stage.show(
        pages,
        "split",
        "A range is split while it is read.",
        "cosmos-tail export -d shop -c orders -o orders --page-size 50",
    );
}
