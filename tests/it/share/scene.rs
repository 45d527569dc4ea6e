//! A container that instances of a group read together.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::command::{Ended, against, signal};
use crate::leases::written::Leased;
#[cfg(feature = "object-stores")]
use crate::store::Store;

/// For what a test waits at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// Intervals that are short enough for a test, and long enough for a machine that is busy.
pub(crate) const INTERVALS: [&str; 6] = [
    "--acquire-interval=300ms",
    "--renew-interval=500ms",
    "--expiration-interval=4s",
    "--checkpoint-interval=100ms",
    "--poll-interval=50ms",
    "-v",
];

/// A container with its leases, and all that its instances have printed.
pub(super) struct Scene {
    pub(super) leased: Leased,
    pub(super) printed: Printed,
}

/// What all instances have printed, in the order in which it came.
#[derive(Clone, Default)]
pub(super) struct Printed(Arc<(Mutex<Vec<Line>>, Condvar)>);

/// A line of an instance.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) instance: String,
    pub(super) text: Vec<u8>,
}

impl Line {
    pub(super) fn number(&self) -> Option<u64> {
        let document: Value = serde_json::from_slice(&self.text).ok()?;
        document["number"].as_u64()
    }
}

impl Printed {
    fn add(&self, line: Line) {
        let (lines, more) = &*self.0;
        lines.lock().unwrap().push(line);
        more.notify_all();
    }

    /// What an instance prints that is none of ours.
    pub(super) fn print(&self, instance: &str, text: Vec<u8>) {
        self.add(Line {
            instance: instance.to_owned(),
            text,
        });
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        self.0.0.lock().unwrap().clone()
    }

    /// How often each number was printed.
    pub(super) fn numbers(&self) -> BTreeMap<u64, usize> {
        let mut counts = BTreeMap::new();
        for line in self.lines() {
            if let Some(number) = line.number() {
                *counts.entry(number).or_default() += 1;
            }
        }
        counts
    }

    /// Waits until each of these numbers was printed.
    #[track_caller]
    pub(super) fn wait_for(&self, numbers: std::ops::Range<u64>) {
        let mut missing: BTreeSet<u64> = numbers.collect();
        let mut seen = 0;
        let (lines, more) = &*self.0;
        let is_short = |lines: &mut Vec<Line>| {
            for line in &lines[seen..] {
                if let Some(number) = line.number() {
                    missing.remove(&number);
                }
            }
            seen = lines.len();
            !missing.is_empty()
        };
        let waited = more.wait_timeout_while(lines.lock().unwrap(), PATIENCE, is_short);
        let timed_out = waited.unwrap().1.timed_out();
        assert!(
            !timed_out,
            "{} numbers were not printed: {missing:?}",
            missing.len()
        );
    }
}

impl Scene {
    pub(super) fn new(partitions: usize) -> Self {
        Self::keyed(partitions, "/id")
    }

    pub(super) fn keyed(partitions: usize, key: &str) -> Self {
        let leased = Leased::new(partitions, key);
        leased.gateway.run_clock();
        Self {
            leased,
            printed: Printed::default(),
        }
    }

    /// The command of an instance, without the intervals.
    pub(super) fn bare(&self, name: &str) -> Command {
        let mut command = against(&self.leased.gateway);
        command.args([
            "tail",
            "--group",
            "orders",
            "--leases",
            "shop/leases",
            "--instance",
            name,
        ]);
        command
    }

    pub(super) fn command(&self, name: &str) -> Command {
        let mut command = self.bare(name);
        command.args(INTERVALS);
        command
    }

    /// Starts an instance that reads from the beginning, and waits until it has its first leases or waits for some.
    pub(super) fn start(&self, name: &str) -> Instance {
        let mut command = self.command(name);
        self.start_as(name, command.args(["--from", "beginning"]))
    }

    pub(super) fn start_as(&self, name: &str, command: &mut Command) -> Instance {
        let instance = Instance::start(name, command, &self.printed);
        instance.wait_until("it runs", |said| {
            said.contains("\ntailing ") || said.contains("\nwaiting for ranges")
        });
        instance
    }

    /// The leases as they are stored, by token.
    pub(super) fn stored(&self) -> BTreeMap<String, Value> {
        let latest = self.leased.leases.latest().into_iter();
        let documents = latest.map(|served| {
            let document: Value = serde_json::from_slice(&served.text).unwrap();
            document
        });
        documents
            .filter_map(|document| Some((document["LeaseToken"].as_str()?.to_owned(), document)))
            .collect()
    }

    /// Who has how many leases.
    pub(super) fn owners(&self) -> BTreeMap<String, usize> {
        let mut owners = BTreeMap::new();
        for lease in self.stored().values() {
            let owner = lease["Owner"].as_str().unwrap_or("-").to_owned();
            *owners.entry(owner).or_default() += 1;
        }
        owners
    }

    /// Waits until the leases are divided like this.
    #[track_caller]
    pub(super) fn wait_for_owners(&self, expected: &[(&str, usize)]) {
        let expected: BTreeMap<String, usize> = expected
            .iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect();
        self.wait_until(
            || self.owners() == expected,
            || format!("{:?}", self.owners()),
        );
    }

    /// Waits until something is true of what is stored. The instances write all the time, so it is looked at after
    /// requests.
    #[track_caller]
    pub(super) fn wait_until(&self, is: impl Fn() -> bool, shown: impl Fn() -> String) {
        let end = std::time::Instant::now() + PATIENCE;
        while !is() {
            assert!(std::time::Instant::now() < end, "{}", shown());
            let seen = self.leased.gateway.total_requests();
            self.leased.gateway.wait_for_requests(seen + 1);
        }
    }
}

/// A running instance.
pub(super) struct Instance {
    pub(super) name: String,
    child: Option<Child>,
    said: Arc<(Mutex<Said>, Condvar)>,
    readers: Vec<JoinHandle<()>>,
}

/// What an instance has said, and whether that was all.
struct Said {
    text: String,
    is_over: bool,
}

impl Instance {
    pub(super) fn start(name: &str, command: &mut Command, printed: &Printed) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (printed, instance) = (printed.clone(), name.to_owned());
        let out = std::thread::spawn(move || {
            // A line that was cut off by a kill has no end.
            for line in stdout.split(b'\n').map_while(Result::ok) {
                printed.add(Line {
                    instance: instance.clone(),
                    text: line,
                });
            }
        });
        let mut stderr = child.stderr.take().unwrap();
        let said = Said {
            text: String::from("\n"),
            is_over: false,
        };
        let said = Arc::new((Mutex::new(said), Condvar::new()));
        let sink = Arc::clone(&said);
        let err = std::thread::spawn(move || {
            let mut block = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut block) {
                let text = String::from_utf8_lossy(&block[..read]).into_owned();
                sink.0.lock().unwrap().text.push_str(&text);
                sink.1.notify_all();
            }
            sink.0.lock().unwrap().is_over = true;
            sink.1.notify_all();
        });
        Self {
            name: name.to_owned(),
            child: Some(child),
            said,
            readers: vec![out, err],
        }
    }

    pub(super) fn said(&self) -> String {
        self.said.0.lock().unwrap().text.clone()
    }

    /// Whether it has ended, or is about to.
    pub(super) fn is_over(&self) -> bool {
        self.said.0.lock().unwrap().is_over
    }

    /// Waits until it has said something.
    #[track_caller]
    pub(super) fn wait_until(&self, what: &str, is: impl Fn(&str) -> bool) {
        self.wait(what, |said| is(&said.text));
    }

    #[track_caller]
    fn wait(&self, what: &str, is: impl Fn(&Said) -> bool) {
        let (said, more) = &*self.said;
        let waited = more.wait_timeout_while(said.lock().unwrap(), PATIENCE, |said| !is(said));
        let (said, timeout) = waited.unwrap();
        let text = &said.text;
        assert!(!timeout.timed_out(), "{}: {what}: {text}", self.name);
    }

    /// The most memory that it has had, in bytes; none where the system does not say.
    pub(super) fn peak_memory(&self) -> Option<u64> {
        self.memory("VmHWM:")
    }

    /// The same without the pages of its own file, of which a build for tests has many.
    pub(super) fn peak_of_data(&self) -> Option<u64> {
        Some(self.memory("VmHWM:")? - self.memory("RssFile:")?)
    }

    fn memory(&self, what: &str) -> Option<u64> {
        let id = self.child.as_ref().unwrap().id();
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
        let found = status.lines().find_map(|line| line.strip_prefix(what))?;
        let kilobytes: u64 = found.trim().trim_end_matches(" kB").parse().unwrap();
        Some(kilobytes << 10)
    }

    /// Waits until the script of a store has paused it. Whether it has.
    #[cfg(feature = "object-stores")]
    pub(super) fn is_paused_by(&mut self, store: &Store) -> bool {
        let child = self.child.as_mut().unwrap();
        store.set_victim(child);
        store.wait_until_paused(child)
    }

    pub(super) fn signal(&self, which: Signal) {
        signal(self.child.as_ref().unwrap(), which);
    }

    /// Kills it, as a crash does.
    pub(super) fn kill(mut self) -> String {
        let mut child = self.child.take().unwrap();
        // A process that is paused can be killed too.
        child.kill().unwrap();
        child.wait().unwrap();
        self.join();
        self.said()
    }

    /// Stops it, and returns what it said.
    #[track_caller]
    pub(super) fn stop(self) -> String {
        self.signal(Signal::SIGTERM);
        let ended = self.end();
        assert_eq!(ended.code, Some(143), "{}", ended.stderr);
        ended.stderr
    }

    /// Waits for its end.
    #[track_caller]
    pub(super) fn end(mut self) -> Ended {
        self.wait("it ends", |said| said.is_over);
        let code = self.child.take().unwrap().wait().unwrap().code();
        self.join();
        Ended {
            code,
            stdout: String::new(),
            stderr: self.said(),
        }
    }

    fn join(&mut self) {
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }
}
