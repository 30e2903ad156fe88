//! Reads the facts of a clinical document (CDA): ids, patient, appointment, and what it replaces.

use super::appointment_url::AppointmentUrl;
use super::reason::{Reason, shown};
use super::xml::{at, attribute, child, children};
use booking::ids::{NhsNumber, OdsCode, is_uuid};
use roxmltree::Node;

/// Id root of verified NHS numbers.
const NHS_NUMBER: &str = "2.16.840.1.113883.2.1.4.1";
/// Id root of unverified NHS numbers.
const NHS_NUMBER_UNVERIFIED: &str = "2.16.840.1.113883.2.1.3.2.4.18.23";
/// Id roots of ODS codes: organisations and sites.
const ODS: [&str; 2] = [
    "2.16.840.1.113883.2.1.3.2.4.19.1",
    "2.16.840.1.113883.2.1.3.2.4.19.2",
];
/// Most recipients read. A report has a primary one and some copies.
const MAX_RECIPIENTS: usize = 50;
/// Most case numbers read.
const MAX_CASE_NUMBERS: usize = 10;
/// Most notes kept per document.
const MAX_NOTES: usize = 10;

/// The facts of a document. They identify a patient; the field types redact their `Debug`.
#[derive(Clone, Debug)]
pub struct Facts {
    /// `id/@root`, lower case.
    pub id: String,
    /// `setId/@root`, lower case: the same for all versions of a document.
    pub set_id: Option<String>,
    /// `versionNumber/@value`.
    pub version: Option<u32>,
    /// Id of the document that this one replaces, lower case.
    pub replaces: Option<String>,
    /// The patient's number, if valid.
    pub nhs_number: Option<NhsNumber>,
    /// The booked appointment (REF-PRO-05).
    pub appointment: Option<AppointmentUrl>,
    /// The sender's case numbers (D-64).
    pub case_numbers: Vec<String>,
    /// Organisation of the author.
    pub author: Option<OdsCode>,
    /// Recipient organisations, the primary ones first.
    pub recipients: Vec<OdsCode>,
    /// Faults that were tolerated, as sentences without patient data (PROV-ERR-03).
    pub notes: Vec<String>,
}

/// Reads a `ClinicalDocument`. Only a bad id is refused: without it the document cannot be filed.
pub(super) fn read(root: Node<'_, '_>) -> Result<Facts, Reason> {
    if root.tag_name().name() != "ClinicalDocument" {
        return Err(Reason::invalid(format!(
            "The payload is `{}`, not a ClinicalDocument.",
            shown(root.tag_name().name())
        )));
    }
    let mut notes = Vec::new();
    let (relation, set_of_parent) = replaced(root);
    let facts = Facts {
        id: document_id(root)?,
        set_id: uuid_at(root, &["setId"]).or(set_of_parent),
        version: child(root, "versionNumber")
            .and_then(|n| attribute(n, "value"))
            .and_then(|v| v.parse().ok()),
        replaces: relation,
        nhs_number: nhs_number(root, &mut notes),
        appointment: appointment(root, &mut notes),
        case_numbers: case_numbers(root),
        author: at(
            root,
            &["author", "assignedAuthor", "representedOrganization"],
        )
        .and_then(ods_code),
        recipients: recipients(root),
        notes: Vec::new(),
    };
    notes.truncate(MAX_NOTES);
    Ok(Facts { notes, ..facts })
}

/// `id/@root` is a UUID (REF-CON-02). Nothing else can match a booking.
fn document_id(root: Node<'_, '_>) -> Result<String, Reason> {
    let mut ids = children(root, "id");
    let (first, second) = (ids.next(), ids.next());
    if second.is_some() {
        return Err(Reason::invalid("The document has more than one id."));
    }
    let id = first
        .and_then(|n| attribute(n, "root"))
        .ok_or_else(|| Reason::invalid("The document has no id/@root."))?;
    match is_uuid(id) {
        true => Ok(id.to_ascii_lowercase()),
        false => Err(Reason::invalid(
            "The document's id/@root is not a UUID of the form 8-4-4-4-12.",
        )),
    }
}

fn uuid_at(node: Node<'_, '_>, path: &[&str]) -> Option<String> {
    let root = attribute(at(node, path)?, "root")?;
    is_uuid(root).then(|| root.to_ascii_lowercase())
}

/// The document that it replaces (`RPLC`), and its set.
fn replaced(root: Node<'_, '_>) -> (Option<String>, Option<String>) {
    let related = children(root, "relatedDocument")
        .find(|n| attribute(*n, "typeCode").is_some_and(|c| c.eq_ignore_ascii_case("RPLC")));
    match related {
        None => (None, None),
        Some(related) => (
            uuid_at(related, &["parentDocument", "id"]),
            uuid_at(related, &["parentDocument", "setId"]),
        ),
    }
}

fn nhs_number(root: Node<'_, '_>, notes: &mut Vec<String>) -> Option<NhsNumber> {
    let patient = at(root, &["recordTarget", "patientRole"])?;
    let given = children(patient, "id")
        .filter(|id| {
            attribute(*id, "root").is_some_and(|r| r == NHS_NUMBER || r == NHS_NUMBER_UNVERIFIED)
        })
        .find_map(|id| attribute(id, "extension"))?;
    let number = NhsNumber::parse(&given.replace(' ', ""));
    if number.is_err() {
        notes.push("The patient's NHS number in the document is not valid.".to_owned());
    }
    number.ok()
}

/// `linkHtml/@href` first, then `encounter/id/@extension`; never the text content (REF-PRO-05, D-39).
fn appointment(root: Node<'_, '_>, notes: &mut Vec<String>) -> Option<AppointmentUrl> {
    let (mut linked, mut coded): (Option<AppointmentUrl>, Option<AppointmentUrl>) = (None, None);
    for node in root.descendants().filter(Node::is_element) {
        match node.tag_name().name() {
            "linkHtml" => {
                let Some(url) = attribute(node, "href").and_then(AppointmentUrl::parse) else {
                    continue;
                };
                match &linked {
                    None => linked = Some(url),
                    Some(first) if !first.same(&url) && notes.len() < MAX_NOTES => {
                        notes.push(
                            "The document links several appointments; the first is used.".into(),
                        );
                    }
                    Some(_) => {}
                }
            }
            "encounter" if coded.is_none() => {
                coded = children(node, "id")
                    .filter_map(|id| attribute(id, "extension"))
                    .find_map(AppointmentUrl::parse);
            }
            _ => {}
        }
    }
    match (&linked, &coded) {
        (Some(link), Some(entry)) if !link.same(entry) => notes.push(
            "The appointment in linkHtml/@href is another than in encounter/id/@extension; the link is used."
                .to_owned(),
        ),
        (None, Some(_)) => notes.push(
            "The appointment is not linked in the narrative; encounter/id/@extension is used.".to_owned(),
        ),
        _ => {}
    }
    linked.or(coded)
}

/// `componentOf/encompassingEncounter/id/@extension`: one number, or one per system that had the case.
fn case_numbers(root: Node<'_, '_>) -> Vec<String> {
    let Some(encounter) = at(root, &["componentOf", "encompassingEncounter"]) else {
        return Vec::new();
    };
    children(encounter, "id")
        .filter_map(|id| attribute(id, "extension"))
        .take(MAX_CASE_NUMBERS)
        .map(|number| number.trim().to_owned())
        .collect()
}

/// `PRCP` recipients are primary; `TRC` ones get a copy.
fn recipients(root: Node<'_, '_>) -> Vec<OdsCode> {
    let mut found: Vec<(bool, OdsCode)> = children(root, "informationRecipient")
        .take(MAX_RECIPIENTS)
        .filter_map(|recipient| {
            let copy = attribute(recipient, "typeCode").is_some_and(|c| c == "TRC");
            let intended = child(recipient, "intendedRecipient")?;
            let organisation = child(intended, "receivedOrganization")
                .or_else(|| child(intended, "representedOrganization"))?;
            Some((copy, ods_code(organisation)?))
        })
        .collect();
    found.sort_by_key(|(copy, _)| *copy);
    found.into_iter().map(|(_, ods)| ods).collect()
}

fn ods_code(organisation: Node<'_, '_>) -> Option<OdsCode> {
    children(organisation, "id")
        .filter(|id| attribute(*id, "root").is_some_and(|r| ODS.contains(&r)))
        .filter_map(|id| attribute(id, "extension"))
        .find_map(|code| OdsCode::parse(&code.to_ascii_uppercase()).ok())
}
