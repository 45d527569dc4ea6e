//! What cannot be carried out as it was typed: exit code 2, before anything is sent.

use super::{Pages, Stage};
use crate::gateway::{Gateway, GatewayOptions};

/// Pages of one folder that are about nothing but what was typed.
fn show_all(folder: &str, stage: &Stage, moments: &[(&str, &str, &str)]) {
    let mut pages = Pages::new(folder);
    for (name, about, typed) in moments {
        stage.show(&mut pages, name, about, typed);
    }
    pages.finish();
}

#[test]
fn usage() {
    let gateway = Gateway::start(GatewayOptions::default());
    let mut stage = Stage::at(&gateway);
    stage.set(
        "$STRING",
        format!("AccountEndpoint={};AccountKey=$KEY;", gateway.endpoint()),
    );
    stage.write("a.txt", "mine");
    stage.write("large.key", vec![b'a'; 70_000]);
    stage.write("string.key", "AccountEndpoint=https://a/;AccountKey=YQ==;");
    stage.write("empty.key", "");
    stage.write("large.schema", vec![b' '; (16 << 20) + 1]);
    stage.write("wrong.schema", "id string\nprice money\n");
    std::fs::create_dir(stage.path("directory")).unwrap();
    show_all("usage", &stage, MOMENTS);
    assert_eq!(gateway.total_requests(), 0);
}

const MOMENTS: &[(&str, &str, &str)] = &[
    // Which command.
    (
        "unknown-command",
        "A command that does not exist, one letter off.",
        "cosmos-tail exprot",
    ),
    (
        "unknown-flag",
        "A flag that does not exist, one letter off.",
        "cosmos-tail export --outptu orders",
    ),
    (
        "word-of-another-tool",
        "A command of another tool.",
        "cosmos-tail dump",
    ),
    (
        "word-version",
        "A command where we have a flag.",
        "cosmos-tail version",
    ),
    (
        "word-unknown",
        "A command that resembles nothing.",
        "cosmos-tail frobnicate",
    ),
    (
        "word-after-help",
        "Help about a command that does not exist.",
        "cosmos-tail help import",
    ),
    (
        "flag-of-another-tool",
        "A flag of another tool.",
        "cosmos-tail tail --limit 3",
    ),
    (
        "flag-of-another-command",
        "A flag that other commands have.",
        "cosmos-tail replay orders/ --output copy/",
    ),
    (
        "flag-unknown",
        "A flag that resembles nothing.",
        "cosmos-tail export --frobnicate",
    ),
    (
        "argument-for-a-flag",
        "The output without its flag.",
        "cosmos-tail export orders/",
    ),
    (
        "json-summary",
        "A wrong command line of a script.",
        "cosmos-tail export --outptu orders --summary json",
    ),
    (
        "flag-for-a-value",
        "A value is missing, and a flag follows.",
        "cosmos-tail tail --jq --fields id",
    ),
    (
        "key-on-the-command-line",
        "There is no flag that takes a key.",
        "cosmos-tail ranges --key abc",
    ),
    (
        "quiet-and-verbose",
        "--quiet and --verbose contradict each other.",
        "cosmos-tail ranges -q -v",
    ),
    // Which account and container.
    (
        "no-endpoint",
        "Nothing names the account.",
        "AZURE_COSMOS_ENDPOINT= cosmos-tail ranges -d shop -c orders",
    ),
    (
        "no-database",
        "Nothing names the database.",
        "cosmos-tail ranges -c orders",
    ),
    (
        "no-container",
        "Nothing names the container.",
        "cosmos-tail ranges -d shop",
    ),
    (
        "endpoint-plain-http",
        "Plain http to an address that is not loopback.",
        "cosmos-tail ranges --endpoint http://example.com/",
    ),
    (
        "endpoint-other-scheme",
        "An endpoint with another scheme.",
        "cosmos-tail ranges --endpoint ftp://127.0.0.1/",
    ),
    (
        "endpoint-not-a-url",
        "An endpoint that is not a URL.",
        "cosmos-tail ranges --endpoint 'https://[::1'",
    ),
    (
        "endpoint-with-password",
        "An endpoint that contains a password.",
        "cosmos-tail ranges --endpoint https://user:secret@127.0.0.1/",
    ),
    (
        "endpoint-with-path",
        "An endpoint that continues after the host.",
        "cosmos-tail ranges --endpoint https://127.0.0.1/dbs/shop",
    ),
    (
        "endpoint-connection-string",
        "A connection string where the endpoint is expected.",
        "cosmos-tail ranges --endpoint $STRING",
    ),
    (
        "endpoint-key",
        "An account key where the endpoint is expected.",
        "cosmos-tail ranges --endpoint \
         C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    ),
    (
        "database-name",
        "A name that no database can have.",
        "cosmos-tail ranges -d shop/orders -c orders",
    ),
    (
        "database-key",
        "An account key where the name of the database is expected.",
        "cosmos-tail ranges -c orders -d \
         C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    ),
    // Which credential.
    (
        "auth-unknown",
        "A method of authentication that does not exist.",
        "cosmos-tail ranges --auth password",
    ),
    (
        "auth-key-without-key",
        "--auth key, and no key.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --auth key -d shop -c orders",
    ),
    (
        "auth-environment-without-variables",
        "--auth environment, and its variables are not set.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --auth environment --endpoint https://shop.example/ -d shop \
         -c orders",
    ),
    (
        "auth-token-over-http",
        "A token of Entra ID is not sent over plain http.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --auth cli -d shop -c orders",
    ),
    (
        "key-not-base64",
        "A key that is not an account key.",
        "AZURE_COSMOS_KEY=not-base64! cosmos-tail ranges -d shop -c orders",
    ),
    (
        "key-and-connection-string-differ",
        "Two variables contain different keys.",
        "AZURE_COSMOS_CONNECTION_STRING=AccountEndpoint=$ENDPOINT;AccountKey=YW5vdGhlcg==; \
         cosmos-tail ranges -d shop -c orders",
    ),
    (
        "key-file-large",
        "A key file that is too large for a key.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --key-file large.key -d shop -c orders",
    ),
    (
        "key-file-connection-string",
        "A key file that contains a connection string.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --key-file string.key -d shop -c orders",
    ),
    (
        "key-file-empty",
        "A key file that is empty.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges --key-file empty.key -d shop -c orders",
    ),
    (
        "key-file-is-a-key",
        "A key where the path of a key file is expected.",
        "AZURE_COSMOS_KEY= cosmos-tail ranges -d shop -c orders --key-file \
         C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==",
    ),
    (
        "connection-string-malformed",
        "A connection string with a part that is not NAME=VALUE.",
        "AZURE_COSMOS_CONNECTION_STRING=AccountEndpoint cosmos-tail ranges -d shop -c orders",
    ),
    (
        "connection-string-without-endpoint",
        "A connection string without an endpoint.",
        "AZURE_COSMOS_CONNECTION_STRING=AccountKey=$KEY; cosmos-tail ranges -d shop -c orders",
    ),
    (
        "connection-string-of-another-account",
        "The endpoint and the connection string name different accounts.",
        "AZURE_COSMOS_KEY= AZURE_COSMOS_CONNECTION_STRING=AccountEndpoint=https://other.example/;AccountKey=$KEY; \
         cosmos-tail ranges -d shop -c orders",
    ),
    (
        "throughput-bucket",
        "A throughput bucket that does not exist.",
        "cosmos-tail ranges --throughput-bucket 6",
    ),
    // Where to write.
    ("export-no-output", "No output.", "cosmos-tail export"),
    (
        "export-output-empty",
        "An empty output.",
        "cosmos-tail export -o ''",
    ),
    (
        "export-output-other-extension",
        "The extension of the output contradicts the format.",
        "cosmos-tail export -d shop -c orders -o orders.csv --format parquet",
    ),
    (
        "export-output-misspelled-extension",
        "The extension of the output is one letter off.",
        "cosmos-tail export -d shop -c orders -o orders.parqet",
    ),
    (
        "export-output-of-a-spreadsheet",
        "The extension of the output belongs to a spreadsheet.",
        "cosmos-tail export -d shop -c orders -o orders.xlsx",
    ),
    (
        "export-output-unknown-extension-of-csv",
        "The extension of the output is none that CSV has.",
        "cosmos-tail export -d shop -c orders -o orders.txt.gz --format csv",
    ),
    (
        "export-output-without-a-name",
        "The output is nothing but an extension.",
        "cosmos-tail export -d shop -c orders -o .csv",
    ),
    (
        "export-output-in-a-store",
        "The output is in an object store.",
        "cosmos-tail export -d shop -c orders -o gs://lake/orders/",
    ),
    (
        "export-output-file-url",
        "The output is a URL of a file.",
        "cosmos-tail export -d shop -c orders -o file:///tmp/orders/",
    ),
    (
        "export-output-in-a-container",
        "The output is a whole container of Blob Storage.",
        "cosmos-tail export -d shop -c orders -o az://lake",
    ),
    (
        "export-output-signed",
        "The output has a shared access signature.",
        "cosmos-tail export -d shop -c orders -o \"https://acme.blob.core.windows.net/lake/orders/?sv=1&sig=secret\"",
    ),
    (
        "export-output-object-with-extension",
        "The output in Blob Storage is one file.",
        "cosmos-tail export -d shop -c orders -o az://lake/orders.parquet",
    ),
    (
        "export-state-without-a-name",
        "The state is in Blob Storage, under no name.",
        "cosmos-tail export -d shop -c orders -o az://lake/orders/ --state az://lake/states/",
    ),
    (
        "export-output-object-forced",
        "The output in Blob Storage is to be replaced.",
        "cosmos-tail export -d shop -c orders -o az://lake/orders/ --force",
    ),
    (
        "export-output-without-an-account",
        "The output is in Blob Storage, and nothing says in which account.",
        "cosmos-tail export -d shop -c orders -o az://lake/orders/",
    ),
    (
        "resume-object-and-state",
        "The export is in Blob Storage, and the state is not.",
        "cosmos-tail resume az://lake/orders/ --state orders.json",
    ),
    (
        "tail-output-object",
        "The output of a tail is in Blob Storage, and nothing says in which account.",
        "cosmos-tail tail -d shop -c orders -o az://lake/changes/",
    ),
    (
        "export-state-in-a-store",
        "The state is in an object store, but not below a path.",
        "cosmos-tail export -d shop -c orders -o orders/ --state az://states/orders.json",
    ),
    (
        "export-state-is-a-stream",
        "The state is a standard stream.",
        "cosmos-tail export -d shop -c orders -o orders/ --state -",
    ),
    (
        "schema-file-in-a-store",
        "The schema file is in an object store.",
        "cosmos-tail export -d shop -c orders -o orders.csv --schema gs://lake/orders.schema",
    ),
    (
        "verify-in-a-store",
        "The export to verify is in an object store.",
        "cosmos-tail verify gs://lake/orders/",
    ),
    (
        "resume-state-in-a-store",
        "The state to resume from is behind a URL.",
        "cosmos-tail resume --state https://account.blob.core.windows.net/c/state.json?sig=secret",
    ),
    (
        "tail-output-in-a-store",
        "The output of a tail is in an object store.",
        "cosmos-tail tail -d shop -c orders -o gs://lake/changes.jsonl",
    ),
    (
        "tail-output-of-another-format",
        "The file of a tail has the name of another format.",
        "cosmos-tail tail -d shop -c orders -o changes.CSV",
    ),
    (
        "export-output-is-another-file",
        "The output is a file of another kind.",
        "cosmos-tail export -d shop -c orders -o a.txt",
    ),
    (
        "export-parquet-to-stdout",
        "Parquet to standard output.",
        "cosmos-tail export -d shop -c orders -o - --format parquet",
    ),
    (
        "resume-no-state",
        "A resume without a state file.",
        "cosmos-tail resume",
    ),
    (
        "resume-directory-without-state",
        "A resume of a directory that is no export.",
        "cosmos-tail resume directory",
    ),
    (
        "tail-raw-output-without-jq",
        "--raw-output, and no program.",
        "cosmos-tail tail -r",
    ),
    (
        "tail-jq-before-raw-output",
        "The flags as jq has them.",
        "cosmos-tail tail --jq -r .id",
    ),
    (
        "tail-follow-until-caught-up",
        "--follow and an end contradict each other.",
        "cosmos-tail tail -f --until-caught-up",
    ),
    (
        "resume-follow-and-no-follow",
        "--follow and --no-follow contradict each other.",
        "cosmos-tail resume --state state.json --follow --no-follow",
    ),
    // What to read.
    (
        "export-from-the-future",
        "A start in the future.",
        "cosmos-tail export -o orders --from 2999-01-01T00:00:00Z",
    ),
    (
        "export-from-unknown",
        "A start that is not a time.",
        "cosmos-tail export -o orders --from yesterday",
    ),
    (
        "export-all-from-a-time",
        "All versions from a time in the past.",
        "cosmos-tail export -d shop -c orders -o orders --mode all --from 2020-01-01T00:00:00Z",
    ),
    (
        "export-until-and-follow",
        "--until and --follow contradict each other.",
        "cosmos-tail export -o orders --until pin --follow",
    ),
    (
        "export-mode-unknown",
        "A mode that does not exist.",
        "cosmos-tail export -o orders --mode deletes",
    ),
    // How to read and commit.
    (
        "page-size-zero",
        "A page size of zero.",
        "cosmos-tail export -o orders --page-size 0",
    ),
    (
        "concurrency-zero",
        "A concurrency of zero.",
        "cosmos-tail export -o orders --concurrency 0",
    ),
    (
        "max-retries-negative",
        "A negative number of retries.",
        "cosmos-tail export -o orders --max-retries=-1",
    ),
    (
        "duration-unknown",
        "A duration that is not one.",
        "cosmos-tail export -o orders --poll-interval soon",
    ),
    (
        "bytes-unknown",
        "A number of bytes that is not one.",
        "cosmos-tail export -o orders --checkpoint-bytes '1 furlong'",
    ),
    (
        "bytes-zero",
        "No bytes.",
        "cosmos-tail export -o orders --checkpoint-bytes 0",
    ),
    (
        "bytes-too-many",
        "More bytes than 64 bits count.",
        "cosmos-tail export -o orders --checkpoint-bytes 99999999999GiB",
    ),
    (
        "rotate-interval-zero",
        "A rotation after no time.",
        "cosmos-tail export -o orders --rotate-interval 0s",
    ),
    // Files and columns.
    (
        "format-unknown",
        "A format that does not exist.",
        "cosmos-tail export -o orders --format xml",
    ),
    (
        "compression-unknown",
        "A compression that does not exist.",
        "cosmos-tail export -o orders --compression brotli",
    ),
    (
        "compression-level",
        "A level that the compression does not have.",
        "cosmos-tail export -o orders --compression gzip:12",
    ),
    (
        "compression-without-levels",
        "A level of a compression that has none.",
        "cosmos-tail export -o orders --compression snappy:1",
    ),
    (
        "compression-of-parquet-only",
        "A compression that only Parquet has.",
        "cosmos-tail export -d shop -c orders -o orders --compression snappy",
    ),
    (
        "compression-that-arrow-lacks",
        "A compression that Arrow does not have.",
        "cosmos-tail export -d shop -c orders -o orders.arrow --compression snappy",
    ),
    (
        "delimiter-long",
        "A delimiter of two characters.",
        "cosmos-tail export -o orders --format csv --delimiter '::'",
    ),
    (
        "delimiter-quote",
        "A delimiter that CSV uses for quoting.",
        "cosmos-tail export -o orders --format csv --delimiter '\"'",
    ),
    (
        "delimiter-without-csv",
        "A flag of CSV, and the format is another.",
        "cosmos-tail export -d shop -c orders -o orders --delimiter tab",
    ),
    (
        "null-with-delimiter",
        "A text for missing values that would need quotes.",
        "cosmos-tail export -d shop -c orders -o orders --format csv --null 'a,b'",
    ),
    (
        "row-group-size-without-parquet",
        "A flag of Parquet, and the format is another.",
        "cosmos-tail export -d shop -c orders -o orders --row-group-size 1MiB",
    ),
    (
        "columns-without-csv",
        "A flag of columns, and the format has none.",
        "cosmos-tail export -d shop -c orders -o orders --sample 10",
    ),
    (
        "sample-and-schema-raw",
        "A sample, and nothing to infer.",
        "cosmos-tail export -d shop -c orders -o orders --format csv --schema raw --sample 10",
    ),
    (
        "system-fields-and-schema-raw",
        "System fields are dropped, and the document is written as it is.",
        "cosmos-tail export -d shop -c orders -o orders --format csv --schema raw --system-fields drop",
    ),
    (
        "sample-zero",
        "A sample of no pages.",
        "cosmos-tail export -o orders --format csv --sample 0",
    ),
    (
        "schema-file-large",
        "A schema file that is too large.",
        "cosmos-tail export -d shop -c orders -o orders --format csv --schema large.schema",
    ),
    (
        "schema-file-wrong",
        "A schema file with a type that does not exist.",
        "cosmos-tail export -d shop -c orders -o orders --format csv --schema wrong.schema",
    ),
    (
        "schema-from-now",
        "A schema is not inferred from now on.",
        "cosmos-tail schema -d shop -c orders --from now",
    ),
    // Tail.
    (
        "tail-from-unknown",
        "A start of a tail that is neither a time nor an age.",
        "cosmos-tail tail --from yesterday",
    ),
    (
        "tail-until-unknown",
        "An end that is neither a time nor an age.",
        "cosmos-tail tail --until tomorrow",
    ),
    (
        "tail-two-ends",
        "Two ends that contradict each other.",
        "cosmos-tail tail --until 10m --until-caught-up",
    ),
    (
        "tail-max-zero",
        "At most no changes.",
        "cosmos-tail tail --max 0",
    ),
    (
        "tail-all-from-the-past",
        "All versions from the past.",
        "cosmos-tail tail -d shop -c orders --mode all --from 10m",
    ),
    (
        "tail-max-to-a-file",
        "A number of changes, to a file that is committed in whole pages.",
        "cosmos-tail tail -d shop -c orders -o orders.jsonl --max 10",
    ),
    (
        "tail-range-and-key",
        "A range and a partition key contradict each other.",
        "cosmos-tail tail --range 0 --partition-key a",
    ),
    (
        "tail-fields-wrong",
        "A list of fields with a quote that is not closed.",
        "cosmos-tail tail --fields 'id,\"name'",
    ),
    (
        "tail-diff-of-latest",
        "The feed of the latest versions has nothing to compare with.",
        "cosmos-tail tail --format diff",
    ),
    (
        "tail-diff-and-jq",
        "A program prints its own outputs.",
        "cosmos-tail tail --mode all --format diff-json --jq .changes",
    ),
    (
        "tail-line-and-jq",
        "A program prints its own outputs.",
        "cosmos-tail tail --format line --jq .id",
    ),
    (
        "tail-line-to-a-file",
        "Lines for people in a file of JSON lines.",
        "cosmos-tail tail --format line -o changes.jsonl",
    ),
    (
        "tail-width-of-json",
        "JSON is not cut.",
        "cosmos-tail tail --width 80",
    ),
    (
        "tail-width-and-wide",
        "Cut and not cut.",
        "cosmos-tail tail --format line --width 80 --wide",
    ),
    (
        "tail-width-zero",
        "No column at all.",
        "cosmos-tail tail --format line --width 0",
    ),
    (
        "tail-jq-and-fields",
        "A program and a list of fields contradict each other.",
        "cosmos-tail tail --jq . --fields id",
    ),
    (
        "tail-jq-syntax",
        "A program that cannot be parsed.",
        "cosmos-tail tail -d shop -c orders --jq '.a | .b ]'",
    ),
    (
        "tail-jq-unknown-function",
        "A program that calls a function that does not exist.",
        "cosmos-tail tail -d shop -c orders --jq '.a | frobnicate'",
    ),
    (
        "tail-jq-input",
        "A program that reads more than the change.",
        "cosmos-tail tail -d shop -c orders --jq '[inputs]'",
    ),
    // Others.
    ("lag-nothing", "No state to measure.", "cosmos-tail lag"),
    (
        "lag-no-export",
        "A directory without an export.",
        "cosmos-tail lag nothing/",
    ),
    (
        "lag-limit",
        "A limit that is none.",
        "cosmos-tail lag orders/ --fail-above soon",
    ),
    ("verify-nothing", "No path to verify.", "cosmos-tail verify"),
    (
        "completions-unknown-shell",
        "A shell that does not exist.",
        "cosmos-tail completions cmd",
    ),
    (
        "demo-no-partitions",
        "An embedded account without partitions.",
        "cosmos-tail demo --partitions 0",
    ),
];

#[test]
fn usage_of_replay() {
    let gateway = Gateway::start(GatewayOptions::default());
    let stage = Stage::at(&gateway);
    stage.write("orders.jsonl", "{\"id\":\"1\",\"pk\":\"a\"}\n");
    std::fs::create_dir(stage.path("empty")).unwrap();
    show_all("usage-replay", &stage, MOMENTS_OF_REPLAY);
    assert_eq!(gateway.total_requests(), 0);
}

const MOMENTS_OF_REPLAY: &[(&str, &str, &str)] = &[
    (
        "no-source",
        "No source.",
        "cosmos-tail replay -d shop -c copy",
    ),
    (
        "no-container",
        "Nothing names the target.",
        "cosmos-tail replay orders.jsonl -d shop",
    ),
    (
        "missing-source",
        "A source that does not exist.",
        "cosmos-tail replay missing.jsonl -d shop -c copy",
    ),
    (
        "source-in-a-store",
        "A source in an object store.",
        "cosmos-tail replay gs://lake/orders.jsonl -d shop -c copy",
    ),
    (
        "source-file-url",
        "A source that is the URL of a file.",
        "cosmos-tail replay file:///tmp/orders.jsonl -d shop -c copy",
    ),
    (
        "state-in-a-store",
        "The state is in an object store.",
        "cosmos-tail replay orders.jsonl -d shop -c copy --state gs://lake/state.json",
    ),
    (
        "dead-letters-in-a-store",
        "The dead letters are in an object store.",
        "cosmos-tail replay orders.jsonl -d shop -c copy --dead-letter gs://lake/refused.jsonl",
    ),
    (
        "dead-letters-of-another-format",
        "The file of dead letters has the name of another format.",
        "cosmos-tail replay orders.jsonl -d shop -c copy --dead-letter refused.csv",
    ),
    (
        "directory-without-manifest",
        "A directory that is not an export.",
        "cosmos-tail replay empty -d shop -c copy",
    ),
    (
        "two-sources",
        "Files and a container as the source.",
        "cosmos-tail replay orders.jsonl --from-container shop/orders -d shop -c copy",
    ),
    (
        "from-container-without-database",
        "A container as the source, without its database.",
        "cosmos-tail replay --from-container orders -d shop -c copy",
    ),
    (
        "follow-files",
        "--follow, and the source is a file.",
        "cosmos-tail replay orders.jsonl --follow -d shop -c copy",
    ),
    (
        "source-profile-alone",
        "--source-profile, and the source is a file.",
        "cosmos-tail replay orders.jsonl --source-profile a -d shop -c copy",
    ),
    (
        "stdin-with-state",
        "Standard input with a state file.",
        "cosmos-tail replay - --state replay.json -d shop -c copy",
    ),
    (
        "dry-run-with-state",
        "A dry run with a state file.",
        "cosmos-tail replay orders.jsonl --dry-run --state replay.json -d shop -c copy",
    ),
    (
        "stdout-with-state",
        "--stdout with a flag about a target.",
        "cosmos-tail replay orders.jsonl --stdout --state replay.json",
    ),
    (
        "create-without-partition-key",
        "A new container without a partition key.",
        "cosmos-tail replay orders.jsonl --create -d shop -c copy",
    ),
    (
        "partition-key-without-create",
        "A partition key, and no new container.",
        "cosmos-tail replay orders.jsonl --partition-key /pk -d shop -c copy",
    ),
    (
        "partition-key-not-a-path",
        "A partition key that is not a path.",
        "cosmos-tail replay orders.jsonl --create --partition-key customerId -d shop -c copy",
    ),
    (
        "partition-key-four-levels",
        "A partition key of four levels.",
        "cosmos-tail replay orders.jsonl --create --partition-key /a --partition-key /b --partition-key /c \
         --partition-key /d -d shop -c copy",
    ),
    (
        "throughput-low",
        "Less throughput than a container can have.",
        "cosmos-tail replay orders.jsonl --create --partition-key /pk --throughput 100 -d shop -c copy",
    ),
    (
        "until-before-since",
        "A window that ends before it begins.",
        "cosmos-tail replay orders.jsonl --since 2026-01-02T00:00:00Z --until 2026-01-01T00:00:00Z -d shop \
         -c copy",
    ),
    (
        "speed-zero",
        "A speed of zero.",
        "cosmos-tail replay orders.jsonl --speed 0 -d shop -c copy",
    ),
    (
        "speed-of-a-dry-run",
        "A dry run with a speed.",
        "cosmos-tail replay orders.jsonl --speed 1 --dry-run -d shop -c copy",
    ),
    (
        "batch-size-large",
        "More documents in a request than the service takes.",
        "cosmos-tail replay orders.jsonl --batch-size 101 -d shop -c copy",
    ),
    (
        "max-ru-zero",
        "A budget of nothing.",
        "cosmos-tail replay orders.jsonl --max-ru 0 -d shop -c copy",
    ),
    (
        "write-mode-unknown",
        "A write mode that does not exist.",
        "cosmos-tail replay orders.jsonl --write-mode merge -d shop -c copy",
    ),
    (
        "transform-syntax",
        "A program that cannot be parsed.",
        "cosmos-tail replay orders.jsonl --transform 'del(.email' -d shop -c copy",
    ),
];
