//! Response bodies, the broken ones included.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// What the server sends after the headers.
pub(super) enum ResponseBody {
    /// All of it at once.
    Whole(Option<Bytes>),
    /// Part of the promised content length, then a reset of the connection.
    Truncated { part: Option<Bytes>, promised: u64 },
    /// The same bytes again and again, whatever length was announced.
    Endless {
        block: Bytes,
        announced: Option<u64>,
    },
    /// A few bytes at each tick.
    Trickle {
        rest: Bytes,
        step: usize,
        ticks: Pin<Box<tokio::time::Interval>>,
    },
}

impl ResponseBody {
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Some(bytes.into()))
    }

    pub(super) fn truncated(bytes: Bytes, after: usize) -> Self {
        let promised = bytes.len() as u64;
        let part = bytes.slice(..after.min(bytes.len().saturating_sub(1)));
        Self::Truncated {
            part: Some(part),
            promised,
        }
    }

    /// Whitespace between two tokens of JSON, without an end.
    pub(super) fn endless(announced: Option<u64>) -> Self {
        Self::Endless {
            block: Bytes::from_static(&[b' '; 1 << 16]),
            announced,
        }
    }

    /// Must be called within the server's runtime.
    pub(super) fn trickle(bytes: Bytes, step: usize, every: Duration) -> Self {
        Self::Trickle {
            rest: bytes,
            step: step.max(1),
            ticks: Box::pin(tokio::time::interval(every)),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut *self {
            Self::Whole(bytes) => Poll::Ready(
                bytes
                    .take()
                    .filter(|bytes| !bytes.is_empty())
                    .map(|bytes| Ok(Frame::data(bytes))),
            ),
            Self::Truncated { part, .. } => match part.take() {
                Some(part) if !part.is_empty() => Poll::Ready(Some(Ok(Frame::data(part)))),
                _ => Poll::Ready(Some(Err(io::Error::new(
                    io::ErrorKind::ConnectionReset,
                    "the script resets the connection in the middle of this body",
                )))),
            },
            Self::Endless { block, .. } => Poll::Ready(Some(Ok(Frame::data(block.clone())))),
            Self::Trickle { rest, step, ticks } => {
                if rest.is_empty() {
                    return Poll::Ready(None);
                }
                std::task::ready!(ticks.as_mut().poll_tick(context));
                let step = (*step).min(rest.len());
                Poll::Ready(Some(Ok(Frame::data(rest.split_to(step)))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.as_ref().is_none_or(Bytes::is_empty),
            Self::Truncated { .. } | Self::Endless { .. } => false,
            Self::Trickle { rest, .. } => rest.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Truncated { promised, .. } => SizeHint::with_exact(*promised),
            Self::Endless { announced, .. } => {
                announced.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
            Self::Trickle { rest, .. } => SizeHint::with_exact(rest.len() as u64),
        }
    }
}
