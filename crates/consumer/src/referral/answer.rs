//! Reads a service's answer to a referral.

use super::endpoint::Wrapping;
use super::failure::{ReferralFailure, Why};
use booking::bounded_xml::{self, Bounds};
use fhir::schema::Schema;
use roxmltree::Node;

/// Most nodes of an answer. An acknowledgement has about ten.
const BOUNDS: Bounds = Bounds::nodes(10_000);
/// Longest text of a fault read, characters. The log gets less.
const MAX_LOGGED: usize = 2_000;
/// ITK's code for a refused message.
const REFUSED: &str = "2200";

/// The meaning of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It has the document.
    Taken,
    /// It does not take the document, and says why.
    Fault(Fault),
    /// Not understandable.
    Unreadable,
}

/// A fault in the service's words, for the log only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// ITK error code, or the code of an OperationOutcome.
    pub code: String,
    /// The service's id of the error.
    pub id: String,
    /// The service's text.
    pub text: String,
}

impl Answer {
    /// Reads an answer.
    pub fn read(wrapping: Wrapping, status: u16, body: &[u8]) -> Answer {
        match wrapping {
            Wrapping::FhirJson | Wrapping::FhirXml => fhir(status, body),
            _ => soap(status, body),
        }
    }
}

fn soap(status: u16, body: &[u8]) -> Answer {
    let Ok(text) = std::str::from_utf8(body) else {
        return Answer::Unreadable;
    };
    let Ok(tree) = bounded_xml::parse(text.trim_start_matches('\u{feff}'), BOUNDS) else {
        return Answer::Unreadable;
    };
    let all = |name: &'static str| {
        let elements = tree.descendants().filter(Node::is_element);
        elements.filter(move |n| n.tag_name().name() == name)
    };
    let find = |name| all(name).next();
    if let Some(info) = find("ToolkitErrorInfo").or_else(|| find("errorInfo")) {
        return Answer::Fault(toolkit_error(info));
    }
    if let Some(fault) = find("Fault") {
        return Answer::Fault(plain_fault(fault));
    }
    if !(200..300).contains(&status) {
        return Answer::Unreadable;
    }
    let refused = |what: &str, result: &str| {
        Answer::Fault(Fault {
            code: REFUSED.to_owned(),
            id: String::new(),
            text: format!("{what} with result {result}"),
        })
    };
    let results = all("InfrastructureResponse").map(|r| r.attribute("result").unwrap_or(""));
    let (taken, denied): (Vec<_>, Vec<_>) = results.partition(|r| r.eq_ignore_ascii_case("OK"));
    let simple = all("SimpleMessageResponse").map(words);
    let (said, unsaid): (Vec<_>, Vec<_>) = simple.partition(|s| says_ok(s));
    match (denied.first(), unsaid.first()) {
        // Both at once mean nothing.
        (Some(_), _) if !taken.is_empty() => Answer::Unreadable,
        (Some(result), _) => refused("InfrastructureResponse", result),
        (None, Some(_)) if !said.is_empty() => Answer::Unreadable,
        (None, Some(words)) => refused("SimpleMessageResponse", words),
        (None, None) if taken.is_empty() && said.is_empty() => Answer::Unreadable,
        (None, None) => Answer::Taken,
    }
}

/// Whether a SimpleMessageResponse accepts the message: `OK`, or `OK:` and the message's id.
fn says_ok(said: &str) -> bool {
    let word = said.split(|c: char| !c.is_alphanumeric()).next();
    word.is_some_and(|word| word.eq_ignore_ascii_case("OK"))
}

/// A fault of the SOAP layer. The receiver's faults may pass; the sender's do not.
fn plain_fault(fault: Node<'_, '_>) -> Fault {
    let value = fault
        .descendants()
        .find(|n| matches!(n.tag_name().name(), "faultcode" | "Value"))
        .map(words)
        .unwrap_or_default();
    let receiver = value.ends_with("Server") || value.ends_with("Receiver");
    Fault {
        code: if receiver { "2100" } else { "1000" }.to_owned(),
        id: String::new(),
        text: words(fault),
    }
}

fn toolkit_error(info: Node<'_, '_>) -> Fault {
    let text = |name: &str| {
        info.descendants()
            .find(|n| n.is_element() && n.tag_name().name() == name)
            .map(words)
            .unwrap_or_default()
    };
    Fault {
        code: text("ErrorCode"),
        id: text("ErrorID"),
        text: text("ErrorText"),
    }
}

/// All text in the element, on one line, cut to length.
fn words(node: Node<'_, '_>) -> String {
    let text: Vec<&str> = node
        .descendants()
        .filter(Node::is_text)
        .filter_map(|n| n.text())
        .flat_map(str::split_whitespace)
        .collect();
    text.join(" ").chars().take(MAX_LOGGED).collect()
}

fn fhir(status: u16, body: &[u8]) -> Answer {
    let limits = fhir::Limits::default();
    let parsed = fhir::json::parse(body, &limits).or_else(|_| fhir::xml::parse(body, &limits));
    let is_success = (200..300).contains(&status);
    let parsed = parsed.ok();
    // A web page from something on the way says nothing about the document. An empty body is a complete answer.
    let kind = parsed.as_ref().and_then(|p| p.root.resource_type());
    let is_fhir = kind.is_some_and(|kind| Schema::stu3().is_resource_type(kind));
    let is_foreign = !is_fhir && !body.iter().all(u8::is_ascii_whitespace);
    let outcome = parsed.filter(|p| p.root.resource_type() == Some("OperationOutcome"));
    let outcome = match (outcome, is_success) {
        (None, true) if is_foreign => return Answer::Unreadable,
        (None, true) => return Answer::Taken,
        (None, false) => return Answer::Unreadable,
        // A success may contain an error.
        (Some(outcome), true) if !has_error(&outcome.root) => return Answer::Taken,
        (Some(outcome), _) => outcome,
    };
    let said = |path: &str| {
        let found = outcome.root.at(path).and_then(fhir::Element::as_str);
        found.unwrap_or("").chars().take(MAX_LOGGED).collect()
    };
    // The statuses make the same distinction as ITK's codes.
    let code = match status {
        401 | 403 => "3000",
        408 | 429 | 500.. => "2100",
        400 => "1000",
        _ => REFUSED,
    };
    Answer::Fault(Fault {
        code: code.to_owned(),
        id: said("id"),
        text: said("issue.diagnostics"),
    })
}

fn has_error(outcome: &fhir::Element) -> bool {
    outcome
        .all("issue")
        .any(|issue| matches!(issue.str_of("severity"), Some("error" | "fatal")))
}

impl Fault {
    /// The answer in plain words.
    pub(super) fn unsent(&self) -> ReferralFailure {
        const RING: &str =
            "Ring the service to hand over, and report the fault with the details in the log.";
        let unsent = match self.code.as_str() {
            "2100" => ReferralFailure::new(
                Why::ServiceFault,
                "The service's system has a fault and could not take the referral.",
                "Try again in some minutes; if it stays so, ring the service to hand over.",
            ),
            "2200" => ReferralFailure::new(
                Why::Refused,
                "The service's system refused the referral.",
                "Ring the service to hand over; a referral that was sent with a booking cannot be replaced.",
            ),
            "3000" => ReferralFailure::new(
                Why::Denied,
                "The service's system does not take referrals from us.",
                RING,
            ),
            _ => ReferralFailure::new(
                Why::Malformed,
                "The service's system could not read the referral.",
                RING,
            ),
        };
        unsent
            .text("code", &self.code)
            .text("error_id", &self.id)
            .text("said", &self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves: D-65
    /// One answer that says both that it takes the document and that it does not leaves it open, and so does a page of
    /// something on the way.
    #[test]
    fn an_answer_that_contradicts_itself_is_none() {
        let soap = |body: &str| {
            let text = format!("<E><Body>{body}</Body></E>");
            Answer::read(Wrapping::Itk, 200, text.as_bytes())
        };
        let simple = |said: &str| format!("<SimpleMessageResponse>{said}</SimpleMessageResponse>");
        let (yes, no) = (simple("OK:1"), simple("ERROR"));
        assert_eq!(soap(&(yes.clone() + &no)), Answer::Unreadable);
        assert_eq!(soap(&(no.clone() + &yes)), Answer::Unreadable);
        assert_eq!(soap(&(yes.clone() + &yes)), Answer::Taken);
        assert!(matches!(soap(&(no.clone() + &no)), Answer::Fault(_)));
        let result = |said: &str| format!("<InfrastructureResponse result=\"{said}\"/>");
        assert_eq!(
            soap(&(result("OK") + &result("Failure"))),
            Answer::Unreadable
        );
        assert!(matches!(soap(&(result("OK") + &no)), Answer::Fault(_)));

        for (body, wanted) in [
            ("", Answer::Taken),
            (
                r#"{"resourceType":"Bundle","type":"message"}"#,
                Answer::Taken,
            ),
            ("<html><body>Sign in</body></html>", Answer::Unreadable),
            ("OK", Answer::Unreadable),
        ] {
            let read = Answer::read(Wrapping::FhirJson, 200, body.as_bytes());
            assert_eq!(read, wanted, "{body}");
        }
    }

    /// Every element may have a prefix, some or none: what is said is the same.
    #[test]
    fn prefixes_do_not_matter() {
        let envelope = |soap: &str, itk: &str, body: &str| {
            let (s, colon) = (
                soap.trim_end_matches(':'),
                if soap.is_empty() { "" } else { ":" },
            );
            let (i, also) = (
                itk.trim_end_matches(':'),
                if itk.is_empty() { "" } else { ":" },
            );
            let body = body.replace("itk:", itk);
            format!(
                "<{soap}Envelope xmlns{colon}{s}=\"http://www.w3.org/2003/05/soap-envelope\"><{soap}Body>\
                 <{itk}Wrap xmlns{also}{i}=\"urn:nhs-itk:ns:201005\">{body}</{itk}Wrap></{soap}Body></{soap}Envelope>"
            )
        };
        for (soap, itk) in [("", ""), ("s:", ""), ("", "itk:"), ("env:", "n1:")] {
            let read = |status, body: &str| {
                let text = envelope(soap, itk, body);
                Answer::read(Wrapping::Itk, status, text.as_bytes())
            };
            let simple = "<itk:SimpleMessageResponse>OK:1</itk:SimpleMessageResponse>";
            assert_eq!(read(200, simple), Answer::Taken, "{soap} {itk}");
            let infrastructure = "<itk:InfrastructureResponse result=\"OK\"/>";
            assert_eq!(read(200, infrastructure), Answer::Taken, "{soap} {itk}");
            let no = "<itk:InfrastructureResponse result=\"Failure\"><itk:errors><itk:errorInfo>\
                <itk:ErrorID>E</itk:ErrorID><itk:ErrorCode>2200</itk:ErrorCode><itk:ErrorText>no</itk:ErrorText>\
                </itk:errorInfo></itk:errors></itk:InfrastructureResponse>";
            let fault = Answer::Fault(Fault {
                code: "2200".into(),
                id: "E".into(),
                text: "no".into(),
            });
            assert_eq!(read(200, no), fault, "{soap} {itk}");
        }
    }
}
