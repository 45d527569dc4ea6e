//! Takes requests over HTTP, lets them go wrong, and answers the others.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::{HeaderMap, Method};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use percent_encoding::percent_decode_str;
use time::format_description::well_known::Rfc2822;
use tokio::sync::oneshot;

use super::answers::answer;
use super::{Call, CallKind, Shared, Stored, Trouble};

pub(super) type Answer = hyper::Response<Full<Bytes>>;

/// A request, of which the body has arrived.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) call: Call,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let found = self.query.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A request to `/ACCOUNT/CONTAINER/NAME`; `None` if no export makes it.
    async fn of(request: hyper::Request<Incoming>) -> Option<Self> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.ok()?.to_bytes();
        let query = url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query: Vec<(String, String)> = query.into_owned().collect();
        let path = percent_decode_str(parts.uri.path()).decode_utf8().ok()?;
        let mut path = path.trim_start_matches('/').splitn(3, '/');
        let (_account, container, name) = (path.next()?, path.next()?, path.next().unwrap_or(""));
        if container != "lake" {
            return None;
        }
        let of = |name: &str| {
            query
                .iter()
                .find(|(own, _)| own == name)
                .map(|own| own.1.as_str())
        };
        let kind = match (parts.method, of("comp")) {
            (Method::GET, Some("list")) => CallKind::List,
            (Method::GET, None) => CallKind::Get,
            (Method::HEAD, None) => CallKind::Head,
            (Method::PUT, None) => CallKind::Put,
            (Method::PUT, Some("block")) => CallKind::Part,
            (Method::PUT, Some("blocklist")) => CallKind::Complete,
            (Method::DELETE, None) => CallKind::Delete,
            _ => return None,
        };
        let name = match kind {
            CallKind::List => of("prefix").unwrap_or_default().to_owned(),
            _ => name.to_owned(),
        };
        Some(Self {
            call: Call { kind, name },
            query,
            headers: parts.headers,
            body,
        })
    }
}

impl Stored {
    /// Late calls whose time has come have their effect.
    pub(super) fn let_late_ones_happen(&mut self, calls: usize) {
        let (due, late) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|(after, _)| *after <= calls);
        self.late = late;
        let due: Vec<(usize, Request)> = due;
        for (_, request) in due {
            answer(self, &request, false);
        }
    }
}

pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async move {
                    tokio::select! {
                        () = accept(listener, shared) => {}
                        // This also ends when the sender is dropped.
                        _ = stopped => {}
                    }
                });
                // Calls that hang must not keep the test alive.
                runtime.shutdown_background();
            })
            .unwrap();
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            assert!(
                thread.join().is_ok() || std::thread::panicking(),
                "the store's thread panicked"
            );
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        stream.set_nodelay(true).ok();
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let service = service_fn(move |request| handle(Arc::clone(&shared), request));
            // Clients that die, and answers that are lost, end here.
            http1::Builder::new()
                .auto_date_header(false)
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

/// An error closes the connection.
async fn handle(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> io::Result<Answer> {
    let closed = || io::Error::from(io::ErrorKind::ConnectionAborted);
    let Some(request) = Request::of(request).await else {
        return Ok(super::answers::refused(404, "ContainerNotFound"));
    };
    let (answered, trouble) = carry_out(&shared, &request);
    match trouble {
        Some(Trouble::Slow(pause)) => tokio::time::sleep(pause).await,
        Some(Trouble::Hang) => match std::future::pending::<Infallible>().await {},
        _ => {}
    }
    let mut answered = answered.ok_or_else(closed)?;
    if let Some(now) = shared.lock().clock.0 {
        let now = now.format(&Rfc2822).unwrap().replace("+0000", "GMT");
        answered.headers_mut().insert("date", now.parse().unwrap());
    }
    Ok(answered)
}

/// The answer, unless there is none; and what went wrong.
fn carry_out(shared: &Shared, request: &Request) -> (Option<Answer>, Option<Trouble>) {
    let mut stored = shared.lock();
    let number = stored.log.len();
    stored.let_late_ones_happen(number);
    let trouble = match &mut stored.script {
        Some(script) => script(number, &request.call),
        None => None,
    };
    stored.log.push((request.call.clone(), trouble));
    let answered = match trouble {
        Some(Trouble::Refused(status, code)) => Some(super::answers::refused(status, code)),
        Some(Trouble::Lost | Trouble::Hang | Trouble::KillBefore) => None,
        Some(Trouble::Late(calls) | Trouble::KillLate(calls)) => {
            stored.late.push((number + calls, request.clone()));
            None
        }
        Some(Trouble::Unanswered | Trouble::KillAfter) => {
            answer(&mut stored, request, false);
            None
        }
        Some(Trouble::PauseBefore) => {
            stored.late.push((usize::MAX, request.clone()));
            None
        }
        Some(Trouble::Stale) => Some(answer(&mut stored, request, true)),
        None | Some(Trouble::Slow(_) | Trouble::Pause) => Some(answer(&mut stored, request, false)),
    };
    let signal = match trouble {
        Some(Trouble::KillBefore | Trouble::KillAfter | Trouble::KillLate(_)) => {
            Some(Signal::SIGKILL)
        }
        Some(Trouble::Pause | Trouble::PauseBefore) => Some(Signal::SIGSTOP),
        _ => None,
    };
    if let Some(signal) = signal {
        // Its first call can arrive before the test knows its number.
        let mut stored = shared
            .has_victim
            .wait_while(stored, |stored| stored.victim.is_none())
            .unwrap();
        let victim = Pid::from_raw(stored.victim.unwrap().cast_signed());
        kill(victim, signal).ok();
        if signal == Signal::SIGSTOP {
            if !stored.is_paused {
                // The signal was sent, but threads of it may still run, and would see the answer.
                waitpid(victim, Some(WaitPidFlag::WUNTRACED)).ok();
            }
            stored.is_paused = true;
            shared.paused.notify_all();
        } else {
            // Those of its calls that are under way have their effect.
            stored.script = None;
        }
    }
    (answered, trouble)
}
