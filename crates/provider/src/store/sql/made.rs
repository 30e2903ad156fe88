//! What the audit trail says of the versions that changes made, and whether the versions are still those (D-73).
//!
//! The row of a referral that was kept names it and holds the digest of its message (D-97); it is compared in the same way.
//!
//! The row of a booking or a cancellation names the version that it made and holds its digests. The check goes both ways:
//! every version has its row, and every row's version is there with those bytes. Rows of releases that kept no digests name
//! the version alone; such versions are counted, so that nobody takes them for proven.

use crate::audit::{MadeVersion, hex};
use crate::store::appointment::{AppointmentStatus, StoredAppointment, WriteRequest};
use crate::store::driver::{Connection, Row, Value, values};
use crate::store::error::StoreError;
use crate::tenant_key::TenantKey;
use booking::count::counted;
use booking::ids::RequestId;
use booking::wire::interaction::Interaction;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::ops::Range;
use uuid::Uuid;

/// Versions compared in one pass, about 100 MB; of more, the trail is read once for each million.
const AT_ONCE: u64 = 1_000_000;
/// What the text of a row has in it when it names a version.
const MARK: &str = "\"version\":";

/// What the text of a row has in it when it tells of a referral that was received.
const REFERRAL_MARK: &str = "\"action\":\"referral";
/// What such a row says when the message was stored, beginning and whole; the only sign of it in rows without a digest.
const FILED: &str = "filed;";
const SET_ASIDE: &str = "refused; kept in quarantine";

/// Columns of an appointment that say what its booking is of, and that nothing changes afterwards.
pub(super) const DIGESTED_COLUMNS: &str = "a.slot, a.schedule, a.start, a.finish, a.day, a.service, a.nhs_number, \
     a.booked_at, a.booked_asid, a.booked_ods, a.booked_kind, a.booked_claimed";
/// How many they are.
const DIGESTED_WIDTH: usize = 12;
/// How many of them rows held digests of before what was only claimed of the booker was stored.
const DIGESTED_WIDTH_BEFORE: usize = 11;

fn digest<'c>(values: impl IntoIterator<Item = impl Borrow<Value<'c>>>) -> [u8; 32] {
    let mut sha = Sha256::new();
    for value in values {
        value.borrow().digest_into(&mut sha);
    }
    sha.finalize().into()
}

/// Digest of the values of [`DIGESTED_COLUMNS`].
pub(super) fn booked(values: &[Value<'_>; DIGESTED_WIDTH]) -> [u8; 32] {
    digest(values)
}

/// The same of a row, from a column on.
pub(super) fn booked_of(row: &Row<'_>, from: usize) -> Result<[u8; 32], StoreError> {
    Ok(digest(columns(row, from..from + DIGESTED_WIDTH)?))
}

fn columns<'r>(row: &Row<'r>, which: Range<usize>) -> Result<Vec<Value<'r>>, StoreError> {
    which.map(|column| row.get(column)).collect()
}

/// Digests of a version that is about to be stored.
pub(super) fn of(
    version: &StoredAppointment,
    request: &WriteRequest,
    booked: &[u8; 32],
) -> MadeVersion {
    let columns = values![
        version.version,
        version.status as u8,
        super::read::millis(version.last_updated),
        request.asid.as_str(),
        request.ods.as_str(),
        request.request_id.as_ref().map(RequestId::as_str),
        request.received.as_deref(),
    ];
    MadeVersion {
        document: Sha256::digest(&version.json).into(),
        record: record(version.id.as_str(), columns, booked),
    }
}

fn record(id: &str, columns: &[Value<'_>], booked: &[u8; 32]) -> [u8; 32] {
    let (first, last) = (Value::from(id), Value::from(booked));
    digest([&first].into_iter().chain(columns).chain([&last]))
}

/// What the check reads of every version: its own columns, its document, its appointment.
fn version_columns() -> String {
    format!(
        "a.id, a.version, a.status, a.live, a.cancelled_at, a.cancelled_asid, a.cancelled_ods, \
         v.json, v.version, v.status, v.at, v.asid, v.ods, v.request_id, v.received, {DIGESTED_COLUMNS}"
    )
}
/// Where in it the columns of the version that its record is of begin, and how many they are.
const RECORD_COLUMNS: Range<usize> = 8..15;
/// Where those of its booking begin.
const BOOKING_FROM: usize = 15;

/// The members of a row's text that the check needs.
#[derive(Deserialize)]
struct Said<'t> {
    #[serde(borrow)]
    interaction: Option<Cow<'t, str>>,
    #[serde(borrow)]
    appointment: Option<Cow<'t, str>>,
    version: Option<u32>,
    #[serde(borrow)]
    sha256: Option<Cow<'t, str>>,
    #[serde(borrow)]
    record: Option<Cow<'t, str>>,
    #[serde(borrow)]
    referral: Option<Cow<'t, str>>,
    #[serde(borrow)]
    message_sha256: Option<Cow<'t, str>>,
    #[serde(borrow)]
    detail: Option<Cow<'t, str>>,
}

type Short = [u8; 16];

/// The first half of a digest: enough that nothing else can be found for it.
fn short<const N: usize>(values: [Value<'_>; N]) -> Short {
    let whole = digest(values);
    let mut half = Short::default();
    half.copy_from_slice(&whole[..16]);
    half
}

fn key(id: &str, version: u32) -> Short {
    short([id.into(), version.into()])
}

fn digests(document: &str, record: &str) -> Short {
    short([document.into(), record.into()])
}

/// What a row made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Made {
    Version,
    /// The message of a referral.
    Message,
}

/// What a row says of a message.
fn message_digest(hash: &str) -> Short {
    short([hash.into()])
}

/// A row that made something.
struct Claim {
    seq: i64,
    made: Made,
    digests: Option<Short>,
}

/// The key of a referral beside those of versions, which begin with 1.
fn referral_key(id: &str) -> Short {
    key(id, 0)
}

/// The rows of a trail that made versions or stored messages, of one part of these at a time.
pub(super) struct Claims<'c> {
    connection: &'c Connection,
    tenant: TenantKey,
    part: u64,
    parts: u64,
    rows: HashMap<Short, Claim>,
    /// Versions that are there.
    versions: u64,
    /// Rows that stored a message and have no digest of it: how many, and the first.
    undigested: u64,
    first_undigested: Option<i64>,
}

/// How many versions and messages were compared.
#[derive(Default)]
pub(super) struct Compared {
    pub(super) all: u64,
    pub(super) before_digests: u64,
    pub(super) messages: u64,
    pub(super) messages_before_digests: u64,
    /// One of the messages that no row has a digest of.
    undigested: Option<String>,
}

/// The first row that does not fit, and why.
type Misfit = (i64, String);

impl<'c> Claims<'c> {
    /// Of the first part.
    pub(super) fn of(
        connection: &'c Connection,
        tenant: TenantKey,
    ) -> Result<Claims<'c>, StoreError> {
        let count = |sql| -> Result<u64, StoreError> {
            Ok(u64::try_from(connection.number(sql, values![tenant.0])?).unwrap_or(0))
        };
        let versions = count("SELECT count(*) FROM appointment_version WHERE tenant = ?1")?;
        let messages = count("SELECT count(*) FROM referral WHERE tenant = ?1")?;
        Ok(Claims {
            connection,
            tenant,
            part: 0,
            parts: (versions + messages).div_ceil(AT_ONCE).max(1),
            rows: HashMap::new(),
            versions,
            undigested: 0,
            first_undigested: None,
        })
    }

    fn is_of_this_part(&self, key: &Short) -> bool {
        self.parts == 1
            || u64::from_be_bytes([
                key[0], key[1], key[2], key[3], key[4], key[5], key[6], key[7],
            ]) % self.parts
                == self.part
    }

    /// Notes a row of the trail, if it made a version. The error is why it cannot have.
    pub(super) fn take(&mut self, seq: i64, body: &str) -> Result<(), &'static str> {
        if !body.contains(MARK) && !body.contains(REFERRAL_MARK) {
            return Ok(());
        }
        let said: Said<'_> = serde_json::from_str(body).map_err(|_| "its text cannot be read")?;
        if let (Some(id), Some(message)) = (&said.referral, &said.message_sha256) {
            let digests = Some(message_digest(message));
            return self.claim(referral_key(id), seq, Made::Message, digests);
        }
        let (Some(id), Some(version)) = (said.appointment, said.version) else {
            let detail = said.detail.as_deref().unwrap_or_default();
            let kept = detail.starts_with(FILED) || detail == SET_ASIDE;
            if self.part == 0 && kept && body.contains(REFERRAL_MARK) {
                self.undigested += 1;
                self.first_undigested.get_or_insert(seq);
            }
            return Ok(());
        };
        // Reads name a version too. What has no interaction was done here: a cancellation by staff.
        let makes = |name| name == Interaction::Book.name() || name == Interaction::Cancel.name();
        if !said.interaction.as_deref().is_none_or(makes) {
            return Ok(());
        }
        let digests = match (said.sha256, said.record) {
            (Some(document), Some(record)) => Some(digests(&document, &record)),
            (None, None) => None,
            _ => return Err("it has one digest of the version that it made, not both"),
        };
        self.claim(key(&id, version), seq, Made::Version, digests)
    }

    fn claim(
        &mut self,
        key: Short,
        seq: i64,
        made: Made,
        digests: Option<Short>,
    ) -> Result<(), &'static str> {
        // More rows than versions: some version is gone, and one of those taken so far tells.
        if !self.is_of_this_part(&key) || self.rows.len() as u64 > 2 * AT_ONCE {
            return Ok(());
        }
        let claim = Claim { seq, made, digests };
        match (self.rows.insert(key, claim), made) {
            (None, _) => Ok(()),
            (Some(_), Made::Version) => Err("it made a version that an earlier row had made"),
            (Some(_), Made::Message) => Err("it stored a message that an earlier row had stored"),
        }
    }

    /// Compares with the versions, part by part; the rows of the first part were taken.
    pub(super) fn compare(mut self, last: i64) -> Result<Result<Compared, Misfit>, StoreError> {
        let mut compared = Compared::default();
        loop {
            if let Err(misfit) = self.compare_part(last, &mut compared)? {
                return Ok(Err(misfit));
            }
            self.part += 1;
            if self.part >= self.parts {
                break;
            }
            self.rows.clear();
            if let Err(misfit) = self.take_again()? {
                return Ok(Err(misfit));
            }
        }
        if let Err(misfit) = self.compare_undigested(last, &compared) {
            return Ok(Err(misfit));
        }
        match compared.all == self.versions {
            true => Ok(Ok(compared)),
            false => Ok(Err((
                last + 1,
                format!(
                    "{} to no appointment",
                    counted(
                        self.versions.saturating_sub(compared.all),
                        "version belongs",
                        "versions belong"
                    )
                ),
            ))),
        }
    }

    /// Of messages without a digest only the number can be compared.
    fn compare_undigested(&self, last: i64, compared: &Compared) -> Result<(), Misfit> {
        let (there, told) = (compared.messages_before_digests, self.undigested);
        match (&compared.undigested, self.first_undigested) {
            (Some(id), _) if there > told => Err((
                last + 1,
                format!(
                    "the row is missing that stored the message of referral {id}, or of another; {} no row",
                    counted(there - told, "message has", "messages have")
                ),
            )),
            (_, Some(first)) if told > there => Err((
                first,
                format!(
                    "the message that it stored is gone, or that of a later row; {} gone",
                    counted(told - there, "message is", "messages are")
                ),
            )),
            _ => Ok(()),
        }
    }

    /// Takes the rows of the next part.
    fn take_again(&mut self) -> Result<Result<(), Misfit>, StoreError> {
        let (connection, tenant) = (self.connection, self.tenant);
        let mut outcome = Ok(());
        let sql = connection.text(
            "SELECT key - (?1 << 40), body FROM audit WHERE key > (?1 << 40) AND key < ((?1 + 1) << 40)
             AND (instr(body, ?2) > 0 OR instr(body, ?3) > 0) ORDER BY key",
            "SELECT seq, body FROM audit WHERE tenant = ?1 AND (strpos(body, ?2) > 0 OR strpos(body, ?3) > 0)
             ORDER BY seq",
        );
        connection.stream(sql, values![tenant.0, MARK, REFERRAL_MARK], |row| {
            let seq = row.get(0)?;
            outcome = self
                .take(seq, row.get(1)?)
                .map_err(|what| (seq, what.to_owned()));
            Ok(outcome.is_ok())
        })?;
        Ok(outcome)
    }

    fn compare_part(
        &mut self,
        last: i64,
        compared: &mut Compared,
    ) -> Result<Result<(), Misfit>, StoreError> {
        let mut found = Found::default();
        let (connection, tenant) = (self.connection, self.tenant);
        let sql = format!(
            "SELECT {} FROM appointment a
             LEFT JOIN appointment_version v ON v.tenant = a.tenant AND v.appointment = a.key WHERE a.tenant = ?1",
            version_columns()
        );
        connection.stream(&sql, values![tenant.0], |row| {
            self.look_at(row, &mut found, compared)?;
            Ok(true)
        })?;
        // A digest that the database can compute spares the way of the message.
        let sql = connection.text(
            "SELECT r.id, m.body FROM referral r LEFT JOIN referral_message m ON m.referral = r.key WHERE r.tenant = ?1",
            "SELECT r.id, sha256(m.body) FROM referral r
             LEFT JOIN referral_message m ON m.tenant = r.tenant AND m.referral = r.key WHERE r.tenant = ?1",
        );
        connection.stream(sql, values![tenant.0], |row| {
            self.look_at_message(row, &mut found, compared)?;
            Ok(true)
        })?;
        let sql = "SELECT count(*) FROM appointment WHERE tenant = ?1";
        let appointments = connection.number(sql, values![tenant.0])?;
        Ok(self.verdict(&found, last, appointments))
    }

    fn look_at(
        &mut self,
        row: &Row<'_>,
        found: &mut Found,
        compared: &mut Compared,
    ) -> Result<(), StoreError> {
        let id: &str = row.get(0)?;
        let Some(version) = row.get::<Option<u32>>(RECORD_COLUMNS.start)? else {
            // An appointment without a version: it is missing among the newest.
            return Ok(());
        };
        let newest = row.get::<u32>(1)? == version;
        found.newest += i64::from(newest);
        let key = key(id, version);
        if !self.is_of_this_part(&key) {
            return Ok(());
        }
        compared.all += 1;
        let Some(claim) = self.rows.remove(&key) else {
            found
                .without_row
                .get_or_insert_with(|| (id.to_owned(), version));
            found.without += 1;
            return Ok(());
        };
        let is_right = match claim.digests {
            None => {
                compared.before_digests += 1;
                true
            }
            Some(digests) => is_stored(id, row, digests)?,
        };
        if !is_right || (newest && !is_current(row)?) {
            found.changed(&claim);
        }
        Ok(())
    }

    fn look_at_message(
        &mut self,
        row: &Row<'_>,
        found: &mut Found,
        compared: &mut Compared,
    ) -> Result<(), StoreError> {
        let id = Uuid::from_bytes(row.get(0)?).to_string();
        let key = referral_key(&id);
        if !self.is_of_this_part(&key) {
            return Ok(());
        }
        compared.messages += 1;
        let Some(claim) = self.rows.remove(&key) else {
            compared.messages_before_digests += 1;
            compared.undigested.get_or_insert(id);
            return Ok(());
        };
        let stored = row.get::<Option<&[u8]>>(1)?;
        let stored = stored.map(|stored| match self.connection.is_remote() {
            true => hex(stored),
            false => hex(&Sha256::digest(stored)),
        });
        if stored.map(|hash| message_digest(&hash)) != claim.digests {
            found.changed(&claim);
        }
        Ok(())
    }

    /// What is said of a part: the first row that does not fit.
    fn verdict(&self, found: &Found, last: i64, appointments: i64) -> Result<(), Misfit> {
        let gone = self.rows.values().map(|claim| (claim.seq, claim.made));
        let gone = gone.min_by_key(|(seq, _)| *seq);
        match (found.first_changed, gone) {
            (Some((changed, made)), gone) if gone.is_none_or(|(gone, _)| changed < gone) => {
                let (what, thing, things) = match made {
                    Made::Version => (
                        "appointment or the version that it made",
                        "version was",
                        "versions were",
                    ),
                    Made::Message => (
                        "message of a referral that it stored",
                        "message was",
                        "messages were",
                    ),
                };
                let all = counted(found.changed_of(made), thing, things);
                return Err((
                    changed,
                    format!("the {what} is not what it was; {all} changed"),
                ));
            }
            (_, Some((gone, made))) => {
                let (what, thing, things) = match made {
                    Made::Version => (
                        "version of an appointment that it made",
                        "version is",
                        "versions are",
                    ),
                    Made::Message => ("referral that it stored", "referral is", "referrals are"),
                };
                let like = self
                    .rows
                    .values()
                    .filter(|claim| claim.made == made)
                    .count();
                let all = counted(like, thing, things);
                return Err((gone, format!("the {what} is gone; {all} gone")));
            }
            _ => {}
        }
        if let Some((id, version)) = &found.without_row {
            return Err((
                last + 1,
                format!(
                    "the row is missing that made version {version} of appointment {id}; {} no row",
                    counted(found.without, "version has", "versions have")
                ),
            ));
        }
        match appointments - found.newest {
            0 => Ok(()),
            lost => Err((
                last + 1,
                format!(
                    "{} no newest version",
                    counted(lost, "appointment has", "appointments have")
                ),
            )),
        }
    }
}

/// What one pass over the versions found.
#[derive(Default)]
struct Found {
    first_changed: Option<(i64, Made)>,
    changed_versions: u64,
    changed_messages: u64,
    without_row: Option<(String, u32)>,
    without: u64,
    /// Appointments whose newest version is there.
    newest: i64,
}

impl Found {
    /// Something is not what its row says.
    fn changed(&mut self, claim: &Claim) {
        match claim.made {
            Made::Version => self.changed_versions += 1,
            Made::Message => self.changed_messages += 1,
        }
        if self
            .first_changed
            .is_none_or(|(first, _)| claim.seq < first)
        {
            self.first_changed = Some((claim.seq, claim.made));
        }
    }

    fn changed_of(&self, made: Made) -> u64 {
        match made {
            Made::Version => self.changed_versions,
            Made::Message => self.changed_messages,
        }
    }
}

/// Whether a version is stored as its row says, which may be of a release that left the last column out. A digest that
/// has it is never taken for one that has not.
fn is_stored(id: &str, row: &Row<'_>, said: Short) -> Result<bool, StoreError> {
    let document = Sha256::digest(row.get::<&[u8]>(7)?);
    let of_version = columns(row, RECORD_COLUMNS)?;
    let of_booking = columns(row, BOOKING_FROM..BOOKING_FROM + DIGESTED_WIDTH)?;
    let is = |booking: &[Value<'_>]| {
        let record = record(id, &of_version, &digest(booking));
        digests(&hex(&document), &hex(&record)) == said
    };
    Ok(is(&of_booking) || is(&of_booking[..DIGESTED_WIDTH_BEFORE]))
}

/// Whether the appointment says what its newest version says.
fn is_current(row: &Row<'_>) -> Result<bool, StoreError> {
    let (state, live): (u8, bool) = (row.get(2)?, row.get(3)?);
    let booked = AppointmentStatus::Booked as u8;
    if state != row.get::<u8>(9)? || live != (state == booked) {
        return Ok(false);
    }
    if state == booked {
        let cancelled: Option<i64> = row.get(4)?;
        return Ok(cancelled.is_none());
    }
    let who = |column| row.get::<Option<&str>>(column);
    Ok(row.get::<Option<i64>>(4)? == Some(row.get(10)?)
        && who(5)? == who(11)?
        && who(6)? == who(12)?)
}
