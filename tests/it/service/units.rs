//! The units that are shipped.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::cosmos_tail;
use crate::left_out::say;

fn units() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let found = std::fs::read_dir(directory).unwrap();
    let mut units: Vec<PathBuf> = found.map(|entry| entry.unwrap().path()).collect();
    units.sort();
    units
}

/// The units, as `systemctl enable cosmos-tail@orders` would have them, with a program that exists.
fn copies(directory: &Path) -> Vec<PathBuf> {
    let binary = cosmos_tail().get_program().to_str().unwrap().to_owned();
    let copy = |unit: &PathBuf| {
        let text = std::fs::read_to_string(unit).unwrap();
        assert!(text.contains("Documentation="), "{}", unit.display());
        let name = unit.file_name().unwrap().to_str().unwrap();
        let copy = directory.join(name.replace("@.", "@orders."));
        std::fs::write(&copy, text.replace("/usr/bin/cosmos-tail", &binary)).unwrap();
        copy
    };
    units().iter().map(copy).collect()
}

/// The output of systemd's own checker. None where there is none.
fn analyze(arguments: &[&str], units: &[PathBuf]) -> Option<(bool, String)> {
    let checked = Command::new("systemd-analyze")
        .args(arguments)
        .args(units)
        .output();
    let Ok(checked) = checked else {
        say("left out: the units, since there is no systemd-analyze here");
        return None;
    };
    let output = [checked.stdout, checked.stderr].concat();
    let output = String::from_utf8_lossy(&output).into_owned();
    Some((checked.status.success(), output))
}

/// Keys that the checker does not know are warnings only.
#[test]
fn they_are_valid() {
    let directory = tempfile::tempdir().unwrap();
    let units = copies(directory.path());
    assert_eq!(units.len(), 3, "{units:?}");
    let Some((is_valid, output)) = analyze(&["verify", "--man=no"], &units) else {
        return;
    };
    let mut own = output.lines().filter(|line| line.contains("cosmos-tail"));
    assert!(is_valid && own.next().is_none(), "{output}");
    // It would find what is wrong.
    let broken = directory.path().join("cosmos-tail-broken.service");
    let text = std::fs::read_to_string(&units[2]).unwrap();
    std::fs::write(&broken, text.replace("WatchdogSec=", "WatchDogSeconds=")).unwrap();
    let (_, output) = analyze(&["verify", "--man=no"], &[broken]).unwrap();
    assert!(output.contains("WatchDogSeconds"), "{output}");
}

#[test]
fn the_services_are_hardened() {
    let directory = tempfile::tempdir().unwrap();
    let units = copies(directory.path());
    for unit in units
        .iter()
        .filter(|unit| unit.extension().unwrap() == "service")
    {
        // In tenths.
        let arguments = ["security", "--offline=yes", "--no-pager", "--threshold=15"];
        let Some((is_hardened, output)) = analyze(&arguments, std::slice::from_ref(unit)) else {
            return;
        };
        assert!(output.contains("Overall exposure level"), "{output}");
        assert!(is_hardened, "{output}");
    }
}
