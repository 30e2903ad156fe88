//! Provides the body of a booking only after the journal has recorded that it may leave (D-53).
//!
//! A request whose body was never asked for cannot have booked anything, whatever happened to program or connection. So
//! until then the booking's row certainly means "not sent", and afterwards "may have been sent".

use crate::journal::{Journal, JournalError};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use tokio::task::JoinHandle;

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Progress {
    /// Nothing of it has left.
    Untouched,
    /// It may have left.
    Leaving,
    /// Withheld: the journal says that the booking is settled.
    Settled,
    /// Withheld: the journal could not be written.
    Unrecorded,
}

/// The booking of a request.
#[derive(Clone, Debug)]
pub(super) struct GuardedBody {
    journal: Journal,
    document: String,
    progress: Arc<AtomicU8>,
}

impl GuardedBody {
    pub fn of(journal: Journal, document: &str) -> GuardedBody {
        GuardedBody {
            journal,
            document: document.to_owned(),
            progress: Arc::default(),
        }
    }

    /// The furthest progress of all attempts.
    pub fn progress(&self) -> Progress {
        match self.progress.load(Ordering::SeqCst) {
            0 => Progress::Untouched,
            2 => Progress::Settled,
            3 => Progress::Unrecorded,
            _ => Progress::Leaving,
        }
    }

    fn note(&self, progress: Progress) {
        self.progress.store(progress as u8, Ordering::SeqCst);
    }

    /// The body for one attempt.
    pub fn body(&self, bytes: Bytes) -> reqwest::Body {
        reqwest::Body::wrap(Guarded {
            departure: self.clone(),
            asked: None,
            bytes: Some(bytes),
        })
    }
}

/// Why a body was withheld.
#[derive(Debug, thiserror::Error)]
#[error("the journal does not let it leave")]
struct Withheld;

struct Guarded {
    departure: GuardedBody,
    asked: Option<JoinHandle<Result<bool, JournalError>>>,
    bytes: Option<Bytes>,
}

impl Body for Guarded {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if self.bytes.is_none() {
            return Poll::Ready(None);
        }
        let departure = self.departure.clone();
        let asked = self.asked.get_or_insert_with(|| {
            // The row may say so from here on, whatever happens to this attempt.
            departure.note(Progress::Leaving);
            tokio::spawn(async move { departure.journal.leaving(&departure.document).await })
        });
        let kept = match Pin::new(asked).poll(context) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(kept) => kept,
        };
        match kept {
            Ok(Ok(true)) => Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Ok(Ok(false)) => {
                self.departure.note(Progress::Settled);
                Poll::Ready(Some(Err(Box::new(Withheld))))
            }
            failed => {
                tracing::error!(
                    ?failed,
                    "a booking was not sent, since that could not be noted"
                );
                self.departure.note(Progress::Unrecorded);
                Poll::Ready(Some(Err(Box::new(Withheld))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.bytes.as_ref().map_or(0, Bytes::len);
        SizeHint::with_exact(u64::try_from(left).unwrap_or(u64::MAX))
    }
}
