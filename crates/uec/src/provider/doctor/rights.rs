//! Who may read the files, and whether the port may be listened on.

use super::{Findings, Patient};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// First port that needs no privilege, where the system does not say.
const UNPRIVILEGED: u16 = 1_024;

/// Looks at the files that hold patient data or keys, and at the port.
pub fn check(patient: &Patient, config: Option<&Path>, out: &mut Findings<'_>) {
    if let Some(path) = patient.store.as_ref().and_then(|store| store.file()) {
        for suffix in ["", "-wal", "-shm", "-tally"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            private(&PathBuf::from(name), "the database", suffix.is_empty(), out);
        }
    }
    if let Some(tls) = &patient.settings.tls {
        private(&tls.key, "the private key", true, out);
    }
    if let Some(key) = &patient.settings.audit.key {
        private(key, "the key that signs heads", true, out);
    }
    if let Some(config) = config
        && let Ok(file) = std::fs::metadata(config)
        && file.mode() & 0o022 != 0
    {
        out.problem(
            "The settings file can be changed by others than its owner.",
            format!("chmod go-w {}", config.display()),
        );
    }
    port(patient, out);
}

fn private(path: &Path, what: &str, told_when_right: bool, out: &mut Findings<'_>) {
    let Ok(file) = std::fs::metadata(path) else {
        // A missing key is told with the certificates, a missing WAL is none.
        return;
    };
    let advice = format!("chmod go-rwx {}", path.display());
    match file.mode() & 0o077 {
        0 if told_when_right => out.ok(format!("Only its owner can read {what}.")),
        0 => {}
        mode if mode & 0o007 != 0 => out.problem(
            format!(
                "Everybody on this machine can read or change {what}, {}.",
                path.display()
            ),
            advice,
        ),
        _ => out.warn(
            format!(
                "The group of {what}, {}, can read or change it.",
                path.display()
            ),
            advice,
        ),
    }
    if told_when_right && own().is_some_and(|own| own.uid() != file.uid()) {
        out.note(
            format!(
                "{} belongs to another user than the one that runs this.",
                path.display()
            ),
            "Run this as the user of the server, so that rights are seen as the server sees them.",
        );
    }
}

/// This process, as the system lists it.
fn own() -> Option<Metadata> {
    std::fs::metadata("/proc/self").ok()
}

fn port(patient: &Patient, out: &mut Findings<'_>) {
    let Some(listen) = &patient.settings.listen else {
        return;
    };
    let Some(port) = listen
        .rsplit(':')
        .next()
        .and_then(|p| p.parse::<u16>().ok())
    else {
        return out.problem(
            format!("`listen` is `{listen}`, which is not HOST:PORT."),
            "Write it such as 0.0.0.0:8443.",
        );
    };
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start")
        .ok()
        .and_then(|text| text.trim().parse::<u16>().ok())
        .unwrap_or(UNPRIVILEGED);
    let root = own().is_some_and(|own| own.uid() == 0);
    match (port < first, root) {
        (true, false) => out.warn(
            format!("Port {port} is below {first} and needs a privilege."),
            "Give the service CAP_NET_BIND_SERVICE, or listen above and let a proxy or firewall forward.",
        ),
        (_, true) => out.note(
            "This runs as root.",
            "Run the server as a user of its own that owns nothing but its data.",
        ),
        (false, false) => out.ok(format!("Port {port} needs no privilege.")),
    }
}
