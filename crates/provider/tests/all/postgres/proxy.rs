//! A way to the server that is cut at a chosen message of the protocol.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Where the way is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Before the nth statement is sent on: it does not reach the server.
    Request(usize),
    /// Before the nth answer is sent on: it was done, but the client does not hear of it.
    Answer(usize),
    /// Before the nth statement, and the server does not notice: to it the client is there and silent.
    Silence(usize),
}

/// The way. Connections that were cut can be made again.
pub struct Proxy {
    pub port: u16,
    cut: Arc<Mutex<Vec<Cut>>>,
}

impl Proxy {
    pub fn to(port: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Proxy {
            port: listener.local_addr().unwrap().port(),
            cut: Arc::default(),
        };
        let cut = proxy.cut.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
                client.set_nodelay(true).unwrap();
                server.set_nodelay(true).unwrap();
                let (from, to, cuts) = (copy(&client), copy(&server), cut.clone());
                std::thread::spawn(move || pass(from, to, true, &cuts));
                let (from, to, cuts) = (copy(&server), copy(&client), cut.clone());
                std::thread::spawn(move || pass(from, to, false, &cuts));
            }
        });
        proxy
    }

    /// Cuts the connection that comes to each of these, one after the other.
    pub fn arm(&self, cuts: &[Cut]) {
        *self.cut.lock().unwrap() = cuts.iter().rev().copied().collect();
    }

    /// How many cuts were not come to.
    pub fn left(&self) -> usize {
        self.cut.lock().unwrap().len()
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().unwrap()
}

/// Passes statements, or answers, on as a whole until an end is closed, or the cut is reached.
fn pass(mut from: TcpStream, mut to: TcpStream, request: bool, cuts: &Mutex<Vec<Cut>>) {
    let (mut first, mut whole) = (request, Vec::new());
    while let Some(message) = read(&mut from, first) {
        let (start, letter) = (first, message[0]);
        first = false;
        whole.extend(message);
        let ends = if request { b"SQXp" } else { b"ZRS1" };
        let is_end = start || ends.contains(&letter);
        let counts = !start
            && if request {
                letter == b'S' || letter == b'Q'
            } else {
                letter == b'Z'
            };
        if counts && let Some(cut) = is_cut(request, cuts) {
            if matches!(cut, Cut::Silence(_)) {
                // The client's end is closed; the server's stays open as long as this program runs.
                let _ = from.shutdown(Shutdown::Both);
                std::mem::forget(to);
                return;
            }
            break;
        }
        if is_end && to.write_all(&std::mem::take(&mut whole)).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

fn is_cut(request: bool, cuts: &Mutex<Vec<Cut>>) -> Option<Cut> {
    let mut cuts = cuts.lock().unwrap();
    let left = match (cuts.last_mut()?, request) {
        (Cut::Request(n) | Cut::Silence(n), true) | (Cut::Answer(n), false) => {
            *n -= 1;
            *n
        }
        _ => return None,
    };
    (left == 0).then(|| cuts.pop()).flatten()
}

/// One message: a letter, unless it is the first of a client, a length, and the rest.
fn read(from: &mut TcpStream, first: bool) -> Option<Vec<u8>> {
    let head = if first { 4 } else { 5 };
    let mut message = vec![0; head];
    from.read_exact(&mut message).ok()?;
    let length = u32::from_be_bytes(message[head - 4..].try_into().unwrap()) as usize;
    message.resize(head - 4 + length, 0);
    from.read_exact(&mut message[head..]).ok()?;
    Some(message)
}
