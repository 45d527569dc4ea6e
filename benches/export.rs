//! What an export costs: client CPU per GB, rate and peak memory, beside the SDK's driver reading
//! the same pages and throwing them away, and beside DuckDB turning the exported JSON lines, which
//! already lie on disk, into Parquet.
//!
//! A gateway in this process serves pages that it has made before, as fast as clients take them.
//! Each client is a process of its own, measured by the operating system when it has ended. The
//! ratios are of one run on one machine; the figures of another machine will differ.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and may stop at what cannot happen"
)]

#[path = "../tests/it/gateway/mod.rs"]
mod gateway;

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use gateway::{DocumentShape, Gateway, KEY, StaticGateway, StaticOptions};

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
    /// What the documents are like: mostly one long text, or objects and lists too
    #[arg(long, default_value = "text", value_parser = ["text", "order"])]
    shape: String,
    /// Formats to export to
    #[arg(long, value_delimiter = ',', default_value = "jsonl", value_parser = ["jsonl", "csv", "parquet"])]
    formats: Vec<String>,
    /// A Python that has the package duckdb, to convert the JSON lines to Parquet with
    #[arg(long)]
    duckdb: Option<std::path::PathBuf>,
    /// Only HTTP/1.1 (1) or HTTP/2 (2)
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=2))]
    http: Option<u8>,
    /// Runs of each client; the median is printed
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Fail if an export has taken more memory than this, in MB
    #[arg(long)]
    memory_limit: Option<f64>,
    /// Where exports are written; a temporary directory if not given
    #[arg(long)]
    directory: Option<std::path::PathBuf>,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
    /// What this process is to do instead: run a command and print what it took, or read the feed
    #[arg(long, hide = true, num_args = 1.., allow_hyphen_values = true)]
    measure: Option<Vec<String>>,
    #[arg(long, hide = true, num_args = 2)]
    drain: Option<Vec<String>>,
}

/// What a process took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    cpu_seconds: f64,
    seconds: f64,
    peak_mb: f64,
}

fn main() {
    let options = Options::parse();
    if let Some(command) = &options.measure {
        return measure(command);
    }
    if let Some(arguments) = &options.drain {
        return drain(&arguments[0], arguments[1].parse().unwrap());
    }
    println!(
        "{:<28} {:>9} {:>9} {:>9} {:>9} {:>8}",
        "", "CPU s/GB", "min", "max", "MB/s", "peak MB"
    );
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
        threads: 2,
    });
    let version = if http1_only { "HTTP/1.1" } else { "HTTP/2" };
    let gigabytes = gateway.total_bytes() as f64 / 1e9;
    let mut drains = Vec::new();
    let mut exports = vec![Vec::new(); options.formats.len()];
    let mut conversions = Vec::new();
    for _ in 0..options.runs {
        drains.push(run_drain(&gateway, options.ranges));
        for (format, costs) in options.formats.iter().zip(&mut exports) {
            let directory = match &options.directory {
                Some(directory) => tempfile::tempdir_in(directory).unwrap(),
                None => tempfile::tempdir().unwrap(),
            };
            let out = directory.path().join("out");
            costs.push(run_export(&gateway, format, &out));
            if let (Some(python), "jsonl") = (&options.duckdb, format.as_str()) {
                conversions.push(run_duckdb(&gateway, python, &out));
            }
        }
    }
    let row = |name: &str, costs: &mut [Cost]| print_row(name, gigabytes, costs);
    let drain = row(&format!("driver, bytes only, {version}"), &mut drains);
    let mut medians = std::collections::HashMap::new();
    for (format, costs) in options.formats.iter().zip(&mut exports) {
        let median = row(&format!("export, {format}, {version}"), costs);
        medians.insert(format.as_str(), median);
    }
    if !conversions.is_empty() {
        let median = row("DuckDB, JSON lines to Parquet", &mut conversions);
        medians.insert("duckdb", median);
    }
    medians.insert("driver", drain);
    for (a, b) in [("jsonl", "driver"), ("csv", "jsonl"), ("parquet", "duckdb")] {
        if let (Some(first), Some(second)) = (medians.get(a), medians.get(b)) {
            println!("  {:<28} {:>7.2}", format!("{a} / {b}"), first / second);
        }
    }
    let peaks = exports.iter().flatten().map(|cost| cost.peak_mb);
    let peak = peaks.fold(0.0, f64::max);
    if let Some(limit) = options.memory_limit {
        assert!(
            peak <= limit,
            "an export has taken {peak:.0} MB, more than {limit:.0} MB"
        );
    }
}

fn print_row(name: &str, gigabytes: f64, costs: &mut [Cost]) -> f64 {
    costs.sort_by(|a, b| a.cpu_seconds.total_cmp(&b.cpu_seconds));
    let median = costs[costs.len() / 2];
    println!(
        "{name:<28} {:>9.2} {:>9.2} {:>9.2} {:>9.0} {:>8.0}",
        median.cpu_seconds / gigabytes,
        costs[0].cpu_seconds / gigabytes,
        costs[costs.len() - 1].cpu_seconds / gigabytes,
        gigabytes * 1000.0 / median.seconds,
        costs.iter().map(|cost| cost.peak_mb).fold(0.0, f64::max),
    );
    median.cpu_seconds
}

fn run_export(gateway: &StaticGateway, format: &str, out: &Path) -> Cost {
    let binary = env!("CARGO_BIN_EXE_cosmos-tail");
    let (database, container) = (StaticGateway::DATABASE, StaticGateway::CONTAINER);
    let cost = run_measured(
        &[
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
            out.to_str().unwrap(),
        ],
        gateway,
    );
    assert_eq!(
        count_rows(out),
        gateway.total_documents(),
        "the export is whole"
    );
    cost
}

/// Converts the JSON lines in a directory to Parquet.
fn run_duckdb(gateway: &StaticGateway, python: &Path, out: &Path) -> Cost {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let query = format!(
        "set threads={threads}; set preserve_insertion_order=false; \
         copy (select * from read_json('{0}/*.jsonl', format='newline_delimited')) \
         to '{0}' (format parquet, compression snappy, per_thread_output true, \
         overwrite_or_ignore true)",
        out.display()
    );
    let program = "import duckdb, sys; duckdb.connect().execute(sys.argv[1])";
    let cost = run_measured(&[python.to_str().unwrap(), "-c", program, &query], gateway);
    for entry in std::fs::read_dir(out).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(count_rows(out), gateway.total_documents());
    cost
}

fn run_drain(gateway: &StaticGateway, ranges: usize) -> Cost {
    let this = std::env::current_exe().unwrap();
    let endpoint = gateway.endpoint();
    run_measured(
        &[
            this.to_str().unwrap(),
            "--drain",
            &endpoint,
            &ranges.to_string(),
        ],
        gateway,
    )
}

/// Runs a command below a process of its own, whose children's usage is that of the command alone.
fn run_measured(command: &[&str], gateway: &StaticGateway) -> Cost {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("--measure")
        .args(command)
        .env("AZURE_COSMOS_ENDPOINT", gateway.endpoint())
        .env("AZURE_COSMOS_KEY", KEY)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?} failed");
    let text = String::from_utf8(output.stdout).unwrap();
    let figures: Vec<f64> = text
        .split_whitespace()
        .map(|figure| figure.parse().unwrap())
        .collect();
    Cost {
        cpu_seconds: figures[0],
        seconds: figures[1],
        peak_mb: figures[2],
    }
}

#[cfg(unix)]
fn measure(command: &[String]) {
    use nix::sys::resource::{UsageWho, getrusage};
    let began = Instant::now();
    let status = Command::new(&command[0])
        .args(&command[1..])
        .stdout(Stdio::null())
        .status()
        .unwrap();
    let seconds = began.elapsed().as_secs_f64();
    assert!(status.success(), "{status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let of = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    // Linux counts in KiB, macOS in bytes.
    let unit = if cfg!(target_os = "macos") {
        1e6
    } else {
        1e6 / 1024.0
    };
    println!(
        "{} {seconds} {}",
        of(usage.user_time()) + of(usage.system_time()),
        usage.max_rss() as f64 / unit
    );
}

#[cfg(not(unix))]
fn measure(_: &[String]) {
    panic!("this bench measures processes on Unix only");
}

/// Reads the whole feed with the SDK's driver and throws the pages away.
fn drain(endpoint: &str, ranges: usize) {
    use cosmos_tail::cosmos::client::CosmosClient;
    use cosmos_tail::cosmos::feed::{CursorStart, FeedRequest};
    use cosmos_tail::feed::{ChangeFeedStart, FeedMode};
    use std::num::NonZeroU32;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plan = connection(endpoint);
        let client = Arc::new(CosmosClient::connect(&plan).await.unwrap());
        let mut tasks = tokio::task::JoinSet::new();
        let partitions = client.physical_partitions(false).await.unwrap();
        assert_eq!(partitions.len(), ranges);
        for partition in partitions {
            let client = Arc::clone(&client);
            tasks.spawn(async move {
                let start = CursorStart::Fresh(ChangeFeedStart::Beginning);
                let request = FeedRequest {
                    mode: FeedMode::LatestVersion,
                    page_size: NonZeroU32::new(1000).unwrap(),
                    partition_key: None,
                };
                let mut cursor = client
                    .open(&request, &partition.range, start)
                    .await
                    .unwrap();
                while !cursor.next().await.unwrap().not_modified {}
            });
        }
        tasks.join_all().await;
    });
}

fn connection(endpoint: &str) -> cosmos_tail::plan::ConnectionPlan {
    use cosmos_tail::plan::{ConnectionPlan, CredentialPlan, SecretText};
    ConnectionPlan {
        endpoint: endpoint.parse().unwrap(),
        database: StaticGateway::DATABASE.to_owned(),
        container: StaticGateway::CONTAINER.to_owned(),
        credential: CredentialPlan::Key(SecretText::new(KEY)),
        accept_self_signed: false,
        notices: Vec::new(),
        values: Vec::new(),
    }
}

/// The rows of all files of a directory.
fn count_rows(directory: &Path) -> u64 {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    let mut rows = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        rows += match path.extension().and_then(|extension| extension.to_str()) {
            Some("jsonl") => count_lines(&path),
            // The header is a line too; nothing in these documents breaks a line.
            Some("csv") => count_lines(&path) - 1,
            Some("parquet") => {
                let file = std::fs::File::open(path).unwrap();
                let reader = SerializedFileReader::new(file).unwrap();
                reader.metadata().file_metadata().num_rows().cast_unsigned()
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
