//! The simulated consumer: every published Provider test, and our own, over the wire only.
//!
//! The suite knows nothing of the Provider but its address, the ASIDs and the services: what else it needs it finds
//! by searching. Everything it books it cancels; what it could not cancel it tells. A server that hangs, lies about
//! lengths or answers without end ends in findings: every body, wait and list here has a bound.

mod answer;
mod ask;
mod book;
mod book_refused;
mod book_stored;
mod bookings;
mod bundle;
mod cancel;
mod capability;
mod contact;
mod expect;
mod headers;
mod hostile;
mod messages;
mod order;
mod paging;
mod preflight;
mod query;
mod races;
mod read;
mod registry;
mod request;
mod search;
mod search_refused;
mod session;
mod spelling;
mod target;
mod token;
mod tokens;
mod trial;
mod versions;
mod watch;
mod wire;

pub use preflight::SetUp;
pub use registry::{Group, Test};
pub use target::{Endpoint, PATIENCE, Target, TargetError};

use crate::evidence::{Kind, Outcome, Run, Verdict};
use booking::version::StandardVersion;
use jiff::Timestamp;
use session::Session;
use trial::Trial;

/// Which tests are run.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// The parts; all of them if none is named.
    pub groups: Vec<Group>,
    /// Names of tests, in full or by their beginning with `*` at the end; all of the parts if none is named.
    pub tests: Vec<String>,
    /// The version of the Standard that the simulated consumer follows: the Provider has to know it as one that does.
    pub standard: StandardVersion,
}

impl Choice {
    /// The chosen tests in the order they run; a name that fits none is an error.
    pub fn tests(&self) -> Result<Vec<&'static Test>, TargetError> {
        let fits = |wanted: &str, id: &str| match wanted.strip_suffix('*') {
            Some(start) => id.starts_with(start),
            None => id == wanted,
        };
        let superseded = self.standard == StandardVersion::Superseded;
        if self.groups.contains(&Group::VERSIONS) && !superseded {
            let why = "part V tries the superseded version: name it with --standard 2.0.1-beta";
            return Err(TargetError(why.to_owned()));
        }
        let groups = Group::all();
        let groups = groups.filter(|g| superseded || *g != Group::VERSIONS);
        let groups = groups.filter(|g| self.groups.is_empty() || self.groups.contains(g));
        let all: Vec<&'static Test> = groups.flat_map(Group::tests).collect();
        if let Some(unknown) = self
            .tests
            .iter()
            .find(|w| !all.iter().any(|t| fits(w, t.id)))
        {
            return Err(TargetError(format!(
                "there is no test {unknown} in the chosen parts"
            )));
        }
        let chosen = all.into_iter();
        let chosen =
            chosen.filter(|t| self.tests.is_empty() || self.tests.iter().any(|w| fits(w, t.id)));
        Ok(chosen.collect())
    }
}

/// What a run tells while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// A test begins.
    Begins {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// Its name.
        id: &'a str,
    },
    /// A test has ended, or one of the checks after the last test.
    Ended {
        /// Its number, from 1.
        number: usize,
        /// How many there are.
        of: usize,
        /// How.
        outcome: &'a Outcome,
    },
    /// These may still be booked at the Provider: cancel them by hand.
    Left(&'a [String]),
}

/// Why no test is run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// The choice of tests or the target is none.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The set-up is wrong.
    #[error(transparent)]
    SetUp(#[from] SetUp),
}

/// Tests that are ready to run: the set-up was looked at.
pub struct Suite<'t> {
    session: Session<'t>,
    tests: Vec<&'static Test>,
    standard: StandardVersion,
    started: Timestamp,
    notes: Vec<String>,
}

/// Looks at the set-up of the chosen tests. Blocks, and must not be called inside an async runtime.
pub fn ready<'t>(target: &'t Target, choice: &Choice) -> Result<Suite<'t>, NotReady> {
    let tests = choice.tests()?;
    let started = Timestamp::now();
    let mut session = Session::new(target, choice.standard)?;
    let notes = preflight::check(&mut session, &tests)?;
    Ok(Suite {
        session,
        tests,
        standard: choice.standard,
        started,
        notes,
    })
}

/// Looks at the set-up, and runs the chosen tests.
pub fn run(
    target: &Target,
    choice: &Choice,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Run, NotReady> {
    Ok(ready(target, choice)?.run(progress))
}

impl Suite<'_> {
    /// What is worth knowing about the set-up.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Runs the tests. Blocks until all have ended.
    pub fn run(self, progress: &mut dyn FnMut(Progress<'_>)) -> Run {
        run_all(self, progress)
    }
}

fn run_all(suite: Suite<'_>, progress: &mut dyn FnMut(Progress<'_>)) -> Run {
    let Suite {
        mut session,
        tests,
        standard,
        started,
        ..
    } = suite;
    let mut run = Run::started(Kind::Provider, session.target.endpoint.root());
    run.started = started;
    // After the tests come the rules for every answer, and that nothing is left behind.
    let of = tests.len() + watch::rules() + 1;
    let superseded = standard == StandardVersion::Superseded;
    for (at, test) in tests.into_iter().enumerate() {
        let number = at + 1;
        progress(Progress::Begins {
            number,
            of,
            id: test.id,
        });
        let superseded = superseded && test.current_version_only;
        let why_not = test
            .not_tried
            .or(superseded.then_some(OF_THE_CURRENT_VERSION));
        let outcome = match (why_not.or(session.over()), test.run) {
            (None, Some(run)) => Trial::of(test, run, &mut session),
            (why, _) => skipped(test, why.unwrap_or_default()),
        };
        session.test_ended();
        progress(Progress::Ended {
            number,
            of,
            outcome: &outcome,
        });
        run.outcomes.push(outcome);
    }
    let over = session.over().map(str::to_owned);
    let (tidy, left, watch) = session.left_nothing();
    let mut last = watch.outcomes();
    last.push(tidy);
    last.extend(over.map(|why| gave_up(&why)));
    let of = run.outcomes.len() + last.len();
    for (number, outcome) in (run.outcomes.len() + 1..).zip(&last) {
        progress(Progress::Ended {
            number,
            of,
            outcome,
        });
    }
    run.outcomes.extend(last);
    if !left.is_empty() {
        progress(Progress::Left(&left));
    }
    run.finished = Timestamp::now();
    run
}

/// Why some tests are not run for a consumer of the superseded version.
const OF_THE_CURRENT_VERSION: &str = "It asks for what the superseded version lets a consumer leave out; run the suite \
    once more without --standard, as a consumer of the current version.";

fn skipped(test: &'static Test, why: &str) -> Outcome {
    let tried = Outcome::tried(test.id, test.title, &test.requirements, vec![], vec![]);
    Outcome {
        verdict: Verdict::Skipped(why.to_owned()),
        ..tried
    }
}

/// A run that was cut short is not a clean one.
fn gave_up(why: &str) -> Outcome {
    use crate::evidence::Finding;
    let finding = Finding::error(&["PROV-META-01"], format!("The run was cut short: {why}"))
        .at("response")
        .right("A Provider that answers every request, in time and with a bounded body.");
    Outcome::tried(
        "RunComplete",
        "All tests could be run",
        &["PROV-META-01"],
        vec![finding],
        Vec::new(),
    )
}
