//! The throw-away authority and the files that it writes.

use jiff::ToSpan;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// How long certificates are valid: longer than a trial, and within what clients accept of a server.
const VALID_DAYS: i64 = 390;
/// They are valid since yesterday, so that a clock that is behind accepts them.
const SINCE_DAYS: i64 = 1;
/// Names under which the services of one machine are reached.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// An authority that lives as long as the program: its key is never written to a file.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate with its key.
pub struct Identity {
    /// The certificate.
    pub certificate: String,
    /// The private key.
    pub key: String,
    serial: SerialNumber,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(***)")
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(***)")
    }
}

impl Authority {
    /// A new authority.
    pub fn new() -> Result<Authority, String> {
        let key = KeyPair::generate().map_err(told)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(told)?;
        validity(&mut params)?;
        params.distinguished_name.push(
            DnType::CommonName,
            "Throw-away authority of a sandbox (never trust it)",
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = params.self_signed(&key).map_err(told)?.pem();
        Ok(Authority {
            issuer: Issuer::new(params, key),
            pem,
        })
    }

    /// The authority's own certificate: what the others trust.
    pub fn certificate(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for these names; IP addresses are recognised. The first is its common name.
    pub fn server(&self, names: &[&str]) -> Result<Identity, String> {
        self.sign(names, &[ExtendedKeyUsagePurpose::ServerAuth])
    }

    /// A client's certificate that carries the name registered for it, as common name and as DNS name.
    pub fn client(&self, fqdn: &str) -> Result<Identity, String> {
        self.sign(&[fqdn], &[ExtendedKeyUsagePurpose::ClientAuth])
    }

    fn sign(&self, names: &[&str], uses: &[ExtendedKeyUsagePurpose]) -> Result<Identity, String> {
        let key = KeyPair::generate().map_err(told)?;
        let texts: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let first = texts.first().cloned().ok_or("a certificate needs a name")?;
        let mut params = CertificateParams::new(texts).map_err(told)?;
        validity(&mut params)?;
        params.distinguished_name.push(DnType::CommonName, first);
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = uses.to_vec();
        let mut number = uuid::Uuid::new_v4().into_bytes();
        // A serial number is positive: the top bit stays clear, and the next one set keeps the length.
        number[0] = (number[0] & 0x7f) | 0x40;
        let serial = SerialNumber::from_slice(&number);
        params.serial_number = Some(serial.clone());
        let certificate = params.signed_by(&key, &self.issuer).map_err(told)?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
            serial,
        })
    }

    /// A revocation list of these identities (NAT-SSP-04: a revoked certificate is refused).
    pub fn revocation_list(&self, revoked: &[&Identity]) -> Result<String, String> {
        let (from, until) = (day(-SINCE_DAYS)?, day(VALID_DAYS)?);
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(from.0, from.1, from.2),
            next_update: date_time_ymd(until.0, until.1, until.2),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked
                .iter()
                .map(|identity| RevokedCertParams {
                    serial_number: identity.serial.clone(),
                    revocation_time: date_time_ymd(from.0, from.1, from.2),
                    reason_code: None,
                    invalidity_date: None,
                })
                .collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer)
            .and_then(|list| list.pem())
            .map_err(told)
    }
}

/// The files that [`write()`] wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The authority's certificate; all others are signed by it.
    pub ca: PathBuf,
    /// Certificate and key of the national services (DoS, SDS, SSP) on this machine.
    pub server: (PathBuf, PathBuf),
    /// Certificate and key of the Provider as a server on this machine.
    pub provider: (PathBuf, PathBuf),
    /// Certificate and key that the SSP shows to the Provider.
    pub ssp: (PathBuf, PathBuf),
    /// Per consumer: its registered name, certificate and key.
    pub consumers: Vec<(String, PathBuf, PathBuf)>,
}

/// Makes an authority and everything that one machine needs, and writes it to a folder, which is made when it is
/// not there. `ssp_name` is the name by which the Provider knows the SSP; `consumers` are the names registered
/// for the consumers' systems. Files of an earlier run are replaced. Keys are readable by their owner only.
pub fn write(folder: &Path, ssp_name: &str, consumers: &[&str]) -> Result<Files, String> {
    std::fs::create_dir_all(folder)
        .map_err(|e| format!("cannot make the folder {}: {e}", folder.display()))?;
    let authority = Authority::new()?;
    let ca = folder.join("ca.pem");
    put(&ca, authority.certificate(), false)?;
    let keep = |name: &str, identity: &Identity| -> Result<(PathBuf, PathBuf), String> {
        let (certificate, key) = (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key.pem")),
        );
        put(&certificate, &identity.certificate, false)?;
        put(&key, &identity.key, true)?;
        Ok((certificate, key))
    };
    let mut written = Vec::with_capacity(consumers.len());
    for fqdn in consumers {
        if !is_host(fqdn) {
            return Err(format!("`{fqdn}` is no host name"));
        }
        let (certificate, key) = keep(&format!("consumer-{fqdn}"), &authority.client(fqdn)?)?;
        written.push(((*fqdn).to_owned(), certificate, key));
    }
    let own = own_name();
    let local: Vec<&str> = LOCAL.into_iter().chain(own.as_deref()).collect();
    Ok(Files {
        server: keep("server", &authority.server(&local)?)?,
        provider: keep("provider", &authority.server(&local)?)?,
        ssp: keep("ssp", &authority.client(ssp_name)?)?,
        consumers: written,
        ca,
    })
}

/// The machine's own name, where it can be read: OpenLDAP's clients demand it of a server at `localhost`.
fn own_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim();
    (is_host(name) && name != LOCAL[0]).then(|| name.to_owned())
}

fn is_host(name: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
    !name.is_empty() && name.bytes().all(legal)
}

fn put(path: &Path, text: &str, secret: bool) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("cannot write {}: {e}", path.display());
    // Removed first: the mode of a file that exists would stay as it is.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    options
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(failed)
}

fn validity(params: &mut CertificateParams) -> Result<(), String> {
    let (from, until) = (day(-SINCE_DAYS)?, day(VALID_DAYS)?);
    params.not_before = date_time_ymd(from.0, from.1, from.2);
    params.not_after = date_time_ymd(until.0, until.1, until.2);
    params.distinguished_name = rcgen::DistinguishedName::new();
    Ok(())
}

/// Year, month and day of today and so many days more, in UTC.
fn day(more: i64) -> Result<(i32, u8, u8), String> {
    let date = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date()
        .checked_add(more.days())
        .map_err(|e| format!("the clock is off: {e}"))?;
    let small = |n: i8| u8::try_from(n).map_err(|_| "the clock is off".to_owned());
    Ok((
        i32::from(date.year()),
        small(date.month())?,
        small(date.day())?,
    ))
}

fn told(error: rcgen::Error) -> String {
    format!("cannot make a certificate: {error}")
}
