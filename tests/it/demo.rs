//! The embedded account, as its clients see it: over HTTP on the loopback address.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use azure_core::credentials::Secret;
use azure_core::hmac::hmac_sha256;
use azure_data_cosmos_driver::CosmosDriver;
use azure_data_cosmos_driver::driver::CosmosDriverRuntimeBuilder;
use azure_data_cosmos_driver::models::{
    AccountReference, ChangeFeedStartFrom, CosmosOperation, FeedRange, MaxItemCountHint,
    ResponseBody,
};
use azure_data_cosmos_driver::options::{
    ConnectionPoolOptionsBuilder, DriverOptions, OperationOptions, PlanOptions,
};
use cosmos_tail::demo::{DemoAccount, DemoOptions, ForegroundOptions, run_foreground};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};

/// Nothing here takes longer than this, on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn options(documents: u32, partitions: u32) -> DemoOptions {
    DemoOptions {
        documents,
        partitions,
        ..DemoOptions::default()
    }
}

async fn connect(
    account: &DemoAccount,
    key: &str,
    http2: bool,
) -> azure_data_cosmos_driver::error::Result<Arc<CosmosDriver>> {
    let pool = ConnectionPoolOptionsBuilder::new()
        .with_is_http2_allowed(http2)
        .build()?;
    let runtime = CosmosDriverRuntimeBuilder::new()
        .with_connection_pool(pool)
        .build()
        .await?;
    let reference = AccountReference::with_account_key(
        account.endpoint().clone(),
        Secret::from(key.to_owned()),
    );
    runtime
        .create_driver(DriverOptions::builder(reference).build())
        .await
}

/// Reads the feed of the whole container from its beginning until `expected` documents and then nothing more
/// has arrived; calls `between` after the first page. Returns the documents in the order of the feed, and
/// the continuation after them.
async fn read_feed(
    account: &DemoAccount,
    http2: bool,
    page_size: u32,
    expected: usize,
    between: impl AsyncFnOnce(),
) -> (Vec<Value>, String) {
    let driver = connect(account, account.key(), http2).await.unwrap();
    let container = driver
        .resolve_container(
            DemoAccount::DATABASE,
            DemoAccount::CONTAINER,
            OperationOptions::default(),
        )
        .await
        .unwrap();
    let operation = CosmosOperation::change_feed(container.clone(), Some(FeedRange::full()))
        .with_change_feed_start(ChangeFeedStartFrom::Beginning)
        .with_max_item_count(MaxItemCountHint::Limit(NonZeroU32::new(page_size).unwrap()));
    let plan_options = PlanOptions::default();
    let mut plan = Box::pin(
        driver
            .plan_operation(operation, &OperationOptions::default(), None, &plan_options)
            .await
            .unwrap(),
    );
    let mut between = Some(between);
    let (mut documents, mut idle) = (Vec::new(), 0);
    // An idle page marks the end of one range only; there are never more than eight ranges here.
    while documents.len() < expected || idle < 16 {
        let page = Box::pin(driver.execute_plan(
            &mut plan,
            Some(container.clone()),
            OperationOptions::default(),
        ))
        .await
        .unwrap()
        .unwrap();
        match page.into_body() {
            ResponseBody::Bytes(page) if !page.is_empty() => {
                let mut page: Value = serde_json::from_slice(&page).unwrap();
                let Value::Array(items) = page["Documents"].take() else {
                    panic!("{page}");
                };
                documents.extend(items.into_iter().map(|mut item| item["current"].take()));
                idle = 0;
            }
            _ => idle += 1,
        }
        assert!(idle < 1_000, "only {} documents came", documents.len());
        if let Some(between) = between.take() {
            between().await;
        }
    }
    let token = plan.to_continuation_token().unwrap();
    (documents, token.as_str().to_owned())
}

fn by_id(documents: &[Value]) -> BTreeMap<&str, &Value> {
    let map: BTreeMap<_, _> = documents
        .iter()
        .map(|document| (document["id"].as_str().unwrap(), document))
        .collect();
    assert_eq!(map.len(), documents.len(), "a document came twice");
    map
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_feed_can_be_read_over_http_1_and_http_2() {
    let account = DemoAccount::start(&options(1_500, 3)).await.unwrap();
    let (first, _) = read_feed(&account, false, 100, 1_500, async || {}).await;
    let (second, _) = read_feed(&account, true, 1_000, 1_500, async || {}).await;
    assert_eq!(by_id(&first), by_id(&second));
    assert_eq!(account.count(None).await.unwrap(), 1_500);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_has_what_the_drivers_own_client_reads() {
    let account = DemoAccount::start(&options(1_500, 3)).await.unwrap();
    account.split(1).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let mut export = crate::command::cosmos_tail();
    export
        .env("AZURE_COSMOS_ENDPOINT", account.endpoint().as_str())
        .env("AZURE_COSMOS_KEY", account.key())
        .args([
            "-d",
            DemoAccount::DATABASE,
            "-c",
            DemoAccount::CONTAINER,
            "export",
            "-o",
        ])
        .arg(&out);
    tokio::task::spawn_blocking(move || crate::command::succeed(&mut export))
        .await
        .unwrap();
    let exported: Vec<Value> = crate::command::lines(&out)
        .iter()
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let (read, _) = read_feed(&account, true, 1_000, 1_500, async || {}).await;
    assert_eq!(by_id(&exported), by_id(&read));
    assert_eq!(account.count(None).await.unwrap(), exported.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn splits_and_a_merge_in_the_middle_of_the_feed_lose_and_repeat_nothing() {
    let account = DemoAccount::start(&options(1_500, 2)).await.unwrap();
    let (documents, _) = read_feed(&account, true, 50, 1_500, async || {
        let [lower, upper] = account.split(0).await.unwrap();
        account.split(1).await.unwrap();
        account.merge(upper, lower).await.unwrap();
    })
    .await;
    assert_eq!(by_id(&documents).len(), 1_500);
    let partitions = account.partitions().await.unwrap();
    let ids: Vec<u32> = partitions.iter().map(|partition| partition.id).collect();
    assert_eq!(ids, [6, 4, 5]);
    let mut expected = String::new();
    for partition in partitions {
        assert_eq!(partition.min_inclusive, expected);
        expected = partition.max_exclusive;
    }
    assert_eq!(expected, "FF");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_accounts_with_the_same_options_have_the_same_feed_and_positions() {
    let mut seen = Vec::new();
    for _ in 0..2 {
        let account = DemoAccount::start(&options(400, 2)).await.unwrap();
        let (mut documents, token) = read_feed(&account, true, 7, 400, async || {}).await;
        for document in &mut documents {
            let fields = document.as_object_mut().unwrap();
            fields.remove("_etag").unwrap();
            fields.remove("_ts").unwrap();
        }
        seen.push((documents, token, account.partitions().await.unwrap()));
    }
    assert!(seen[0] == seen[1]);
}

#[tokio::test]
async fn unknown_partitions_are_refused_with_the_existing_ones() {
    let account = DemoAccount::start(&options(10, 3)).await.unwrap();
    assert_eq!(
        account.merge(0, 2).await.unwrap_err().to_string(),
        "partitions 0 and 2 cannot be merged: they are not adjacent; in the order of their ranges, \
        the partitions are 0, 1, 2"
    );
    assert_eq!(
        account.split(7).await.unwrap_err().to_string(),
        "there is no partition 7; in the order of their ranges, the partitions are 0, 1, 2"
    );
}

#[tokio::test]
async fn a_port_in_use_is_an_error_with_a_hint() {
    let first = DemoAccount::start(&options(0, 1)).await.unwrap();
    let port = first.endpoint().port().unwrap();
    let taken = DemoOptions {
        port,
        ..options(0, 1)
    };
    let error = DemoAccount::start(&taken).await.err().unwrap();
    let error = cosmos_tail::error::render(&error);
    assert!(
        error.starts_with(&format!(
            "error: the demo account cannot listen on 127.0.0.1:{port}\n  Caused by: "
        )) && error.ends_with("hint: use another port, or 0 for a free one\n"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_driver_is_refused_with_a_wrong_key() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let error = connect(&account, "d3Jvbmc=", true).await.err().unwrap();
    assert_eq!(u16::from(error.status().status_code()), 401, "{error}");
}

/// Sends a request over HTTP/1.1, signed for `signed`, and returns the whole response.
pub(crate) async fn exchange(
    account: &DemoAccount,
    request: &str,
    signed: &str,
    body: &[u8],
) -> String {
    const DATE: &str = "tue, 24 nov 2026 03:00:00 gmt";
    let signature = hmac_sha256(
        &format!("{signed}\n{DATE}\n\n"),
        &Secret::from(account.key().to_owned()),
    )
    .unwrap();
    let address = account.endpoint().socket_addrs(|| None).unwrap()[0];
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let head = format!(
        "{request}host: localhost\r\nconnection: close\r\nx-ms-date: {DATE}\r\n\
         authorization: type=master&ver=1.0&sig={signature}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    write.write_all(head.as_bytes()).await.unwrap();
    write.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    read.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn slashes_at_the_end_of_a_path_do_not_matter() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let mut answers = Vec::new();
    for slashes in ["", "/", "//"] {
        let request = format!("GET /dbs/shop{slashes} HTTP/1.1\r\n");
        let answer = exchange(&account, &request, "get\ndbs\ndbs/shop", b"").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answers.push(answer.split_once("\r\n\r\n").unwrap().1.to_owned());
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
}

#[tokio::test]
async fn a_request_without_a_valid_signature_is_refused_with_401() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let answer = exchange(&account, "GET / HTTP/1.1\r\n", "get\ndbs\n", b"").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
    assert!(answer.contains(r#""code":"Unauthorized""#), "{answer}");
}

#[tokio::test]
async fn a_body_beyond_four_mebibytes_is_refused_with_413() {
    let account = DemoAccount::start(&options(0, 1)).await.unwrap();
    let request = "POST /dbs/shop/colls/orders/docs HTTP/1.1\r\n";
    let signed = "post\ndocs\ndbs/shop/colls/orders";
    let answer = exchange(&account, request, signed, &vec![b' '; (4 << 20) + 1]).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn nothing_new_is_a_304_without_a_body_and_with_a_position() {
    let account = DemoAccount::start(&options(50, 1)).await.unwrap();
    let request = "GET /dbs/shop/colls/orders/docs HTTP/1.1\r\na-im: Incremental Feed\r\n\
                   if-none-match: *\r\nx-ms-documentdb-partitionkeyrangeid: 0\r\n";
    let signed = "get\ndocs\ndbs/shop/colls/orders";
    let answer = exchange(&account, request, signed, b"").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 304 "), "{answer}");
    assert!(head.contains("\r\netag: \"50\"\r\n"), "{answer}");
    assert!(
        head.contains("\r\nx-ms-session-token: 0:-1#50\r\n"),
        "{answer}"
    );
    assert_eq!(body, "");
}

/// What [`run_foreground`] prints, sent on when it flushes.
struct Stdout {
    written: Vec<u8>,
    flushed: Option<oneshot::Sender<String>>,
}

impl std::io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        assert!(self.flushed.is_some(), "only the exports go to stdout");
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let text = String::from_utf8(std::mem::take(&mut self.written)).unwrap();
        self.flushed.take().unwrap().send(text).unwrap();
        Ok(())
    }
}

struct Foreground {
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    commands: Option<mpsc::Sender<String>>,
    exports: oneshot::Receiver<String>,
    log: mpsc::UnboundedReceiver<String>,
    shutdown: oneshot::Sender<()>,
}

impl Foreground {
    fn start(writes_per_second: f64, split_every: Option<Duration>) -> Self {
        let (flushed, exports) = oneshot::channel();
        let (sender, log) = mpsc::unbounded_channel();
        let (commands, lines) = mpsc::channel(1);
        let (shutdown, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let options = ForegroundOptions {
                account: DemoOptions {
                    documents: 300,
                    partitions: 2,
                    ..DemoOptions::default()
                },
                writes_per_second,
                split_every,
            };
            let mut stdout = Stdout {
                written: Vec::new(),
                flushed: Some(flushed),
            };
            let log = |line: &str| sender.send(line.to_owned()).unwrap();
            run_foreground(&options, &mut stdout, lines, log, |_| {}, async {
                stopped.await.unwrap();
            })
            .await
        });
        Self {
            task,
            commands: Some(commands),
            exports,
            log,
            shutdown,
        }
    }

    async fn command(&mut self, line: &str) -> String {
        let commands = self.commands.as_ref().unwrap();
        commands.send(line.to_owned()).await.unwrap();
        self.logged().await
    }

    async fn logged(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.log.recv()).await;
        line.unwrap().unwrap()
    }
}

#[tokio::test]
async fn the_foreground_prints_exports_obeys_lines_and_quits() {
    let mut demo = Foreground::start(0.0, None);
    let exports = (&mut demo.exports).await.unwrap();
    let lines: Vec<&str> = exports.lines().collect();
    assert!(lines[0].starts_with("export AZURE_COSMOS_ENDPOINT=http://127.0.0.1:"));
    assert!(lines[1].starts_with("export AZURE_COSMOS_KEY=C2y6yDjf5/"));
    assert_eq!(
        lines[2..],
        [
            "export AZURE_COSMOS_DATABASE=shop",
            "export AZURE_COSMOS_CONTAINER=orders"
        ]
    );
    assert_eq!(
        demo.command("split 0").await,
        "split partition 0 into 2 and 3"
    );
    assert_eq!(
        demo.command("merge 2 3").await,
        "merged partitions 2 and 3 into 4"
    );
    assert_eq!(
        demo.command("split 0").await,
        "there is no partition 0; in the order of their ranges, the partitions are 4, 1"
    );
    let message = demo.command("stop").await;
    assert!(message.starts_with("`stop` is not a command"), "{message}");
    let commands = demo.commands.take().unwrap();
    commands.send("quit".to_owned()).await.unwrap();
    demo.task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_closed_input_does_not_end_the_foreground_and_the_shutdown_does() {
    let mut demo = Foreground::start(2_000.0, Some(Duration::from_millis(1)));
    demo.commands = None;
    let splits = [demo.logged().await, demo.logged().await];
    assert!(splits[0].ends_with(" into 2 and 3"), "{splits:?}");
    assert!(splits[1].ends_with(" into 4 and 5"), "{splits:?}");
    assert!(!demo.task.is_finished());
    demo.shutdown.send(()).unwrap();
    demo.task.await.unwrap().unwrap();
}
