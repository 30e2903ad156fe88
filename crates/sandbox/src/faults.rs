//! Controlled faults, so that consumers can be tried against what goes wrong in life.
//!
//! A [`Rule`] says where ([`Point`]), what ([`Fault`]), for whom (service, ASID, interaction; left out: for all) and
//! how often. Rules are switched in code or over HTTP ([`control`]); without rules nothing is changed.

mod control;

pub use control::{CONTROL_PATH, MAX_CONTROL_BYTES, control, is_control};

use crate::directory::{full_urn, same_interaction};
use serde::{Deserialize, Serialize};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Most rules at once: a test run sets a handful.
pub const MAX_RULES: usize = 256;
/// Longest delay: longer than every time-out of the Standard's software, short enough not to hold a test run.
pub const MAX_DELAY_MS: u64 = 300_000;
/// Longest selector.
const MAX_SELECTOR: usize = 256;

/// Which national service shows the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// Directory of Services.
    Dos,
    /// Spine Directory Service.
    Sds,
    /// Spine Secure Proxy.
    Ssp,
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(
    tag = "kind",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum Fault {
    /// Any point: everything is right, but late. SSP: the Provider has the request at once, its answer comes late,
    /// or is a 504 when the delay is longer than the proxy waits.
    Slow {
        /// Delay.
        milliseconds: u64,
    },
    /// SSP: the Provider cannot be reached (502). DoS: the connection is cut.
    Offline,
    /// SSP: the Provider does the work, its answer is dropped.
    LostAnswer {
        /// The connection is cut instead of a 504.
        #[serde(default)]
        cut: bool,
    },
    /// SSP, DoS: an answer that is no FHIR, no SOAP.
    Malformed,
    /// SSP, DoS: this HTTP status instead of an answer.
    Status {
        /// 400 to 599.
        status: u16,
    },
    /// DoS: a SOAP fault (NAT-DOS-10).
    SoapFault {
        /// Number, such as 103.
        code: u16,
        /// Text; left out: the usual one of the code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// DoS: the service without booking endpoint.
    NoEndpoint,
    /// DoS: the service with two booking endpoints.
    TwoEndpoints,
    /// SDS: the connection is cut.
    Unreachable,
    /// SDS: the search finds nothing.
    NoObject,
    /// SDS: the search finds one entry too many.
    TwoObjects,
    /// SDS: the system has GP Connect interactions beside those of CareConnect.
    GpConnectToo,
}

impl Fault {
    /// Where the fault can be shown.
    pub fn suits(&self, point: Point) -> bool {
        match self {
            Fault::Slow { .. } => true,
            Fault::Offline | Fault::Malformed | Fault::Status { .. } => point != Point::Sds,
            Fault::LostAnswer { .. } => point == Point::Ssp,
            Fault::SoapFault { .. } | Fault::NoEndpoint | Fault::TwoEndpoints => {
                point == Point::Dos
            }
            Fault::Unreachable | Fault::NoObject | Fault::TwoObjects | Fault::GpConnectToo => {
                point == Point::Sds
            }
        }
    }

    /// The delay of a [`Fault::Slow`].
    pub fn delay(&self) -> Option<Duration> {
        match self {
            Fault::Slow { milliseconds } => Some(Duration::from_millis(*milliseconds)),
            _ => None,
        }
    }
}

/// One fault with its selectors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Rule {
    /// Where.
    pub at: Point,
    /// What.
    #[serde(flatten)]
    pub fault: Fault,
    /// Only for this DoS service id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only for this ASID: SSP: of the receiver or the sender; SDS: that is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asid: Option<String>,
    /// Only for this interaction (URN, or short: `create:appointment`), DoS: operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interaction: Option<String>,
    /// How often; left out: until it is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

impl Rule {
    /// A fault for everybody, until taken away.
    pub fn new(at: Point, fault: Fault) -> Rule {
        Rule {
            at,
            fault,
            service: None,
            asid: None,
            interaction: None,
            count: None,
        }
    }

    /// The same rule for one service.
    #[must_use]
    pub fn service(mut self, id: impl Into<String>) -> Rule {
        self.service = Some(id.into());
        self
    }

    /// The same rule for one ASID.
    #[must_use]
    pub fn asid(mut self, asid: impl Into<String>) -> Rule {
        self.asid = Some(asid.into());
        self
    }

    /// The same rule for one interaction or operation.
    #[must_use]
    pub fn interaction(mut self, interaction: impl Into<String>) -> Rule {
        self.interaction = Some(interaction.into());
        self
    }

    /// The same rule, so many times only.
    #[must_use]
    pub fn times(mut self, count: u32) -> Rule {
        self.count = Some(count);
        self
    }

    /// Says what is wrong with the rule and what would be right.
    pub fn check(&self) -> Result<(), String> {
        if !self.fault.suits(self.at) {
            return Err("this kind of fault does not exist at this point".to_owned());
        }
        match &self.fault {
            Fault::Slow { milliseconds } if *milliseconds > MAX_DELAY_MS => {
                return Err(format!("milliseconds: at most {MAX_DELAY_MS}"));
            }
            Fault::Status { status } if !(400..=599).contains(status) => {
                return Err("status: 400 to 599".to_owned());
            }
            Fault::SoapFault {
                text: Some(text), ..
            } if text.len() > MAX_SELECTOR => {
                return Err(format!("text: at most {MAX_SELECTOR} bytes"));
            }
            _ => {}
        }
        if self.count == Some(0) {
            return Err("count: at least 1, or left out".to_owned());
        }
        for selector in [&self.service, &self.asid, &self.interaction]
            .into_iter()
            .flatten()
        {
            if selector.is_empty() || selector.len() > MAX_SELECTOR {
                return Err(format!(
                    "service, asid and interaction have 1 to {MAX_SELECTOR} bytes, or are left out"
                ));
            }
        }
        Ok(())
    }

    fn matches(&self, point: Point, key: &Key<'_>) -> bool {
        let service = self.service.as_deref();
        let interaction = self.interaction.as_deref();
        self.at == point
            && service.is_none_or(|wanted| key.service == Some(wanted))
            && self
                .asid
                .as_deref()
                .is_none_or(|wanted| key.asid == Some(wanted) || key.other_asid == Some(wanted))
            && interaction.is_none_or(|wanted| {
                key.interaction.is_some_and(|given| {
                    given.eq_ignore_ascii_case(wanted)
                        || same_interaction(&full_urn(wanted), &full_urn(given))
                })
            })
    }
}

/// What a request is about; a rule matches when each of its selectors is found here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Key<'a> {
    /// DoS service id.
    pub service: Option<&'a str>,
    /// ASID asked for, or of the receiver.
    pub asid: Option<&'a str>,
    /// ASID of the sender.
    pub other_asid: Option<&'a str>,
    /// Interaction, or SOAP operation.
    pub interaction: Option<&'a str>,
}

/// A rule that is switched on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Active {
    /// Number, for taking it away.
    pub id: u64,
    /// How often it was shown.
    pub taken: u64,
    /// The rule; its `count` is what remains.
    #[serde(flatten)]
    pub rule: Rule,
}

/// The faults switched on; shared by the services.
#[derive(Debug, Default)]
pub struct Faults {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Active>,
    last: u64,
}

impl Faults {
    /// The first matching fault, and one less of it. A rule whose count is used up is gone.
    pub fn take(&self, point: Point, key: &Key<'_>) -> Option<Fault> {
        self.take_if(point, key, |_| true)
    }

    /// As [`Faults::take`], of the faults that `wanted` accepts: a service that shows faults in several places
    /// takes each where it belongs.
    pub fn take_if(
        &self,
        point: Point,
        key: &Key<'_>,
        wanted: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        let mut state = self.lock();
        let at = state
            .rules
            .iter()
            .position(|a| a.rule.matches(point, key) && wanted(&a.rule.fault))?;
        let active = &mut state.rules[at];
        active.taken = active.taken.saturating_add(1);
        let fault = active.rule.fault.clone();
        if let Some(left) = &mut active.rule.count {
            *left = left.saturating_sub(1);
            if *left == 0 {
                state.rules.remove(at);
            }
        }
        Some(fault)
    }

    /// Switches a fault on; answers its number.
    pub fn add(&self, rule: Rule) -> Result<u64, String> {
        rule.check()?;
        let mut state = self.lock();
        if state.rules.len() >= MAX_RULES {
            return Err(format!("at most {MAX_RULES} faults at once"));
        }
        Ok(state.push(rule))
    }

    /// Puts these faults in place of all others; nothing is changed when one of them is wrong.
    pub fn replace(&self, rules: Vec<Rule>) -> Result<(), String> {
        if rules.len() > MAX_RULES {
            return Err(format!("at most {MAX_RULES} faults at once"));
        }
        for (at, rule) in rules.iter().enumerate() {
            rule.check().map_err(|e| format!("faults[{at}]: {e}"))?;
        }
        let mut state = self.lock();
        state.rules.clear();
        for rule in rules {
            state.push(rule);
        }
        Ok(())
    }

    /// Takes one away; false when there is none of this number.
    pub fn remove(&self, id: u64) -> bool {
        let mut state = self.lock();
        let before = state.rules.len();
        state.rules.retain(|a| a.id != id);
        state.rules.len() != before
    }

    /// Takes all away.
    pub fn clear(&self) {
        self.lock().rules.clear();
    }

    /// What is switched on.
    pub fn active(&self) -> Vec<Active> {
        self.lock().rules.clone()
    }

    // A panic while the lock was held leaves whole rules behind: the state stays usable.
    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, rule: Rule) -> u64 {
        self.last += 1;
        self.rules.push(Active {
            id: self.last,
            taken: 0,
            rule,
        });
        self.last
    }
}
