//! An SDS that answers as a test tells it, message by message or byte by byte.

use bytes::BytesMut;
use ldap3_proto::LdapCodec;
use ldap3_proto::proto::{
    LdapBindResponse, LdapMsg, LdapOp, LdapPartialAttribute, LdapResult, LdapResultCode,
    LdapSearchRequest, LdapSearchResultEntry, LdapSearchResultReference,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::codec::{Decoder, Encoder};

/// What goes back to a search.
#[derive(Clone)]
pub enum Reply {
    /// An entry: its name and attributes.
    Entry(String, Vec<(String, Vec<Vec<u8>>)>),
    /// A reference to another directory.
    Reference,
    /// The end, with this result.
    Done(LdapResultCode),
    /// The end of another search.
    Foreign,
    /// A notice of disconnection, and the end of the connection.
    Goodbye,
    /// Bytes.
    Raw(Vec<u8>),
    /// The connection is cut.
    Cut,
    /// Nothing, for so long.
    Silence(Duration),
}

/// An entry.
pub fn entry(name: &str, attributes: &[(&str, &[&str])]) -> Reply {
    let of = |(name, values): &(&str, &[&str])| {
        let values = values.iter().map(|v| v.as_bytes().to_vec()).collect();
        ((*name).to_owned(), values)
    };
    Reply::Entry(name.to_owned(), attributes.iter().map(of).collect())
}

/// An nhsAs entry with these interactions.
pub fn system(asid: &str, key: &str, interactions: &[&str]) -> Reply {
    entry(
        &format!("uniqueIdentifier={asid},ou=Services,o=nhs"),
        &[
            ("uniqueIdentifier", &[asid]),
            ("nhsMHSPartyKey", &[key]),
            ("nhsIDCode", &["FX101"]),
            ("nhsAsSvcIA", interactions),
        ],
    )
}

/// An nhsMhs entry with this address.
pub fn route(address: &str) -> Reply {
    entry(
        "uniqueIdentifier=S1,ou=Services,o=nhs",
        &[("nhsMHSEndPoint", &[address])],
    )
}

pub fn done() -> Reply {
    Reply::Done(LdapResultCode::Success)
}

pub const READ_SLOT: &str = "urn:nhs:names:services:careconnect:fhir:rest:read:slot";
pub const SEARCH_SLOT: &str = "urn:nhs:names:services:careconnect:fhir:rest:search:slot";
pub const CREATE: &str = "urn:nhs:names:services:careconnect:fhir:rest:create:appointment";

type Script = Arc<dyn Fn(&LdapSearchRequest) -> Vec<Reply> + Send + Sync>;

/// A running SDS.
pub struct Sds {
    pub address: String,
    seen: Arc<Mutex<Vec<LdapSearchRequest>>>,
}

impl Sds {
    pub async fn start(
        script: impl Fn(&LdapSearchRequest) -> Vec<Reply> + Send + Sync + 'static,
    ) -> Sds {
        Sds::binding(LdapResultCode::Success, script).await
    }

    /// The bind has this result.
    pub async fn binding(
        bind: LdapResultCode,
        script: impl Fn(&LdapSearchRequest) -> Vec<Reply> + Send + Sync + 'static,
    ) -> Sds {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, kept): (Script, _) = (Arc::new(script), seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, bind.clone(), script.clone(), kept.clone()));
            }
        });
        Sds { address, seen }
    }

    /// The searches that came.
    pub fn seen(&self) -> Vec<LdapSearchRequest> {
        self.seen.lock().unwrap().clone()
    }
}

/// The values that a search's filter asks for, by attribute.
pub fn asked(search: &LdapSearchRequest, attribute: &str) -> Option<String> {
    use ldap3_proto::proto::LdapFilter;
    let LdapFilter::And(parts) = &search.filter else {
        return None;
    };
    parts.iter().find_map(|part| match part {
        LdapFilter::Equality(name, value) if name.eq_ignore_ascii_case(attribute) => {
            Some(value.clone())
        }
        _ => None,
    })
}

/// Whether the search is for an entry of a system.
pub fn for_system(search: &LdapSearchRequest) -> bool {
    asked(search, "objectClass").as_deref() == Some("nhsAs")
}

fn result(code: LdapResultCode) -> LdapResult {
    LdapResult {
        code,
        matcheddn: String::new(),
        message: "as told".into(),
        referral: Vec::new(),
    }
}

async fn serve(
    mut stream: TcpStream,
    bind: LdapResultCode,
    script: Script,
    seen: Arc<Mutex<Vec<LdapSearchRequest>>>,
) {
    let mut codec = LdapCodec::default();
    let mut buffer = BytesMut::new();
    loop {
        let Some(message) = codec.decode(&mut buffer).unwrap() else {
            match stream.read_buf(&mut buffer).await {
                Ok(read) if read > 0 => continue,
                _ => return,
            }
        };
        let replies = match message.op {
            LdapOp::BindRequest(request) => {
                assert!(request.dn.is_empty(), "the bind is anonymous");
                let op = LdapOp::BindResponse(LdapBindResponse {
                    res: result(bind.clone()),
                    saslcreds: None,
                });
                send(&mut stream, message.msgid, op).await;
                continue;
            }
            LdapOp::SearchRequest(request) => {
                let replies = script(&request);
                seen.lock().unwrap().push(request);
                replies
            }
            _ => return,
        };
        for reply in replies {
            if !say(&mut stream, message.msgid, reply).await {
                return;
            }
        }
    }
}

async fn say(stream: &mut TcpStream, id: i32, reply: Reply) -> bool {
    match reply {
        Reply::Entry(dn, attributes) => {
            let of = |(atype, vals)| LdapPartialAttribute { atype, vals };
            let attributes = attributes.into_iter().map(of).collect();
            let entry = LdapSearchResultEntry { dn, attributes };
            send(stream, id, LdapOp::SearchResultEntry(entry)).await;
        }
        Reply::Reference => {
            let uris = vec!["ldap://elsewhere.example/o=nhs".to_owned()];
            let op = LdapOp::SearchResultReference(LdapSearchResultReference { uris });
            send(stream, id, op).await;
        }
        Reply::Done(code) => send(stream, id, LdapOp::SearchResultDone(result(code))).await,
        Reply::Foreign => {
            let op = LdapOp::SearchResultDone(result(LdapResultCode::Success));
            send(stream, id + 40, op).await;
        }
        Reply::Goodbye => {
            // messageID 0, an ExtendedResponse with the result "unavailable" (RFC 4511, 4.4.1).
            let notice = [0x30, 0x0c, 2, 1, 0, 0x78, 7, 0x0a, 1, 52, 4, 0, 4, 0];
            let _ = stream.write_all(&notice).await;
            return false;
        }
        Reply::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Reply::Cut => return false,
        Reply::Silence(time) => tokio::time::sleep(time).await,
    }
    true
}

async fn send(stream: &mut TcpStream, msgid: i32, op: LdapOp) {
    let mut out = BytesMut::new();
    let message = LdapMsg {
        msgid,
        op,
        ctrl: Vec::new(),
    };
    LdapCodec::default().encode(message, &mut out).unwrap();
    let _ = stream.write_all(&out).await;
}
