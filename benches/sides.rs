//! The cost of a comparison of two sides of files: CPU and memory, beside reading both with the same reader of JSON
//! lines, beside reading both as a replay does, which checks each document and finds its partition key and id, and beside
//! DuckDB, which joins both in full.
//!
//! Both sides have the same documents, in another order and with system fields of their own, once in the same texts and once
//! as another writer has them. Each client is a process of
//! its own, measured by the operating system when it has ended.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and may stop at what cannot happen"
)]

#[path = "process/cost.rs"]
mod cost;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Parser;
use cosmos_tail::cli::location::Location;
use cosmos_tail::feed::RecordForm;
use cosmos_tail::replay::count_writes;
use cosmos_tail::source::{CsvReading, Input, Inputs, Mark, open};
use cost::{Cost, measure, measured};

/// Files of a side.
const FILES: usize = 8;

/// Joins the sides in full, by id and partition key, and counts the rows that differ in a column that the service does not
/// write itself.
const DUCKDB: &str = r#"
import duckdb, sys
sides = [f"read_ndjson('{side}/*.jsonl')" for side in sys.argv[1:]]
db = duckdb.connect()
columns = [row[0] for row in db.sql(f"DESCRIBE FROM {sides[0]}").fetchall()]
differs = " OR ".join(f'a."{c}" IS DISTINCT FROM b."{c}"' for c in columns if not c.startswith("_"))
found = db.sql(f"""SELECT count(*) FROM {sides[0]} a FULL OUTER JOIN {sides[1]} b
    ON a.id = b.id AND a.customerId = b.customerId WHERE {differs}""").fetchall()
assert found == [(0,)], found
"#;

#[derive(Debug, Parser)]
struct Options {
    /// GB of documents of each side
    #[arg(long, default_value_t = 2.0)]
    gb: f64,
    /// Bytes of a document, about
    #[arg(long, default_value_t = 1024)]
    document_bytes: usize,
    /// A Python that has the package duckdb
    #[arg(long)]
    duckdb: Option<PathBuf>,
    /// Runs of each client; the median is printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Where the documents are written
    #[arg(long)]
    directory: Option<PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// Run a command and print its cost
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Option<Vec<String>>,
    /// Read these directories with the reader of JSON lines
    #[arg(long, hide = true, num_args = 1..)]
    read: Option<Vec<PathBuf>>,
    /// Read these directories as a replay does, without writing anything
    #[arg(long, hide = true, num_args = 1..)]
    interpret: Option<Vec<PathBuf>>,
}

fn main() {
    let options = Options::parse();
    if let Some(command) = &options.measure {
        return measure(command);
    }
    if let Some(directories) = &options.read {
        return read(directories, read_lines);
    }
    if let Some(directories) = &options.interpret {
        return read(directories, |input| {
            count_writes(input, &["/customerId"]).unwrap()
        });
    }
    let directory = match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let sides = ["a", "b", "c"].map(|name| directory.path().join(name));
    for (number, side) in sides.iter().enumerate() {
        write(&options, side, number);
    }
    let gb = (length(&sides[0]) + length(&sides[1])) as f64 / 1e9;
    let [a, b, _] = sides.each_ref().map(|side| side.to_str().unwrap());
    let own = std::env::current_exe().unwrap();
    let of = |side: &Path| -> Vec<String> {
        let files = (0..FILES).map(|file| side.join(format!("{file}.jsonl")));
        files
            .map(|file| file.to_str().unwrap().to_owned())
            .collect()
    };
    let files = sides.each_ref().map(|side| of(side));
    let compare = |target: usize| {
        let mut command: Vec<&str> = vec![env!("CARGO_BIN_EXE_cosmos-tail"), "compare", "-q"];
        command.extend(files[0].iter().map(String::as_str));
        for file in &files[target] {
            command.extend(["--with", file]);
        }
        command.extend(["--partition-key", "/customerId", "--input", "documents"]);
        command
    };
    let mut clients = vec![
        (
            "read both, lines alone",
            vec![own.to_str().unwrap(), "--read", a, b],
        ),
        (
            "read both as a replay",
            vec![own.to_str().unwrap(), "--interpret", a, b],
        ),
        ("compare, the same texts", compare(1)),
        ("compare, other texts", compare(2)),
    ];
    if let Some(python) = &options.duckdb {
        clients.push((
            "DuckDB, full outer join",
            vec![python.to_str().unwrap(), "-c", DUCKDB, a, b],
        ));
    }
    let mut costs = vec![Vec::new(); clients.len()];
    for _ in 0..options.runs {
        for ((name, command), costs) in clients.iter().zip(&mut costs) {
            let cost = measured(command, |_| {});
            costs.push(cost.unwrap_or_else(|| panic!("{name} failed")));
        }
    }
    println!(
        "{:<26} {:>9} {:>7} {:>7} {:>9} {:>9} {:>9} {:>8}",
        format!("{gb:.2} GB on both sides"),
        "CPU s/GB",
        "min",
        "max",
        "s",
        "of lines",
        "of replay",
        "peak MB"
    );
    let lines = median(&mut costs[0]).cpu_seconds;
    let replay = median(&mut costs[1]).cpu_seconds;
    for ((name, _), costs) in clients.iter().zip(&mut costs) {
        let median = median(costs);
        println!(
            "{name:<26} {:>9.2} {:>7.2} {:>7.2} {:>9.2} {:>9.2} {:>9.2} {:>8.0}",
            median.cpu_seconds / gb,
            costs[0].cpu_seconds / gb,
            costs[costs.len() - 1].cpu_seconds / gb,
            median.seconds,
            median.cpu_seconds / lines,
            median.cpu_seconds / replay,
            costs.iter().map(|cost| cost.peak_mb).fold(0.0, f64::max),
        );
    }
}

/// The median by CPU; sorts the costs.
fn median(costs: &mut [Cost]) -> Cost {
    costs.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
    costs[costs.len() / 2]
}

fn length(side: &Path) -> u64 {
    let files = std::fs::read_dir(side).unwrap();
    files
        .map(|file| file.unwrap().metadata().unwrap().len())
        .sum()
}

/// Writes the documents of a side: those after the first one backwards, and with other system fields. The texts of the third
/// one are those of another writer.
fn write(options: &Options, side: &Path, number: usize) {
    std::fs::create_dir(side).unwrap();
    let documents = (options.gb * 1e9 / options.document_bytes as f64) as usize;
    let in_file = documents.div_ceil(FILES);
    for file in 0..FILES {
        let path = side.join(format!("{file}.jsonl"));
        let mut out = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        for at in file * in_file..documents.min((file + 1) * in_file) {
            let document = if number == 0 { at } else { documents - 1 - at };
            write_document(&mut out, document, options.document_bytes, number);
        }
        out.flush().unwrap();
    }
}

fn write_document(out: &mut impl Write, number: usize, bytes: usize, side: usize) {
    let other = if side == 2 { " " } else { "" };
    let mut text = format!(
        "{{\"id\":{other}\"{number:012}\",\"customerId\":\"customer-{:05}\",\"total\":{}.{:02},\"paid\":{},\"createdAt\":\"2026-11-{:02}T09:40:{:02}Z\",\
         \"address\":{{\"street\":\"{} High Street\",\"city\":\"Springfield\",\"geo\":[{}.5,-{}.25]}},\"lines\":[",
        number % 20_000,
        number % 1000,
        number % 100,
        number.is_multiple_of(3),
        number % 28 + 1,
        number % 60,
        number % 300,
        number % 90,
        number % 180,
    );
    for line in 0..number % 4 + 1 {
        let comma = if line > 0 { "," } else { "" };
        let sku = (number * 7 + line) % 5000;
        text.push_str(&format!(
            "{comma}{{\"sku\":\"sku-{sku:05}\",\"quantity\":{},\"price\":{}.5}}",
            line + 1,
            sku % 200
        ));
    }
    text.push_str("],\"note\":\"");
    let system = format!(
        "\",\"_rid\":\"AAAAAA{number:08}==\",\"_self\":\"dbs/AAAA==/colls/AAAA{side}=/docs/AAAAAA{number:08}==/\",\"_etag\":\"\\\"{side:08x}-{number:012x}\\\"\",\
         \"_attachments\":\"attachments/\",\"_ts\":{}}}",
        1_795_000_000 + number % 1000 + side
    );
    let missing = (bytes + other.len()).saturating_sub(text.len() + system.len() + 1);
    writeln!(out, "{text}{}{system}", "x".repeat(missing)).unwrap();
}

/// Reads both sides at the same time, each input with `read_one`.
fn read(directories: &[PathBuf], read_one: impl Fn(&Input) -> u64 + Sync) {
    std::thread::scope(|scope| {
        for directory in directories {
            scope.spawn(|| {
                let files =
                    (0..FILES).map(|file| Location::Local(directory.join(format!("{file}.jsonl"))));
                let files: Vec<Location> = files.collect();
                let form = Some(RecordForm::Documents);
                let inputs = Inputs::find(&files, form, &CsvReading::default()).unwrap();
                let records: u64 = inputs.inputs.iter().map(&read_one).sum();
                assert!(records > 0);
            });
        }
    });
}

/// Finds the lines of an input.
fn read_lines(input: &Input) -> u64 {
    let mut reader = open(input, Mark::default()).unwrap();
    let mut records = 0;
    while let Some(record) = reader.next().unwrap() {
        records += u64::from(!std::hint::black_box(&record.json).is_empty());
    }
    records
}
