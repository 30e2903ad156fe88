//! A wire that can be cut: between client and Provider, or between Provider and database.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Bytes taken at a time.
const PIECE: usize = 16 << 10;

/// Where to cut. Bytes count from the moment at which the cut is ordered, over all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection is closed when it is made, or with the first byte: nothing is passed on.
    BeforeSend,
    /// After so many bytes of the request were passed on.
    Request(usize),
    /// So long after so many bytes of the request were passed on, whatever was answered by then.
    After(usize, Duration),
    /// When the answer begins: its first bytes are seen and not passed on.
    AnswerStarts,
    /// After so many bytes of the answer were passed on.
    Answer(usize),
}

/// What is ordered, and how far it is.
#[derive(Default)]
struct Order {
    cut: Option<Cut>,
    passed: usize,
    /// Counts the cuts that were made.
    made: usize,
}

impl Order {
    /// How many of so many bytes of a request may pass, and whether the wire is cut then, and when.
    fn request(&mut self, bytes: usize) -> (usize, Option<Duration>) {
        match self.cut {
            Some(Cut::BeforeSend) => (0, self.now(Duration::ZERO)),
            Some(Cut::Request(most)) if self.passed + bytes >= most => {
                (most - self.passed, self.now(Duration::ZERO))
            }
            Some(Cut::After(all, wait)) if self.passed + bytes >= all => (bytes, self.now(wait)),
            Some(Cut::Request(_) | Cut::After(..)) => {
                self.passed += bytes;
                (bytes, None)
            }
            _ => (bytes, None),
        }
    }

    /// The same for an answer.
    fn answer(&mut self, bytes: usize) -> (usize, Option<Duration>) {
        match self.cut {
            Some(Cut::AnswerStarts) => (0, self.now(Duration::ZERO)),
            Some(Cut::Answer(most)) if self.passed + bytes >= most => {
                (most - self.passed, self.now(Duration::ZERO))
            }
            Some(Cut::Answer(_)) => {
                self.passed += bytes;
                (bytes, None)
            }
            _ => (bytes, None),
        }
    }

    fn now(&mut self, wait: Duration) -> Option<Duration> {
        self.cut = None;
        self.made += 1;
        Some(wait)
    }
}

/// The wire.
pub struct Proxy {
    /// Where it is reached.
    pub address: SocketAddr,
    order: Arc<Mutex<Order>>,
    accepting: JoinHandle<()>,
}

impl Proxy {
    /// Begins to pass on to an address.
    pub async fn start(to: SocketAddr) -> Result<Proxy, String> {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .map_err(|e| e.to_string())?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let order = Arc::new(Mutex::new(Order::default()));
        let orders = order.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, to, orders.clone()));
            }
        });
        Ok(Proxy {
            address,
            order,
            accepting,
        })
    }

    /// Orders a cut.
    pub fn order(&self, cut: Cut) {
        let mut order = locked(&self.order);
        (order.cut, order.passed) = (Some(cut), 0);
    }

    /// Takes the order back; true when it was carried out.
    pub fn was_cut(&self) -> bool {
        locked(&self.order).cut.take().is_none()
    }

    /// Cuts that were made so far.
    pub fn cuts(&self) -> usize {
        locked(&self.order).made
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

fn locked(order: &Mutex<Order>) -> std::sync::MutexGuard<'_, Order> {
    order.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection; both sides close when the wire is cut.
async fn pass(client: TcpStream, to: SocketAddr, order: Arc<Mutex<Order>>) {
    let Ok(server) = TcpStream::connect(to).await else {
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let (requests, answers) = (order.clone(), order);
    tokio::select! {
        () = stream(from_client, to_server, |n| locked(&requests).request(n)) => {}
        () = stream(from_server, to_client, |n| locked(&answers).answer(n)) => {}
    }
}

/// Passes on until one side ends or the wire is cut.
async fn stream(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut may: impl FnMut(usize) -> (usize, Option<Duration>),
) {
    let mut piece = vec![0; PIECE];
    loop {
        let read = match from.read(&mut piece).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        let (pass, cut) = may(read);
        if to.write_all(&piece[..pass]).await.is_err() {
            return;
        }
        if let Some(wait) = cut {
            tokio::time::sleep(wait).await;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(cut: Cut) -> Order {
        Order {
            cut: Some(cut),
            ..Order::default()
        }
    }

    #[test]
    fn a_request_is_cut_at_its_byte() {
        let mut o = order(Cut::Request(10));
        assert_eq!(o.request(4), (4, None));
        assert_eq!(o.answer(99), (99, None));
        assert_eq!(o.request(8), (6, Some(Duration::ZERO)));
        assert_eq!(o.request(8), (8, None));
        assert_eq!(o.made, 1);
    }

    #[test]
    fn an_answer_is_cut_when_it_begins_or_within() {
        let mut o = order(Cut::AnswerStarts);
        assert_eq!(o.request(500), (500, None));
        assert_eq!(o.answer(500), (0, Some(Duration::ZERO)));
        let mut o = order(Cut::Answer(1));
        assert_eq!(o.answer(500), (1, Some(Duration::ZERO)));
    }

    #[test]
    fn nothing_passes_before_send_and_all_passes_before_a_late_cut() {
        assert_eq!(order(Cut::BeforeSend).request(9), (0, Some(Duration::ZERO)));
        let wait = Duration::from_millis(3);
        assert_eq!(order(Cut::After(9, wait)).request(9), (9, Some(wait)));
    }
}
