//! Decides which services a consumer sees while some are on trial, and which limits the consumer has.
//!
//! A provider, service or consumer marked `test` is on trial. Only consumers on trial see services on trial, and they see
//! no others unless declared `live_too`. So a deployment can be tried beside the real services, and no patient is booked
//! into a trial by mistake.

use super::allowance::Allowance;
use super::catalogue::{Catalogue, Consumer, Service};
use crate::store::Shown;
use booking::ids::{Asid, ServiceId};
use booking::rules::release::{ConsumerFacts, Withheld};

impl Catalogue {
    /// True when a service or its whole provider is on trial.
    pub fn is_test_service(&self, id: &ServiceId) -> bool {
        self.trial && (self.declared.provider.test || self.service(id).is_some_and(|s| s.test))
    }

    /// True when a consumer is on trial here.
    pub fn is_test_consumer(&self, who: &ConsumerFacts) -> bool {
        self.trial && self.of(who).any(|c| c.test)
    }

    /// `Ok` when a consumer may see a service.
    pub fn shows(&self, service: &ServiceId, who: &ConsumerFacts) -> Result<(), Withheld> {
        if !self.trial {
            return Ok(());
        }
        self.shows_kind(self.is_test_service(service), who)
    }

    /// Like [`Catalogue::shows`], for a service by its kind alone.
    fn shows_kind(&self, is_test_service: bool, who: &ConsumerFacts) -> Result<(), Withheld> {
        let of_test = |c: &&Consumer| c.test;
        // The mark of a claimed organisation counts as well: it can only take away.
        let mut marks = self.named(who).filter(of_test);
        match is_test_service {
            true if self.of(who).any(|c| c.test) => Ok(()),
            true => Err(Withheld::ForTestSystems),
            // Each mark takes away, so every one has to be `live_too`.
            false if marks.all(|c| c.live_too) => Ok(()),
            false => Err(Withheld::TestSystem),
        }
    }

    /// The appointments that a consumer sees beside those booked by its own system. `None`: all.
    pub fn shown_to(&self, who: &ConsumerFacts, own: &Asid) -> Option<Shown> {
        if !self.trial {
            return None;
        }
        let is_shown = |s: &Service| self.shows(&s.id, who).is_ok();
        // An undeclared service counts as not on trial, unless the provider is.
        let others = self.shows_kind(self.declared.provider.test, who).is_ok();
        let exceptions = self
            .declared
            .services
            .iter()
            .filter(|s| is_shown(s) != others);
        Some(Shown {
            asid: own.clone(),
            services: exceptions.map(|s| s.id.clone()).collect(),
            are_shown: !others,
        })
    }

    /// True when this provider may hide services from some consumers.
    pub fn has_trial(&self) -> bool {
        self.trial
    }

    /// The limits of a consumer, and whether its system is declared. A declaration of the system takes precedence over one
    /// of the organisation, and both over the server's limits.
    pub fn allowance(&self, who: &ConsumerFacts, default: Allowance) -> (Allowance, bool) {
        let declared = |c: &Consumer| c.asid.is_some() && c.asid == who.asid;
        let known = self.declared.consumers.iter().any(declared);
        if !self.limited {
            return (default, known);
        }
        let mut with_limits = self.named(who).filter(|c| c.has_limits());
        let allowance = with_limits.next().map_or(default, |c| {
            let own = default.overridden(c.per_second, c.burst, c.under_way);
            match is_believed(who, c) {
                true => own,
                false => stricter(own, default),
            }
        });
        (allowance, known)
    }

    /// The consumer's declarations, of its organisation only if that is believed.
    fn of<'c>(&'c self, who: &'c ConsumerFacts) -> impl Iterator<Item = &'c Consumer> {
        self.named(who).filter(|c| is_believed(who, c))
    }

    /// Declarations of a system, then those of its organisation that name no system.
    fn named<'c>(&'c self, who: &'c ConsumerFacts) -> impl Iterator<Item = &'c Consumer> {
        let of_system = move |c: &&Consumer| c.asid.is_some() && c.asid == who.asid;
        let of_organisation = move |c: &&Consumer| c.asid.is_none() && c.ods == who.ods;
        let consumers = self.declared.consumers.iter();
        consumers
            .clone()
            .filter(of_system)
            .chain(consumers.filter(of_organisation))
    }
}

fn is_believed(who: &ConsumerFacts, declared: &Consumer) -> bool {
    declared.asid.is_some() || who.ods_believed
}

/// The lower of each limit; zero means none.
fn stricter(a: Allowance, b: Allowance) -> Allowance {
    let lower = |a: u32, b: u32| match (a, b) {
        (0, one) | (one, 0) => one,
        (a, b) => a.min(b),
    };
    Allowance {
        per_second: lower(a.per_second, b.per_second),
        burst: lower(a.burst, b.burst),
        under_way: lower(a.under_way, b.under_way),
    }
}
