//! One Provider under mixed load: what most scenarios break while clients use it, and how all of them end.

use super::{BACK_WITHIN, CLIENTS, End, Figure, blocking, figure, stage};
use crate::Setting;
use crate::load::{Load, Shared};
use crate::provider::{Launch, Provider};
use crate::random::Random;
use crate::stage::Stage;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A stage, a Provider on it, and clients that use it.
pub(super) struct UnderLoad {
    pub(super) stage: Stage,
    pub(super) random: Random,
    pub(super) provider: Provider,
    pub(super) load: Load,
}

/// What becomes of the Provider before the proof.
pub(super) enum Ending {
    /// The proof asks the one that runs.
    Runs,
    /// It is asked to end, and must; the proof asks one that is started afresh.
    Stopped,
    /// It is killed; the proof asks one that is started afresh.
    Killed,
}

impl UnderLoad {
    /// The diary for mixed load, a Provider as it is usually started, and clients.
    pub(super) async fn start(setting: &Setting, name: &str) -> Result<UnderLoad, String> {
        let stage = stage(setting, name).await?;
        let launch = stage.launch("provider")?;
        UnderLoad::launch(stage, &launch)
    }

    /// A Provider that is started in its own way, and clients.
    pub(super) fn launch(stage: Stage, launch: &Launch) -> Result<UnderLoad, String> {
        let provider = launch.start()?;
        let shared = stage.shared(&[provider.address()]);
        Ok(UnderLoad::of(stage, provider, &shared))
    }

    /// Clients that share this, of a Provider that was started.
    pub(super) fn of(stage: Stage, provider: Provider, shared: &Shared) -> UnderLoad {
        let mut random = stage.random.clone();
        let load = Load::start(shared, CLIENTS, &mut random);
        UnderLoad {
            stage,
            random,
            provider,
            load,
        }
    }

    /// Waits for some random time of so many milliseconds.
    pub(super) async fn pause(&mut self, from: usize, to: usize) {
        tokio::time::sleep(self.random.between(from, to)).await;
    }

    /// The clients must have something booked again; `when` tells after or beside what.
    pub(super) async fn must_book(&self, when: &str) {
        self.must_book_within(BACK_WITHIN, when).await;
    }

    /// The same in a time of its own.
    pub(super) async fn must_book_within(&self, within: Duration, when: &str) {
        if !self.load.goes_on(within).await {
            let what = format!("nothing was booked for {within:?} {when}");
            self.stage.ledger.wrong(&what);
        }
    }

    /// Readiness must say no, with this in its reasons: false when it does not.
    pub(super) fn unready(&self, reason: &str) -> bool {
        blocking(|| self.provider.unready(reason, BACK_WITHIN))
    }

    /// The Provider must still run: when it has ended by itself that is a fault of its own, and it is started again.
    pub(super) fn must_run(&mut self, although: &str) -> Result<(), String> {
        if self.provider.has_ended() {
            let what = format!("the Provider ended because {although}");
            self.stage.ledger.wrong(&what);
            blocking(|| self.provider.restart())?;
        }
        Ok(())
    }

    /// Lets every client finish what it is at, and proves. What was booked and cancelled comes behind the other figures.
    pub(super) async fn prove(
        mut self,
        ending: Ending,
        mut figures: Vec<Figure>,
    ) -> Result<End, String> {
        let counts = self.load.stop().await?;
        let verdict = match ending {
            Ending::Runs => {
                let verdict = self.stage.prove_with(&self.provider).await?;
                blocking(|| self.provider.stop());
                verdict
            }
            Ending::Stopped => {
                if !blocking(|| self.provider.stop()) {
                    self.stage.ledger.wrong("the server did not end by itself");
                }
                self.stage.prove().await?
            }
            Ending::Killed => {
                blocking(|| self.provider.kill());
                self.stage.prove().await?
            }
        };
        figures.push(figure("booked", counts.booked.load(Ordering::Relaxed)));
        let cancelled = counts.cancelled.load(Ordering::Relaxed);
        figures.push(figure("cancelled", cancelled));
        Ok(End::Proved(verdict, figures))
    }
}
