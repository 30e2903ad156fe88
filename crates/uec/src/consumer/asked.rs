//! What a booking lacks: asked for at a terminal, named by its flag where nobody can be asked.

use super::patient::PatientArgs;
use super::ranked::{self, Named};
use super::session::Session;
use super::{Done, Stopped, ask};
use booking::ids::ServiceId;
use consumer::journey::Shown;
use consumer::plan::{BookingDetails, Field};
use consumer::slots::FreeSlot;
use jiff::Timestamp;

/// How often one thing is asked for.
const MAX_ASKED: usize = 3;

/// A question for one thing, and the flag that answers it.
struct Question {
    flag: &'static str,
    words: &'static str,
    needed: bool,
}

const fn needed(flag: &'static str, words: &'static str) -> Question {
    Question {
        flag,
        words,
        needed: true,
    }
}

/// The flag of a field.
pub fn flag(field: Field) -> &'static str {
    match field {
        Field::Reason => "--reason",
        Field::NhsNumber => "--nhs-number",
        Field::Family => "--family",
        Field::Given => "--given",
        Field::Prefix => "--prefix",
        Field::BirthDate => "--birth-date",
        Field::Postcode => "--postcode",
        Field::Address => "--address",
        Field::Telephone => "--phone",
        Field::Email => "--email",
        Field::Contact => "--contact",
        Field::ContactPoint => "--contact-phone",
    }
}

/// What a Provider would refuse, each fault with the flag that mends it.
pub fn checked(details: BookingDetails) -> Result<BookingDetails, Stopped> {
    let today = Timestamp::now().to_zoned(booking::instant::london()).date();
    let Err(faults) = details.check(today) else {
        return Ok(details);
    };
    let told: Vec<String> = faults
        .0
        .iter()
        .map(|fault| {
            format!(
                "{}: {}.",
                fault.sentence.trim_end_matches('.'),
                flag(fault.field)
            )
        })
        .collect();
    Err(Stopped::Refused(format!(
        "{} Nothing was booked.",
        told.join(" ")
    )))
}

/// Fills in what is missing of a patient who comes by flags, not from a file.
pub fn patient(args: &mut PatientArgs, json: bool) -> Done {
    if args.patient.is_some() {
        return Ok(());
    }
    let has_phone = !args.phone.is_empty() || args.contact_phone.is_some();
    let mut phone = args.phone.first().cloned();
    let there = can_ask(json);
    let fields: [(&mut Option<String>, Question); 8] = [
        (
            &mut args.reason,
            needed("--reason", "Reason for the appointment:"),
        ),
        (&mut args.given, needed("--given", "Given names:")),
        (&mut args.family, needed("--family", "Family name:")),
        (
            &mut args.birth_date,
            needed("--birth-date", "Date of birth, such as 1984-06-21:"),
        ),
        (
            &mut args.postcode,
            needed("--postcode", "Postcode of the home address:"),
        ),
        (
            &mut phone,
            Question {
                needed: !has_phone,
                ..needed("--phone", "Telephone number to try first:")
            },
        ),
        (
            &mut args.gender,
            Question {
                needed: false,
                ..needed("--gender", "Gender: male, female, other (empty: unknown):")
            },
        ),
        (
            &mut args.nhs_number,
            Question {
                needed: false,
                ..needed("--nhs-number", "NHS number (empty: not known):")
            },
        ),
    ];
    let is_lacking = fields.iter().any(|(value, q)| q.needed && value.is_none());
    if !is_lacking {
        return Ok(());
    }
    if !there {
        let flags: Vec<&str> = fields
            .iter()
            .filter(|(value, q)| q.needed && value.is_none())
            .map(|(_, q)| q.flag)
            .collect();
        let (verb, them) = match flags.len() {
            1 => ("is", "it"),
            _ => ("are", "them"),
        };
        return Err(Stopped::Usage(format!(
            "{} {verb} missing: give {them}, or --patient FILE",
            flags.join(", ")
        )));
    }
    for (value, question) in fields {
        if value.is_none() && !(has_phone && question.flag == "--phone") {
            *value = one(&question)?;
        }
    }
    if args.phone.is_empty() {
        args.phone.extend(phone);
    }
    Ok(())
}

/// Asks until there is an answer, or says which flag gives it.
fn one(question: &Question) -> Result<Option<String>, Stopped> {
    for _ in 0..MAX_ASKED {
        let said = ask::answer(question.words)?;
        match (said.is_empty(), question.needed) {
            (false, _) => return Ok(Some(said)),
            (true, false) => return Ok(None),
            (true, true) => {}
        }
    }
    Err(Stopped::Usage(format!("{} is missing", question.flag)))
}

/// Whether questions may be asked: somebody is at the terminal, and no script reads the answer.
pub fn can_ask(json: bool) -> bool {
    !json && ask::somebody_is_there()
}

/// The service, as given or asked for.
pub async fn service(session: &Session, given: Option<&Named>) -> Result<ServiceId, Stopped> {
    if let Some(given) = given {
        return ranked::service(session, given).await;
    }
    let missing = || Stopped::usage("--service is missing: the directory (DoS) id of the service");
    if !can_ask(session.json) {
        return Err(missing());
    }
    let said = one(&needed(
        "--service",
        "Service, by its id in the directory or its number in the list:",
    ))?;
    let said = said.ok_or_else(missing)?;
    let said: Named = said
        .parse()
        .map_err(|e| Stopped::Usage(format!("--service: {e}")))?;
    ranked::service(session, &said).await
}

/// Which of some slots, by its number; they have been shown.
pub fn row(slots: &[&Shown]) -> Result<FreeSlot, Stopped> {
    for _ in 0..MAX_ASKED {
        let said = ask::answer(&format!("Which one? [1-{}]", slots.len()))?;
        let number = said.trim_start_matches('#').parse::<usize>().ok();
        let chosen = number
            .and_then(|n| n.checked_sub(1))
            .and_then(|at| slots.get(at));
        if let Some(chosen) = chosen {
            return Ok(chosen.slot.clone());
        }
    }
    Err(Stopped::refused("No slot was chosen. Nothing was booked."))
}
