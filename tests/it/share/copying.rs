//! A container, and its live copy by several instances.

use std::collections::BTreeMap;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::scene::{Instance, Printed, Scene};
use crate::command::{CONTAINER, DATABASE, against};
use crate::gateway::{Action, Container, Fault, Hold, RequestKind, RequestRecord};
use crate::replay::{COPY, content};

/// Leases that are renewed rarely, and do not expire in a test.
pub(super) const PATIENT: [&str; 2] = ["10m", "20m"];
/// A source with its leases, and a target.
pub(super) struct Copying {
    pub(super) scene: Scene,
    pub(super) copy: Container,
    pub(super) mode: &'static str,
    pub(super) defect: Option<(&'static str, &'static str)>,
    /// How often leases are renewed, and when they expire.
    pub(super) lasts: [&'static str; 2],
}

impl Copying {
    pub(super) fn new(partitions: usize, mode: &'static str) -> Self {
        let scene = Scene::new(partitions);
        let gateway = &scene.leased.gateway;
        let copy = gateway.create_container(DATABASE, COPY, "/pk", 2);
        Self {
            scene,
            copy,
            mode,
            defect: None,
            lasts: ["500ms", "4s"],
        }
    }

    pub(super) fn command(&self, name: &str) -> Command {
        self.command_of("orders", name)
    }

    /// The command of an instance of another group.
    pub(super) fn command_of(&self, group: &str, name: &str) -> Command {
        self.command_from(CONTAINER, group, name)
    }

    /// The same of another source.
    pub(super) fn command_from(&self, source: &str, group: &str, name: &str) -> Command {
        let mut command = against(&self.scene.leased.gateway);
        command.env("AZURE_COSMOS_CONTAINER", COPY).args([
            "replay",
            "--follow",
            &format!("--group={group}"),
            "--leases=shop/leases",
            "--acquire-interval=300ms",
            &format!("--renew-interval={}", self.lasts[0]),
            &format!("--expiration-interval={}", self.lasts[1]),
            "--checkpoint-interval=100ms",
            "-v",
            &format!("--from-container={DATABASE}/{source}"),
            &format!("--mode={}", self.mode),
            &format!("--instance={name}"),
        ]);
        command.envs(self.defect);
        command
    }

    pub(super) fn start(&self, name: &str) -> Instance {
        let instance = Instance::start(name, &mut self.command(name), &Printed::default());
        instance.wait_until("it runs", |said| {
            said.contains("\nreplaying ") || said.contains("\nwaiting for ranges")
        });
        instance
    }

    pub(super) fn put(&self, id: &str, version: u64) {
        self.scene
            .leased
            .orders
            .upsert(json!({"id": id, "pk": format!("key-{id}"), "version": version}));
    }

    pub(super) fn delete(&self, id: &str) {
        self.scene.leased.orders.delete(id, format!("key-{id}"));
    }

    /// The version of a document of the target.
    pub(super) fn version(&self, id: &str) -> Option<u64> {
        let latest = self.copy.latest().into_iter();
        let mut found = latest.filter(|served| served.id == id);
        let document: Value = serde_json::from_slice(&found.next()?.text).unwrap();
        document["version"].as_u64()
    }

    #[track_caller]
    pub(super) fn wait_for_version(&self, id: &str, version: Option<u64>) {
        self.scene.wait_until(
            || self.version(id) == version,
            || format!("{:?} is not {version:?}", self.version(id)),
        );
    }

    /// The documents of a container, in an order of their own.
    fn sorted(container: &Container) -> Vec<Vec<u8>> {
        let mut documents = content(container);
        documents.sort();
        documents
    }

    /// Whether the target has what the source has.
    pub(super) fn is_the_same(&self) -> bool {
        Self::sorted(&self.copy) == Self::sorted(&self.scene.leased.orders)
    }

    #[track_caller]
    pub(super) fn wait_for_the_same_content(&self) {
        let shown = |container| -> Vec<String> {
            let documents = Self::sorted(container).into_iter();
            documents
                .map(|one| String::from_utf8(one).unwrap())
                .collect()
        };
        let orders = &self.scene.leased.orders;
        self.scene.wait_until(
            || self.is_the_same(),
            || format!("{:#?} is not {:#?}", shown(&self.copy), shown(orders)),
        );
    }

    /// The same, with what the instances have said if it does not become so.
    #[track_caller]
    pub(super) fn wait_until_the_same(&self, instances: &[Instance]) {
        let said = || {
            let said = instances
                .iter()
                .map(|one| format!("{}: {}", one.name, one.said()));
            let said: Vec<String> = said.collect();
            format!("{:?}\n{}", self.scene.stored(), said.join("\n"))
        };
        self.scene.wait_until(|| self.is_the_same(), said);
    }

    /// The documents that the target had in a newer version before, as its own log of all versions says.
    pub(super) fn went_back(&self) -> Vec<String> {
        let mut newest: BTreeMap<String, u64> = BTreeMap::new();
        let mut wrong = Vec::new();
        // Within one id they are in their order, wherever its partition was split.
        for served in self.copy.changes() {
            let Ok(document) = serde_json::from_slice::<Value>(&served.text) else {
                continue;
            };
            let Some(version) = document["version"].as_u64() else {
                continue;
            };
            let newest = newest.entry(served.id.clone()).or_default();
            if version < *newest {
                wrong.push(format!("{}: {version} after {newest}", served.id));
            }
            *newest = version.max(*newest);
        }
        wrong
    }

    /// Keeps the next write of the target from being carried out.
    pub(super) fn hold_a_write(&self) -> Hold {
        self.hold(|_| true)
    }

    /// Keeps the next creation from that. An id that fits no URL is read by a batch.
    pub(super) fn hold_a_creation(&self) -> Hold {
        self.hold(|record| !record.is_batch)
    }

    /// Keeps so many writes from that.
    pub(super) fn hold_writes(&self, count: usize) -> Hold {
        let hold = Hold::new();
        let copy = self.copy.rid().to_owned();
        let fault = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
        let of_copy = fault.when(move |record| record.container.as_ref() == Some(&copy));
        self.scene.leased.gateway.push_fault(of_copy.times(count));
        hold
    }

    /// Waits until so many writes of the target are on their way.
    #[track_caller]
    pub(super) fn wait_for_held(&self, count: usize) {
        let held = || {
            let log = self.scene.leased.gateway.request_log().into_iter();
            let of_copy = log.filter(|record| {
                record.kind == RequestKind::ItemWrite
                    && record.container.as_deref() == Some(self.copy.rid())
            });
            of_copy.filter(|record| record.status.is_none()).count()
        };
        self.scene
            .wait_until(|| held() == count, || format!("{} are held", held()));
    }

    fn hold(&self, is: impl Fn(&RequestRecord) -> bool + Send + Sync + 'static) -> Hold {
        let hold = Hold::new();
        let copy = self.copy.rid().to_owned();
        let fault = Fault::on(RequestKind::ItemWrite, Action::Hold(hold.clone()));
        let is_of_copy =
            fault.when(move |record| record.container.as_ref() == Some(&copy) && is(record));
        self.scene.leased.gateway.push_fault(is_of_copy);
        hold
    }

    /// Pauses an instance whose write is on its way, until another one has its lease.
    pub(super) fn pause_until_taken(&self, paused: &Instance, hold: &Hold, by: &str) -> Instance {
        hold.wait_until_reached();
        paused.signal(Signal::SIGSTOP);
        let other = self.start(by);
        self.scene.wait_for_owners(&[(by, 1)]);
        other
    }

    /// Lets a write go on its way, and waits for the answer to it. Returns the status.
    pub(super) fn release(&self, hold: &Hold) -> u16 {
        let gateway = &self.scene.leased.gateway;
        let copy = self.copy.rid().to_owned();
        let held = gateway.request_log().into_iter().find(|record| {
            record.kind == RequestKind::ItemWrite
                && record.container.as_ref() == Some(&copy)
                && record.status.is_none()
        });
        let held = held.expect("a write is on its way").ordinal;
        hold.release();
        let status = || gateway.request_log()[held].status;
        self.scene
            .wait_until(|| status().is_some(), || "no answer".to_owned());
        status().unwrap()
    }
}
