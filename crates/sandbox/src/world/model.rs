//! What a world file holds, as typed values.

use super::written::{Age, ClockTime, Day, RotaDay};
use serde::{Deserialize, Deserializer, Serialize, de};
use std::fmt;

/// The permission that an account needs for the web service (NAT-DOS-01).
pub const WEB_SERVICE: &str = "webService";
/// Search distance when neither request nor file says one, km (CheckCapacitySummary: national default).
pub const DEFAULT_DISTANCE_KM: u32 = 60;
/// Smallest and largest search distance, km (NAT-DOS-03).
pub const DISTANCES_KM: std::ops::RangeInclusive<u32> = 1..=99;

/// `[dos]`: how the directory answers.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Refuse requests whose elements are in the wrong order, unknown or without namespace.
    pub strict: bool,
    /// Search distance when neither request nor postcode says one.
    pub default_distance_km: u32,
    /// How endpoints are written in answers (NAT-DOS-08, NAT-DOS-11).
    pub endpoints: Spelling,
    /// The children of an answer carry the namespace; `false`: they do not (NAT-DOS-08).
    pub qualified: bool,
    /// Days on which the `bank-holiday` sessions hold.
    pub bank_holidays: Vec<Day>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            strict: true,
            default_distance_km: DEFAULT_DISTANCE_KM,
            endpoints: Spelling::Wsdl,
            qualified: true,
            bank_holidays: Vec::new(),
        }
    }
}

/// How endpoints are written in answers; all of them are legal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spelling {
    /// `serviceEndpoints/endpoint` with `compression`.
    #[default]
    Wsdl,
    /// `serviceEndPoints/EndPoint` with `isCompressionEnabled`.
    Standard,
    /// Referral endpoints as `contactDetails/contactDetail` with one `|`-delimited value; booking endpoints as `wsdl`.
    ContactDetails,
}

/// `[[postcode]]`: a place that can be searched from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Postcode {
    /// The postcode.
    pub postcode: String,
    /// Metres east on the national grid.
    pub easting: i32,
    /// Metres north on the national grid.
    pub northing: i32,
}

/// `[[distance]]`: the search distance that DoS leads set for a postcode, sector or district.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Distance {
    /// `LS99 9ZA` (postcode), `LS99 9` (sector) or `LS99` (district).
    pub area: String,
    /// The distance.
    pub km: u32,
}

/// `[[disposition]]`: an outcome of triage.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Disposition {
    /// Number in requests.
    pub id: u32,
    /// Name.
    pub name: String,
    /// The patient must be seen within so many minutes; left out: at once.
    #[serde(default)]
    pub within_minutes: u32,
    /// Service types, the most suitable first; others come after them.
    #[serde(default)]
    pub ranking: Vec<u32>,
}

/// `[[symptom_group]]` with the discriminators that belong to it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SymptomGroup {
    /// Number in requests.
    pub id: u32,
    /// Name.
    pub name: String,
    /// Discriminators that are valid with this group.
    pub discriminators: Vec<u32>,
}

/// `[[account]]`: who may ask.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// User name.
    pub username: String,
    /// Password. The file is for tests: it stands here in clear text.
    pub password: String,
    /// Referral role: services name the roles that they take referrals from (NAT-DOS-02).
    pub role: String,
    /// Permissions; `webService` is needed.
    #[serde(default = "web_service")]
    pub permissions: Vec<String>,
    /// A locked account cannot log in.
    #[serde(default)]
    pub locked: bool,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("username", &self.username)
            .field("password", &"***")
            .field("role", &self.role)
            .finish_non_exhaustive()
    }
}

fn web_service() -> Vec<String> {
    vec![WEB_SERVICE.to_owned()]
}

/// `[[service]]`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// DoS service id, a number with or without quotes; also the id of the HealthcareService at the provider (D-34).
    #[serde(deserialize_with = "number")]
    pub id: u32,
    /// Name for professionals.
    pub name: String,
    /// Name for the public.
    #[serde(default)]
    pub public_name: Option<String>,
    /// ODS code.
    pub ods: String,
    /// Kind of service.
    #[serde(rename = "type")]
    pub kind: ServiceType,
    /// Whether it is found.
    #[serde(default)]
    pub status: Status,
    /// Postcode, one of the `[[postcode]]` table.
    pub postcode: String,
    /// Lines of the address, without the postcode.
    #[serde(default)]
    pub address: Vec<String>,
    /// Telephone for the public.
    #[serde(default)]
    pub phone: Option<String>,
    /// Telephone for professionals only.
    #[serde(default)]
    pub non_public_phone: Option<String>,
    /// Fax, for professionals only.
    #[serde(default)]
    pub fax: Option<String>,
    /// Web site.
    #[serde(default)]
    pub url: Option<String>,
    /// What the patient is told.
    #[serde(default)]
    pub public_information: Option<String>,
    /// What the referrer is told, not for the public.
    #[serde(default)]
    pub referral_information: Option<String>,
    /// Referral roles of the accounts that find the service.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Genders seen.
    #[serde(default = "every_gender")]
    pub genders: Vec<Gender>,
    /// Ages seen.
    #[serde(default = "every_age")]
    pub ages: Vec<AgeRange>,
    /// Dispositions taken.
    #[serde(default)]
    pub dispositions: Vec<u32>,
    /// Symptom groups and discriminators taken.
    #[serde(default)]
    pub symptom: Vec<Symptom>,
    /// Surgeries whose patients the service is for; the service comes first for them.
    #[serde(default)]
    pub surgeries: Vec<String>,
    /// Only patients of those surgeries.
    #[serde(default)]
    pub restricted: bool,
    /// Open day and night.
    #[serde(default)]
    pub open_all_hours: bool,
    /// Weekly opening times.
    #[serde(default)]
    pub opening: Vec<Session>,
    /// Opening times of single days, in place of the weekly ones.
    #[serde(default)]
    pub specified: Vec<SpecifiedDay>,
    /// How busy it is.
    #[serde(default)]
    pub capacity: Capacity,
    /// Figures about how busy it is.
    #[serde(default)]
    pub capacity_attribute: Vec<CapacityAttribute>,
    /// An emergency department that is named when nothing matches.
    #[serde(default)]
    pub catch_all: bool,
    /// Attributes, such as `requirebooking` (NAT-DOS-09).
    #[serde(default)]
    pub attribute: Vec<Attribute>,
    /// Technical endpoints.
    #[serde(default)]
    pub endpoint: Vec<Endpoint>,
}

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    struct Number;
    impl de::Visitor<'_> for Number {
        type Value = u32;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("u32")
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<u32, E> {
            u32::try_from(number).map_err(|_| E::custom(format!("{number} is not a service id")))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u32, E> {
            text.parse()
                .map_err(|_| E::custom(format!("`{text}` is not a service id; it is a number")))
        }
    }
    from.deserialize_any(Number)
}

fn every_gender() -> Vec<Gender> {
    vec![Gender::M, Gender::F, Gender::I]
}

fn every_age() -> Vec<AgeRange> {
    let age = |text: &str| Age::try_from(text.to_owned());
    match (age("0 days"), age("129 years")) {
        (Ok(from), Ok(to)) => vec![AgeRange { from, to }],
        _ => Vec::new(),
    }
}

impl Service {
    /// The name to compare and show: the public one where there is one (NAT-DOS-04).
    pub fn shown_name(&self) -> &str {
        self.public_name.as_deref().unwrap_or(&self.name)
    }

    /// The booking endpoints (NAT-DOS-06).
    pub fn booking_endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.endpoint.iter().filter(|e| e.is_booking())
    }
}

/// Kind of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceType {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: String,
}

/// Whether a service is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Found.
    #[default]
    Active,
    /// Not found for now.
    Suspended,
    /// Not found any more.
    Closed,
}

/// Gender, as requests write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Gender {
    /// Male.
    M,
    /// Female.
    F,
    /// Indeterminate.
    I,
}

/// Ages seen, both ends included.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgeRange {
    /// Youngest.
    pub from: Age,
    /// Oldest.
    pub to: Age,
}

/// A symptom group that a service takes, with the discriminators that it can deal with.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Symptom {
    /// Symptom group.
    pub group: u32,
    /// Discriminators; left out: all of the group.
    #[serde(default)]
    pub discriminators: Option<Vec<u32>>,
}

/// A weekly session.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// On these days.
    pub days: Vec<RotaDay>,
    /// Opens.
    pub from: ClockTime,
    /// Closes; a time not after `from` is on the next day.
    pub to: ClockTime,
}

/// The opening times of one day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SpecifiedDay {
    /// The day.
    pub day: Day,
    /// Opens.
    #[serde(default)]
    pub from: Option<ClockTime>,
    /// Closes.
    #[serde(default)]
    pub to: Option<ClockTime>,
    /// Closed all day.
    #[serde(default)]
    pub closed: bool,
}

/// How busy a service is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Capacity {
    /// Green.
    #[default]
    High,
    /// Amber.
    Low,
    /// Red: not found by a search.
    None,
}

impl Capacity {
    /// The word in DoS answers.
    pub fn dos_name(self) -> &'static str {
        match self {
            Capacity::High => "High",
            Capacity::Low => "Low",
            Capacity::None => "None",
        }
    }
}

/// A figure about how busy a service is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CapacityAttribute {
    /// Such as `currentWaitTime`.
    pub name: String,
    /// What it means.
    #[serde(default)]
    pub description: Option<String>,
    /// The figure.
    #[serde(default)]
    pub value: Option<String>,
}

/// An attribute of a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Attribute {
    /// Name, such as `requirebooking`.
    pub name: String,
    /// Value, sent as written.
    pub value: String,
    /// `Boolean` or `string` (NAT-DOS-09).
    #[serde(rename = "type", default = "boolean")]
    pub kind: String,
    /// What it means.
    #[serde(default)]
    pub description: Option<String>,
}

fn boolean() -> String {
    "Boolean".to_owned()
}

/// A technical endpoint. Everything is sent as written, so that wrong entries can be tried too.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// Order; left out: the place in the file.
    #[serde(default)]
    pub order: Option<u32>,
    /// `http`, `itk`, `email` or `telno`.
    pub transport: String,
    /// `FHIR`, `CDA`, `HTML` or `PDF`.
    pub format: String,
    /// `Scheduling`, or the interaction of a referral.
    pub interaction: String,
    /// Business scenario: `Primary` or `Copy`.
    #[serde(default = "primary")]
    pub scenario: String,
    /// `ASID:` and 12 digits, a URL, a mail address.
    pub address: String,
    /// `uncompressed` or `compressed`.
    #[serde(default = "uncompressed")]
    pub compression: String,
    /// Remark.
    #[serde(default)]
    pub comment: String,
}

fn primary() -> String {
    "Primary".to_owned()
}

fn uncompressed() -> String {
    "uncompressed".to_owned()
}

impl Endpoint {
    /// True for a booking endpoint: `http`, `FHIR`, `Scheduling`, in any case (NAT-DOS-06).
    pub fn is_booking(&self) -> bool {
        self.transport.eq_ignore_ascii_case("http")
            && self.format.eq_ignore_ascii_case("FHIR")
            && self.interaction.eq_ignore_ascii_case("Scheduling")
    }
}
