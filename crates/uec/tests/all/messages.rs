//! `docs/messages.md` and the examples of the API's description show what the program really sends and answers.
//!
//! The journey is made with the real Consumer's requests at the real Provider. Ids and times differ in each run, so they
//! are replaced by fixed ones. To write the page and the examples anew: `UEC_WRITE_MESSAGES=1 cargo test -p uec --test all messages::`.

use super::support::operations::{command, sandbox};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use testkit::Ended;

use super::referral_sample;
use super::support::http::{Call, Response};
use super::support::{CONSUMER_ASID, GP_CLINIC, ROOT, Server};
use booking::ids::{Asid, NhsNumber, OdsCode, ResourceId, ServiceId, VersionId};
use booking::wire::token::{Device, Organization, Practitioner};
use consumer::plan::{self, BookingDetails, Request, Route, Sender, Setting};
use consumer::referral::{Message, Wrapping, write_cda};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use uuid::Uuid;

const PROVIDER_ASID: &str = "918999000011";
/// A host that stands for the Provider's.
const HOST: &str = "provider.fernhill.example";
/// Any moment that is not the slot's.
const NOW: &str = "2031-07-04T08:05:06+01:00";
const HTTP_NOW: &str = "Fri, 04 Jul 2031 07:05:06 GMT";
/// What stands for the times of [`Steady`].
const TIMES: [&str; 3] = [
    "2031-07-04T09:00:00+01:00",
    "2031-07-04T09:10:00+01:00",
    "2031-07-04T09:01:00+01:00",
];
/// Headers that every HTTP library adds, and those that vary.
const HIDDEN: [&str; 5] = ["host", "content-length", "connection", "user-agent", "date"];

/// Replaces what differs from run to run.
struct Steady {
    address: String,
    /// The slot's start, its end, and the end of the search window.
    times: [Timestamp; 3],
    ids: HashMap<String, String>,
}

impl Steady {
    fn text(&mut self, text: &str) -> String {
        let text = text.replace(&self.address, HOST);
        let mut out = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let before = out.chars().next_back();
            let bound = out.ends_with("=ge") || out.ends_with("=le");
            let inside = !bound && before.is_some_and(|c| c.is_ascii_alphanumeric());
            if let Some(id) = rest
                .get(..36)
                .filter(|id| !inside && Uuid::try_parse(id).is_ok())
            {
                out.push_str(&self.id(id));
                rest = &rest[36..];
            } else if let Some((length, told)) = (!inside).then(|| self.time(rest)).flatten() {
                out.push_str(&told);
                rest = &rest[length..];
            } else {
                let first = rest.chars().next().expect("it is not empty");
                out.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        out
    }

    fn id(&mut self, id: &str) -> String {
        let next = self.ids.len() + 1;
        let lower = id.to_ascii_lowercase();
        let steady = self
            .ids
            .entry(lower)
            .or_insert_with(|| format!("0190a000-0000-4000-8000-{next:012}"));
        match id.chars().any(|c| c.is_ascii_uppercase()) {
            true => steady.to_ascii_uppercase(),
            false => steady.clone(),
        }
    }

    /// The time that a text begins with: how long it is, and what stands for it.
    fn time(&self, text: &str) -> Option<(usize, String)> {
        if text.get(10..11)? != "T" || text.get(4..5)? != "-" {
            return None;
        }
        let end = text
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-+:.%".contains(c)))
            .unwrap_or(text.len());
        let written = &text[..end];
        let plain = written.replace("%3A", ":").replace("%2B", "+");
        let at: Timestamp = plain.parse().ok()?;
        let known = self.times.iter().position(|known| *known == at);
        let steady = known.map_or(NOW, |n| TIMES[n]);
        let escaped = written.contains('%');
        let told = match escaped {
            true => steady.replace(':', "%3A").replace('+', "%2B"),
            false => steady.to_owned(),
        };
        Some((end, told))
    }

    fn json(&mut self, body: &[u8]) -> String {
        let value: Value = serde_json::from_slice(body).expect("JSON");
        self.text(&format!("{value:#}\n"))
    }

    fn headers<'h>(&mut self, headers: impl Iterator<Item = (&'h str, &'h str)>) -> String {
        let mut out = String::new();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let value = match name.as_str() {
                hidden if HIDDEN.contains(&hidden) => continue,
                "authorization" => "Bearer eyJ…".to_owned(),
                "last-modified" => HTTP_NOW.to_owned(),
                _ => self.text(value),
            };
            let _ = writeln!(out, "{name}: {value}");
        }
        out
    }
}

/// The page while it is written.
struct Page {
    text: String,
    steady: Steady,
    examples: Vec<(&'static str, String)>,
}

impl Page {
    fn say(&mut self, text: &str) {
        let _ = writeln!(self.text, "{text}\n");
    }

    fn block(&mut self, language: &str, text: &str) {
        let _ = writeln!(self.text, "```{language}\n{}\n```\n", text.trim_end());
    }

    /// Sends a request of the Consumer, and shows it and its answer.
    fn exchange(
        &mut self,
        server: &Server,
        name: &'static str,
        request: &Request,
        status: u16,
    ) -> Response {
        let (_, target) = request
            .url
            .split_once(&server.address.to_string())
            .expect("our Provider");
        let mut call = Call::new(server.address, request.method.as_str(), target);
        for (name, value) in &request.headers {
            // What is shown can be read.
            if name != "accept-encoding" {
                call = call.with(name.as_str(), value.to_str().expect("text"));
            }
        }
        if let Some(body) = &request.body {
            call = call.body(body.to_vec());
        }
        let response = call.expect(status);
        let headers = call.headers.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let head = self.steady.headers(headers);
        let line = self.steady.text(&format!("{} {target}", call.method));
        self.block("http", &format!("{line} HTTP/1.1\n{head}"));
        if let Some(body) = &request.body {
            let body = self.steady.json(body);
            self.block("json", &body);
            if name == "book" || name == "cancel" {
                self.examples.push((
                    if name == "book" {
                        "book-request"
                    } else {
                        "cancel-request"
                    },
                    body,
                ));
            }
        }
        let headers = response
            .headers
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()));
        let head = self.steady.headers(headers);
        let body = self.steady.json(&response.body);
        self.block("http", &format!("HTTP/1.1 {status}\n{head}"));
        self.block("json", &body);
        self.examples.push((name, body));
        response
    }
}

fn sender() -> Sender {
    Sender {
        asid: Asid::parse(CONSUMER_ASID).expect("an ASID"),
        issuer: "https://consumer.example.nhs.uk/".into(),
        device: Device {
            system: "https://consumer.example.nhs.uk/Id/device".into(),
            value: "CONS-1".into(),
            model: "Example consumer".into(),
            version: "1.0".into(),
        },
        organization: Organization {
            name: "Fernhill 111".into(),
            ods: OdsCode::parse("FX900").expect("an ODS code"),
        },
        practitioner: Some(Practitioner {
            id: "u-17".into(),
            family: "Advisor".into(),
            given: "Alex".into(),
            prefix: None,
            sds_user: None,
            sds_role: None,
            local: None,
        }),
    }
}

fn details() -> BookingDetails {
    toml::from_str(
        r#"
        description = "Sore throat and fever"
        [patient]
        nhs_number = "9990123454"
        verification = "02"
        gender = "female"
        birth_date = "1984-06-21"
        name = { family = "Testwell", given = ["Ada"], prefix = ["Ms"] }
        address = { lines = ["2 Synthetic Way"], city = "Exampleton", postcode = "LS99 9ZZ" }
        telecom = [{ value = "07700 900123", use = "mobile", rank = 1 }]
        "#,
    )
    .expect("details")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

fn claim(slot: &Value) -> plan::book::SlotClaim {
    let identifier = &slot["identifier"][0];
    plan::book::SlotClaim {
        id: text(&slot["id"]),
        identifier: Some((text(&identifier["system"]), text(&identifier["value"]))),
        schedule: text(&slot["schedule"]["reference"])
            .rsplit('/')
            .next()
            .map(str::to_owned),
        start: text(&slot["start"]),
        end: text(&slot["end"]),
        channel: None,
    }
}

/// Claims of a token, with the times of one that is made at [`NOW`].
fn claims(request: &Request) -> String {
    let token = request.sent(&http::header::AUTHORIZATION);
    let shown = Ended::run(&mut command(format!("token show --json '{token}'")));
    let mut value: Value = shown.json;
    let at: Timestamp = NOW.parse().expect("a time");
    value["payload"]["iat"] = at.as_second().into();
    value["payload"]["exp"] = (at.as_second() + 300).into();
    format!("{:#}", value["payload"])
}

/// What the Consumer asks the sandbox's DoS when it lists services, and the answer.
fn services() -> (String, String) {
    let dos = sandbox("--dos 0");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a folder");
    let mut asking = command(
        "consumer services --postcode 'LS99 9AA' --age 42 --gender female --disposition Dx05 \
         --symptom-group 1011 --discriminator 4052",
    );
    asking.current_dir(folder.path());
    asking.env(
        "UEC_DOS_URL",
        format!("http://{address}/app/api/webservices"),
    );
    let asking = std::thread::spawn(move || Ended::run(&mut asking));
    let (mut near, _) = listener.accept().expect("the Consumer comes");
    let (head, body) = message(&mut near);
    let url = dos.told("DoS");
    let to = url.trim_start_matches("http://").split('/').next();
    let mut far = TcpStream::connect(to.expect("an address")).expect("the DoS");
    let sent = far.write_all(&[head, body.clone()].concat());
    sent.expect("sent");
    let (answered, answer) = message(&mut far);
    let answered = near.write_all(&[answered, answer.clone()].concat());
    answered.expect("answered");
    drop(near);
    asking.join().expect("it ends");
    let xml = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (xml(body), xml(answer))
}

/// Head and body of one message with a length.
fn message(from: &mut TcpStream) -> (Vec<u8>, Vec<u8>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let mut body = vec![0; length.map_or(0, |n| n.trim().parse().expect("a number"))];
    from.read_exact(&mut body).expect("a body");
    (head, body)
}

/// XML with a line for each element that holds others, as people read it; texts stay as they are.
fn indented(xml: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let pieces = xml.replace("><", ">\n<");
    let mut lines = pieces.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let closes = line.starts_with("</");
        depth = depth.saturating_sub(usize::from(closes));
        let _ = write!(out, "{}{line}", "  ".repeat(depth));
        let opens = line.starts_with('<')
            && !closes
            && !line.starts_with("<?")
            && !line.ends_with("/>")
            && !line.contains("</");
        // An element without content stays on its line.
        let name = line.trim_start_matches('<').split([' ', '>']).next();
        let end = name.map(|name| format!("</{name}>"));
        match lines.next_if(|next| opens && end.as_deref() == Some(*next)) {
            Some(end) => out.push_str(end),
            None => depth += usize::from(opens),
        }
        out.push('\n');
    }
    out
}

fn journey(server: &Server) -> Page {
    let slots = server.slots(&Server::window_query(GP_CLINIC, 2, 13));
    let slot = slots.first().expect("a free slot").clone();
    let instant = |name: &str| text(&slot[name]).parse::<Timestamp>().expect("a time");
    let until = instant("start").checked_add(SignedDuration::from_mins(1));
    let times = [instant("start"), instant("end"), until.expect("a time")];
    let mut page = Page {
        text: String::new(),
        steady: Steady {
            address: server.address.to_string(),
            times,
            ids: HashMap::new(),
        },
        examples: Vec::new(),
    };
    let root = format!("https://{}{ROOT}", server.address);
    let sender = sender();
    let route = Route::new(None, Asid::parse(PROVIDER_ASID).expect("an ASID"), &root);
    let setting = || Setting::now(&sender, &route);
    page.say("# Messages\n\nEverything that goes over the wire in one booking, as this program sends and answers it. A test makes this page with\nthe real Consumer and Provider and replaces ids, times, the host and tokens by fixed ones; the same bodies are the\nexamples in [api/openapi.json](api/openapi.json). JSON is laid out for people; on the wire it has no spaces. FHIR is the\nformat of the resources (version STU3); DoS is the Directory of Services, SOAP its message format; ITK is the envelope of\nclinical documents, CDA their format. The patient is invented.");
    page.say("## 1. Which services suit? (DoS, SOAP)");
    let (asked, answered) = services();
    let asked = page.steady.text(&indented(&asked));
    page.block("xml", &asked);
    let answered = indented(&answered);
    let first = answered
        .find("</ns1:serviceCareSummaryDestination>")
        .expect("a service");
    let answered = page.steady.text(&answered[..first]);
    page.say("The answer, up to the end of its first service:");
    page.block("xml", &answered);

    page.say("## 2. What can the Provider do? (CapabilityStatement)");
    let request = plan::capability::plan(&setting()).expect("a request");
    page.exchange(server, "capability", &request, 200);

    page.say("## 3. Search free slots");
    page.say("The window here is one minute, so that the answer is short.");
    let window = plan::search_slots::Window {
        from: times[0],
        until: times[2],
    };
    let service = ServiceId::parse(GP_CLINIC).expect("an id");
    let request = plan::search_slots::plan(&setting(), &service, window).expect("a request");
    page.say("The token of this request, its claims decoded:");
    let told = page.steady.text(&claims(&request));
    page.block("json", &told);
    page.exchange(server, "search-slots", &request, 200);

    page.say("## 4. Book");
    let document = Uuid::new_v4();
    let request =
        plan::book::plan(&setting(), &claim(&slot), &details(), document).expect("a request");
    let created = page.exchange(server, "book", &request, 201);
    page.say("The same slot again, by somebody else: a refusal.");
    let request =
        plan::book::plan(&setting(), &claim(&slot), &details(), Uuid::new_v4()).expect("a request");
    page.exchange(server, "refusal", &request, 422);

    page.say("## 5. Send the referral (ITK over SOAP, with a CDA inside)");
    let url = text(&Value::from(created.header("location").expect("Location")));
    let url = url.split("/_history").next().expect("a URL").to_owned();
    let mut referral = referral_sample::referral();
    referral.document_id = document;
    referral.patient.family = "Testwell".to_owned();
    referral.patient.given = vec!["Ada".to_owned()];
    referral.triage[0].paragraphs =
        vec!["Sore throat for three days, temperature above 38.".to_owned()];
    referral.appointment = Some(referral_sample::appointment(&url));
    let endpoint =
        referral_sample::endpoint(&format!("http://{}/itk", server.address), Wrapping::Itk);
    let message = Message::new(&referral, &endpoint, true, Uuid::new_v4()).expect("it may be sent");
    let call = Call::new(server.address, "POST", "/itk")
        .with("Content-Type", message.media_type())
        .with(
            "SOAPAction",
            "\"urn:nhs-itk:services:201005:SendCDADocument-v2-0\"",
        )
        .body(message.body().to_vec());
    assert!(
        String::from_utf8_lossy(message.body()).contains(
            write_cda(&referral)
                .trim_start_matches("<?xml version=\"1.0\" encoding=\"UTF-8\"?>")
                .trim()
        )
    );
    let answer = call.send_unchecked().with(200);
    let sent = page
        .steady
        .text(&indented(&String::from_utf8_lossy(message.body())));
    page.block("xml", &sent);
    page.say("The acknowledgement, sent after the document is stored:");
    let told = page.steady.text(&indented(&answer.text()));
    page.block("xml", &told);

    page.say("## 6. Read, cancel, and what is there afterwards");
    let id = ResourceId::parse(&created.location_id()).expect("an id");
    let request = plan::read::plan(&setting(), &id).expect("a request");
    let read = page.exchange(server, "read", &request, 200);
    let element = fhir::json::parse(&read.body, &fhir::json::Limits::default())
        .expect("a resource")
        .root;
    let request = plan::cancel::plan(
        &setting(),
        &id,
        &element,
        read.header("etag").expect("an ETag"),
    );
    page.say("Cancelling sends back what was read, with another status:");
    page.exchange(server, "cancel", &request.expect("a request"), 200);
    page.say("The first version can still be read:");
    let request = plan::read::version(&setting(), &id, &VersionId::parse("1").expect("a version"))
        .expect("a request");
    page.exchange(server, "version-read", &request, 200);
    page.say("All versions:");
    let mut request = plan::read::plan(&setting(), &id).expect("a request");
    request.url.push_str("/_history");
    page.exchange(server, "history", &request, 200);
    page.say("The patient's appointments:");
    let number = NhsNumber::parse("9990123454").expect("a number");
    let request = plan::search_appointments::plan(&setting(), &number).expect("a request");
    page.exchange(server, "search-appointments", &request, 200);
    page
}

/// The page and the examples are what the program sends and answers.
#[test]
fn the_messages_shown_are_the_messages_sent() {
    let server = Server::start("messages", true);
    let page = journey(&server);
    server.kill();
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let examples = repository.join("crates/provider/src/http/operators/describe/examples");
    let mut all = vec![(
        repository.join("docs/messages.md"),
        page.text.trim_end().to_owned() + "\n",
    )];
    for (name, body) in page.examples {
        all.push((examples.join(format!("{name}.json")), body));
    }
    let write = std::env::var_os("UEC_WRITE_MESSAGES").is_some();
    for (file, text) in all {
        if write {
            std::fs::write(&file, &text).expect("written");
        }
        let kept = std::fs::read_to_string(&file).expect("it is there");
        let differs = kept
            .lines()
            .zip(text.lines())
            .find(|(kept, made)| kept != made);
        assert!(
            kept == text,
            "{} is not what is sent (the first difference: {differs:?}); write it anew with UEC_WRITE_MESSAGES=1",
            file.display()
        );
    }
}
