//! The simulated Provider: stateful, and judging every request of a consumer under test.
//!
//! It offers scenarios, each its own DoS service, which a person or a script walks in any order. Every request is
//! judged by one table of rules, then answered as a real Provider would answer it. What the national services in front
//! have seen comes in as [`Event`]s: this module knows neither directory nor proxy. Everything is bounded: bodies,
//! heads, connections, what is remembered and what is kept.

mod asked;
mod attempts;
mod diary;
mod driver;
mod judge;
mod ledger;
mod national;
mod outcome;
mod page;
mod play;
mod referral;
mod reply;
mod resources;
mod rules;
mod scenario;
mod server;
mod state;
mod tally;
mod tee;
mod tls;

pub use national::{Event, SECOND_ASID};
pub use rules::{RuleRow, rules};
pub use scenario::{PROVIDER_ASID, Part, Scenario, scenario, scenarios};
pub use state::Shown;
pub use tls::Certificates;

use crate::evidence::Run;
use asked::Root;
use booking::ids::Asid;
use jiff::Timestamp;
use server::Shared;
use state::State;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How long the end of a run waits for connections that are just ending; those that stay open do not matter.
const SETTLE_WITHIN: Duration = Duration::from_millis(100);
/// Largest body of a request, and largest once it is decoded: a booking has about 5 kB.
pub const MAX_BODY: usize = 1 << 20;

/// How the simulator is told apart and what it demands.
pub struct Settings {
    /// The service root that consumers know; left out: `http(s)://` the listening address and `/STU3`.
    pub root: Option<String>,
    /// The consumer's ASID, where it is known beforehand.
    pub from: Option<Asid>,
    /// The simulated Provider's ASID.
    pub to: Asid,
    /// Scenarios to walk, by service id; all if none is named.
    pub scenarios: Vec<String>,
    /// The national services are in front; see [`Watching::saw`].
    pub national: bool,
    /// Every request has to come through the SSP.
    pub through_ssp: bool,
    /// How long an answer is withheld before the connection is cut.
    pub silence: Duration,
    /// TLS.
    pub tls: Option<Certificates>,
    /// Called for everything that is seen.
    pub on_seen: Option<OnSeen>,
}

/// What is called for everything that is seen.
pub type OnSeen = Box<dyn Fn(&Shown) + Send + Sync>;

/// Longer than the SSP waits for a Provider (30 seconds), so that it ends the wait first.
pub const SILENCE: Duration = Duration::from_secs(35);

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            root: None,
            from: None,
            // The constant is an ASID; a test says so.
            to: provider_asid(),
            scenarios: Vec::new(),
            national: false,
            through_ssp: false,
            silence: SILENCE,
            tls: None,
            on_seen: None,
        }
    }
}

fn provider_asid() -> Asid {
    loop {
        if let Ok(asid) = Asid::parse(PROVIDER_ASID) {
            return asid;
        }
    }
}

/// Why the simulator cannot start.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

/// A simulated Provider that runs until it is finished or dropped.
pub struct Simulator {
    watching: Watching,
    root: String,
    started: Timestamp,
    task: JoinHandle<()>,
}

/// Where the national services report what they saw. Cheap to clone.
#[derive(Clone)]
pub struct Watching(Arc<Shared>);

impl Watching {
    /// Takes note of what a national service saw.
    pub fn saw(&self, event: Event) {
        let shown = self.0.lock().saw(event);
        if let Some(shown) = shown {
            self.0.tell(&shown);
        }
    }

    /// How far the scenarios are.
    pub fn progress(&self) -> Progress {
        self.0.lock().progress()
    }
}

/// How far a walk is.
#[derive(Clone, Debug)]
pub struct Progress {
    /// The chosen scenarios; what is left to do, and how often the consumer went on where it should have turned back.
    pub scenarios: Vec<Standing>,
    /// Requests seen.
    pub requests: usize,
    /// Different findings so far, notes apart.
    pub faults: usize,
    /// When the last request came or was answered.
    pub last: Option<Instant>,
}

/// How one scenario stands.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// What is left to do; none if it has been walked.
    pub left: Option<&'static str>,
    /// The consumer went on where it should have turned back.
    pub trespassed: bool,
    /// Something of it was seen.
    pub begun: bool,
}

impl Progress {
    /// True if every chosen scenario has been walked.
    pub fn is_complete(&self) -> bool {
        self.scenarios.iter().all(|s| s.left.is_none())
    }
}

impl State {
    fn progress(&self) -> Progress {
        let standing = |s: &&'static Scenario| {
            let tally = self.tallies.get(s.id).copied();
            Standing {
                scenario: s,
                left: s.left(&tally.unwrap_or_default()),
                trespassed: tally.is_some_and(|t| t.trespasses > 0),
                begun: tally.is_some(),
            }
        };
        Progress {
            scenarios: self.chosen.iter().map(standing).collect(),
            requests: self.ledger.seen,
            faults: self.ledger.faults() + self.national.trespasses.len(),
            last: self.last,
        }
    }
}

impl Simulator {
    /// Starts to answer. Runs inside a tokio runtime.
    pub fn start(listener: TcpListener, settings: Settings) -> Result<Simulator, StartError> {
        let address = listener
            .local_addr()
            .map_err(|e| StartError(format!("cannot read the own address: {e}")))?;
        let tls = settings
            .tls
            .as_ref()
            .map(tls::server_config)
            .transpose()
            .map_err(StartError)?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let shown = match address.ip().is_unspecified() {
            true => format!("127.0.0.1:{}", address.port()),
            false => address.to_string(),
        };
        let url = settings
            .root
            .unwrap_or_else(|| format!("{scheme}://{shown}/STU3"));
        let wrong = || {
            StartError(format!(
                "`{url}` is no service root; write it like http://127.0.0.1:9000/STU3"
            ))
        };
        let root = Root::new(&url).ok_or_else(wrong)?;
        if let Some(unknown) = settings.scenarios.iter().find(|s| scenario(s).is_none()) {
            return Err(StartError(format!("there is no scenario {unknown}")));
        }
        let through = settings.through_ssp || settings.national;
        let state = State::new(
            root,
            settings.from,
            settings.to,
            through,
            settings.national,
            &settings.scenarios,
        );
        let root = state.root.url().to_owned();
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            silence: settings.silence,
            on_seen: settings.on_seen,
            open: AtomicUsize::new(0),
        });
        let task = tokio::spawn(server::serve(listener, shared.clone(), tls));
        Ok(Simulator {
            watching: Watching(shared),
            root,
            started: Timestamp::now(),
            task,
        })
    }

    /// The service root that consumers know.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// Where the national services report.
    pub fn watching(&self) -> Watching {
        self.watching.clone()
    }

    /// Takes note of what a national service saw.
    pub fn saw(&self, event: Event) {
        self.watching.saw(event);
    }

    /// How far the scenarios are.
    pub fn progress(&self) -> Progress {
        self.watching.progress()
    }

    /// Stops answering, and gives what was seen and judged.
    pub fn finish(self) -> Run {
        // A request that no server reads is answered before it is judged: connections that are ending may end.
        let until = Instant::now() + SETTLE_WITHIN;
        while self.watching.0.open.load(Ordering::Acquire) > 0 && Instant::now() < until {
            std::thread::sleep(SETTLE_WITHIN / 20);
        }
        self.task.abort();
        outcome::run(&mut self.watching.0.lock(), self.started)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Hands on what was seen; never while the state is locked, since whoever is told may ask for the progress.
    fn tell(&self, shown: &Shown) {
        if let Some(on_seen) = &self.on_seen {
            on_seen(shown);
        }
    }

    /// The state; a thread that broke down while it held it has changed no more than one request's share.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use booking::ids::ServiceId;
    use std::collections::HashSet;

    #[test]
    fn scenarios_and_rules_are_told_apart() {
        assert_eq!(provider_asid().as_str(), PROVIDER_ASID);
        let mut ids = HashSet::new();
        let mut asids = HashSet::from([PROVIDER_ASID, SECOND_ASID]);
        for s in scenarios() {
            assert!(
                ServiceId::parse(s.id).is_ok() && ids.insert(s.id),
                "{}",
                s.id
            );
            assert!(!s.requirements.is_empty() && !s.task.is_empty() && !s.right.is_empty());
            assert_eq!(s.is_national(), s.asid.is_some(), "{}", s.id);
            if let Some(asid) = s.asid {
                assert!(Asid::parse(asid).is_ok() && asids.insert(asid), "{asid}");
            }
        }
        let names: HashSet<&str> = rules().iter().map(|r| r.id).collect();
        assert_eq!(names.len(), rules().len());
        assert!(
            rules()
                .iter()
                .all(|r| !r.requirements.is_empty() && !r.right.is_empty() && !r.needs.is_empty())
        );
    }
}
