//! The rules that every request of a consumer is judged by. Their texts stand in `rules.toml`, which a person can read and correct
//! without reading the program.

use crate::rows::rows;
use serde::Deserialize;
use std::sync::LazyLock;

const TEXT: &str = include_str!("rules.toml");

/// A test reads the same text, so that no rule is without its row.
static ROWS: LazyLock<Vec<RuleRow>> = LazyLock::new(|| rows(TEXT, "rule").unwrap_or_default());

/// One rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRow {
    pub(super) rule: Rule,
    /// The TKW name where there is one, otherwise ours.
    pub id: &'static str,
    /// What it asks, in plain words.
    pub title: &'static str,
    /// Requirement ids: rows of the SCAL first.
    #[serde(borrow)]
    pub requirements: Vec<&'static str>,
    pub(super) at: &'static str,
    /// How to repair what breaks it.
    pub right: &'static str,
    /// What has to be seen before it can be judged.
    pub needs: &'static str,
}

/// A rule, as the code names it: the rows stand in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Rule {
    // Addresses.
    Reachable,
    ThroughSsp,
    Encoded,
    SlotAddress,
    // Headers.
    SspFrom,
    SspTo,
    SspTrace,
    TraceOfCase,
    SspInteraction,
    Accept,
    ContentType,
    RequestId,
    RequestIdNew,
    RequestIdKept,
    // Token.
    JwtForm,
    JwtOwn,
    JwtIss,
    JwtSub,
    JwtAud,
    JwtIat,
    JwtExp,
    JwtReason,
    JwtScope,
    JwtDevice,
    JwtOrganization,
    JwtPractitioner,
    // Slot search.
    QueryService,
    QueryEnd,
    QueryBegin,
    QueryTimes,
    QueryStatus,
    QueryIncludes,
    QueryReadable,
    // The Appointment that is sent.
    Body,
    Profile,
    NoId,
    StatusBooked,
    Language,
    Contained,
    PatientContained,
    DocContained,
    SlotRef,
    SlotProfile,
    SlotCopy,
    Times,
    Created,
    Description,
    Actor,
    ActorNumber,
    ActorDisplay,
    Document,
    PatientProfile,
    PatientNumber,
    PatientName,
    Contact,
    Email,
    ThirdParty,
    Gender,
    Birth,
    Address,
    Postcode,
    DocProfile,
    DocIdentifier,
    DocStatus,
    DocType,
    DocIndexed,
    DocAttachment,
    Conforms,
    // Cancelling.
    IfMatch,
    CancelRead,
    CancelBody,
    CancelOwn,
    // The order of the journey.
    SearchFirst,
    Offered,
    OneAtATime,
    AgainAfterTaken,
    NewDocument,
    // Failures.
    NoRepeat,
    RetryBound,
    RetryPause,
    Recovers,
    RereadsConflict,
    // Directory and endpoint discovery.
    AsidOfService,
    SystemQuery,
    EndpointQuery,
    EndpointUsed,
    // Referrals.
    ReferralAfter,
    ReferralAddress,
    ReferralPlaces,
}

impl Rule {
    /// Its row of the table.
    pub fn row(self) -> &'static RuleRow {
        &ROWS[self as usize]
    }
}

/// Every rule, in the order of the report.
pub fn rules() -> &'static [RuleRow] {
    &ROWS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_has_its_row() {
        let rows: Vec<RuleRow> = rows(TEXT, "rule").unwrap();
        assert!(
            rows.iter()
                .enumerate()
                .all(|(at, row)| row.rule as usize == at)
        );
        assert_eq!(rows.len(), Rule::ReferralPlaces as usize + 1);
    }
}
