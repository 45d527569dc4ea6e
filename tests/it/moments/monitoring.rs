//! `--metrics-listen`: where nobody can listen, and where it does.

use super::{Pages, Stage};
use crate::orders::filled;

#[test]
fn monitoring() {
    let (gateway, _) = filled(1, 2);
    let mut stage = Stage::at(&gateway);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    stage.set("$TAKEN", taken.local_addr().unwrap().to_string());
    let mut pages = Pages::new("monitoring");
    let tail = "cosmos-tail tail -d shop -c orders --from beginning --until-caught-up --fields id";
    stage.show(
        &mut pages,
        "tail",
        "A tail with endpoints at a free port.",
        &format!("{tail} --metrics-listen 0"),
    );
    stage.show(
        &mut pages,
        "quiet",
        "The same with -q.",
        &format!("{tail} --metrics-listen 0 -q"),
    );
    stage.show_on_unix(
        &mut pages,
        "port-in-use",
        "Another process listens there.",
        &format!("{tail} --metrics-listen $TAKEN"),
    );
    stage.show_on_unix(
        &mut pages,
        "address-of-another-machine",
        "An address that this machine does not have.",
        &format!("{tail} --metrics-listen 192.0.2.1:9464"),
    );
    stage.show(
        &mut pages,
        "not-an-address",
        "A URL instead of an address.",
        &format!("{tail} --metrics-listen http://localhost:9464/metrics"),
    );
    stage.show(
        &mut pages,
        "without-a-port",
        "An address without a port.",
        &format!("{tail} --metrics-listen 127.0.0.1"),
    );
    stage.show(
        &mut pages,
        "variable",
        "A variable that holds no address.",
        &format!("COSMOS_TAIL_METRICS_LISTEN=everywhere {tail}"),
    );
    stage.show(
        &mut pages,
        "health-timeout",
        "A timeout without a unit.",
        &format!("{tail} --metrics-listen 0 --health-timeout 30"),
    );
    stage.write("changes.jsonl", "{\"id\":\"1\",\"pk\":\"a\"}\n");
    stage.show(
        &mut pages,
        "replay-to-stdout",
        "A replay that contacts no account.",
        "cosmos-tail replay changes.jsonl --stdout --metrics-listen 0",
    );
    pages.finish();
}
