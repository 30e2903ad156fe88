//! Starting the Provider server: settings from flags, environment and file; database; seed; sockets; end.

use crate::anchors::Anchoring;
use crate::{Failure, log, output, telemetry};
use booking::named_file;
use clap::{Args, ValueEnum};
use provider::anchor::state::AnchorState;
use provider::config::{LogFormat, Settings, Tls, Unsigned, check_base_url};
use provider::diary::{apply, demo};
use provider::http::edge::Edge;
use provider::http::edge::base::Base;
use provider::http::server::{self, Server};
use provider::http::trust::Trust;
use provider::store::{Options, Store, StoreError};
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;

/// Where a Provider listens when nothing is said.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:8001";
/// How often the diary is topped up with the days ahead.
const TOP_UP: Duration = Duration::from_secs(15 * 60);

/// Serve the Booking API over a database.
///
/// Settings come from these flags, then from the environment, then from the file.
#[derive(Args)]
pub struct Serve {
    /// Database: `sqlite:PATH`, made when it is not there, or `postgres://USER@HOST/DATABASE`
    #[arg(long, env = "UEC_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Streaming standby of a PostgreSQL database, for searches: `postgres://USER@HOST/DATABASE`
    #[arg(
        long,
        env = "UEC_DATABASE_REPLICA",
        value_name = "URL",
        hide_env_values = true
    )]
    pub database_replica: Option<String>,
    /// Address to listen on
    #[arg(long, env = "UEC_LISTEN", value_name = "HOST:PORT")]
    pub listen: Option<String>,
    /// Scheme, host and port that consumers use, without path [default: https:// and the listen address]
    #[arg(long, env = "UEC_BASE_URL", value_name = "URL")]
    pub base_url: Option<String>,
    /// Settings file, TOML
    #[arg(long, env = "UEC_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Open an SQLite file although others than its owner may write it, or its folder
    #[arg(long)]
    pub allow_shared_files: bool,
    /// Put demo providers, services and slots into the database, and believe anybody's unsigned token
    #[arg(long, value_enum)]
    pub seed: Option<Seed>,
    /// Certificate chain for HTTPS, PEM
    #[arg(
        long,
        env = "UEC_TLS_CERTIFICATE",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub tls_certificate: Option<PathBuf>,
    /// Private key for HTTPS, PEM
    #[arg(
        long,
        env = "UEC_TLS_KEY",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub tls_key: Option<PathBuf>,
    /// Authorities whose client certificates are asked for, PEM
    #[arg(
        long,
        env = "UEC_TLS_CLIENT_CA",
        value_name = "FILE",
        requires = "tls_certificate"
    )]
    pub tls_client_ca: Option<PathBuf>,
    /// Revocation lists of these authorities, PEM or DER; read again when they change
    #[arg(
        long,
        env = "UEC_TLS_CLIENT_CRL",
        value_name = "FILE",
        value_delimiter = ',',
        requires = "tls_certificate"
    )]
    pub tls_client_crl: Vec<PathBuf>,
    /// Address of a port for health and metrics alone: plain HTTP, for an inner network
    #[arg(long, env = "UEC_ADMIN_LISTEN", value_name = "HOST:PORT")]
    pub admin_listen: Option<String>,
    /// How log lines are written
    #[arg(long, env = "UEC_LOG_FORMAT", value_enum)]
    pub log_format: Option<LogLines>,
}

/// How log lines are written.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLines {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

/// Data that a server can be started with.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Seed {
    /// The demo providers Fernhill Urgent Care (FX101) and Riverside GP Hub (FX202)
    Demo,
}

impl Serve {
    /// Runs the server until it is told to stop.
    pub fn run(self) -> Result<(), Failure> {
        if let Some(why) = provider::clock::unusable() {
            return Err(Failure::Refused(why));
        }
        let mut settings = self.settings()?;
        let seeded = self.seed == Some(Seed::Demo);
        if seeded {
            settings.trust.unsigned = Unsigned::Any;
            settings.admin.metrics_on_api = true;
        }
        log::start(settings.log.format, "info");
        let database = settings.database.clone().ok_or_else(|| {
            Failure::Usage("no database named: use --database sqlite:PATH or postgres://USER@HOST/DATABASE, UEC_DATABASE, or `database` in the file".into())
        })?;
        let listen = settings
            .listen
            .clone()
            .unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        runtime()?.block_on(async {
            check_address("--listen", &listen)?;
            if let Some(address) = &settings.admin.listen {
                check_address("--admin-listen", address)?;
            }
            let listener = server::bind(&listen).await?;
            let admin = match &settings.admin.listen {
                None => None,
                Some(address) => Some(bind_admin(address).await?),
            };
            let options = Options {
                replica: settings.database_replica.clone(),
                serving: true,
                allow_shared_files: settings.allow_shared_files,
                ..Options::default()
            };
            let store = Store::open(&database, &options).map_err(not_opened)?;
            let trail = Arc::<AnchorState>::default();
            // Before anything is written: what is missing is told from the first row on.
            let anchoring = Anchoring::start(&settings.audit, &store, &trail)
                .await
                .map_err(Failure::Usage)?;
            let mut running = prepare(listener, store.clone(), settings, seeded, trail).await?;
            if let Some(listener) = admin {
                running = running.with_admin(listener);
            }
            let address = running.address();
            let stop = stop_signal();
            tracing::info!(%address, database = store.shown(), "the Provider is ready");
            output::announce(&format!("Provider ready on {address} (stop with Ctrl-C)\n"));
            running.run(stop).await;
            store.close();
            if let Some(anchoring) = anchoring {
                anchoring.end().await;
            }
            tracing::info!("stopped; everything acknowledged is stored");
            Ok(())
        })
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = match &self.config {
            None => Settings::default(),
            Some(path) => read_settings(path)?,
        };
        settings.allow_shared_files |= self.allow_shared_files;
        for (given, kept) in [
            (&self.database, &mut settings.database),
            (&self.database_replica, &mut settings.database_replica),
            (&self.listen, &mut settings.listen),
            (&self.admin_listen, &mut settings.admin.listen),
        ] {
            *kept = given.clone().or(kept.take());
        }
        if let Some(lines) = self.log_format {
            settings.log.format = match lines {
                LogLines::Text => LogFormat::Text,
                LogLines::Json => LogFormat::Json,
            };
        }
        telemetry::from_environment(&mut settings.telemetry).map_err(Failure::Usage)?;
        if let Some(url) = &self.base_url {
            check_base_url(url).map_err(Failure::Usage)?;
            settings.base_url = Some(url.clone());
        }
        if let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) {
            // What no flag names stays as the file has it: above all who has to show a certificate.
            let (client_ca, client_crl) = settings
                .tls
                .map_or((None, Vec::new()), |tls| (tls.client_ca, tls.client_crl));
            settings.tls = Some(Tls {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca.clone().or(client_ca),
                client_crl: match self.tls_client_crl.is_empty() {
                    true => client_crl,
                    false => self.tls_client_crl.clone(),
                },
            });
            settings.check().map_err(Failure::Usage)?;
        }
        Ok(settings)
    }
}

/// An address that no system could listen on is wrong usage, not a refusal.
pub fn check_address(flag: &str, text: &str) -> Result<(), Failure> {
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    match port {
        Some(Ok(_)) => Ok(()),
        _ => Err(Failure::Usage(format!(
            "{flag} {text}: write HOST:PORT, such as 127.0.0.1:8001"
        ))),
    }
}

async fn bind_admin(address: &str) -> Result<TcpListener, String> {
    let listener = server::bind(address).await;
    listener.map_err(|e| e.replace("--listen", "--admin-listen"))
}

/// Settings of a file. The error names file, line and key.
pub fn read_settings(path: &Path) -> Result<Settings, Failure> {
    let text = named_file::text(File::open(path), named_file::SMALL).map_err(|e| {
        Failure::Usage(format!(
            "cannot read the settings file {}: {e}",
            path.display()
        ))
    })?;
    Settings::parse(&text, &path.display().to_string()).map_err(Failure::Usage)
}

/// Everything between an open database and a server that answers.
pub async fn prepare(
    listener: TcpListener,
    store: Store,
    settings: Settings,
    seeded: bool,
    trail: Arc<AnchorState>,
) -> Result<Server, Failure> {
    let address = listener
        .local_addr()
        .map_err(|e| format!("cannot read the own address: {e}"))?;
    let trust = Trust::open(&settings).map_err(Failure::Usage)?;
    if trust.accepts_anybody() {
        tracing::warn!(
            "unsigned tokens are believed from ANYBODY who reaches {address}: for demonstration and development only, \
             never with real patients"
        );
    }
    if seeded {
        demo::load(&store, provider::clock::now())
            .await
            .map_err(|e| e.to_string())?;
    }
    spawn_top_up(store.clone());
    let base = Base::new(settings.base_url.as_deref(), &as_reached_here(address));
    let settings = Arc::new(settings);
    let mut edge = Edge::new(store, settings.clone(), trust, base)?.logged(log::state());
    edge.health.trail = trail;
    if let Some(tracer) = telemetry::start(&settings.telemetry, &edge.metrics)? {
        edge = edge.traced(tracer);
    }
    let edge = Arc::new(edge);
    Server::new(listener, edge, settings).map_err(Failure::Usage)
}

/// The address as consumers on this machine would write it.
pub fn as_reached_here(address: SocketAddr) -> String {
    match address.ip().is_unspecified() {
        true => format!("127.0.0.1:{}", address.port()),
        false => address.to_string(),
    }
}

/// Keeps the diary filled as days go by; what fails is logged and tried again.
fn spawn_top_up(store: Store) {
    tokio::spawn(async move {
        loop {
            match apply::top_up(&store, provider::clock::now(), &mut |_| {}).await {
                Ok(0) => {}
                Ok(added) => tracing::info!(added, "slots added for the days ahead"),
                Err(error) => {
                    tracing::error!(%error, "the diary could not be topped up; trying again later")
                }
            }
            tokio::time::sleep(TOP_UP).await;
        }
    });
}

/// A runtime for a server.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::Refused(format!("cannot start threads: {e}")))
}

/// Ready when the process is asked to stop (SIGTERM or Ctrl-C). Signals count from this call on, so make it before
/// anybody is told that the program is ready.
pub fn stop_signal() -> impl Future<Output = ()> {
    stop_signal_of(true)
}

/// The same; without `interrupt` by SIGTERM only, and what was to become of SIGINT stays as it is.
pub fn stop_signal_of(interrupt: bool) -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = signal(SignalKind::terminate());
    let interrupt = interrupt.then(|| signal(SignalKind::interrupt()));
    async move {
        match (terminate, interrupt.transpose()) {
            (Ok(mut terminate), Ok(None)) => {
                terminate.recv().await;
            }
            (Ok(mut terminate), Ok(Some(mut interrupt))) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            _ => tokio::signal::ctrl_c().await.unwrap_or(()),
        }
    }
}

/// An address that nothing could open is wrong usage; all else is the database's refusal.
pub fn not_opened(error: StoreError) -> Failure {
    match error {
        StoreError::Address { .. } => Failure::Usage(error.to_string()),
        _ => Failure::Refused(error.to_string()),
    }
}
