//! What a running command answers over HTTP, against the gateway's own log.

mod bad_clients;
mod figures;
mod health;
#[cfg(all(target_os = "linux", feature = "demo"))]
mod prometheus;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::{Ended, signal};
use crate::gateway::{Gateway, RequestRecord};

/// How long something that must come may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running command whose endpoints answer.
pub(super) struct Served {
    child: Owned,
    pub(super) address: SocketAddr,
    shown: Arc<Mutex<String>>,
    stdout: JoinHandle<()>,
    stderr: JoinHandle<()>,
    said: Arc<Mutex<String>>,
}

/// A process that does not outlive its test.
struct Owned(Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Reads lines to their end, from the start: a pipe without a reader would block its writer.
fn collect(mut lines: impl BufRead + Send + 'static, text: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut line = String::new();
        while lines.read_line(&mut line).unwrap_or(0) > 0 {
            text.lock().unwrap().push_str(&line);
            line.clear();
        }
    })
}

/// An answer of an endpoint.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Served {
    /// Starts a command with endpoints at a free port.
    #[track_caller]
    pub(super) fn start(command: &mut Command) -> Self {
        Self::start_at("127.0.0.1:0", command)
    }

    /// Starts a command with endpoints at this address.
    #[track_caller]
    pub(super) fn start_at(address: &str, command: &mut Command) -> Self {
        let mut child = Owned(
            command
                .args(["--metrics-listen", address])
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let shown = Arc::default();
        let stdout = collect(
            BufReader::new(child.0.stdout.take().unwrap()),
            Arc::clone(&shown),
        );
        let mut lines = BufReader::new(child.0.stderr.take().unwrap());
        let mut text = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).unwrap() > 0, "it ended: {text}");
            text.push_str(&line);
            if let Some((_, url)) = line.trim().split_once("serving metrics at http://") {
                break url.strip_suffix("/metrics").unwrap().parse().unwrap();
            }
        };
        let said = Arc::new(Mutex::new(text));
        let stderr = collect(lines, Arc::clone(&said));
        Self {
            child,
            address,
            shown,
            stdout,
            stderr,
            said,
        }
    }

    /// The answer to a GET request.
    #[track_caller]
    pub(super) fn get(&self, path: &str) -> Answer {
        ask(self.address, "GET", path)
    }

    /// The variables that `demo` prints.
    #[cfg(all(target_os = "linux", feature = "demo"))]
    pub(super) fn variables(&self) -> Vec<(String, String)> {
        let text = wait_until("the variables", || {
            let text = self.shown.lock().unwrap().clone();
            if text.contains("_CONTAINER=") {
                Ok(text)
            } else {
                Err(text)
            }
        });
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("export ")?.split_once('='));
        lines
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The samples of `/metrics`, each by its name with its labels.
    #[track_caller]
    pub(super) fn metrics(&self) -> BTreeMap<String, f64> {
        samples(&self.get("/metrics").body)
    }

    /// `/progress`.
    #[track_caller]
    pub(super) fn progress(&self) -> Value {
        serde_json::from_str(&self.get("/progress").body).unwrap()
    }

    /// The same while it runs.
    pub(super) fn try_progress(&self) -> Option<Value> {
        let request = b"GET /progress HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let text = try_exchange(self.address, request).ok()?;
        serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()
    }

    /// Waits until an endpoint answers with this status.
    #[track_caller]
    pub(super) fn wait_for_status(&self, path: &str, status: u16) -> Answer {
        wait_until(&format!("{status} from {path}"), || {
            let answer = self.get(path);
            if answer.status == status {
                Ok(answer)
            } else {
                Err(format!("{} {}", answer.status, answer.body))
            }
        })
    }

    /// Waits until everything that exists is committed.
    #[track_caller]
    pub(super) fn wait_until_up_to_date(&self) {
        wait_until("the last commit", || {
            let progress = self.progress();
            if progress["up_to_date"] == true {
                Ok(())
            } else {
                Err(progress.to_string())
            }
        });
    }

    /// Interrupts it, and returns its output.
    #[track_caller]
    pub(super) fn stop(self) -> Ended {
        self.stop_by(Signal::SIGINT)
    }

    /// Ends it by a signal, and returns its output.
    #[track_caller]
    pub(super) fn stop_by(self, by: Signal) -> Ended {
        self.signal(by);
        self.end()
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, by: Signal) {
        signal(&self.child.0, by);
    }

    /// Kills it.
    pub(super) fn kill(mut self) {
        self.child.0.kill().unwrap();
        self.end();
    }

    /// Waits for its end, and returns its output.
    #[track_caller]
    pub(super) fn end(mut self) -> Ended {
        let code = self.child.0.wait().unwrap().code();
        self.stdout.join().unwrap();
        self.stderr.join().unwrap();
        let stdout = self.shown.lock().unwrap().clone();
        let stderr = self.said.lock().unwrap().clone();
        Ended {
            code,
            stdout,
            stderr,
        }
    }
}

/// Sends a request, and returns the answer.
#[track_caller]
pub(super) fn ask(address: SocketAddr, method: &str, path: &str) -> Answer {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let text = exchange(address, request.as_bytes());
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    Answer {
        status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    }
}

/// Sends bytes, and returns what comes until the connection is closed.
#[track_caller]
pub(super) fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    try_exchange(address, bytes).unwrap()
}

fn try_exchange(address: SocketAddr, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(bytes)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Waits until `attempt` succeeds.
#[track_caller]
pub(super) fn wait_until<T>(what: &str, mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(last) => assert!(began.elapsed() < PATIENCE, "{what} does not come: {last}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The samples of a text in the format of Prometheus.
pub(super) fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    });
    parsed.collect()
}

/// The sum of all samples of a metric, whatever their labels are.
pub(super) fn sum(samples: &BTreeMap<String, f64>, metric: &str) -> f64 {
    samples
        .iter()
        .filter(|(name, _)| name.split('{').next() == Some(metric))
        .map(|(_, value)| value)
        .sum()
}

/// How often each status is in a log of requests.
pub(super) fn by_status(log: &[RequestRecord]) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for record in log {
        let status = record
            .status
            .map_or("none".to_owned(), |status| status.to_string());
        *counts.entry(status).or_default() += 1.0;
    }
    counts
}

/// The same of a scrape, over all directions.
pub(super) fn requests_of(samples: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let mut counts = BTreeMap::new();
    for (name, value) in samples {
        if name.starts_with("cosmos_tail_requests_total") {
            let (_, status) = name.split_once("status=\"").unwrap();
            let status = status.split('"').next().unwrap();
            *counts.entry(status.to_owned()).or_default() += value;
        }
    }
    counts
}

/// Waits until the metrics agree with the gateway's log about requests, throttling and charges.
#[track_caller]
pub(super) fn wait_for_agreement(served: &Served, gateway: &Gateway) -> BTreeMap<String, f64> {
    wait_until("agreement with the gateway's log", || {
        let log = gateway.request_log();
        let samples = served.metrics();
        let throttled = log.iter().filter(|one| one.status == Some(429)).count();
        let charged: u64 = log.iter().map(|one| one.charge_hundredths).sum();
        let expected = (by_status(&log), throttled as f64, charged as f64 / 100.0);
        let found = (
            requests_of(&samples),
            sum(&samples, "cosmos_tail_throttled_requests_total"),
            (sum(&samples, "cosmos_tail_request_units_total") * 100.0).round() / 100.0,
        );
        if found == expected {
            Ok(samples)
        } else {
            Err(format!("{found:?} instead of {expected:?}"))
        }
    })
}
