//! What a call handler may do with a service: every combination of booking, requirement and referral.

use super::discover_support::*;
use consumer::discover::{Endpoint, Offer, Reachable};
use consumer::obstacle::{Kind, Obstacle};
use consumer::referral::DosEndpoint;

fn endpoint() -> Endpoint {
    Endpoint {
        service: id(GP_CLINIC),
        name: None,
        asid: asid(FERNHILL),
        ods: None,
        party_key: "k".into(),
        slots_root: "https://p.example/r".into(),
        booking_root: "https://p.example/r".into(),
    }
}

fn referral_endpoint() -> DosEndpoint {
    DosEndpoint {
        order: 2,
        transport: "itk".into(),
        format: "CDA".into(),
        interaction:
            "urn:nhs-itk:interaction:primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0"
                .into(),
        scenario: "Primary".into(),
        address: "https://itk.example/r".into(),
        compression: "uncompressed".into(),
    }
}

/// Proves: CONS-BO-01, CONS-BO-02, CONS-DOS-04, CONS-DOS-05, CONS-DOS-06, CONS-SDS-02, D-32
/// A booking endpoint is reason enough to book; only an attribute that is present and true
/// withholds the referral, whatever hinders the booking.
#[test]
fn every_combination() {
    for (bookable, required, referable, offer) in [
        (true, false, true, Offer::BookOrRefer),
        (true, true, true, Offer::BookThenRefer),
        (true, false, false, Offer::BookOnly),
        (true, true, false, Offer::BookOnly),
        (false, false, true, Offer::ReferOnly),
        (false, true, true, Offer::Neither),
        (false, false, false, Offer::Neither),
        (false, true, false, Offer::Neither),
    ] {
        let mut service = details(GP_CLINIC, "ASID:918999000011");
        service.booking_required = required;
        if referable {
            service.endpoints.push(referral_endpoint());
        }
        let hindrance = Obstacle::new(Kind::SdsUnreachable);
        let why = hindrance.plain.clone();
        let booking = if bookable {
            Ok(endpoint())
        } else {
            Err(hindrance)
        };
        let reach = Reachable::decide(service, booking);
        assert_eq!(reach.offer, offer, "{bookable} {required} {referable}");
        assert_eq!(reach.offer.may_book(), bookable);
        assert_eq!(reach.offer.may_refer(), referable && !required);
        assert_eq!(
            reach.sentence.contains(&why),
            !bookable,
            "{}",
            reach.sentence
        );
        assert_eq!(
            reach.sentence.contains("only with a booked appointment"),
            required && (referable || !bookable),
            "{}",
            reach.sentence
        );
        assert!(!reach.offer.name().is_empty());
    }
}
