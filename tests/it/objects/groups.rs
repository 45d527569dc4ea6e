//! Instances of a group in one place.

use super::{
    Command, against, assert_latest, cosmos_tail, emulators, fill, signal, spawn, split_lines,
    succeed, wait,
};
use crate::leases::written::Leased;
use crate::share::INTERVALS;
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

#[test]
fn instances_that_die_and_stop_have_everything_once_in_each_store() {
    for emulator in emulators() {
        let place = emulator.place();
        let leased = Leased::new(2, "/id");
        leased.gateway.run_clock();
        let address = place.address();
        let command = |name: &str| -> Command {
            let mut command = against(&leased.gateway);
            place
                .reach(&mut command)
                .args(["export", "--follow", "-o", &address])
                .args(["--group", "orders", "--leases", "shop/leases"])
                .args(["--instance", name, "--from", "beginning"])
                .args(["--page-size", "20", "--rotate-interval", "500ms"])
                .args(INTERVALS);
            command
        };
        let lines = || -> Vec<Vec<u8>> {
            let objects = place.objects();
            let data = objects.iter().filter(|(name, _)| !name.starts_with('_'));
            data.flat_map(|(_, bytes)| split_lines(bytes)).collect()
        };
        let wait_for = |count: usize| {
            let end = Instant::now() + Duration::from_secs(60);
            while lines().len() < count {
                assert!(Instant::now() < end, "{} of {count} lines", lines().len());
                std::thread::sleep(Duration::from_millis(20));
            }
        };
        fill(&leased.orders, 0..100);
        let mut first = spawn(&mut command("a"));
        wait_for(100);
        let second = spawn(&mut command("b"));
        let partition = leased.orders.partitions().remove(0).id;
        leased.orders.split(&partition, 2);
        fill(&leased.orders, 100..200);
        wait_for(200);
        fill(&leased.orders, 200..300);
        first.kill().unwrap();
        first.wait().unwrap();
        wait_for(300);
        signal(&second, Signal::SIGTERM);
        let ended = wait(second);
        assert_eq!(ended.code, Some(143), "{}", ended.stderr);
        assert_latest(&lines(), &leased.orders);
        let mut verify = cosmos_tail();
        succeed(
            place
                .reach(&mut verify)
                .args(["verify", "--strict", &address]),
        );
    }
}
