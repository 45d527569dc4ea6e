//! Dead letters of a group in a store that does not answer: leases are renewed beside it.

use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use super::copying::Copying;
use super::scene::{Instance, Printed};
use crate::store::{CallKind, Store, Trouble};

/// Where the letters are.
const PLACE: &str = "az://lake/letters/";

/// A group that feeds a copy, whose target refuses a document, and a store that does not take its letter.
struct Hanging {
    copying: Copying,
    store: Store,
}

impl Hanging {
    fn new() -> Self {
        let copying = Copying::new(1, "latest");
        copying.copy.refuse("bad", 400);
        Self {
            copying,
            store: Store::start(),
        }
    }

    fn command(&self, name: &str) -> Command {
        let mut command = self.copying.command(name);
        command
            .env("AZURE_STORAGE_USE_EMULATOR", "true")
            .env("AZURITE_BLOB_STORAGE_URL", self.store.url())
            // For how long a call waits: longer than a lease lasts.
            .env("AZURE_TIMEOUT", "8s")
            .args(["--dead-letter", PLACE]);
        command
    }

    fn start(&self, name: &str) -> Instance {
        let instance = Instance::start(name, &mut self.command(name), &Printed::default());
        instance.wait_until("it runs", |said| {
            said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
        });
        instance
    }

    /// Has `a` refuse a document, and the store not take the letter.
    fn hang(&self) -> Instance {
        self.copying.put("good", 1);
        let a = self.start("a");
        self.copying.wait_for_version("good", Some(1));
        self.wait_until_saved();
        self.store
            .script(|_, call| (call.kind == CallKind::Put).then_some(Trouble::Hang));
        self.copying.put("bad", 1);
        self.copying.scene.wait_until(
            || !self.puts().is_empty(),
            || "no letter was sent".to_owned(),
        );
        a
    }

    /// The objects that were to be written since the script began.
    fn puts(&self) -> Vec<String> {
        let calls = self.store.calls().into_iter();
        let puts = calls.filter(|(call, _)| call.kind == CallKind::Put);
        puts.map(|(call, _)| call.name).collect()
    }

    fn lease(&self) -> Value {
        let mut stored = self.copying.scene.stored().into_values();
        stored.next().unwrap()
    }

    /// Whether the lease has the position behind everything.
    fn is_saved(&self) -> bool {
        let head = self.copying.scene.leased.partitions()[0].1;
        self.lease()["ContinuationToken"] == format!("\"{head}\"")
    }

    fn wait_until_saved(&self) {
        let shown = || format!("{:?}", self.lease());
        self.copying.scene.wait_until(|| self.is_saved(), shown);
    }

    /// Waits until the lease was written so many times.
    fn wait_for_renewals(&self, times: usize) {
        for _ in 0..times {
            let before = self.lease()["timestamp"].clone();
            let is_written = || self.lease()["timestamp"] != before;
            let shown = || format!("{:?}", self.lease());
            self.copying.scene.wait_until(is_written, shown);
        }
    }

    /// The letters, without the headings of their objects.
    fn letters(&self) -> Vec<String> {
        let objects = self.store.objects().into_values();
        let lines = objects.flat_map(|text| {
            let text = String::from_utf8(text).unwrap();
            text.lines().map(str::to_owned).collect::<Vec<String>>()
        });
        lines.filter(|line| line.contains("\"reason\"")).collect()
    }
}

#[test]
fn leases_are_renewed_while_the_store_does_not_take_the_dead_letters() {
    let hanging = Hanging::new();
    let a = hanging.hang();
    let b = hanging.start("b");
    // Longer than a lease lasts that is not renewed, which is 4 s.
    hanging.wait_for_renewals(12);
    assert_eq!(hanging.lease()["Owner"], "a");
    assert!(!hanging.is_saved(), "a position without its letter");
    // What is applied needs no letter, and goes on.
    hanging.copying.put("good", 2);
    hanging.copying.wait_for_version("good", Some(2));
    assert!(!hanging.is_saved(), "a position without its letter");
    hanging.store.clear();
    hanging.wait_until_saved();
    assert_eq!(hanging.lease()["Owner"], "a");
    let letters = hanging.letters();
    assert!(
        letters.len() == 1 && letters[0].contains("item \\\"bad\\\""),
        "{letters:?}"
    );
    a.stop();
    let said = b.stop();
    assert!(!said.contains("acquired, from `a`"), "{said}");
}

#[test]
fn whoever_waited_for_the_store_until_its_lease_was_over_saves_nothing() {
    let hanging = Hanging::new();
    let a = hanging.hang();
    a.signal(Signal::SIGSTOP);
    hanging.store.clear();
    let b = hanging.start("b");
    hanging.copying.put("good", 2);
    hanging.copying.wait_for_version("good", Some(2));
    hanging.wait_until_saved();
    let letters = hanging.letters();
    assert!(
        letters.iter().all(|one| one.contains("item \\\"bad\\\"")) && !letters.is_empty(),
        "{letters:?}"
    );
    let before = hanging.lease()["ContinuationToken"].clone();
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    assert_eq!(hanging.lease()["Owner"], "b");
    assert_eq!(hanging.lease()["ContinuationToken"], before);
    a.stop();
    b.stop();
    assert_eq!(hanging.copying.went_back(), [] as [String; 0]);
    assert_eq!(
        hanging.copying.scene.leased.gateway.violations(),
        [] as [String; 0]
    );
}
