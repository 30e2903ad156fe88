//! What `plan.json` holds.

use super::actors::{Actor, Role};
use super::kind::PlanKind;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use uuid::Uuid;

/// The form of `plan.json`, without its number.
pub(super) const FORMAT_NAME: &str = "uec-operational-plan";
/// Its number; a change that this version would misread gets a new one.
pub(super) const FORMAT_NUMBER: u32 = 1;

/// One run of a plan, with everything that was written down.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The form of the file.
    pub format: String,
    /// Id of this run.
    pub id: Uuid,
    /// Which plan.
    pub plan: PlanKind,
    /// Its title.
    pub title: String,
    /// When the folder was made.
    pub created: Timestamp,
    /// The version of the program that made it.
    pub tool: String,
    /// Particulars by their keys.
    #[serde(default)]
    pub particulars: BTreeMap<String, String>,
    /// Who has which role.
    #[serde(default)]
    pub actors: BTreeMap<Role, Actor>,
    /// Prerequisites by their keys.
    #[serde(default)]
    pub prerequisites: BTreeMap<String, Check>,
    /// Answers by the ids of their steps.
    #[serde(default)]
    pub answers: BTreeMap<String, Answer>,
    /// Contacts in which the tool did steps: what they booked is in the consumer's journal.
    #[serde(default)]
    pub contacts: Vec<Contact>,
    /// Who signed.
    #[serde(default)]
    pub signatures: Vec<Signature>,
}

/// How a step or a prerequisite ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Not as expected.
    Failed,
    /// Does not apply here.
    NotApplicable,
}

impl Outcome {
    /// The words on the command line.
    pub const WORDS: [&'static str; 3] = ["passed", "failed", "not-applicable"];

    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotApplicable => "not-applicable",
        }
    }

    /// The word shown to a reader.
    pub fn shown(self) -> &'static str {
        match self {
            Outcome::Passed => "Passed",
            Outcome::Failed => "Failed",
            Outcome::NotApplicable => "Not applicable",
        }
    }

    /// The outcome of a word.
    pub fn from_word(word: &str) -> Result<Outcome, String> {
        match word.trim().to_ascii_lowercase().as_str() {
            "passed" | "pass" | "p" | "yes" | "y" => Ok(Outcome::Passed),
            "failed" | "fail" | "f" | "no" | "n" => Ok(Outcome::Failed),
            "not-applicable" | "not applicable" | "na" | "n/a" => Ok(Outcome::NotApplicable),
            _ => {
                let near = booking::nearest::nearest(word, Outcome::WORDS.into_iter());
                let hint = near.map(|n| format!(", perhaps {n}")).unwrap_or_default();
                Err(format!(
                    "{word:?} is no result{hint}; write passed, failed or not-applicable"
                ))
            }
        }
    }
}

/// The answer about a prerequisite.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// Whether it is there.
    pub result: Outcome,
    /// What is to be known about it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// When it was answered.
    pub at: Timestamp,
}

/// What is known about a step. It may be half given: each part is kept as soon as it is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Outcome>,
    /// What was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seen: String,
    /// What will be done about it, and who does it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// Who saw it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When the result was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// What the tool did and saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolSeen>,
    /// Files that show it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Results that this one took the place of, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<Earlier>,
}

impl Answer {
    /// What is missing before the step counts as answered.
    pub fn missing(&self) -> Option<&'static str> {
        match self.result {
            None => Some("the result"),
            Some(Outcome::Failed | Outcome::NotApplicable) if self.seen.is_empty() => {
                Some("what was seen, or why it does not apply")
            }
            Some(_) if self.by.is_empty() => Some("who saw it"),
            Some(_) => None,
        }
    }
}

/// What the tool did and saw in a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolSeen {
    /// Whether it was as expected.
    pub passed: bool,
    /// What was seen, line by line.
    pub seen: Vec<String>,
    /// When.
    pub at: Timestamp,
    /// The version of the program.
    pub tool: String,
}

/// A result that was replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Earlier {
    /// How it ended.
    pub result: Outcome,
    /// What was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub seen: String,
    /// Who saw it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// A file that was copied into the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// Its name in the folder's `attachments`.
    pub file: String,
    /// What it was called before.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256 of its content, hexadecimal.
    pub sha256: String,
    /// When it was copied.
    pub at: Timestamp,
}

/// A contact in which the tool did steps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contact {
    /// Id of the encounter in the consumer's journal.
    pub encounter: String,
    /// The part of the plan.
    pub part: String,
    /// When it began.
    pub opened: Timestamp,
    /// Whether it has ended.
    pub closed: bool,
}

/// A signature. It holds for what it was given for: a change afterwards makes it void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// In which role.
    pub role: Role,
    /// Who.
    pub name: String,
    /// For which organisation.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// What they say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub statement: String,
    /// When.
    pub at: Timestamp,
    /// SHA-256 over everything that was written down then, hexadecimal.
    pub seal: String,
    /// The first change after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided: Option<Voided>,
}

/// What made a signature void.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voided {
    /// When.
    pub at: Timestamp,
    /// What was changed.
    pub change: String,
}

/// What a signature is given for.
#[derive(Serialize)]
struct Sealed<'a> {
    id: &'a Uuid,
    plan: PlanKind,
    title: &'a str,
    particulars: &'a BTreeMap<String, String>,
    actors: &'a BTreeMap<Role, Actor>,
    prerequisites: &'a BTreeMap<String, Check>,
    answers: &'a BTreeMap<String, Answer>,
}

impl Plan {
    /// An empty plan.
    pub fn new(kind: PlanKind, title: Option<&str>) -> Plan {
        Plan {
            format: format!("{FORMAT_NAME}/{FORMAT_NUMBER}"),
            id: Uuid::new_v4(),
            plan: kind,
            title: title.unwrap_or_else(|| kind.title()).to_owned(),
            created: Timestamp::now(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            particulars: BTreeMap::new(),
            actors: BTreeMap::new(),
            prerequisites: BTreeMap::new(),
            answers: BTreeMap::new(),
            contacts: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// SHA-256 over everything that is written down but the signatures, hexadecimal. The maps are sorted, so the same
    /// content gives the same seal.
    pub fn seal(&self) -> String {
        let sealed = Sealed {
            id: &self.id,
            plan: self.plan,
            title: &self.title,
            particulars: &self.particulars,
            actors: &self.actors,
            prerequisites: &self.prerequisites,
            answers: &self.answers,
        };
        // Maps with text keys and plain values always serialise; an empty text would seal nothing that exists.
        hex(&serde_json::to_vec(&sealed).unwrap_or_default())
    }

    /// Why a signature does not hold, if it does not.
    pub fn void(&self, signature: &Signature) -> Option<String> {
        if let Some(voided) = &signature.voided {
            return Some(format!("changed after signing: {}", voided.change));
        }
        (signature.seal != self.seal())
            .then(|| "the file was changed after signing, not by this program".to_owned())
    }
}

/// SHA-256, hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    hex_of(&Sha256::digest(bytes))
}

/// Bytes, hexadecimal.
pub(super) fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
