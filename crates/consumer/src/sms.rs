//! The text message that confirms a booking (CONS-SMS-01, CONS-SMS-02, D-41). Sending it is the caller's.

use crate::slots::{Channel, Place, day, time};
use booking::foreign::Foreign;
use jiff::Timestamp;
use std::fmt::Display;

/// Longest name or address put into a message: three texts of 153 characters hold the whole.
const MAX_PART: usize = 120;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation<'a> {
    /// Start of the appointment.
    pub start: Timestamp,
    /// How the patient is seen; none when the Provider did not say, and then nothing is said.
    pub channel: Option<&'a Channel>,
    /// Where.
    pub place: Option<&'a Place>,
    /// The service that the appointment is with.
    pub service: Option<&'a Foreign>,
    /// Name of the sender.
    pub sender: &'a str,
    /// What to call when it gets worse or to cancel, such as `111`.
    pub call: &'a str,
}

/// The text. The patient's name and complaint are not in it: others may read the screen.
pub fn text(c: &Confirmation) -> String {
    let kind = match c.channel {
        Some(Channel::InPerson) => "In-person appointment",
        Some(Channel::Telephone) => "Telephone appointment",
        Some(Channel::Video) => "Video appointment",
        Some(Channel::Other(_)) | None => "Appointment",
    };
    let mut text = format!("{kind} booked for {} at {}", day(c.start), time(c.start));
    if let Some(service) = c.service {
        text.push_str(&format!(" with {}", part(service)));
    }
    text.push('.');
    // Known to be elsewhere than at a place: no place that the patient might travel to.
    let remote = matches!(c.channel, Some(Channel::Telephone | Channel::Video));
    if let Some(place) = c.place.filter(|_| !remote) {
        let parts: Vec<String> = [&place.name, &place.address]
            .into_iter()
            .flatten()
            .map(part)
            .collect();
        text.push_str(&format!(" Where: {}.", parts.join(", ")));
    }
    let (call, sender) = (part(c.call), part(c.sender));
    text.push_str(&format!(
        " If you get worse, or to cancel, call {call}. From {sender}."
    ));
    text
}

fn part(text: impl Display) -> String {
    let text = text.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(MAX_PART).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(channel: Option<Channel>) -> String {
        let place = Place {
            name: Some("Exampleton UTC".into()),
            address: Some("1 Synthetic Way, LS99 9ZZ".into()),
        };
        text(&Confirmation {
            start: "2031-07-04T08:30:00Z".parse().unwrap(),
            channel: channel.as_ref(),
            place: Some(&place),
            service: Some(&"Exampleton UTC - GP clinic".into()),
            sender: "Fernhill 111",
            call: "111",
        })
    }

    /// Proves: CONS-SMS-02, CONS-SLOT-07
    /// Time, type, place if in person, sender, advice; no type where none was supplied.
    #[test]
    fn what_the_message_says() {
        assert_eq!(
            message(Some(Channel::InPerson)),
            "In-person appointment booked for Fri 4 Jul 2031 at 09:30 with Exampleton UTC - GP clinic. Where: Exampleton \
             UTC, 1 Synthetic Way, LS99 9ZZ. If you get worse, or to cancel, call 111. From Fernhill 111."
        );
        for (start, told) in [
            ("2031-10-26T00:30:00Z", "Sun 26 Oct 2031 at 01:30 BST."),
            ("2031-10-26T01:30:00Z", "Sun 26 Oct 2031 at 01:30 GMT."),
        ] {
            let text = text(&Confirmation {
                start: start.parse().unwrap(),
                channel: None,
                place: None,
                service: None,
                sender: "Fernhill 111",
                call: "111",
            });
            assert!(text.contains(told), "{text}");
        }
        assert!(!message(Some(Channel::Telephone)).contains("Where"));
        assert!(message(None).starts_with("Appointment booked for"));
    }
}
