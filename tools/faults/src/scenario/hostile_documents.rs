//! Documents made to cost much, at `/itk` and as bookings in FHIR XML, while others book. Each is answered, none is a
//! booking, the others do not notice; a message that its sender is told is kept (ITK 2200) is in the quarantine.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure};
use crate::Setting;
use crate::http::{Answer, Connection};
use crate::ledger::Lost;
use crate::message::ODS;
use crate::provider;
use crate::stage::Stage;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use uuid::Uuid;

/// How often they come: quick, and full.
const WAVES: [usize; 2] = [1, 10];
/// How long the others may wait for any answer.
const OTHERS: Duration = Duration::from_secs(10);
/// What a sender is told whose message is kept and will never be read.
const KEPT: &[u8] = b"2200";

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let waves = WAVES[usize::from(!setting.quick)];
    let mut play = UnderLoad::start(setting, "hostile-documents").await?;
    let address = play.provider.address();
    let (mut answers, mut kept) = (BTreeMap::<u16, usize>::new(), 0);
    for wave in 1..=waves {
        play.must_book("before the documents").await;
        let stage = &play.stage;
        let mut documents = JoinSet::new();
        for (n, document) in documents_of(wave).into_iter().enumerate() {
            let (request, number) = (play.random.uuid(), n % stage.slots.len());
            let booking = in_xml(&stage.heads.book(request, &stage.slots[number]), &document);
            stage.ledger.book(request, number);
            documents.spawn(sent(address, booking, Some(request)));
            documents.spawn(sent(address, message(&document), None));
        }
        let what = format!("{} hostile documents", documents.len());
        stage.ledger.fault(&what);
        play.must_book_within(OTHERS, "beside hostile documents")
            .await;
        while let Some(ended) = documents.join_next().await {
            let (request, answer, took) = ended.map_err(|e| e.to_string())?;
            let answer = match answer {
                Ok(answer) => answer,
                // Who is refused while it still sends may see the connection break off instead.
                Err(lost) => {
                    if matches!(lost, Lost::Hung) {
                        stage.ledger.wrong("a hostile document had no answer");
                    }
                    if let Some(request) = request {
                        stage.ledger.lost(request, lost, took);
                    }
                    continue;
                }
            };
            *answers.entry(answer.status).or_default() += 1;
            match request {
                Some(request) => {
                    let (status, named) = (answer.status, answer.location);
                    stage.ledger.told(request, status, named, took);
                }
                None => kept += usize::from(answer.body.windows(KEPT.len()).any(|w| w == KEPT)),
            }
            if answer.status < 400 {
                let status = answer.status;
                let said = format!("a hostile document was answered {status}");
                stage.ledger.wrong(&said);
            }
        }
        play.must_book("after the documents").await;
        setting.progress("hostile-documents", wave, waves);
    }
    in_quarantine(&play.stage, kept)?;
    let answers: Vec<String> = answers
        .iter()
        .map(|(status, count)| format!("{count} × {status}"))
        .collect();
    let figures = vec![
        figure("documents answered", answers.join(", ")),
        figure("told that they are kept, and kept", kept),
    ];
    play.prove(Ending::Runs, figures).await
}

type Sent = (Option<Uuid>, Result<Answer, Lost>, Duration);

/// Sends it over a connection of its own, with the id of a booking.
async fn sent(address: SocketAddr, bytes: Vec<u8>, request: Option<Uuid>) -> Sent {
    let began = Instant::now();
    let answer = match Connection::open(address).await {
        Ok(mut connection) => connection.send(&bytes).await,
        Err(lost) => Err(lost),
    };
    (request, answer, began.elapsed())
}

/// Everything that its sender was told is kept can be listed.
fn in_quarantine(stage: &Stage, told: usize) -> Result<(), String> {
    let database = stage.database.url();
    let list = ["referral", "list", "--quarantined", "--json", "--database"];
    let list = [&list[..], &[database.as_str(), "--provider", ODS]].concat();
    let listed = blocking(|| provider::run(&stage.program, &list))?;
    let listed: Vec<serde_json::Value> =
        serde_json::from_str(&listed).map_err(|e| format!("the quarantine: {e}"))?;
    if told == 0 || listed.len() < told {
        stage.ledger.wrong(&format!(
            "{told} messages were told to be kept, and {} are in quarantine",
            listed.len()
        ));
    }
    Ok(())
}

/// Documents that cost much for what they are, each another than in every wave before.
fn documents_of(wave: usize) -> Vec<String> {
    let declared = |from: usize, most: usize| -> String {
        (from..from + most)
            .map(|n| format!(" xmlns:n{n}=\"urn:{n}\""))
            .collect()
    };
    let nested: String = (0..90)
        .map(|n| format!("<a{}>", declared(n * 60, 60)))
        .collect();
    let attributes: String = (0..60).map(|n| format!(" a{n}=\"\"")).collect();
    [
        format!("{nested}{}", "</a>".repeat(90)),
        format!("<r>{}</r>", format!("<a{attributes}/>").repeat(1_000)),
        format!("{}{}", "<a>".repeat(20_000), "</a>".repeat(20_000)),
        format!("<{}/>", "a".repeat(500_000)),
        format!("<r>{}</r>", "<![CDATA[]]>".repeat(300_000 / 12)),
        "<!DOCTYPE a [<!ENTITY b \"bbbbbbbbbb\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\">]><a>&c;</a>".to_owned(),
        "<Appointment xmlns=\"http://hl7.org/fhir\"><contained>".repeat(5_000),
    ]
    .into_iter()
    .map(|document| format!("{document}<!-- {wave} -->"))
    .collect()
}

/// A booking with another body, in XML.
fn in_xml(booking: &[u8], body: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(booking);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let kept = head.split("\r\n").filter(|line| {
        let name = line.split(':').next().unwrap_or_default();
        !["content-type", "content-length"].contains(&name.to_ascii_lowercase().as_str())
    });
    let kept: Vec<&str> = kept.collect();
    with_body(&kept.join("\r\n"), "application/fhir+xml", body)
}

/// The same body as a referral.
fn message(body: &str) -> Vec<u8> {
    let head = format!("POST /itk/{ODS} HTTP/1.1\r\nHost: a");
    with_body(&head, "text/xml", body)
}

fn with_body(head: &str, kind: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("{head}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}
