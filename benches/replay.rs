//! The cost of a replay: documents per second, and client CPU for each, beside other clients that upsert the
//! same documents.
//!
//! A gateway in this process acknowledges writes and discards them. Each client is a process of its own,
//! measured by the operating system when it has ended.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and may stop at what cannot happen"
)]

#[path = "../tests/it/gateway/mod.rs"]
mod gateway;
#[path = "process/mod.rs"]
mod process;

use std::io::Write;
use std::path::Path;

use clap::Parser;
use gateway::{Gateway, StaticGateway, StaticOptions};
use process::{Cost, OtherClient, measure, parse_client, run_measured};

#[derive(Debug, Parser)]
struct Options {
    /// Documents that are written
    #[arg(long, default_value_t = 100_000)]
    documents: usize,
    /// Bytes of a document
    #[arg(long, default_value_t = 1024)]
    document_bytes: usize,
    /// Partition keys that the documents have in turn
    #[arg(long, default_value_t = 20_000)]
    keys: usize,
    /// Writes at the same time
    #[arg(long, default_value_t = 64)]
    concurrency: usize,
    /// Another client to compare with, as NAME=COMMAND; may be given several times. The command gets the
    /// number of writes at the same time and a file of JSON lines as its last arguments, and the account as
    /// AZURE_COSMOS_ENDPOINT, _KEY, _DATABASE and _CONTAINER
    #[arg(long, value_parser = parse_client)]
    client: Vec<OtherClient>,
    /// Runs of each client; the median is printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// Run a command and print its cost
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Option<Vec<String>>,
}

fn main() {
    let options = Options::parse();
    if let Some(command) = &options.measure {
        return measure(command);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("documents.jsonl");
    write_documents(&options, &file);
    let gateway = Gateway::start_static(StaticOptions {
        http1_only: true,
        ..StaticOptions::default()
    });
    let binary = env!("CARGO_BIN_EXE_cosmos-tail");
    let own = |name: &str, arguments: &[&str]| OtherClient {
        name: name.to_owned(),
        command: [&[binary, "replay", "-q"], arguments]
            .concat()
            .into_iter()
            .map(str::to_owned)
            .collect(),
    };
    let replays = [
        own("replay", &[]),
        own("replay --batch-size 1", &["--batch-size", "1"]),
    ];
    let concurrency = options.concurrency.to_string();
    let file = file.to_str().unwrap();
    let mut costs = vec![Vec::new(); replays.len() + options.client.len()];
    for _ in 0..options.runs {
        let to_container = [
            file,
            "-d",
            StaticGateway::DATABASE,
            "-c",
            StaticGateway::CONTAINER,
            "--concurrency",
            &concurrency,
        ];
        for (replay, costs) in replays.iter().zip(&mut costs) {
            costs.push(run(&gateway, replay, &to_container, options.documents));
        }
        for (client, costs) in options.client.iter().zip(&mut costs[replays.len()..]) {
            costs.push(run(
                &gateway,
                client,
                &[&concurrency, file],
                options.documents,
            ));
        }
    }
    println!(
        "{:<34} {:>9} {:>12} {:>9} {:>9} {:>8}",
        format!("{} at the same time", options.concurrency),
        "docs/s",
        "CPU us/doc",
        "min",
        "max",
        "peak MB"
    );
    for (client, costs) in replays.iter().chain(&options.client).zip(&mut costs) {
        print_row(&client.name, costs, options.documents as f64);
    }
}

/// Writes the documents to put into the container.
fn write_documents(options: &Options, path: &Path) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for number in 0..options.documents {
        let begin = format!(
            "{{\"id\":\"{number:012}\",\"pk\":\"customer-{:05}\",\"note\":\"",
            number % options.keys
        );
        let missing = options.document_bytes.saturating_sub(begin.len() + 2);
        writeln!(file, "{begin}{}\"}}", "x".repeat(missing)).unwrap();
    }
    file.flush().unwrap();
}

/// Runs a client, which must have written every document.
fn run(gateway: &StaticGateway, client: &OtherClient, last: &[&str], documents: usize) -> Cost {
    let before = gateway.writes();
    let mut command: Vec<&str> = client.command.iter().map(String::as_str).collect();
    command.extend(last);
    let cost = run_measured(&command, gateway);
    let written = gateway.writes() - before;
    assert_eq!(written, documents as u64, "{} has written all", client.name);
    cost
}

fn print_row(name: &str, costs: &mut [Cost], documents: f64) {
    costs.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
    let median = costs[costs.len() / 2];
    let each = |cost: &Cost| cost.cpu_seconds * 1e6 / documents;
    println!(
        "{name:<34} {:>9.0} {:>12.1} {:>9.1} {:>9.1} {:>8.0}",
        documents / median.seconds,
        each(&median),
        each(&costs[0]),
        each(&costs[costs.len() - 1]),
        costs.iter().map(|cost| cost.peak_mb).fold(0.0, f64::max),
    );
}
