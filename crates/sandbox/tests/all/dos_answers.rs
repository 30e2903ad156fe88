//! The shapes of the DoS's answers, in every spelling that is legal.

use super::dos_support::{Dos, NS, Need};

/// Proves: NAT-DOS-05, NAT-DOS-06
#[tokio::test]
async fn details_have_the_published_shape() {
    let dos = Dos::demo().await;
    let answer = dos.details("2000000011").await;
    assert_eq!(answer.status, 200);
    assert!(
        answer
            .head
            .contains("content-type: application/soap+xml; charset=utf-8")
    );
    assert_eq!(answer.children("ServiceDetailsByIdResponse"), ["services"]);
    assert_eq!(
        answer.children("service"),
        ["id", "odsCode", "serviceEndpoints"]
    );
    let order = [
        "endpointOrder",
        "transport",
        "format",
        "interaction",
        "businessScenario",
        "address",
        "compression",
        "comment",
    ];
    assert_eq!(answer.children("endpoint"), order);
    assert_eq!(answer.texts("endpointOrder"), ["1", "2"]);
    assert_eq!(answer.texts("transport"), ["itk", "http"]);
    assert_eq!(answer.texts("interaction")[1], "Scheduling");
    assert_eq!(
        answer.texts("address"),
        ["http://127.0.0.1:8001/itk", "ASID:918999000011"]
    );
    let document = answer.document();
    let qualified = document
        .descendants()
        .filter(|n| n.is_element())
        .all(|n| n.tag_name().namespace().is_some());
    assert!(qualified);
}

/// Proves: NAT-DOS-04, NAT-DOS-07
#[tokio::test]
async fn a_summary_has_the_published_order_of_elements() {
    let dos = Dos::demo().await;
    let answer = dos.post(&Need::usual().envelope()).await;
    let head = [
        "TransactionId",
        "RequestedAtDateTime",
        "SearchDateTime",
        "CalculatedAgeInDays",
        "SearchDistance",
        "SearchDistanceUsedSource",
        "CheckCapacitySummaryResult",
    ];
    assert_eq!(answer.children("CheckCapacitySummaryResponse"), head);
    assert_eq!(answer.texts("CalculatedAgeInDays"), ["12783.75"]);
    let first = [
        "id",
        "capacity",
        "name",
        "publicName",
        "contactDetails",
        "address",
        "postcode",
        "northings",
        "eastings",
        "url",
        "serviceType",
        "odsCode",
        "nonPublicTelephoneNo",
        "publicFacingInformation",
        "distance",
        "referralInformation",
        "openAllHours",
        "capacityAttributes",
        "serviceEndpoints",
        "serviceAgeRange",
    ];
    assert_eq!(answer.children("serviceCareSummaryDestination"), first);
    assert_eq!(answer.texts("capacity")[0], "High");
    assert!(
        answer
            .texts("address")
            .contains(&"ASID:918999000011".to_owned())
    );
    let group = Need::usual().with("ageFormat", "AgeGroup").with("age", "1");
    let answer = dos.post(&group.envelope()).await;
    assert!(answer.texts("CalculatedAgeInDays").is_empty());
}

/// Proves: NAT-DOS-04
#[tokio::test]
async fn opening_times_are_told() {
    let dos = Dos::demo().await;
    let dental = Need::usual()
        .with("symptomGroup", "1016")
        .with("disposition", "1018")
        .discriminators(&[4028]);
    let answer = dos.post(&dental.envelope()).await;
    let days = answer.texts("startDayOfWeek");
    assert_eq!(days.len(), 8);
    assert_eq!(
        (days[0].as_str(), days[7].as_str()),
        ("Monday", "BankHoliday")
    );
    assert_eq!(answer.texts("hours")[..2], ["8", "20"]);
    assert_eq!(
        answer.texts("openTimeSpecified"),
        ["24-12-2026-08:00-12:00", "26-12-2026-00:00-00:00"]
    );
}

/// Proves: NAT-DOS-09
#[tokio::test]
async fn booking_only_is_an_attribute_of_the_summary() {
    let dos = Dos::demo().await;
    let answer = dos.post(&Need::usual().envelope()).await;
    assert_eq!(
        answer.children("attribute"),
        ["dataType", "name", "description", "value"]
    );
    assert_eq!(answer.texts("dataType"), ["Boolean", "Boolean"]);
    assert_eq!(answer.texts("value")[1..], ["FALSE", "TRUE"]);
}

/// Proves: NAT-DOS-08
#[tokio::test]
async fn the_other_legal_spellings_can_be_chosen() {
    let standard = Dos::changed(&[
        ("endpoints = \"wsdl\"", "endpoints = \"standard\""),
        ("qualified = true", "qualified = false"),
    ])
    .await;
    let answer = standard.details("2000000011").await;
    assert_eq!(
        answer.children("service"),
        ["id", "odsCode", "serviceEndPoints"]
    );
    assert_eq!(
        answer.children("serviceEndPoints"),
        ["EndPoint", "EndPoint"]
    );
    assert_eq!(
        answer.texts("isCompressionEnabled"),
        ["uncompressed", "uncompressed"]
    );
    let document = answer.document();
    let named = |name: &str| {
        document
            .descendants()
            .find(|n| n.tag_name().name() == name)
            .unwrap()
            .tag_name()
            .namespace()
    };
    assert_eq!(named("ServiceDetailsByIdResponse"), Some(NS));
    assert_eq!(named("service"), None);
    assert_eq!(named("address"), None);
    let summary = standard.post(&Need::usual().envelope()).await;
    assert!(summary.texts("EndPoint").len() > 5);
}

/// Proves: NAT-DOS-11
#[tokio::test]
async fn old_referral_endpoints_are_one_text() {
    let dos = Dos::changed(&[("endpoints = \"wsdl\"", "endpoints = \"contact-details\"")]).await;
    let answer = dos.details("2000000011").await;
    assert_eq!(
        answer.children("service"),
        ["id", "odsCode", "contactDetails", "serviceEndpoints"]
    );
    let detail = answer.texts("value").into_iter().next().unwrap();
    let parts: Vec<&str> = detail.split('|').collect();
    assert_eq!(parts.len(), 6);
    assert_eq!(parts[0], "http://127.0.0.1:8001/itk");
    assert_eq!(parts[2..], ["CDA", "Primary", "", "uncompressed"]);
    assert_eq!(answer.texts("tag"), ["itk"]);
    assert_eq!(
        answer.texts("transport"),
        ["http"],
        "the booking endpoint stays"
    );
    // In a summary, contactDetails is the telephone number.
    let summary = dos.post(&Need::usual().envelope()).await;
    assert_eq!(summary.texts("contactDetails")[0], "01632 960101");
}

/// Proves: NAT-DOS-06, NAT-DOS-08
#[tokio::test]
async fn the_demonstration_has_the_endpoints_to_stumble_over() {
    let dos = Dos::demo().await;
    let bookings = async |id: &str| {
        let answer = dos.details(id).await;
        let interactions = answer.texts("interaction");
        interactions
            .iter()
            .zip(answer.texts("address"))
            .filter(|(i, _)| i.eq_ignore_ascii_case("scheduling"))
            .map(|(_, address)| address)
            .collect::<Vec<_>>()
    };
    assert_eq!(bookings("2000000013").await, ["asid:918999000011"]);
    assert_eq!(bookings("2000000021").await, ["ASID:918999000022"]);
    assert!(bookings("2000000022").await.is_empty());
    assert_eq!(bookings("2000000023").await, ["918999000022"]);
    assert_eq!(bookings("2000000031").await.len(), 2);
    assert!(bookings("2000000091").await.is_empty());
}

#[tokio::test]
async fn text_is_escaped() {
    let dos = Dos::changed(&[(
        "Enter by gate 2 and tell the desk that 111 sent you.",
        "Bell & \\\"door\\\" <left>",
    )])
    .await;
    let answer = dos.post(&Need::usual().envelope()).await;
    assert_eq!(
        answer.texts("publicFacingInformation")[0],
        "Bell & \"door\" <left>"
    );
}
