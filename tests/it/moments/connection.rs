//! The way to the account and its container, and what goes wrong on it.

use serde_json::json;

use super::{Pages, Stage};
use crate::bad_input::stranger;
use crate::closed_port::ClosedPort;
use crate::command::run;
use crate::gateway::{Action, Fault, GatewayOptions, RequestKind};
use crate::orders::{filled, filled_with};

const RANGES: &str = "cosmos-tail ranges -d shop -c orders";

#[test]
fn connection() {
    let (gateway, _) = filled(1, 1);
    let mut stage = Stage::at(&gateway);
    let mut pages = Pages::new("connection");
    for (name, about, typed) in [
        (
            "wrong-key",
            "A key that is not the account's.",
            "AZURE_COSMOS_KEY=d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmc= \
             cosmos-tail ranges -d shop -c orders",
        ),
        (
            "wrong-key-verbose",
            "The same with -v.",
            "AZURE_COSMOS_KEY=d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgd3Jvbmc= \
             cosmos-tail ranges -d shop -c orders -v",
        ),
        (
            "no-such-database",
            "A database that does not exist.",
            "cosmos-tail ranges -d nowhere -c orders",
        ),
        (
            "no-such-container",
            "A container that does not exist.",
            "cosmos-tail ranges -d shop -c nowhere",
        ),
    ] {
        stage.show(&mut pages, name, about, typed);
    }
    strangers(&mut stage, &mut pages);
    certificate(&mut pages);
    addresses(&mut stage, &mut pages);
    // One request of a kind, and what the service answers to it.
    let reset = || Action::ResetBeforeHeaders;
    let text = |body: &'static str| Action::ReplaceBody(body.into());
    for (name, about, kind, action) in [
        (
            "account-outage",
            "The account is not available.",
            RequestKind::Account,
            Action::status(503, 0),
        ),
        (
            "account-not-found",
            "The address belongs to another service.",
            RequestKind::Account,
            Action::status(404, 0),
        ),
        (
            "account-proxy",
            "A proxy asks for a password.",
            RequestKind::Account,
            Action::status(407, 0),
        ),
        (
            "account-firewall",
            "The firewall of the account refuses this machine.",
            RequestKind::Account,
            Action::status(403, 0),
        ),
        (
            "account-reset",
            "The connection is reset.",
            RequestKind::Account,
            reset(),
        ),
        (
            "account-not-an-account",
            "The answer is JSON of something else.",
            RequestKind::Account,
            text("{\"hello\":\"world\"}"),
        ),
        (
            "container-slow",
            "The service takes too long.",
            RequestKind::Container,
            Action::status(408, 0),
        ),
        (
            "container-refused",
            "The container may not be read.",
            RequestKind::Container,
            Action::status(403, 0),
        ),
        (
            "container-bad-request",
            "An emulator that lacks what is needed.",
            RequestKind::Container,
            Action::status(400, 0),
        ),
        (
            "container-reset",
            "The connection is reset on the way to the container.",
            RequestKind::Container,
            reset(),
        ),
        (
            "ranges-refused",
            "The list of feed ranges is refused.",
            RequestKind::PartitionKeyRanges,
            Action::status(403, 5300),
        ),
        (
            "ranges-without-ranges",
            "The list of feed ranges is empty.",
            RequestKind::PartitionKeyRanges,
            text("{\"PartitionKeyRanges\":[]}"),
        ),
        (
            "ranges-html",
            "The list of feed ranges is a web page.",
            RequestKind::PartitionKeyRanges,
            text("<html>hello"),
        ),
    ] {
        gateway.clear_faults();
        gateway.push_fault(Fault::on(kind, action).always());
        stage.show(
            &mut pages,
            name,
            about,
            "cosmos-tail export -d shop -c orders -o orders --max-retries 0",
        );
    }
    gateway.clear_faults();
    stage.show(
        &mut pages,
        "verbose",
        "With -v: what is reached, and with which credential.",
        "cosmos-tail ranges -d shop -c orders -v",
    );
    pages.finish();
}

/// What answers is not an account, or nothing answers.
fn strangers(stage: &mut Stage, pages: &mut Pages) {
    let closed = ClosedPort::new();
    let html = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 26\r\nconnection: close\r\n\r\n\
                <html><h1>Hello</h1></html";
    for (variable, port) in [
        ("$CLOSED", closed.number()),
        ("$WEB", stranger(html)),
        ("$SILENT", stranger("")),
    ] {
        stage.set(variable, format!("http://127.0.0.1:{port}/"));
    }
    stage.show_on_unix(
        pages,
        "nobody-listens",
        "Nothing listens at the address, which is tried for five seconds.",
        "cosmos-tail ranges -d shop -c orders --endpoint $CLOSED",
    );
    stage.show(
        pages,
        "web-server",
        "A web server listens at the address.",
        "cosmos-tail export -d shop -c orders -o orders --max-retries 0 --endpoint $WEB",
    );
    let typed = "cosmos-tail export -d shop -c orders -o orders --max-retries 0 --endpoint $SILENT";
    let mut ended = stage.steady(run(&mut stage.command(typed)));
    // When the server hangs up is a race, which the words of the HTTP library depend on.
    let (start, words) = ended.stderr.split_once("the connection failed: ").unwrap();
    let hint = words.split_once('\n').unwrap().1;
    ended.stderr = format!("{start}the connection failed: (WORDS OF THE HTTP LIBRARY)\n{hint}");
    let about = "The server closes the connection without an answer.";
    pages.add("closes-the-connection", about, typed, &ended);
}

/// The account names addresses of its own, or there is a proxy on the way.
fn addresses(stage: &mut Stage, pages: &mut Pages) {
    let (gateway, _) = filled(1, 1);
    let region =
        |name: &str, location: &str| json!({"name": name, "databaseAccountEndpoint": location});
    let endpoint = gateway.endpoint();
    gateway.set_locations(json!([
        region("East US", &endpoint),
        region("West Europe", &endpoint)
    ]));
    stage.set("$REGIONS", &endpoint);
    stage.show(
        pages,
        "region-unknown",
        "A region that the account does not have.",
        "cosmos-tail export -d shop -c orders -o orders --endpoint $REGIONS --region 'West Erope'",
    );
    stage.show(
        pages,
        "region-verbose",
        "A region that it has, with -v.",
        "cosmos-tail ranges -d shop -c orders --endpoint $REGIONS --region westeurope -v",
    );
    stage.show(
        pages,
        "region-malformed",
        "No names of regions.",
        "cosmos-tail ranges -d shop -c orders --region 'a;b'",
    );
    let (mapped, _) = filled(1, 1);
    let closed = ClosedPort::new();
    mapped.set_locations(json!([region("East US", &closed.endpoint())]));
    stage.set("$MAPPED", mapped.endpoint());
    stage.show_on_unix(
        pages,
        "location-unreachable",
        "The account names an address that cannot be reached.",
        "cosmos-tail export -d shop -c orders -o orders --max-retries 0 --endpoint $MAPPED",
    );
    stage.show_on_unix(
        pages,
        "proxy-unreachable",
        "The proxy cannot be reached.",
        "AZURE_COSMOS_CONNECTION_POOL_IS_PROXY_ALLOWED=true HTTPS_PROXY=http://ada:s3cr3t@127.0.0.1:9 cosmos-tail \
         export -d shop -c orders -o orders --max-retries 0 --endpoint https://shop.documents.azure.com/",
    );
}

/// A certificate that nobody signed.
fn certificate(pages: &mut Pages) {
    let options = GatewayOptions {
        tls: true,
        ..GatewayOptions::default()
    };
    let (gateway, _) = filled_with(options, 1, 1);
    let stage = Stage::at(&gateway);
    stage.show(
        pages,
        "certificate-unknown",
        "A certificate that no known authority signed.",
        RANGES,
    );
    stage.show_on_unix(
        pages,
        "certificates-missing",
        "A system without CA certificates.",
        &format!("SSL_CERT_FILE=/dev/null {RANGES}"),
    );
}
