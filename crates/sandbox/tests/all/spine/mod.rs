//! Systems, certificates and running services for the tests of SDS and SSP.

use rustls::{ClientConfig, ServerConfig};
use sandbox::directory::Directory;
use sandbox::faults::Faults;
use sandbox::pki::{self, ClientTls, Files, Protocol, ServerTls};
use sandbox::{sds, ssp};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

pub mod upstream;

pub const URN: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// The Provider.
pub const PROVIDER: &str = "918999000011";
/// A Consumer with every right.
pub const CONSUMER: &str = "918999000099";
/// A Consumer that may search only.
pub const SEARCHER: &str = "918999000098";
/// The name registered for the Consumer.
pub const CONSUMER_NAME: &str = "consumer.example.nhs.uk";
/// The name that the Provider knows the SSP by.
pub const SSP_NAME: &str = "ssp.example.nhs.uk";

pub fn urn(short: &str) -> String {
    format!("{URN}{short}")
}

/// Two providers and two consumers; the first provider's service root is given.
pub fn directory(root: &str) -> Directory {
    toml_of(&format!(
        r#"
        [[system]]
        asid = "{PROVIDER}"
        ods = "FX101"
        product_key = "9001"
        name = "Fernhill Urgent Care"
        interactions = ["read:slot", "create:appointment", "read:appointment", "update:appointment"]
        endpoint = "{root}"

        [[system]]
        asid = "918999000022"
        ods = "FX202"
        interactions = ["read:slot", "create:appointment"]
        endpoint = "https://riverside.example.nhs.uk/STU3/1/FX202/a (b)"

        [[system]]
        asid = "{CONSUMER}"
        ods = "FX900"
        fqdn = "{CONSUMER_NAME}"
        interactions = ["search:slot", "create:appointment", "read:appointment", "update:appointment"]

        [[system]]
        asid = "{SEARCHER}"
        ods = "FX901"
        interactions = ["read:slot"]
        "#
    ))
}

pub fn toml_of(text: &str) -> Directory {
    toml::from_str(text).unwrap()
}

/// A service that stops with the value.
pub struct Running {
    pub address: SocketAddr,
    pub faults: Arc<Faults>,
    stop: Option<oneshot::Sender<()>>,
    pub task: tokio::task::JoinHandle<()>,
}

impl Running {
    pub fn ldap(&self) -> String {
        format!("ldap://{}", self.address)
    }

    pub fn http(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn stop(&mut self) {
        drop(self.stop.take());
    }
}

/// Serves what `serve` serves, until it is stopped.
async fn start<F: Future<Output = ()> + Send + 'static>(
    serve: impl FnOnce(TcpListener, Arc<Faults>, Stopped) -> F,
) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, faults) = (listener.local_addr().unwrap(), Arc::new(Faults::default()));
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped: Stopped = Box::pin(async move {
        let _ = stopped.await;
    });
    Running {
        address,
        task: tokio::spawn(serve(listener, faults.clone(), stopped)),
        faults,
        stop: Some(stop),
    }
}

type Stopped = Pin<Box<dyn Future<Output = ()> + Send>>;

pub async fn start_sds(directory: Directory, settings: sds::Settings) -> Running {
    start_sds_tls(directory, settings, None).await
}

pub async fn start_sds_tls(
    directory: Directory,
    settings: sds::Settings,
    tls: Option<Arc<ServerConfig>>,
) -> Running {
    let of = Arc::new(directory);
    start(|listener, faults, stopped| sds::serve(listener, of, settings, faults, tls, stopped))
        .await
}

pub async fn start_ssp(directory: Directory, settings: ssp::Settings) -> Running {
    start_ssp_tls(directory, settings, None).await
}

pub async fn start_ssp_tls(
    directory: Directory,
    settings: ssp::Settings,
    tls: Option<Arc<ServerConfig>>,
) -> Running {
    let of = Arc::new(directory);
    start(|listener, faults, stopped| ssp::serve(listener, of, settings, faults, tls, stopped))
        .await
}

/// Certificates in a folder that goes away with them.
pub struct Certificates {
    _folder: tempfile::TempDir,
    pub files: Files,
}

impl Certificates {
    pub fn new(consumers: &[&str]) -> Certificates {
        let folder = tempfile::tempdir().unwrap();
        let files = pki::write(folder.path(), SSP_NAME, consumers).unwrap();
        Certificates {
            _folder: folder,
            files,
        }
    }

    /// A server that demands client certificates when `mutual`.
    pub fn server(&self, protocol: Protocol, mutual: bool) -> Arc<ServerConfig> {
        let tls = ServerTls {
            certificate: self.files.server.0.clone(),
            key: self.files.server.1.clone(),
            client_ca: mutual.then(|| self.files.ca.clone()),
            revoked: None,
        };
        pki::server_config(&tls, protocol).unwrap()
    }

    /// A client with the certificate of this registered name.
    pub fn client(&self, fqdn: Option<&str>) -> Arc<ClientConfig> {
        let identity = fqdn.map(|wanted| {
            let found = self
                .files
                .consumers
                .iter()
                .find(|(name, _, _)| name == wanted);
            let (_, certificate, key) = found.unwrap();
            (certificate.clone(), key.clone())
        });
        let ca = self.files.ca.clone();
        pki::client_config(&ClientTls { ca, identity }).unwrap()
    }
}
