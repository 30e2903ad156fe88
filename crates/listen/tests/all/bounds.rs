//! Peers that say nothing, stop halfway, never read or come in crowds, over real sockets.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use listen::{Accepted, Ended, Gauges, Limits};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// More than the buffers of both sockets hold.
const MUCH: usize = 64 << 20;
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct Server {
    address: SocketAddr,
    gauges: Arc<Gauges>,
    /// A request for `/wait` is answered when this is told.
    go_on: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// No limit of time that a busy machine could reach.
fn patient() -> Limits {
    Limits {
        head: Duration::from_secs(600),
        idle: Duration::from_secs(600),
        write: Duration::from_secs(600),
        drain: Duration::from_secs(600),
        ..Limits::default()
    }
}

/// Little time for the first request.
fn short_head() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        ..patient()
    }
}

async fn start(limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let gauges: Arc<Gauges> = Arc::default();
    let go_on: Arc<Notify> = Arc::default();
    let (stop, stopped) = oneshot::channel();
    let (shown, waits) = (gauges.clone(), go_on.clone());
    let task = tokio::spawn(async move {
        let stopped = async {
            let _ = stopped.await;
        };
        listen::run(listener, limits, shown, stopped, |accepted| {
            serve(accepted, waits.clone())
        })
        .await;
    });
    Server {
        address,
        gauges,
        go_on,
        stop: Some(stop),
        task,
    }
}

async fn serve(accepted: Accepted, go_on: Arc<Notify>) {
    let Some(secured) = accepted.secure(None).await else {
        return;
    };
    let handler = move |request: Request<Incoming>| {
        let go_on = go_on.clone();
        async move {
            let body = match request.uri().path() {
                "/much" => Bytes::from(vec![b'x'; MUCH]),
                "/wait" => {
                    go_on.notified().await;
                    Bytes::from_static(b"done")
                }
                _ => Bytes::from_static(b"hello"),
            };
            Ok::<_, Infallible>(Response::new(Full::new(body)))
        }
    };
    let _ = listen::http(secured.stream, &secured.watch, handler).await;
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// A connection that has sent these bytes.
    async fn sent(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        stream
    }

    async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        (&mut self.task).await.unwrap();
    }
}

/// Reads until the other side closes.
async fn to_the_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    // A reset is an end too.
    let _ = stream.read_to_end(&mut all).await;
    all
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    out.extend([kind, flags]);
    out.extend(stream.to_be_bytes());
    out.extend(payload);
    out
}

/// The beginning of a connection of HTTP/2 whose windows have this size.
fn hello(window: u32) -> Vec<u8> {
    let mut settings = vec![0, 4];
    settings.extend(window.to_be_bytes());
    [PREFACE.to_vec(), frame(4, 0, 0, &settings)].concat()
}

/// A request for a path over HTTP/2: GET and http from the static table, path and host in plain text.
fn request(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x01, 1, b'a']);
    frame(1, 0x05, stream, &block)
}

fn ping() -> Vec<u8> {
    frame(6, 0, 0, &[0; 8])
}

/// Sends something again and again until the other side closes.
async fn repeat_until_closed(stream: TcpStream, mut what: impl FnMut() -> Vec<u8>) {
    let (mut reading, mut writing) = stream.into_split();
    let reader = tokio::spawn(async move {
        let mut all = Vec::new();
        let _ = reading.read_to_end(&mut all).await;
    });
    while !reader.is_finished() {
        if writing.write_all(&what()).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    reader.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_request_that_does_not_come_ends_the_connection() {
    let server = start(short_head()).await;
    let half = [hello(65_535), frame(1, 0x01, 1, &[0x82])].concat();
    for (n, bytes) in [
        b"".as_slice(),
        b"PRI",
        b"PRI * HTTP/2.0",
        PREFACE,
        b"GET / HT",
        &hello(65_535),
        &half,
    ]
    .into_iter()
    .enumerate()
    {
        let began = Instant::now();
        let mut stream = server.sent(bytes).await;
        to_the_end(&mut stream).await;
        assert!(began.elapsed() >= short_head().head, "{n}: too early");
    }
    testkit::until_async("all are gone", || server.gauges.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_head_over_http2_is_not_kept_alive_by_pings() {
    let server = start(short_head()).await;
    let stream = server
        .sent(&[hello(65_535), frame(1, 0x01, 1, &[0x82])].concat())
        .await;
    // Between HEADERS and CONTINUATION no other frame may come: so it is one byte of CONTINUATION at a time.
    repeat_until_closed(stream, || frame(9, 0, 1, &[])).await;
    let stream = server.sent(&hello(65_535)).await;
    repeat_until_closed(stream, ping).await;
    testkit::until_async("all are gone", || server.gauges.open() == 0).await;
    assert!(server.gauges.ended(Ended::Head) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_connection_is_ended_in_both_versions() {
    let server = start(Limits {
        idle: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let mut stream = server.sent(GET).await;
    assert!(to_the_end(&mut stream).await.ends_with(b"hello"));
    // Pings are no requests.
    let stream = server
        .sent(&[hello(65_535), request(1, "/")].concat())
        .await;
    repeat_until_closed(stream, ping).await;
    assert_eq!(server.gauges.ended(Ended::Idle), 2);
    testkit::until_async("all are gone", || server.gauges.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_takes_longer_than_every_limit_is_waited_for() {
    let short = Duration::from_millis(300);
    let server = start(Limits {
        idle: short,
        write: short,
        ..patient()
    })
    .await;
    let mut stream = server.sent(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    tokio::time::sleep(short * 3).await;
    server.go_on.notify_one();
    assert!(to_the_end(&mut stream).await.ends_with(b"done"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_reads_is_let_go() {
    let server = start(Limits {
        write: Duration::from_millis(300),
        ..patient()
    })
    .await;
    let stream = server.sent(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n").await;
    testkit::until_async("it is let go", || server.gauges.ended(Ended::Write) == 1).await;
    drop(stream);
    // With HTTP/2 it is the window that stays shut, beside requests that are answered.
    let stream = server
        .sent(&[hello(10), request(1, "/much")].concat())
        .await;
    let mut next = 1;
    repeat_until_closed(stream, move || {
        next += 2;
        request(next, "/")
    })
    .await;
    assert_eq!(server.gauges.ended(Ended::Write), 2);
    testkit::until_async("all are gone", || server.gauges.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_gets_all_of_it() {
    let server = start(patient()).await;
    let mut stream = server
        .sent(b"GET /much HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    let mut all = 0;
    let mut piece = vec![0; 1 << 20];
    loop {
        let read = stream.read(&mut piece).await.unwrap();
        if read == 0 {
            break;
        }
        all += read;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(all > MUCH, "{all}");
    assert_eq!(server.gauges.ended(Ended::Write), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_has_its_share_of_the_connections() {
    let server = start(Limits {
        per_peer: 2,
        ..patient()
    })
    .await;
    let first = server.connect().await;
    let mut second = server.connect().await;
    testkit::until_async("both are open", || server.gauges.open() == 2).await;
    let mut third = server.connect().await;
    assert!(to_the_end(&mut third).await.is_empty());
    assert_eq!(server.gauges.ended(Ended::Peer), 1);
    // The server's own look does not count.
    let well = listen::probe(
        server.address,
        false,
        &server.gauges,
        Duration::from_secs(60),
    )
    .await;
    assert!(well);
    drop(first);
    testkit::until_async("one is gone", || server.gauges.open() == 1).await;
    let mut fourth = server
        .sent(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        .await;
    assert!(to_the_end(&mut fourth).await.ends_with(b"hello"));
    second.write_all(GET).await.unwrap();
}

#[test]
fn one_peer_has_half_unless_it_is_said_otherwise() {
    let usual = Limits::default();
    assert_eq!(2 * usual.per_peer, usual.connections);
    assert_eq!((listen::per_peer(7, 0), listen::per_peer(7, 6)), (4, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_is_seen_shut_when_all_places_are_taken() {
    let server = start(Limits {
        connections: 2,
        ..patient()
    })
    .await;
    let silent = [server.connect().await, server.connect().await];
    testkit::until_async("both are open", || server.gauges.open() == 2).await;
    let look = |within| listen::probe(server.address, false, &server.gauges, within);
    assert!(!look(Duration::from_millis(200)).await);
    drop(silent);
    assert!(look(Duration::from_secs(60)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_what_is_under_way_and_for_what_was_just_made() {
    let mut server = start(patient()).await;
    let mut under_way = server.sent(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    let mut idle = server.sent(GET).await;
    let mut heard = [0; 12];
    idle.read_exact(&mut heard).await.unwrap();
    testkit::until_async("both are open", || server.gauges.open() == 2).await;
    let go_on = server.go_on.clone();
    let address = server.address;
    let stopping = tokio::spawn(async move { server.stop().await });
    // The idle one is closed; the other goes on.
    to_the_end(&mut idle).await;
    assert!(!stopping.is_finished());
    go_on.notify_one();
    assert!(to_the_end(&mut under_way).await.ends_with(b"done"));
    stopping.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

/// Proves: PROV-GEN-17
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_leaves_before_the_body_has_come_is_not_taken_away() {
    let limits = Limits {
        linger: Duration::from_secs(600),
        ..patient()
    };
    let server = start(limits).await;
    let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n";
    let mut client = server.sent(head).await;
    // The handler reads no body: its answer is here, and the server has nothing more to say.
    let mut first = [0; 8];
    client.read_exact(&mut first).await.unwrap();
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert!(rest.ends_with(b"hello"));
    // A client that was not reading meanwhile goes on sending, and is not cut off.
    for piece in 0..64 {
        let sent = client.write_all(&[b'x'; 16 << 10]).await;
        sent.unwrap_or_else(|error| panic!("piece {piece}: {error}"));
    }
    drop(client);
    testkit::until_async("it is gone", || server.gauges.open() == 0).await;
}
