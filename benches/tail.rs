//! The cost of a tail: the delay from a write to its line, and the CPU time of an idle tail.
//!
//! The delay is measured against the embedded account, with writes at random moments through the official
//! client: from the acknowledgement of the write to the arrival of its line at the pipe. The idle cost is
//! the CPU time of a tail of 100 ranges that have nothing new.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench prints, and may stop at what cannot happen"
)]

#[path = "../tests/it/gateway/mod.rs"]
mod gateway;

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use azure_data_cosmos::options::ItemWriteOptions;
use clap::Parser;
use cosmos_tail::demo::{DemoAccount, DemoOptions};
use gateway::{Gateway, KEY, StaticGateway, StaticOptions};

#[derive(Debug, Parser)]
struct Options {
    /// Writes whose delay is measured
    #[arg(long, default_value_t = 100)]
    writes: usize,
    /// Ranges of the idle tail
    #[arg(long, default_value_t = 100)]
    ranges: usize,
    /// Seconds for which the idle tail is watched
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Given by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let options = Options::parse();
    delay(options.writes);
    idle(options.ranges, Duration::from_secs(options.seconds));
}

/// A tail that has started.
fn start(endpoint: &str, key: &str, database: &str, container: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_cosmos-tail"))
        .args(["tail", "-d", database, "-c", container])
        .env("AZURE_COSMOS_ENDPOINT", endpoint)
        .env("AZURE_COSMOS_KEY", key)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut said = String::new();
    while !said.contains("tailing ") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "it ended: {said}");
    }
    child
}

fn delay(writes: usize) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = DemoOptions {
        documents: 1000,
        ..DemoOptions::default()
    };
    let account = runtime.block_on(DemoAccount::start(&options)).unwrap();
    let (database, container) = (DemoAccount::DATABASE, DemoAccount::CONTAINER);
    let mut child = start(
        account.endpoint().as_str(),
        account.key(),
        database,
        container,
    );
    let written: Arc<Mutex<HashMap<String, Instant>>> = Arc::default();
    let seen = Arc::clone(&written);
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let reader = std::thread::spawn(move || {
        let mut delays = Vec::new();
        for line in stdout.lines() {
            let now = Instant::now();
            let document: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
            let written = seen
                .lock()
                .unwrap()
                .remove(document["id"].as_str().unwrap());
            // A line can arrive before its write is acknowledged here.
            delays.push(written.map_or(Duration::ZERO, |written| now - written));
        }
        delays
    });
    runtime.block_on(async {
        let client = client(&account).await;
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..writes {
            tokio::time::sleep(Duration::from_millis(random.u64(0..400))).await;
            let (id, customer) = (
                format!("delay-{number}"),
                format!("c-{}", random.u32(0..1000)),
            );
            let document = serde_json::json!({"id": id, "customerId": customer});
            let options = None::<ItemWriteOptions>;
            client
                .upsert_item(customer, &id, document, options)
                .await
                .unwrap();
            written.lock().unwrap().insert(id, Instant::now());
        }
        // The last one is polled for within the poll interval.
        tokio::time::sleep(Duration::from_secs(3)).await;
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let mut delays = reader.join().unwrap();
    delays.sort();
    assert_eq!(delays.len(), writes, "every write was seen");
    let at =
        |share: f64| delays[((delays.len() - 1) as f64 * share) as usize].as_secs_f64() * 1000.0;
    println!(
        "delay from write to line, {writes} writes, poll interval 1 s: median {:.0} ms, 95 % {:.0} ms, most {:.0} ms",
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

async fn client(account: &DemoAccount) -> azure_data_cosmos::clients::ContainerClient {
    use azure_data_cosmos::{AccountEndpoint, AccountReference, CosmosClient, RoutingStrategy};
    let endpoint: AccountEndpoint = account.endpoint().as_str().parse().unwrap();
    let key = azure_core::credentials::Secret::from(account.key().to_owned());
    let reference = AccountReference::with_authentication_key(endpoint, key);
    let routing = RoutingStrategy::ProximityTo("Demo".into());
    let client = CosmosClient::builder()
        .build(reference, routing)
        .await
        .unwrap();
    let database = client.database_client(DemoAccount::DATABASE);
    database
        .container_client(DemoAccount::CONTAINER, None)
        .await
        .unwrap()
}

#[cfg(unix)]
fn idle(ranges: usize, time: Duration) {
    use nix::sys::resource::{UsageWho, getrusage};
    let gateway = Gateway::start_static(StaticOptions {
        ranges,
        ..StaticOptions::default()
    });
    let (database, container) = (StaticGateway::DATABASE, StaticGateway::CONTAINER);
    let spent = || {
        let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
        let of = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
        of(usage.user_time()) + of(usage.system_time())
    };
    // The same start, with and without the time between: the difference is the cost of idling.
    let costs = [Duration::ZERO, time].map(|time| {
        let before = spent();
        let mut child = start(&gateway.endpoint(), KEY, database, container);
        std::thread::sleep(time);
        child.kill().unwrap();
        child.wait().unwrap();
        spent() - before
    });
    let share = (costs[1] - costs[0]) / time.as_secs_f64();
    println!(
        "an idle tail of {ranges} ranges, poll interval 1 s: {:.2} % of a core",
        share * 100.0
    );
}

#[cfg(not(unix))]
fn idle(_: usize, _: Duration) {
    println!("the cost of an idle tail is measured on Unix only");
}
