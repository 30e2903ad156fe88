//! Consumers and release rules that cannot do what they seem to say, and consumers of the superseded version.

use super::{Catalogued, Findings};
use booking::version::StandardVersion;
use provider::config::{Trust, Unsigned};

/// Looks for rules that nobody can meet, and for declarations that count for nobody.
pub fn check(trust: &Trust, catalogues: &[Catalogued], out: &mut Findings<'_>) {
    for of in catalogues {
        let before = out.all.len();
        of.tell(&["release", "consumer"], out);
        for consumer in of
            .catalogue
            .declared
            .consumers
            .iter()
            .filter(|c| c.may.is_empty())
        {
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
    for consumer in of
        .catalogue
        .declared
        .consumers
        .iter()
        .filter(|c| c.asid.is_none())
    {
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
    for consumer in &of.catalogue.declared.consumers {
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
