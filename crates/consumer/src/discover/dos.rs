//! The Directory of Services: a client of its SOAP web service, version 1.5 (NAT-DOS-01..11).

mod answer;
mod endpoint;
mod fault;
mod listed;
mod opening;
mod search;
mod service;
mod soap;

pub use endpoint::BookingAddress;
pub use listed::{LeftOut, Listed};
pub use opening::{OpenDay, OpenSpan, Opening};
pub use search::{Age, ServiceSearch, Sex};
pub use service::{Service, ServiceDetails};

use crate::body::{self, BodyFault, TlsFault};
use crate::config::{Account, ConfigError, ConsumerConfig, Dos, Role};
use crate::obstacle::{Kind, Obstacle};
use crate::redact;
use booking::ids::ServiceId;
use http::header::{ACCEPT, CONTENT_TYPE};
use std::time::Duration;

/// Path of the web service, where the configured address has none.
const PATH: &str = "/app/api/webservices";
/// Largest answer, bytes after unzipping. A long list of services with all texts has some hundred thousand.
const MAX_ANSWER: usize = 4 << 20;

/// A client of the DoS. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Client {
    http: reqwest::Client,
    url: String,
    accounts: Dos,
    patience: Duration,
}

impl Client {
    /// Over an HTTP client, with the settings' address and accounts.
    pub fn new(config: &ConsumerConfig, http: reqwest::Client) -> Result<Client, ConfigError> {
        let url = reqwest::Url::parse(&config.dos.url)
            .map_err(|error| ConfigError(format!("dos.url: {error}")))?;
        let bare = matches!(url.path(), "" | "/");
        let given = config.dos.url.trim_end_matches('/');
        for account in [&config.dos.clinician, &config.dos.adviser]
            .into_iter()
            .flatten()
        {
            redact::keep_out_account(&account.username, account.password.reveal());
        }
        Ok(Client {
            http,
            url: format!("{given}{}", if bare { PATH } else { "" }),
            accounts: config.dos.clone(),
            patience: config.timeouts.dos,
        })
    }

    /// CheckCapacitySummary.
    pub async fn services(&self, role: Role, search: &ServiceSearch) -> Result<Listed, Obstacle> {
        search.check()?;
        let operation = soap::Operation::CheckCapacitySummary;
        let body = soap::request(operation, self.account(role)?, |xml| search.write(xml));
        let told = |o: Obstacle| o.note("role", role.word());
        let text = self.ask(operation, body).await.map_err(told)?;
        let read = answer::services(&text).map_err(|fault| match fault {
            soap::Answered::Fault(fault) => fault.obstacle(search.at.is_some()),
            soap::Answered::Unreadable(why) => unreadable(&why),
        });
        let list = read.map_err(|o| told(o.note("operation", operation.name())))?;
        tracing::info!(
            role = role.word(),
            services = list.services.len(),
            left_out = list.left_out.count(),
            "services found"
        );
        match list.services.is_empty() {
            true => Err(told(Obstacle::new(Kind::NoServices))),
            false => Ok(list),
        }
    }

    /// ServiceDetailsById.
    pub async fn service(&self, role: Role, id: &ServiceId) -> Result<ServiceDetails, Obstacle> {
        let operation = soap::Operation::ServiceDetailsById;
        let body = soap::request(operation, self.account(role)?, |xml| {
            xml.value("serviceId", id.as_str());
        });
        let told = |o: Obstacle| o.note("service", id).note("role", role.word());
        let text = self.ask(operation, body).await.map_err(told)?;
        let read = answer::details(&text, id).map_err(|fault| match fault {
            soap::Answered::Fault(fault) => fault.obstacle(false),
            soap::Answered::Unreadable(why) => unreadable(&why),
        });
        match read.map_err(|o| told(o.note("operation", operation.name())))? {
            Some(details) => Ok(details),
            None => Err(told(Obstacle::new(Kind::ServiceUnknown))),
        }
    }

    fn account(&self, role: Role) -> Result<&Account, Obstacle> {
        self.accounts.account(role).ok_or_else(|| {
            Obstacle::new(Kind::Settings).note("fault", "no account at the DoS is configured")
        })
    }

    /// Sends an envelope; the text of the answer, whatever its status, when it is SOAP and the status fits it.
    async fn ask(&self, operation: soap::Operation, body: String) -> Result<String, Obstacle> {
        let told = |o: Obstacle| o.note("operation", operation.name()).note("url", &self.url);
        let exchange = tokio::time::timeout(self.patience, self.exchange(operation, body));
        let (status, bytes) = match exchange.await {
            Ok(exchanged) => exchanged.map_err(told)?,
            Err(_) => {
                let seconds = self.patience.as_secs_f64();
                let late = Obstacle::new(Kind::DosUnreachable)
                    .note("transport", format_args!("no answer within {seconds} s"));
                return Err(told(late));
            }
        };
        let bare = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
        let text = std::str::from_utf8(bare).map(str::trim_start);
        match (text, status) {
            (Ok(text), 200..=299) => Ok(text.to_owned()),
            (Err(_), 200..=299) => Err(told(unreadable("the answer is not UTF-8"))),
            // A fault comes with 400 or 500, and says more than the status does. Results under such a status are not
            // believed: it is not known what stands behind them.
            (Ok(text), _) if soap::is_fault(text) => Ok(text.to_owned()),
            (_, status) => {
                let kind = match status {
                    401 | 403 => Kind::DosAccess,
                    408 | 429 | 500..=599 => Kind::DosFailed,
                    400..=499 => Kind::DosRequest,
                    _ => Kind::DosUnreadable,
                };
                Err(told(Obstacle::new(kind).note("status", status)))
            }
        }
    }

    async fn exchange(
        &self,
        operation: soap::Operation,
        body: String,
    ) -> Result<(u16, Vec<u8>), Obstacle> {
        let action = operation.action();
        let request = self
            .http
            .post(&self.url)
            .header(
                CONTENT_TYPE,
                format!("application/soap+xml; charset=utf-8; action=\"{action}\""),
            )
            .header(ACCEPT, "application/soap+xml, text/xml")
            .header("SOAPAction", format!("\"{action}\""))
            .body(body);
        let mut response = request.send().await.map_err(unreachable_dos)?;
        let status = response.status().as_u16();
        match body::read(&mut response, MAX_ANSWER).await {
            Ok(bytes) => Ok((status, bytes)),
            Err(BodyFault::BrokeOff(why)) => {
                Err(Obstacle::new(Kind::DosUnreachable).text("transport", &why))
            }
            Err(BodyFault::TooLarge) => Err(unreadable(&format!(
                "the answer has more than {MAX_ANSWER} bytes"
            ))
            .note("status", status)),
            Err(BodyFault::Packed(why)) => Err(unreadable(&why).note("status", status)),
        }
    }
}

fn unreadable(why: &str) -> Obstacle {
    Obstacle::new(Kind::DosUnreadable).text("fault", why)
}

fn unreachable_dos(error: reqwest::Error) -> Obstacle {
    let obstacle = match body::tls_fault(&error) {
        Some(TlsFault::OwnCertificate) => Obstacle::new(Kind::DosAccess),
        Some(TlsFault::TheirCertificate) => Obstacle::new(Kind::DosUnreachable).saying(
            "The directory of services could not prove that it is genuine, so nothing was sent.",
            Kind::DosAccess.row().next,
        ),
        None => Obstacle::new(Kind::DosUnreachable),
    };
    obstacle.text("transport", &body::reasons(error))
}
