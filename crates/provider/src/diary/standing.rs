//! How a consumer and a service stand to each other: who is on trial, and how much a consumer may use.
//!
//! A provider, service or consumer marked `test` is on trial. Services on trial are for consumers on trial, and these see
//! nothing else unless they are declared `live_too`: so a deployment is tried where the real ones run, and no patient is
//! booked into a trial by mistake.

use super::catalogue::{Catalogue, Consumer, Service};
use crate::http::limits::Allowance;
use crate::store::Shown;
use booking::ids::{Asid, OdsCode, ServiceId};
use booking::rules::release::{ConsumerFacts, Withheld};

impl Catalogue {
    /// True when a service is on trial, or the whole provider is.
    pub fn is_test_service(&self, id: &ServiceId) -> bool {
        self.trial && (self.provider.test || self.service(id).is_some_and(|s| s.test))
    }

    /// True when a consumer is on trial here.
    pub fn is_test_consumer(&self, asid: &Asid, ods: &OdsCode) -> bool {
        self.trial && self.of(asid, ods).any(|c| c.test)
    }

    /// `Ok` when a consumer is shown what a service has.
    pub fn shows(&self, service: &ServiceId, who: &ConsumerFacts) -> Result<(), Withheld> {
        if !self.trial {
            return Ok(());
        }
        self.shows_kind(self.is_test_service(service), who)
    }

    /// The same for any service that is on trial, or is not.
    fn shows_kind(&self, is_test_service: bool, who: &ConsumerFacts) -> Result<(), Withheld> {
        let of_test = |c: &&Consumer| c.test;
        let mut marks = self.of(&who.asid, &who.ods).filter(of_test).peekable();
        let is_test = marks.peek().is_some();
        match is_test_service {
            true if is_test => Ok(()),
            true => Err(Withheld::ForTestSystems),
            // Each mark takes away, so each must give back.
            false if marks.all(|c| c.live_too) => Ok(()),
            false => Err(Withheld::TestSystem),
        }
    }

    /// What a consumer is shown of the appointments; `None`: all of them.
    pub fn shown_to(&self, who: &ConsumerFacts) -> Option<Shown> {
        if !self.trial {
            return None;
        }
        let is_shown = |s: &Service| self.shows(&s.id, who).is_ok();
        // What is not declared any more was not on trial, unless the provider is.
        let others = self.shows_kind(self.provider.test, who).is_ok();
        let exceptions = self.services.iter().filter(|s| is_shown(s) != others);
        Some(Shown {
            asid: who.asid.clone(),
            services: exceptions.map(|s| s.id.clone()).collect(),
            are_shown: !others,
        })
    }

    /// True when this provider may hide some of its services from somebody.
    pub fn has_trial(&self) -> bool {
        self.trial
    }

    /// What a consumer may use, and whether its very system is declared. A declaration of the system comes before one
    /// of the organisation, and both before the server's own limits.
    pub fn allowance(&self, asid: &Asid, ods: &OdsCode, default: Allowance) -> (Allowance, bool) {
        let declared = |c: &Consumer| c.asid.as_ref() == Some(asid);
        let known = self.consumers.iter().any(declared);
        if !self.limited {
            return (default, known);
        }
        let mut with_limits = self.of(asid, ods).filter(|c| c.has_limits());
        let allowance = with_limits.next().map_or(default, |c| {
            default.overridden(c.per_second, c.burst, c.under_way)
        });
        (allowance, known)
    }

    /// Declarations of a system, then those of its organisation that name no system.
    fn of<'c>(&'c self, asid: &'c Asid, ods: &'c OdsCode) -> impl Iterator<Item = &'c Consumer> {
        let of_system = move |c: &&Consumer| c.asid.as_ref() == Some(asid);
        let of_organisation = move |c: &&Consumer| c.asid.is_none() && c.ods == *ods;
        let consumers = self.consumers.iter();
        consumers
            .clone()
            .filter(of_system)
            .chain(consumers.filter(of_organisation))
    }
}
