//! The directory's tree: `o=nhs`, its units, and under `ou=Services` one entry per system and endpoint.

use super::dn::{self, Dn};
use crate::directory::{Directory, MessageHandling, System};
use std::collections::HashMap;

/// Where systems and endpoints stand (NAT-SDS-02).
pub const SERVICES: &str = "ou=Services,o=nhs";
/// Where the schema stands.
pub const SUBSCHEMA: &str = "cn=Subschema";

/// Every attribute that the directory knows, as it is written in answers. Names compare without case (NAT-SDS-06).
pub const ATTRIBUTES: [&str; 29] = [
    "objectClass",
    "o",
    "ou",
    "cn",
    "uniqueIdentifier",
    "nhsMHSPartyKey",
    "nhsIDCode",
    "nhsAsClient",
    "nhsProductKey",
    "nhsAsSvcIA",
    "nhsMHsSN",
    "nhsMhsIN",
    "nhsMhsSvcIA",
    "nhsEPInteractionType",
    "nhsMhsFQDN",
    "nhsMHSEndPoint",
    "nhsMHSIsAuthenticated",
    "nhsMHSSyncReplyMode",
    "entryDN",
    "structuralObjectClass",
    "hasSubordinates",
    "subschemaSubentry",
    "namingContexts",
    "supportedLDAPVersion",
    "supportedControl",
    "supportedExtension",
    "vendorName",
    "objectClasses",
    "attributeTypes",
];

/// What the directory answers with `+` only (RFC 3673).
const OPERATIONAL: [&str; 11] = [
    "entrydn",
    "structuralobjectclass",
    "hassubordinates",
    "subschemasubentry",
    "namingcontexts",
    "supportedldapversion",
    "supportedcontrol",
    "supportedextension",
    "vendorname",
    "objectclasses",
    "attributetypes",
];

/// One attribute of an entry.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// As written in answers.
    pub name: &'static str,
    /// As compared.
    pub key: String,
    /// As written in answers.
    pub values: Vec<String>,
    /// As compared, in the order of `values`.
    pub normal: Vec<String>,
}

impl Attribute {
    fn new(name: &'static str, values: Vec<String>) -> Attribute {
        Attribute {
            key: name.to_ascii_lowercase(),
            normal: values.iter().map(|v| dn::normal(v)).collect(),
            name,
            values,
        }
    }

    /// True for what is answered with `+` only.
    pub fn is_operational(&self) -> bool {
        OPERATIONAL.contains(&self.key.as_str())
    }
}

/// One entry.
#[derive(Clone, Debug)]
pub struct Entry {
    /// As written in answers.
    pub dn: String,
    /// As compared.
    pub key: Dn,
    /// In the order of answers.
    pub attributes: Vec<Attribute>,
}

impl Entry {
    fn new(dn: String, class: &str, attributes: Vec<(&'static str, Vec<String>)>) -> Entry {
        let key = dn::parse(&dn).unwrap_or_default();
        let classes = vec![class.to_owned(), "top".to_owned()];
        let mut all = vec![Attribute::new("objectClass", classes)];
        // An attribute without value does not exist in a directory.
        all.extend(
            attributes
                .into_iter()
                .map(|(name, values)| {
                    (
                        name,
                        values
                            .into_iter()
                            .filter(|v| !v.is_empty())
                            .collect::<Vec<_>>(),
                    )
                })
                .filter(|(_, values)| !values.is_empty())
                .map(|(name, values)| Attribute::new(name, values)),
        );
        all.push(Attribute::new(
            "structuralObjectClass",
            vec![class.to_owned()],
        ));
        all.push(Attribute::new("entryDN", vec![dn.clone()]));
        all.push(Attribute::new(
            "subschemaSubentry",
            vec![SUBSCHEMA.to_owned()],
        ));
        Entry {
            dn,
            key,
            attributes: all,
        }
    }

    /// The attribute of this comparable name.
    pub fn attribute(&self, key: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.key == key)
    }

    /// True when the entry is of this class (comparable form).
    pub fn is_a(&self, class: &str) -> bool {
        self.attribute("objectclass")
            .is_some_and(|a| a.normal.iter().any(|v| v == class))
    }

    /// The same entry under another name and identifier: the second of two where one is expected (NAT-SDS-08).
    #[must_use]
    pub fn twin(&self) -> Entry {
        let mut twin = self.clone();
        let Some(id) = self
            .attribute("uniqueidentifier")
            .and_then(|a| a.values.first())
        else {
            return twin;
        };
        // Of the same form as the original: digits stay digits.
        let other = match id.strip_suffix('9') {
            Some(head) => format!("{head}8"),
            None => format!(
                "{}9",
                &id[..id.len() - id.chars().last().map_or(0, char::len_utf8)]
            ),
        };
        twin.dn = service_dn(&other);
        twin.key = dn::parse(&twin.dn).unwrap_or_default();
        for attribute in &mut twin.attributes {
            match attribute.key.as_str() {
                "uniqueidentifier" => {
                    *attribute = Attribute::new(attribute.name, vec![other.clone()])
                }
                "entrydn" => *attribute = Attribute::new(attribute.name, vec![twin.dn.clone()]),
                _ => {}
            }
        }
        twin
    }

    /// The same entry with more values of an attribute that it has.
    #[must_use]
    pub fn with_more(&self, key: &str, more: &[&str]) -> Entry {
        let mut changed = self.clone();
        if let Some(attribute) = changed.attributes.iter_mut().find(|a| a.key == key) {
            let mut values = attribute.values.clone();
            values.extend(more.iter().map(|v| (*v).to_owned()));
            *attribute = Attribute::new(attribute.name, values);
        }
        changed
    }
}

/// The whole tree; made once, never changed.
#[derive(Debug)]
pub struct Tree {
    /// Root DSE (RFC 4512, section 5.1).
    pub root: Entry,
    /// The schema's entry.
    pub subschema: Entry,
    /// Everything under `o=nhs`, parents before children.
    pub entries: Vec<Entry>,
    by_name: HashMap<Dn, usize>,
}

impl Tree {
    /// Makes the tree of a directory.
    pub fn new(directory: &Directory) -> Tree {
        let mut entries = vec![Entry::new(
            "o=nhs".to_owned(),
            "organization",
            vec![
                ("o", vec!["nhs".to_owned()]),
                ("hasSubordinates", yes(true)),
            ],
        )];
        let full = !directory.systems.is_empty() || !directory.endpoints.is_empty();
        // NAT-SDS-01: the four units; only the systems' one is filled.
        for (unit, filled) in [
            ("Services", full),
            ("Organisations", false),
            ("People", false),
            ("ReferenceData", false),
        ] {
            entries.push(Entry::new(
                format!("ou={unit},o=nhs"),
                "organizationalUnit",
                vec![
                    ("ou", vec![unit.to_owned()]),
                    ("hasSubordinates", yes(filled)),
                ],
            ));
        }
        entries.extend(directory.systems.iter().map(system));
        entries.extend(directory.endpoints.iter().map(endpoint));
        let by_name = entries
            .iter()
            .enumerate()
            .map(|(at, e)| (e.key.clone(), at))
            .collect();
        Tree {
            root: super::schema::root(),
            subschema: super::schema::subschema(),
            entries,
            by_name,
        }
    }

    /// The entry of this name.
    pub fn entry(&self, name: &Dn) -> Option<&Entry> {
        match self.by_name.get(name) {
            Some(&at) => self.entries.get(at),
            None if name.is_empty() => Some(&self.root),
            None if *name == self.subschema.key => Some(&self.subschema),
            None => None,
        }
    }

    /// The nearest ancestor that exists, as `matchedDN` wants it; empty when there is none.
    pub fn nearest(&self, name: &Dn) -> &str {
        (1..name.len())
            .find_map(|up| self.by_name.get(&name[up..]))
            .and_then(|&at| self.entries.get(at))
            .map_or("", |e| e.dn.as_str())
    }
}

/// Special entries are made in the same way.
pub(super) fn special(
    dn: &str,
    class: &str,
    attributes: Vec<(&'static str, Vec<String>)>,
) -> Entry {
    Entry::new(dn.to_owned(), class, attributes)
}

fn service_dn(id: &str) -> String {
    format!("uniqueIdentifier={},{SERVICES}", dn::escaped(id))
}

fn system(system: &System) -> Entry {
    Entry::new(
        service_dn(&system.asid),
        "nhsAs",
        vec![
            ("uniqueIdentifier", vec![system.asid.clone()]),
            ("nhsMHSPartyKey", vec![system.party_key.clone()]),
            ("nhsIDCode", vec![system.ods.clone()]),
            ("nhsAsClient", vec![system.ods.clone()]),
            (
                "nhsProductKey",
                system.product_key.iter().cloned().collect(),
            ),
            ("nhsAsSvcIA", system.interactions.clone()),
            ("hasSubordinates", yes(false)),
        ],
    )
}

fn endpoint(held: &MessageHandling) -> Entry {
    let (service, interaction) = split_urn(&held.interaction);
    let kind = match () {
        () if held.interaction.contains(":fhir:") => "FHIR",
        () if held.interaction.starts_with("urn:nhs-itk:") => "ITK",
        () => "HL7",
    };
    Entry::new(
        service_dn(&held.id),
        "nhsMhs",
        vec![
            ("uniqueIdentifier", vec![held.id.clone()]),
            ("nhsMHSPartyKey", vec![held.party_key.clone()]),
            ("nhsMHsSN", vec![service.to_owned()]),
            ("nhsMhsIN", vec![interaction.to_owned()]),
            ("nhsMhsSvcIA", vec![held.interaction.clone()]),
            ("nhsEPInteractionType", vec![kind.to_owned()]),
            ("nhsMhsFQDN", vec![held.fqdn.clone()]),
            ("nhsMHSEndPoint", vec![held.endpoint.clone()]),
            ("nhsIDCode", vec![held.ods.clone()]),
            ("nhsMHSIsAuthenticated", vec!["none".to_owned()]),
            ("nhsMHSSyncReplyMode", vec!["None".to_owned()]),
            ("hasSubordinates", yes(false)),
        ],
    )
}

/// Service and interaction of a URN: `urn:nhs:names:services:careconnect` and `fhir:rest:read:slot`.
fn split_urn(urn: &str) -> (&str, &str) {
    const NAMES: &str = "urn:nhs:names:services:";
    let at = match urn.strip_prefix(NAMES) {
        Some(rest) => rest.find(':').map(|at| NAMES.len() + at),
        None => urn.rfind(':'),
    };
    at.map_or((urn, ""), |at| (&urn[..at], &urn[at + 1..]))
}

fn yes(is: bool) -> Vec<String> {
    vec![if is { "TRUE" } else { "FALSE" }.to_owned()]
}
