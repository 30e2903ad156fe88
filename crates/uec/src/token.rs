//! `uec token new|show`: make or read the token that each request carries (NAT-JWT-01..12).

use crate::{Failure, Outcome, output, print};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use booking::wire::interaction::Interaction;
use booking::wire::token::{self, Expectation, Minting};
use booking::wire::url;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

/// Make or read the token of a request.
#[derive(Subcommand)]
pub enum Token {
    /// Print a new unsigned token, valid for five minutes
    New(New),
    /// Print what a token says, and what a Provider would object to
    Show(Show),
}

/// Arguments of `uec token new`.
#[derive(Args)]
pub struct New {
    /// Service root of the Provider that the token is for, as registered in SDS
    #[arg(long, value_name = "URL")]
    pub aud: String,
    /// What the token is for
    #[arg(long, value_enum, default_value_t = For::Slots)]
    pub r#for: For,
    /// ODS code of the organisation whose user asks
    #[arg(long, default_value = "FX900")]
    pub ods: String,
    /// Name of that organisation
    #[arg(long, default_value = "Fernhill 111")]
    pub organisation: String,
    /// Local id of the user; without it the token names no practitioner
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Seconds from now at which the token starts (negative: an old token)
    #[arg(long, default_value_t = 0, allow_hyphen_values = true)]
    pub offset: i64,
}

/// What a token is for: decides its scope.
#[derive(Clone, Copy, ValueEnum)]
pub enum For {
    /// Capability and slot search
    Slots,
    /// Book and cancel
    Book,
    /// Read and search appointments
    Read,
}

impl For {
    fn scope(self) -> &'static str {
        match self {
            For::Slots => Interaction::SearchSlots.scope(),
            For::Book => Interaction::Book.scope(),
            For::Read => Interaction::Read.scope(),
        }
    }
}

/// Arguments of `uec token show`.
#[derive(Args)]
pub struct Show {
    /// The token, with or without `Bearer `
    pub token: String,
    /// Check it as a Provider with this service root would, for this purpose
    #[arg(long, value_name = "URL")]
    pub aud: Option<String>,
    /// Purpose that the scope is checked for
    #[arg(long, value_enum, default_value_t = For::Slots)]
    pub r#for: For,
    /// Print the claims as one JSON object
    #[arg(long)]
    pub json: bool,
}

impl Token {
    /// Runs the command.
    pub fn run(self) -> Outcome {
        match self {
            Token::New(new) => {
                let token = new.mint()?;
                print(&format!("{token}\n"));
                new.warn(&token);
                Ok(())
            }
            Token::Show(show) => show.run(),
        }
    }
}

impl New {
    /// The token.
    pub fn mint(&self) -> Result<String, Failure> {
        let ods = booking::ids::OdsCode::parse(&self.ods)
            .map_err(|e| Failure::Usage(format!("--ods: {e}")))?;
        let issued_at = Timestamp::now().as_second().saturating_add(self.offset);
        Ok(mint(
            &self.aud,
            self.r#for.scope(),
            &ods,
            &self.organisation,
            self.user.as_deref(),
            issued_at,
        ))
    }

    /// Says what a Provider will object to. The token is made all the same: a test may want just that.
    fn warn(&self, token: &str) {
        let expect = expectation(&|aud| url::normal_form(aud).is_some(), self.r#for);
        if let Err(reasons) = objections(token, &expect) {
            output::note(&format!("A Provider will refuse this token: {reasons}\n"));
        }
    }
}

/// What a Provider looks for in a token for this purpose.
fn expectation<'a>(audience: &'a dyn Fn(&str) -> bool, purpose: For) -> Expectation<'a> {
    Expectation {
        audience,
        scope: purpose.scope(),
        other_scope: &|_| None,
        now: Timestamp::now(),
        tolerance_seconds: 60,
    }
}

/// Whether a token is what a Provider looks for, or everything that it would say against it.
fn objections(token: &str, expect: &Expectation<'_>) -> Result<(), String> {
    let refusal = match token::read_unsigned(token, expect) {
        Ok(_) => return Ok(()),
        Err(refusal) => refusal,
    };
    let reasons = refusal.findings.iter().map(|f| f.diagnostics.as_str());
    Err(reasons.collect::<Vec<_>>().join(" "))
}

/// An unsigned token of the demo consumer's kind.
pub fn mint(
    audience: &str,
    scope: &str,
    ods: &booking::ids::OdsCode,
    organisation: &str,
    user: Option<&str>,
    issued_at: i64,
) -> String {
    token::mint(&Minting {
        issuer: "https://consumer.example.nhs.uk/".to_owned(),
        audience: audience.to_owned(),
        scope: scope.to_owned(),
        issued_at,
        organization_ods: ods.clone(),
        organization_name: organisation.to_owned(),
        user: user.map(str::to_owned),
    })
}

impl Show {
    fn run(self) -> Outcome {
        let token = self.token.trim();
        let token = token
            .get(..7)
            .filter(|p| p.eq_ignore_ascii_case("bearer "))
            .map_or(token, |_| token[7..].trim());
        let mut parts = token.split('.');
        let (header, payload) = (
            decode(parts.next(), "header")?,
            decode(parts.next(), "payload")?,
        );
        if self.json {
            print(&format!(
                "{}\n",
                serde_json::json!({"header": header, "payload": payload})
            ));
        } else {
            print(&format!("header  {header}\npayload {payload:#}\n"));
            for claim in ["iat", "exp"] {
                if let Some(at) = payload.get(claim).and_then(serde_json::Value::as_i64)
                    && let Ok(at) = Timestamp::from_second(at)
                {
                    print(&format!("{claim}     {at}\n"));
                }
            }
        }
        let Some(root) = self.aud else { return Ok(()) };
        let root = root.trim_end_matches('/').to_owned();
        let expect_root = |aud: &str| aud.trim_end_matches('/') == root;
        let expect = expectation(&expect_root, self.r#for);
        objections(token, &expect).map_err(|reasons| {
            Failure::Refused(format!("the token would be refused: {reasons}"))
        })?;
        if !self.json {
            print("A Provider with this service root accepts the token now.\n");
        }
        Ok(())
    }
}

fn decode(part: Option<&str>, name: &str) -> Result<serde_json::Value, Failure> {
    let part = part.unwrap_or("").trim_end_matches('=');
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|e| Failure::Refused(format!("the token's {name} is not base64url: {e}")))?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Failure::Refused(format!("the token's {name} is not JSON: {e}")))
}
