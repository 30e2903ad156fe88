//! Faults of the DoS, and what they mean to the user (NAT-DOS-10).

use super::soap::{child, text, text_of};
use crate::obstacle::{Kind, Obstacle};
use roxmltree::Node;

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DosFault {
    /// The number, where there is one.
    code: Option<u16>,
    /// What stands in its place.
    value: String,
    /// Its text.
    text: String,
}

impl DosFault {
    /// Reads a fault of SOAP 1.2, or of 1.1, which gateways in front of the DoS send.
    pub fn read(fault: Node<'_, '_>) -> DosFault {
        let code = child(fault, "Code");
        let sub = code.and_then(|c| child(c, "Subcode"));
        let values: Vec<String> = [
            code.and_then(|c| text_of(c, "Value")),
            sub.and_then(|s| text_of(s, "Value")),
            text_of(fault, "faultcode"),
        ]
        .into_iter()
        .flatten()
        .collect();
        let reason = child(fault, "Reason")
            .and_then(|r| child(r, "Text"))
            .and_then(text);
        DosFault {
            code: values.iter().find_map(|v| number(v)),
            value: values.join(" "),
            text: reason
                .or_else(|| text_of(fault, "faultstring"))
                .unwrap_or_default(),
        }
    }

    /// The obstacle it is. `dated`: a time was searched for, which some numbers may be about.
    pub fn obstacle(&self, dated: bool) -> Obstacle {
        let about_date = dated && self.text.to_ascii_lowercase().contains("date");
        let kind = match self.code {
            Some(101) => Kind::PostcodeUnknown,
            Some(102) => Kind::NoServices,
            Some(103) => Kind::ServiceUnknown,
            Some(108 | 109) if about_date => Kind::SearchDetails,
            Some(107..=109) => Kind::DosRequest,
            Some(104..=106 | 110..=121) => Kind::SearchDetails,
            Some(300..=399 | 1001) => Kind::DosAccess,
            // 100, 500, 504, numbers not known, and faults without a number.
            _ => Kind::DosFailed,
        };
        Obstacle::new(kind)
            .text("dos_code", &self.value)
            .text("dos_text", &self.text)
    }
}

/// The number in `104` or `ns1:104`.
fn number(value: &str) -> Option<u16> {
    value.rsplit(':').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(xml: &str) -> DosFault {
        let document =
            booking::bounded_xml::parse(xml, booking::bounded_xml::Bounds::nodes(100_000)).unwrap();
        DosFault::read(document.root_element())
    }

    /// Proves: NAT-DOS-10
    #[test]
    fn every_number_has_its_meaning() {
        for (code, dated, kind) in [
            (100, false, Kind::DosFailed),
            (101, false, Kind::PostcodeUnknown),
            (102, false, Kind::NoServices),
            (103, false, Kind::ServiceUnknown),
            (104, false, Kind::SearchDetails),
            (105, false, Kind::SearchDetails),
            (106, false, Kind::SearchDetails),
            (107, false, Kind::DosRequest),
            (108, false, Kind::DosRequest),
            (108, true, Kind::SearchDetails),
            (109, false, Kind::DosRequest),
            (109, true, Kind::SearchDetails),
            (110, true, Kind::SearchDetails),
            (113, false, Kind::SearchDetails),
            (118, false, Kind::SearchDetails),
            (119, false, Kind::SearchDetails),
            (121, false, Kind::SearchDetails),
            (300, false, Kind::DosAccess),
            (302, false, Kind::DosAccess),
            (303, false, Kind::DosAccess),
            (1001, false, Kind::DosAccess),
            (500, false, Kind::DosFailed),
            (504, false, Kind::DosFailed),
            (777, false, Kind::DosFailed),
        ] {
            let fault = of(&format!(
                "<e:Fault xmlns:e='e'><e:Code><e:Value>{code}</e:Value></e:Code>\
                 <e:Reason><e:Text>Parameter: search date</e:Text></e:Reason></e:Fault>"
            ));
            let obstacle = fault.obstacle(dated);
            assert_eq!(obstacle.kind, kind, "{code}");
            assert_eq!(obstacle.noted("dos_code"), Some(code.to_string().as_str()));
        }
    }

    #[test]
    fn a_fault_in_another_form_keeps_its_words() {
        let old = of(
            "<Fault><faultcode>s:Server</faultcode><faultstring>gateway down</faultstring></Fault>",
        );
        let obstacle = old.obstacle(false);
        assert_eq!(obstacle.kind, Kind::DosFailed);
        assert_eq!(obstacle.noted("dos_text"), Some("gateway down"));
        let sub = of(
            "<Fault><Code><Value>env:Sender</Value><Subcode><Value>n:302</Value></Subcode></Code></Fault>",
        );
        assert_eq!(sub.obstacle(false).kind, Kind::DosAccess);
    }
}
