//! One search: scope, filter, faults, attribute selection, limits, pages.

use super::Settings;
use super::dn::{self, Dn};
use super::filter::{self, Filter};
use super::tree::{Entry, Tree};
use crate::directory::Directory;
use crate::faults::{Fault, Faults, Key, Point};
use crate::watch::Observation;
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode, LdapSearchRequest,
    LdapSearchResultEntry, LdapSearchScope,
};
use std::borrow::Cow;
use std::time::{Duration, Instant};

/// After so many entries the clock is looked at, and others may run.
const BREATH: usize = 512;
/// Systems of one party key that faults are looked up for; one or a few share a key in life.
const MAX_SHARING: usize = 16;
/// Longest text of a request in the log.
const MAX_LOGGED: usize = 200;

/// What a search answers: entries, then the result with its controls.
#[derive(Debug)]
pub struct Found {
    /// Entries in the order to send.
    pub entries: Vec<LdapOp>,
    /// The final message.
    pub done: LdapOp,
    /// Controls of the final message.
    pub controls: Vec<LdapControl>,
}

/// The connection shall be cut without an answer.
#[derive(Debug)]
pub struct Cut;

/// The parts that a search works on.
pub struct Search<'a> {
    /// The tree.
    pub tree: &'a Tree,
    /// What the tree was made of.
    pub directory: &'a Directory,
    /// Faults to show.
    pub faults: &'a Faults,
    /// The server's limits.
    pub settings: &'a Settings,
}

/// Page size and where the page begins (RFC 2696).
struct Page {
    size: usize,
    from: usize,
}

impl Search<'_> {
    /// Answers a search.
    pub async fn run(
        &self,
        asked: &LdapSearchRequest,
        controls: &[LdapControl],
    ) -> Result<Found, Cut> {
        let started = Instant::now();
        tracing::debug!(base = %printable(&asked.base), filter = %printable(&format!("{:?}", asked.filter)), "asked");
        let outcome = self.answer(asked, controls, started).await;
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        match &outcome {
            Ok(found) => {
                let code = match &found.done {
                    LdapOp::SearchResultDone(result) => result.code.clone() as i64,
                    _ => -1,
                };
                tracing::info!(base = %printable(&asked.base), entries = found.entries.len(), code, micros, "search");
            }
            Err(Cut) => {
                tracing::info!(base = %printable(&asked.base), "search cut by a fault");
            }
        }
        outcome
    }

    async fn answer(
        &self,
        asked: &LdapSearchRequest,
        controls: &[LdapControl],
        started: Instant,
    ) -> Result<Found, Cut> {
        use LdapResultCode as Code;
        let (Ok(size), Ok(seconds)) = (
            usize::try_from(asked.sizelimit),
            u64::try_from(asked.timelimit),
        ) else {
            return Ok(refused(Code::ProtocolError, "", "a limit is negative"));
        };
        let page = match page_of(controls) {
            Ok(page) => page,
            Err(why) => return Ok(refused(Code::ProtocolError, "", why)),
        };
        let Some(base) = dn::parse(&asked.base) else {
            return Ok(refused(
                Code::InvalidDNSyntax,
                "",
                "the base is no distinguished name",
            ));
        };
        let Some(filter) = filter::prepare(&asked.filter) else {
            let why = format!("a filter has at most {} terms", filter::MAX_TERMS);
            return Ok(refused(Code::AdminLimitExceeded, "", &why));
        };
        self.settings.observer.saw(|| asked_for(&base, &filter));
        let allowed = match seconds {
            0 => self.settings.time_limit,
            seconds => Duration::from_secs(seconds).min(self.settings.time_limit),
        };
        let deadline = started + allowed;
        let shown = self.faults_of(&base, &filter)?;
        if let Some(delay) = shown.as_ref().and_then(Fault::delay) {
            tokio::time::sleep(delay.min(allowed)).await;
            if delay >= allowed {
                return Ok(refused(
                    Code::TimeLimitExceeded,
                    "",
                    "the time limit is over",
                ));
            }
        }
        if self.tree.entry(&base).is_none() || (shown == Some(Fault::NoObject) && base.len() > 2) {
            let why = "there is no such entry";
            return Ok(refused(Code::NoSuchObject, self.tree.nearest(&base), why));
        }
        let found = match shown {
            Some(Fault::NoObject) => Vec::new(),
            _ => match self.matching(&base, &asked.scope, &filter, deadline).await {
                Some(found) => self.changed(found, &base, &filter),
                None => {
                    return Ok(refused(
                        Code::TimeLimitExceeded,
                        "",
                        "the time limit is over",
                    ));
                }
            },
        };
        Ok(self.limited(asked, &found, size, page))
    }

    /// Cuts the list to the page and the limits of both sides.
    fn limited(
        &self,
        asked: &LdapSearchRequest,
        found: &[Cow<'_, Entry>],
        size: usize,
        page: Option<Page>,
    ) -> Found {
        let server = self.settings.size_limit;
        // The client's size limit counts over all pages; the server's makes pages smaller.
        let most = if size == 0 { usize::MAX } else { size };
        let (from, wanted, most) = match &page {
            None => (0, found.len(), most.min(server)),
            Some(page) => {
                let from = page.from.min(found.len());
                let wanted = from.saturating_add(page.size.min(server));
                (from, wanted.min(found.len()), most.max(from))
            }
        };
        let until = wanted.min(most);
        let exceeded = until < wanted;
        let selection = Selection::new(&asked.attrs);
        let entries = found[from..until]
            .iter()
            .map(|entry| selection.of(entry, asked.typesonly))
            .collect();
        let controls = match page {
            None => Vec::new(),
            Some(_) => {
                let more = !exceeded && until < found.len();
                vec![LdapControl::SimplePagedResults {
                    size: i64::try_from(found.len()).unwrap_or(0),
                    cookie: match more {
                        true => until.to_string().into_bytes(),
                        false => Vec::new(),
                    },
                }]
            }
        };
        let (code, why) = match exceeded {
            true => (LdapResultCode::SizeLimitExceeded, "there are more entries"),
            false => (LdapResultCode::Success, ""),
        };
        Found {
            entries,
            done: done(code, "", why),
            controls,
        }
    }

    /// The entries in scope that the filter accepts; `None` when the time is over.
    async fn matching(
        &self,
        base: &Dn,
        scope: &LdapSearchScope,
        filter: &Filter,
        deadline: Instant,
    ) -> Option<Vec<Cow<'_, Entry>>> {
        let mut found = Vec::new();
        if *scope == LdapSearchScope::Base {
            let entry = self.tree.entry(base)?;
            if filter.test(entry) == Some(true) {
                found.push(Cow::Borrowed(entry));
            }
            return Some(found);
        }
        for (at, entry) in self.tree.entries.iter().enumerate() {
            if at % BREATH == BREATH - 1 {
                if Instant::now() >= deadline {
                    return None;
                }
                tokio::task::yield_now().await;
            }
            if in_scope(base, scope, &entry.key) && filter.test(entry) == Some(true) {
                found.push(Cow::Borrowed(entry));
            }
        }
        Some(found)
    }

    /// Faults that are shown before the search, by what the search asks for.
    fn faults_of(&self, base: &Dn, filter: &Filter) -> Result<Option<Fault>, Cut> {
        let fault = self.take(base, filter, |fault| {
            matches!(
                fault,
                Fault::Unreachable | Fault::Slow { .. } | Fault::NoObject
            )
        });
        match fault {
            Some(Fault::Unreachable) => Err(Cut),
            other => Ok(other),
        }
    }

    /// Faults that change what was found. One that has nothing to change is not used up.
    fn changed<'t>(
        &self,
        mut found: Vec<Cow<'t, Entry>>,
        base: &Dn,
        filter: &Filter,
    ) -> Vec<Cow<'t, Entry>> {
        /// What a system has beside CareConnect in C12.
        const GP_CONNECT: [&str; 2] = [
            "urn:nhs:names:services:gpconnect:fhir:rest:search:slot-1",
            "urn:nhs:names:services:gpconnect:fhir:operation:gpc.getcarerecord",
        ];
        let about_services = |entry: &Cow<'_, Entry>| entry.is_a("nhsas") || entry.is_a("nhsmhs");
        if let Some(system) = found.iter().position(|e| e.is_a("nhsas"))
            && self
                .take(base, filter, |f| *f == Fault::GpConnectToo)
                .is_some()
        {
            let more = found[system].with_more("nhsassvcia", &GP_CONNECT);
            found[system] = Cow::Owned(more);
        }
        if let Some(first) = found.iter().position(about_services)
            && self
                .take(base, filter, |f| *f == Fault::TwoObjects)
                .is_some()
        {
            let twin = found[first].twin();
            found.insert(first + 1, Cow::Owned(twin));
        }
        found
    }

    /// Takes a fault for one of the systems that the search is about.
    fn take(&self, base: &Dn, filter: &Filter, wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        if base.last().is_none_or(|top| top != "o=nhs") {
            return None;
        }
        let mut interactions = Vec::new();
        filter.demanded("nhsmhssvcia", &mut interactions);
        filter.demanded("nhsassvcia", &mut interactions);
        let interaction = interactions.first().copied();
        let about = self.about(base, filter);
        let none = [None];
        let asids: Vec<Option<&str>> = about.iter().map(|a| Some(a.as_str())).collect();
        let asids = if asids.is_empty() { &none[..] } else { &asids };
        asids.iter().find_map(|asid| {
            let key = Key {
                asid: *asid,
                interaction,
                ..Key::default()
            };
            self.faults.take_if(Point::Sds, &key, &wanted)
        })
    }

    /// The ASIDs that a search is about: named by it, or those of the party key or organisation it names.
    fn about(&self, base: &Dn, filter: &Filter) -> Vec<String> {
        let mut named = Vec::new();
        filter.demanded("uniqueidentifier", &mut named);
        let of_base = base
            .first()
            .and_then(|part| part.strip_prefix("uniqueidentifier="));
        let mut asids: Vec<String> = named
            .into_iter()
            .chain(of_base)
            .map(str::to_owned)
            .collect();
        let (mut keys, mut organisations) = (Vec::new(), Vec::new());
        filter.demanded("nhsmhspartykey", &mut keys);
        filter.demanded("nhsidcode", &mut organisations);
        for system in &self.directory.systems {
            let is = |wanted: &[&str], held: &str| wanted.contains(&dn::normal(held).as_str());
            if is(&keys, &system.party_key) || is(&organisations, &system.ods) {
                asids.push(system.asid.clone());
            }
        }
        asids.truncate(MAX_SHARING);
        asids
    }
}

/// What a search demands, for the observer.
fn asked_for(base: &Dn, filter: &Filter) -> Observation {
    let demanded = |name: &str| {
        let mut found = Vec::new();
        filter.demanded(name, &mut found);
        found.first().map(|value| (*value).to_owned())
    };
    let of_base = base
        .first()
        .and_then(|part| part.strip_prefix("uniqueidentifier="));
    Observation::Sds {
        asid: demanded("uniqueidentifier").or(of_base.map(str::to_owned)),
        party_key: demanded("nhsmhspartykey"),
        interaction: demanded("nhsmhssvcia").or(demanded("nhsassvcia")),
    }
}

/// The attributes that a search wants (RFC 4511, section 4.5.1.8; `+`: RFC 3673).
struct Selection {
    user: bool,
    operational: bool,
    named: Vec<String>,
}

impl Selection {
    fn new(asked: &[String]) -> Selection {
        let has = |wanted: &str| asked.iter().any(|name| name == wanted);
        Selection {
            user: asked.is_empty() || has("*"),
            operational: has("+"),
            named: asked
                .iter()
                .filter_map(|name| filter::known(name))
                .collect(),
        }
    }

    fn of(&self, entry: &Entry, types_only: bool) -> LdapOp {
        let attributes = entry
            .attributes
            .iter()
            .filter(|a| match a.is_operational() {
                true => self.operational || self.named.contains(&a.key),
                false => self.user || self.named.contains(&a.key),
            })
            .map(|a| LdapPartialAttribute {
                atype: a.name.to_owned(),
                vals: match types_only {
                    true => Vec::new(),
                    false => a.values.iter().map(|v| v.clone().into_bytes()).collect(),
                },
            })
            .collect();
        LdapOp::SearchResultEntry(LdapSearchResultEntry {
            dn: entry.dn.clone(),
            attributes,
        })
    }
}

fn in_scope(base: &Dn, scope: &LdapSearchScope, entry: &Dn) -> bool {
    let Some(below) = entry.len().checked_sub(base.len()) else {
        return false;
    };
    let fits = match scope {
        LdapSearchScope::Base => below == 0,
        LdapSearchScope::OneLevel => below == 1,
        LdapSearchScope::Subtree => true,
        LdapSearchScope::Children => below > 0,
    };
    fits && entry.ends_with(base)
}

/// The page asked for, if any. The cookie is where the next page begins.
fn page_of(controls: &[LdapControl]) -> Result<Option<Page>, &'static str> {
    for control in controls {
        if let LdapControl::SimplePagedResults { size, cookie } = control {
            let size = usize::try_from(*size).map_err(|_| "the page size is negative")?;
            let from = match cookie.is_empty() {
                true => 0,
                false => std::str::from_utf8(cookie)
                    .ok()
                    .and_then(|text| text.parse().ok())
                    .ok_or("the cookie of the page is not one that was given")?,
            };
            return Ok(Some(Page { size, from }));
        }
    }
    Ok(None)
}

fn refused(code: LdapResultCode, matched: &str, why: &str) -> Found {
    Found {
        entries: Vec::new(),
        done: done(code, matched, why),
        controls: Vec::new(),
    }
}

fn done(code: LdapResultCode, matched: &str, why: &str) -> LdapOp {
    LdapOp::SearchResultDone(result(code, matched, why))
}

/// A result.
pub fn result(code: LdapResultCode, matched: &str, why: &str) -> LdapResult {
    LdapResult {
        code,
        matcheddn: matched.to_owned(),
        message: why.to_owned(),
        referral: Vec::new(),
    }
}

/// The visible part of a text for the log.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_LOGGED)
        .collect()
}
