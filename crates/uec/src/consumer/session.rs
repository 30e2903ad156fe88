//! What every command starts from: settings, discovery, journey, and the encounter it belongs to.

use super::{Stopped, settle};
use crate::{Failure, log};
use booking::foreign::Foreign;
use booking::ids::{NhsNumber, ServiceId};
use clap::Args;
use consumer::config::{ConsumerConfig, DemoAddresses, KEYS, Role};
use consumer::discover::{self, Discovery, Endpoint, ServiceDetails};
use consumer::journal::{Encounter, Found, Journal, KnownBooking, State};
use consumer::journey::{Consultation, Journey, Located, Proven, Status, Target, timeframe};
use consumer::obstacle::Obstacle;
use consumer::slots::day_and_time;
use jiff::Timestamp;
use provider::config::LogFormat;
use serde_json::json;
use std::collections::HashMap;
use std::path::PathBuf;
use uuid::Uuid;

/// First port of `uec demo`; its SSP, DoS and SDS are on the ones after its Provider.
const DEMO_PORT: u16 = 8000;

/// Flags of every command.
#[derive(Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Settings file, TOML
    #[arg(long, global = true, env = "UEC_CONSUMER_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// One setting by its key in the file, such as dos.url=https://… or user.clinical=true; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Write codes and ids to standard error
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Go on with an encounter of this id, which stays open; without it each command is one of its own
    #[arg(long, global = true, env = "UEC_ENCOUNTER", value_name = "ID")]
    pub encounter: Option<String>,
    /// End the encounter after this command
    #[arg(long, global = true)]
    pub close: bool,
    /// Own number of the case, kept with every request
    #[arg(long = "case", global = true, value_name = "REF")]
    pub case_ref: Option<String>,
    /// Outcome of the assessment, such as Dx05
    #[arg(long, global = true, value_name = "CODE")]
    pub disposition: Option<String>,
    /// Time in which the patient should be seen, such as 2h or 90m [default: that of the disposition]
    #[arg(long, global = true, value_name = "TIME", value_parser = minutes)]
    pub within: Option<i64>,
    /// ODS code of the patient's registered practice, for reports
    #[arg(long, global = true, value_name = "ODS")]
    pub practice: Option<String>,
}

/// What names the booking that was tried last.
const LAST: &str = "last";
/// Longest timeframe taken: a year.
const MAX_MINUTES: i64 = 366 * 24 * 60;

fn minutes(text: &str) -> Result<i64, String> {
    let text = text.trim().to_ascii_lowercase();
    let (digits, factor) = match text.chars().last() {
        Some('h') => (&text[..text.len() - 1], 60),
        Some('d') => (&text[..text.len() - 1], 24 * 60),
        Some('m') => (&text[..text.len() - 1], 1),
        _ => return Err("write a time with its unit, such as 90m, 2h or 1d".to_owned()),
    };
    let n: i64 = digits
        .trim()
        .parse()
        .map_err(|_| "write a whole number and its unit, such as 90m or 2h".to_owned())?;
    match n.checked_mul(factor) {
        Some(minutes) if (0..=MAX_MINUTES).contains(&minutes) => Ok(minutes),
        _ => Err("this is no time that a patient could wait".to_owned()),
    }
}

impl Settings {
    /// Codes go to standard error only when asked for; `RUST_LOG` says more precisely what.
    pub fn start_logging(&self) {
        let default = if self.verbose {
            "consumer=debug"
        } else {
            "off"
        };
        log::start(LogFormat::Text, default);
    }

    fn load(&self) -> Result<ConsumerConfig, Failure> {
        let mut given: HashMap<&'static str, String> = HashMap::new();
        for pair in &self.set {
            let (path, value) = pair
                .split_once('=')
                .ok_or_else(|| Failure::Usage(format!("--set {pair}: write KEY=VALUE")))?;
            let key = KEYS.iter().find(|k| k.path == path.trim()).ok_or_else(|| {
                let all: Vec<&str> = KEYS.iter().map(|k| k.path).collect();
                Failure::Usage(format!(
                    "--set: there is no setting `{path}`; there are {}",
                    all.join(", ")
                ))
            })?;
            given.insert(key.variable, value.to_owned());
        }
        let get = |name: &str| {
            given
                .get(name)
                .cloned()
                .or_else(|| std::env::var(name).ok())
        };
        let wrong = |e: consumer::config::ConfigError| Failure::Usage(e.to_string());
        let said_who = get("UEC_CONSUMER_ASID").is_some();
        if self.config.is_some() || said_who {
            return ConsumerConfig::load(self.config.as_deref(), &get).map_err(wrong);
        }
        ConsumerConfig::demo_with(&demo_addresses(&get), &get).map_err(wrong)
    }

    fn encounter(&self, config: &ConsumerConfig) -> Encounter {
        let user = config.user.as_ref().map(|u| u.practitioner.id.clone());
        let of_disposition = || timeframe::of_disposition(self.disposition.as_deref()?);
        Encounter {
            id: self
                .encounter
                .clone()
                .unwrap_or_else(|| Uuid::new_v4().to_string()),
            opened_at: Timestamp::now(),
            closed_at: None,
            case_ref: self.case_ref.clone(),
            user: user.unwrap_or_else(|| config.device.value.clone()),
            clinical: config.role() == Role::Clinician,
            disposition: self.disposition.clone(),
            within_minutes: self.within.or_else(of_disposition),
            practice: self.practice.clone(),
        }
    }
}

/// The demonstration on this machine, on the ports of `uec demo`.
fn demo_addresses(get: &dyn Fn(&str) -> Option<String>) -> DemoAddresses {
    let first: u16 = get("UEC_PORT")
        .and_then(|p| p.parse().ok())
        .unwrap_or(DEMO_PORT);
    let at = |scheme: &str, n: u16| format!("{scheme}://127.0.0.1:{}", first.saturating_add(n));
    DemoAddresses {
        ssp: at("http", 2),
        dos: at("http", 3),
        sds: at("ldap", 4),
    }
}

/// A service with the way to its bookings.
pub struct Bookable {
    /// What the directory says of it.
    pub details: ServiceDetails,
    /// Its endpoint.
    pub endpoint: Endpoint,
}

impl Bookable {
    /// What the journey needs of it.
    pub fn target(&self) -> Target {
        Target::from(&self.endpoint)
    }
}

/// Everything that a command works with.
pub struct Session {
    /// The settings.
    pub config: ConsumerConfig,
    /// DoS.
    pub discovery: Discovery,
    /// SDS, remembered for this command only.
    pub directory: discover::Session,
    /// The contact that the command belongs to.
    pub consultation: Consultation,
    /// The client for referrals.
    pub client: reqwest::Client,
    /// JSON instead of tables.
    pub json: bool,
    close: bool,
}

impl Session {
    /// Reads the settings and opens journal and encounter.
    pub async fn open(settings: &Settings) -> Result<Session, Failure> {
        let config = settings.load()?;
        let refused = |o: Obstacle| Failure::Refused(o.to_string());
        let client = consumer::client::http(&config).map_err(|e| Failure::Usage(e.to_string()))?;
        let journal = config
            .open_journal()
            .map_err(|e| Failure::Refused(e.to_string()))?;
        let journey = Journey::over(&config, client.clone(), journal);
        let discovery =
            Discovery::over(&config, client.clone()).map_err(|e| Failure::Usage(e.to_string()))?;
        let encounter = settings.encounter(&config);
        let consultation = journey.consultation(encounter).await.map_err(refused)?;
        Ok(Session {
            directory: discovery.session(),
            discovery,
            consultation,
            client,
            json: settings.json,
            close: settings.close || settings.encounter.is_none(),
            config,
        })
    }

    /// The journal of this consumer.
    pub fn journal(&self) -> &Journal {
        self.consultation.journey().journal()
    }

    /// Ends the encounter, unless it is to stay open.
    pub async fn close(&self) -> Result<(), Obstacle> {
        match self.close {
            true => self.consultation.close().await,
            false => Ok(()),
        }
    }

    /// Finds a service in the directory.
    pub async fn service(&self, id: &ServiceId) -> Result<ServiceDetails, Stopped> {
        let mut found = self.discovery.service(id).await;
        if let Ok(details) = &mut found {
            details.booking_required |= self.listed_as_booking_only(id).await?.unwrap_or(false);
        }
        let (outcome, detail) = match &found {
            Ok(details) => (
                "found",
                json!({ "booking_required": details.booking_required }),
            ),
            Err(o) => ("obstacle", super::shown::obstacle(o)),
        };
        self.consultation
            .note("choice", Some(id), outcome, detail)
            .await?;
        Ok(found?)
    }

    /// Whether the newest list that named the service had it as booking-only; `None` when none did. The directory says so
    /// in lists only.
    pub async fn listed_as_booking_only(&self, id: &ServiceId) -> Result<Option<bool>, Stopped> {
        Ok(self.journal().listed_as_booking_only(id.as_str()).await?)
    }

    /// Goes through DoS and SDS to where a service is booked (DAT-02).
    pub async fn bookable(&self, id: &ServiceId) -> Result<Bookable, Stopped> {
        let details = self.service(id).await?;
        let endpoint = self.endpoint(&details).await?;
        Ok(Bookable { details, endpoint })
    }

    /// The endpoint of a service whose details are there.
    pub async fn endpoint(&self, details: &ServiceDetails) -> Result<Endpoint, Stopped> {
        Ok(self.found_endpoint(details).await??)
    }

    /// The same; the inner error says why there is none. Either is kept (DAT-02).
    pub async fn found_endpoint(
        &self,
        details: &ServiceDetails,
    ) -> Result<Result<Endpoint, Obstacle>, Stopped> {
        let found = self.directory.endpoint(details).await;
        let (outcome, detail) = match &found {
            Ok(e) => (
                "found",
                json!({ "asid": e.asid.as_str(), "party_key": e.party_key, "slots": e.slots_root,
                        "booking": e.booking_root }),
            ),
            Err(o) => ("obstacle", super::shown::obstacle(o)),
        };
        self.consultation
            .note("endpoint", Some(&details.id), outcome, detail)
            .await?;
        Ok(found)
    }

    async fn find(&self, text: &str) -> Result<Found, Stopped> {
        let journal = self.journal();
        Ok(match text.eq_ignore_ascii_case(LAST) {
            true => match journal.last_tried().await? {
                Some(last) => Found::One(Box::new(last)),
                None => Found::None,
            },
            false => journal.find(text).await?,
        })
    }

    /// What the journal has of an appointment id, a URL, a document id or `last`.
    pub async fn row(
        &self,
        text: &str,
        service: Option<&ServiceId>,
    ) -> Result<Option<KnownBooking>, Stopped> {
        match self.find(text).await? {
            Found::None => Ok(None),
            Found::One(known) => Ok(Some(*known)),
            Found::Several(all) => {
                let of_service =
                    |s: &ServiceId| all.iter().find(|k| k.service == s.as_str()).cloned();
                let one = service.and_then(of_service).ok_or_else(|| {
                    Stopped::Usage(format!(
                        "several services have an appointment {text}: name one with --service"
                    ))
                })?;
                Ok(Some(one))
            }
        }
    }

    /// An appointment by its id, URL, document id or `last`: the journal knows the ones made here, `--service` says where
    /// others are. `last` is the booking that was tried last, whatever became of it. One of which it is not known
    /// whether it was made is looked for first (D-53). SDS is asked anew each time (NAT-SDS-07).
    pub async fn located(&self, text: &str, service: Option<&ServiceId>) -> Result<Known, Stopped> {
        let mut known = self.row(text, service).await?;
        let mut settled = None;
        if let Some(row) = known.as_ref().filter(|k| k.is_unsettled()) {
            let found = settle::row(self, row).await?;
            let document = row.document.clone();
            if let Some(stop) = found.stops() {
                return Err(stop);
            }
            settle::tell(self, std::slice::from_ref(&found));
            settled = Some(found.json());
            known = self.row(&document, service).await?;
        }
        if let Some(row) = known.as_ref().filter(|k| k.state == State::Failed) {
            return Err(Stopped::Refused(format!(
                "The booking at {} on {} was not made. Name another appointment by its id, its URL or its document.",
                settle::told_service(row),
                day_and_time(row.start)
            )));
        }
        let service = match (service, &known) {
            (_, Some(known)) => ServiceId::parse(&known.service)
                .map_err(|e| Stopped::Refused(format!("the journal is damaged: {e}")))?,
            (Some(service), None) => service.clone(),
            (None, None) if text.eq_ignore_ascii_case(LAST) => {
                return Err(Stopped::refused("Nothing was booked from here yet."));
            }
            (None, None) => {
                return Err(Stopped::Usage(format!(
                    "the appointment {text} was not booked from here: say with --service which service has it"
                )));
            }
        };
        let bookable = self.bookable(&service).await?;
        let target = bookable.target();
        let located = match known.as_ref() {
            Some(known) => Located::of_known(known).map(|l| Located {
                target: target.clone(),
                ..l
            }),
            None => Located::of_text(&target, text),
        };
        let located = located.ok_or_else(|| match &known {
            Some(_) => {
                Stopped::refused("The journal has no id of this appointment. Ring the service.")
            }
            None => Stopped::Usage(format!("{text} is no appointment id or URL")),
        })?;
        Ok(Known {
            located,
            bookable,
            booking: known,
            settled,
        })
    }
}

/// An appointment with what is known about it.
pub struct Known {
    /// Where it is.
    pub located: Located,
    /// Its service.
    pub bookable: Bookable,
    /// What the journal has, if it was booked from here.
    pub booking: Option<KnownBooking>,
    /// What was found out just now, if it was not known whether it was made.
    pub settled: Option<serde_json::Value>,
}

impl Known {
    /// The service as the user knows it.
    pub fn service(&self) -> String {
        service_name(&self.bookable.target(), self.booking.as_ref())
    }

    /// Reads the appointment, and stops unless it is the one that is meant: the one of the journal, or of the patient at
    /// hand.
    pub async fn read(
        &self,
        session: &Session,
        patient: Option<&NhsNumber>,
    ) -> Result<Proven, Stopped> {
        let consultation = &session.consultation;
        let expected = consultation.expected(&self.located, patient).await?;
        let read = consultation
            .read_expected(&self.located, &expected, Status::Any)
            .await?;
        read.map_err(|unproven| {
            Stopped::Refused(format!(
                "What {} has under this id is not the appointment that is meant: {}. Nothing was done. Ring the service.",
                self.service(),
                unproven.plain()
            ))
        })
    }
}

/// The name of a service as the directory or the slot of a booking gave it, or its number in the directory.
pub fn service_name(target: &Target, booking: Option<&KnownBooking>) -> String {
    let told = booking.and_then(|b| b.told.service.as_ref());
    let name = target.name.as_ref().or(told);
    name.map_or_else(|| format!("service {}", target.service), Foreign::to_string)
}
