//! Counts the connections of each peer.

use rustls::pki_types::CertificateDer;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// A peer: a network address or the holder of a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    V4([u8; 4]),
    /// The first 64 bits: one subscriber holds such a network.
    V6([u8; 8]),
    /// A keyed hash of the certificate, so that nobody can provoke a collision.
    Certificate(u64),
}

/// The connection counts, one entry for each peer that has an open connection.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    open: Mutex<HashMap<Key, usize>>,
    keyed: RandomState,
}

/// One counted connection of a peer. Dropping it ends the count.
#[derive(Debug)]
pub(crate) struct Counted {
    peers: Arc<Peers>,
    key: Key,
}

impl Peers {
    /// Counts a connection of an address. `None`: the peer has `most`.
    pub fn address(self: &Arc<Peers>, address: IpAddr, most: usize) -> Option<Counted> {
        let key = match address.to_canonical() {
            IpAddr::V4(address) => Key::V4(address.octets()),
            IpAddr::V6(address) => {
                let octets = address.octets();
                let mut network = [0; 8];
                network.copy_from_slice(&octets[..8]);
                Key::V6(network)
            }
        };
        self.take(key, most)
    }

    /// Counts a connection of the holder of a certificate. `None`: the peer has `most`.
    pub fn certificate(
        self: &Arc<Peers>,
        certificate: &CertificateDer<'_>,
        most: usize,
    ) -> Option<Counted> {
        let key = Key::Certificate(self.keyed.hash_one(certificate.as_ref()));
        self.take(key, most)
    }

    fn take(self: &Arc<Peers>, key: Key, most: usize) -> Option<Counted> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(key).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted {
            peers: self.clone(),
            key,
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self
            .peers
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_its_share_and_no_more() {
        let peers = Arc::new(Peers::default());
        let of = |text: &str, most| peers.address(text.parse().unwrap(), most);
        let first = of("192.0.2.1", 2);
        let second = of("::ffff:192.0.2.1", 2);
        assert!(first.is_some() && second.is_some());
        assert!(of("192.0.2.1", 2).is_none());
        assert!(of("192.0.2.2", 2).is_some());
        drop(first);
        assert!(of("192.0.2.1", 2).is_some());
        // All IPv6 addresses of a subscriber are one peer.
        let _held = of("2001:db8:0:1::1", 1);
        assert!(of("2001:db8:0:1::2", 1).is_none());
        assert!(of("2001:db8:0:2::1", 1).is_some());
        drop(second);
        drop(_held);
        assert!(peers.open.lock().unwrap().is_empty());
    }
}
