//! The API described for tools, from the route table that serves it: OpenAPI and a Postman collection.

mod examples;
mod openapi;
mod postman;
mod schemas;

pub use openapi::openapi;
pub use postman::postman;

use crate::http::edge::routes::{ROUTES, Route};
use booking::situation::Situation;
use booking::wire::interaction::Interaction;

/// Where a described parameter stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Query,
    Header,
}

/// One parameter of an interaction.
struct Parameter {
    name: &'static str,
    place: Place,
    required: bool,
    about: &'static str,
    example: &'static str,
}

const fn parameter(
    name: &'static str,
    place: Place,
    required: bool,
    about: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter {
        name,
        place,
        required,
        about,
        example,
    }
}

/// Headers of every request (PROV-HDR-01..04); `Ssp-InteractionID` and the token differ by interaction.
const SSP: [Parameter; 3] = [
    parameter(
        "Ssp-TraceID",
        Place::Header,
        true,
        "UUID of the patient's call or of this request",
        "09a01679-2564-4fb4-a129-aecc81ea2706",
    ),
    parameter(
        "Ssp-From",
        Place::Header,
        true,
        "ASID of the consumer's system",
        "918999000099",
    ),
    parameter(
        "Ssp-To",
        Place::Header,
        true,
        "ASID of the provider's system",
        "918999000011",
    ),
];

/// What an interaction takes besides the headers of every request.
fn parameters(interaction: Interaction) -> Vec<Parameter> {
    let mut all = Vec::new();
    match interaction {
        Interaction::SearchSlots => all.extend(slot_criteria()),
        Interaction::SearchAppointments => all.extend([
            parameter(
                "identifier",
                Place::Query,
                false,
                "The patient: https://fhir.nhs.uk/Id/nhs-number|number; this or `_id`",
                "https://fhir.nhs.uk/Id/nhs-number|9990123454",
            ),
            parameter("_id", Place::Query, false, "Id of the appointment", ""),
            parameter(
                "version",
                Place::Query,
                false,
                "Its version, with `_id`",
                "",
            ),
        ]),
        Interaction::Read
        | Interaction::VersionRead
        | Interaction::History
        | Interaction::Cancel => {
            all.push(parameter(
                "id",
                Place::Path,
                true,
                "Id of the appointment",
                "{{appointment}}",
            ));
        }
        Interaction::Capability | Interaction::Book => {}
    }
    if interaction == Interaction::VersionRead {
        all.push(parameter(
            "vid",
            Place::Path,
            true,
            "Version of the appointment",
            "1",
        ));
    }
    if interaction == Interaction::Cancel {
        all.push(parameter(
            "If-Match",
            Place::Header,
            true,
            "The ETag of the version that was read",
            "W/\"1\"",
        ));
    }
    if interaction.writes() {
        all.push(parameter(
            "X-Request-ID",
            Place::Header,
            true,
            "A new UUID with each create or update, the same one with its retry",
            "{{$guid}}",
        ));
    } else {
        all.push(parameter(
            "_format",
            Place::Query,
            false,
            "json or xml; wins over Accept",
            "",
        ));
    }
    all
}

/// Criteria of a slot search (PROV-SLOT-01..11).
fn slot_criteria() -> Vec<Parameter> {
    vec![
        parameter(
            "schedule.actor:healthcareservice",
            Place::Query,
            true,
            "Directory (DoS) id of the service",
            "{{service}}",
        ),
        parameter(
            "start",
            Place::Query,
            false,
            "Bounds of the start, ge or gt and le or lt; may stand twice",
            "ge2031-03-04T00:00:00Z",
        ),
        parameter(
            "status",
            Place::Query,
            false,
            "Slot states, separated by commas; absent: all",
            "free",
        ),
        parameter(
            "_include",
            Place::Query,
            false,
            "Slot:schedule; with :recurse or :iterate Schedule:actor:Practitioner, Schedule:actor:PractitionerRole, \
             Schedule:actor:HealthcareService, HealthcareService:location, HealthcareService:providedBy",
            "Slot:schedule",
        ),
    ]
}

/// One sentence on an interaction.
fn summary(interaction: Interaction) -> &'static str {
    match interaction {
        Interaction::Capability => "Read the CapabilityStatement",
        Interaction::SearchSlots => "Search free slots of a service",
        Interaction::Book => "Book a slot",
        Interaction::Read => "Read an appointment",
        Interaction::VersionRead => "Read a version of an appointment",
        Interaction::History => "Read all versions of an appointment",
        Interaction::Cancel => {
            "Cancel an appointment: the one that was read, with the status `cancelled`"
        }
        Interaction::SearchAppointments => "Search the appointments of a patient",
    }
}

/// Status of success.
fn success(interaction: Interaction) -> u16 {
    match interaction {
        Interaction::Book => 201,
        _ => 200,
    }
}

/// The refusals that an interaction can answer, from the table of refusals.
fn refusals(interaction: Interaction) -> impl Iterator<Item = Situation> {
    Situation::ALL
        .iter()
        .copied()
        .filter(move |s| concerns(*s, interaction))
}

fn concerns(situation: Situation, interaction: Interaction) -> bool {
    let write = interaction.writes();
    let named = matches!(
        interaction,
        Interaction::Read | Interaction::VersionRead | Interaction::History | Interaction::Cancel
    );
    match situation {
        Situation::RequestIdMissing
        | Situation::BodyUnreadable
        | Situation::RequestIdReused
        | Situation::BodyTooLarge
        | Situation::RequestTimeout
        | Situation::NotConformant
        | Situation::StateForbids => write,
        Situation::ContactRank
        | Situation::SlotTaken
        | Situation::ReferenceUnknown
        | Situation::NhsNumberInvalid => interaction == Interaction::Book,
        Situation::VersionConflict | Situation::VersionMissing | Situation::CancelDiffers => {
            interaction == Interaction::Cancel
        }
        Situation::ServiceUnknown => interaction == Interaction::SearchSlots,
        Situation::AppointmentUnknown => named,
        Situation::InvalidParameter => !write,
        // Answered before it is known what is asked for.
        Situation::NotImplemented | Situation::HeadUnreadable | Situation::HeadTooLarge => false,
        Situation::HeaderInvalid
        | Situation::TokenRefused
        | Situation::NotPermitted
        | Situation::MethodNotAllowed
        | Situation::MediaTypeUnsupported
        | Situation::Unexpected
        | Situation::Unavailable
        | Situation::RouteUnknown
        | Situation::TooManyRequests => true,
    }
}

/// The routes in the order in which a consumer uses them.
fn journey() -> Vec<&'static Route> {
    let order = [
        Interaction::Capability,
        Interaction::SearchSlots,
        Interaction::Book,
        Interaction::Read,
        Interaction::VersionRead,
        Interaction::History,
        Interaction::Cancel,
        Interaction::SearchAppointments,
    ];
    order
        .iter()
        .filter_map(|i| ROUTES.iter().find(|r| r.interaction == *i))
        .collect()
}
