//! Uploads of an instance that loses its range, in a store that speaks as S3 does and honours the conditions of writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::scene::{INTERVALS, Instance, Scene};
use crate::command::{against, split_lines};

/// Where the files are.
const ADDRESS: &str = "s3://lake/orders/";

/// What the store has.
#[derive(Default)]
struct Stored {
    /// Objects, by their paths, with their versions.
    objects: BTreeMap<String, (Vec<u8>, u64)>,
    /// Uploads that are neither completed nor aborted, by their numbers.
    uploads: BTreeMap<u64, BTreeMap<u32, Vec<u8>>>,
    aborted: BTreeSet<u64>,
    /// Uploads and versions have different numbers.
    numbers: u64,
}

struct Request {
    method: String,
    path: String,
    query: BTreeMap<String, String>,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

struct Answer {
    status: &'static str,
    version: u64,
    body: Vec<u8>,
}

impl Stored {
    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn put(&mut self, path: &str, body: Vec<u8>) -> Answer {
        let version = self.number();
        self.objects.insert(path.to_owned(), (body, version));
        Answer {
            status: "200 OK",
            version,
            body: Vec::new(),
        }
    }

    fn answer(&mut self, request: Request) -> Answer {
        let said = |status, body: String| Answer {
            status,
            version: 1,
            body: body.into_bytes(),
        };
        let upload = request.query.get("uploadId");
        let upload: Option<u64> = upload.and_then(|id| id.parse().ok());
        let path = request.path.as_str();
        match (request.method.as_str(), upload) {
            ("POST", None) => {
                let number = self.number();
                self.uploads.insert(number, BTreeMap::new());
                said(
                    "200 OK",
                    format!(
                        "<InitiateMultipartUploadResult><UploadId>{number}</UploadId>\
                         </InitiateMultipartUploadResult>"
                    ),
                )
            }
            ("PUT", Some(upload)) => {
                let number = request.query["partNumber"].parse().unwrap();
                match self.uploads.get_mut(&upload) {
                    Some(parts) => drop(parts.insert(number, request.body)),
                    None => return said("404 Not Found", "NoSuchUpload".to_owned()),
                }
                said("200 OK", String::new())
            }
            ("POST", Some(upload)) => match self.uploads.remove(&upload) {
                Some(parts) => {
                    let whole = parts.into_values().flatten().collect();
                    self.put(path, whole);
                    said(
                        "200 OK",
                        "<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>".to_owned(),
                    )
                }
                None => said("404 Not Found", "NoSuchUpload".to_owned()),
            },
            ("DELETE", Some(upload)) => {
                self.uploads.remove(&upload);
                self.aborted.insert(upload);
                said("204 No Content", String::new())
            }
            ("PUT", None) => {
                let there = self.objects.get(path).map(|(_, version)| *version);
                let is_kept_out = match request.headers.get("if-match") {
                    Some(expected) => there.is_none_or(|there| *expected != format!("\"{there}\"")),
                    None => request.headers.contains_key("if-none-match") && there.is_some(),
                };
                match is_kept_out {
                    true => said("412 Precondition Failed", String::new()),
                    false => self.put(path, request.body),
                }
            }
            _ if request.query.contains_key("list-type") => {
                let prefix = format!("/lake/{}", request.query["prefix"]);
                let all = self.objects.iter();
                let below = all.filter(|(path, _)| path.starts_with(&prefix));
                let contents: String = below
                    .map(|(path, (bytes, _))| {
                        let (key, size) = (path.trim_start_matches("/lake/"), bytes.len());
                        format!(
                            "<Contents><Key>{key}</Key><Size>{size}</Size>\
                             <LastModified>2026-11-28T12:00:00.000Z</LastModified></Contents>"
                        )
                    })
                    .collect();
                said(
                    "200 OK",
                    format!("<ListBucketResult>{contents}</ListBucketResult>"),
                )
            }
            _ => match self.objects.get(path) {
                Some((bytes, version)) => Answer {
                    status: "200 OK",
                    version: *version,
                    body: bytes.clone(),
                },
                None => said("404 Not Found", String::new()),
            },
        }
    }
}

fn read_request(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let url = format!("http://s3{}", words.next().unwrap_or_default());
    let url = url::Url::parse(&url).map_err(std::io::Error::other)?;
    let mut headers = BTreeMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim().split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length");
    let length = length.map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        headers,
        body,
    }))
}

fn serve(stream: TcpStream, stored: &Mutex<Stored>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader)? {
        let is_head = request.method == "HEAD";
        let answer = stored.lock().unwrap().answer(request);
        let (status, version, length) = (answer.status, answer.version, answer.body.len());
        write!(
            out,
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\netag: \"{version}\"\r\n\
             last-modified: Sat, 28 Nov 2026 12:00:00 GMT\r\n\r\n"
        )?;
        if !is_head {
            out.write_all(&answer.body)?;
        }
    }
    Ok(())
}

/// A store.
struct S3 {
    url: String,
    stored: Arc<Mutex<Stored>>,
}

impl S3 {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stored: Arc<Mutex<Stored>> = Arc::default();
        let served = Arc::clone(&stored);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let stored = Arc::clone(&served);
                std::thread::spawn(move || serve(stream, &stored).ok());
            }
        });
        Self { url, stored }
    }

    fn command(&self, scene: &Scene, name: &str) -> Command {
        let mut command = against(&scene.leased.gateway);
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .args(["export", "--follow", "-o", ADDRESS, "--from", "beginning"])
            .args(["--group", "orders", "--leases", "shop/leases"])
            .args(["--instance", name, "--page-size", "1"])
            .args(INTERVALS);
        command
    }

    /// The numbers in the objects, in their order.
    fn numbers(&self) -> Vec<u64> {
        let stored = self.stored.lock().unwrap();
        let data = stored.objects.iter();
        let data = data.filter(|(path, _)| !path.contains("_cosmos-tail/"));
        let lines = data.flat_map(|(_, (bytes, _))| split_lines(bytes));
        let mut numbers: Vec<u64> = lines
            .map(|line| serde_json::from_slice::<Value>(&line).unwrap()["number"].as_u64())
            .collect::<Option<_>>()
            .unwrap();
        numbers.sort_unstable();
        numbers
    }
}

#[test]
fn what_an_instance_has_begun_to_upload_of_a_range_that_it_loses_is_aborted() {
    let (scene, store) = (Scene::new(1), S3::start());
    let text = "x".repeat(1 << 20);
    for number in 0..20 {
        scene.leased.orders.upsert(json!({
            "id": number.to_string(), "pk": number, "number": number, "text": text,
        }));
    }
    let rarely: Vec<String> = ["--checkpoint-interval=1h", "--checkpoint-bytes=1GiB"]
        .map(str::to_owned)
        .into();
    let mut command = store.command(&scene, "a");
    let intervals = ["--checkpoint-interval=100ms"];
    let arguments: Vec<String> = command
        .get_args()
        .map(|one| one.to_string_lossy().into_owned())
        .filter(|one| !intervals.contains(&one.as_str()))
        .collect();
    let mut patient = against(&scene.leased.gateway);
    for (name, value) in command.get_envs() {
        value.into_iter().for_each(|value| {
            patient.env(name, value);
        });
    }
    command = patient;
    command.args(arguments).args(rarely);
    let a = Instance::start("a", &mut command, &scene.printed);
    let begun = || store.stored.lock().unwrap().uploads.clone();
    scene.wait_until(|| !begun().is_empty(), || "no upload".to_owned());
    a.signal(Signal::SIGSTOP);
    let own = begun();
    let mut command = store.command(&scene, "b");
    command.args(["--rotate-interval", "500ms"]);
    let b = Instance::start("b", &mut command, &scene.printed);
    scene.wait_for_owners(&[("b", 1)]);
    a.signal(Signal::SIGCONT);
    a.wait_until("it has noticed", |said| said.contains("in time"));
    let is_aborted = || {
        let aborted = store.stored.lock().unwrap().aborted.clone();
        own.keys().all(|upload| aborted.contains(upload))
    };
    scene.wait_until(is_aborted, || format!("{:?}", begun().keys()));
    let all: Vec<u64> = (0..20).collect();
    scene.wait_until(
        || store.numbers() == all,
        || format!("{:?}", store.numbers()),
    );
    a.stop();
    b.stop();
    assert_eq!(store.numbers(), all);
    assert_eq!(begun(), BTreeMap::new());
}
