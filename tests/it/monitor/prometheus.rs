//! A real Prometheus scrapes real runs: every query of the dashboard, of the page and of the rules gives a value,
//! and each alert fires by a fault and resolves. `promtool` checks the metrics, the rules and their times.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::command::{CONTAINER, DATABASE, against, cosmos_tail};
use crate::gateway::{Action, Container, Fault, Hold, RequestKind};
use crate::left_out::say;
use crate::orders::{fill, filled};
use crate::replay::COPY;

/// Set by the gate, where the test may not be left out.
const REQUIRED: &str = "COSMOS_TAIL_TEST_PROMETHEUS";

fn page(name: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join("docs/observability").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(page(name)).unwrap()
}

/// Whether Prometheus is installed. Without it the test is left out, except in the gate.
fn is_installed() -> bool {
    let found = ["prometheus", "promtool"].map(|program| {
        let version = Command::new(program).arg("--version").output();
        version.is_ok_and(|output| output.status.success())
    });
    let is_installed = found == [true, true];
    assert!(
        is_installed || std::env::var_os(REQUIRED).is_none(),
        "{REQUIRED} is set, but prometheus and promtool are not installed"
    );
    if !is_installed {
        say("left out: a real Prometheus and promtool are not installed");
    }
    is_installed
}

/// Runs promtool, which must find nothing wrong.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) {
    let mut child = Command::new("promtool")
        .args(arguments)
        .current_dir(page(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let ended: Ended = child.wait_with_output().unwrap().into();
    // What it would rather have otherwise is printed too, with an exit code of 3.
    assert_eq!(
        ended.code,
        Some(0),
        "{arguments:?}\n{}{}",
        ended.stdout,
        ended.stderr
    );
}

/// The rules with times of seconds, so that a test can wait for them.
fn shortened(rules: &str) -> String {
    let mut text = rules.to_owned();
    for (long, short) in [
        ("for: 2m", "for: 1s"),
        ("for: 5m", "for: 1s"),
        ("for: 10m", "for: 1s"),
        ("for: 15m", "for: 1s"),
        ("[5m]", "[8s]"),
        ("[10m]", "[8s]"),
        ("[15m]", "[8s]"),
        ("[1h]", "[20s]"),
        ("offset 15m", "offset 8s"),
        ("> 300", "> 4"),
    ] {
        assert!(text.contains(long), "no `{long}` in the rules");
        text = text.replace(long, short);
    }
    assert!(!text.contains("m]") && !text.contains("h]"), "{text}");
    text
}

/// The expressions of the rules, each with its alert.
fn rules_of(text: &str) -> Vec<(String, String)> {
    let mut rules = Vec::new();
    let mut lines = text.lines().peekable();
    let mut alert = String::new();
    while let Some(line) = lines.next() {
        let line = line.trim();
        if let Some(name) = line.strip_prefix("- alert: ") {
            alert = name.to_owned();
        } else if line == "expr: >-" {
            let mut parts = Vec::new();
            while let Some(part) = lines.next_if(|next| next.starts_with("          ")) {
                parts.push(part.trim());
            }
            rules.push((alert.clone(), parts.join(" ")));
        } else if let Some(expression) = line.strip_prefix("expr: ") {
            rules.push((alert.clone(), expression.to_owned()));
        }
    }
    rules
}

/// The expressions of the dashboard, with values for its variables.
fn dashboard() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array())
        .flatten();
    let expressions: Vec<String> = targets
        .map(|target| {
            let expression = target["expr"].as_str().unwrap();
            let expression = expression.replace("$__rate_interval", "10s");
            expression.replace("$job", ".*").replace("$instance", ".*")
        })
        .collect();
    assert!(expressions.len() >= 30);
    assert!(
        expressions
            .iter()
            .all(|expression| !expression.contains("$_"))
    );
    expressions
}

/// The example queries of the page.
fn examples() -> Vec<String> {
    let page = read("README.md");
    let (_, table) = page.split_once("<!-- metrics:").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let examples: Vec<String> = rows
        .map(|row| {
            let last = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
            last.trim_matches('`').to_owned()
        })
        .collect();
    assert!(examples.len() >= 30);
    examples
}

/// A Prometheus that scrapes and evaluates each second.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _directory: tempfile::TempDir,
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Prometheus {
    fn start(targets: &[SocketAddr]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["rules.yml"],
            "scrape_configs": [{"job_name": "cosmos-tail", "static_configs": [{"targets": targets}]}],
        });
        // JSON is YAML.
        std::fs::write(path("prometheus.yml"), config.to_string()).unwrap();
        std::fs::write(path("rules.yml"), shortened(&read("rules.yml"))).unwrap();
        let log = std::fs::File::create(path("log")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = port.local_addr().unwrap();
        drop(port);
        let child = Command::new("prometheus")
            .arg(format!(
                "--config.file={}",
                path("prometheus.yml").display()
            ))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let log = path("log");
        let this = Self {
            child,
            address,
            _directory: directory,
        };
        wait_until("Prometheus", || {
            let answer = TcpStream::connect(address).map(|_| ask(address, "GET", "/-/ready"));
            match answer {
                Ok(answer) if answer.status == 200 => Ok(()),
                answer => Err(format!(
                    "{answer:?}: {}",
                    std::fs::read_to_string(&log).unwrap()
                )),
            }
        });
        this
    }

    /// An answer of its API.
    fn api(&self, path: &str) -> Result<Value, String> {
        // HTTP/1.0: the body is one piece, and ends with the connection.
        let request = format!(
            "GET /api/v1/{path} HTTP/1.0\r\nHost: {}\r\n\r\n",
            self.address
        );
        let text = exchange(self.address, request.as_bytes());
        let (_, body) = text.split_once("\r\n\r\n").unwrap_or_default();
        let answer: Value =
            serde_json::from_str(body).map_err(|error| format!("{error}: {text}"))?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string())
        }
    }

    /// The values of a query.
    fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let encoded: String = expression
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let data = self.api(&format!("query?query={encoded}"))?;
        Ok(data["result"].as_array().unwrap().clone())
    }

    /// Waits until each query has given a value.
    #[track_caller]
    fn wait_for_values(&self, expressions: impl IntoIterator<Item = String>) {
        let mut without: BTreeSet<String> = expressions.into_iter().collect();
        wait_until("a value of each query", || {
            without.retain(|expression| match self.query(expression) {
                Ok(values) => values.is_empty(),
                Err(wrong) => panic!("{expression}: {wrong}"),
            });
            if without.is_empty() {
                Ok(())
            } else {
                Err(format!("{without:#?}"))
            }
        });
    }

    /// The alerts that fire, each with its instance.
    fn firing(&self) -> BTreeSet<(String, String)> {
        let data = self.api("alerts").unwrap_or_default();
        let alerts = data["alerts"].as_array().cloned().unwrap_or_default();
        let firing = alerts.iter().filter(|alert| alert["state"] == "firing");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        firing
            .map(|alert| {
                let labels = &alert["labels"];
                (text(&labels["alertname"]), text(&labels["instance"]))
            })
            .collect()
    }

    /// Waits until an alert about an instance fires, or no longer does.
    #[track_caller]
    fn wait_for_alert(&self, alert: &str, instance: SocketAddr, fires: bool) {
        let wanted = (alert.to_owned(), instance.to_string());
        wait_until(&format!("{alert} of {instance} (fires: {fires})"), || {
            let firing = self.firing();
            if firing.contains(&wanted) == fires {
                Ok(())
            } else {
                Err(format!("{firing:?}"))
            }
        });
    }
}

/// A tail of the gateway's container, with a state.
fn tail(gateway: &Gateway, directory: &Path) -> Command {
    let mut command = against(gateway);
    command.args([
        "tail",
        "--from",
        "beginning",
        "--page-size",
        "100",
        "--poll-interval",
        "50ms",
    ]);
    command.args(["--max-ru", "1000000", "--metrics-per-range"]);
    command.arg("-o").arg(directory.join("out.jsonl"));
    command.arg("--state").arg(directory.join("state"));
    command
}

/// Starts a tail again at the address where it was.
fn start_again(gateway: &Gateway, directory: &Path, address: SocketAddr) -> Served {
    let mut command = against(gateway);
    command.args([
        "tail",
        "--page-size",
        "100",
        "--poll-interval",
        "50ms",
        "--metrics-per-range",
    ]);
    command.args(["--max-ru", "1000000"]);
    command.arg("-o").arg(directory.join("out.jsonl"));
    command.arg("--state").arg(directory.join("state"));
    Served::start_at(&address.to_string(), &mut command)
}

#[test]
fn each_query_gives_a_value_and_each_alert_fires_and_resolves() {
    if !is_installed() {
        return;
    }
    promtool(&["check", "rules", "rules.yml"], "");
    promtool(&["test", "rules", "rules.test.yml"], "");
    let directory = tempfile::tempdir().unwrap();

    // The embedded account under writes and splits, and a tail of it.
    let account = Served::start(cosmos_tail().args([
        "demo",
        "--documents",
        "2000",
        "--writes-per-second",
        "50",
        "--split-every",
        "5s",
    ]));
    account.wait_for_status("/readyz", 200);
    let endpoint = account.variables();
    let mut of_demo = cosmos_tail();
    of_demo
        .envs(endpoint)
        .args(["tail", "--mode", "all", "--poll-interval", "100ms"]);
    let of_demo = Served::start(&mut of_demo);

    // A tail, and a copy of its container.
    let (gateway, container) = filled(2, 300);
    let copy = gateway.create_container(DATABASE, COPY, "/pk", 1);
    let tailing = Served::start(&mut tail(&gateway, directory.path()));
    let mut copying = against(&gateway);
    copying.env("AZURE_COSMOS_CONTAINER", COPY);
    copying.args([
        "replay",
        "--follow",
        "--from-container",
        &format!("{DATABASE}/{CONTAINER}"),
    ]);
    copying.arg("--state").arg(directory.path().join("copy"));
    copying
        .arg("--dead-letter")
        .arg(directory.path().join("letters.jsonl"));
    copying.args(["--max-errors", "10"]);
    let copying = Served::start(&mut copying);
    let mut comparing = against(&gateway);
    comparing.env("AZURE_COSMOS_CONTAINER", COPY);
    comparing.args(["compare", "--follow", "--settle", "1s"]);
    comparing.args(["--from-container", &format!("{DATABASE}/{CONTAINER}")]);
    let comparing = Served::start(&mut comparing);

    // An export that loses a range, and waits for another one.
    let (other, _) = filled(2, 50);
    let hold = Hold::new();
    let page_of = |partition, action| {
        let fault = Fault::on(RequestKind::ChangeFeed, action).partition(partition);
        fault.when(RequestRecord::is_page).always()
    };
    other.push_fault(page_of("0", Action::status(403, 0)));
    other.push_fault(page_of("1", Action::Hold(hold.clone())));
    let mut failing = against(&other);
    failing
        .arg("export")
        .arg("-o")
        .arg(directory.path().join("export"));
    let failing = Served::start(&mut failing);

    let all = [&account, &of_demo, &tailing, &copying, &comparing, &failing];
    for served in all {
        promtool(&["check", "metrics"], &served.get("/metrics").body);
    }
    let prometheus = Prometheus::start(&all.map(|served| served.address));
    let rules = rules_of(&read("rules.yml"));
    assert_eq!(rules.len(), 8);
    for (alert, expression) in &rules {
        prometheus
            .query(expression)
            .unwrap_or_else(|wrong| panic!("{alert}: {wrong}"));
    }
    prometheus.wait_for_values(dashboard());
    prometheus.wait_for_values(examples());
    assert_eq!(comparing.stop().code, Some(0));

    let mut fired = BTreeSet::new();
    let mut fires = |alerts: &[&str], instance: SocketAddr, cause: &mut dyn FnMut(bool)| {
        cause(true);
        for alert in alerts {
            prometheus.wait_for_alert(alert, instance, true);
            fired.insert((*alert).to_owned());
        }
        cause(false);
        for alert in alerts {
            prometheus.wait_for_alert(alert, instance, false);
        }
    };
    let (tail_at, copy_at, failing_at) = (tailing.address, copying.address, failing.address);

    // A range that failed, until its export has ended.
    let mut failing = Some(failing);
    fires(&["CosmosTailRangeFailed"], failing_at, &mut |begins| {
        if !begins {
            hold.release();
            let ended = failing.take().unwrap().end();
            assert_eq!(ended.code, Some(3), "{}", ended.stderr);
        }
    });

    // An account that throttles all that is asked of it.
    let throttled = ["CosmosTailThrottled", "CosmosTailRetrying"];
    fires(&throttled, tail_at, &mut |begins| {
        if begins {
            gateway.push_fault(Fault::on(RequestKind::ChangeFeed, Action::throttle(1)).always());
        } else {
            gateway.clear_faults();
        }
    });

    // A backlog that is not read.
    let stuck = Hold::new();
    let behind = ["CosmosTailLagGrows", "CosmosTailNoCommit"];
    fires(&behind, tail_at, &mut |begins| {
        if begins {
            begin_backlog(&gateway, &container, &stuck);
        } else {
            gateway.clear_faults();
            stuck.release();
        }
    });

    // Documents that the target refuses.
    fires(&["CosmosTailDeadLetters"], copy_at, &mut |begins| {
        if begins {
            copy.refuse("item-7", 400);
            fill(&container, 7..8);
        }
    });

    // A process that is killed, and started again and again.
    let mut tailing = Some(tailing);
    fires(&["CosmosTailDown"], tail_at, &mut |begins| {
        if begins {
            tailing.take().unwrap().kill();
        } else {
            tailing = Some(start_again(&gateway, directory.path(), tail_at));
        }
    });
    fires(&["CosmosTailRestarts"], tail_at, &mut |begins| {
        if !begins {
            return;
        }
        for _ in 0..4 {
            let before = tailing.take().unwrap();
            let then = started_at(&prometheus, tail_at);
            before.kill();
            tailing = Some(start_again(&gateway, directory.path(), tail_at));
            wait_until("a scrape of the new process", || {
                let now = started_at(&prometheus, tail_at);
                if now > then {
                    Ok(())
                } else {
                    Err(format!("{now:?}"))
                }
            });
        }
    });
    let alerts: BTreeSet<String> = rules.into_iter().map(|(alert, _)| alert).collect();
    assert_eq!(fired, alerts);
}

/// When the process at this address started, by its last scrape.
fn started_at(prometheus: &Prometheus, address: SocketAddr) -> Option<f64> {
    let query = format!("process_start_time_seconds{{instance=\"{address}\"}}");
    let values = prometheus.query(&query).ok()?;
    values.first()?["value"][1].as_str()?.parse().ok()
}

/// Writes more documents than a page has, and holds the requests for all pages after the next.
fn begin_backlog(gateway: &Gateway, container: &Container, hold: &Hold) {
    let (waiting, handle) = (hold.clone(), container.clone());
    // The tail alone reads pages of a hundred documents; the copy reads larger ones.
    let is_tail = |record: &RequestRecord| record.is_page() && record.max_item_count == Some(100);
    let write = Action::call(move || {
        if handle.latest().len() < 500 {
            fill(&handle, 300..800);
        }
    });
    gateway.push_fault(Fault::on(RequestKind::ChangeFeed, write).when(is_tail));
    gateway.push_fault(
        Fault::on(RequestKind::ChangeFeed, Action::Hold(waiting))
            .when(is_tail)
            .nth(3)
            .always(),
    );
}
