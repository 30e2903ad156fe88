//! Several parts as one: sockets, world, certificates, faults, start and stop.

use crate::faults::Faults;
use crate::pki::{self, ClientTls, Protocol, ServerTls};
use crate::watch::Observer;
use crate::world::{Addresses, DEMO, Remark, World};
use crate::{dos, sds, ssp};
use rustls::ServerConfig;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The name in the certificate that the sandbox's SSP shows to Providers.
pub const SSP_NAME: &str = "ssp.sandbox.example";

/// Ports of the parts; a part without one does not run. Port 0 takes a free one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// Directory of Services.
    pub dos: Option<u16>,
    /// Spine Directory Service.
    pub sds: Option<u16>,
    /// Spine Secure Proxy.
    pub ssp: Option<u16>,
}

impl Ports {
    /// All parts, on the ports of the demonstration.
    pub const DEMO: Ports = Ports {
        ssp: Some(8002),
        dos: Some(8003),
        sds: Some(8004),
    };

    /// A free port for each part.
    pub const FREE: Ports = Ports {
        ssp: Some(0),
        dos: Some(0),
        sds: Some(0),
    };
}

/// Sockets that are bound; a part without one does not run.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Directory of Services.
    pub dos: Option<TcpListener>,
    /// Spine Directory Service.
    pub sds: Option<TcpListener>,
    /// Spine Secure Proxy.
    pub ssp: Option<TcpListener>,
}

impl Listeners {
    /// Binds the ports on an address. The error is a sentence that names the part.
    pub async fn bind(host: &str, ports: &Ports) -> Result<Listeners, String> {
        Ok(Listeners {
            dos: bind("DoS", host, ports.dos).await?,
            sds: bind("SDS", host, ports.sds).await?,
            ssp: bind("SSP", host, ports.ssp).await?,
        })
    }
}

async fn bind(part: &str, host: &str, port: Option<u16>) -> Result<Option<TcpListener>, String> {
    let Some(port) = port else { return Ok(None) };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match TcpListener::bind((bare, port)).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(match error.kind() {
            std::io::ErrorKind::AddrInUse => format!(
                "{part}: port {port} of {host} is in use by another program: stop it, or choose another port"
            ),
            std::io::ErrorKind::PermissionDenied => format!(
                "{part}: not allowed to listen on port {port}: ports below 1024 need a privilege"
            ),
            _ => format!("{part}: cannot listen on {host}, port {port}: {error}"),
        }),
    }
}

/// Where the world comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// The embedded world of the demonstration.
    #[default]
    Demo,
    /// A world file.
    File {
        /// Its name, for messages.
        name: String,
        /// What it holds.
        text: String,
    },
}

/// What a sandbox is made of, besides its sockets.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The world.
    pub source: Source,
    /// The Provider in place of `{provider}`; left out: the demonstration's.
    pub provider: Option<String>,
    /// TLS with the certificates in this folder. They are made, throw-away, when it lacks one of them.
    pub tls: Option<PathBuf>,
    /// Who is told what the parts see.
    pub observer: Observer,
}

/// National services that run until they are stopped or dropped.
pub struct Sandbox {
    addresses: Addresses,
    running: Vec<&'static str>,
    world: Arc<World>,
    remarks: Vec<Remark>,
    faults: Arc<Faults>,
    certificates: Option<pki::Files>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Sandbox {
    /// Reads the world and serves the parts that have a socket. Runs inside a tokio runtime.
    pub async fn start(listeners: Listeners, setup: Setup) -> Result<Sandbox, String> {
        let addresses = addresses(&listeners, &setup)?;
        let (name, text) = match &setup.source {
            Source::Demo => ("embedded world", DEMO),
            Source::File { name, text } => (name.as_str(), text.as_str()),
        };
        let (world, remarks) = World::read(text, name, &addresses).map_err(|e| e.to_string())?;
        let tls = match &setup.tls {
            None => Tls::default(),
            Some(folder) => Tls::from(certificates(folder, &names_of(&world))?)?,
        };
        let (stop, _) = watch::channel(false);
        let mut sandbox = Sandbox {
            addresses,
            running: Vec::new(),
            world: Arc::new(world),
            remarks,
            faults: Arc::new(Faults::default()),
            certificates: tls.files.clone(),
            stop,
            tasks: JoinSet::new(),
        };
        sandbox.spawn(listeners, tls, &setup.observer);
        Ok(sandbox)
    }

    fn spawn(&mut self, listeners: Listeners, tls: Tls, observer: &Observer) {
        let directory = Arc::new(self.world.directory.clone());
        let told = || {
            let mut told = self.stop.subscribe();
            // A sandbox that was dropped has stopped too.
            async move {
                let _ = told.wait_for(|stop| *stop).await;
            }
        };
        if let Some(listener) = listeners.dos {
            self.running.push("DoS");
            let (world, faults) = (self.world.clone(), self.faults.clone());
            let observer = observer.clone();
            self.tasks.spawn(dos::serve_watched(
                listener,
                world,
                faults,
                tls.dos,
                observer,
                told(),
            ));
        }
        if let Some(listener) = listeners.sds {
            self.running.push("SDS");
            let faults = self.faults.clone();
            let settings = sds::Settings {
                observer: observer.clone(),
                ..sds::Settings::default()
            };
            self.tasks.spawn(sds::serve(
                listener,
                directory.clone(),
                settings,
                faults,
                tls.sds,
                told(),
            ));
        }
        if let Some(listener) = listeners.ssp {
            self.running.push("SSP");
            let settings = ssp::Settings {
                provider_tls: tls.to_provider,
                observer: observer.clone(),
                ..ssp::Settings::default()
            };
            let faults = self.faults.clone();
            self.tasks.spawn(ssp::serve(
                listener,
                directory,
                settings,
                faults,
                tls.ssp,
                told(),
            ));
        }
    }

    /// Where the parts are reached; parts that do not run are at the demonstration's addresses.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The parts that run, with their addresses.
    pub fn running(&self) -> Vec<(&'static str, &str)> {
        self.running
            .iter()
            .map(|part| match *part {
                "DoS" => ("DoS", self.addresses.dos.as_str()),
                "SDS" => ("SDS", self.addresses.sds.as_str()),
                other => (other, self.addresses.ssp.as_str()),
            })
            .collect()
    }

    /// What the national services know.
    pub fn world(&self) -> &Arc<World> {
        &self.world
    }

    /// Entries of the world that consumers stumble over.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// The faults switched on, shared by all parts.
    pub fn faults(&self) -> &Arc<Faults> {
        &self.faults
    }

    /// The certificates in use.
    pub fn certificates(&self) -> Option<&pki::Files> {
        self.certificates.as_ref()
    }

    /// Lets requests under way finish, and ends.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a part of the sandbox broke down");
            }
        }
    }
}

/// The addresses by which clients on this machine reach the parts.
fn addresses(listeners: &Listeners, setup: &Setup) -> Result<Addresses, String> {
    let (web, ldap) = match setup.tls {
        None => ("http", "ldap"),
        Some(_) => ("https", "ldaps"),
    };
    let shown = |scheme: &str, listener: &Option<TcpListener>, otherwise: u16| {
        let address = match listener {
            None => SocketAddr::from(([127, 0, 0, 1], otherwise)),
            Some(listener) => listener
                .local_addr()
                .map_err(|e| format!("cannot read the own address: {e}"))?,
        };
        let address = match address.ip().is_unspecified() {
            true => SocketAddr::from(([127, 0, 0, 1], address.port())),
            false => address,
        };
        Ok::<String, String>(format!("{scheme}://{address}"))
    };
    let provider = match &setup.provider {
        Some(url) => checked(url)?,
        None => format!("{web}://127.0.0.1:8001"),
    };
    Ok(Addresses {
        provider,
        ssp: shown(web, &listeners.ssp, 8002)?,
        dos: shown(web, &listeners.dos, 8003)?,
        sds: shown(ldap, &listeners.sds, 8004)?,
    })
}

/// The Provider's URL, without the slash at its end.
fn checked(url: &str) -> Result<String, String> {
    let rest = url
        .strip_prefix("http://")
        .or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(rest) if !rest.is_empty() && !url.contains(char::is_whitespace) => {
            Ok(url.trim_end_matches('/').to_owned())
        }
        _ => Err(format!(
            "`{url}` is no address of a Provider; write it like http://127.0.0.1:8001"
        )),
    }
}

/// The names of consumers in a world.
fn names_of(world: &World) -> Vec<String> {
    let systems = world.directory.systems.iter();
    systems.filter_map(|s| s.fqdn.clone()).collect()
}

/// The certificates in a folder, with one per name of a consumer; made, throw-away, when one of them is missing.
pub fn certificates(folder: &Path, names: &[String]) -> Result<pki::Files, String> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let pair = |name: &str| {
        (
            folder.join(format!("{name}.pem")),
            folder.join(format!("{name}.key.pem")),
        )
    };
    let consumers = names.iter().map(|fqdn| {
        let (certificate, key) = pair(&format!("consumer-{fqdn}"));
        ((*fqdn).to_owned(), certificate, key)
    });
    let files = pki::Files {
        ca: folder.join("ca.pem"),
        server: pair("server"),
        provider: pair("provider"),
        ssp: pair("ssp"),
        consumers: consumers.collect(),
    };
    let pairs = [&files.server, &files.provider, &files.ssp].map(|(c, k)| (c, k));
    let complete = files.ca.is_file()
        && pairs.iter().all(|(c, k)| c.is_file() && k.is_file())
        && files
            .consumers
            .iter()
            .all(|(_, c, k)| c.is_file() && k.is_file());
    match complete {
        true => Ok(files),
        false => pki::write(folder, SSP_NAME, &names),
    }
}

/// TLS of every part.
#[derive(Default)]
struct Tls {
    files: Option<pki::Files>,
    dos: Option<Arc<ServerConfig>>,
    sds: Option<Arc<ServerConfig>>,
    ssp: Option<Arc<ServerConfig>>,
    to_provider: Option<Arc<rustls::ClientConfig>>,
}

impl Tls {
    /// Clients of SDS and SSP must show a certificate (NAT-SDS-01, NAT-SSP-04); the DoS knows them by password.
    fn from(files: pki::Files) -> Result<Tls, String> {
        let server = |mutual: bool, protocol| {
            let tls = ServerTls {
                certificate: files.server.0.clone(),
                key: files.server.1.clone(),
                client_ca: mutual.then(|| files.ca.clone()),
                revoked: None,
            };
            pki::server_config(&tls, protocol).map(Some)
        };
        let to_provider = pki::client_config(&ClientTls {
            ca: files.ca.clone(),
            identity: Some(files.ssp.clone()),
        })?;
        Ok(Tls {
            dos: server(false, Protocol::Http)?,
            sds: server(true, Protocol::Ldap)?,
            ssp: server(true, Protocol::Http)?,
            to_provider: Some(to_provider),
            files: Some(files),
        })
    }
}
