//! A store that speaks as S3 does, and ignores the conditions of writes.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::command::{against, run};
use crate::orders::filled;

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
        let mut length = 0;
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
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let mut objects = objects.lock().unwrap();
        let (status, body) = match (method.as_str(), path.contains("list-type")) {
            ("PUT", _) => {
                objects.insert(path, body);
                ("200 OK", Vec::new())
            }
            ("GET", true) => ("200 OK", b"<ListBucketResult></ListBucketResult>".to_vec()),
            _ => match objects.get(&path) {
                Some(found) => ("200 OK", found.clone()),
                None => ("404 Not Found", Vec::new()),
            },
        };
        write!(
            out,
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\netag: \"1\"\r\n\
             last-modified: Sat, 28 Nov 2026 12:00:00 GMT\r\n\r\n",
            body.len()
        )?;
        if method != "HEAD" {
            out.write_all(&body)?;
        }
    }
}

#[test]
fn a_store_that_ignores_the_conditions_of_writes_is_refused() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let objects = Objects::default();
        for stream in listener.incoming().map_while(Result::ok) {
            let objects = Arc::clone(&objects);
            std::thread::spawn(move || serve(stream, &objects).ok());
        }
    });
    let (gateway, _) = filled(1, 10);
    let mut command = against(&gateway);
    command
        .env("AWS_ENDPOINT_URL", address)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .args(["export", "-o", "s3://lake/orders/"]);
    let ended = run(&mut command);
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains("ignores the conditions of writes")
            && ended.stderr.contains("use a store with conditional writes"),
        "{}",
        ended.stderr
    );
}
