//! Revocation lists of client certificates (NAT-SSP-04, NAT-ENV-03): read at the start and again when a file changes.
//!
//! A client is refused when a list revokes its certificate, or when no list is from its authority. An expired list still
//! counts, and the log reports it hourly. When a file becomes unreadable, the last lists stay in use (D-76). Open
//! connections are checked again when the lists change.

use crate::certificate::{Validity, list_validity};
use crate::config::Tls;
use jiff::Timestamp;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Interval at which the files' metadata are checked.
const LOOK: Duration = Duration::from_secs(5);
/// Checks after which a fault is logged again: once an hour.
const SAY_AGAIN: u32 = 720;
/// Name of the setting, for error messages.
const SETTING: &str = "tls.client_crl";

/// Verifies client certificates with the authorities and the last lists.
#[derive(Debug)]
pub struct Revocation {
    files: Vec<PathBuf>,
    roots: Arc<RootCertStore>,
    provider: Arc<CryptoProvider>,
    /// From the first verifier; lists do not change them.
    subjects: Vec<DistinguishedName>,
    current: RwLock<Current>,
    /// The files' metadata when they were read.
    known: Mutex<Vec<Option<Seen>>>,
    /// Incremented when new lists take effect.
    generation: AtomicU64,
}

#[derive(Debug)]
struct Current {
    verifier: Arc<dyn ClientCertVerifier>,
    /// Files with their lists' validity, where stated.
    lists: Vec<(PathBuf, Validity)>,
}

/// Identity of a file's content: device, inode, length, time of change in seconds and nanoseconds.
type Seen = (u64, u64, u64, i64, i64);

impl Revocation {
    /// Reads the configured lists. The error names the file.
    pub fn open(
        tls: &Tls,
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Revocation, String> {
        let known = tls.client_crl.iter().map(|file| seen(file)).collect();
        let current = read(&tls.client_crl, &roots, &provider)?;
        Ok(Revocation {
            files: tls.client_crl.clone(),
            subjects: current.verifier.root_hint_subjects().to_vec(),
            current: RwLock::new(current),
            known: Mutex::new(known),
            generation: AtomicU64::new(0),
            roots,
            provider,
        })
    }

    /// Reads the files if one changed. True: new lists took effect.
    fn look(&self) -> Result<bool, String> {
        let now: Vec<_> = self.files.iter().map(|file| seen(file)).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if *known == now {
            return Ok(false);
        }
        let current = read(&self.files, &self.roots, &self.provider)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
        self.generation.fetch_add(1, Ordering::Release);
        *known = now;
        Ok(true)
    }

    /// The lists in use with their files, where they state their validity.
    pub fn lists(&self) -> Vec<(PathBuf, Validity)> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.lists.clone()
    }

    /// Which lists in use have expired at a moment.
    pub fn over(&self, now: Timestamp) -> Option<String> {
        let lists = self.lists();
        let (file, validity) = lists.iter().find(|(_, v)| v.until < now)?;
        Some(format!(
            "{SETTING}: {} should have been replaced by a newer list on {}; what it revokes stays revoked",
            file.display(),
            validity.until
        ))
    }

    /// Checks the files for ever, puts changed ones into effect, and logs faults.
    pub async fn watch(self: Arc<Self>) {
        let mut told = None;
        let mut since = 0;
        loop {
            let looking = self.clone();
            let looked = tokio::task::spawn_blocking(move || {
                let looked = looking.look();
                if let Ok(true) = looked {
                    tracing::info!("revocation lists of client certificates were read again");
                }
                looked.err().or_else(|| looking.over(Timestamp::now()))
            });
            let Ok(fault) = looked.await else { return };
            since += 1;
            if let Some(fault) = &fault
                && (told.as_ref() != Some(fault) || since >= SAY_AGAIN)
            {
                since = 0;
                tracing::error!(%fault, "revocation lists of client certificates: the ones that were read last count");
            }
            told = fault;
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Which lists are in use: another number when new ones took effect.
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    fn verifier(&self) -> Arc<dyn ClientCertVerifier> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.verifier.clone()
    }
}

/// The certificate of an open connection, which may be revoked meanwhile.
#[derive(Debug)]
pub struct PeerCertificate {
    revocation: Arc<Revocation>,
    chain: Vec<CertificateDer<'static>>,
    /// Generation of the lists that it was checked against.
    checked: AtomicU64,
}

impl PeerCertificate {
    /// The certificates of a client, leaf first, that were checked in a handshake; `generation` is that of the lists before
    /// the handshake, so that no change of the lists is missed.
    pub fn new(
        revocation: Arc<Revocation>,
        generation: u64,
        chain: Option<&[CertificateDer<'static>]>,
    ) -> PeerCertificate {
        PeerCertificate {
            revocation,
            chain: chain.unwrap_or_default().to_vec(),
            checked: AtomicU64::new(generation),
        }
    }

    /// False when newer lists revoke the certificate.
    pub fn holds(&self) -> bool {
        let now = self.revocation.generation();
        if self.checked.load(Ordering::Relaxed) == now {
            return true;
        }
        let Some((first, rest)) = self.chain.split_first() else {
            return false;
        };
        let holds = self
            .revocation
            .verify_client_cert(first, rest, UnixTime::now())
            .is_ok();
        if holds {
            self.checked.store(now, Ordering::Relaxed);
        }
        holds
    }
}

impl ClientCertVerifier for Revocation {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verifier()
            .verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier()
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier().supported_verify_schemes()
    }
}

fn seen(file: &Path) -> Option<Seen> {
    let m = std::fs::metadata(file).ok()?;
    Some((m.dev(), m.ino(), m.len(), m.mtime(), m.mtime_nsec()))
}

fn read(
    files: &[PathBuf],
    roots: &Arc<RootCertStore>,
    provider: &Arc<CryptoProvider>,
) -> Result<Current, String> {
    let (mut lists, mut validities) = (Vec::new(), Vec::new());
    for file in files {
        for list in lists_of(file)? {
            validities.extend(list_validity(&list).map(|v| (file.clone(), v)));
            lists.push(list);
        }
    }
    // Clients of an authority without a list are refused, since revocation cannot be checked.
    let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .with_crls(lists)
        .only_check_end_entity_revocation()
        .build()
        .map_err(|e| format!("{SETTING}: {e}"))?;
    Ok(Current {
        verifier,
        lists: validities,
    })
}

/// The lists of one file, PEM or DER.
fn lists_of(file: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, String> {
    let lists = pemfile::revocation_lists(file, SETTING)?;
    for list in &lists {
        webpki::BorrowedCertRevocationList::from_der(list).map_err(|e| {
            format!(
                "{SETTING}: {shown} holds no revocation list that can be used: {e}",
                shown = file.display()
            )
        })?;
    }
    Ok(lists)
}
