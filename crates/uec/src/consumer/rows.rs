//! Rows by their numbers: `--slot 3` is the third row of the list of slots that this user saw last.

use super::find::SHOWN;
use super::session::Session;
use super::{Stopped, asked, note, shown};
use booking::ids::ServiceId;
use consumer::journal::{LISTED, ListedSlot, Listing, MAX_ROWS};
use consumer::journey::{Shown, SlotSearch, Window};
use consumer::obstacle::{Kind, Obstacle};
use consumer::slots::{FreeSlot, SlotList, counted, day_and_time, time};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

/// Begin of a row's number, and of an id, where one could be taken for the other.
pub(super) const ROW: &str = "#";
pub(super) const ID: &str = "id:";
/// Most digits of a number that is taken for a row's without a word.
pub(super) const MAX_DIGITS: usize = 3;
/// Slots offered when the wanted one is not free.
const OFFERED: usize = 10;

/// Which slot is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Its id.
    pub id: String,
    /// Its start, when a list had it.
    pub start: Option<Timestamp>,
}

impl Wanted {
    /// It in a fresh list; an error where the list has its id at another time than was shown, or several times.
    fn of<'l>(&self, list: &'l SlotList) -> Result<Option<&'l FreeSlot>, String> {
        let of_id: Vec<&FreeSlot> = list.slots.iter().filter(|s| s.id == self.id).collect();
        let shown = self.start.map(Timestamp::as_millisecond);
        let is_shown = |s: &&&FreeSlot| Some(s.start.as_millisecond()) == shown;
        match (of_id.as_slice(), self.start) {
            ([], _) => Ok(None),
            ([only], None) => Ok(Some(only)),
            (_, None) => Err(
                "Several free slots have this id. Nothing was booked. List the slots, and name one by its number."
                    .to_owned(),
            ),
            ([first, ..], Some(start)) => match of_id.iter().find(is_shown) {
                Some(same) => Ok(Some(same)),
                None => Err(format!(
                    "The service now offers this slot on {}, not on {} as it was shown. Nothing was booked. Ask the \
                     patient, and choose again.",
                    day_and_time(first.start),
                    day_and_time(start)
                )),
            },
        }
    }
}

/// Keeps the rows as they are shown, and says whether they have numbers now. Those are a convenience: a journal that
/// fails does not spoil the list.
pub async fn keep(session: &Session, service: &ServiceId, all: &[&Shown]) -> bool {
    let rows: Vec<ListedSlot> = all
        .iter()
        .take(MAX_ROWS)
        .map(|s| ListedSlot {
            slot: s.slot.id.clone(),
            start: s.slot.start,
        })
        .collect();
    let kept = session
        .consultation
        .note(LISTED, Some(service), "shown", json!({ "rows": rows }))
        .await;
    if let Err(obstacle) = &kept {
        tracing::warn!(%obstacle, "the numbers of a list could not be kept");
    }
    kept.is_ok()
}

/// The slot that a text names: a row's number, or an id.
pub async fn wanted(session: &Session, service: &ServiceId, text: &str) -> Result<Wanted, Stopped> {
    let text = text.trim();
    let encounter = session.consultation.encounter();
    let journal = session.journal();
    let listing = journal.last_listing(&encounter.user, &encounter.id).await?;
    let mut wanted = of_listing(listing.as_ref(), service, text).map_err(Stopped::Usage)?;
    if wanted.start.is_none() {
        // It may have been shown in an earlier list, or to a script.
        wanted.start = journal.last_shown(service.as_str(), &wanted.id).await?;
    }
    Ok(wanted)
}

fn of_listing(
    listing: Option<&Listing>,
    service: &ServiceId,
    text: &str,
) -> Result<Wanted, String> {
    let of_service = listing.filter(|l| l.service == service.as_str());
    let by_id = |id: &str| {
        let all = of_service.into_iter().flat_map(|l| &l.rows);
        let mut rows = all.filter(|row| row.slot == id);
        let row = rows.next();
        if rows.next().is_some() {
            return Err(format!(
                "--slot {text}: several slots of the list have this id; name one by its number, such as '{ROW}1'"
            ));
        }
        Ok(Wanted {
            id: id.to_owned(),
            start: row.map(|row| row.start),
        })
    };
    if let Some(id) = text.strip_prefix(ID) {
        return by_id(id);
    }
    let digits = text.strip_prefix(ROW).unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let explicit = text.starts_with(ROW);
    if !is_number || (!explicit && digits.len() > MAX_DIGITS) {
        return by_id(text);
    }
    let listing = match listing {
        Some(listing) => listing,
        None if explicit => return Err("--slot: no list of slots was shown before".to_owned()),
        None => return by_id(text),
    };
    if of_service.is_none() {
        return Err(format!(
            "--slot {text}: the list shown last, at {}, is of the service {}. List the slots of {service} first, or \
             write {ID}{digits} if that is the id of a slot",
            time(listing.at),
            listing.service
        ));
    }
    let count = listing.rows.len();
    let number = digits.parse::<usize>().unwrap_or(usize::MAX);
    let row = number.checked_sub(1).and_then(|at| listing.rows.get(at));
    let same_id = listing
        .rows
        .iter()
        .any(|r| r.slot == text && Some(r) != row);
    match row {
        Some(_) if same_id && !explicit => Err(format!(
            "--slot {text} is the number of a row and the id of another: write '{ROW}{text}' for the row, {ID}{text} for \
             the id"
        )),
        Some(row) => Ok(Wanted {
            id: row.slot.clone(),
            start: Some(row.start),
        }),
        None if same_id => by_id(text),
        None => Err(format!(
            "--slot {text}: the list shown last, at {}, has the rows 1 to {count}",
            time(listing.at)
        )),
    }
}

/// A search that reaches the slot, whatever window was asked for.
pub fn reaching(mut search: SlotSearch, wanted: Option<&Wanted>) -> SlotSearch {
    if let Some(start) = wanted.and_then(|w| w.start) {
        let window = &mut search.window;
        window.from = window.from.min(start);
        let behind = start.checked_add(SignedDuration::from_hours(1));
        window.until = window.until.max(behind.unwrap_or(start));
    }
    search
}

/// How many slots of a list start outside the time that was asked for, as a sentence; `None` when there are none.
pub fn outside(list: &SlotList) -> Option<String> {
    let starts = match list.outside_asked_time {
        0 => return None,
        1 => "starts",
        _ => "start",
    };
    let slots = counted(list.outside_asked_time, "slot");
    Some(format!(
        "{slots} of the service {starts} outside the time that was asked for."
    ))
}

/// The wanted slot of a fresh list, at the time at which it was shown, or the first of the time that was asked for (D-77).
/// What is not there is said, and what is free is offered.
pub async fn chosen(
    session: &Session,
    service: &ServiceId,
    list: SlotList,
    wanted: Option<&Wanted>,
    asked: Window,
) -> Result<FreeSlot, Stopped> {
    let now = Timestamp::now();
    let found = match wanted {
        Some(wanted) => match wanted.of(&list) {
            Ok(found) => found,
            Err(why) => {
                if !session.json {
                    offer(session, Some(service), &list).await;
                }
                return Err(Stopped::Refused(why));
            }
        },
        None => {
            let mut in_time = list.slots.iter().filter(|s| asked.has(s.start));
            in_time.find(|s| s.start > now)
        }
    };
    if let Some(slot) = found {
        if let (None, Some(told)) = (wanted, outside(&list)) {
            note(&format!("Note: {told} They were not considered."));
        }
        return Ok(slot.clone());
    }
    if !session.json && !list.slots.is_empty() {
        offer(session, Some(service), &list).await;
    }
    Err(missing(&list, wanted))
}

/// Prints the slots that are free now, numbered as the list shown last.
pub async fn offer(session: &Session, service: Option<&ServiceId>, list: &SlotList) {
    let all = session.consultation.shown(list);
    let some: Vec<&Shown> = all.iter().take(OFFERED).collect();
    if some.is_empty() {
        crate::print("There are no other free slots in this time.\n");
        return;
    }
    let numbered = match service {
        Some(service) => keep(session, service, &some).await,
        None => false,
    };
    crate::print("These are free now:\n");
    shown::slots(&some, numbered);
}

/// Lets the person at the terminal choose.
pub async fn choose(
    session: &Session,
    service: &ServiceId,
    list: &SlotList,
) -> Result<FreeSlot, Stopped> {
    let all = session.consultation.shown(list);
    let some: Vec<&Shown> = all.iter().take(SHOWN).collect();
    keep(session, service, &some).await;
    shown::slots(&some, true);
    asked::row(&some)
}

fn missing(list: &SlotList, wanted: Option<&Wanted>) -> Stopped {
    let Some(wanted) = wanted else {
        let none = "There is no free slot in this time.";
        return Stopped::Refused(match outside(list) {
            None => format!("{none} Choose another time or another service."),
            Some(told) => format!(
                "{none} {told} They were not considered: --hours and --from ask for another time, --slot names one of \
                 them. Or choose another service."
            ),
        });
    };
    match wanted.start {
        Some(start) if list.lacks(&wanted.id) => {
            let row = Kind::SlotTaken.row();
            let plain = format!(
                "{} ({})",
                row.plain.trim_end_matches('.'),
                day_and_time(start)
            );
            Obstacle::new(Kind::SlotTaken)
                .saying(format!("{plain}."), row.next)
                .into()
        }
        _ => Stopped::refused(
            "This slot is not free in the time searched. Look at the slots again; --hours and --from widen the search.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing() -> Listing {
        let row = |slot: &str| ListedSlot {
            slot: slot.to_owned(),
            start: "2031-03-04T09:00:00Z".parse().unwrap(),
        };
        Listing {
            at: "2031-03-04T08:00:00Z".parse().unwrap(),
            service: "2000000011".into(),
            rows: vec![row("a"), row("b"), row("1"), row("77")],
        }
    }

    /// Proves: CONS-SLOT-05
    /// A number is a row of the same service's list; where it could be an id too, nothing is guessed.
    #[test]
    fn numbers_and_ids() {
        let (list, service) = (listing(), ServiceId::parse("2000000011").unwrap());
        let of =
            |text: &str| of_listing(Some(&list), &service, text).map(|w| (w.id, w.start.is_some()));
        assert_eq!(of("2"), Ok(("b".into(), true)));
        assert_eq!(of("#1"), Ok(("a".into(), true)));
        assert_eq!(of("id:1"), Ok(("1".into(), true)));
        assert_eq!(of("77"), Ok(("77".into(), true)));
        assert_eq!(of("0190-x"), Ok(("0190-x".into(), false)));
        assert_eq!(of("2000000011"), Ok(("2000000011".into(), false)));
        assert!(of("1").unwrap_err().contains("'#1'"));
        assert!(of("0").unwrap_err().contains("1 to 4") && of("9").unwrap_err().contains("1 to 4"));
        let other = ServiceId::parse("2000000012").unwrap();
        let told = of_listing(Some(&list), &other, "2").unwrap_err();
        assert!(
            told.contains("2000000011") && told.contains("first"),
            "{told}"
        );
        assert_eq!(of_listing(None, &service, "3").unwrap().id, "3");
        assert!(of_listing(None, &service, "#3").is_err());

        let mut twice = listing();
        twice.rows[1].slot = "a".into();
        twice.rows[1].start = "2031-03-04T11:00:00Z".parse().unwrap();
        let of = |text: &str| of_listing(Some(&twice), &service, text);
        assert_eq!(of("2").unwrap().start, Some(twice.rows[1].start));
        assert!(of("a").unwrap_err().contains("several slots"));
    }
}
