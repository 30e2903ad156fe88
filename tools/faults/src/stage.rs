//! What a scenario plays on: a folder, a database with a diary, the ledger, and the curtain: the proof.

use crate::Setting;
use crate::database::Database;
use crate::ledger::Ledger;
use crate::load::Shared;
use crate::message::{Heads, Slot};
use crate::proof::{self, Verdict, Where};
use crate::provider::{Launch, Provider};
use crate::random::Random;
use crate::world::{self, Size};
use jiff::Timestamp;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use testkit::postgres::Server;

/// The database on PostgreSQL.
pub const DATABASE: &str = "uec";
/// Real durability; little log, since several servers run beside the tests of a whole workspace.
const POSTGRES: &[&str] = &[
    "fsync=on",
    "full_page_writes=on",
    "synchronous_commit=on",
    "max_wal_size=128MB",
    "wal_keep_size=64MB",
    "log_min_messages=fatal",
];

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// One file.
    Sqlite,
    /// A PostgreSQL that is started for the run.
    Postgres,
}

impl Kind {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::Postgres => "postgres",
        }
    }
}

/// The stage of one scenario.
pub struct Stage {
    /// The program to break.
    pub program: PathBuf,
    /// Folder of everything.
    pub folder: PathBuf,
    /// The database.
    pub database: Database,
    /// Its server, if it has one.
    pub cluster: Option<Server>,
    /// How large the diary is.
    pub size: Size,
    /// Where clients note everything.
    pub ledger: Arc<Ledger>,
    /// Requests.
    pub heads: Arc<Heads>,
    /// What can be booked.
    pub slots: Arc<Vec<Slot>>,
    /// Chance.
    pub random: Random,
    /// When the scenario began.
    pub began: Timestamp,
}

impl Stage {
    /// Sets the stage: a database of its own, declared, and the free slots as a search gives them.
    pub async fn set(setting: &Setting, name: &str, size: Size) -> Result<Stage, String> {
        let folder = setting.folder.join(name);
        std::fs::create_dir_all(&folder)
            .map_err(|e| format!("cannot make {}: {e}", folder.display()))?;
        Stage::set_in(setting, name, size, folder.clone(), folder).await
    }

    /// The same with the database in another folder, such as a small disk.
    pub async fn set_in(
        setting: &Setting,
        name: &str,
        size: Size,
        folder: PathBuf,
        data: PathBuf,
    ) -> Result<Stage, String> {
        let (database, cluster) = match setting.store {
            Kind::Sqlite => (Database::Sqlite(data.join("provider.sqlite")), None),
            Kind::Postgres => {
                let cluster = Server::make(&data.join("pg"), POSTGRES);
                cluster.psql(&format!("CREATE DATABASE {DATABASE}"))?;
                (Database::Postgres(cluster.url(DATABASE)), Some(cluster))
            }
        };
        world::declare(&setting.program, &folder, &database.url(), size)?;
        let mut stage = Stage {
            program: setting.program.clone(),
            ledger: Arc::new(Ledger::open(&folder)?),
            folder,
            database,
            cluster,
            size,
            heads: Arc::new(Heads::new()?),
            slots: Arc::new(Vec::new()),
            random: Random::of(setting.seed, name),
            began: Timestamp::now(),
        };
        let provider = stage.launch("setting")?.start()?;
        let slots = world::free_slots(provider.address(), &stage.heads, size, stage.began).await?;
        for (number, slot) in slots.iter().enumerate() {
            stage
                .ledger
                .slot(number, slot.uuid, &slot.service, slot.cap);
        }
        // A day on which the clock goes forward has an hour less.
        let wanted = size.clinics * (size.days * world::SLOTS_A_DAY - 6);
        if slots.len() < wanted {
            return Err(format!(
                "the diary has {} free slots, not {wanted}",
                slots.len()
            ));
        }
        stage.slots = Arc::new(slots);
        Ok(stage)
    }

    /// How a process of the program is started here.
    pub fn launch(&self, name: &str) -> Result<Launch, String> {
        Ok(Launch {
            program: self.program.clone(),
            folder: self.folder.clone(),
            name: name.to_owned(),
            database: self.database.url(),
            address: SocketAddr::from(([127, 0, 0, 1], testkit::port())),
            before: None,
            environment: Vec::new(),
            settings: String::new(),
        })
    }

    /// What clients of these processes share.
    pub fn shared(&self, addresses: &[SocketAddr]) -> Shared {
        Shared {
            ledger: self.ledger.clone(),
            heads: self.heads.clone(),
            addresses: Arc::new(addresses.to_vec()),
            slots: self.slots.clone(),
            size: self.size,
            began: self.began,
            tokens_may_fail: false,
        }
    }

    /// The proof, over HTTP by a process that is started afresh, and in the database.
    pub async fn prove(&self) -> Result<Box<Verdict>, String> {
        let mut provider = self.launch("proving")?.start()?;
        let verdict = self.prove_with(&provider).await;
        provider.stop();
        verdict
    }

    /// The proof, over HTTP by a process that runs.
    pub async fn prove_with(&self, provider: &Provider) -> Result<Box<Verdict>, String> {
        let wire = proof::over_http(
            &self.folder,
            provider.address(),
            &self.heads,
            &self.ledger,
            self.size,
            self.began,
        )
        .await?;
        let at = Where {
            program: &self.program,
            folder: &self.folder,
            database: &self.database,
        };
        proof::prove(&at, Some(&wire)).map(Box::new)
    }
}
