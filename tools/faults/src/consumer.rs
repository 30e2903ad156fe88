//! The Standard's consumer: when an answer is lost or says to try again, it sends the same request with the same
//! `X-Request-ID`; a 409 that names the appointment is the answer it lost.

use crate::http::{Answer, Connection};
use crate::ledger::{Ledger, Lost};
use crate::message::{self, Heads, Slot};
use crate::world::Window;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use uuid::Uuid;

/// First wait before a repeat; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(4);
/// Longest wait between repeats.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// How long a request is repeated: a restart, a promotion and a full disk are over well before.
const REPEATS_FOR: Duration = Duration::from_secs(90);

/// One consumer's connection and habits.
pub struct Consumer {
    ledger: Arc<Ledger>,
    heads: Arc<Heads>,
    addresses: Arc<Vec<SocketAddr>>,
    at: usize,
    connection: Option<Connection>,
    /// Does not repeat: as a call handler who hangs up.
    pub gives_up: bool,
}

/// How a booking ended for the consumer.
pub enum Booked {
    /// Booked, with the stored appointment if the answer had it.
    Yes(Uuid, Option<Vec<u8>>),
    /// Refused with this status.
    No(u16),
    /// Nobody told.
    Unknown,
}

/// How a cancellation ended for the consumer.
#[derive(Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// Cancelled.
    Yes,
    /// Refused with this status.
    No(u16),
    /// Nobody told.
    Unknown,
}

/// What a change was answered at last.
enum Told {
    Done(Answer, Option<Uuid>),
    Refused(u16),
    Unknown,
}

/// A change, to be noted before it is sent.
enum Change<'a> {
    Book(usize, &'a Slot),
    Cancel(Uuid, &'a str),
}

impl Consumer {
    /// A consumer that knows the Provider's addresses and begins with the one of this number.
    pub fn new(
        ledger: &Arc<Ledger>,
        heads: &Arc<Heads>,
        addresses: &Arc<Vec<SocketAddr>>,
        first: usize,
    ) -> Consumer {
        Consumer {
            ledger: ledger.clone(),
            heads: heads.clone(),
            addresses: addresses.clone(),
            at: first,
            connection: None,
            gives_up: false,
        }
    }

    /// Opens the connection, so that the first request need not.
    pub async fn connect(&mut self) -> Result<(), Lost> {
        self.connection().await.map(|_| ())
    }

    /// Closes the connection.
    pub fn hang_up(&mut self) {
        self.connection = None;
    }

    /// Books a slot.
    pub async fn book(&mut self, request: Uuid, number: usize, slot: &Slot) -> Booked {
        match self.change(request, &Change::Book(number, slot)).await {
            Told::Done(answer, Some(id)) if answer.status == 201 => {
                Booked::Yes(id, Some(answer.body))
            }
            Told::Done(_, Some(id)) => Booked::Yes(id, None),
            Told::Done(answer, None) => {
                let status = answer.status;
                self.ledger.wrong(&format!(
                    "a booking was answered {status} without naming an appointment"
                ));
                Booked::Unknown
            }
            Told::Refused(status) => Booked::No(status),
            Told::Unknown => Booked::Unknown,
        }
    }

    /// Cancels an appointment, given as it was answered.
    pub async fn cancel(&mut self, request: Uuid, appointment: Uuid, stored: &[u8]) -> Cancelled {
        let Some(body) = message::cancelled(stored) else {
            self.ledger.wrong(&format!(
                "{appointment} was answered with something else than an appointment"
            ));
            return Cancelled::Unknown;
        };
        match self
            .change(request, &Change::Cancel(appointment, &body))
            .await
        {
            Told::Done(..) => Cancelled::Yes,
            Told::Refused(status) => Cancelled::No(status),
            Told::Unknown => Cancelled::Unknown,
        }
    }

    /// Reads an appointment until there is an answer: status and body.
    pub async fn read(&mut self, appointment: Uuid) -> Option<(u16, Vec<u8>)> {
        let request = self.heads.read(appointment);
        self.ask("read", &request).await
    }

    /// Searches a clinic until there is an answer.
    pub async fn search(&mut self, service: &str, window: Window) -> Option<(u16, Vec<u8>)> {
        let request = self.heads.search(service, window.from, window.to);
        self.ask("search", &request).await
    }

    async fn ask(&mut self, what: &str, request: &[u8]) -> Option<(u16, Vec<u8>)> {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        while began.elapsed() < REPEATS_FOR {
            let sent = Instant::now();
            match self.send(request).await {
                Ok(answer) if !may_repeat(answer.status) => {
                    self.ledger.read(what, answer.status, sent.elapsed());
                    return Some((answer.status, answer.body));
                }
                Ok(answer) => self.ledger.read(what, answer.status, sent.elapsed()),
                Err(Lost::Hung) => self.ledger.read(what, 0, sent.elapsed()),
                Err(_) => {}
            }
            if self.gives_up {
                return None;
            }
            pause(&mut wait).await;
        }
        None
    }

    async fn change(&mut self, request: Uuid, change: &Change<'_>) -> Told {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        while began.elapsed() < REPEATS_FOR {
            let bytes = match change {
                Change::Book(number, slot) => {
                    self.ledger.book(request, *number);
                    self.heads.book(request, slot)
                }
                Change::Cancel(appointment, body) => {
                    self.ledger.cancel(request, *appointment);
                    self.heads.cancel(request, *appointment, body)
                }
            };
            let sent = Instant::now();
            match self.send(&bytes).await {
                Ok(answer) => {
                    let named = answer.location.or(match (change, answer.status) {
                        (Change::Cancel(appointment, _), 200) => Some(*appointment),
                        _ => None,
                    });
                    self.ledger
                        .told(request, answer.status, named, sent.elapsed());
                    match answer.status {
                        200 | 201 => return Told::Done(answer, named),
                        409 if named.is_some() => return Told::Done(answer, named),
                        status if !may_repeat(status) => return Told::Refused(status),
                        _ => {}
                    }
                }
                Err(lost) => self.ledger.lost(request, lost, sent.elapsed()),
            }
            if self.gives_up {
                return Told::Unknown;
            }
            pause(&mut wait).await;
        }
        Told::Unknown
    }

    async fn send(&mut self, request: &[u8]) -> Result<Answer, Lost> {
        let outcome = match self.connection().await {
            Ok(connection) => connection.send(request).await,
            Err(lost) => Err(lost),
        };
        if outcome.is_err() {
            self.connection = None;
            self.at += 1;
        }
        outcome
    }

    async fn connection(&mut self) -> Result<&mut Connection, Lost> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => {
                let address = self.addresses[self.at % self.addresses.len()];
                Ok(none.insert(Connection::open(address).await?))
            }
        }
    }
}

async fn pause(wait: &mut Duration) {
    tokio::time::sleep(*wait).await;
    *wait = (*wait * 2).min(LONGEST_WAIT);
}

/// The situations of the error table after which the same request may be sent again.
fn may_repeat(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}
