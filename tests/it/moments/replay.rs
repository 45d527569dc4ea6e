//! Replays: summaries, dry runs, dead letters, refusals.

use serde_json::json;

use super::{Pages, Stage};
use crate::gateway::{Action, Fault, Gateway, RequestKind};
use crate::orders::filled;

const REPLAY: &str = "cosmos-tail replay changes.jsonl -d shop -c copy";

#[test]
fn replay() {
    let mut pages = Pages::new("replay");
    let (gateway, _) = filled(2, 50);
    let copy = gateway.create_container("shop", "copy", "/pk", 1);
    gateway.create_container("shop", "keyed", "/customer/id", 1);
    copy.upsert(json!({"id": "same", "pk": "a", "n": 1}));
    copy.upsert(json!({"id": "other", "pk": "a", "n": 1}));
    let stage = Stage::at(&gateway);
    stage.write(
        "changes.jsonl",
        concat!(
            r#"{"cosmos-tail":{"records":"changes"}}"#,
            "\n",
            r#"{"current":{"id":"new","pk":"a","n":2,"email":"a@example.com"}}"#,
            "\n",
            r#"{"current":{"id":"same","pk":"a","n":1,"_ts":5}}"#,
            "\n",
            r#"{"current":{"id":"other","pk":"a","n":2}}"#,
            "\n",
            r#"{"metadata":{"operationType":"delete","id":"gone","partitionKey":{"pk":"a"}}}"#,
            "\n",
        ),
    );
    stage.write(
        "one.jsonl",
        "{\"id\":\"new\",\"pk\":\"a\",\"n\":2,\"email\":\"a@example.com\"}\n",
    );
    applied(&stage, &mut pages);
    declared(&stage, &mut pages);
    refused(&gateway, &stage, &mut pages);
    sources(&gateway, &stage, &mut pages);
    states(&stage, &mut pages);
    targets(&gateway, &stage, &mut pages);
    definitions(&gateway, &stage, &mut pages);
    pages.finish();
}

/// Changes that are applied, or would be.
fn applied(stage: &Stage, pages: &mut Pages) {
    for (name, about, typed) in [
        (
            "dry-run",
            "What would happen.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --dry-run",
        ),
        (
            "dry-run-json",
            "The same as JSON.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --dry-run --summary json",
        ),
        (
            "stdout",
            "The changes on standard output.",
            "cosmos-tail replay changes.jsonl --stdout",
        ),
        (
            "stdout-transformed",
            "What a program makes of them, on standard output.",
            "cosmos-tail replay changes.jsonl --stdout --transform 'del(.email)'",
        ),
        (
            "write-mode-create",
            "Documents that exist are kept.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --write-mode create --dead-letter dead.jsonl",
        ),
        (
            "write-mode-newer",
            "Documents that are newer are kept.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --write-mode newer --dead-letter newer.jsonl",
        ),
        ("applied", "Changes from a file.", REPLAY),
        (
            "applied-again",
            "The same again, with the summary as JSON.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --summary json",
        ),
        (
            "stdin",
            "Changes from standard input.",
            "cosmos-tail replay - -d shop -c copy < changes.jsonl",
        ),
        (
            "transform-drops",
            "A program that drops documents.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --transform 'select(.n == 2)'",
        ),
        (
            "transform-fails",
            "A program that fails on a document.",
            "cosmos-tail replay one.jsonl -d shop -c copy --transform '.n = .n + .email'",
        ),
        (
            "window",
            "Changes of a time, and one has none.",
            "cosmos-tail replay one.jsonl -d shop -c copy --since 1970-01-01T00:00:00Z",
        ),
        (
            "verbose",
            "With -v.",
            "cosmos-tail replay changes.jsonl -d shop -c copy -v",
        ),
        (
            "create",
            "The target is created.",
            "cosmos-tail replay changes.jsonl -d shop -c created --create --partition-key /pk",
        ),
        (
            "from-container",
            "A container as the source.",
            "cosmos-tail replay --from-container shop/orders -d shop -c created",
        ),
        (
            "demo",
            "Into the embedded account.",
            "cosmos-tail --demo replay changes.jsonl --transform '.customerId = .pk'",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
}

/// What a source holds, and what says so.
fn declared(stage: &Stage, pages: &mut Pages) {
    stage.write(
        "envelopes.jsonl",
        "{\"current\":{\"id\":\"new\",\"pk\":\"a\"}}\n",
    );
    stage.write(
        "earlier.jsonl",
        "{\"id\":\"new\",\"pk\":\"a\",\"_deleted\":true,\"_ts\":5,\"_lsn\":6}\n",
    );
    for (name, about, typed) in [
        (
            "input-undeclared",
            "Nothing says that a file holds changes.",
            "cosmos-tail replay envelopes.jsonl -d shop -c copy",
        ),
        (
            "input-declared",
            "The user says so.",
            "cosmos-tail replay envelopes.jsonl -d shop -c copy --input changes",
        ),
        (
            "input-of-an-earlier-tail",
            "A line that may be a deletion of an earlier version.",
            "cosmos-tail replay earlier.jsonl -d shop -c copy",
        ),
        (
            "input-not-an-envelope",
            "A document where changes are declared.",
            "cosmos-tail replay one.jsonl -d shop -c copy --input changes",
        ),
        (
            "input-contradicted",
            "The user and the file contradict each other.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --input documents",
        ),
        (
            "stdout-of-changes-after-documents",
            "Documents and changes on one standard output.",
            "cosmos-tail replay one.jsonl changes.jsonl --stdout",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
}

/// Changes that cannot be applied.
fn refused(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    let good = r#"{"id":"good","pk":"a"}"#;
    for (name, about, line) in [
        (
            "line-cut",
            "A line ends too early.",
            r#"{"id":"1","pk":"a""#,
        ),
        ("line-not-an-object", "A line is not an object.", "[]"),
        (
            "line-without-id",
            "A document without an id.",
            r#"{"pk":"a"}"#,
        ),
        (
            "line-without-key",
            "A document without a partition key.",
            r#"{"id":"1"}"#,
        ),
        (
            "line-id-empty",
            "An id that is empty.",
            r#"{"id":"","pk":"a"}"#,
        ),
        (
            "line-id-long",
            "An id that is too long.",
            &format!(r#"{{"id":"{}","pk":"a"}}"#, "x".repeat(1024)),
        ),
        (
            "line-id-of-half-a-character",
            "An id with a half of a surrogate pair.",
            r#"{"id":"\ud83e","pk":"a"}"#,
        ),
    ] {
        stage.write("bad.jsonl", format!("\n{line}\n"));
        stage.show(
            pages,
            name,
            about,
            "cosmos-tail replay bad.jsonl -d shop -c copy",
        );
    }
    stage.write(
        "bad.jsonl",
        format!("{good}\n{{\"id\":\"\",\"pk\":\"a\"}}\n"),
    );
    stage.show(
        pages,
        "dead-letter",
        "With dead letters: the others are applied.",
        "cosmos-tail replay bad.jsonl -d shop -c copy --dead-letter letters.jsonl",
    );
    stage.show(
        pages,
        "dead-letter-again",
        "The dead letters are replayed, and the cause is not fixed.",
        "cosmos-tail replay letters.jsonl -d shop -c copy",
    );
    stage.write(
        "deletion.jsonl",
        r#"{"current":{},"metadata":{"operationType":"delete","id":"1","partitionKey":{"tenant":"t"}}}"#,
    );
    stage.show(
        pages,
        "line-deletion-without-key",
        "A deletion that does not say where its document was.",
        "cosmos-tail replay deletion.jsonl -d shop -c copy --input changes",
    );
    stage.write(
        "keyless.jsonl",
        concat!(
            r#"{"id":"1"}"#,
            "\n",
            r#"{"id":"2","pk":"a","_rid":"r1"}"#,
            "\n",
            r#"{"id":"2","pk":"a","_rid":"r2"}"#,
            "\n",
        ),
    );
    for (name, about, arguments) in [
        (
            "keyless",
            "A document without a partition key, and two that may be one.",
            "",
        ),
        (
            "keyless-refused",
            "Documents without a partition key are refused.",
            "--missing-key refuse",
        ),
        (
            "collision-of-rids",
            "Documents with another _rid are refused.",
            "--id-collisions refuse --dead-letter rids.jsonl",
        ),
        (
            "collision",
            "Two documents that a program gives one id.",
            "--transform '.id = \"one\" | .pk = \"a\"' --dead-letter collisions.jsonl",
        ),
    ] {
        let typed = format!("cosmos-tail replay keyless.jsonl -d shop -c copy {arguments}");
        stage.show(pages, name, about, typed.trim_end());
    }
    stage.write("refused.jsonl", "{\"id\":\"\",\"pk\":\"a\"}\n");
    stage.write("torn.jsonl", "{\"reason\":\"first\",\"origin\":{\"so");
    for (name, about, typed) in [
        (
            "dead-letter-dry-run",
            "A dry run keeps no dead letters.",
            "cosmos-tail replay bad.jsonl -d shop -c copy --dead-letter more.jsonl --dry-run",
        ),
        (
            "dead-letter-dry-run-limit",
            "A dry run with a limit.",
            "cosmos-tail replay refused.jsonl -d shop -c copy --max-errors 0 --dry-run",
        ),
        (
            "dead-letter-torn",
            "The last dead letter was cut off.",
            "cosmos-tail replay bad.jsonl -d shop -c copy --dead-letter torn.jsonl",
        ),
        (
            "dead-letter-is-the-source",
            "The dead letters would be read again.",
            "cosmos-tail replay letters.jsonl -d shop -c copy --dead-letter letters.jsonl",
        ),
        (
            "dead-letter-is-the-state",
            "One file for two uses.",
            "cosmos-tail replay bad.jsonl -d shop -c copy --dead-letter one.json --state one.json",
        ),
        (
            "dead-letter-is-something-else",
            "A file of something else.",
            "cosmos-tail replay bad.jsonl -d shop -c copy --dead-letter one.jsonl",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    let write = |action| Fault::on(RequestKind::ItemWrite, action).always();
    for (name, about, action) in [
        (
            "too-large",
            "The service refuses a document.",
            Action::Refuse {
                status: 413,
                message: "Request size is too large",
            },
        ),
        (
            "forbidden",
            "The key may not write.",
            Action::status(403, 0),
        ),
        (
            "outage",
            "The service is not available.",
            Action::status(503, 0),
        ),
    ] {
        gateway.push_fault(write(action));
        stage.show(
            pages,
            name,
            about,
            "cosmos-tail replay one.jsonl -d shop -c copy --max-retries 0",
        );
        gateway.clear_faults();
    }
}

/// Sources that cannot be read.
fn sources(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    stage.prepare("cosmos-tail export -d shop -c orders -o orders --compression gzip");
    stage.prepare("cosmos-tail export -d shop -c orders -o orders.csv");
    let file = "orders/orders-00000-000001.jsonl.gz";
    let whole = std::fs::read(stage.path(file)).unwrap();
    gateway.create_container("shop", "empty", "/pk", 1);
    stage.prepare("cosmos-tail export -d shop -c empty -o nothing");
    stage.write("cut.jsonl.gz", &whole[..whole.len() - 20]);
    stage.write("followed.jsonl.gz", [&whole[..], b"more"].concat());
    stage.write("part.parquet", b"PAR1 and so on");
    stage.write("part.arrow", [0xff, 0xff, 0xff, 0xff, 0x90, 0, 0, 0, 0]);
    stage.write("none.parquet", b"");
    stage.write("alone.csv", "id,pk,_extra\n1,a,\n");
    stage.write("others.csv", "id;pk,x\n1;a\n");
    stage.write("others.jsonl", "{\"orderId\":17,\"pk\":\"a\"}\n");
    stage.write("array.json", "[\n  {\"id\": 17, \"pk\": \"a\"}\n]\n");
    stage.write(
        "cut.json",
        "[\n  {\"id\": \"1\", \"pk\": \"a\"},\n  {\"id\"",
    );
    stage.write("comma.json", "[\n  {\"id\": \"1\", \"pk\": \"a\"},\n]\n");
    stage.write("two.json", "[]\n{\"id\": \"1\", \"pk\": \"a\"} oops\n");
    stage.write("utf16.json", b"\xff\xfe{\0}\0");
    stage.write("orders.zip", b"PK\x03\x04\x14\0\0\0\x08\0");
    for (name, about, typed) in [
        (
            "source-cut",
            "A compressed file that is cut off.",
            "cosmos-tail replay cut.jsonl.gz -d shop -c copy -q",
        ),
        (
            "source-followed",
            "A compressed file that something follows.",
            "cosmos-tail replay followed.jsonl.gz -d shop -c copy -q",
        ),
        (
            "source-arrow-cut",
            "A stream of Arrow that was cut off.",
            "cosmos-tail replay part.arrow -d shop -c copy",
        ),
        (
            "source-parquet-cut",
            "A Parquet file that is not whole.",
            "cosmos-tail replay part.parquet -d shop -c copy",
        ),
        (
            "source-empty",
            "A Parquet file that is empty.",
            "cosmos-tail replay none.parquet -d shop -c copy",
        ),
        (
            "source-without-documents",
            "An export of an empty container.",
            "cosmos-tail replay nothing -d shop -c copy",
        ),
        (
            "source-csv-alone",
            "A CSV file without the state of its export.",
            "cosmos-tail replay alone.csv -d shop -c copy",
        ),
        (
            "source-csv-of-two-delimiters",
            "The header does not show the delimiter.",
            "cosmos-tail replay others.csv -d shop -c copy",
        ),
        (
            "source-csv-type-of-no-column",
            "A type for a column that is not there.",
            "cosmos-tail replay others.csv -d shop -c copy --delimiter ';' --types total:double",
        ),
        (
            "source-id-of-another-name",
            "The id has another name, and is a number.",
            "cosmos-tail replay others.jsonl -d shop -c copy",
        ),
        (
            "source-array-of-numbers",
            "An array of documents whose ids are numbers.",
            "cosmos-tail replay array.json -d shop -c copy",
        ),
        (
            "source-array-cut",
            "An array that is cut off.",
            "cosmos-tail replay cut.json -d shop -c copy --dry-run",
        ),
        (
            "source-array-with-a-comma",
            "An array with a comma at its end.",
            "cosmos-tail replay comma.json -d shop -c copy --dry-run",
        ),
        (
            "source-not-json",
            "Something after a document.",
            "cosmos-tail replay two.json -d shop -c copy --dry-run",
        ),
        (
            "source-utf-16",
            "Text in UTF-16.",
            "cosmos-tail replay utf16.json -d shop -c copy",
        ),
        (
            "source-zip",
            "An archive.",
            "cosmos-tail replay orders.zip -d shop -c copy",
        ),
        (
            "source-is-the-target",
            "An export into the container that it is of.",
            "cosmos-tail replay orders -d shop -c orders",
        ),
        (
            "source-container-is-the-target",
            "A container into itself.",
            "cosmos-tail replay --from-container shop/orders -d shop -c orders",
        ),
        (
            "source-container-missing",
            "A container as the source that does not exist.",
            "cosmos-tail replay --from-container shop/nowhere -d shop -c copy",
        ),
        (
            "source-all-from-the-beginning",
            "All versions from the beginning.",
            "cosmos-tail replay --from-container shop/orders -d shop -c copy --mode all --from beginning",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    stage.write(file, &whole[..whole.len() - 20]);
    stage.show(
        pages,
        "source-shorter-than-its-manifest",
        "A file of an export that is cut off.",
        "cosmos-tail replay orders -d shop -c copy",
    );
    std::fs::remove_file(stage.path(file)).unwrap();
    stage.show_on_unix(
        pages,
        "source-missing-from-its-directory",
        "A file of an export that is missing.",
        "cosmos-tail replay orders -d shop -c copy",
    );
}

/// States of another replay.
fn states(stage: &Stage, pages: &mut Pages) {
    stage.write("other.jsonl", "{\"id\":\"1\",\"pk\":\"a\"}\n");
    let with_state = format!("{REPLAY} --state replay.json");
    stage.show(pages, "state", "With a state.", &with_state);
    stage.show(
        pages,
        "state-again",
        "The same again: there is nothing more.",
        &with_state,
    );
    for (name, about, typed) in [
        (
            "state-of-another-source",
            "The state with another source.",
            "cosmos-tail replay other.jsonl -d shop -c copy --state replay.json",
        ),
        (
            "state-of-another-target",
            "The state with another target.",
            "cosmos-tail replay changes.jsonl -d shop -c created --state replay.json",
        ),
        (
            "state-of-another-write-mode",
            "The state with another write mode.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --state replay.json --write-mode newer",
        ),
        (
            "state-of-another-program",
            "The state with a program.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --state replay.json --transform .",
        ),
        (
            "state-of-files",
            "The state with a container as the source.",
            "cosmos-tail replay --from-container shop/orders -d shop -c copy --state replay.json",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    stage.edit("replay.json", |bytes| bytes.extend(b"}"));
    stage.show(pages, "state-corrupt", "The state is damaged.", &with_state);
}

/// Targets that do not fit.
fn targets(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    let three: String = (1..=3)
        .map(|number| format!("{}\n", json!({"id": number.to_string(), "pk": "a"})))
        .collect();
    stage.write("three.jsonl", three);
    for (name, about, typed) in [
        (
            "target-of-another-key",
            "The target has another partition key.",
            "cosmos-tail replay three.jsonl -d shop -c keyed",
        ),
        (
            "create-existing-of-another-key",
            "The target exists with another partition key.",
            "cosmos-tail replay changes.jsonl -d shop -c keyed --create --partition-key /pk",
        ),
        (
            "create-existing",
            "The target exists already.",
            "cosmos-tail replay changes.jsonl -d shop -c copy --create --partition-key /pk",
        ),
        (
            "create-dry-run",
            "A dry run does not create the target.",
            "cosmos-tail replay three.jsonl -d shop -c dry --create --partition-key /pk --throughput 4000 --dry-run",
        ),
        (
            "create-throughput",
            "Throughput that the service does not sell.",
            "cosmos-tail replay three.jsonl -d shop -c dry --create --partition-key /pk --throughput 450",
        ),
        (
            "create-without-database",
            "The database of the new container does not exist.",
            "cosmos-tail replay changes.jsonl -d nowhere -c new --create --partition-key /pk",
        ),
    ] {
        stage.show(pages, name, about, typed);
    }
    let refused = Fault::on(RequestKind::ContainerCreate, Action::status(403, 0));
    gateway.push_fault(refused.always());
    stage.show(
        pages,
        "create-refused",
        "The key may not create a container.",
        "cosmos-tail replay changes.jsonl -d shop -c new --create --partition-key /pk --max-retries 0",
    );
}

/// Targets that are made by the definition of the source, and times to live.
fn definitions(gateway: &Gateway, stage: &Stage, pages: &mut Pages) {
    gateway.clear_faults();
    let orders = gateway.container("shop", "orders").unwrap();
    orders.define(json!({
        "defaultTtl": 3600,
        "uniqueKeyPolicy": {"uniqueKeys": [{"paths": ["/number"]}]},
        "vectorEmbeddingPolicy": {"vectorEmbeddings": []},
    }));
    gateway.set_offer(
        orders.rid(),
        json!({"offerThroughput": 100, "offerAutopilotSettings": {"maxThroughput": 4000}}),
    );
    stage.prepare("cosmos-tail export -d shop -c orders -o backup");
    for (name, about, typed) in [
        (
            "create-by-definition-dry-run",
            "A dry run shows what the definition of the source makes.",
            "cosmos-tail replay backup -d shop -c made --create --dry-run",
        ),
        (
            "create-without-definition",
            "The source has no definition of a container.",
            "cosmos-tail replay three.jsonl -d shop -c made --create",
        ),
        (
            "ttl-remaining",
            "Documents whose time to live had passed are not written.",
            "cosmos-tail replay backup -d shop -c copy --ttl remaining --dry-run",
        ),
        (
            "ttl-unknown-age",
            "What is left of a time to live is not known without `_ts`.",
            "cosmos-tail replay short.jsonl -d shop -c copy --ttl remaining --dry-run",
        ),
    ] {
        stage.write("short.jsonl", "{\"id\":\"1\",\"pk\":\"a\",\"ttl\":60}\n");
        stage.show(pages, name, about, typed);
    }
    gateway.refuse_definitions_with(
        "vectorEmbeddingPolicy",
        "The Vector Embedding Policy cannot be used: the account has no capability for it.",
    );
    stage.show(
        pages,
        "create-definition-refused",
        "The target refuses the definition of the source.",
        "cosmos-tail replay backup -d shop -c made --create --max-retries 0",
    );
    stage.edit("_backup.cosmos-tail/container.json", |bytes| {
        bytes.truncate(200)
    });
    stage.show(
        pages,
        "create-definition-truncated",
        "The definition of the source is damaged.",
        "cosmos-tail replay backup -d shop -c made --create",
    );
}
