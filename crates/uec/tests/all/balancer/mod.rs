//! A small load balancer for tests. It asks each server whether it is ready, and shares out requests, keeping connections
//! open on both sides, or whole connections, as one must that does not end TLS. It tries another server only when the
//! connection was refused, so that nothing was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::Response;

/// How often each server is asked.
const ASKED_EVERY: Duration = Duration::from_millis(50);
/// No answer may take longer.
const TIMEOUT: Duration = Duration::from_secs(60);
/// No server takes longer to say whether it is ready, as long as it is one to send requests to.
const READY_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a request waits for a server that is ready, in steps of the pause below.
const READY_TRIES: u32 = 500;
const PAUSE: Duration = Duration::from_millis(10);

/// A server behind the balancer.
struct Backend {
    address: SocketAddr,
    ready: AtomicBool,
    idle: Mutex<Vec<TcpStream>>,
    answered: AtomicU64,
}

/// What happened so far.
#[derive(Debug)]
pub struct Tally {
    /// Answers of each server.
    pub answered: Vec<u64>,
    /// Connections that were refused; the request went to another server.
    pub refused: u64,
    /// Requests that were sent to a server and not answered.
    pub lost: u64,
}

struct State {
    backends: Vec<Backend>,
    turn: AtomicUsize,
    refused: AtomicU64,
    lost: AtomicU64,
    ended: AtomicBool,
}

/// A balancer that runs; it ends with this value.
pub struct Balancer {
    /// Where requests are shared out.
    pub address: SocketAddr,
    /// Where connections are.
    pub connections: SocketAddr,
    state: Arc<State>,
}

impl Balancer {
    /// Takes connections and sends their requests to these servers in turn.
    pub fn start(servers: &[SocketAddr]) -> Balancer {
        let backend = |address: &SocketAddr| Backend {
            address: *address,
            ready: AtomicBool::new(false),
            idle: Mutex::default(),
            answered: AtomicU64::new(0),
        };
        let state = Arc::new(State {
            backends: servers.iter().map(backend).collect(),
            turn: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        for n in 0..servers.len() {
            let state = state.clone();
            std::thread::spawn(move || state.ask(n));
        }
        Balancer {
            address: serve(&state, State::client),
            connections: serve(&state, State::pass),
            state,
        }
    }

    /// True while requests are sent to this server.
    pub fn uses(&self, n: usize) -> bool {
        self.state.backends[n].ready.load(Ordering::Acquire)
    }

    pub fn tally(&self) -> Tally {
        let answered = |b: &Backend| b.answered.load(Ordering::Relaxed);
        Tally {
            answered: self.state.backends.iter().map(answered).collect(),
            refused: self.state.refused.load(Ordering::Relaxed),
            lost: self.state.lost.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Release);
        for address in [self.address, self.connections] {
            let _ = TcpStream::connect(address);
        }
    }
}

/// Takes connections on a port of its own.
fn serve(state: &Arc<State>, each: fn(&State, TcpStream)) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("address");
    let state = state.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let state = state.clone();
            if state.ended() {
                break;
            }
            std::thread::spawn(move || each(&state, stream));
        }
    });
    address
}

impl State {
    fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Asks a server again and again whether it is ready.
    fn ask(&self, n: usize) {
        let backend = &self.backends[n];
        while !self.ended() {
            let ready = is_ready(backend.address);
            let before = backend.ready.swap(ready, Ordering::AcqRel);
            if before && !ready {
                backend.idle.lock().expect("no panic").clear();
            }
            std::thread::sleep(ASKED_EVERY);
        }
    }

    /// One connection of a client, with as many requests as it likes.
    fn client(&self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let Ok(mut writing) = stream.try_clone() else {
            return;
        };
        let mut reading = BufReader::new(stream);
        while let Some(request) = read_request(&mut reading) {
            let answer = match self.forward(&request) {
                Some(response) => encoded(&response),
                None => b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n".to_vec(),
            };
            if writing.write_all(&answer).is_err() {
                return;
            }
        }
    }

    /// One connection of a client, passed to a server as it is.
    fn pass(&self, client: TcpStream) {
        let Some((_, server)) = self.connected(Backend::new_connection) else {
            return;
        };
        std::thread::scope(|scope| {
            scope.spawn(|| copy(&client, &server));
            copy(&server, &client);
        });
    }

    fn forward(&self, request: &[u8]) -> Option<Response> {
        let (backend, mut stream) = self.connected(Backend::connection)?;
        // From here on the server may have seen it: it is not sent again.
        let sent = stream.write_all(request).is_ok();
        let mut reading = BufReader::new(&stream);
        let Some(response) = sent.then(|| Response::read(&mut reading)).flatten() else {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        };
        backend.answered.fetch_add(1, Ordering::Relaxed);
        backend.keep(stream, &response);
        Some(response)
    }

    /// A connection to the server whose turn it is, of those that are ready.
    fn connected(
        &self,
        connect: fn(&Backend) -> Option<TcpStream>,
    ) -> Option<(&Backend, TcpStream)> {
        for _ in 0..READY_TRIES {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let ready = (0..self.backends.len())
                .map(|n| &self.backends[(turn + n) % self.backends.len()])
                .find(|b| b.ready.load(Ordering::Acquire));
            if let Some(backend) = ready {
                if let Some(stream) = connect(backend) {
                    return Some((backend, stream));
                }
                self.refused.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(PAUSE);
        }
        None
    }
}

impl Backend {
    /// A connection that is kept and not closed, else a new one.
    fn connection(&self) -> Option<TcpStream> {
        while let Some(stream) = self.idle.lock().expect("no panic").pop() {
            if is_open(&stream) {
                return Some(stream);
            }
        }
        self.new_connection()
    }

    fn new_connection(&self) -> Option<TcpStream> {
        let stream = TcpStream::connect(self.address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream.set_read_timeout(Some(TIMEOUT)).ok()?;
        Some(stream)
    }

    fn keep(&self, stream: TcpStream, response: &Response) {
        let close = response
            .header("connection")
            .is_some_and(|v| v.eq_ignore_ascii_case("close"));
        match close || !self.ready.load(Ordering::Acquire) {
            true => drop(stream.shutdown(Shutdown::Both)),
            false => self.idle.lock().expect("no panic").push(stream),
        }
    }
}

/// Passes on what one side says until it has said all, and tells the other.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

/// True when the other side has neither closed nor said anything.
fn is_open(stream: &TcpStream) -> bool {
    let mut byte = [0];
    let _ = stream.set_nonblocking(true);
    let peeked = stream.peek(&mut byte);
    let _ = stream.set_nonblocking(false);
    peeked.is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock)
}

fn is_ready(address: SocketAddr) -> bool {
    let asked = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READY_TIMEOUT))?;
        stream.write_all(b"GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")?;
        let mut reading = BufReader::new(stream);
        Ok(Response::read(&mut reading).is_some_and(|r| r.status == 200))
    };
    asked().unwrap_or(false)
}

/// The bytes of a request whose body has a length, or none.
fn read_request(reader: &mut impl BufRead) -> Option<Vec<u8>> {
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let from = request.len();
        if reader.read_until(b'\n', &mut request).ok()? == 0 {
            return None;
        }
        let line = String::from_utf8_lossy(&request[from..]);
        let line = line.trim_end();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    reader.take(length).read_to_end(&mut request).ok()?;
    Some(request)
}

/// An answer as it is passed on: the connection to the client stays.
fn encoded(response: &Response) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {} Answer\r\n", response.status).into_bytes();
    let own = ["connection", "content-length", "transfer-encoding"];
    for (name, value) in &response.headers {
        if !own.contains(&name.as_str()) {
            out.extend(format!("{name}: {value}\r\n").bytes());
        }
    }
    out.extend(format!("Content-Length: {}\r\n\r\n", response.body.len()).bytes());
    out.extend(&response.body);
    out
}
