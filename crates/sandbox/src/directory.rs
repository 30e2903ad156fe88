//! What the Spine knows of systems: who has which ASID, may take part in which interactions, and where its
//! endpoints are. One set of plain data that SDS answers from and SSP decides by.

use booking::ids::{Asid, OdsCode};
use booking::wire::interaction::{Interaction, URN_PREFIX};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Most systems of one directory: the whole of England has fewer that take bookings.
pub const MAX_SYSTEMS: usize = 10_000;
/// Most endpoints of one directory: a few per system.
pub const MAX_ENDPOINTS: usize = 50_000;
/// Most interactions of one system; the Standard has eight.
pub const MAX_INTERACTIONS: usize = 64;
/// Longest text of one field: URLs are the longest, and servers limit those to about this.
pub const MAX_TEXT: usize = 2048;

/// Every system and endpoint.
///
/// Reads from two lists, `systems` (or `system`) and `endpoints` (or `endpoint`); see [`WrittenSystem`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written")]
pub struct Directory {
    /// Accredited systems (nhsAs entries).
    pub systems: Vec<System>,
    /// Endpoints (nhsMhs entries).
    pub endpoints: Vec<MessageHandling>,
}

/// One system in one organisation: an nhsAs entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Accredited system id, 12 digits.
    pub asid: String,
    /// The organisation.
    pub ods: String,
    /// Joins the system to its endpoints.
    pub party_key: String,
    /// Product, as registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_key: Option<String>,
    /// Name for people; not part of the directory's answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Name that the system's client certificate must carry (NAT-SSP-04).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fqdn: Option<String>,
    /// Interactions that the system is registered for: full URNs.
    #[serde(default)]
    pub interactions: Vec<String>,
}

/// One interaction's endpoint: an nhsMhs entry.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MessageHandling {
    /// `uniqueIdentifier` of the entry.
    pub id: String,
    /// Joins the endpoint to its systems.
    pub party_key: String,
    /// The organisation.
    pub ods: String,
    /// The interaction, a full URN.
    pub interaction: String,
    /// Service root. Any text, so that a wrongly registered endpoint can be tried too; empty: the entry has none.
    pub endpoint: String,
    /// Name of the host.
    pub fqdn: String,
}

/// A `[[system]]` as people write it: interactions may be short (`read:slot`), the party key may be left out,
/// and an `endpoint` gives one [`MessageHandling`] per interaction.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenSystem {
    /// Accredited system id, 12 digits.
    pub asid: String,
    /// The organisation.
    pub ods: String,
    /// Left out: made of the organisation and the last seven digits of the ASID.
    #[serde(default)]
    pub party_key: Option<String>,
    /// Product, as registered.
    #[serde(default)]
    pub product_key: Option<String>,
    /// Name for people.
    #[serde(default)]
    pub name: Option<String>,
    /// Name that its client certificate must carry.
    #[serde(default)]
    pub fqdn: Option<String>,
    /// Full URNs, or short for CareConnect (`read:slot`).
    #[serde(default)]
    pub interactions: Vec<String>,
    /// Service root of every interaction.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// An `[[endpoint]]` as people write it: `id` and `fqdn` may be left out.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenEndpoint {
    /// Left out: numbered.
    #[serde(default)]
    pub id: Option<String>,
    /// Joins the endpoint to its systems.
    pub party_key: String,
    /// The organisation.
    pub ods: String,
    /// Full URN, or short for CareConnect.
    pub interaction: String,
    /// Service root.
    #[serde(default)]
    pub endpoint: String,
    /// Left out: the host of the endpoint.
    #[serde(default)]
    pub fqdn: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, alias = "system")]
    systems: Vec<WrittenSystem>,
    #[serde(default, alias = "endpoint")]
    endpoints: Vec<WrittenEndpoint>,
}

impl TryFrom<Written> for Directory {
    type Error = String;

    fn try_from(written: Written) -> Result<Directory, String> {
        Directory::new(written.systems, written.endpoints)
    }
}

impl Directory {
    /// Completes and checks what people wrote. The error names the entry and what would be right.
    pub fn new(
        systems: Vec<WrittenSystem>,
        endpoints: Vec<WrittenEndpoint>,
    ) -> Result<Directory, String> {
        let mut directory = Directory::default();
        for system in systems {
            directory.add_system(system);
        }
        for (at, endpoint) in endpoints.into_iter().enumerate() {
            directory.add_endpoint(at, endpoint);
        }
        directory.check()?;
        Ok(directory)
    }

    fn add_system(&mut self, written: WrittenSystem) {
        let interactions: Vec<String> = written.interactions.iter().map(|i| full_urn(i)).collect();
        let party_key = written
            .party_key
            .unwrap_or_else(|| default_party_key(&written.ods, &written.asid));
        if let Some(endpoint) = &written.endpoint {
            for (at, interaction) in interactions.iter().enumerate() {
                self.endpoints.push(MessageHandling {
                    id: format!("S{}{:02}", written.asid, at + 1),
                    party_key: party_key.clone(),
                    ods: written.ods.clone(),
                    interaction: interaction.clone(),
                    endpoint: endpoint.clone(),
                    fqdn: host_of(endpoint).to_owned(),
                });
            }
        }
        self.systems.push(System {
            asid: written.asid,
            ods: written.ods,
            party_key,
            product_key: written.product_key,
            name: written.name,
            fqdn: written.fqdn,
            interactions,
        });
    }

    fn add_endpoint(&mut self, at: usize, written: WrittenEndpoint) {
        let fqdn = written
            .fqdn
            .unwrap_or_else(|| host_of(&written.endpoint).to_owned());
        self.endpoints.push(MessageHandling {
            id: written
                .id
                .unwrap_or_else(|| format!("S{}-{:03}", written.party_key, at + 1)),
            party_key: written.party_key,
            ods: written.ods,
            interaction: full_urn(&written.interaction),
            endpoint: written.endpoint,
            fqdn,
        });
    }

    /// Checks ids, bounds and that no two entries have one name. Endpoints are not judged: a wrong one is a case
    /// that consumers are tested with (NAT-SDS-08).
    pub fn check(&self) -> Result<(), String> {
        if self.systems.len() > MAX_SYSTEMS || self.endpoints.len() > MAX_ENDPOINTS {
            return Err(format!(
                "the directory holds at most {MAX_SYSTEMS} systems and {MAX_ENDPOINTS} endpoints"
            ));
        }
        let mut names = BTreeSet::new();
        for system in &self.systems {
            let at = format!("system {}", system.asid);
            Asid::parse(&system.asid).map_err(|e| format!("{at}: asid: the {e}"))?;
            OdsCode::parse(&system.ods).map_err(|e| format!("{at}: ods: the {e}"))?;
            if system.interactions.len() > MAX_INTERACTIONS {
                return Err(format!("{at}: more than {MAX_INTERACTIONS} interactions"));
            }
            needed(&at, "party_key", &system.party_key)?;
            for interaction in &system.interactions {
                needed(&at, "interactions", interaction)?;
            }
            for (field, value) in [
                ("product_key", &system.product_key),
                ("name", &system.name),
                ("fqdn", &system.fqdn),
            ] {
                if let Some(value) = value {
                    needed(&at, field, value)?;
                }
            }
            if !names.insert(system.asid.to_ascii_lowercase()) {
                return Err(format!("{at}: stands twice"));
            }
        }
        for endpoint in &self.endpoints {
            let at = format!("endpoint {}", endpoint.id);
            OdsCode::parse(&endpoint.ods).map_err(|e| format!("{at}: ods: the {e}"))?;
            needed(&at, "id", &endpoint.id)?;
            needed(&at, "party_key", &endpoint.party_key)?;
            needed(&at, "interaction", &endpoint.interaction)?;
            plain(&at, "endpoint", &endpoint.endpoint)?;
            plain(&at, "fqdn", &endpoint.fqdn)?;
            if !names.insert(endpoint.id.to_ascii_lowercase()) {
                return Err(format!("{at}: the id stands twice"));
            }
        }
        Ok(())
    }

    /// The system with this ASID.
    pub fn system(&self, asid: &str) -> Option<&System> {
        self.systems.iter().find(|s| s.asid == asid)
    }

    /// The endpoints of a system for an interaction: those of its party key.
    pub fn endpoints_of<'a>(
        &'a self,
        system: &'a System,
        interaction: &'a str,
    ) -> impl Iterator<Item = &'a MessageHandling> {
        self.endpoints.iter().filter(move |e| {
            e.party_key.eq_ignore_ascii_case(&system.party_key)
                && same_interaction(&e.interaction, interaction)
        })
    }
}

impl System {
    /// True when the system is registered for the interaction (NAT-SSP-04).
    pub fn may(&self, interaction: &str) -> bool {
        self.interactions
            .iter()
            .any(|held| same_interaction(held, interaction))
    }
}

/// True when two ids name one interaction: equal, or both ids of one interaction of the Standard, as the slot
/// search has two (D-22: `search:slot` on the wire, `read:slot` in the directory).
pub fn same_interaction(one: &str, other: &str) -> bool {
    one == other
        || Interaction::ALL
            .iter()
            .any(|i| i.accepts(one) && i.accepts(other))
}

/// A short interaction (`read:slot`) in full; a URN is left as it is.
pub fn full_urn(interaction: &str) -> String {
    if interaction.starts_with("urn:") {
        interaction.to_owned()
    } else {
        format!("{URN_PREFIX}{interaction}")
    }
}

/// The usual form of a party key: organisation and seven digits.
fn default_party_key(ods: &str, asid: &str) -> String {
    let digits = asid
        .char_indices()
        .rev()
        .nth(6)
        .map_or(asid, |(at, _)| &asid[at..]);
    format!("{ods}-{digits}")
}

/// Host of a URL, without user, port and brackets; empty when there is none.
pub fn host_of(url: &str) -> &str {
    let Some((_, rest)) = url.split_once("://") else {
        return "";
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn needed(at: &str, field: &str, value: &str) -> Result<(), String> {
    if value.trim().is_empty() {
        return Err(format!("{at}: {field} is empty"));
    }
    plain(at, field, value)
}

fn plain(at: &str, field: &str, value: &str) -> Result<(), String> {
    if value.len() > MAX_TEXT {
        return Err(format!("{at}: {field} is longer than {MAX_TEXT} bytes"));
    }
    if value.chars().any(char::is_control) {
        return Err(format!("{at}: {field} holds a control character"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: NAT-SDS-02, NAT-SDS-03
    #[test]
    fn a_system_with_an_endpoint_gives_one_entry_per_interaction() {
        let directory: Directory = toml::from_str(
            r#"
            [[system]]
            asid = "918999000011"
            ods = "FX101"
            interactions = ["read:slot", "create:appointment"]
            endpoint = "http://127.0.0.1:8001/STU3/1/FX101"
            "#,
        )
        .unwrap();
        let system = directory.system("918999000011").unwrap();
        assert_eq!(system.party_key, "FX101-9000011");
        assert!(system.may("urn:nhs:names:services:careconnect:fhir:rest:search:slot"));
        assert!(!system.may("urn:nhs:names:services:careconnect:fhir:rest:read:appointment"));
        assert_eq!(directory.endpoints.len(), 2);
        assert_eq!(directory.endpoints[0].fqdn, "127.0.0.1");
        let wanted = full_urn("search:slot");
        assert_eq!(directory.endpoints_of(system, &wanted).count(), 1);
    }

    #[test]
    fn faults_name_the_entry() {
        let bad = |text: &str| toml::from_str::<Directory>(text).unwrap_err().to_string();
        assert!(bad("[[system]]\nasid = '1'\nods = 'FX101'").contains("system 1: asid"));
        assert!(bad("[[system]]\nasid = '1'\nods = 'FX101'\nodds = 1").contains("odds"));
        let twice = "[[system]]\nasid = '918999000011'\nods = 'FX101'\n".repeat(2);
        assert!(bad(&twice).contains("stands twice"));
    }

    #[test]
    fn hosts() {
        assert_eq!(
            host_of("https://a.example.nhs.uk:8443/x"),
            "a.example.nhs.uk"
        );
        assert_eq!(host_of("http://[::1]:80/x"), "::1");
        assert_eq!(host_of("nonsense"), "");
    }
}
