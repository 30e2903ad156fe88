//! Which services a search finds, and in which order.

use super::dos_support::{Dos, Need, clinician};

/// Proves: NAT-DOS-04
#[tokio::test]
async fn services_come_in_the_order_of_suitability() {
    let dos = Dos::demo().await;
    let usual = dos.found(&Need::usual()).await;
    // Urgent treatment centres first, the free before the busy, the near before the far; then hubs; then advice.
    assert_eq!(
        usual,
        [
            2000000011, 2000000014, 2000000031, 2000000012, 2000000021, 2000000022, 2000000023,
            2000000013
        ]
    );
    let hubs_first = dos.found(&Need::usual().with("disposition", "1008")).await;
    assert_eq!(hubs_first[..3], [2000000021, 2000000022, 2000000023]);
}

/// Proves: NAT-DOS-02
#[tokio::test]
async fn results_suit_the_referral_role_of_the_account() {
    let dos = Dos::demo().await;
    let child = Need::usual().with("age", "7").discriminators(&[4003]);
    assert!(!dos.found(&child).await.contains(&2000000032));
    let found = dos.found(&child.by(clinician())).await;
    assert!(found.contains(&2000000032));
}

/// Proves: NAT-DOS-03, NAT-DOS-04
#[tokio::test]
async fn age_gender_symptoms_and_capacity_decide() {
    let dos = Dos::changed(&[(
        "ages = [{ from = \"2 years\", to = \"129 years\" }]",
        "ages = [{ from = \"2 years\", to = \"64 years\" }]\ngenders = [\"F\", \"I\"]",
    )])
    .await;
    let nurse = 2000000012;
    let has = async |need: Need| dos.found(&need).await.contains(&nurse);
    let usual = Need::usual;
    assert!(has(usual()).await);
    assert!(!has(usual().with("gender", "M")).await);
    assert!(has(usual().with("gender", "I")).await);
    assert!(has(usual().with("age", "64")).await);
    assert!(!has(usual().with("age", "65")).await);
    assert!(!has(usual().with("ageFormat", "Months").with("age", "23")).await);
    let group = |id: &str| usual().with("ageFormat", "AgeGroup").with("age", id);
    assert!(has(group("1")).await, "adults");
    assert!(has(group("3")).await, "toddlers: some are two");
    assert!(!has(group("4")).await, "infants");
    // Red services are not found; discriminators of other groups are left out, twice given ones count once.
    let found = dos
        .found(&usual().discriminators(&[4052, 4052, 4028]))
        .await;
    assert!(!found.contains(&2000000033));
    let dental = usual()
        .with("symptomGroup", "1016")
        .with("disposition", "1018")
        .discriminators(&[4028]);
    assert_eq!(dos.found(&dental).await, [2000000015]);
}

/// Proves: NAT-DOS-03
#[tokio::test]
async fn opening_times_decide_at_the_moment_searched_for() {
    let dental = "opening = [\n  { days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"08:00\", to = \"20:00\" },\n  { days = [\"sat\", \"sun\", \"bank-holiday\"], from = \"09:00\", to = \"17:00\" },\n]";
    let dos = Dos::changed(&[
        (dental, "opening = [{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\", \"sat\", \"sun\"], from = \"10:00\", to = \"12:00\" }]"),
        ("within_minutes = 1440\nranking = [12]", "within_minutes = 0\nranking = [12]"),
    ])
    .await;
    // Noon of the day after tomorrow, by the clocks of London.
    let zone = jiff::tz::TimeZone::get("Europe/London").unwrap();
    let day = zone
        .to_datetime(jiff::Timestamp::now() + jiff::SignedDuration::from_hours(48))
        .date();
    let at = |clock: &str| {
        Need::usual()
            .with("symptomGroup", "1016")
            .with("disposition", "1018")
            .discriminators(&[4028])
            .with("searchDateTime", &format!("{day}T{clock}"))
    };
    assert_eq!(dos.found(&at("10:30:00")).await, [2000000015]);
    assert_eq!(dos.found(&at("09:00:00")).await, [2000000015]);
    // Closing within half an hour: emergency departments are named instead.
    let answer = dos.post(&at("11:45:00").envelope()).await;
    assert_eq!(answer.ids(), [2000000091, 2000000092]);
}

/// Proves: NAT-DOS-03, NAT-DOS-04
#[tokio::test]
async fn distance_is_told_in_miles_and_searched_in_kilometres() {
    let dos = Dos::demo().await;
    let answer = dos.post(&Need::usual().envelope()).await;
    assert_eq!(answer.texts("distance")[0], "1.0");
    assert_eq!(answer.texts("SearchDistance"), ["60"]);
    assert_eq!(answer.texts("SearchDistanceUsedSource"), ["National"]);
    let near = Need::usual().with("searchDistance", "5");
    let answer = dos.post(&near.envelope()).await;
    assert_eq!(answer.texts("SearchDistanceUsedSource"), ["Web Service"]);
    assert!(!answer.ids().contains(&2000000021), "eight kilometres away");
    // A distance set for the sector goes before the request's, unless that is forced.
    let riverside = Need::usual()
        .with("postcode", "ls998ab")
        .with("searchDistance", "5");
    let answer = dos.post(&riverside.clone().envelope()).await;
    assert_eq!(answer.texts("SearchDistance"), ["25"]);
    assert_eq!(answer.texts("SearchDistanceUsedSource"), ["Sector"]);
    let forced = riverside.with("forceSearchDistance", "true");
    let answer = dos.post(&forced.envelope()).await;
    assert_eq!(answer.texts("SearchDistance"), ["5"]);
    assert_eq!(answer.texts("SearchDistanceUsedSource"), ["Override"]);
    assert_eq!(answer.ids(), [2000000021, 2000000022, 2000000023]);
}

/// Proves: NAT-DOS-04, NAT-DOS-10
#[tokio::test]
async fn when_nothing_matches_emergency_departments_are_named() {
    let dos = Dos::demo().await;
    let country = Need::usual()
        .with("postcode", "LS98 1AA")
        .with("searchDistance", "1");
    let answer = dos.post(&country.envelope()).await;
    assert_eq!(answer.ids().len(), 2);
    for name in answer.texts("publicName") {
        assert!(name.ends_with("(Catch-all)"), "{name}");
    }
    let island = Need::usual().with("postcode", "LS97 1AA");
    assert_eq!(dos.fault(&island).await, 102);
}

/// Proves: NAT-DOS-03
#[tokio::test]
async fn services_for_a_surgery_come_first_and_may_be_for_it_alone() {
    let advice = "name = \"GP hub: Riverside advice line\"";
    let marked = format!("{advice}\nsurgeries = [\"FX501\"]\nrestricted = true");
    let dos = Dos::changed(&[(advice, &marked)]).await;
    let usual = dos.found(&Need::usual()).await;
    assert!(!usual.contains(&2000000022));
    let theirs = dos.found(&Need::usual().with("surgery", "FX501")).await;
    assert_eq!(theirs[0], 2000000022);
}
