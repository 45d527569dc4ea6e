//! What a running command answers over HTTP, with `--metrics-listen`: `/metrics`, `/healthz`, `/readyz` and
//! `/progress`. docs/observability describes all of it.
//!
//! It is one more observer of the events of a job, and counts nothing that another one counts: the counts are
//! those of the summary, requests and charges those of the connection ([`Traffic`]).

mod board;
mod exposition;
mod health;
mod job_observer;
mod metrics;
mod process;
mod progress;
mod ranges;
mod server;
mod service_manager;

pub use board::{Applied, Begun, Compared, Direction, Emulated};

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use self::board::Board;
use self::job_observer::JobObserver;
use self::service_manager::ServiceManager;
use crate::cosmos::client::CosmosClient;
use crate::cosmos::traffic::Traffic;
use crate::error::usage;
use crate::feed::{FeedMode, RangeId};
use crate::observe::Observer;
use crate::settings::MonitorPlan;

/// The endpoints of a command, if it has any.
#[derive(Debug, Clone, Default)]
pub struct Monitor(Option<Running>);

#[derive(Debug, Clone)]
struct Running {
    board: Arc<Board>,
    server: Option<Server>,
}

#[derive(Debug, Clone)]
struct Server {
    address: SocketAddr,
    /// It ends with the last of its clones.
    _task: Arc<AbortOnDropHandle<()>>,
}

impl Monitor {
    /// Begins to answer, if the plan says where, and to report to the service manager, if one has started this process.
    ///
    /// # Errors
    ///
    /// If nobody can listen there.
    pub async fn start(plan: &MonitorPlan, command: &'static str) -> Result<Self> {
        let manager = ServiceManager::of_process();
        if plan.listen.is_none() && manager.is_none() {
            return Ok(Self::default());
        }
        let board = Board::new(command, plan.per_range, plan.health_timeout, manager);
        let board = Arc::new(board);
        let server = match plan.listen {
            Some(address) => Some(Server::start(address, &board).await?),
            None => None,
        };
        Ok(Self(Some(Running { board, server })))
    }

    /// Reports to the service manager that the command ends.
    pub fn stopping() {
        service_manager::stopping();
    }

    /// After how long without a sign of life the service manager ends this process, if it does.
    pub fn watchdog(&self) -> Option<Duration> {
        self.board()?.watchdog()
    }

    /// Where it listens, if it does.
    pub fn address(&self) -> Option<SocketAddr> {
        Some(self.0.as_ref()?.server.as_ref()?.address)
    }

    /// What `/metrics` answers.
    pub fn metrics(&self) -> Option<String> {
        Some(metrics::text(self.board()?))
    }

    fn board(&self) -> Option<&Arc<Board>> {
        Some(&self.0.as_ref()?.board)
    }

    /// There is a connection to the container that is read.
    ///
    /// # Errors
    ///
    /// If the service does not return its partitions, which whatever reads it asks for too.
    pub async fn reads(&self, client: &CosmosClient) -> Result<()> {
        self.exchanges(Direction::Read, Arc::clone(client.traffic()));
        self.knows_partitions(client).await
    }

    /// There is a connection to the container that is compared with the one that is read.
    ///
    /// # Errors
    ///
    /// As [`Monitor::reads`].
    pub async fn compares_with(&self, client: &CosmosClient) -> Result<()> {
        self.exchanges(Direction::Target, Arc::clone(client.traffic()));
        self.knows_partitions(client).await
    }

    async fn knows_partitions(&self, client: &CosmosClient) -> Result<()> {
        if let Some(board) = self.board() {
            let partitions = client.list_partitions(false).await?;
            let partitions = partitions.into_iter().map(|partition| partition.range);
            board.lock().ranges.know_partitions(partitions);
        }
        Ok(())
    }

    /// There is a connection to the container that is written.
    pub fn writes(&self, client: &CosmosClient) {
        self.exchanges(Direction::Write, Arc::clone(client.traffic()));
    }

    /// There is traffic.
    pub fn exchanges(&self, direction: Direction, traffic: Arc<Traffic>) {
        if let Some(board) = self.board() {
            board.lock().traffic.push((direction, traffic));
        }
    }

    /// An embedded account has come so far.
    pub fn emulated(&self, emulated: &Emulated) {
        if let Some(board) = self.board() {
            board.emulated(emulated);
        }
    }

    /// The command begins its work. Returns what the events of its ranges are to be given to, if anything is.
    pub fn begin<'a>(&self, mode: FeedMode, begun: Begun) -> Option<Box<dyn Observer + 'a>> {
        let board = Arc::clone(self.board()?);
        board.begin(begun);
        Some(Box::new(JobObserver::new(board, mode)))
    }

    /// A commit that began at this time was made.
    pub fn committed(&self, began: Instant, took: Duration) {
        if let Some(board) = self.board() {
            board.committed(began, took);
        }
    }

    /// A comparison knows this much.
    pub fn compared(&self, compared: impl FnOnce() -> Compared) {
        if let Some(board) = self.board() {
            board.compared(compared());
        }
    }

    /// A comparison has read this much.
    pub fn compares(&self, documents: u64, bytes: u64) {
        if let Some(board) = self.board() {
            board.compares(documents, bytes);
        }
    }

    /// A replay has done this much, and is at these positions of its source.
    pub fn applied<I>(&self, progress: impl FnOnce() -> (Applied, I))
    where
        I: Iterator<Item = (RangeId, Option<u64>)>,
    {
        if let Some(board) = self.board() {
            let (applied, positions) = progress();
            board.applied(applied, positions);
        }
    }
}

impl Server {
    async fn start(address: SocketAddr, board: &Arc<Board>) -> Result<Self> {
        let cannot = |error: std::io::Error| {
            let hint = match error.kind() {
                ErrorKind::AddrInUse => {
                    "another process listens there; choose another port, or 0 for a free one"
                }
                ErrorKind::AddrNotAvailable => {
                    "this machine does not have that address; use one that it has, or 0.0.0.0 for all of them"
                }
                ErrorKind::PermissionDenied => {
                    "ports below 1024 may need a privilege; choose a higher one"
                }
                _ => "choose another address",
            };
            usage(format!("cannot serve metrics at {address}: {error}"), hint)
        };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let task = tokio::spawn(server::serve(listener, Arc::clone(board)));
        Ok(Self {
            address,
            _task: Arc::new(AbortOnDropHandle::new(task)),
        })
    }
}
