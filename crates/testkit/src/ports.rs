//! Ports for programs that have to be told one.
//!
//! A port that is bound to be looked at and freed again may be taken by somebody else before the program under test binds it.
//! So ports come from below the range that the system gives to connections and to port 0, and each is kept from other tests
//! of this machine by a UDP socket on the same number, which nobody talks to, for as long as the test program runs.

use std::net::{TcpListener, UdpSocket};
use std::sync::Mutex;

/// The first port given.
const FIRST: u16 = 10_000;
/// One after the last: Linux gives connections ports from 32,768 on, others from higher ones.
const END: u16 = 32_000;

/// What keeps the ports of this program.
static KEPT: Mutex<Vec<UdpSocket>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 that is this program's own: nobody listens there until the caller, or a program that it starts, does.
pub fn port() -> u16 {
    ports(1)
}

/// The first of `count` consecutive ports of this program.
pub fn ports(count: u16) -> u16 {
    let mut kept = KEPT.lock().unwrap_or_else(|broken| broken.into_inner());
    // Programs begin at different places, so that they seldom look at each other's.
    let begin = std::process::id() % u32::from(END - FIRST);
    let step = usize::from(count.max(1));
    let places = (0..END - FIRST).step_by(step).map(|n| {
        let at = (begin + u32::from(n)) % u32::from(END - FIRST);
        FIRST + u16::try_from(at).unwrap_or(0)
    });
    for first in places {
        let last = first.saturating_add(count);
        if last > END {
            continue;
        }
        let taken: Option<Vec<UdpSocket>> = (first..last).map(keep).collect();
        if let Some(taken) = taken {
            kept.extend(taken);
            return first;
        }
    }
    panic!("no {count} consecutive ports are free between {FIRST} and {END}");
}

/// Keeps a port that no test has and nobody listens on.
fn keep(port: u16) -> Option<UdpSocket> {
    let kept = UdpSocket::bind(("127.0.0.1", port)).ok()?;
    TcpListener::bind(("127.0.0.1", port)).ok()?;
    Some(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_port_is_given_once_and_can_be_bound() {
        let mut given = BTreeSet::new();
        for count in [1, 5, 1, 8] {
            let first = ports(count);
            for port in first..first + count {
                assert!(given.insert(port), "{port} was given twice");
                drop(TcpListener::bind(("127.0.0.1", port)).unwrap());
                assert!(keep(port).is_none(), "another test may take {port}");
            }
        }
    }
}
