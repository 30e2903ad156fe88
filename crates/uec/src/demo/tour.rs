//! What the demo prints and its front page serves: addresses, a `curl` that books a real free slot, and the commands of
//! the whole journey.
//!
//! The slot is found as a consumer finds it, by a search over the sockets, so what is printed works.

use super::booking;
use super::consumer::SETTINGS;
use crate::token;
use ::booking::ids::OdsCode;
use ::booking::wire::interaction::{Interaction, URN_PREFIX};
use ::sandbox::Sandbox;
use ::sandbox::world::Addresses;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;
use uuid::Uuid;

/// Demo ids, as the demo data has them.
const PROVIDER_ODS: &str = "FX101";
const PROVIDER_ASID: &str = "918999000011";
const CONSUMER_ODS: &str = "FX900";
const CONSUMER_ASID: &str = "918999000099";
const SERVICE: &str = "2000000011";
/// Largest answer read from the own Provider.
const ANSWER_BYTES: u64 = 4 << 20;
/// The own Provider answers in milliseconds; longer than this it is not well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Certificates for the commands of the tour.
pub struct Certificates {
    /// The authority.
    pub ca: PathBuf,
    /// The consumer's certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// What the tour needs to know.
pub struct Tour {
    /// Port of the front page.
    pub port: u16,
    /// Folder for the files that the tour names.
    pub data: PathBuf,
    /// Where everything is reached.
    pub addresses: Addresses,
    /// With TLS: what a consumer shows and trusts.
    pub certificates: Option<Certificates>,
    client: reqwest::Client,
}

/// One address of the demo.
pub struct Place {
    /// Its name; empty where it is another address of the one before.
    pub name: &'static str,
    /// The address.
    pub address: String,
    /// What is there.
    pub about: &'static str,
    /// What a browser can open of it.
    pub link: Option<String>,
}

/// One thing to paste.
pub struct Step {
    /// What it does.
    pub what: String,
    /// The command.
    pub command: String,
}

impl Step {
    fn new(what: impl Into<String>, command: String) -> Step {
        let what = what.into();
        Step { what, command }
    }
}

impl Tour {
    /// A tour of what was started.
    pub fn new(port: u16, data: PathBuf, sandbox: &Sandbox) -> Result<Tour, String> {
        let certificates = sandbox.certificates().and_then(|files| {
            let own = files
                .consumers
                .iter()
                .find(|(name, _, _)| name == super::CONSUMER_NAME);
            own.map(|(_, certificate, key)| Certificates {
                ca: files.ca.clone(),
                certificate: certificate.clone(),
                key: key.clone(),
            })
        });
        let addresses = sandbox.addresses().clone();
        let settings = super::consumer::settings(&addresses, certificates.as_ref())?;
        Ok(Tour {
            port,
            data,
            addresses,
            certificates,
            client: ::consumer::client::http(&settings).map_err(|e| e.to_string())?,
        })
    }

    fn root(&self) -> String {
        format!("{}/STU3/1/{PROVIDER_ODS}", self.addresses.provider)
    }

    /// Where requests go: with certificates only the SSP may call the Provider.
    fn reached(&self) -> String {
        match self.certificates {
            None => self.root(),
            Some(_) => format!("{}/{}", self.addresses.ssp, self.root()),
        }
    }

    fn token(&self, interaction: Interaction) -> Result<String, String> {
        let ods = OdsCode::parse(CONSUMER_ODS).map_err(|e| e.to_string())?;
        let now = Timestamp::now().as_second();
        Ok(token::mint(
            &self.root(),
            interaction.scope(),
            &ods,
            "Fernhill 111",
            Some("u-17"),
            now,
        ))
    }

    /// The tour as text.
    pub async fn text(&self) -> Result<String, String> {
        let mut out = "UEC Booking demo. Synthetic patients only.\n\n".to_owned();
        for place in self.places() {
            let about = if place.about.is_empty() {
                String::new()
            } else {
                format!("   {}", place.about)
            };
            out.push_str(&format!("{:<11} {}{about}\n", place.name, place.address));
        }
        for step in self.by_hand().await? {
            out.push_str(&format!("\n{}:\n\n{}\n", step.what, step.command));
        }
        out.push_str("\n\nThe whole journey, step by step; each command can be pasted:\n");
        for (number, step) in self.journey().iter().enumerate() {
            out.push_str(&format!(
                "\n{}. {}\n\n{}\n",
                number + 1,
                step.what,
                step.command
            ));
        }
        out.push_str("\nStop with Ctrl-C.\n");
        Ok(out)
    }

    /// Where everything is.
    pub fn places(&self) -> Vec<Place> {
        let a = &self.addresses;
        let provider = &a.provider;
        let place = |name, address: String, about| Place {
            name,
            address,
            about,
            link: None,
        };
        let opened = |place: Place| Place {
            link: Some(place.address.clone()),
            ..place
        };
        let front = format!("http://127.0.0.1:{}/", self.port);
        let this = "(this page, with a fresh token and a fresh slot)";
        let of = |path: &str| format!("{provider}{path}");
        let through = "the proxy that every request of a consumer goes through";
        let dos = format!("{}/app/api/webservices", a.dos);
        vec![
            opened(place("Front page", front, this)),
            place("Provider", of("/STU3/1/FX101"), "Fernhill Urgent Care"),
            place("", of("/STU3/1/FX202"), "Riverside GP Hub"),
            place("SSP", format!("{}/", a.ssp), through),
            Place {
                link: Some(format!("{dos}?wsdl")),
                ..place("DoS", dos, "which service suits (SOAP)")
            },
            place("SDS", a.sds.clone(), "where its system is reached (LDAP)"),
            opened(place("Health", of("/health/ready"), "")),
            opened(place("Metrics", of("/metrics"), "")),
            place("Data", self.data.display().to_string(), ""),
        ]
    }

    /// A search and a booking with nothing but `curl`.
    pub async fn by_hand(&self) -> Result<Vec<Step>, String> {
        let slot = self.free_slot().await?;
        let body = self.data.join("booking.json");
        let message =
            serde_json::to_string_pretty(&booking::message(&slot)).map_err(|e| e.to_string())?;
        std::fs::write(&body, message)
            .map_err(|e| format!("cannot write {}: {e}", body.display()))?;
        let search = format!("{}/Slot?{}", self.reached(), self.criteria()?);
        let more = format!(
            " \\\n  -H 'X-Request-ID: {}' \\\n  -H 'Content-Type: application/fhir+json;charset=utf-8' \\\n  \
             --data-binary '@{}'",
            Uuid::new_v4(),
            body.display()
        );
        let start = slot["start"].as_str().unwrap_or("");
        let appointments = format!("{}/Appointment", self.reached());
        Ok(vec![
            Step::new(
                "A token that may book, valid for five minutes",
                self.token(Interaction::Book)?,
            ),
            Step::new(
                "Search free slots of the GP clinic",
                self.curl(Interaction::SearchSlots, "", &search)?,
            ),
            Step::new(
                format!(
                    "Book {start} (paste within five minutes; pasted twice, the second is answered 409)"
                ),
                self.curl(Interaction::Book, &more, &appointments)?,
            ),
        ])
    }

    /// The whole journey, as a 111 service goes it; every step through DoS, SDS and SSP.
    pub fn journey(&self) -> Vec<Step> {
        let file = |name: &str| format!("'{}'", self.data.join(name).display());
        let consumer =
            |rest: &str| self.uec(&format!("consumer --config {} {rest}", file(SETTINGS)));
        let patient = file(super::consumer::PATIENT);
        let database = format!(
            "--database 'sqlite:{}'",
            self.data.join("provider.sqlite").display()
        );
        let lost = self.lost_answer();
        let steps = [
            (
                "Which services suit the patient? (DoS)",
                consumer(
                    "services --postcode 'LS99 9AA' --age 42 --gender female --disposition 1005 --symptom-group 1011 --discriminator 4052",
                ),
            ),
            (
                "Where is the first of them booked? (DoS, then two questions to SDS)",
                consumer(&format!("endpoint --service {SERVICE}")),
            ),
            (
                "What is free there? (through the SSP)",
                consumer(&format!("slots --service {SERVICE} --limit 10")),
            ),
            (
                "Book the first free slot",
                consumer(&format!(
                    "book --service {SERVICE} --first --yes --patient {patient}"
                )),
            ),
            (
                "Send the referral; booking and document point at each other",
                consumer("refer last --note 'Sore throat and fever for three days'"),
            ),
            (
                "What the Provider has: the document with its booking",
                self.uec(&format!(
                    "provider referral list --provider FX101 {database}"
                )),
            ),
            (
                "Show the appointment as the Provider has it",
                consumer("show last"),
            ),
            (
                "Book tomorrow instead: the new one first, then the old one is cancelled",
                consumer(&format!(
                    "rebook last --first --from {} --yes --patient {patient}",
                    self.tomorrow()
                )),
            ),
            (
                "The SSP loses the next answer after the Provider has booked …",
                lost,
            ),
            (
                "… and the consumer finds its booking again: there is only one",
                consumer(&format!(
                    "book --service {SERVICE} --first --yes --patient {patient}"
                )),
            ),
            ("Cancel it", consumer("cancel last --yes --patient-told")),
            (
                "A service that takes patients only with a booking refuses a referral alone",
                consumer(&format!(
                    "refer --service 2000000021 --patient {patient} --note 'Advice wanted'"
                )),
            ),
            (
                "Everything that happened is in the audit trail, and the trail is whole",
                self.uec(&format!("provider audit verify {database}")),
            ),
        ];
        let of = |(what, command): (&str, String)| Step::new(what, command);
        steps.into_iter().map(of).collect()
    }

    /// Makes the SSP lose one answer to a booking.
    fn lost_answer(&self) -> String {
        let rule =
            r#"{"at":"ssp","kind":"lost-answer","interaction":"create:appointment","count":1}"#;
        format!(
            "curl -s{} -X POST '{}/sandbox/faults' -H 'Content-Type: application/json' --data '{rule}'",
            self.shown_certificate(),
            self.addresses.ssp
        )
    }

    fn tomorrow(&self) -> String {
        let now = Timestamp::now().to_zoned(::booking::instant::london());
        let day = now.date().checked_add(1.day()).unwrap_or(now.date());
        format!("{day}T09:00")
    }

    /// This program with arguments, as a shell takes it.
    fn uec(&self, arguments: &str) -> String {
        let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("uec"));
        format!("'{}' {arguments}", own.display())
    }

    /// What `curl` needs to show a certificate.
    fn shown_certificate(&self) -> String {
        self.certificates.as_ref().map_or_else(String::new, |c| {
            format!(
                " --cacert '{}' --cert '{}' --key '{}'",
                c.ca.display(),
                c.certificate.display(),
                c.key.display()
            )
        })
    }

    fn curl(&self, interaction: Interaction, more: &str, url: &str) -> Result<String, String> {
        let suffix = interaction.suffixes().next().unwrap_or_default();
        Ok(format!(
            "curl -i{} '{url}' \\\n  -H 'Authorization: Bearer {}' \\\n  -H 'Ssp-TraceID: {}' \\\n  \
             -H 'Ssp-From: {CONSUMER_ASID}' -H 'Ssp-To: {PROVIDER_ASID}' \\\n  \
             -H 'Ssp-InteractionID: {URN_PREFIX}{suffix}'{more}",
            self.shown_certificate(),
            self.token(interaction)?,
            Uuid::new_v4(),
        ))
    }

    /// Criteria of a search for three days.
    fn criteria(&self) -> Result<String, String> {
        let now = Timestamp::now();
        let until = now.checked_add(72.hours()).map_err(|e| e.to_string())?;
        let text = |at: Timestamp| {
            at.strftime("%Y-%m-%dT%H%%3A%M%%3A%S%%2B00%%3A00")
                .to_string()
        };
        Ok(format!(
            "schedule.actor%3Ahealthcareservice={SERVICE}&start=ge{}&start=le{}&status=free&_include=Slot%3Aschedule",
            text(now),
            text(until)
        ))
    }

    /// A free slot, found over the sockets; not the very next one, so that it is still ahead when it is pasted.
    async fn free_slot(&self) -> Result<Value, String> {
        let url = format!("{}/Slot?{}", self.reached(), self.criteria()?);
        let suffix = Interaction::SearchSlots
            .suffixes()
            .next()
            .unwrap_or_default();
        let token = self.token(Interaction::SearchSlots)?;
        let sent = self
            .client
            .get(url)
            .timeout(PATIENCE)
            // The Consumer's client leaves it to its transport to unpack an answer.
            .header("Accept-Encoding", "identity")
            .header("Authorization", format!("Bearer {token}"))
            .header("Ssp-TraceID", Uuid::new_v4().to_string())
            .header("Ssp-From", CONSUMER_ASID)
            .header("Ssp-To", PROVIDER_ASID)
            .header("Ssp-InteractionID", format!("{URN_PREFIX}{suffix}"))
            .send()
            .await;
        let answer = sent.map_err(|e| format!("the Provider did not answer: {e}"))?;
        if answer.content_length().is_some_and(|n| n > ANSWER_BYTES) {
            return Err("the Provider answered too much".to_owned());
        }
        let answer = answer.bytes().await.map_err(|e| e.to_string())?;
        let bundle: Value = serde_json::from_slice(&answer).map_err(|e| e.to_string())?;
        let slots = bundle["entry"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|e| &e["resource"]);
        slots
            .filter(|r| r["resourceType"] == "Slot")
            .nth(3)
            .cloned()
            .ok_or_else(|| {
                format!(
                    "no free slot was found: {}",
                    String::from_utf8_lossy(&answer)
                )
            })
    }
}
