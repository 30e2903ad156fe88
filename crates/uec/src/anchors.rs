//! Anchors of the audit trail while a server runs: the rounds beside the requests, and what is sent to an HTTP address.
//!
//! A round hands its lines to a bounded queue and goes on. This side sends them, tries again a few times, and counts what
//! is not taken: nothing ever waits for it.

use crate::web;
use provider::anchor::keeper::Keeper;
use provider::anchor::state::{Sink, TrailState};
use provider::config::Audit;
use provider::store::Store;
use reqwest::Client;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Rounds that may wait to be sent; of a minute each, an hour.
const QUEUE: usize = 60;
/// How long the address may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How often a round is sent at most.
const TRIES: u32 = 3;
/// Pause before the second try; the next is twice that.
const PAUSE: Duration = Duration::from_secs(1);

/// What signs heads in the background.
pub struct Anchoring {
    keeper: Arc<Mutex<Keeper>>,
}

impl Anchoring {
    /// Compares the database with the anchors that are there, and signs from now on; `None`: the settings ask for none.
    pub async fn start(
        settings: &Audit,
        store: &Store,
        state: &Arc<TrailState>,
    ) -> Result<Option<Anchoring>, String> {
        let to_http = match &settings.url {
            None => None,
            Some(url) => Some(send_to(url.clone(), state.clone())?),
        };
        let (settings, store, state) = (settings.clone(), store.clone(), state.clone());
        let opened = blocking(move || Keeper::open(&settings, &store, state, to_http)).await;
        let Some(keeper) =
            opened.unwrap_or_else(|| Err("the anchors cannot be opened".to_owned()))?
        else {
            return Ok(None);
        };
        let anchoring = Anchoring {
            keeper: Arc::new(Mutex::new(keeper)),
        };
        tokio::spawn(rounds(anchoring.keeper.clone()));
        Ok(Some(anchoring))
    }

    /// Signs the last heads: everything is written.
    pub async fn end(self) {
        round(self.keeper).await;
    }
}

/// Ends when the process does.
async fn rounds(keeper: Arc<Mutex<Keeper>>) {
    loop {
        let pause = round(keeper.clone()).await;
        tokio::time::sleep(pause).await;
    }
}

/// One round on a thread that may wait; returns how long to the next.
async fn round(keeper: Arc<Mutex<Keeper>>) -> Duration {
    let done = blocking(move || {
        let mut keeper = keeper.lock().unwrap_or_else(PoisonError::into_inner);
        keeper.round();
        keeper.pause()
    });
    done.await.unwrap_or(PAUSE)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn send_to(url: String, state: Arc<TrailState>) -> Result<Sender<String>, String> {
    let client = web::client(ANSWER_WITHIN).map_err(|e| format!("audit.url: {e}"))?;
    let (lines, queue) = channel(QUEUE);
    let poster = Poster {
        client,
        url,
        state,
        is_failing: false,
    };
    tokio::spawn(poster.run(queue));
    Ok(lines)
}

struct Poster {
    client: Client,
    url: String,
    state: Arc<TrailState>,
    is_failing: bool,
}

impl Poster {
    /// Ends with the server.
    async fn run(mut self, mut queue: Receiver<String>) {
        while let Some(body) = queue.recv().await {
            let heads = body.lines().count();
            match self.deliver(&body).await {
                Ok(()) => {
                    self.state.wrote(Sink::Http, heads);
                    if std::mem::take(&mut self.is_failing) {
                        tracing::info!("audit.url takes anchors again");
                    }
                }
                Err(why) => {
                    self.state.failed(Sink::Http, heads);
                    if !std::mem::replace(&mut self.is_failing, true) {
                        tracing::error!(
                            why,
                            "audit.url does not take anchors; they are counted and not sent again"
                        );
                    }
                }
            }
        }
    }

    async fn deliver(&self, body: &str) -> Result<(), String> {
        let mut pause = PAUSE;
        let mut last = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let sent = self
                .client
                .post(&self.url)
                .header("content-type", "application/x-ndjson")
                .body(body.to_owned())
                .send()
                .await;
            last = match sent.map(|answer| answer.status()) {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) => format!("it answered {status}"),
                // Without the address, which may hold a password.
                Err(error) => error.without_url().to_string(),
            };
        }
        Err(last)
    }
}
