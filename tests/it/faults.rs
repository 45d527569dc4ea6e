//! Everything that can go wrong with the service and the network, at the first, a middle and the last page
//! of a range: nothing is lost or repeated, and permanent faults are reported and can be resumed.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use crate::bad_input::assert_explained;
use crate::command::{assert_latest, export, files, lines, resume, run, state_directory, succeed};
use crate::gateway::{
    Action, Container, Fault, Gateway, GatewayOptions, RequestKind, RequestRecord,
};
use crate::orders::filled_with;
use crate::replay::{COPY, replay};

const PAGE: usize = 20;
/// Documents of the container: enough for each of its three partitions to have several pages.
const DOCUMENTS: usize = 360;

/// The feed itself: not the poll for the current position of a range.
fn is_read(record: &RequestRecord) -> bool {
    record.token.as_deref() != Some("*")
}

struct Scene {
    gateway: Gateway,
    container: Container,
    _directory: tempfile::TempDir,
    out: std::path::PathBuf,
}

impl Scene {
    fn new() -> Self {
        Self::with(GatewayOptions::default())
    }

    fn with(options: GatewayOptions) -> Self {
        let (gateway, container) = filled_with(options, 3, DOCUMENTS);
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().join("out");
        Self {
            gateway,
            container,
            _directory: directory,
            out,
        }
    }

    /// How many pages a partition's feed has.
    fn pages(&self, partition: &str) -> usize {
        let served = self.container.latest();
        let of_it = served
            .iter()
            .filter(|served| served.partition == partition)
            .count();
        of_it.div_ceil(PAGE)
    }

    /// Lets `action` happen `times` at the first page of one partition, at a middle page of
    /// another, and at the last page of the third.
    fn strike(&self, action: &Action, times: usize) {
        let last = self.pages("2");
        assert!(self.pages("1") >= 4 && last >= 4, "several pages");
        for (partition, nth) in [("0", 1), ("1", 3), ("2", last)] {
            let fault = Fault::on(RequestKind::ChangeFeed, action.clone());
            self.gateway.push_fault(
                fault
                    .partition(partition)
                    .when(is_read)
                    .nth(nth)
                    .times(times),
            );
        }
    }

    fn export(&self, arguments: &[&str]) -> crate::command::Ended {
        let mut command = export(&self.gateway, &self.out);
        command.args([
            "--page-size",
            &PAGE.to_string(),
            "-v",
            "--checkpoint-interval",
            "1ms",
        ]);
        run(command.args(arguments))
    }

    #[track_caller]
    fn assert_whole(&self, name: &str) {
        assert_latest(&lines(&self.out), &self.container);
        assert!(files(&self.out, "open").is_empty(), "{name}");
        let violations = self.gateway.violations();
        assert!(violations.is_empty(), "{name}: {violations:?}");
    }
}

/// Every fault of the table is survived within one run.
fn survive(table: &[(&str, Action, usize)]) {
    survive_with(&GatewayOptions::default(), table);
}

/// The same, with gateways that are like this.
pub(crate) fn survive_with(options: &GatewayOptions, table: &[(&str, Action, usize)]) {
    for (name, action, times) in table {
        let scene = Scene::with(options.clone());
        scene.strike(action, *times);
        let ended = scene.export(&[]);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        scene.assert_whole(name);
        scene.assert_struck(name, action, *times);
    }
}

impl Scene {
    /// Asserts that the fault did happen at all three pages.
    fn assert_struck(&self, name: &str, action: &Action, times: usize) {
        let status = match action {
            Action::Status { status, .. } | Action::Refuse { status, .. } => Some(*status),
            Action::ResetBeforeHeaders => None,
            _ => return,
        };
        for partition in ["0", "1", "2"] {
            let log = self.gateway.request_log();
            let struck = log.iter().filter(|record| {
                record.kind == RequestKind::ChangeFeed
                    && record.partition.as_deref() == Some(partition)
                    && record.status == status
            });
            assert_eq!(struck.count(), times, "{name}, partition {partition}");
        }
    }
}

fn status(status: u16, substatus: u32) -> Action {
    Action::status(status, substatus)
}

#[test]
fn throttling_is_survived() {
    survive(&[
        ("429, retry at once", Action::throttle(0), 3),
        ("429, retry in a moment", Action::throttle(30), 3),
        ("429, retry-after not told", status(429, 3200), 4),
        // The SDK makes 18 attempts of its own; the remaining ones are ours.
        ("429 for longer than the SDK tries", Action::throttle(1), 25),
    ]);
}

#[test]
fn a_retry_after_of_an_hour_is_capped() {
    // The SDK waits at most 15 seconds for one answer.
    let scene = Scene::new();
    let fault = Fault::on(RequestKind::ChangeFeed, Action::throttle(3_600_000));
    scene
        .gateway
        .push_fault(fault.partition("1").nth(3).when(is_read));
    let ended = scene.export(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    scene.assert_whole("429 for an hour");
}

#[test]
fn moving_partitions_and_lagging_replicas_are_retried() {
    survive(&[
        ("410/1002 without a split", status(410, 1002), 1),
        ("410/1002 twice", status(410, 1002), 2),
        ("410/1007 without a split", status(410, 1007), 1),
        ("410/1000 stale name", status(410, 1000), 1),
        ("410 without more", status(410, 0), 1),
        ("404/1002 read session not available", status(404, 1002), 2),
        ("449 retry with", status(449, 0), 3),
    ]);
}

#[test]
fn transient_errors_are_survived() {
    survive(&[
        ("408", status(408, 0), 2),
        ("500", status(500, 0), 2),
        ("502", status(502, 0), 2),
        ("503", status(503, 0), 2),
        ("504", status(504, 0), 2),
    ]);
}

#[test]
fn broken_connections_and_bodies_are_read_again() {
    survive(&[
        ("reset before the answer", Action::ResetBeforeHeaders, 2),
        (
            "body cut at its first byte",
            Action::TruncateBody { after: 0 },
            1,
        ),
        (
            "body cut in the middle",
            Action::TruncateBody { after: 700 },
            2,
        ),
        ("half of the JSON", Action::CorruptBody, 2),
        ("not JSON", Action::ReplaceBody("<html>".into()), 2),
        (
            "JSON of another kind",
            Action::ReplaceBody("{\"Documents\":7}".into()),
            1,
        ),
        ("no body", Action::ReplaceBody("".into()), 1),
        ("no ETag", Action::MissingEtag, 2),
        (
            "a trickle",
            Action::Trickle {
                bytes: 97,
                every: Duration::from_millis(1),
            },
            1,
        ),
        ("late", Action::Delay(Duration::from_millis(50)), 1),
    ]);
}

#[test]
fn an_etag_that_does_not_advance_is_noticed() {
    for page in [1, 2, 4] {
        let scene = Scene::new();
        let fault = Fault::on(RequestKind::ChangeFeed, Action::StuckEtag);
        let fault = fault.partition("1").when(is_read).nth(page).times(2);
        scene.gateway.push_fault(fault);
        let ended = scene.export(&[]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let why = match page {
            1 => "in a page that ends at LSN ",
            _ => "but no new ETag",
        };
        let told = ended
            .stderr
            .lines()
            .any(|line| line.contains(why) && line.contains("; retry 2 of 15"));
        assert!(told, "{}", ended.stderr);
        scene.assert_whole("an ETag that does not move");
    }
}

#[test]
fn a_body_that_does_not_end_is_abandoned_and_requested_again() {
    let scene = Scene::new();
    let drip = Action::Trickle {
        bytes: 1,
        every: Duration::from_millis(20),
    };
    scene.strike(&drip, 1);
    let mut command = export(&scene.gateway, &scene.out);
    let variable = "AZURE_COSMOS_CONNECTION_POOL_MAX_DATAPLANE_REQUEST_TIMEOUT_MS";
    command.env(variable, "300");
    let ended = run(command.args(["--page-size", &PAGE.to_string()]));
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    scene.assert_whole("a body that does not end");
}

#[test]
fn a_compressed_body_is_not_unpacked() {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    // Unpacked it would be a page without documents, and much larger.
    encoder
        .write_all(b"{\"_rid\":\"\",\"Documents\":[],\"_count\":0}")
        .unwrap();
    encoder.write_all(&[b' '; 1 << 20]).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 14);
    let scene = Scene::new();
    scene.strike(&Action::Gzip(bomb.into()), 1);
    let ended = scene.export(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = "the service sent a page that cannot be used";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    scene.assert_whole("a compressed body");
}

#[test]
fn a_body_that_is_too_large_is_not_kept_in_memory() {
    survive(&[
        ("a body without an end", Action::Endless, 1),
        (
            "a body that announces 1 GB",
            Action::AnnounceBody(1 << 30),
            1,
        ),
    ]);
    let is_too_long = "413: the answer is longer than 64 MiB, more than any answer of the service";
    stop_and_resume(&[
        ("always without an end", Action::Endless, &[is_too_long]),
        ("always 1 GB", Action::AnnounceBody(1 << 30), &[is_too_long]),
    ]);
}

#[test]
fn a_redirect_to_another_server_is_not_followed() {
    let elsewhere = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let address = format!("http://{}", elsewhere.local_addr().unwrap());
    let redirect = Action::redirect(format!("{address}/some/where?token=a"));
    survive(&[("a redirect elsewhere", redirect.clone(), 2)]);
    let reported = format!(
        "307: the server redirects to {address}, another server, to which requests are not sent"
    );
    stop_and_resume(&[("always", redirect.clone(), &[&reported])]);

    // The first request to the account is signed too, and so is a write.
    let scene = Scene::new();
    let fault = Fault::on(RequestKind::Account, redirect.clone());
    scene.gateway.push_fault(fault.always());
    assert_explained(&scene.export(&[]), 1, &[&reported]);
    let scene = Scene::new();
    succeed(&mut export(&scene.gateway, &scene.out));
    let target = Gateway::start(GatewayOptions::default());
    let copy = target.create_container("shop", COPY, "/pk", 1);
    target.push_fault(Fault::on(RequestKind::ItemWrite, redirect).always());
    let ended = run(replay(&target, &scene.out).args(["--max-retries", "0"]));
    assert_explained(&ended, 1, &[&reported]);
    assert!(copy.latest().is_empty(), "nothing was written");

    let heard = elsewhere.accept().map(|(_, from)| from);
    let error = heard.expect_err("nobody may have come");
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "{error}");
}

#[test]
fn a_redirect_within_the_server_is_followed() {
    // Back to the same page, which is served then.
    let to_itself = |status| Action::Redirect {
        status,
        to: String::new(),
    };
    survive(&[
        ("a redirect to itself", to_itself(307), 2),
        ("for good", to_itself(308), 2),
    ]);
    // But not forever, and not to where it would become another request.
    let told =
        |status| format!("{status}: the server sent a redirect of a kind that is not followed");
    for (name, status) in [
        ("in a circle", 307),
        ("as whatever", 301),
        ("as whatever", 302),
        ("as a read", 303),
    ] {
        stop_and_resume(&[(name, to_itself(status), &[&told(status)])]);
    }
}

#[test]
fn a_page_that_is_too_large_is_requested_in_smaller_pages() {
    let too_big = Action::Refuse {
        status: 400,
        message: "Reduce page size and try again: the response size is too large",
    };
    survive(&[("page size is too big", too_big.clone(), 2)]);
    // Until a page has one document.
    let scene = Scene::new();
    let fault = Fault::on(RequestKind::ChangeFeed, too_big);
    let is_large = |record: &RequestRecord| is_read(record) && record.max_item_count > Some(1);
    scene
        .gateway
        .push_fault(fault.partition("1").when(is_large).always());
    let ended = scene.export(&[]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    scene.assert_whole("pages of one");
}

/// Every fault of the table ends its range and no other; a resume reads the rest.
fn stop_and_resume(table: &[(&str, Action, &[&str])]) {
    for (name, action, parts) in table {
        let scene = Scene::new();
        let fault = Fault::on(RequestKind::ChangeFeed, action.clone());
        scene
            .gateway
            .push_fault(fault.partition("1").nth(3).when(is_read).always());
        let ended = scene.export(&["--max-retries", "1"]);
        let first = "error: 1 of 3 feed ranges failed: range 1; the others are complete";
        let last = format!(
            "cosmos-tail resume --state {}",
            state_directory(&scene.out).join("state.json").display()
        );
        let all: Vec<&str> = [first, "what was committed is kept", &last]
            .into_iter()
            .chain(parts.iter().copied())
            .collect();
        assert_explained(&ended, 3, &all);
        assert_eq!(
            files(&scene.out, "jsonl").len(),
            2,
            "{name}: the others are finished"
        );
        assert_eq!(
            committed(&scene.out),
            scene.container.latest().len() - (scene.pages_left()),
            "{name}"
        );
        scene.gateway.clear_faults();
        succeed(&mut resume(&scene.gateway, &scene.out));
        scene.assert_whole(name);
    }
}

impl Scene {
    /// The documents of partition 1 from its third page on.
    fn pages_left(&self) -> usize {
        let served = self.container.latest();
        served
            .iter()
            .filter(|served| served.partition == "1")
            .count()
            - 2 * PAGE
    }
}

/// The documents that the state in a directory speaks of.
fn committed(out: &Path) -> usize {
    let state = cosmos_tail::state::file::load(&state_directory(out).join("state.json")).unwrap();
    usize::try_from(state.totals.documents).unwrap()
}

#[test]
fn refusals_end_only_their_range_resumably() {
    stop_and_resume(&[
        (
            "401",
            status(401, 0),
            &["401", "check that the key or identity may still read"],
        ),
        (
            "403",
            status(403, 0),
            &["403", "check that the key or identity may still read"],
        ),
        ("403/5300", status(403, 5300), &["403/5300"]),
        ("400", status(400, 0), &["400", "the script wants this"]),
        ("404", status(404, 0), &["404", "the container was deleted"]),
        (
            "410/1024",
            status(410, 1024),
            &["410/1024", "export the container to a new place"],
        ),
        (
            "400 about the token",
            Action::Refuse {
                status: 400,
                message: "the continuation is invalid",
            },
            &[
                "the continuation is invalid",
                "export the container to a new place",
            ],
        ),
        (
            "400 too big for one",
            Action::Refuse {
                status: 400,
                message: "Reduce page size and try again",
            },
            &["a page of a single item is too large"],
        ),
    ]);
}

#[test]
fn a_forbidden_answer_ends_its_range_resumably() {
    stop_and_resume(&[("403/3", status(403, 3), &["403/3"])]);
}

#[test]
fn persistent_errors_end_their_range_resumably() {
    stop_and_resume(&[
        ("500", status(500, 0), &["gave up after 2 tries", "500"]),
        ("503", status(503, 0), &["gave up after 2 tries", "503"]),
        ("408", status(408, 0), &["gave up after 2 tries", "408"]),
        (
            "429",
            Action::throttle(0),
            &["gave up after 2 tries", "429"],
        ),
        (
            "404/1002",
            status(404, 1002),
            &["gave up after 2 tries", "404/1002"],
        ),
        ("410/1002", status(410, 1002), &["gave up after 2 tries"]),
    ]);
}

#[test]
fn persistent_broken_answers_end_their_range_resumably() {
    stop_and_resume(&[
        (
            "reset",
            Action::ResetBeforeHeaders,
            &["gave up after 2 tries"],
        ),
        (
            "cut",
            Action::TruncateBody { after: 300 },
            &["gave up after 2 tries"],
        ),
        (
            "half of the JSON",
            Action::CorruptBody,
            &["gave up after 2 tries", "a page that cannot be used"],
        ),
        (
            "no ETag",
            Action::MissingEtag,
            &["gave up after 2 tries", "but no new ETag"],
        ),
        (
            "a stuck ETag",
            Action::StuckEtag,
            &["gave up after 2 tries", "but no new ETag"],
        ),
    ]);
}

#[test]
fn a_resume_meets_the_same_faults_and_survives_them() {
    for action in [
        status(410, 1002),
        status(503, 0),
        Action::ResetBeforeHeaders,
        Action::CorruptBody,
    ] {
        let scene = Scene::new();
        let gone = Fault::on(RequestKind::ChangeFeed, status(403, 0));
        scene
            .gateway
            .push_fault(gone.partition("1").nth(3).when(is_read).always());
        assert_eq!(scene.export(&[]).code, Some(3));
        scene.gateway.clear_faults();
        let fault = Fault::on(RequestKind::ChangeFeed, action.clone());
        scene
            .gateway
            .push_fault(fault.partition("1").when(is_read).times(2));
        succeed(&mut resume(&scene.gateway, &scene.out));
        scene.assert_whole(&format!("{action:?}"));
    }
}
