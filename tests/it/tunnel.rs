//! A tunnel: another address of a server, as a mapped port or a private endpoint is.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A port that passes each connection on to a server.
pub(crate) struct Tunnel {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Tunnel {
    /// One to the server of this endpoint, such as `http://127.0.0.1:PORT/`.
    pub(crate) fn to(endpoint: &str) -> Self {
        let (_, authority) = endpoint.trim_end_matches('/').split_once("://").unwrap();
        let target: SocketAddr = authority.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) else {
                    continue;
                };
                count.fetch_add(1, Ordering::SeqCst);
                pass(&client, &server);
                pass(&server, &client);
            }
        });
        Self {
            address,
            connections,
        }
    }

    /// Its endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many connections came through it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Copies what comes, until no more comes.
fn pass(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    std::thread::spawn(move || {
        io::copy(&mut from, &mut to).ok();
        to.shutdown(Shutdown::Write).ok();
    });
}
