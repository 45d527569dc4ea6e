//! A store that speaks as S3 does, and ignores the conditions of writes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::command::{against, assert_same, cosmos_tail, run, succeed};
use crate::orders::{fill, filled};
use crate::replay::content;

type Objects = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Answers one request after the other; an error ends the connection.
fn serve(stream: TcpStream, objects: &Objects) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let path = words.next().unwrap_or_default().to_owned();
        let (mut length, mut range) = (0, None);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header)?;
            let header = header.trim().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            if let Some(value) = header.strip_prefix("range: bytes=") {
                let bounds = value.split_once('-');
                range = bounds.and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut objects = objects.lock().unwrap();
        let (mut status, mut body) = answer(&mut objects, &method, &path, body);
        let mut header = String::new();
        if let Some((from, to)) = range.filter(|_| status == "200 OK") {
            let (from, to): (usize, usize) = (from, to);
            header = format!("content-range: bytes {from}-{to}/{}\r\n", body.len());
            status = "206 Partial Content";
            body = body[from..=to].to_vec();
        }
        write!(
            out,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"1\"\r\n{header}\
             last-modified: Sat, 28 Nov 2026 12:00:00 GMT\r\n\r\n",
            body.len()
        )?;
        if method != "HEAD" {
            out.write_all(&body)?;
        }
    }
}

/// Parts are objects of their own, until they are put together.
fn answer(
    objects: &mut BTreeMap<String, Vec<u8>>,
    method: &str,
    path: &str,
    body: Vec<u8>,
) -> (&'static str, Vec<u8>) {
    let found = |body: &str| ("200 OK", body.as_bytes().to_vec());
    let name = path.split('?').next().unwrap_or(path);
    match method {
        "PUT" => {
            objects.insert(path.to_owned(), body);
            found("")
        }
        "POST" if path.ends_with("?uploads") || path.contains("?uploads=") => found(
            "<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>",
        ),
        "POST" => {
            let parts = objects
                .iter()
                .filter(|(part, _)| part.starts_with(&format!("{name}?")));
            let whole = parts.flat_map(|(_, bytes)| bytes.clone()).collect();
            objects.retain(|part, _| !part.starts_with(&format!("{name}?")));
            objects.insert(name.to_owned(), whole);
            found("<CompleteMultipartUploadResult><ETag>1</ETag></CompleteMultipartUploadResult>")
        }
        "GET" if path.contains("list-type") => {
            let prefix = path.split("prefix=").nth(1).unwrap_or_default();
            let prefix = prefix.split('&').next().unwrap_or_default();
            let prefix = prefix.replace("%2F", "/");
            let names = objects
                .iter()
                .filter_map(|(name, bytes)| Some((name.strip_prefix("/lake/")?, bytes.len())))
                .filter(|(name, _)| name.starts_with(&prefix) && !name.contains('?'));
            let contents: String = names
                .map(|(name, length)| {
                    format!(
                        "<Contents><Key>{name}</Key><Size>{length}</Size>\
                         <LastModified>2026-11-28T12:00:00.000Z</LastModified></Contents>"
                    )
                })
                .collect();
            found(&format!("<ListBucketResult>{contents}</ListBucketResult>"))
        }
        _ => match objects.get(name) {
            Some(bytes) => ("200 OK", bytes.clone()),
            None => ("404 Not Found", Vec::new()),
        },
    }
}

/// Starts it. Returns its address.
fn start() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let objects = Objects::default();
        for stream in listener.incoming().map_while(Result::ok) {
            let objects = Arc::clone(&objects);
            std::thread::spawn(move || serve(stream, &objects).ok());
        }
    });
    address
}

fn reach<'a>(command: &'a mut Command, address: &str) -> &'a mut Command {
    command
        .env("AWS_ENDPOINT_URL", address)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
}

#[test]
fn a_store_that_ignores_the_conditions_of_writes_is_refused() {
    let (gateway, _) = filled(1, 10);
    let address = start();
    let mut command = against(&gateway);
    let ended = run(reach(&mut command, &address).args(["export", "-o", "s3://lake/orders/"]));
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("ignores the conditions of writes")
            && ended.stderr.contains("use a store with conditional writes"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_store_that_ignores_the_conditions_of_writes_is_of_use_with_the_state_on_a_disk() {
    let address = start();
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("orders.json");
    let (gateway, container) = filled(2, 60);
    let mut export = against(&gateway);
    reach(&mut export, &address)
        .args(["export", "-o", "s3://lake/orders/", "--state"])
        .arg(&state);
    succeed(&mut export);
    fill(&container, 100..120);
    let mut resume = against(&gateway);
    succeed(
        reach(&mut resume, &address)
            .args(["resume", "--state"])
            .arg(&state),
    );
    let mut verify = cosmos_tail();
    succeed(
        reach(&mut verify, &address)
            .args(["verify", "--strict"])
            .arg(&state),
    );
    let (target, copy) = filled(2, 0);
    let mut replay = against(&target);
    succeed(reach(&mut replay, &address).args(["replay", "s3://lake/orders/"]));
    assert_same(&content(&copy), &content(&container));
}

/// Answers everything like this.
fn start_with(answer: &'static str) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut line = String::new();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {}
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    address
}

#[test]
fn a_bucket_in_another_region_is_named_with_its_region() {
    let (gateway, _) = filled(1, 1);
    for answer in [
        "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n\
         connection: close\r\n\r\n",
        "HTTP/1.1 400 Bad Request\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 59\r\n\
         connection: close\r\n\r\n<Error><Code>AuthorizationHeaderMalformed</Code></Error>    ",
    ] {
        let address = start_with(answer);
        let mut command = against(&gateway);
        let ended = run(reach(&mut command, &address).args(["export", "-o", "s3://lake/orders/"]));
        assert_ne!(ended.code, Some(0));
        for told in ["is in the region eu-west-1", "set AWS_REGION=eu-west-1"] {
            assert!(ended.stderr.contains(told), "{told}: {}", ended.stderr);
        }
    }
}
