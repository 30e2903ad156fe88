//! The actors of a test plan (DEP-06).

use booking::nearest::named;
use serde::{Deserialize, Serialize};

/// What somebody is in a test plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// NHS Digital delivery manager.
    DeliveryManager,
    /// Regional DoS configuration lead.
    DosLead,
    /// Supplier support of the consumer's system.
    ConsumerSupplier,
    /// Service project lead of the consumer.
    ConsumerLead,
    /// User of the consumer's system.
    ConsumerUser,
    /// Supplier support of the provider's system.
    ProviderSupplier,
    /// Service project lead of the provider.
    ProviderLead,
    /// User of the provider's system.
    ProviderUser,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 8] = [
        Role::DeliveryManager,
        Role::DosLead,
        Role::ConsumerSupplier,
        Role::ConsumerLead,
        Role::ConsumerUser,
        Role::ProviderSupplier,
        Role::ProviderLead,
        Role::ProviderUser,
    ];

    /// The word on the command line and in the file.
    pub fn word(self) -> &'static str {
        match self {
            Role::DeliveryManager => "delivery-manager",
            Role::DosLead => "dos-lead",
            Role::ConsumerSupplier => "consumer-supplier",
            Role::ConsumerLead => "consumer-lead",
            Role::ConsumerUser => "consumer-user",
            Role::ProviderSupplier => "provider-supplier",
            Role::ProviderLead => "provider-lead",
            Role::ProviderUser => "provider-user",
        }
    }

    /// The role of a word.
    pub fn from_word(word: &str) -> Result<Role, String> {
        let word = word.trim().to_ascii_lowercase();
        named("role", &word, Role::ALL.into_iter(), |role| role.word())
    }

    /// What it is called.
    pub fn title(self) -> &'static str {
        match self {
            Role::DeliveryManager => "NHS Digital delivery manager",
            Role::DosLead => "Regional DoS configuration lead",
            Role::ConsumerSupplier => "Supplier support, consumer side",
            Role::ConsumerLead => "Service project lead, consumer side",
            Role::ConsumerUser => "User, consumer side",
            Role::ProviderSupplier => "Supplier support, provider side",
            Role::ProviderLead => "Service project lead, provider side",
            Role::ProviderUser => "User, provider side",
        }
    }
}

/// Who has a role in this run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Name; `nobody` says that the role is not filled, and is said in the report.
    pub name: String,
    /// Organisation, by name or ODS code.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub organisation: String,
    /// Where they are reached at work during the run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub contact: String,
}

/// What stands for a role that nobody has.
pub const NOBODY: &str = "nobody";

impl Actor {
    /// Whether the role is filled.
    pub fn is_somebody(&self) -> bool {
        !self.name.eq_ignore_ascii_case(NOBODY)
    }

    /// Whether something that has to be known is missing.
    pub fn is_open(&self) -> bool {
        self.is_somebody() && self.organisation.is_empty()
    }
}
