//! Whose token is believed: the policy on unsigned tokens, and signatures by a key set.

use crate::config::{Settings, Unsigned};
use booking::foreign::visible_text;
use booking::ids::{Asid, OdsCode};
use booking::named_file;
use booking::refusal::{Refusal, Situation};
use booking::rules::release::Believed;
use booking::wire::token::{self, Claims, Expectation};
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rustls::pki_types::ServerName;
use std::fs::File;
use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection, as far as TLS proved it.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The connection is encrypted.
    pub tls: bool,
    /// Its client certificate was checked and carries one of the configured names of the Spine Secure Proxy.
    pub is_ssp: bool,
}

/// The policy, ready to use.
pub struct Trust {
    unsigned: Unsigned,
    keys: Option<Arc<JwkSet>>,
    /// Clock difference that is tolerated, seconds.
    pub tolerance_seconds: i64,
}

/// Signature algorithms that are taken; symmetric ones never, since a published key could then sign.
const ALGORITHMS: &[Algorithm] = &[
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

impl Trust {
    /// Reads the policy and its key set. Refuses one under which nobody could call, whatever certificate he has.
    pub fn open(settings: &Settings) -> Result<Trust, String> {
        let asks = settings
            .tls
            .as_ref()
            .is_some_and(|tls| tls.client_ca.is_some());
        let settings = &settings.trust;
        let keys = match &settings.signed_keys {
            None => None,
            Some(path) => {
                let text = named_file::text(File::open(path), named_file::SMALL).map_err(|e| {
                    format!("trust.signed_keys: cannot read {}: {e}", path.display())
                })?;
                let set: JwkSet = serde_json::from_str(&text).map_err(|e| {
                    format!(
                        "trust.signed_keys: {} is not a JSON Web Key Set: {e}",
                        path.display()
                    )
                })?;
                Some(Arc::new(set))
            }
        };
        if let Some(wrong) = settings
            .ssp_names
            .iter()
            .find(|name| ServerName::try_from(name.as_str()).is_err())
        {
            return Err(format!(
                "trust.ssp_names: `{}` is no DNS name, so no certificate can carry it: write the whole name as it stands in \
                 the Spine Secure Proxy's certificate, such as msg-out.spine.example",
                visible_text(wrong)
            ));
        }
        let unsigned = settings.unsigned;
        let no_proxy = settings.ssp_names.is_empty() || !asks;
        if unsigned == Unsigned::Ssp && no_proxy && keys.is_none() {
            return Err("nobody could call this server: set trust.ssp_names (with tls.client_ca) to the names in the \
                        Spine Secure Proxy's certificate, or trust.signed_keys, or for development \
                        trust.unsigned = \"any\""
                .into());
        }
        if unsigned == Unsigned::Never && keys.is_none() {
            return Err("trust.unsigned = \"never\" needs trust.signed_keys, a file with a JSON Web Key Set".into());
        }
        Ok(Trust {
            unsigned,
            keys,
            tolerance_seconds: settings.tolerance_seconds,
        })
    }

    /// True when anybody who reaches the port may make up a token.
    pub fn accepts_anybody(&self) -> bool {
        self.unsigned == Unsigned::Any
    }

    /// Which names of a request are believed once its token is verified: the proxy proves the system that it names in
    /// `Ssp-From`, a signature the organisation (D-75).
    pub fn believed(&self, token: &str, peer: &Peer) -> Believed {
        // Where anybody is let in, names are believed as well: nothing better is there, and the guides say so.
        let anybody = self.accepts_anybody() && !peer.is_ssp;
        Believed {
            system: peer.is_ssp || anybody,
            organization: is_signed(token) || anybody,
        }
    }

    /// Believes a token or refuses it with 403 (ERR-06, D-01).
    pub fn verify(
        &self,
        token: &str,
        peer: &Peer,
        expect: &Expectation<'_>,
    ) -> Result<Claims, Refusal> {
        match is_signed(token) {
            true => self.verify_signed(token, expect),
            false
                if self.unsigned == Unsigned::Any
                    || (self.unsigned == Unsigned::Ssp && peer.is_ssp) =>
            {
                token::read_unsigned(token, expect)
            }
            false => {
                // The claims are read all the same, so that a broken token is named as such first.
                token::read_unsigned(token, expect)?;
                Err(refused(match self.unsigned {
                    Unsigned::Never => {
                        "Unsigned tokens are not accepted here; sign the token with a registered key."
                    }
                    _ => {
                        "An unsigned token is accepted only from the Spine Secure Proxy, known by its client \
                          certificate."
                    }
                }))
            }
        }
    }

    fn verify_signed(&self, token: &str, expect: &Expectation<'_>) -> Result<Claims, Refusal> {
        let Some(keys) = &self.keys else {
            return Err(refused(
                "Signed tokens are not accepted here: the token's `alg` must be `none`.",
            ));
        };
        token::check_signed_header(token)?;
        let header = jsonwebtoken::decode_header(token)
            .map_err(|e| refused("The token's header cannot be read.").log(e.to_string()))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(refused(
                "The token's `alg` is not accepted; use RS256, PS256, ES256 or EdDSA.",
            ));
        }
        let key = match &header.kid {
            Some(kid) => keys.find(kid),
            None if keys.keys.len() == 1 => keys.keys.first(),
            None => None,
        };
        let key = key.ok_or_else(|| refused("The token's `kid` names no registered key."))?;
        check_key(key, header.alg)?;
        let key = DecodingKey::from_jwk(key)
            .map_err(|e| refused("The registered key cannot be used.").log(e.to_string()))?;
        // Only the signature is judged here; every claim is judged by the Standard's rules below.
        let mut rules = Validation::new(header.alg);
        rules.validate_exp = false;
        rules.validate_aud = false;
        rules.required_spec_claims.clear();
        jsonwebtoken::decode::<serde::de::IgnoredAny>(token, &key, &rules)
            .map_err(|e| refused("The token's signature does not match.").log(e.to_string()))?;
        token::read_verified(token, expect)
    }
}

/// Whether a token says that it is signed; one that does is believed only after its signature was checked.
fn is_signed(token: &str) -> bool {
    token::algorithm(token).is_some_and(|name| name != "none")
}

/// Whether a key is for signatures of this algorithm, as far as it says (RFC 7517, 4.2 to 4.4).
fn check_key(key: &Jwk, alg: Algorithm) -> Result<(), Refusal> {
    let says = &key.common;
    if says
        .public_key_use
        .as_ref()
        .is_some_and(|u| *u != PublicKeyUse::Signature)
    {
        return Err(refused(
            "The registered key that the token names is not for signatures (its `use` is not `sig`).",
        ));
    }
    let verifies = |all: &Vec<KeyOperations>| all.contains(&KeyOperations::Verify);
    if !says.key_operations.as_ref().is_none_or(verifies) {
        return Err(refused(
            "The registered key that the token names is not for verifying (its `key_ops` lack `verify`).",
        ));
    }
    match says.key_algorithm {
        Some(declared) if declared != KeyAlgorithm::from(alg) => Err(refused(&format!(
            "The token's `alg` is {alg:?}; the registered key that it names is for {declared:?} only."
        ))),
        _ => Ok(()),
    }
}

/// 403 for a declared system whose token names an organisation that it is not declared for (D-75).
pub fn other_organization(asid: &Asid, ods: &OdsCode) -> Refusal {
    refused(&format!(
        "The token names the organisation {ods}; the system {asid} is not declared for it here. A system that serves \
         several organisations is declared with all of them."
    ))
}

fn refused(diagnostics: &str) -> Refusal {
    Refusal::new(Situation::TokenRefused, diagnostics).location("http.Authorization")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_certificate_can_carry_is_refused() {
        for name in ["*", "", "msg out.example", "https://msg-out.spine.example"] {
            let mut settings = Settings::default();
            settings.trust.ssp_names = vec!["msg-out.spine.example".to_owned(), name.to_owned()];
            let refused = Trust::open(&settings).err().unwrap_or_default();
            assert!(
                refused.contains(&format!("`{name}` is no DNS name")),
                "{refused}"
            );
        }
    }
}
