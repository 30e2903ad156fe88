//! A DoS on a real socket, and a plain client for it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test program uses the part of it that it needs, and fails where it stands"
)]

use booking::bounded_xml::{self, Bounds};
use sandbox::dos;
use sandbox::faults::Faults;
use sandbox::world::{Addresses, World};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const NS: &str = dos::NAMESPACE;
pub const SOAP: &str = dos::SOAP_12;

/// A running directory; it stops when the test's runtime does.
pub struct Dos {
    pub address: SocketAddr,
    pub faults: Arc<Faults>,
    pub world: Arc<World>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Dos {
    /// The demonstration's world.
    pub async fn demo() -> Dos {
        Dos::of(World::demo(&Addresses::default())).await
    }

    /// The demonstration's world with every `(from, to)` of the file replaced.
    pub async fn changed(changes: &[(&str, &str)]) -> Dos {
        let mut text = sandbox::world::DEMO.to_owned();
        for (from, to) in changes {
            assert!(text.contains(from), "the world does not say {from}");
            text = text.replace(from, to);
        }
        Dos::of(World::parse(&text).unwrap()).await
    }

    pub async fn of(world: World) -> Dos {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (world, faults) = (Arc::new(world), Arc::new(Faults::default()));
        tokio::spawn(dos::serve(
            listener,
            world.clone(),
            faults.clone(),
            None,
            std::future::pending(),
        ));
        Dos {
            address,
            faults,
            world,
        }
    }

    /// Sends bytes and reads until the server closes.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    pub async fn request(&self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let text = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        );
        Answer::read(&self.raw(text.as_bytes()).await)
    }

    /// Posts an envelope.
    pub async fn post(&self, envelope: &str) -> Answer {
        let headers = "Content-Type: application/soap+xml; charset=utf-8\r\n";
        self.request("POST", dos::PATH, headers, envelope).await
    }

    pub async fn details(&self, id: &str) -> Answer {
        self.post(&details(id)).await
    }

    /// The ids that a search finds, in their order.
    pub async fn found(&self, need: &Need) -> Vec<u32> {
        let answer = self.post(&need.envelope()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.ids()
    }

    /// The number of the fault that a search answers.
    pub async fn fault(&self, need: &Need) -> u16 {
        self.post(&need.envelope()).await.fault().0
    }
}

impl Answer {
    pub fn read(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|s| s.parse().ok())
            .unwrap_or(0);
        Answer {
            status,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        }
    }

    pub fn document(&self) -> roxmltree::Document<'_> {
        let read = bounded_xml::parse(&self.body, Bounds::nodes(100_000));
        read.unwrap_or_else(|e| panic!("{e}: {} {}", self.status, self.body))
    }

    /// Number and text of the fault.
    pub fn fault(&self) -> (u16, String) {
        let document = self.document();
        let text = |name: &str| {
            let node = document
                .descendants()
                .find(|n| n.has_tag_name((SOAP, name)))
                .unwrap_or_else(|| panic!("no fault: {}", self.body));
            node.text().unwrap_or_default().to_owned()
        };
        (text("Value").parse().unwrap(), text("Text"))
    }

    /// The ids of the services.
    pub fn ids(&self) -> Vec<u32> {
        let document = self.document();
        document
            .descendants()
            .filter(|n| {
                n.tag_name().name() == "id"
                    && n.parent()
                        .is_some_and(|p| p.tag_name().name() != "serviceType")
            })
            .filter_map(|n| n.text()?.parse().ok())
            .collect()
    }

    /// The texts of all elements of a name.
    pub fn texts(&self, name: &str) -> Vec<String> {
        let document = self.document();
        document
            .descendants()
            .filter(|n| n.tag_name().name() == name)
            .map(|n| n.text().unwrap_or_default().to_owned())
            .collect()
    }

    /// The names of the children of the first element of a name, in their order.
    pub fn children(&self, name: &str) -> Vec<String> {
        let document = self.document();
        let parent = document
            .descendants()
            .find(|n| n.tag_name().name() == name)
            .unwrap();
        parent
            .children()
            .filter(|n| n.is_element())
            .map(|n| n.tag_name().name().to_owned())
            .collect()
    }
}

/// An envelope around a body.
pub fn envelope(body: &str) -> String {
    format!(
        "<soap:Envelope xmlns:soap=\"{SOAP}\" xmlns:w=\"{NS}\">\
         <soap:Header><w:serviceVersion>1.5</w:serviceVersion></soap:Header>\
         <soap:Body>{body}</soap:Body></soap:Envelope>"
    )
}

pub fn user(username: &str, password: &str) -> String {
    format!(
        "<w:userInfo><w:username>{username}</w:username><w:password>{password}</w:password></w:userInfo>"
    )
}

pub fn adviser() -> String {
    user("fernhill-adviser", "sandbox-adviser")
}

pub fn clinician() -> String {
    user("fernhill-clinician", "sandbox-clinician")
}

pub fn details(id: &str) -> String {
    envelope(&format!(
        "<w:ServiceDetailsById>{}<w:serviceId>{id}</w:serviceId></w:ServiceDetailsById>",
        adviser()
    ))
}

/// A clinical need with fields that can be changed and left out.
#[derive(Clone)]
pub struct Need {
    pub user: String,
    fields: Vec<(&'static str, Option<String>)>,
}

impl Need {
    /// A woman of 35 years with abdominal pain, a mile from Fernhill.
    pub fn usual() -> Need {
        let list = "<w:int>4052</w:int>";
        let fields = [
            ("caseRef", None),
            ("caseId", None),
            ("postcode", Some("LS99 9AA")),
            ("surgery", Some("UNK")),
            ("age", Some("35")),
            ("ageFormat", Some("Years")),
            ("disposition", Some("1005")),
            ("symptomGroup", Some("1011")),
            ("symptomDiscriminatorList", Some(list)),
            ("searchDistance", None),
            ("forceSearchDistance", Some("false")),
            ("gender", Some("F")),
            ("searchDateTime", None),
        ];
        Need {
            user: adviser(),
            fields: fields
                .into_iter()
                .map(|(n, v)| (n, v.map(str::to_owned)))
                .collect(),
        }
    }

    /// The same need with another field.
    pub fn with(mut self, name: &'static str, value: &str) -> Need {
        self.set(name, Some(value.to_owned()));
        self
    }

    /// The same need without a field.
    pub fn without(mut self, name: &'static str) -> Need {
        self.set(name, None);
        self
    }

    /// The same need with these discriminators.
    pub fn discriminators(self, ids: &[u32]) -> Need {
        let list: String = ids.iter().map(|i| format!("<w:int>{i}</w:int>")).collect();
        self.with("symptomDiscriminatorList", &list)
    }

    pub fn by(mut self, user: String) -> Need {
        self.user = user;
        self
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        let field = self.fields.iter_mut().find(|(n, _)| *n == name).unwrap();
        field.1 = value;
    }

    pub fn case(&self) -> String {
        self.fields
            .iter()
            .filter_map(|(n, v)| v.as_ref().map(|v| format!("<w:{n}>{v}</w:{n}>")))
            .collect()
    }

    pub fn envelope(&self) -> String {
        envelope(&format!(
            "<w:CheckCapacitySummary>{}<w:c>{}</w:c></w:CheckCapacitySummary>",
            self.user,
            self.case()
        ))
    }
}
