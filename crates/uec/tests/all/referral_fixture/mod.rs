//! Referral messages of our own making, written as another supplier would, and the command line that shows them.

use super::support::operations;
use std::io::{BufReader, Write as _};
use testkit::{Arguments, Ended, assert_contains, words};

use serde_json::Value;

use super::support::http::connect;
use super::support::{Call, Response, Server, uuid};

pub const REPORT: &str = "urn:nhs-itk:services:201005:SendNHS111Report-v2-0";
pub const PROFILE: &str = "urn:nhs-en:profile:nhs111CDADocument-v2-0";

/// A CDA that can be bent.
#[derive(Clone, Debug)]
pub struct Cda {
    pub id: String,
    pub nhs_number: Option<String>,
    pub recipient: Option<String>,
    /// `linkHtml/@href` and the text between the tags.
    pub link: Option<(String, String)>,
    /// `encounter/id/@extension`.
    pub entry: Option<String>,
    pub set_id: Option<String>,
    pub replaces: Option<String>,
    pub narrative: String,
}

impl Cda {
    pub fn new(id: &str) -> Cda {
        Cda {
            id: id.to_owned(),
            nhs_number: None,
            recipient: Some("FX101".to_owned()),
            link: None,
            entry: None,
            set_id: None,
            replaces: None,
            narrative: "Sore throat, \u{2265} 3 days, temperature < 38 & falling".to_owned(),
        }
    }

    /// Both references to an appointment (REF-CON-04).
    pub fn booked(mut self, url: &str) -> Cda {
        self.link = Some((url.to_owned(), "Appointment".to_owned()));
        self.entry = Some(url.to_owned());
        self
    }

    pub fn xml(&self) -> String {
        let optional = |value: &Option<String>, form: &dyn Fn(&str) -> String| {
            value.as_deref().map(form).unwrap_or_default()
        };
        let link = self.link.as_ref().map(|(href, text)| {
            format!(
                "<component><section><title>Booked</title><text><linkHtml href=\"{}\">{text}</linkHtml></text>\
                 </section></component>",
                escaped(href)
            )
        });
        [
            format!("<ClinicalDocument xmlns=\"urn:hl7-org:v3\"><id root=\"{}\"/>", self.id),
            optional(&self.set_id, &|id| format!("<setId root=\"{id}\"/><versionNumber value=\"2\"/>")),
            "<recordTarget><patientRole>".to_owned(),
            optional(&self.nhs_number, &|n| format!("<id root=\"2.16.840.1.113883.2.1.4.1\" extension=\"{n}\"/>")),
            "</patientRole></recordTarget><author><assignedAuthor><representedOrganization>\
             <id root=\"2.16.840.1.113883.2.1.3.2.4.19.1\" extension=\"FX900\"/></representedOrganization>\
             </assignedAuthor></author>".to_owned(),
            optional(&self.recipient, &|ods| format!(
                "<informationRecipient typeCode=\"PRCP\"><intendedRecipient><receivedOrganization>\
                 <id root=\"2.16.840.1.113883.2.1.3.2.4.19.1\" extension=\"{ods}\"/></receivedOrganization>\
                 </intendedRecipient></informationRecipient>")),
            optional(&self.replaces, &|id| format!(
                "<relatedDocument typeCode=\"RPLC\"><parentDocument><id root=\"{id}\"/></parentDocument>\
                 </relatedDocument>")),
            "<component><structuredBody><component><section><title>Triage</title><text>".to_owned(),
            escaped(&self.narrative),
            "</text>".to_owned(),
            optional(&self.entry, &|url| format!(
                "<entry><encounter classCode=\"ENC\" moodCode=\"APT\"><id root=\"2.16.840.1.113883.2.1.3.2.4.17.541\" \
                 extension=\"{}\"/></encounter></entry>", escaped(url))),
            link.unwrap_or_default(),
            "</section></component></structuredBody></component></ClinicalDocument>".to_owned(),
        ]
        .concat()
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('"', "&quot;")
}

/// A SOAP message that can be bent.
#[derive(Clone, Debug)]
pub struct Itk {
    pub namespace: &'static str,
    pub tracking: String,
    pub service: String,
    pub action: String,
    pub address: Option<String>,
    pub profile: String,
    pub base64: bool,
    pub compressed: bool,
    pub item_id: String,
    pub payload_id: String,
    pub count: String,
    pub response: bool,
    pub payload: Vec<u8>,
}

impl Itk {
    pub fn new(cda: &str) -> Itk {
        let item = format!("uuid_{}", uuid().to_ascii_uppercase());
        Itk {
            namespace: "http://schemas.xmlsoap.org/soap/envelope/",
            tracking: uuid().to_ascii_uppercase(),
            service: REPORT.to_owned(),
            action: REPORT.to_owned(),
            address: Some("urn:nhs-uk:addressing:ods:FX101".to_owned()),
            profile: PROFILE.to_owned(),
            base64: false,
            compressed: false,
            item_id: item.clone(),
            payload_id: item,
            count: "1".to_owned(),
            response: false,
            payload: cda.as_bytes().to_vec(),
        }
    }

    pub fn soap12(mut self) -> Itk {
        self.namespace = "http://www.w3.org/2003/05/soap-envelope";
        self
    }

    pub fn xml(&self) -> Vec<u8> {
        use base64::Engine as _;
        let payload = if self.base64 {
            let bytes = if self.compressed {
                super::support::http::gzip(&self.payload)
            } else {
                self.payload.clone()
            };
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            // In lines, as many senders write it.
            let lines: Vec<&str> = text
                .as_bytes()
                .chunks(76)
                .map(|l| std::str::from_utf8(l).expect("ascii"))
                .collect();
            lines.join("\r\n")
        } else {
            String::from_utf8(self.payload.clone()).expect("text")
        };
        let address = self
            .address
            .as_ref()
            .map(|uri| format!("<itk:addresslist><itk:address uri=\"{uri}\"/></itk:addresslist>"))
            .unwrap_or_default();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soap:Envelope xmlns:soap=\"{}\" \
             xmlns:wsa=\"http://www.w3.org/2005/08/addressing\" xmlns:itk=\"urn:nhs-itk:ns:201005\"><soap:Header>\
             <wsa:MessageID>M-{}</wsa:MessageID><wsa:Action>{}</wsa:Action></soap:Header><soap:Body>\
             <itk:DistributionEnvelope><itk:header service=\"{}\" trackingid=\"{}\">{address}<itk:auditIdentity>\
             <itk:id uri=\"urn:nhs-uk:identity:ods:FX900\"/></itk:auditIdentity><itk:manifest count=\"{}\">\
             <itk:manifestitem id=\"{}\" mimetype=\"text/xml\" profileid=\"{}\" base64=\"{}\" compressed=\"{}\" \
             encrypted=\"false\"/></itk:manifest><itk:senderAddress uri=\"urn:nhs-uk:addressing:ods:FX900\"/>\
             <itk:handlingSpecification><itk:spec key=\"urn:nhs-itk:ns:201005:infackrequested\" value=\"{}\"/>\
             </itk:handlingSpecification></itk:header><itk:payloads count=\"{}\"><itk:payload id=\"{}\">{payload}\
             </itk:payload></itk:payloads></itk:DistributionEnvelope></soap:Body></soap:Envelope>",
            self.namespace, self.tracking, self.action, self.service, self.tracking, self.count, self.item_id,
            self.profile, self.base64, self.compressed, self.response, self.count, self.payload_id,
        )
        .into_bytes()
    }

    pub fn media_type(&self) -> &'static str {
        match self.namespace.contains("2003/05") {
            true => "application/soap+xml; charset=utf-8",
            false => "text/xml; charset=utf-8",
        }
    }
}

/// A POST to a path, without what the Booking API asks of every answer: SOAP 1.1 sends faults with 500.
#[track_caller]
pub fn post(server: &Server, path: &str, media_type: &str, body: &[u8]) -> Response {
    let call = Call::new(server.address, "POST", path)
        .with("Content-Type", media_type)
        .with("Connection", "close")
        .body(body);
    send(&call).expect("an answer")
}

pub fn send(call: &Call) -> Option<Response> {
    let stream = connect(call.address);
    let mut writing = stream.try_clone().expect("second handle");
    let bytes = call.bytes();
    let writer = std::thread::spawn(move || {
        let _ = writing.write_all(&bytes);
    });
    let response = Response::read(&mut BufReader::new(&stream));
    let _ = stream.shutdown(std::net::Shutdown::Both);
    let _ = writer.join();
    response
}

#[track_caller]
pub fn send_itk(server: &Server, message: &Itk) -> Response {
    post(server, "/itk", message.media_type(), &message.xml())
}

/// Sends and checks that it is acknowledged for this tracking id.
#[track_caller]
pub fn accepted(server: &Server, message: &Itk) -> Response {
    let response = send_itk(server, message).with(200);
    let text = response.text();
    assert_contains(
        &text,
        &["SimpleMessageResponse", &format!("OK:{}", message.tracking)],
    );
    response
}

/// Sends a document in SOAP, which is acknowledged.
#[track_caller]
pub fn files(server: &Server, cda: &Cda) {
    accepted(server, &Itk::new(&cda.xml()));
}

/// Sends a FHIR document, and takes any answer.
#[track_caller]
pub fn post_fhir(server: &Server, path: &str, body: &Value) -> Response {
    let body = body.to_string();
    post(server, path, "application/fhir+json", body.as_bytes())
}

/// The original of a referral of FX101, as it is given out.
#[track_caller]
pub fn original(server: &Server, id: &str) -> String {
    let file = server.folder.join(format!("{id}.cda"));
    let show = format!(
        "show '{id}' --provider FX101 --original '{}'",
        file.display()
    );
    uec(server, &show).with(0);
    std::fs::read_to_string(file).expect("written")
}

/// Sends and checks that a fault with this code comes back; gives its text.
#[track_caller]
pub fn faulted(server: &Server, message: &Itk, code: &str) -> String {
    let is_soap12 = message.namespace.contains("2003/05");
    let status = if is_soap12 { 400 } else { 500 };
    check_fault(&send_itk(server, message).with(status), code)
}

/// What every fault has; gives its text.
#[track_caller]
pub fn check_fault(response: &Response, code: &str) -> String {
    let text = response.text();
    let tree = booking::bounded_xml::parse(&text, booking::bounded_xml::Bounds::nodes(100_000))
        .unwrap_or_else(|e| panic!("{e}: {text}"));
    let value = |name: &str| {
        tree.descendants()
            .find(|n| n.tag_name().name() == name)
            .and_then(|n| n.text())
            .unwrap_or_else(|| panic!("no {name}: {text}"))
            .to_owned()
    };
    assert_eq!(value("ErrorCode"), code, "{text}");
    assert!(booking::ids::is_uuid(&value("ErrorID")), "{text}");
    assert_eq!(
        value("Action"),
        "http://www.w3.org/2005/08/addressing/soap/fault"
    );
    assert!(!value("MessageID").is_empty());
    value("ErrorText")
}

/// Runs `uec provider referral …` on the server's database, while it serves.
#[track_caller]
pub fn uec(server: &Server, arguments: impl Arguments) -> Ended {
    let database = ["--database", &server.database()].words();
    let all = [words("provider referral"), arguments.words(), database];
    operations::uec(all.concat())
}

/// The JSON that it prints.
#[track_caller]
pub fn referrals(server: &Server, arguments: &str) -> Value {
    uec(server, arguments).with(0).json
}

/// One referral of FX101 as JSON.
#[track_caller]
pub fn show(server: &Server, id: &str) -> Value {
    referrals(server, &format!("show {id} --provider FX101 --json"))
}

/// How often a list of FX101 has this document.
#[track_caller]
pub fn times_listed(server: &Server, filter: &str, document: &str) -> usize {
    let all = referrals(server, &format!("list {filter} --provider FX101 --json"));
    let wanted = document.to_ascii_lowercase();
    let all = all.as_array().expect("a list").iter();
    all.filter(|r| r["document"] == wanted.as_str()).count()
}

/// True when a list of FX101 has this document.
#[track_caller]
pub fn listed(server: &Server, filter: &str, document: &str) -> bool {
    times_listed(server, filter, document) > 0
}
