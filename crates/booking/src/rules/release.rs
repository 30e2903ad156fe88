//! The Provider's release rules: who may book which slot, and when (PROV-SLOT-21, ERR-07).

use crate::ids::{Asid, OdsCode};
use jiff::{SignedDuration, Timestamp};

/// Which names in a request are authenticated. Others are claims, which may take rights away but never give any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Believed {
    /// The system: the Spine Secure Proxy checked its certificate, or no authentication is configured.
    pub system: bool,
    /// The organisation: a registered key signed it, or no authentication is configured.
    pub organization: bool,
}

/// What the Provider knows of a consumer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerFacts {
    /// Its ASID, if believed.
    pub asid: Option<Asid>,
    /// The organisation that it claims.
    pub ods: OdsCode,
    /// Whether the organisation is believed.
    pub ods_believed: bool,
    /// Type of organisation as the Provider declared it (`111`, `cas`, …).
    pub kind: Option<String>,
    /// May search slots.
    pub may_search: bool,
    /// May book.
    pub may_book: bool,
    /// May cancel.
    pub may_cancel: bool,
    /// May read appointments.
    pub may_read: bool,
}

/// Releases slots to an audience, under conditions. If several rules apply to a slot, one that admits the consumer is
/// enough. Without any rule a slot is for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseRule {
    /// Who may book.
    pub audience: Audience,
    /// How many may be booked.
    pub cap: Option<Cap>,
    /// Bookable from so many minutes before the start.
    pub embargo_minutes: Option<u32>,
    /// Bookable until so many minutes before the start.
    pub cutoff_minutes: Option<u32>,
}

/// The consumers that a rule admits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Every consumer.
    Any,
    /// Consumers of any of these types, organisations or systems.
    Only {
        /// Types of organisation, in any case.
        kinds: Vec<String>,
        /// Organisations.
        ods: Vec<OdsCode>,
        /// Systems.
        asids: Vec<Asid>,
    },
}

impl Audience {
    /// Whether a consumer belongs to the audience.
    pub fn includes(&self, who: &ConsumerFacts) -> bool {
        match self {
            Audience::Any => true,
            Audience::Only { kinds, ods, asids } => {
                let kind = who.kind.as_deref();
                who.asid.as_ref().is_some_and(|asid| asids.contains(asid))
                    || (who.ods_believed && ods.contains(&who.ods))
                    || kinds
                        .iter()
                        .any(|k| kind.is_some_and(|kind| kind.eq_ignore_ascii_case(k)))
            }
        }
    }
}

/// Which bookings a cap counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CapPer {
    /// Each consumer organisation separately.
    Consumer,
    /// All consumers of the same type together.
    Kind,
}

/// The most live bookings of slots on one London day.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cap {
    /// Which bookings count together.
    pub per: CapPer,
    /// Most bookings.
    pub limit: u32,
}

/// Why a consumer may not book a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Withheld {
    /// The consumer may not book here at all.
    ConsumerMayNotBook,
    /// The slot is for other consumers.
    NotInAudience,
    /// The day's cap is reached.
    CapReached {
        /// Most bookings.
        limit: u32,
    },
    /// The slot is released later.
    Embargoed {
        /// Start of the release.
        until: Timestamp,
    },
    /// It is too close to the start, or after it.
    TooLate,
    /// Staff hold the slot back.
    HeldBack,
    /// The service is closed on that day.
    Closed,
    /// The service is on trial, and the consumer is not.
    ForTestSystems,
    /// The consumer is on trial, and the service is not.
    TestSystem,
}

impl Withheld {
    /// The reason in plain words, for the consumer's user and the log.
    pub fn sentence(&self) -> String {
        match self {
            Withheld::ConsumerMayNotBook => {
                "Your organisation may search but not book at this provider.".to_owned()
            }
            Withheld::NotInAudience => {
                "These slots are released to other organisations.".to_owned()
            }
            Withheld::CapReached { limit } => {
                format!("Your organisation's share of this day ({limit}) is booked.")
            }
            Withheld::Embargoed { until } => {
                let seconds = Timestamp::from_second(until.as_second()).unwrap_or(*until);
                format!("These slots are released later, from {seconds} on.")
            }
            Withheld::TooLate => "It is too late to book these slots.".to_owned(),
            Withheld::HeldBack => "These slots are held back by the provider's staff.".to_owned(),
            Withheld::Closed => "The service is closed on that day.".to_owned(),
            Withheld::ForTestSystems => {
                "This service is on trial: its slots are for test systems only.".to_owned()
            }
            Withheld::TestSystem => {
                "Your system is a test system here: it is shown services on trial only.".to_owned()
            }
        }
    }
}

/// Whether a consumer may book a slot now. `rules` are those that apply to the slot. `booked` counts the live bookings
/// under a cap on the slot's London day; it is called only if a cap decides.
///
/// Of several reasons, the first rule for this consumer gives the reason: time or a cancellation may lift it.
pub fn may_book(
    rules: &[&ReleaseRule],
    who: &ConsumerFacts,
    slot_start: Timestamp,
    now: Timestamp,
    held: bool,
    mut booked: impl FnMut(&Cap) -> u32,
) -> Result<(), Withheld> {
    if !who.may_book {
        return Err(Withheld::ConsumerMayNotBook);
    }
    if held {
        return Err(Withheld::HeldBack);
    }
    if slot_start <= now {
        return Err(Withheld::TooLate);
    }
    let mut reason = None;
    for rule in rules.iter().filter(|rule| rule.audience.includes(who)) {
        match admits(rule, slot_start, now, &mut booked) {
            Ok(()) => return Ok(()),
            Err(withheld) => {
                reason.get_or_insert(withheld);
            }
        }
    }
    match reason {
        Some(withheld) => Err(withheld),
        None if rules.is_empty() => Ok(()),
        None => Err(Withheld::NotInAudience),
    }
}

fn admits(
    rule: &ReleaseRule,
    slot_start: Timestamp,
    now: Timestamp,
    booked: &mut impl FnMut(&Cap) -> u32,
) -> Result<(), Withheld> {
    if let Some(minutes) = rule.embargo_minutes {
        let until = before(slot_start, minutes);
        if now < until {
            return Err(Withheld::Embargoed { until });
        }
    }
    if rule
        .cutoff_minutes
        .is_some_and(|minutes| now > before(slot_start, minutes))
    {
        return Err(Withheld::TooLate);
    }
    match &rule.cap {
        Some(cap) if booked(cap) >= cap.limit => Err(Withheld::CapReached { limit: cap.limit }),
        _ => Ok(()),
    }
}

fn before(at: Timestamp, minutes: u32) -> Timestamp {
    at.checked_sub(SignedDuration::from_mins(i64::from(minutes)))
        .unwrap_or(Timestamp::MIN)
}
