//! One connection: its operations in order of arrival, searches beside each other, abandon and unbind.

use super::schema::{MANAGE_DSA_IT, PAGED_RESULTS, START_TLS, WHO_AM_I};
use super::search::{Cut, Search, result};
use super::{Service, dn, filter};
use bytes::BytesMut;
use ldap_frame::{Broken, Framed, Limits, written};
use ldap3_proto::control::LdapControl;
use ldap3_proto::proto::{
    LdapBindCred, LdapBindRequest, LdapBindResponse, LdapCompareRequest, LdapExtendedResponse,
    LdapMsg, LdapOp, LdapResult, LdapResultCode as Code, LdapSearchRequest,
};
use ldap3_proto::simple::DisconnectionNotice;
use listen::ConnectionWatch;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

/// Largest message of a client: a search of the Standard has about 200 bytes, the rest is room for long filters.
pub const MAX_MESSAGE: usize = 64 << 10;
/// Each level of a filter is one of nesting.
const LIMITS: Limits = Limits {
    message: MAX_MESSAGE,
    total: usize::MAX,
    depth: 64,
    operations: None,
};
/// Operations of one connection at once; a further one waits in the socket.
const MAX_UNDER_WAY: usize = 16;
/// Messages that wait for the socket; a search stops producing when they are full.
const MAX_WAITING: usize = 64;

/// Why a connection ends.
enum Leave {
    /// The client is gone or said goodbye, or a fault cuts the connection.
    Silent,
    /// The client is told (RFC 4511, section 4.4.1).
    Notice(Code, &'static str),
}

/// Serves one connection until its end.
pub async fn serve<S>(service: Arc<Service>, stream: S, watch: &ConnectionWatch)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (from, to) = tokio::io::split(stream);
    let (out, waiting) = mpsc::channel(MAX_WAITING);
    let patience = service.settings.write_time;
    let mut writer = tokio::spawn(write(to, waiting, patience));
    let mut session = Session {
        service,
        out,
        tasks: JoinSet::new(),
        under_way: HashMap::new(),
    };
    let leave = tokio::select! {
        leave = session.run(Framed::new(from, LIMITS), watch) => leave,
        // The client takes no answers: what is under way is dropped.
        _ = &mut writer => Leave::Silent,
    };
    session.tasks.abort_all();
    if let Leave::Notice(code, why) = leave {
        tracing::info!(why, "disconnected");
        session
            .say(DisconnectionNotice::gen_response(code, why))
            .await;
    }
    drop(session);
    if !writer.is_finished() {
        let _ = writer.await;
    }
}

/// Sends what waits, and ends the connection in order.
async fn write(
    mut to: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<BytesMut>,
    patience: std::time::Duration,
) {
    while let Some(bytes) = waiting.recv().await {
        match tokio::time::timeout(patience, to.write_all(&bytes)).await {
            Ok(Ok(())) => {}
            _ => return,
        }
        if waiting.is_empty() && tokio::time::timeout(patience, to.flush()).await.is_err() {
            return;
        }
    }
    let _ = tokio::time::timeout(patience, to.shutdown()).await;
}

struct Session {
    service: Arc<Service>,
    out: mpsc::Sender<BytesMut>,
    tasks: JoinSet<(i32, Result<(), Cut>)>,
    under_way: HashMap<i32, AbortHandle>,
}

impl Session {
    async fn run<R: AsyncRead + Unpin>(
        &mut self,
        mut messages: Framed<R>,
        watch: &ConnectionWatch,
    ) -> Leave {
        let mut stop = watch.stopping();
        let mut heard = false;
        let idle = self.service.settings.idle_time;
        let whole = self.service.settings.message_time;
        loop {
            let patience = match heard {
                true => idle,
                false => watch.head_left(),
            };
            let room = self.under_way.len() < MAX_UNDER_WAY;
            tokio::select! {
                Some(ended) = self.tasks.join_next_with_id() => match ended {
                    Ok((_, (_, Err(Cut)))) => return Leave::Silent,
                    // The id may be in use again, after a bind.
                    Ok((task, (id, Ok(())))) => {
                        if self.under_way.get(&id).is_some_and(|held| held.id() == task) {
                            self.under_way.remove(&id);
                        }
                    }
                    // Abandoned: its id was forgotten then.
                    Err(_) => {}
                },
                _ = stop.changed() => return Leave::Notice(Code::Unavailable, "the server stops"),
                ready = tokio::time::timeout(patience, messages.ready()), if room => {
                    match ready {
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => return Leave::Silent,
                        Err(_) if self.under_way.is_empty() => {
                            return Leave::Notice(Code::Unavailable, "nothing was asked for too long");
                        }
                        Err(_) => continue,
                    }
                    heard = true;
                    let message = match tokio::time::timeout(whole, messages.receive()).await {
                        Ok(Ok(message)) => message,
                        Ok(Err(Broken::Stream(_))) => return Leave::Silent,
                        Ok(Err(Broken::Malformed(why))) => return Leave::Notice(Code::ProtocolError, why),
                        Err(_) => return Leave::Notice(Code::ProtocolError, "the message did not arrive in time"),
                    };
                    if let Some(leave) = self.take(message).await {
                        return leave;
                    }
                }
            }
        }
    }

    /// Works on one message; an answer ends the connection.
    async fn take(&mut self, message: LdapMsg) -> Option<Leave> {
        let LdapMsg { msgid, op, ctrl } = message;
        match op {
            LdapOp::UnbindRequest => return Some(Leave::Silent),
            LdapOp::AbandonRequest(id) => {
                if let Some(task) = self.under_way.remove(&id) {
                    task.abort();
                }
                return None;
            }
            _ => {}
        }
        if msgid <= 0 || self.under_way.contains_key(&msgid) {
            return Some(Leave::Notice(
                Code::ProtocolError,
                "the message id is not above 0, or is in use",
            ));
        }
        if let Some(answer) = critical(&ctrl).and_then(|why| answer_of(&op, why)) {
            self.say(LdapMsg::new(msgid, answer)).await;
            return None;
        }
        let answer = match op {
            LdapOp::BindRequest(asked) => {
                self.abandon_all();
                bind(&asked)
            }
            LdapOp::SearchRequest(asked) => {
                self.search(msgid, asked, ctrl);
                return None;
            }
            LdapOp::CompareRequest(asked) => self.compare(&asked),
            LdapOp::ExtendedRequest(asked) => extended(&asked.name),
            other => match answer_of(&other, unwilling()) {
                Some(answer) => answer,
                None => {
                    return Some(Leave::Notice(
                        Code::ProtocolError,
                        "a client sends requests, not answers",
                    ));
                }
            },
        };
        self.say(LdapMsg::new(msgid, answer)).await;
        None
    }

    fn search(&mut self, id: i32, asked: LdapSearchRequest, controls: Vec<LdapControl>) {
        let (service, out) = (self.service.clone(), self.out.clone());
        let task = self.tasks.spawn(async move {
            let search = Search {
                tree: &service.tree,
                directory: &service.directory,
                faults: &service.faults,
                settings: &service.settings,
            };
            let found = match search.run(&asked, &controls).await {
                Ok(found) => found,
                Err(cut) => return (id, Err(cut)),
            };
            for entry in found.entries {
                if !send(&out, LdapMsg::new(id, entry)).await {
                    return (id, Ok(()));
                }
            }
            send(
                &out,
                LdapMsg::new_with_ctrls(id, found.done, found.controls),
            )
            .await;
            (id, Ok(()))
        });
        self.under_way.insert(id, task);
    }

    fn compare(&self, asked: &LdapCompareRequest) -> LdapOp {
        let tree = &self.service.tree;
        let Some(name) = dn::parse(&asked.dn) else {
            let why = "the entry's name is no distinguished name";
            return LdapOp::CompareResult(result(Code::InvalidDNSyntax, "", why));
        };
        let Some(entry) = tree.entry(&name) else {
            let why = "there is no such entry";
            return LdapOp::CompareResult(result(Code::NoSuchObject, tree.nearest(&name), why));
        };
        let held = filter::known(&asked.atype).and_then(|key| entry.attribute(&key));
        let Some(held) = held else {
            let why = "the entry has no such attribute";
            return LdapOp::CompareResult(result(Code::NoSuchAttribute, "", why));
        };
        let wanted = dn::normal(&String::from_utf8_lossy(&asked.val));
        let code = match held.normal.contains(&wanted) {
            true => Code::CompareTrue,
            false => Code::CompareFalse,
        };
        LdapOp::CompareResult(result(code, "", ""))
    }

    /// RFC 4511, section 4.2.1: a bind abandons what is under way.
    fn abandon_all(&mut self) {
        self.tasks.abort_all();
        self.under_way.clear();
    }

    async fn say(&self, message: LdapMsg) {
        send(&self.out, message).await;
    }
}

/// False when the connection takes no more.
async fn send(out: &mpsc::Sender<BytesMut>, message: LdapMsg) -> bool {
    match written(message) {
        Ok(bytes) => out.send(bytes).await.is_ok(),
        // It cannot be written, which no message made here is.
        Err(_) => false,
    }
}

/// Anonymous simple bind only (NAT-SDS-01).
fn bind(asked: &LdapBindRequest) -> LdapOp {
    let (code, why) = match &asked.cred {
        _ if asked.version != 3 => (Code::ProtocolError, "only LDAP version 3 is spoken"),
        LdapBindCred::Simple(password) if password.is_empty() && asked.dn.is_empty() => {
            (Code::Success, "")
        }
        // RFC 4513, section 5.1.2: a name without password is nobody, and easily taken for somebody.
        LdapBindCred::Simple(password) if password.is_empty() => (
            Code::UnwillingToPerform,
            "a name without a password is not accepted: bind anonymously",
        ),
        LdapBindCred::Simple(_) => (
            Code::InvalidCredentials,
            "there are no accounts: bind anonymously",
        ),
        LdapBindCred::SASL(_) | LdapBindCred::Unsupported => (
            Code::AuthMethodNotSupported,
            "there is no SASL: bind anonymously",
        ),
    };
    LdapOp::BindResponse(LdapBindResponse {
        res: result(code, "", why),
        saslcreds: None,
    })
}

fn extended(name: &str) -> LdapOp {
    let (code, why, value) = match name {
        // The empty authorisation identity is anonymous.
        WHO_AM_I => (Code::Success, "", Some(Vec::new())),
        START_TLS => (
            Code::ProtocolError,
            "there is no StartTLS: connect to the LDAPS port",
            None,
        ),
        _ => (
            Code::ProtocolError,
            "this extended operation is not known",
            None,
        ),
    };
    LdapOp::ExtendedResponse(LdapExtendedResponse {
        res: result(code, "", why),
        name: (name == START_TLS).then(|| START_TLS.to_owned()),
        value,
    })
}

fn unwilling() -> LdapResult {
    result(
        Code::UnwillingToPerform,
        "",
        "the directory can only be read",
    )
}

/// The answer to a request with this result; `None` for what is no request with an answer.
fn answer_of(op: &LdapOp, res: LdapResult) -> Option<LdapOp> {
    Some(match op {
        LdapOp::BindRequest(_) => LdapOp::BindResponse(LdapBindResponse {
            res,
            saslcreds: None,
        }),
        LdapOp::SearchRequest(_) => LdapOp::SearchResultDone(res),
        LdapOp::ModifyRequest(_) => LdapOp::ModifyResponse(res),
        LdapOp::AddRequest(_) => LdapOp::AddResponse(res),
        LdapOp::DelRequest(_) => LdapOp::DelResponse(res),
        LdapOp::ModifyDNRequest(_) => LdapOp::ModifyDNResponse(res),
        LdapOp::CompareRequest(_) => LdapOp::CompareResult(res),
        LdapOp::ExtendedRequest(_) => LdapOp::ExtendedResponse(LdapExtendedResponse {
            res,
            name: None,
            value: None,
        }),
        _ => return None,
    })
}

/// The refusal of a critical control that is not supported (RFC 4511, section 4.1.11).
fn critical(controls: &[LdapControl]) -> Option<LdapResult> {
    let refused = controls.iter().any(|control| match control {
        LdapControl::SimplePagedResults { .. } | LdapControl::ManageDsaIT { .. } => false,
        LdapControl::SyncRequest { criticality, .. }
        | LdapControl::PasswordPolicyRequest { criticality }
        | LdapControl::SearchOptions { criticality, .. }
        | LdapControl::ShowDeleted { criticality }
        | LdapControl::SdFlags { criticality, .. }
        | LdapControl::ExtendedDn { criticality, .. } => *criticality,
        LdapControl::Unknown {
            oid, criticality, ..
        } => *criticality && !matches!(oid.as_str(), PAGED_RESULTS | MANAGE_DSA_IT),
        // The codec does not keep whether these were critical; unsorted or unfiltered entries would mislead.
        _ => true,
    });
    refused.then(|| {
        result(
            Code::UnavailableCriticalExtension,
            "",
            "a critical control is not supported",
        )
    })
}
