//! Exports to object stores, on Microsoft's emulator Azurite and on moto's S3. They run if `COSMOS_TAIL_TEST_AZURITE` names
//! the `node_modules` of the first, and `COSMOS_TAIL_TEST_MOTO` a Python that has the second, as in `.ci/run`.

mod careless;
mod columns;
mod deleted;
mod expired;
mod groups;
mod names;
mod partitioned;
mod rig;
mod shards;
mod sides;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use cosmos_tail::destination::manifest::Entry;
use cosmos_tail::failpoint::CALLS;
use futures_util::TryStreamExt;
use nix::sys::signal::Signal;
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::command::{
    Ended, against, assert_latest, assert_same, cosmos_tail, fail, run, signal, spawn, split_lines,
    succeed, wait,
};
use crate::gateway::{Container, Gateway};
use crate::left_out::say;
use crate::orders::{fill, filled};
use crate::replay::content;

/// The account and the key of every Azurite.
const ACCOUNT: &str = "devstoreaccount1";
const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Azurite,
    Moto,
}

/// A server with an empty container or bucket `lake`.
struct Emulator {
    kind: Kind,
    address: String,
    _server: Child,
}

/// Those that are to be run: one of each kind for all tests. They end with this process, when the pipe closes.
fn emulators() -> impl Iterator<Item = &'static Emulator> {
    static AZURITE: OnceLock<Option<Emulator>> = OnceLock::new();
    static MOTO: OnceLock<Option<Emulator>> = OnceLock::new();
    let azurite = AZURITE.get_or_init(|| Emulator::start(Kind::Azurite));
    let moto = MOTO.get_or_init(|| Emulator::start(Kind::Moto));
    azurite.iter().chain(moto)
}

impl Emulator {
    fn start(kind: Kind) -> Option<Self> {
        let variable = match kind {
            Kind::Azurite => "COSMOS_TAIL_TEST_AZURITE",
            Kind::Moto => "COSMOS_TAIL_TEST_MOTO",
        };
        let Some(installed) = std::env::var_os(variable) else {
            say(&format!(
                "left out: exports to an object store ({variable} is not set); .ci/run runs them"
            ));
            return None;
        };
        let installed = std::path::absolute(installed).unwrap();
        let script = |name: &str| format!("{}/tests/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut command = match kind {
            Kind::Azurite => {
                let mut node = Command::new("node");
                node.arg(script("azurite/serve.mjs"))
                    .env("AZURITE", installed);
                node
            }
            Kind::Moto => {
                let mut python = Command::new(installed);
                python.arg(script("moto/serve.py"));
                python
            }
        };
        let mut server = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().to_owned();
        assert!(address.starts_with("http://"), "`{address}`");
        Some(Self {
            kind,
            address,
            _server: server,
        })
    }

    /// A place for an export that nothing else has.
    fn place(&'static self) -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let path = format!("exports/{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let store: Arc<dyn ObjectStore> = match self.kind {
            Kind::Azurite => Arc::new(
                MicrosoftAzureBuilder::new()
                    .with_account(ACCOUNT)
                    .with_access_key(KEY)
                    .with_container_name("lake")
                    .with_endpoint(format!("{}/{ACCOUNT}", self.address))
                    .with_allow_http(true)
                    .build()
                    .unwrap(),
            ),
            Kind::Moto => Arc::new(
                AmazonS3Builder::new()
                    .with_access_key_id("test")
                    .with_secret_access_key("test")
                    .with_bucket_name("lake")
                    .with_endpoint(&self.address)
                    .with_allow_http(true)
                    .build()
                    .unwrap(),
            ),
        };
        Place {
            emulator: self,
            path,
            store,
        }
    }
}

/// Where an export is.
struct Place {
    emulator: &'static Emulator,
    path: String,
    store: Arc<dyn ObjectStore>,
}

impl Place {
    fn address(&self) -> String {
        let scheme = match self.emulator.kind {
            Kind::Azurite => "az",
            Kind::Moto => "s3",
        };
        format!("{scheme}://lake/{}/", self.path)
    }

    fn reach<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let address = &self.emulator.address;
        match self.emulator.kind {
            Kind::Azurite => command
                .env("AZURE_STORAGE_USE_EMULATOR", "true")
                .env("AZURITE_BLOB_STORAGE_URL", address),
            Kind::Moto => command
                .env("AWS_ENDPOINT_URL", address)
                .env("AWS_ACCESS_KEY_ID", "test")
                .env("AWS_SECRET_ACCESS_KEY", "test"),
        }
    }

    /// An export of many small objects.
    fn export(&self, gateway: &Gateway) -> Command {
        let mut command = against(gateway);
        self.reach(&mut command)
            .args(["export", "-o", &self.address(), "--page-size", "20"])
            .args(["--rotate-bytes", "4KiB", "--checkpoint-bytes", "1KiB"]);
        command
    }

    fn resume(&self, gateway: &Gateway) -> Command {
        let mut command = against(gateway);
        self.reach(&mut command).args(["resume", &self.address()]);
        command
    }

    fn verify(&self) -> Ended {
        run(self
            .reach(&mut cosmos_tail())
            .args(["verify", "--strict", &self.address()]))
    }

    /// The objects below the address with their contents, in the order of their names, read without our code.
    fn objects(&self) -> Vec<(String, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let prefix = Path::from(self.path.as_str());
        runtime.block_on(async {
            let mut found = Vec::new();
            let listed = self.store.list(Some(&prefix));
            for object in listed.try_collect::<Vec<_>>().await.unwrap() {
                let bytes = self.store.get(&object.location).await.unwrap();
                let name = object.location.as_ref();
                let name = name.strip_prefix(&format!("{}/", self.path)).unwrap();
                found.push((name.to_owned(), bytes.bytes().await.unwrap().to_vec()));
            }
            found.sort();
            found
        })
    }

    /// Checks that the export has every latest change of `container` once, that its objects are what the manifest
    /// lists, and that nothing else is there.
    #[track_caller]
    fn judge(&self, container: &Container) {
        let objects = self.objects();
        let mut lines = Vec::new();
        let mut listed = BTreeSet::new();
        for (_, text) in objects
            .iter()
            .filter(|(name, _)| name.starts_with("_cosmos-tail/manifest/"))
        {
            for line in split_lines(text) {
                let entry: Entry = serde_json::from_slice(&line).unwrap();
                assert!(listed.insert(entry.file.clone()), "{} twice", entry.file);
                let found = objects.iter().find(|(name, _)| *name == entry.file);
                let (_, bytes) = found.expect("a listed object is there");
                assert_eq!(crc32c::crc32c(bytes), entry.crc32c);
                lines.extend(split_lines(bytes));
            }
        }
        assert_latest(&lines, container);
        let data = objects.iter().map(|(name, _)| name.clone());
        let data: BTreeSet<String> = data.filter(|name| !name.starts_with('_')).collect();
        assert_eq!(data, listed, "objects that nothing lists");
        let verified = self.verify();
        assert_eq!(verified.code, Some(0), "{}", verified.stderr);
    }
}

#[test]
fn an_export_comes_back_from_each_store() {
    for emulator in emulators() {
        let place = emulator.place();
        let (gateway, container) = filled(4, 600);
        let ended = succeed(&mut place.export(&gateway));
        assert!(
            ended.stderr.contains("exported 600 documents"),
            "{}",
            ended.stderr
        );
        place.judge(&container);
        // Three nights later.
        for night in 1..=3 {
            fill(&container, night * 600..night * 600 + 50);
            succeed(&mut place.resume(&gateway));
            place.judge(&container);
        }
        let (target, copy) = filled(2, 0);
        let mut replay = against(&target);
        place.reach(&mut replay).args(["replay", &place.address()]);
        succeed(&mut replay);
        assert_same(&content(&copy), &content(&container));
    }
}

#[test]
fn an_export_that_dies_at_any_call_is_resumed_without_loss_or_repetition() {
    for emulator in emulators() {
        for call in CALLS {
            // Each call has a moment before and one after it; of a part there is only one.
            let mut reached = 0;
            for moment in 0..12 {
                let place = emulator.place();
                let (gateway, container) = filled(2, 200);
                let fault = format!("{call}={moment}*off->1*return(kill)->off");
                let mut first = place.export(&gateway);
                if run(first.env("COSMOS_TAIL_FAILPOINTS", &fault)).code == Some(0) {
                    place.judge(&container);
                    break;
                }
                reached += 1;
                // Nothing has begun before the first commit.
                if place.objects().is_empty() {
                    succeed(&mut place.export(&gateway));
                } else {
                    run(place.resume(&gateway).env("COSMOS_TAIL_FAILPOINTS", &fault));
                    succeed(&mut place.resume(&gateway));
                }
                place.judge(&container);
            }
            assert!(reached > 1, "{call} is called {reached} times");
        }
    }
}

#[test]
fn a_process_that_was_paused_across_a_takeover_stops_and_repeats_nothing() {
    for emulator in emulators() {
        for round in 0..10 {
            let place = emulator.place();
            let (gateway, container) = filled(2, 300);
            let mut follow = place.export(&gateway);
            follow.args([
                "--follow",
                "--poll-interval",
                "10ms",
                "--checkpoint-interval",
                "50ms",
            ]);
            let paused = spawn(&mut follow);
            let begun = std::time::Instant::now();
            while place.objects().len() < 3 + round {
                assert!(
                    begun.elapsed() < Duration::from_secs(60),
                    "nothing is committed"
                );
                // Polled, since the store tells nobody of new objects.
                std::thread::sleep(Duration::from_millis(5));
            }
            signal(&paused, Signal::SIGSTOP);
            succeed(place.resume(&gateway).arg("--no-follow"));
            fill(&container, 300..360);
            signal(&paused, Signal::SIGCONT);
            let ended = wait(paused);
            assert_ne!(ended.code, Some(0), "{}", ended.stderr);
            assert!(
                ended
                    .stderr
                    .contains("another process has claimed the state"),
                "{}",
                ended.stderr
            );
            succeed(place.resume(&gateway).arg("--no-follow"));
            place.judge(&container);
        }
    }
}

#[test]
fn a_second_export_to_one_place_is_refused() {
    for emulator in emulators() {
        let place = emulator.place();
        let (gateway, container) = filled(1, 10);
        succeed(&mut place.export(&gateway));
        let refused = fail(&mut place.export(&gateway), 2);
        assert!(
            refused.stderr.contains("already exists"),
            "{}",
            refused.stderr
        );
        assert!(
            refused
                .stderr
                .contains(&format!("cosmos-tail resume {}", place.address())),
            "{}",
            refused.stderr
        );
        place.judge(&container);
    }
}

#[test]
fn what_is_missing_is_named() {
    for emulator in emulators() {
        let place = emulator.place();
        let (gateway, _) = filled(1, 10);
        let mut command = cosmos_tail();
        let ended = fail(
            place.reach(&mut command).args(["verify", &place.address()]),
            2,
        );
        assert!(
            ended.stderr.contains("there is no export at"),
            "{}",
            ended.stderr
        );
        let mut command = against(&gateway);
        let ended = run(place.reach(&mut command).args([
            "export",
            "-o",
            &place.address().replace("lake", "no-lake"),
        ]));
        assert_ne!(ended.code, Some(0));
        assert!(
            ended
                .stderr
                .contains("create the container or the bucket first"),
            "{}",
            ended.stderr
        );
    }
}

/// The uploads to a bucket that are neither completed nor aborted, below the place.
fn uploads(place: &Place) -> usize {
    let url = format!(
        "{}/lake?uploads&prefix={}/",
        place.emulator.address, place.path
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let text = runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
    text.matches("<UploadId>").count()
}

#[test]
fn an_upload_that_a_state_has_is_aborted_by_the_next_process() {
    for emulator in emulators().filter(|emulator| emulator.kind == Kind::Moto) {
        let place = emulator.place();
        let (gateway, container) = filled(1, 0);
        let text = "x".repeat(100_000);
        for number in 0..200 {
            let id = format!("item-{number}");
            container.upsert(serde_json::json!({"id": id, "pk": "key", "text": text}));
        }
        let mut follow = against(&gateway);
        place
            .reach(&mut follow)
            .args([
                "export",
                "-o",
                &place.address(),
                "--page-size",
                "20",
                "--follow",
            ])
            .args(["--checkpoint-interval", "20ms"]);
        let killed = spawn(&mut follow);
        let begun = std::time::Instant::now();
        let has_uploads = || {
            let state = place.objects().into_iter();
            let mut state = state.filter(|(name, _)| name == "_cosmos-tail/state.json");
            state.any(|(_, text)| String::from_utf8(text).unwrap().contains("\"uploads\""))
        };
        while !has_uploads() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "no upload is committed"
            );
            // Polled, since the store tells nobody of a new state.
            std::thread::sleep(Duration::from_millis(5));
        }
        signal(&killed, Signal::SIGKILL);
        wait(killed);
        assert_eq!(uploads(&place), 1);
        succeed(place.resume(&gateway).arg("--no-follow"));
        assert_eq!(uploads(&place), 0);
        place.judge(&container);
        assert!(!has_uploads());
    }
}
