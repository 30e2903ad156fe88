//! Anchors of the audit trail while a server runs: the rounds beside the requests, and what is sent to an HTTP address.
//!
//! A round hands its lines to a bounded queue and goes on. This side sends them, tries again a few times, and counts what
//! is not taken: nothing ever waits for it.

use crate::web;
use provider::anchor::keeper::Keeper;
use provider::anchor::state::{AnchorState, Sink};
use provider::config::Audit;
use provider::store::Store;
use reqwest::Client;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Rounds that may wait to be sent; of a minute each, an hour.
const QUEUE: usize = 60;
/// How long the address may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the start waits for the comparison with the folder: a folder that hangs must not keep bookings out.
const START_WITHIN: Duration = Duration::from_secs(10);
/// How long the end waits for the last heads.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How often a round is sent at most.
const TRIES: u32 = 3;
/// Pause before the second try; the next is twice that.
const PAUSE: Duration = Duration::from_secs(1);

/// What signs heads in the background.
pub struct Anchoring {
    stop: mpsc::Sender<oneshot::Sender<()>>,
    poster: Option<JoinHandle<()>>,
}

impl Anchoring {
    /// Compares the database with the anchors that are there, and signs from now on; `None`: the settings ask for none. The
    /// work has a thread of its own, so that a folder that hangs holds up neither the start nor the end.
    pub async fn start(
        settings: &Audit,
        store: &Store,
        state: &Arc<AnchorState>,
    ) -> Result<Option<Anchoring>, String> {
        let (to_http, poster) = match &settings.url {
            None => (None, None),
            Some(url) => {
                let (lines, poster) = send_to(url.clone(), state.clone())?;
                (Some(lines), Some(poster))
            }
        };
        let Some(keeper) = Keeper::open(settings, store, state.clone(), to_http)? else {
            return Ok(None);
        };
        let (stop, stopped) = mpsc::channel();
        let (first, compared) = oneshot::channel();
        std::thread::Builder::new()
            .name("audit-anchors".to_owned())
            .spawn(move || rounds(keeper, first, &stopped))
            .map_err(|e| format!("the thread that signs heads cannot be started: {e}"))?;
        if tokio::time::timeout(START_WITHIN, compared).await.is_err() {
            tracing::error!(
                "the anchors of the audit trail do not answer: the server starts before the database was compared with them"
            );
        }
        Ok(Some(Anchoring { stop, poster }))
    }

    /// Signs the last heads, when everything is written; what hangs is left behind.
    pub async fn end(self) {
        let (done, ended) = oneshot::channel();
        let last = async {
            if self.stop.send(done).is_ok() {
                // Without an answer the thread is gone.
                let _ = ended.await;
            }
            if let Some(poster) = self.poster {
                let _ = poster.await;
            }
        };
        if tokio::time::timeout(END_WITHIN, last).await.is_err() {
            tracing::error!("the last heads of the audit trail may not have been kept everywhere");
        }
    }
}

/// Ends when it is told to, or the server is gone.
fn rounds(
    mut keeper: Keeper,
    first: oneshot::Sender<()>,
    stopped: &mpsc::Receiver<oneshot::Sender<()>>,
) {
    keeper.begin();
    // Nobody waits for it any more when that took long.
    let _ = first.send(());
    loop {
        keeper.round();
        match stopped.recv_timeout(keeper.pause()) {
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(done) => {
                keeper.round();
                drop(keeper);
                let _ = done.send(());
                return;
            }
        }
    }
}

fn send_to(
    url: String,
    state: Arc<AnchorState>,
) -> Result<(Sender<String>, JoinHandle<()>), String> {
    let client = web::client(ANSWER_WITHIN).map_err(|e| format!("audit.url: {e}"))?;
    let (lines, queue) = channel(QUEUE);
    let poster = Poster {
        client,
        url,
        state,
        is_failing: false,
    };
    Ok((lines, tokio::spawn(poster.run(queue))))
}

struct Poster {
    client: Client,
    url: String,
    state: Arc<AnchorState>,
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
            let body = body.to_owned();
            last = match web::post(&self.client, &self.url, "application/x-ndjson", body).await {
                Ok(status) if status.is_success() => return Ok(()),
                Ok(status) => format!("it answered {status}"),
                Err(why) => why,
            };
        }
        Err(last)
    }
}
