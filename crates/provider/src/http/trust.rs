//! Whose token is believed: the policy on unsigned tokens, and signatures by a key set.

use crate::config::{Trust as TrustSettings, Unsigned};
use booking::refusal::{Refusal, Situation};
use booking::wire::token::{self, Claims, Expectation};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
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
    /// Reads the policy and its key set.
    pub fn open(settings: &TrustSettings) -> Result<Trust, String> {
        let keys = match &settings.signed_keys {
            None => None,
            Some(path) => {
                let text = std::fs::read(path).map_err(|e| {
                    format!("trust.signed_keys: cannot read {}: {e}", path.display())
                })?;
                let set: JwkSet = serde_json::from_slice(&text).map_err(|e| {
                    format!(
                        "trust.signed_keys: {} is not a JSON Web Key Set: {e}",
                        path.display()
                    )
                })?;
                Some(Arc::new(set))
            }
        };
        let unsigned = settings.unsigned;
        if unsigned == Unsigned::Ssp && settings.ssp_names.is_empty() && keys.is_none() {
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

    /// Believes a token or refuses it with 403 (ERR-06, D-01).
    pub fn verify(
        &self,
        token: &str,
        peer: &Peer,
        expect: &Expectation<'_>,
    ) -> Result<Claims, Refusal> {
        match token::algorithm(token) {
            Some(name) if name != "none" => self.verify_signed(token, expect),
            _ if self.unsigned == Unsigned::Any
                || (self.unsigned == Unsigned::Ssp && peer.is_ssp) =>
            {
                token::read_unsigned(token, expect)
            }
            _ => {
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

fn refused(diagnostics: &str) -> Refusal {
    Refusal::new(Situation::TokenRefused, diagnostics).location("http.Authorization")
}
