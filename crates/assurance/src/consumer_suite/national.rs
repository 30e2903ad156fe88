//! What was seen at the national services in front: directory, SDS and SSP (C1..C17, C21).

use crate::evidence::{Body, Exchange, Finding, Headers};
use booking::wire::headers::Headers as _;
use fhir::article::with_article;
use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use super::asked::{Asked, Wanted, Way};
use super::judge;
use super::ledger::Notes;
use super::rules::Rule;
use super::scenario::{Play, Scenario, StopAt, scenario, scenarios};
use super::state::{Shown, State, clipped};

/// The second ASID of the scenario of several.
pub const SECOND_ASID: &str = "918999009144";
/// Most requests that the SSP has passed on and that are still awaited here.
const MAX_PASSES: usize = 1000;
/// Most ASIDs and party keys remembered.
const MAX_NAMES: usize = 1000;
/// Most findings about scenarios that a consumer should have turned back from.
const MAX_TRESPASSES: usize = 100;

/// Something that one of the national services saw.
#[derive(Clone, Debug)]
pub enum Event {
    /// A case search of the directory, and the services that it answered with.
    DosSearch(Vec<String>),
    /// The directory was asked for the details of a service.
    DosDetails(String),
    /// A search of SDS.
    SdsSearch {
        /// `uniqueIdentifier` of the filter.
        asid: Option<String>,
        /// `nhsMHSPartyKey` of the filter.
        party_key: Option<String>,
        /// `nhsMhsSvcIA` of the filter.
        interaction: Option<String>,
    },
    /// The SSP passes a request on, told before it leaves; or it refused it.
    Ssp {
        /// Method.
        method: String,
        /// Request target as received, prefix and all.
        target: String,
        /// Headers.
        headers: Headers,
        /// The status of a refusal.
        refused: Option<u16>,
    },
}

/// A request that the SSP passed on.
#[derive(Debug, PartialEq, Eq)]
struct Pass {
    method: String,
    path: String,
    query: String,
    trace: Vec<u8>,
    request: Vec<u8>,
}

impl Pass {
    fn of(asked: &Asked) -> Option<Pass> {
        let first = |name: &str| {
            asked
                .values(name)
                .first()
                .map(|v| v.to_vec())
                .unwrap_or_default()
        };
        Some(Pass {
            method: asked.method.clone(),
            path: asked.path.clone()?,
            query: asked.query.clone(),
            trace: first("ssp-traceid"),
            request: first("x-request-id"),
        })
    }
}

/// What was seen.
#[derive(Debug)]
pub(super) struct National {
    pub there: bool,
    listed: HashSet<String>,
    systems: HashSet<String>,
    endpoints: Vec<(String, Option<String>)>,
    passes: VecDeque<Pass>,
    /// Scenarios that the consumer should have turned back from, what it did, and where that is kept.
    pub trespasses: Vec<(&'static str, Finding, Option<usize>)>,
}

impl National {
    pub fn new(there: bool) -> National {
        National {
            there,
            listed: HashSet::new(),
            systems: HashSet::new(),
            endpoints: Vec::new(),
            passes: VecDeque::new(),
            trespasses: Vec::new(),
        }
    }

    /// True if the SSP has passed this request on; it is taken off the list.
    pub fn passed(&mut self, asked: &Asked) -> bool {
        let Some(wanted) = Pass::of(asked) else {
            return false;
        };
        match self.passes.iter().position(|p| *p == wanted) {
            Some(at) => self.passes.remove(at).is_some(),
            None => false,
        }
    }
}

impl State {
    /// Takes note of what a national service saw. What is shown of it, if anything.
    pub(super) fn saw(&mut self, event: Event) -> Option<Shown> {
        self.national.there = true;
        match event {
            Event::DosSearch(services) => {
                let known = services.into_iter().filter(|s| scenario(s).is_some());
                self.national.listed.extend(known);
                None
            }
            Event::DosDetails(service) => {
                let found = scenario(&service)?;
                self.tally(found).chosen += 1;
                self.national.listed.insert(found.id.to_owned());
                Some(shown("DoS details", Some(found)))
            }
            Event::SdsSearch {
                asid,
                party_key,
                interaction,
            } => self.saw_sds(asid, party_key, interaction),
            Event::Ssp {
                method,
                target,
                headers,
                refused,
            } => {
                let asked = self.at_ssp(method, target, &headers);
                self.trespass_by_asid(&asked);
                if let Some(status) = refused {
                    return Some(self.refused_by_ssp(&asked, headers, status));
                }
                if let Some(pass) = Pass::of(&asked) {
                    if self.national.passes.len() >= MAX_PASSES {
                        self.national.passes.pop_front();
                    }
                    self.national.passes.push_back(pass);
                }
                None
            }
        }
    }

    fn saw_sds(
        &mut self,
        asid: Option<String>,
        party_key: Option<String>,
        interaction: Option<String>,
    ) -> Option<Shown> {
        let by_asid = |a: &str| {
            scenarios()
                .iter()
                .find(|s| s.asid == Some(a) || (a == SECOND_ASID && s.asid == Some("918999009044")))
        };
        let by_key = |key: &str| {
            scenarios()
                .iter()
                .find(|s| s.asid.is_some_and(|a| key.ends_with(seven(a))))
        };
        if let Some(asid) = asid {
            let found = by_asid(&asid);
            if self.national.systems.len() < MAX_NAMES {
                self.national.systems.insert(asid.clone());
            }
            if let Some(s) = found {
                self.tally(s).system_asked += 1;
                if s.play == Play::Stop(StopAt::Directory) {
                    self.trespass(
                        s,
                        format!("SDS was asked for the ASID {}", clipped(&asid)),
                        None,
                    );
                }
            }
            return Some(shown("SDS system", found));
        }
        let key = party_key?;
        let found = by_key(&key);
        if let Some(s) = found {
            self.tally(s).endpoint_asked += 1;
        }
        if self.national.endpoints.len() < MAX_NAMES {
            self.national.endpoints.push((key, interaction));
        }
        Some(shown("SDS endpoint", found))
    }

    /// A consumer goes on where it should have turned back.
    pub(super) fn trespass(
        &mut self,
        scenario: &'static Scenario,
        what: String,
        place: Option<usize>,
    ) {
        self.tally(scenario).trespasses += 1;
        let finding = Finding::error(&scenario.requirements, what)
            .at("request")
            .right(scenario.right);
        if self.national.trespasses.len() < MAX_TRESPASSES
            && !self
                .national
                .trespasses
                .iter()
                .any(|(_, f, _)| *f == finding)
        {
            self.national.trespasses.push((scenario.id, finding, place));
        }
    }

    /// A request at the SSP that is for a system whose scenario ends before.
    fn trespass_by_asid(&mut self, asked: &Asked) {
        let to = asked.header("ssp-to").unwrap_or_default();
        let named = |s: &&Scenario| {
            s.asid == Some(to) || asked.query.contains(s.id) || asked.target.contains(s.id)
        };
        let stops = |s: &&Scenario| matches!(s.play, Play::Stop(_));
        let second = |s: &&Scenario| to == SECOND_ASID && s.asid == Some("918999009044");
        let found = scenarios()
            .iter()
            .filter(stops)
            .find(|s| named(s) || second(s));
        if let Some(scenario) = found {
            let what = format!(
                "The SSP was sent {} request although booking is not possible at this service",
                with_article(&clipped(&asked.method))
            );
            self.trespass(scenario, what, None);
        }
    }

    fn at_ssp(&self, method: String, target: String, headers: &Headers) -> Asked {
        let (_, path, query) = self.root.split(&target);
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            if let (Ok(name), Ok(value)) = (
                HeaderName::from_bytes(name.as_bytes()),
                HeaderValue::from_bytes(value.as_bytes()),
            ) {
                map.append(name, value);
            }
        }
        Asked {
            at: Timestamp::now(),
            began: Instant::now(),
            method,
            target,
            way: Way::Proxied,
            path,
            query,
            headers: map,
            body: bytes::Bytes::new(),
        }
    }

    /// A request that the SSP refused is judged like any other, but for its body.
    fn refused_by_ssp(&mut self, asked: &Asked, headers: Headers, status: u16) -> Shown {
        let wanted = asked.wanted();
        let mut notes = Notes::default();
        judge::head::judge(self, asked, &wanted, &mut notes);
        let mut found = None;
        if let Some(interaction) = wanted.interaction() {
            judge::token::judge(self, asked, interaction, &mut notes);
            if wanted == Wanted::SearchSlots {
                found = judge::query::judge(asked, &mut notes);
            }
        }
        judge::head::receiver(self, asked, found, &mut notes);
        let url = format!("[SSP]{}", asked.target);
        let exchange = Exchange {
            purpose: "refused by the SSP".to_owned(),
            status: Some(status),
            at: asked.at,
            ..Exchange::sent(&asked.method, &url, headers, Body::default())
        };
        Shown {
            operation: "SSP refused",
            ..self.keep(exchange, wanted.word(), found, &notes)
        }
    }

    /// Judges how a consumer came to a slot search: directory, SDS, endpoint.
    pub(super) fn discovered(
        &mut self,
        asked: &Asked,
        scenario: Option<&'static Scenario>,
        notes: &mut Notes,
    ) {
        let (true, Some(s)) = (self.national.there, scenario) else {
            return;
        };
        if let Play::Stop(_) = s.play {
            self.trespass(
                s,
                "Its slots were searched although booking is not possible at this service"
                    .to_owned(),
                None,
            );
            return;
        }
        let asid = self.asid_of(s).to_owned();
        let listed = self.national.listed.contains(s.id);
        let right = asked.header("ssp-to") == Some(asid.as_str());
        let what = match listed {
            true => format!("Ssp-To is not {asid}, the ASID of the service's booking endpoint"),
            false => {
                "The service was searched without having been looked up in the directory".to_owned()
            }
        };
        notes.judge(Rule::AsidOfService, listed && right, what);
        let known = self.national.systems.contains(&asid);
        let what = format!("SDS was not asked for the ASID {asid}");
        notes.judge(Rule::SystemQuery, known, what);
        let of_slots = |i: &Option<String>| {
            i.as_ref()
                .is_some_and(|i| i.ends_with(":read:slot") || i.ends_with(":search:slot"))
        };
        let found = self
            .national
            .endpoints
            .iter()
            .any(|(key, interaction)| key.ends_with(seven(&asid)) && of_slots(interaction));
        let what = format!(
            "SDS was not asked for the endpoint of {asid} with party key and interaction read:slot"
        );
        notes.judge(Rule::EndpointQuery, found, what);
        // It came here, so the address is that of nhsMHSEndPoint; another one ends at the SSP.
        notes.holds(Rule::EndpointUsed);
    }
}

/// The digits of an ASID that its party key ends with.
fn seven(asid: &str) -> &str {
    asid.get(asid.len().saturating_sub(7)..).unwrap_or(asid)
}

fn shown(operation: &'static str, scenario: Option<&'static Scenario>) -> Shown {
    Shown {
        number: 0,
        operation,
        scenario,
        status: None,
        findings: Vec::new(),
    }
}
