//! Load on a server: as fast as a number of connections can (closed loop), or at a fixed rate (open loop).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use testkit::http::Connection;
use tokio::task::JoinSet;

/// The words for a server that cannot be reached, or breaks off.
pub fn unanswered(error: std::io::Error) -> String {
    format!("no answer: {error}")
}

/// What was measured.
#[derive(Default)]
pub struct Load {
    /// Answers by status.
    pub statuses: BTreeMap<u16, usize>,
    /// Time of the whole.
    pub seconds: f64,
    /// Time of each answer in microseconds, in order of size.
    pub micros: Vec<u32>,
}

impl Load {
    /// Answers of any status.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// Answers per second.
    pub fn rate(&self) -> f64 {
        self.count() as f64 / self.seconds.max(1e-9)
    }

    /// The time within which this part of the answers came, in milliseconds.
    pub fn within(&self, part: f64) -> f64 {
        let last = self.micros.len().saturating_sub(1);
        let at = (self.micros.len() as f64 * part) as usize;
        self.micros
            .get(at.min(last))
            .map_or(0.0, |m| f64::from(*m) / 1e3)
    }

    /// An error unless all answers had this status.
    pub fn only(self, status: u16) -> Result<Load, String> {
        match self.statuses.get(&status) == Some(&self.count()) {
            true => Ok(self),
            false => Err(format!("answers other than {status}: {:?}", self.statuses)),
        }
    }

    /// The figures of several rounds together.
    pub fn sum(rounds: &[Load]) -> Load {
        let mut all = Load::default();
        for round in rounds {
            all.add(round);
            all.seconds += round.seconds;
        }
        all.micros.sort_unstable();
        all
    }

    fn add(&mut self, other: &Load) {
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.micros.extend(&other.micros);
    }

    fn note(&mut self, status: u16, took: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.micros
            .push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }
}

/// What is sent: the request of a number, or `None` when there are no more.
pub type Requests = Arc<dyn Fn(usize) -> Option<Arc<[u8]>> + Send + Sync>;

/// When requests are due.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Each connection sends as soon as it has its answer.
    Closed,
    /// So many a second in all; the time of an answer counts from the moment it was due.
    Open(f64),
}

/// Sends requests over connections that are open before the clock starts, until there are none or the time is over.
pub async fn run(
    address: &str,
    connections: usize,
    pace: Pace,
    duration: Duration,
    requests: Requests,
) -> Result<Load, String> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await.map_err(unanswered)?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let mut workers = JoinSet::new();
    for connection in open {
        workers.spawn(worker(
            connection,
            next.clone(),
            pace,
            (began, duration),
            requests.clone(),
        ));
    }
    let mut all = Load::default();
    while let Some(done) = workers.join_next().await {
        all.add(&done.map_err(|e| e.to_string())??);
    }
    all.seconds = began.elapsed().as_secs_f64();
    all.micros.sort_unstable();
    Ok(all)
}

async fn worker(
    mut connection: Connection,
    next: Arc<AtomicUsize>,
    pace: Pace,
    (began, duration): (Instant, Duration),
    requests: Requests,
) -> Result<Load, String> {
    let mut load = Load::default();
    while began.elapsed() < duration {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = requests(number) else {
            break;
        };
        let due = match pace {
            Pace::Closed => Instant::now(),
            Pace::Open(rate) => {
                let due = began + Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until(due.into()).await;
                due
            }
        };
        let answer = connection.send(&request).await.map_err(unanswered)?;
        load.note(answer.status, due.elapsed());
    }
    Ok(load)
}
