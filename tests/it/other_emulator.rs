//! `@vercel/cosmosdb-server` of npm, another emulator: its missing parts are named, and no message advises
//! to retry later. It runs if `COSMOS_TAIL_TEST_COSMOSDB_SERVER` names its directory, as in `.ci/run`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::command::{CONTAINER, DATABASE, cosmos_tail, run};
use crate::gateway::KEY;
use crate::left_out::say;

const VARIABLE: &str = "COSMOS_TAIL_TEST_COSMOSDB_SERVER";

/// Listens, creates a container with an item, and prints the port.
const SCRIPT: &str = r#"
const { createHttpServer, createHttpsServer } = require(process.argv[1]);
const tls = process.argv[2] === "tls";
const client = tls ? require("https") : require("http");
const server = (tls ? createHttpsServer : createHttpServer)();
const post = (port, path, headers, body) => new Promise((resolve, reject) => {
  const request = client.request({
    host: "127.0.0.1", port, path, method: "POST", rejectUnauthorized: false,
    headers: { authorization: "x", "x-ms-date": "x", "content-type": "application/json", ...headers },
  }, (answer) => {
    answer.resume();
    answer.on("end", () => answer.statusCode < 300 ? resolve() : reject(answer.statusCode));
  });
  request.on("error", reject);
  request.end(JSON.stringify(body));
});
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address();
  await post(port, "/dbs", {}, { id: "shop" });
  await post(port, "/dbs/shop/colls", {}, { id: "orders", partitionKey: { paths: ["/pk"], kind: "Hash" } });
  await post(port, "/dbs/shop/colls/orders/docs", { "x-ms-documentdb-partitionkey": '["a"]' },
    { id: "1", pk: "a" });
  console.log(port);
});
process.stdin.on("end", () => process.exit()).resume();
"#;

struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// None where it is not to be run.
    fn start(tls: bool) -> Option<Self> {
        let Some(directory) = std::env::var_os(VARIABLE) else {
            say(&format!(
                "left out: @vercel/cosmosdb-server ({VARIABLE} is not set); .ci/run runs it"
            ));
            return None;
        };
        let mut child = Command::new("node")
            .args(["-e", SCRIPT])
            .arg(std::path::absolute(directory).unwrap())
            .arg(if tls { "tls" } else { "plain" })
            // It ends with this process, when the pipe closes.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let port = line.trim().parse().expect("the server says its port");
        Some(Self { child, port })
    }

    fn say_of(&self, scheme: &str, container: &str, arguments: &[&str]) -> (Option<i32>, String) {
        let endpoint = format!("{scheme}://127.0.0.1:{}/", self.port);
        let mut command = cosmos_tail();
        command
            .env(
                "AZURE_COSMOS_CONNECTION_STRING",
                format!("AccountEndpoint={endpoint};AccountKey={KEY};DisableServerCertificateValidation=true"),
            )
            .env("AZURE_COSMOS_DATABASE", DATABASE)
            .env("AZURE_COSMOS_CONTAINER", container)
            .args(arguments);
        let ended = run(&mut command);
        let port = format!(":{}/", self.port);
        (ended.code, ended.stderr.replace(&port, ":PORT/"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn missing_parts_are_named() {
    let Some(server) = Server::start(true) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let out = directory.path().join("out");
    let out = out.to_str().unwrap();
    let source = directory.path().join("source.jsonl");
    std::fs::write(&source, "{\"id\":\"1\",\"pk\":\"a\"}\n").unwrap();
    let source = source.to_str().unwrap();
    for arguments in [
        &["ranges"][..],
        &["export", "-o", out],
        &["tail", "--from", "beginning", "--until-caught-up"],
        &["schema"],
        &["replay", source],
        &["replay", source, "--create", "--partition-key", "/pk"],
    ] {
        let (code, told) = server.say_of("https", CONTAINER, arguments);
        assert_eq!(
            told,
            "error: cannot open container `orders` of database `shop`\n  Caused by: its list of partition \
             key ranges is not one that Cosmos DB sends: `id` of a range is a number, not a string\nhint: \
             https://127.0.0.1:PORT/ does not answer like Cosmos DB: if it is an emulator, it lacks \
             what an export needs; Microsoft's emulator and `cosmos-tail demo` have it\n"
        );
        assert_eq!(code, Some(1));
    }
    assert!(!std::path::Path::new(out).exists());
    let (code, told) = server.say_of("https", "nothing", &["ranges"]);
    assert_eq!(
        told,
        "error: cannot open container `nothing` of database `shop`\n  Caused by: there is no container \
         `nothing` in the database `shop`\nhint: the containers are: orders; name one with -c \
         (AZURE_COSMOS_CONTAINER)\n"
    );
    assert_eq!(code, Some(1));
}

#[test]
fn an_unreachable_address_of_the_account_is_named() {
    let Some(server) = Server::start(false) else {
        return;
    };
    let (code, told) = server.say_of(
        "http",
        CONTAINER,
        &["export", "-o", "-", "--max-retries", "0"],
    );
    assert_eq!(
        told,
        "error: cannot open container `orders` of database `shop`\n  Caused by: no connection to \
         https://127.0.0.1:PORT/, which the account at http://127.0.0.1:PORT/ names as its address \
         (writableLocations and readableLocations, South Central US): received corrupt message of type \
         InvalidContentType\nhint: check that this address is the account's and can be reached from here; if \
         only http://127.0.0.1:PORT/ can, add --limit-to-endpoint\n"
    );
    assert_eq!(code, Some(1));
}
