//! Services by their numbers: `--service 3` is the third row of the list of services that this user saw last.

use super::Stopped;
use super::rows::{ID, MAX_DIGITS, ROW};
use super::session::Session;
use booking::ids::ServiceId;
use consumer::journal::Ranking;
use consumer::slots::time;
use std::str::FromStr;

/// What `--service` names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A service, by its id.
    Id(ServiceId),
    /// A row, by its number.
    Row(usize),
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Named, String> {
        let text = text.trim();
        let explicit = text.strip_prefix(ROW);
        let digits = explicit.unwrap_or(text);
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if is_number && (explicit.is_some() || digits.len() <= MAX_DIGITS) {
            return Ok(Named::Row(digits.parse().unwrap_or(usize::MAX)));
        }
        let id = text.strip_prefix(ID).unwrap_or(text);
        ServiceId::parse(id)
            .map(Named::Id)
            .map_err(|e| e.to_string())
    }
}

/// The service that is named.
pub async fn service(session: &Session, named: &Named) -> Result<ServiceId, Stopped> {
    let number = match named {
        Named::Id(id) => return Ok(id.clone()),
        Named::Row(number) => *number,
    };
    let encounter = session.consultation.encounter();
    let journal = session.journal();
    let ranking = journal.last_ranking(&encounter.user, &encounter.id).await?;
    let id = of_ranking(ranking, number).map_err(|why| {
        Stopped::Usage(format!(
            "--service {number}: {why}; write {ID}{number} if that is the id of a service"
        ))
    })?;
    ServiceId::parse(&id).map_err(|e| Stopped::Refused(format!("the journal is damaged: {e}")))
}

/// The same where a service may be named.
pub async fn given(session: &Session, named: Option<&Named>) -> Result<Option<ServiceId>, Stopped> {
    match named {
        Some(named) => service(session, named).await.map(Some),
        None => Ok(None),
    }
}

fn of_ranking(ranking: Option<Ranking>, number: usize) -> Result<String, String> {
    let Some(Ranking { at, services }) = ranking else {
        return Err("no list of services was shown before".to_owned());
    };
    let at = time(at);
    let Some(mut services) = services else {
        return Err(format!(
            "the list of services shown last, at {at}, was too long to be kept"
        ));
    };
    match number.checked_sub(1) {
        Some(row) if row < services.len() => Ok(services.swap_remove(row)),
        _ if services.is_empty() => Err(format!(
            "the list of services shown last, at {at}, is empty"
        )),
        _ => Err(format!(
            "the list of services shown last, at {at}, has the rows 1 to {}",
            services.len()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Short numbers are rows; what could be both says which.
    #[test]
    fn numbers_and_ids() {
        let named = |text: &str| text.parse::<Named>();
        let id = |text: &str| Ok(Named::Id(ServiceId::parse(text).unwrap()));
        assert_eq!(named("3"), Ok(Named::Row(3)));
        assert_eq!(named(" #2000 "), Ok(Named::Row(2000)));
        assert_eq!(named("2000000011"), id("2000000011"));
        assert_eq!(named("id:3"), id("3"));
        assert_eq!(named("fernhill-gp"), id("fernhill-gp"));
        assert!(named("").is_err() && named("#").is_err() && named("a b").is_err());
        let list = |services: Option<&[&str]>| {
            Some(Ranking {
                at: "2031-03-04T08:00:00Z".parse().unwrap(),
                services: services.map(|all| all.iter().map(|s| (*s).to_owned()).collect()),
            })
        };
        assert_eq!(of_ranking(list(Some(&["a", "b"])), 2), Ok("b".to_owned()));
        for (ranking, number, words) in [
            (list(Some(&["a", "b"])), 3, "rows 1 to 2"),
            (list(Some(&["a", "b"])), 0, "rows 1 to 2"),
            (list(Some(&[])), 1, "is empty"),
            (list(None), 1, "too long"),
            (None, 1, "no list"),
        ] {
            let told = of_ranking(ranking, number).unwrap_err();
            assert!(told.contains(words), "{told}");
        }
    }
}
