//! A port at which nothing listens.

use tokio::net::TcpSocket;

/// A port of the loopback address at which nothing listens. It is kept, so that no server of another test
/// gets it.
pub(crate) struct ClosedPort {
    socket: TcpSocket,
}

impl ClosedPort {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self { socket }
    }

    pub(crate) fn number(&self) -> u16 {
        self.socket.local_addr().unwrap().port()
    }

    /// The address as an endpoint.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/", self.number())
    }
}
