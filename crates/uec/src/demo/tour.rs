//! What the demo prints and its front page serves: addresses, a token, and a `curl` that books a real free slot.
//!
//! The slot is found as a consumer finds it, by a search over the Provider's socket, so what is printed works.

use crate::token;
use booking::ids::OdsCode;
use booking::wire::interaction::Interaction;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Demo ids, as the demo data has them.
const PROVIDER_ODS: &str = "FX101";
const PROVIDER_ASID: &str = "918999000011";
const CONSUMER_ODS: &str = "FX900";
const CONSUMER_ASID: &str = "918999000099";
const SERVICE: &str = "2000000011";
/// Interaction ids start with this.
const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// Largest answer read from the own Provider.
const ANSWER_BYTES: usize = 4 << 20;
/// The own Provider answers in milliseconds; longer than this it is not well.
const PATIENCE: Duration = Duration::from_secs(10);
/// Readers of the front page at once.
const READERS: usize = 64;

/// What the tour needs to know.
pub struct Tour {
    /// Address of the Provider API.
    pub listen: String,
    /// Port of the front page.
    pub port: u16,
    /// Folder for the files that the tour names.
    pub data: PathBuf,
}

/// Serves the front page: `/` is the tour with a fresh token and slot.
pub async fn serve(listener: TcpListener, tour: Arc<Tour>) {
    let readers = Arc::new(Semaphore::new(READERS));
    loop {
        let Ok(permit) = readers.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let tour = tour.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let tour = tour.clone();
                async move { Ok::<_, Infallible>(tour.page(request.uri().path()).await) }
            });
            let served = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A reader that goes away is no fault of ours.
            let _ = tokio::time::timeout(PATIENCE * 3, served).await;
            drop(permit);
        });
    }
}

impl Tour {
    async fn page(&self, path: &str) -> Response<Full<Bytes>> {
        let (status, text) = match path {
            "/" => match self.text().await {
                Ok(text) => (StatusCode::OK, text),
                Err(reason) => (
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!("The demo is not well: {reason}\n"),
                ),
            },
            _ => (StatusCode::NOT_FOUND, "The tour is at /\n".to_owned()),
        };
        let mut response = Response::new(Full::new(Bytes::from(text)));
        *response.status_mut() = status;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/plain;charset=utf-8"),
        );
        response
    }

    fn root(&self) -> String {
        format!("http://{}/STU3/1/{PROVIDER_ODS}", self.listen)
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

    /// The tour.
    pub async fn text(&self) -> Result<String, String> {
        let slot = self.free_slot().await?;
        let body = self.data.join("booking.json");
        let message = serde_json::to_string_pretty(&booking(&slot)).map_err(|e| e.to_string())?;
        std::fs::write(&body, message)
            .map_err(|e| format!("cannot write {}: {e}", body.display()))?;
        let search = format!("{}/Slot?{}", self.root(), self.criteria()?);
        Ok(format!(
            "UEC Booking demo. Synthetic patients only.\n\n\
             Front page  http://127.0.0.1:{port}/   (this page, with a fresh token and a fresh slot)\n\
             Provider    {root}   Fernhill Urgent Care\n\
             Health      http://{listen}/health/ready\n\
             Data        {data}\n\n\
             A token that may book, valid for five minutes:\n\n{token}\n\n\
             Search free slots of the GP clinic:\n\n{find}\n\n\
             Book {start} (paste within five minutes; pasted twice, the second is answered 409):\n\n{book}\n\n\
             Stop with Ctrl-C.\n",
            port = self.port,
            root = self.root(),
            listen = self.listen,
            data = self.data.display(),
            token = self.token(Interaction::Book)?,
            find = self.curl(Interaction::SearchSlots, "search:slot", "", &search)?,
            start = slot["start"].as_str().unwrap_or(""),
            book = self.curl(
                Interaction::Book,
                "create:appointment",
                &format!(
                    " \\\n  -H 'X-Request-ID: {}' \\\n  -H 'Content-Type: application/fhir+json;charset=utf-8' \\\n  \
                     --data-binary '@{}'",
                    Uuid::new_v4(),
                    body.display()
                ),
                &format!("{}/Appointment", self.root()),
            )?,
        ))
    }

    fn curl(
        &self,
        interaction: Interaction,
        suffix: &str,
        more: &str,
        url: &str,
    ) -> Result<String, String> {
        Ok(format!(
            "curl -i '{url}' \\\n  -H 'Authorization: Bearer {}' \\\n  -H 'Ssp-TraceID: {}' \\\n  \
             -H 'Ssp-From: {CONSUMER_ASID}' -H 'Ssp-To: {PROVIDER_ASID}' \\\n  \
             -H 'Ssp-InteractionID: {INTERACTION}{suffix}'{more}",
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

    /// A free slot, found over the socket; not the very next one, so that it is still ahead when it is pasted.
    async fn free_slot(&self) -> Result<Value, String> {
        let path = format!("/STU3/1/{PROVIDER_ODS}/Slot?{}", self.criteria()?);
        let request = Request::get(path)
            .header(header::HOST, &self.listen)
            .header(
                header::AUTHORIZATION,
                format!("Bearer {}", self.token(Interaction::SearchSlots)?),
            )
            .header("Ssp-TraceID", Uuid::new_v4().to_string())
            .header("Ssp-From", CONSUMER_ASID)
            .header("Ssp-To", PROVIDER_ASID)
            .header("Ssp-InteractionID", format!("{INTERACTION}search:slot"))
            .body(Empty::<Bytes>::new())
            .map_err(|e| e.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, fetch(&self.listen, request))
            .await
            .map_err(|_| "the Provider did not answer".to_owned())??;
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

/// One request on one connection.
async fn fetch(address: &str, request: Request<Empty<Bytes>>) -> Result<Bytes, String> {
    let stream = TcpStream::connect(address)
        .await
        .map_err(|e| format!("cannot reach {address}: {e}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| e.to_string())?;
    let driver = tokio::spawn(connection);
    let response = sender
        .send_request(request)
        .await
        .map_err(|e| e.to_string())?;
    let body = Limited::new(response.into_body(), ANSWER_BYTES)
        .collect()
        .await
        .map_err(|e| e.to_string())?;
    driver.abort();
    Ok(body.to_bytes())
}

/// A booking message for the slot, with an invented patient. Like the example that the API publishes it leaves out
/// `participant.status`.
fn booking(slot: &Value) -> Value {
    let profile = |kind: &str| json!({"profile": [format!("https://fhir.hl7.org.uk/STU3/StructureDefinition/CareConnect-{kind}-1")]});
    let (id, start, end) = (&slot["id"], &slot["start"], &slot["end"]);
    let now = Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S+00:00")
        .to_string();
    let number = json!({"use": "official", "system": "https://fhir.nhs.uk/Id/nhs-number", "value": "9990123454"});
    let mut verified = number.clone();
    verified["extension"] = json!([{
        "url": "https://fhir.hl7.org.uk/STU3/StructureDefinition/Extension-CareConnect-NHSNumberVerificationStatus-1",
        "valueCodeableConcept": {"coding": [{
            "system": "https://fhir.hl7.org.uk/STU3/CodeSystem/CareConnect-NHSNumberVerificationStatus-1",
            "code": "01", "display": "Number present and verified"}]}}]);
    json!({
        "resourceType": "Appointment",
        "meta": profile("Appointment"),
        "language": "en-GB",
        "contained": [
            {"resourceType": "DocumentReference", "id": "doc", "meta": profile("DocumentReference"),
             "identifier": [{"system": "https://tools.ietf.org/html/rfc4122", "value": Uuid::new_v4().to_string()}],
             "status": "current",
             "type": {"coding": [{"system": "urn:oid:2.16.840.1.113883.2.1.3.2.4.18.17",
                                  "code": "POCD_MT200001GB02", "display": "Integrated Urgent Care Report"}]},
             "indexed": now,
             "content": [{"attachment": {"contentType": "application/hl7-v3+xml", "language": "en"}}]},
            {"resourceType": "Patient", "id": "pat", "meta": profile("Patient"),
             "identifier": [verified],
             "name": [{"use": "official", "family": "Testwell", "given": ["Ada"], "prefix": ["Ms"]}],
             "telecom": [{"system": "phone", "value": "01632 960123", "use": "home", "rank": 1}],
             "gender": "female", "birthDate": "1984-06-21",
             "address": [{"use": "home", "line": ["2 Synthetic Way"], "city": "Exampleton", "postalCode": "LS99 9ZZ"}]},
            {"resourceType": "Slot", "id": id, "meta": profile("Slot"), "identifier": slot["identifier"],
             "schedule": slot["schedule"], "status": "busy", "start": start, "end": end}],
        "status": "booked",
        "description": "Sore throat and fever, 111 referral",
        "supportingInformation": [{"reference": "#doc"}],
        "start": start, "end": end,
        "slot": [{"reference": format!("#{}", id.as_str().unwrap_or(""))}],
        "created": now,
        "participant": [{"actor": {"reference": "#pat", "identifier": number, "display": "Ms Ada Testwell"}}]
    })
}
