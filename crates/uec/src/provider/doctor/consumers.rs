//! Consumers and release rules that cannot do what they seem to say, and consumers of the superseded version.

use super::{Catalogued, Findings};
use booking::ids::OdsCode;
use booking::version::StandardVersion;
use provider::config::{Trust, Unsigned};
use provider::diary::catalogue::{Catalogue, Consumer, Release};
use provider::diary::declaration::Right;

/// Looks for rules that nobody can meet, and for declarations that count for nobody.
pub fn check(trust: &Trust, catalogues: &[Catalogued], out: &mut Findings<'_>) {
    for of in catalogues {
        let before = out.all.len();
        for release in &of.catalogue.releases {
            one(of, release, out);
        }
        for consumer in of.catalogue.consumers.iter().filter(|c| c.may.is_empty()) {
            out.note(
                format!(
                    "{} {} may do nothing at {}.",
                    consumer.name,
                    consumer.id(),
                    of.ods
                ),
                "Give it rights, or leave it if that is meant.",
            );
        }
        if out.all.len() == before {
            out.ok(format!("Every release rule of {} can be met.", of.ods));
        }
        versions(of, out);
        if trust.signed_keys.is_none() && trust.unsigned != Unsigned::Any {
            by_code_alone(of, out);
        }
    }
}

/// Consumers declared without a system, where no organisation is ever proven (D-75).
fn by_code_alone(of: &Catalogued, out: &mut Findings<'_>) {
    for consumer in of.catalogue.consumers.iter().filter(|c| c.asid.is_none()) {
        out.warn(
            format!(
                "{} is declared by its ODS code {} alone at {}, and nothing proves an organisation to this server: the \
                 declaration gives nothing to anybody.",
                consumer.name, consumer.ods, of.ods
            ),
            "Declare its system with `asid`, or take signed tokens (trust.signed_keys).",
        );
    }
}

/// Consumers of the superseded version: who they are, and what is different for them.
fn versions(of: &Catalogued, out: &mut Findings<'_>) {
    for consumer in &of.catalogue.consumers {
        let Some(standard @ StandardVersion::Superseded) = consumer.standard else {
            continue;
        };
        out.note(
            format!(
                "{} {} follows API {standard} of the Standard {}, which is superseded, at {}.",
                consumer.name,
                consumer.id(),
                standard.standard(),
                of.ods
            ),
            "Nothing, as long as that is so; take `standard` out when it has moved to the current version.",
        );
    }
}

fn one(of: &Catalogued, release: &Release, out: &mut Findings<'_>) {
    let catalogue = &of.catalogue;
    let name = format!("The release rule `{}` of {}", release.id, of.ods);
    if !is_used(catalogue, &release.id) {
        out.note(
            format!("{name} stands over nothing."),
            "Name it in a service, template or session, or take it out.",
        );
    }
    if !anybody(catalogue, release) {
        out.warn(
            format!("{name} is for consumers that do not exist, or may not book."),
            "Compare its kinds, ods and asids with the consumers that are declared.",
        );
    }
}

fn is_used(catalogue: &Catalogue, id: &str) -> bool {
    let has = |rules: &[String]| rules.iter().any(|r| r == id);
    catalogue.services.iter().any(|s| has(&s.release))
        || catalogue.templates.iter().any(|t| has(&t.release))
        || catalogue.sessions.iter().any(|s| has(&s.release))
}

/// Whether anybody who may book is meant. Consumers that are not declared have no kind.
fn anybody(catalogue: &Catalogue, release: &Release) -> bool {
    if release.kinds.is_empty() && release.ods.is_empty() && release.asids.is_empty() {
        return true;
    }
    let books = |c: &&Consumer| c.may.contains(&Right::Book);
    let meant = |c: &Consumer| {
        let kind = c.kind.as_deref().unwrap_or("");
        release
            .kinds
            .iter()
            .any(|k| !kind.is_empty() && k.eq_ignore_ascii_case(kind))
            || release.ods.contains(&c.ods)
            || c.asid.as_ref().is_some_and(|a| release.asids.contains(a))
    };
    if catalogue.consumers.iter().filter(books).any(meant) {
        return true;
    }
    let others = catalogue.provider.others_may.contains(&Right::Book);
    let declared = |ods: &OdsCode| catalogue.consumers.iter().any(|c| c.ods == *ods);
    let undeclared = release.ods.iter().any(|ods| !declared(ods)) || !release.asids.is_empty();
    others && undeclared
}
