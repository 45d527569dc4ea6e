//! The cost of an export: client CPU per GB, rate and peak memory, beside other clients that read the same
//! pages, and beside DuckDB and pyarrow converting the exported JSON lines, which are already on disk, to
//! Parquet.
//!
//! A gateway in this process serves pages that were made before, as fast as clients read them. Each client
//! is a process of its own, measured by the operating system when it has ended. The ratios are of one run
//! on one machine; the figures of another machine will differ.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a bench prints, and may stop at what cannot happen"
)]

#[path = "../../tests/it/gateway/mod.rs"]
mod gateway;

#[path = "../process/mod.rs"]
mod process;

#[cfg(all(unix, feature = "object-stores"))]
#[allow(dead_code, reason = "the integration tests use the rest")]
#[path = "../../tests/it/store/mod.rs"]
mod store;

mod clients;
mod shards;

use std::path::Path;

use clap::Parser;
use clients::Client;
use gateway::{DocumentShape, Gateway, StaticGateway, StaticOptions};
use process::{Cost, OtherClient, measure, parse_client, run_measured, try_measured};

#[derive(Debug, Parser)]
struct Options {
    /// Gigabytes of pages
    #[arg(long, default_value_t = 2.0)]
    gb: f64,
    /// Feed ranges
    #[arg(long, default_value_t = 8)]
    ranges: usize,
    /// Documents in a page
    #[arg(long, default_value_t = 1000)]
    documents: u64,
    /// Bytes of a document
    #[arg(long, default_value_t = 1024)]
    document_bytes: usize,
    /// The kind of documents: mostly one long text, or objects and lists too
    #[arg(long, default_value = "text", value_parser = ["text", "order"])]
    shape: String,
    /// Formats to export to; Arrow is written to standard output
    #[arg(long, value_delimiter = ',', default_value = "jsonl", value_parser = ["jsonl", "csv", "parquet", "arrow"])]
    formats: Vec<String>,
    /// Export to a store of objects in this process too, in the first of the formats
    #[arg(long)]
    objects: bool,
    /// Export by so many processes that share a plan too, at the same time, in the first of the formats
    #[arg(long)]
    shards: Option<u32>,
    /// Fail if they take together more than this many times the CPU of one process
    #[arg(long, requires = "shards")]
    most_shards: Option<f64>,
    /// Export the same documents by a query too, in the first of the formats, and read them by one with the driver
    #[arg(long)]
    query: bool,
    /// Fail if what an export of a query takes beyond the driver is more than this many times what one of the feed takes
    /// beyond it
    #[arg(long, requires = "query")]
    most_query: Option<f64>,
    /// Clients of this bench to compare with
    #[arg(long, value_delimiter = ',', default_value = "driver")]
    with: Vec<Client>,
    /// Another client to compare with, as NAME=COMMAND; may be given several times. The command gets a
    /// directory to write JSON lines to as its last argument, and the account as AZURE_COSMOS_ENDPOINT,
    /// _KEY, _DATABASE and _CONTAINER; with --tls also its certificate, as a file in PEM that
    /// COSMOS_TAIL_BENCH_CA and NODE_EXTRA_CA_CERTS name, and what needs none as
    /// AZURE_COSMOS_CONNECTION_STRING. With --tls a command that fails is left out
    #[arg(long, value_parser = parse_client)]
    client: Vec<OtherClient>,
    /// A Python that has the packages duckdb and pyarrow, to convert the JSON lines to Parquet with
    #[arg(long)]
    duckdb: Option<std::path::PathBuf>,
    /// Only HTTP/1.1 (1) or HTTP/2 (2)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    http: Option<u8>,
    /// Serve the pages over TLS, with a self-signed certificate
    #[arg(long)]
    tls: bool,
    /// Runs of each client; the median is printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Fail if an export uses more memory than this, in MB
    #[arg(long)]
    memory_limit: Option<f64>,
    /// Fail if an export to objects uses more memory than this, in MB
    #[arg(long, requires = "objects")]
    objects_memory_limit: Option<f64>,
    /// Fail if an export to objects takes more than this many times the CPU of one to files
    #[arg(long, requires = "objects")]
    most_objects: Option<f64>,
    /// Where exports are written; a temporary directory if not given
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// What this process does instead: run a command and print its cost, or read the feed
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Option<Vec<String>>,
    #[arg(long, hide = true, requires = "directory")]
    read: Option<Client>,
    /// Where to read it
    #[arg(long, hide = true)]
    endpoint: Option<String>,
}

fn main() {
    let options = Options::parse();
    if let Some(command) = &options.measure {
        return measure(command);
    }
    if let (Some(client), Some(endpoint), Some(out)) =
        (options.read, &options.endpoint, &options.directory)
    {
        return client.read(endpoint, options.ranges, options.http == Some(2), out);
    }
    for (version, http1_only) in [(1, true), (2, false)] {
        if options.http.is_none_or(|wanted| wanted == version) {
            compare(&options, http1_only);
        }
    }
}

fn compare(options: &Options, http1_only: bool) {
    let page_bytes = options.documents as f64 * (options.document_bytes + 40) as f64;
    let pages = (options.gb * 1e9 / page_bytes / options.ranges as f64).ceil() as u64;
    let gateway = Gateway::start_static(StaticOptions {
        ranges: options.ranges,
        pages_per_range: pages.max(1),
        documents_per_page: options.documents,
        document_bytes: options.document_bytes,
        shape: match options.shape.as_str() {
            "order" => DocumentShape::Order,
            _ => DocumentShape::Text,
        },
        http1_only,
        tls: options.tls,
        threads: 2,
    });
    let version = if http1_only { 1 } else { 2 };
    let over = if options.tls { " over TLS" } else { "" };
    let about = format!("HTTP/{version}{over}, {} ranges", options.ranges);
    println!(
        "{about:<34} {:>9} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "CPU s/GB", "min", "max", "MB/s", "docs/s", "peak MB"
    );
    let mut costs: Vec<(String, Vec<Cost>)> = Vec::new();
    let mut note = |name: String, cost| match costs.iter_mut().find(|(known, _)| *known == name) {
        Some((_, of_name)) => of_name.push(cost),
        None => costs.push((name, vec![cost])),
    };
    let mut others: Vec<&OtherClient> = options.client.iter().collect();
    for _ in 0..options.runs {
        for client in &options.with {
            let cost = run_own(&gateway, *client, options.ranges, version);
            note(client.name().to_owned(), cost);
        }
        for format in &options.formats {
            let directory = directory_of(options);
            let out = directory.path().join("out");
            note(export_name(format), run_export(&gateway, format, &out));
            if let (Some(python), "jsonl") = (&options.duckdb, format.as_str()) {
                for (name, convert) in [(DUCKDB, DUCKDB_PROGRAM), (PYARROW, PYARROW_PROGRAM)] {
                    note(
                        name.to_owned(),
                        run_conversion(&gateway, python, convert, &out),
                    );
                }
            }
        }
        if let Some(count) = options.shards {
            let format = &options.formats[0];
            let directory = directory_of(options);
            let cost = shards::run(&gateway, count, format, directory.path());
            note(shards::name(count, format), cost);
        }
        if options.query {
            let format = &options.formats[0];
            for client in [Client::Driver, Client::DriverQuery] {
                if !options.with.contains(&client) {
                    let cost = run_own(&gateway, client, options.ranges, version);
                    note(client.name().to_owned(), cost);
                }
            }
            let directory = directory_of(options);
            let out = directory.path().join("out");
            note(query_name(format), run_query(&gateway, format, &out));
        }
        #[cfg(all(unix, feature = "object-stores"))]
        if options.objects {
            let format = &options.formats[0];
            note(objects_name(format), run_to_objects(&gateway, format));
        }
        others.retain(|client| match run_other(&gateway, client, options) {
            Some(cost) => {
                note(client.name.clone(), cost);
                true
            }
            None => {
                eprintln!("{} has failed over TLS and is left out", client.name);
                false
            }
        });
    }
    print_costs(&gateway, &mut costs);
    if options.query {
        compare_query(&gateway, &costs, options);
    }
    for (kind, limit) in [
        ("export", options.memory_limit),
        ("query", options.memory_limit),
        ("objects", options.objects_memory_limit),
    ] {
        let rows = costs.iter().filter(|(name, _)| name.starts_with(kind));
        let peaks = rows.flat_map(|(_, costs)| costs).map(|cost| cost.peak_mb);
        let peak = peaks.fold(0.0, f64::max);
        assert!(
            limit.is_none_or(|limit| peak <= limit),
            "an export has taken {peak:.0} MB ({kind})"
        );
    }
    let median = |name: String| {
        let (_, costs) = costs.iter().find(|(known, _)| *known == name).unwrap();
        // They are sorted.
        costs[costs.len() / 2].cpu_seconds
    };
    if let Some(count) = options.shards {
        let format = &options.formats[0];
        let ratio = median(shards::name(count, format)) / median(export_name(format));
        println!(
            "  {:<50} {ratio:>7.2}",
            format!("{count} shards / one process")
        );
        assert!(
            options.most_shards.is_none_or(|most| ratio <= most),
            "the shards of a plan take {ratio:.2} times the CPU of one process"
        );
    }
    if let Some(most) = options.most_objects {
        let format = &options.formats[0];
        let ratio = median(objects_name(format)) / median(export_name(format));
        assert!(
            ratio <= most,
            "an export to objects takes {ratio:.2} times the CPU of one to files"
        );
    }
}

fn export_name(format: &str) -> String {
    format!("export, {format}")
}

/// All documents.
const QUERY: &str = "SELECT * FROM c";

fn query_name(format: &str) -> String {
    format!("query, {format}")
}

/// Whether a client reads by a query.
fn is_of_query(name: &str) -> bool {
    name.starts_with("query, ") || name == Client::DriverQuery.name()
}

/// GB that a client reads: a query has no envelopes.
fn gigabytes_of(name: &str, gateway: &StaticGateway) -> f64 {
    let bytes = match is_of_query(name) {
        true => gateway.total_query_bytes(),
        false => gateway.total_bytes(),
    };
    bytes as f64 / 1e9
}

/// Prints what an export takes beyond the driver, by a query and by the feed.
fn compare_query(gateway: &StaticGateway, costs: &[(String, Vec<Cost>)], options: &Options) {
    let format = &options.formats[0];
    let median = |name: &str| {
        let (_, costs) = costs.iter().find(|(known, _)| known == name).unwrap();
        // They are sorted.
        costs[costs.len() / 2].cpu_seconds / gigabytes_of(name, gateway)
    };
    let beyond = |export: &str, driver: Client| median(export) - median(driver.name());
    let feed = beyond(&export_name(format), Client::Driver);
    let query = beyond(&query_name(format), Client::DriverQuery);
    let ratio = query / feed;
    println!(
        "  beyond the driver, {format}: query {query:.2} s/GB, feed {feed:.2} s/GB, ratio {ratio:.2}"
    );
    assert!(
        options.most_query.is_none_or(|most| ratio <= most),
        "an export of a query takes {ratio:.2} times what one of the feed takes beyond the driver"
    );
}

fn objects_name(format: &str) -> String {
    format!("objects, {format}")
}

fn directory_of(options: &Options) -> tempfile::TempDir {
    match &options.directory {
        Some(directory) => tempfile::tempdir_in(directory).unwrap(),
        None => tempfile::tempdir().unwrap(),
    }
}

/// Prints a row for each client, the cheapest first, and the ratios.
fn print_costs(gateway: &StaticGateway, costs: &mut [(String, Vec<Cost>)]) {
    let documents = gateway.total_documents() as f64;
    let mut medians = std::collections::HashMap::new();
    for (name, costs) in costs {
        costs.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
        let median = costs[costs.len() / 2];
        let gigabytes = gigabytes_of(name, gateway);
        println!(
            "{name:<34} {:>9.2} {:>9.2} {:>9.2} {:>9.0} {:>9.0} {:>8.0}",
            median.cpu_seconds / gigabytes,
            costs[0].cpu_seconds / gigabytes,
            costs[costs.len() - 1].cpu_seconds / gigabytes,
            gigabytes * 1000.0 / median.seconds,
            documents / median.seconds,
            costs.iter().map(|cost| cost.peak_mb).fold(0.0, f64::max),
        );
        medians.insert(name.clone(), median.cpu_seconds);
    }
    let pairs = [
        (export_name("jsonl"), Client::Bare.name().to_owned()),
        (export_name("jsonl"), Client::Driver.name().to_owned()),
        (query_name("jsonl"), Client::DriverQuery.name().to_owned()),
        (query_name("jsonl"), export_name("jsonl")),
        (export_name("csv"), export_name("jsonl")),
        (objects_name("jsonl"), export_name("jsonl")),
        (objects_name("parquet"), export_name("parquet")),
        (export_name("parquet"), DUCKDB.to_owned()),
        (export_name("arrow"), export_name("parquet")),
    ];
    for (a, b) in pairs {
        if let (Some(first), Some(second)) = (medians.get(&a), medians.get(&b)) {
            println!("  {:<50} {:>7.2}", format!("{a} / {b}"), first / second);
        }
    }
}

fn run_export(gateway: &StaticGateway, format: &str, out: &Path) -> Cost {
    run_export_with(gateway, format, out, &[])
}

/// An export of all documents by a query.
fn run_query(gateway: &StaticGateway, format: &str, out: &Path) -> Cost {
    run_export_with(gateway, format, out, &["--query", QUERY])
}

fn run_export_with(gateway: &StaticGateway, format: &str, out: &Path, arguments: &[&str]) -> Cost {
    let binary = env!("CARGO_BIN_EXE_cosmos-tail");
    let (database, container) = (StaticGateway::DATABASE, StaticGateway::CONTAINER);
    let (shell, place) = match format {
        "arrow" => {
            std::fs::create_dir(out).unwrap();
            let stream = out.join("stream.arrows");
            let script = format!("exec \"$0\" \"$@\" > '{}'", stream.to_str().unwrap());
            (vec!["sh".to_owned(), "-c".to_owned(), script], "-")
        }
        _ => (Vec::new(), out.to_str().unwrap()),
    };
    let command = [
        binary, "export", "-d", database, "-c", container, "-q", "--format", format, "-o", place,
    ];
    let mut command: Vec<&str> = shell.iter().map(String::as_str).chain(command).collect();
    command.extend_from_slice(arguments);
    let cost = run_measured(&command, gateway);
    assert_eq!(
        count_rows(out),
        gateway.total_documents(),
        "the export is whole"
    );
    cost
}

/// An export to a store in this process, which keeps the objects in memory.
#[cfg(all(unix, feature = "object-stores"))]
fn run_to_objects(gateway: &StaticGateway, format: &str) -> Cost {
    let store = store::Store::start();
    let binary = env!("CARGO_BIN_EXE_cosmos-tail");
    let (database, container) = (StaticGateway::DATABASE, StaticGateway::CONTAINER);
    let url = format!("AZURITE_BLOB_STORAGE_URL={}", store.url());
    let command = [
        "env",
        "AZURE_STORAGE_USE_EMULATOR=true",
        &url,
        binary,
        "export",
        "-d",
        database,
        "-c",
        container,
        "-q",
        "--format",
        format,
        "-o",
        "az://lake/out/",
    ];
    let cost = run_measured(&command, gateway);
    let out = tempfile::tempdir().unwrap();
    for (name, bytes) in store.objects() {
        let name = name.trim_start_matches("out/");
        if !name.starts_with('_') {
            std::fs::write(out.path().join(name), bytes).unwrap();
        }
    }
    assert_eq!(
        count_rows(out.path()),
        gateway.total_documents(),
        "the export is whole"
    );
    cost
}

const DUCKDB: &str = "DuckDB, JSON lines to Parquet";
const DUCKDB_PROGRAM: &str = "
import duckdb, sys
source, target, threads = sys.argv[1:]
duckdb.connect().execute(f\"\"\"
    set threads={threads}; set preserve_insertion_order=false;
    copy (select * from read_json('{source}/*.jsonl', format='newline_delimited'))
    to '{target}' (format parquet, compression snappy, per_thread_output true)\"\"\")
";

const PYARROW: &str = "pyarrow, JSON lines to Parquet";
const PYARROW_PROGRAM: &str = "
import pathlib, sys
import pyarrow.json, pyarrow.parquet
source, target = map(pathlib.Path, sys.argv[1:3])
target.mkdir()
for path in source.glob('*.jsonl'):
    with pyarrow.json.open_json(path) as lines:
        with pyarrow.parquet.ParquetWriter(target / f'{path.stem}.parquet', lines.schema) as out:
            for batch in lines:
                out.write_batch(batch)
";

/// Converts the JSON lines in a directory to Parquet, which is not kept.
fn run_conversion(gateway: &StaticGateway, python: &Path, program: &str, out: &Path) -> Cost {
    let target = tempfile::tempdir_in(out.parent().unwrap()).unwrap();
    let target = target.path().join("parquet");
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let command = [
        python.to_str().unwrap(),
        "-c",
        program,
        out.to_str().unwrap(),
        target.to_str().unwrap(),
        &threads.to_string(),
    ];
    let cost = run_measured(&command, gateway);
    assert_eq!(count_rows(&target), gateway.total_documents());
    cost
}

/// Runs a client of this bench.
fn run_own(gateway: &StaticGateway, client: Client, ranges: usize, version: u8) -> Cost {
    let out = tempfile::tempdir().unwrap();
    let this = std::env::current_exe().unwrap();
    let client_name = clap::ValueEnum::to_possible_value(&client).unwrap();
    let command = [
        this.to_str().unwrap(),
        "--read",
        client_name.get_name(),
        "--endpoint",
        &gateway.endpoint(),
        "--ranges",
        &ranges.to_string(),
        "--http",
        &version.to_string(),
        "--directory",
        out.path().to_str().unwrap(),
    ];
    let cost = run_measured(&command, gateway);
    if client == Client::Typed {
        assert_eq!(count_rows(out.path()), gateway.total_documents());
    }
    cost
}

/// Runs a client that writes JSON lines. Over TLS it fails if it cannot be made to trust the certificate.
fn run_other(gateway: &StaticGateway, client: &OtherClient, options: &Options) -> Option<Cost> {
    let out = directory_of(options);
    let mut command: Vec<&str> = client.command.iter().map(String::as_str).collect();
    command.push(out.path().to_str().unwrap());
    let cost = match options.tls {
        true => try_measured(&command, gateway)?,
        false => run_measured(&command, gateway),
    };
    assert_eq!(
        count_rows(out.path()),
        gateway.total_documents(),
        "{} has read all",
        client.name
    );
    Some(cost)
}

/// The rows of all files of a directory.
fn count_rows(directory: &Path) -> u64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let mut rows = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        rows += match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => count_lines(&path),
            // The header is a line too. No value in these documents has a line break.
            Some("csv") => count_lines(&path) - 1,
            Some("parquet") => {
                let file = std::fs::File::open(path).unwrap();
                let reader = SerializedFileReader::new(file).unwrap();
                reader.metadata().file_metadata().num_rows().cast_unsigned()
            }
            Some("arrows") => {
                let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
                let batches = arrow_ipc::reader::StreamReader::try_new(file, None).unwrap();
                batches.map(|batch| batch.unwrap().num_rows() as u64).sum()
            }
            _ => 0,
        };
    }
    rows
}

fn count_lines(path: &Path) -> u64 {
    let mut file = std::fs::File::open(path).unwrap();
    let mut block = vec![0; 1 << 20];
    let mut lines = 0;
    loop {
        let read = std::io::Read::read(&mut file, &mut block).unwrap();
        if read == 0 {
            return lines;
        }
        lines += memchr::memchr_iter(b'\n', &block[..read]).count() as u64;
    }
}
