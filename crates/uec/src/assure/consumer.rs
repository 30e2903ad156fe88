//! `uec assure consumer`: a simulated Provider judges a consumer and keeps the evidence.

mod national;
mod screen;
mod world;

use super::evidence::{Evidence, print_list};
use super::usage;
use crate::serve::{runtime, stop_signal};
use crate::{Failure, Outcome};
use assurance::consumer_suite::{
    Certificates, Event, PROVIDER_ASID, SILENCE, Scenario, Settings, Simulator, Watching, scenario,
    scenarios,
};
use assurance::evidence::{Counts, Run, Verdict, errors};
use booking::count::{counted, plural};
use booking::ids::Asid;
use clap::Args;
use screen::Screen;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// How often the ends `--until-complete` and `--idle` are looked at.
const GLANCE: Duration = Duration::from_millis(200);
/// After the last step of a walk a consumer may still look at what it did.
const SETTLE: Duration = Duration::from_secs(1);
/// Longest run, and longest silence, seconds: a week of witnessed tests.
const MAX_SECONDS: u64 = 7 * 24 * 3600;

/// Be a Provider that a consumer is tried against: judge every request, and keep the evidence.
#[derive(Args)]
pub struct Consumer {
    /// Address to listen on; port 0 takes a free one [required, except with --list]
    #[arg(long, value_name = "HOST:PORT", required_unless_present = "list", value_parser = super::filled)]
    pub listen: Option<String>,
    /// Service root that the consumer knows, where it is not http(s)://LISTEN/STU3 (behind a proxy)
    #[arg(long, value_name = "URL", value_parser = super::filled)]
    pub root: Option<String>,
    /// ASID of the consumer (Ssp-From), where it is known beforehand
    #[arg(long, value_name = "ASID")]
    pub from_asid: Option<Asid>,
    /// ASID of the simulated Provider (Ssp-To)
    #[arg(long, value_name = "ASID", default_value = PROVIDER_ASID)]
    pub to_asid: Asid,
    /// Scenario to walk, by its service id; may be given several times [default: all]
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = super::filled)]
    pub scenario: Vec<String>,
    /// Put SSP, DoS and SDS in front, on the three ports after --listen
    #[arg(long)]
    pub national: bool,
    /// Port of the SSP in front; 0 takes a free one
    #[arg(long, value_name = "PORT", requires = "national")]
    pub ssp: Option<u16>,
    /// Port of the DoS in front; 0 takes a free one
    #[arg(long, value_name = "PORT", requires = "national")]
    pub dos: Option<u16>,
    /// Port of the SDS in front; 0 takes a free one
    #[arg(long, value_name = "PORT", requires = "national")]
    pub sds: Option<u16>,
    /// Demand that every request comes through the SSP (implied by --national)
    #[arg(long)]
    pub through_ssp: bool,
    /// TLS everywhere with the certificates of this folder; made, throw-away, when they are not there
    #[arg(
        long,
        value_name = "DIR",
        requires = "national",
        conflicts_with = "tls_cert"
    )]
    pub tls: Option<PathBuf>,
    /// Own certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the own certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities of the client certificates that are then demanded, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Seconds after which an answer that is withheld on purpose ends with a closed connection
    #[arg(long, value_name = "SECONDS", default_value_t = SILENCE.as_secs(), value_parser = clap::value_parser!(u64).range(1..=600))]
    pub silence: u64,
    /// End after so many seconds
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    pub duration: Option<u64>,
    /// End when all chosen scenarios have been walked
    #[arg(long)]
    pub until_complete: bool,
    /// End when no request has come for so many seconds, after the first one
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=MAX_SECONDS))]
    pub idle: Option<u64>,
    /// Print the scenarios and what to do for them, and run nothing
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub evidence: Evidence,
}

impl Consumer {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        if self.list {
            print_list(self.evidence.json, scenarios(), as_json, as_text);
            return Ok(());
        }
        if let Some(unknown) = self.scenario.iter().find(|id| scenario(id).is_none()) {
            return Err(usage(format!(
                "there is no scenario {unknown}; --list prints them"
            )));
        }
        let folder = self.evidence.folder()?;
        let run = runtime()?.block_on(self.serve())?;
        let (counts, told) = (run.counts(), told(&run));
        let (chosen, unwalked) = run.scenarios();
        let more = json!({"chosen": chosen, "notWalked": unwalked});
        self.evidence
            .finish(folder, run, ("scenarios", more), &told)?;
        verdict(&counts, (chosen, unwalked))
    }

    /// Everything between the sockets and the end of the run.
    async fn serve(&self) -> Result<Run, Failure> {
        let listen = self.listen.as_deref().unwrap_or_default();
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|e| Failure::Usage(format!("--listen {listen}: {e}")))?;
        let address = listener.local_addr().map_err(|e| e.to_string())?;
        let screen = Arc::new(Screen::new(self.evidence.json));
        let files = national::certificates(self)?;
        let settings = self.settings(files, screen.clone());
        let simulator =
            Simulator::start(listener, settings).map_err(|e| Failure::Usage(e.to_string()))?;
        let watching = simulator.watching();
        screen.watch(watching.clone());
        let front = match self.national {
            true => Some(national::start(self, address, simulator.root(), watching.clone()).await?),
            false => None,
        };
        screen.say(&self.told(simulator.root(), front.as_ref()));
        self.ended(&watching).await;
        if let Some(front) = front {
            front.stop().await;
        }
        screen.end();
        Ok(simulator.finish())
    }

    fn settings(&self, files: Option<Certificates>, screen: Arc<Screen>) -> Settings {
        let own = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some(Certificates {
                certificate: certificate.clone(),
                key: key.clone(),
                client_ca: self.tls_client_ca.clone(),
            }),
            _ => None,
        };
        Settings {
            root: self.root.clone(),
            from: self.from_asid.clone(),
            to: self.to_asid.clone(),
            scenarios: self.scenario.clone(),
            national: self.national,
            through_ssp: self.through_ssp,
            silence: Duration::from_secs(self.silence),
            tls: files.or(own),
            on_seen: Some(Box::new(move |seen| screen.seen(seen))),
        }
    }

    /// Ready when the run is to end.
    async fn ended(&self, watching: &Watching) {
        let began = Instant::now();
        let over = async {
            loop {
                tokio::time::sleep(GLANCE).await;
                let progress = watching.progress();
                let idle = |last: Instant| {
                    self.idle
                        .is_some_and(|s| last.elapsed() >= Duration::from_secs(s))
                };
                let long = self
                    .duration
                    .is_some_and(|s| began.elapsed() >= Duration::from_secs(s));
                let quiet = progress.last.is_none_or(|l| l.elapsed() >= SETTLE);
                let complete = self.until_complete && quiet && progress.is_complete();
                if long || complete || progress.last.is_some_and(idle) {
                    return;
                }
            }
        };
        tokio::select! {
            () = over => {}
            () = stop_signal() => {}
        }
    }

    /// What to set in the consumer.
    fn told(&self, root: &str, front: Option<&national::Front>) -> String {
        let mut text = format!(
            "Set in the consumer:\n  Root           {root}\n  Provider ASID  {}\n",
            self.to_asid
        );
        match front {
            Some(front) => text.push_str(&front.told()),
            None => {
                let base = root.split("/STU3").next().unwrap_or(root);
                text.push_str(&format!(
                    "  SSP            {base}   (this simulator plays it: the root behind it)\n"
                ));
            }
        }
        let from = self.from_asid.as_ref();
        let from = from.map_or(national::CONSUMER_ASID, Asid::as_str);
        if front.is_some() || self.from_asid.is_some() {
            text.push_str(&format!("  Consumer ASID  {from}\n"));
        }
        text.push_str("  Services       see --list, or the page at the root's host\nStop with Ctrl-C: the evidence is written then.\n");
        text
    }
}

/// What was not walked proves nothing, so a run that leaves chosen scenarios open is no success.
fn verdict(counts: &Counts, (scenarios, unwalked): (usize, usize)) -> Outcome {
    let open = format!(
        "{unwalked} of {} {} not walked",
        counted(scenarios, "scenario", "scenarios"),
        plural(unwalked, "was", "were")
    );
    match (counts.failed, counts.passed, unwalked) {
        (0, 0, _) => Err(Failure::Refused("no request was seen".into())),
        (0, _, 0) => Ok(()),
        (0, _, _) => Err(Failure::Refused(format!(
            "{open}; choose with --scenario what the consumer walks"
        ))),
        (failed, _, 0) => Err(Failure::Refused(format!(
            "{} broken",
            counted(failed, "rule or scenario was", "rules or scenarios were")
        ))),
        (failed, _, _) => Err(Failure::Refused(format!(
            "{} broken, and {open}",
            counted(failed, "rule or scenario was", "rules or scenarios were")
        ))),
    }
}

/// A scenario and what to do for it.
fn as_json(s: &&Scenario) -> Value {
    json!({
        "id": s.id, "name": s.name, "part": s.part.word(), "task": s.task, "right": s.right,
        "requirements": s.requirements, "national": s.is_national(), "asid": s.asid,
    })
}

fn as_text(s: &&Scenario) -> String {
    let front = match s.is_national() {
        true => ", with --national",
        false => "",
    };
    format!(
        "{} {} ({}{front})\n    do:    {}\n    right: {}\n",
        s.id,
        s.name,
        s.part.word(),
        s.task,
        s.right
    )
}

/// What is broken, for the terminal.
fn told(run: &Run) -> String {
    let mut text = String::new();
    for outcome in run.outcomes.iter().filter(|o| o.verdict == Verdict::Failed) {
        text.push_str(&format!("Failed   {}: {}\n", outcome.id, outcome.title));
        for finding in errors(outcome) {
            text.push_str(&super::evidence::finding("    ", finding, ""));
        }
    }
    text
}

/// Hands what the sandbox sees to the simulator.
fn event(seen: sandbox::watch::Observation) -> Vec<Event> {
    use sandbox::watch::{Heard, Observation};
    let ssp = |heard: Heard, refused| Event::Ssp {
        method: heard.method,
        target: heard.target,
        headers: heard.headers,
        refused,
    };
    vec![match seen {
        Observation::Dos {
            operation,
            services,
        } => {
            let services = services.iter().map(u32::to_string);
            match operation {
                "ServiceDetailsById" => return services.map(Event::DosDetails).collect(),
                _ => Event::DosSearch(services.collect()),
            }
        }
        Observation::Sds {
            asid,
            party_key,
            interaction,
        } => Event::SdsSearch {
            asid,
            party_key,
            interaction,
        },
        Observation::SspPassed(heard) => ssp(heard, None),
        Observation::SspRefused(heard, status) => ssp(heard, Some(status)),
    }]
}
