//! Load beside which things are broken: consumers that book, cancel, read and search, and never stop for a fault.

use crate::consumer::{Booked, Cancelled, Consumer};
use crate::ledger::Ledger;
use crate::message::{Heads, Slot};
use crate::proof::status_of;
use crate::random::Random;
use crate::world::{Size, Window, service, windows};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use uuid::Uuid;

/// Bookings that one client holds at most; beyond it cancels, so that slots come back.
const HELD: usize = 400;
/// Of a hundred clients, so many hang up instead of repeating.
const GIVE_UP: usize = 10;

/// What all clients share.
#[derive(Clone)]
pub struct Shared {
    /// Where everything is noted.
    pub ledger: Arc<Ledger>,
    /// Requests.
    pub heads: Arc<Heads>,
    /// Where the Provider is.
    pub addresses: Arc<Vec<SocketAddr>>,
    /// What can be booked.
    pub slots: Arc<Vec<Slot>>,
    /// How large the diary is.
    pub size: Size,
    /// When the scenario began: its days are counted from here.
    pub began: Timestamp,
    /// Whether a 403 may be the fault of a clock.
    pub tokens_may_fail: bool,
}

/// What was done so far.
#[derive(Default)]
pub struct Counts {
    /// Bookings told to be made.
    pub booked: AtomicUsize,
    /// Cancellations told to be done.
    pub cancelled: AtomicUsize,
    /// Everything that had an answer.
    pub answered: AtomicUsize,
}

/// Clients at work.
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<()>,
    /// What was done so far.
    pub counts: Arc<Counts>,
}

impl Load {
    /// Starts so many clients.
    pub fn start(shared: &Shared, clients: usize, random: &mut Random) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let counts = Arc::new(Counts::default());
        let mut set = JoinSet::new();
        for number in 0..clients {
            let mut random = random.branch();
            let mut consumer =
                Consumer::new(&shared.ledger, &shared.heads, &shared.addresses, number);
            consumer.gives_up = random.percent(GIVE_UP);
            let client = Client {
                shared: shared.clone(),
                consumer,
                random,
                held: Vec::new(),
                windows: windows(shared.size, shared.began),
                counts: counts.clone(),
            };
            set.spawn(client.run(stop.clone()));
        }
        Load {
            stop,
            clients: set,
            counts,
        }
    }

    /// Answers so far.
    pub fn answered(&self) -> usize {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// Waits until something was booked again: false when nothing was for this long.
    pub async fn goes_on(&self, within: Duration) -> bool {
        let booked = || self.counts.booked.load(Ordering::Relaxed);
        let (before, began) = (booked(), std::time::Instant::now());
        while began.elapsed() < within {
            if booked() > before {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        false
    }

    /// Lets every client finish what it is at.
    pub async fn stop(mut self) -> Result<Arc<Counts>, String> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.clients.join_next().await {
            ended.map_err(|e| format!("a client broke: {e}"))?;
        }
        Ok(self.counts)
    }
}

struct Client {
    shared: Shared,
    consumer: Consumer,
    random: Random,
    /// Own bookings with the stored appointment.
    held: Vec<(Uuid, Vec<u8>)>,
    windows: Vec<Window>,
    counts: Arc<Counts>,
}

impl Client {
    async fn run(mut self, stop: Arc<AtomicBool>) {
        while !stop.load(Ordering::Relaxed) {
            let done = match self.random.below(100) {
                _ if self.held.len() >= HELD => self.cancel().await,
                0..50 => self.book().await,
                50..70 if !self.held.is_empty() => self.cancel().await,
                70..82 if !self.held.is_empty() => self.read().await,
                82..85 => self.crowd().await,
                _ => self.search().await,
            };
            if done {
                self.counts.answered.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    async fn book(&mut self) -> bool {
        let number = self.random.below(self.shared.slots.len());
        self.book_slot(number).await
    }

    /// A slot of the clinic with a cap, on its first day: all clients want the few that are to be had.
    async fn crowd(&mut self) -> bool {
        let capped = self.shared.slots.iter().position(|s| s.cap > 0);
        match capped {
            Some(first) => {
                let number = first + self.random.below(self.shared.slots.len() - first).min(100);
                self.book_slot(number).await
            }
            None => self.book().await,
        }
    }

    async fn book_slot(&mut self, number: usize) -> bool {
        let (request, slots) = (self.random.uuid(), self.shared.slots.clone());
        match self.consumer.book(request, number, &slots[number]).await {
            Booked::Yes(id, body) => {
                self.counts.booked.fetch_add(1, Ordering::Relaxed);
                let body = match body {
                    Some(body) => Some(body),
                    None => self.see(id, "booked").await,
                };
                self.held.extend(body.map(|body| (id, body)));
                true
            }
            // Taken, or its cap is reached.
            Booked::No(422 | 403) => true,
            Booked::No(status) => {
                let what = format!("a booking was refused with {status}");
                self.shared.ledger.wrong(&what);
                true
            }
            Booked::Unknown => false,
        }
    }

    async fn cancel(&mut self) -> bool {
        let at = self.random.below(self.held.len());
        let (id, body) = self.held.swap_remove(at);
        let request = self.random.uuid();
        match self.consumer.cancel(request, id, &body).await {
            Cancelled::Yes => {
                self.counts.cancelled.fetch_add(1, Ordering::Relaxed);
                true
            }
            Cancelled::No(403) if self.shared.tokens_may_fail => {
                self.held.push((id, body));
                true
            }
            Cancelled::No(status) => {
                let what = format!("{id} was booked, and its cancellation refused with {status}");
                self.shared.ledger.wrong(&what);
                true
            }
            Cancelled::Unknown => false,
        }
    }

    async fn read(&mut self) -> bool {
        let at = self.random.below(self.held.len());
        let id = self.held[at].0;
        self.see(id, "booked").await.is_some()
    }

    /// Reads an appointment that must be in this state.
    async fn see(&mut self, id: Uuid, expected: &str) -> Option<Vec<u8>> {
        let (status, body) = self.consumer.read(id).await?;
        let found = match status {
            403 if self.shared.tokens_may_fail => return None,
            200 => status_of(&body, id),
            other => other.to_string(),
        };
        if found != expected {
            let what = format!("{id} is {expected} and was answered as {found}");
            self.shared.ledger.wrong(&what);
            return None;
        }
        Some(body)
    }

    async fn search(&mut self) -> bool {
        let clinic = service(self.random.below(self.shared.size.clinics));
        let window = self.windows[self.random.below(self.windows.len())];
        match self.consumer.search(&clinic, window).await {
            Some((200, _)) => true,
            Some((403, _)) if self.shared.tokens_may_fail => true,
            Some((status, _)) => {
                let what = format!("a search was answered {status}");
                self.shared.ledger.wrong(&what);
                true
            }
            None => false,
        }
    }
}
