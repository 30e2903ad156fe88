//! `uec assure provider`: a simulated consumer tries a Provider and keeps the evidence.

use super::evidence::{Evidence, SHOWN, failure, print_list, serious};
use super::usage;
use crate::{Failure, Outcome, output};
use assurance::evidence::{Counts, Finding, Kind, Outcome as Ended, Verdict, cause_key};
use assurance::provider_suite::{
    self, Choice, Endpoint, Group, NotReady, PATIENCE, Progress, SetUp, Target,
};
use booking::count::counted;
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::version::StandardVersion;
use clap::Args;
use consumer::config::Tls;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

/// Longest patience that is sensible: the test bookings of a run should not lie about for a day.
const MAX_PATIENCE: u64 = 120;
/// Try a Provider as a consumer would: every published test and our own, over the wire.
#[derive(Args)]
pub struct Provider {
    /// Service root of the Provider, such as https://provider.example.nhs.uk/STU3/1/ODS [required, except with --list]
    #[arg(long, value_name = "URL", required_unless_present = "list", value_parser = Endpoint::parse)]
    pub endpoint: Option<Endpoint>,
    /// ASID to call as (Ssp-From) [required, except with --list]
    #[arg(long, value_name = "ASID", required_unless_present = "list")]
    pub from_asid: Option<Asid>,
    /// ASID of the Provider (Ssp-To) [required, except with --list]
    #[arg(long, value_name = "ASID", required_unless_present = "list")]
    pub to_asid: Option<Asid>,
    /// DoS service with at least 16 free slots from tomorrow on [required, except with --list]
    #[arg(long, value_name = "ID", required_unless_present = "list")]
    pub service: Option<ServiceId>,
    /// A DoS service that is known and has no slots
    #[arg(long, value_name = "ID")]
    pub service_empty: Option<ServiceId>,
    /// A DoS service whose schedules name no practitioner, location or organisation
    #[arg(long, value_name = "ID")]
    pub service_slots_only: Option<ServiceId>,
    /// ODS code of the organisation that the tokens name
    #[arg(long, value_name = "CODE", default_value = "FX900")]
    pub ods: OdsCode,
    /// `aud` of the tokens, where the service root in SDS is not the endpoint (behind a proxy) [default: the endpoint]
    #[arg(long, value_name = "URL", value_parser = super::filled)]
    pub audience: Option<String>,
    /// Authorities that sign the Provider's certificate, PEM
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Own certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key", requires = "tls_ca")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the own certificate, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Version of the API that the simulated consumer follows, 2.0.4 or 2.0.1-beta; the Provider has to know --from-asid
    /// as a consumer of that version
    #[arg(long, value_name = "VERSION", default_value_t = StandardVersion::Current,
        value_parser = StandardVersion::parse)]
    pub standard: StandardVersion,
    /// Parts to run: A capability, S search, B book, C read and cancel, T tokens, H headers, R races, V what --standard
    /// 2.0.1-beta lets a consumer leave out, X hostile input [default: all]
    #[arg(long, value_name = "LETTERS", value_delimiter = ',', value_parser = super::filled)]
    pub suite: Vec<String>,
    /// Run this test only; a name, or its beginning with `*`; may be given several times
    #[arg(long, value_name = "NAME", value_parser = super::filled)]
    pub test: Vec<String>,
    /// Print the tests and what they try, and run nothing
    #[arg(long)]
    pub list: bool,
    /// Seconds that one exchange may take
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs(),
        value_parser = clap::value_parser!(u64).range(1..=MAX_PATIENCE))]
    pub patience: u64,
    #[command(flatten)]
    pub evidence: Evidence,
}

impl Provider {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        let choice = self.choice()?;
        let tests = choice.tests().map_err(usage)?;
        if self.list {
            print_list(
                self.evidence.json,
                tests,
                |t| json!({"id": t.id, "title": t.title, "requirements": t.requirements}),
                |t| format!("{}: {} [{}]\n", t.id, t.title, t.requirements.join(", ")),
            );
            return Ok(());
        }
        let target = self.target()?;
        let out = self.evidence.out()?;
        let is_new = !out.exists();
        // Earlier evidence is deleted only when there will be new one.
        let folder = match self.evidence.replace {
            true => None,
            false => Some(self.evidence.folder()?),
        };
        let suite = provider_suite::ready(&target, &choice).map_err(|why| {
            if is_new {
                // A folder that was made for nothing goes again; it is removed only while it is empty.
                let _ = std::fs::remove_dir(out);
            }
            not_ready(why)
        })?;
        let mut folder = match folder {
            Some(folder) => folder,
            None => self.evidence.folder()?,
        };
        let mut screen = Screen::new(self.evidence.json);
        for note in suite.notes() {
            output::note(&format!("{note}\n"));
        }
        let mut kept = Ok(());
        let mut left = Vec::new();
        let run = suite.run(&mut |progress| {
            if let Progress::Ended { outcome, .. } = &progress
                && kept.is_ok()
            {
                kept = folder.keep(Kind::Provider, outcome);
            }
            if let Progress::Left(names) = &progress {
                left.extend_from_slice(names);
            }
            screen.show(&progress);
        });
        kept.map_err(failure)?;
        let counts = run.counts();
        self.evidence
            .finish(folder, run, ("left", json!(left)), "")?;
        verdict(&counts, &left)
    }

    fn choice(&self) -> Result<Choice, Failure> {
        let mut groups = Vec::new();
        for letter in self.suite.iter().flat_map(|part| part.trim().chars()) {
            let group = Group::of(letter).ok_or_else(|| {
                let all: Vec<String> = Group::all().map(|g| g.letter().to_string()).collect();
                usage(format!(
                    "--suite: there is no part {letter}; there are {}",
                    all.join(", ")
                ))
            })?;
            groups.push(group);
        }
        Ok(Choice {
            groups,
            tests: self.test.clone(),
            standard: self.standard,
        })
    }

    fn target(&self) -> Result<Target, Failure> {
        let identity = match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => Some((certificate.clone(), key.clone())),
            _ => None,
        };
        let tls = self.tls_ca.clone().map(|ca| Tls { ca, identity });
        Ok(Target {
            endpoint: given("--endpoint", &self.endpoint)?,
            audience: self.audience.clone(),
            from: given("--from-asid", &self.from_asid)?,
            to: given("--to-asid", &self.to_asid)?,
            organization: self.ods.clone(),
            service: given("--service", &self.service)?,
            service_empty: self.service_empty.clone(),
            service_slots_only: self.service_slots_only.clone(),
            tls,
            patience: Duration::from_secs(self.patience),
        })
    }
}

/// The value of an option that only `--list` does without.
fn given<T: Clone>(flag: &str, value: &Option<T>) -> Result<T, Failure> {
    let value = value.clone();
    value.ok_or_else(|| usage(format!("{flag} is missing")))
}

/// A set-up that is wrong is no finding about the Provider.
fn not_ready(why: NotReady) -> Failure {
    match why {
        NotReady::SetUp(SetUp {
            sentence,
            is_usage: false,
        }) => Failure::Refused(sentence),
        other => usage(other),
    }
}

/// A run in which nothing was tried proves nothing, so it is no success either.
fn verdict(counts: &Counts, left: &[String]) -> Outcome {
    if !left.is_empty() {
        let names = left.join(", ");
        return Err(Failure::Refused(format!(
            "test bookings may still be live, cancel them by hand: {names}"
        )));
    }
    match (counts.failed, counts.passed) {
        (0, 0) => Err(Failure::Refused("no test could be tried".into())),
        (0, _) => Ok(()),
        (failed, _) => Err(Failure::Refused(format!(
            "{} failed",
            counted(failed, "test", "tests")
        ))),
    }
}

/// What is seen while the tests run: on standard error, so that `--json` prints nothing but the result.
struct Screen {
    quiet: bool,
    live: bool,
    /// What was told, by cause, and for which test.
    told: HashMap<String, String>,
}

impl Screen {
    fn new(json: bool) -> Screen {
        Screen {
            quiet: json,
            live: output::notes_are_seen(),
            told: HashMap::new(),
        }
    }

    fn show(&mut self, progress: &Progress<'_>) {
        match progress {
            // A line that the verdict then overwrites: only a terminal can do that.
            Progress::Begins { number, of, id } if self.live => {
                output::steer("\r\x1b[K");
                output::note(&format!("[{number}/{of}] {id} …"));
            }
            Progress::Ended {
                number,
                of,
                outcome,
            } => {
                let shown = !self.quiet || matches!(outcome.verdict, Verdict::Failed);
                if shown {
                    let line = line(outcome, &mut self.told);
                    if self.live {
                        output::steer("\r\x1b[K");
                    }
                    output::note(&format!("[{number}/{of}] {line}"));
                }
            }
            Progress::Left(names) => {
                for name in *names {
                    output::note(&format!("Still live, cancel it by hand: {name}\n"));
                }
            }
            Progress::Begins { .. } => {}
        }
    }
}

/// One test in the terminal, with its first findings. What an earlier test met is not told again in full.
fn line(outcome: &Ended, told: &mut HashMap<String, String>) -> String {
    let mut text = format!("{:<8} {}", outcome.verdict.word(), outcome.id);
    if let Some(why) = outcome.verdict.why() {
        text.push_str(&format!(": {why}"));
    }
    text.push('\n');
    // What is the same in this test is told once, too.
    let mut all: Vec<(String, &Finding, usize)> = Vec::new();
    for finding in serious(&outcome.findings) {
        let key = cause_key(outcome, finding);
        match all.iter_mut().find(|(known, _, _)| *known == key) {
            Some((_, _, times)) => *times += 1,
            None => all.push((key, finding, 1)),
        }
    }
    for (key, finding, times) in all.iter().take(SHOWN) {
        let first = told
            .entry(key.clone())
            .or_insert_with(|| outcome.id.to_string());
        let again = match times {
            1 => String::new(),
            n => format!(" ({n} times)"),
        };
        if *first != outcome.id {
            let (word, what) = (finding.severity.word(), &finding.what);
            text.push_str(&format!("    {word}: as in {first}: {what}{again}\n"));
            continue;
        }
        text.push_str(&super::evidence::finding("    ", finding, &again));
    }
    if all.len() > SHOWN {
        text.push_str(&format!("    and {} more\n", all.len() - SHOWN));
    }
    text
}
