//! Requests of the DoS: envelope, credentials, every field rule with the number of its fault.

use super::dos_support::{Dos, NS, Need, SOAP, adviser, details, envelope, user};

/// Proves: NAT-DOS-01
#[tokio::test]
async fn version_and_credentials() {
    let dos = Dos::demo().await;
    let good = details("2000000011");
    assert_eq!(dos.post(&good).await.status, 200);
    let missing = good.replace("<w:serviceVersion>1.5</w:serviceVersion>", "");
    assert_eq!(dos.post(&missing).await.fault().0, 109);
    let headless = good.replace(
        "<soap:Header><w:serviceVersion>1.5</w:serviceVersion></soap:Header>",
        "",
    );
    assert_eq!(dos.post(&headless).await.fault().0, 109);
    let old = good.replace(">1.5<", ">1.3<");
    assert_eq!(dos.post(&old).await.fault().0, 107);
    for (who, code) in [
        (String::new(), 1001),
        ("<w:userInfo/>".to_owned(), 1001),
        (user("", ""), 1001),
        (user("fernhill-adviser", "wrong"), 302),
        (user("nobody", "sandbox-adviser"), 302),
        (user("fernhill-locked", "sandbox-locked"), 302),
        (user("fernhill-reports", "sandbox-reports"), 303),
    ] {
        let answer = dos.post(&good.replace(&adviser(), &who)).await;
        assert_eq!(answer.fault().0, code, "{who}");
        assert_eq!(answer.status, 400);
        assert_eq!(dos.fault(&Need::usual().by(who)).await, code);
    }
}

/// Proves: NAT-DOS-10
#[tokio::test]
async fn a_fault_holds_a_number_and_a_text() {
    let dos = Dos::demo().await;
    let answer = dos.details("1").await;
    assert_eq!(answer.status, 400);
    assert!(answer.head.contains("content-type: application/soap+xml"));
    let (code, text) = answer.fault();
    assert_eq!(code, 103);
    assert!(!text.is_empty());
    let document = answer.document();
    let path: Vec<_> = document
        .descendants()
        .filter(|n| n.is_element())
        .map(|n| (n.tag_name().namespace(), n.tag_name().name()))
        .collect();
    let expected = [
        "Envelope", "Body", "Fault", "Code", "Value", "Reason", "Text",
    ];
    assert_eq!(path, expected.map(|name| (Some(SOAP), name)));
}

/// Proves: NAT-DOS-10
#[tokio::test]
async fn what_is_no_soap_1_2_is_fault_108() {
    let dos = Dos::demo().await;
    let good = details("2000000011");
    let old = good.replace(SOAP, "http://schemas.xmlsoap.org/soap/envelope/");
    let cases = [
        ("not xml".to_owned(), "not valid XML"),
        (String::new(), "not valid XML"),
        ("<a/>".to_owned(), "SOAP version"),
        (old, "SOAP 1.1"),
        (
            good.replace("ServiceDetailsById", "ServiceDetails"),
            "no operation `ServiceDetails`",
        ),
        (good.replace(NS, "urn:other"), "not in the namespace"),
        (
            good.replace("soap:Body", "soap:Bodies"),
            "does not belong there",
        ),
        (envelope(""), "exactly one element"),
        (
            good.replace("<w:serviceId>", "<w:extra/><w:serviceId>"),
            "no element `extra`",
        ),
        (
            good.replace(
                "<w:serviceVersion>",
                "<x xmlns=\"urn:x\" soap:mustUnderstand=\"true\"/><w:serviceVersion>",
            ),
            "must be understood",
        ),
        (
            format!("<!DOCTYPE a [<!ENTITY b \"c\">]>{good}"),
            "not valid XML",
        ),
    ];
    for (text, told) in cases {
        let answer = dos.post(&text).await;
        let (code, reason) = answer.fault();
        assert_eq!(code, 108, "{text}");
        assert!(reason.contains(told), "{reason} should say {told}");
    }
}

/// Proves: NAT-DOS-10, NFR-01
#[tokio::test]
async fn a_request_that_would_cost_much_is_fault_108() {
    let dos = Dos::demo().await;
    let declarations = |from: usize, most: usize| -> String {
        let one = |n| format!(" xmlns:n{n}=\"urn:{n}\"");
        (from..from + most).map(one).collect()
    };
    // 48 KB that cost ten seconds once: each element copies the declarations around it.
    let nested: String = (0..60)
        .map(|n| format!("<a{}>", declarations(n * 40, 40)))
        .collect();
    let nested = format!("{nested}{}", "</a>".repeat(60));
    let shadowing = format!(
        "<r{}>{}</r>",
        declarations(0, 60),
        "<a xmlns:n0=\"\"/>".repeat(3_900)
    );
    let attributes: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
    for (bomb, told) in [
        (nested, "namespace prefixes in scope"),
        (shadowing, "comparisons of names"),
        (format!("<r{attributes}/>"), "attributes of one element"),
    ] {
        for text in [bomb.clone(), envelope(&bomb)] {
            let answer = dos.post(&text).await;
            let (code, reason) = answer.fault();
            assert_eq!(code, 108);
            assert!(reason.contains(told), "{reason} should say {told}");
        }
    }
}

/// Proves: NAT-DOS-03
#[tokio::test]
async fn every_field_has_its_rule_and_its_fault() {
    let dos = Dos::demo().await;
    let usual = Need::usual;
    let cases = [
        ("postcode", "", 101),
        ("postcode", "ZZ1 1ZZ", 101),
        ("surgery", "not a code", 108),
        ("age", "", 114),
        ("age", "old", 114),
        ("age", "3.5", 114),
        ("age", "-1", 114),
        ("ageFormat", "", 119),
        ("ageFormat", "years", 119),
        ("age", "1", 117),
        ("age", "130", 117),
        ("disposition", "", 121),
        ("disposition", "9999", 121),
        ("disposition", "Dx05", 121),
        ("symptomGroup", "", 120),
        ("symptomGroup", "1", 120),
        ("symptomDiscriminatorList", "", 104),
        ("symptomDiscriminatorList", "<w:int>x</w:int>", 104),
        ("symptomDiscriminatorList", "<w:int>4028</w:int>", 104),
        ("searchDistance", "0", 105),
        ("searchDistance", "100", 105),
        ("searchDistance", "far", 105),
        ("forceSearchDistance", "yes", 108),
        ("forceSearchDistance", "true", 113),
        ("gender", "", 106),
        ("gender", "X", 106),
        ("searchDateTime", "tomorrow", 108),
        ("searchDateTime", "2026-01-01", 108),
    ];
    for (field, value, code) in cases {
        let need = usual().with(field, value);
        assert_eq!(dos.fault(&need).await, code, "{field} = {value}");
    }
    for (field, code) in [
        ("postcode", 101),
        ("age", 114),
        ("ageFormat", 119),
        ("disposition", 121),
        ("symptomGroup", 120),
        ("symptomDiscriminatorList", 104),
        ("gender", 106),
    ] {
        assert_eq!(dos.fault(&usual().without(field)).await, code, "{field}");
    }
    for field in [
        "caseRef",
        "caseId",
        "surgery",
        "searchDistance",
        "searchDateTime",
    ] {
        let found = dos.found(&usual().without(field)).await;
        assert!(!found.is_empty(), "{field} may be left out");
    }
    let ages = [
        ("Days", "32", 115),
        ("Months", "0", 116),
        ("Months", "24", 116),
        ("Years", "1", 117),
        ("AgeGroup", "0", 118),
        ("AgeGroup", "5", 118),
    ];
    for (format, age, code) in ages {
        let need = usual().with("ageFormat", format).with("age", age);
        assert_eq!(dos.fault(&need).await, code, "{age} {format}");
    }
}

/// Proves: NAT-DOS-03
#[tokio::test]
async fn the_moment_is_now_or_within_a_year() {
    let dos = Dos::demo().await;
    let now = jiff::Timestamp::now();
    let at = |seconds: i64| (now + jiff::SignedDuration::from_secs(seconds)).to_string();
    let need = |moment: String| Need::usual().with("searchDateTime", &moment);
    assert_eq!(dos.fault(&need(at(-120))).await, 110);
    assert_eq!(dos.fault(&need(at(370 * 86_400))).await, 109);
    assert!(!dos.found(&need(at(-30))).await.is_empty());
    assert!(!dos.found(&need(at(360 * 86_400))).await.is_empty());
    // Without an offset it is a time in London.
    let zone = jiff::tz::TimeZone::get("Europe/London").unwrap();
    let soon = now + jiff::SignedDuration::from_mins(10);
    let local = zone
        .to_datetime(soon)
        .strftime("%Y-%m-%dT%H:%M:%S")
        .to_string();
    let answer = dos.post(&need(local.clone()).envelope()).await;
    assert!(answer.texts("SearchDateTime")[0].starts_with(&local));
}

/// Proves: NAT-DOS-03
#[tokio::test]
async fn elements_stand_in_their_order_unless_the_world_is_lenient() {
    let strict = Dos::demo().await;
    let lenient = Dos::changed(&[("strict = true", "strict = false")]).await;
    let good = Need::usual().envelope();
    let swapped = good
        .replace("<w:gender>F</w:gender>", "")
        .replace("<w:postcode>", "<w:gender>F</w:gender><w:postcode>");
    let extra = good.replace("<w:gender>", "<w:shoeSize>9</w:shoeSize><w:gender>");
    let plain = good.replace("<w:gender>F</w:gender>", "<gender>F</gender>");
    let twice = good.replace("<w:gender>", "<w:age>36</w:age><w:gender>");
    let unforced = Need::usual().without("forceSearchDistance").envelope();
    let genderless = Need::usual().without("gender").envelope();
    for (text, code) in [
        (&swapped, 108),
        (&extra, 108),
        (&plain, 108),
        (&twice, 108),
        (&unforced, 108),
        (&genderless, 106),
    ] {
        assert_eq!(strict.post(text).await.fault().0, code, "{text}");
        assert_eq!(lenient.post(text).await.status, 200, "{text}");
    }
}

/// Proves: NAT-DOS-05
#[tokio::test]
async fn details_are_found_by_id_and_by_ods_code() {
    let dos = Dos::demo().await;
    assert_eq!(dos.details("2000000021").await.ids(), [2000000021]);
    assert_eq!(dos.details(" 2000000021 ").await.ids(), [2000000021]);
    let all = dos.details("FX202").await.ids();
    assert_eq!(all, [2000000021, 2000000022, 2000000023, 2000000092]);
    // Found although it is red: only searches leave it out.
    assert_eq!(dos.details("2000000033").await.ids(), [2000000033]);
    for unknown in ["", "1", "FX999", "99999999999999999999", "x&lt;y"] {
        let answer = dos.details(unknown).await;
        assert_eq!(answer.fault().0, 103, "{unknown}");
    }
}
