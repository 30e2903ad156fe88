//! The DoS client against a web service that answers in odd, foreign and hostile forms.

use super::discover_support::soap::{attribute, destination, envelope, fault, summary};
use super::discover_support::*;
use super::scripted::{Reply, Scripted, say};
use booking::ids::OdsCode;
use consumer::discover::{Age, Discovery, Service, Sex};
use consumer::obstacle::Kind;
use std::time::Duration;
use testkit::assert_lacks;

async fn services(dos: &Scripted) -> Result<Vec<Service>, consumer::obstacle::Obstacle> {
    discovery(&dos.address, NOWHERE).services(&search()).await
}

/// Proves: NAT-DOS-01, NAT-DOS-03
/// What is sent: version, credentials, SOAPAction, and every element in its order.
#[tokio::test]
async fn requests_in_the_published_form() {
    let dos = Scripted::saying(200, summary(&destination("2000000011", ""))).await;
    let mut wanted = search();
    wanted.case_id = Some("a<b&c>\u{1}".into());
    wanted.surgery = Some(OdsCode::parse("FX501").unwrap());
    wanted.age = Age::Months(7);
    wanted.sex = Sex::Indeterminate;
    wanted.discriminators = vec![4003, 4052];
    wanted.force_distance = true;
    wanted.at = Some("2031-07-04T08:30:00Z".parse().unwrap());
    let config = config(&dos.address, NOWHERE);
    Discovery::new(&config)
        .unwrap()
        .services(&wanted)
        .await
        .unwrap();
    let seen = &dos.seen()[0];
    assert_eq!(seen.path, "/app/api/webservices");
    let namespace = "https://nww.pathwaysdos.nhs.uk/app/api/webservices";
    assert_eq!(
        seen.headers["content-type"],
        format!("application/soap+xml; charset=utf-8; action=\"{namespace}/CheckCapacitySummary\"")
    );
    assert_eq!(
        seen.headers["soapaction"],
        format!("\"{namespace}/CheckCapacitySummary\"")
    );
    assert!(
        seen.body
            .contains("<soap:Header><w:serviceVersion>1.5</w:serviceVersion></soap:Header>")
    );
    let sent = seen.body.split("<w:CheckCapacitySummary>").nth(1).unwrap();
    assert_eq!(
        sent.split("</w:CheckCapacitySummary>").next().unwrap(),
        "<w:userInfo><w:username>fernhill-adviser</w:username><w:password>sandbox-adviser</w:password></w:userInfo>\
         <w:c><w:caseRef>call-1</w:caseRef><w:caseId>a&lt;b&amp;c&gt;\u{FFFD}</w:caseId><w:postcode>LS99 9AA</w:postcode>\
         <w:surgery>FX501</w:surgery><w:age>7</w:age><w:ageFormat>Months</w:ageFormat><w:disposition>1005</w:disposition>\
         <w:symptomGroup>1011</w:symptomGroup><w:symptomDiscriminatorList><w:int>4003</w:int><w:int>4052</w:int>\
         </w:symptomDiscriminatorList><w:searchDistance>30</w:searchDistance>\
         <w:forceSearchDistance>true</w:forceSearchDistance><w:gender>I</w:gender>\
         <w:searchDateTime>2031-07-04T09:30:00+01:00</w:searchDateTime></w:c>"
    );
}

/// Proves: NAT-DOS-01
/// An address with a path of its own is used as it is.
#[tokio::test]
async fn an_address_with_a_path() {
    let dos = Scripted::saying(200, fault(103, "x")).await;
    let mut config = config(&dos.address, NOWHERE);
    config.dos.url = format!("http://{}/gateway/dos/", dos.address);
    let asked = Discovery::new(&config)
        .unwrap()
        .service(&id("2000000011"))
        .await;
    assert_eq!(asked.unwrap_err().kind, Kind::ServiceUnknown);
    assert_eq!(dos.seen()[0].path, "/gateway/dos");
}

/// Proves: NAT-DOS-03
/// What the DoS would refuse is told before it is sent, in words for the user.
#[tokio::test]
async fn impossible_searches_are_not_sent() {
    let dos = Scripted::saying(200, summary("")).await;
    let discovery = discovery(&dos.address, NOWHERE);
    type Change = fn(&mut consumer::discover::ServiceSearch);
    let wrong: [(&str, Change); 8] = [
        ("postcode", |s| s.postcode = "<LS99>".into()),
        ("age", |s| s.age = Age::Days(32)),
        ("age", |s| s.age = Age::Months(0)),
        ("age", |s| s.age = Age::Years(1)),
        ("age", |s| s.age = Age::Group(5)),
        ("searchDistance", |s| s.distance_km = Some(100)),
        ("forceSearchDistance", |s| {
            (s.distance_km, s.force_distance) = (None, true)
        }),
        ("symptomDiscriminatorList", |s| s.discriminators.clear()),
    ];
    for (field, change) in wrong {
        let mut search = search();
        change(&mut search);
        let obstacle = discovery.services(&search).await.unwrap_err();
        assert_eq!(obstacle.noted("field"), Some(field));
        assert!(!obstacle.plain.contains(|c: char| c.is_ascii_digit()));
    }
    assert!(dos.seen().is_empty());
}

/// Proves: NAT-DOS-04, NAT-DOS-08, CONS-DOS-01, D-31
/// Any prefix or none, any case, other order, unknown elements; the order of the DoS stays; what
/// cannot be used is left out.
#[tokio::test]
async fn answers_in_foreign_spelling() {
    let odd = "<?xml version='1.0' encoding='utf-8'?>\n<!-- gateway --><S:Envelope \
        xmlns:S='http://schemas.xmlsoap.org/soap/envelope/'><S:Header><x/></S:Header><S:Body>\
        <CheckCapacitySummaryResponse xmlns='urn:other'><CheckCapacitySummaryResult>\
        <ServiceCareSummaryDestination><distance>12.345</distance><NAME>Second by name</NAME><ID> 2000000099 </ID>\
          <publicName xmlns:i='http://www.w3.org/2001/XMLSchema-instance' i:nil='true'/><surprise><id>7</id></surprise>\
          <openAllHours>TRUE</openAllHours></ServiceCareSummaryDestination>\
        <serviceCareSummaryDestination><name>No id</name></serviceCareSummaryDestination>\
        <serviceCareSummaryDestination><id>not an id!</id></serviceCareSummaryDestination>\
        <serviceCareSummaryDestination><id>2000000011</id><name>UTC: F</name><publicName><![CDATA[F & Co]]></publicName>\
          <distance>-1</distance><nonPublicTelephoneNo>01632 960999</nonPublicTelephoneNo><fax>01632 960998</fax>\
          <referralInformation>Only for professionals</referralInformation><contactDetails>01632 960101</contactDetails>\
          <serviceEndPoints><EndPoint><endpointOrder>1</endpointOrder><transport>HTTP</transport><format>fhir</format>\
          <interaction>scheduling</interaction><businessScenario>PRIMARY</businessScenario>\
          <address>asid:918999000011</address><isCompressionEnabled>false</isCompressionEnabled></EndPoint></serviceEndPoints>\
          <rotaSessions><serviceCareItemRotaSession><startDayOfWeek>Monday</startDayOfWeek><startTime><hours>22</hours>\
          <minutes>0</minutes></startTime><endDayOfWeek>Tuesday</endDayOfWeek><endTime><hours>6</hours><minutes>30</minutes>\
          </endTime><status>Open</status></serviceCareItemRotaSession></rotaSessions>\
          <openTimeSpecifiedSessions><openTimeSpecified>25-12-2030-10:00-14:00</openTimeSpecified>\
          <openTimeSpecified>whenever</openTimeSpecified></openTimeSpecifiedSessions></serviceCareSummaryDestination>\
        <serviceCareSummaryDestination><id>2000000011</id><name>again</name></serviceCareSummaryDestination>\
        <serviceCareSummaryDestination><id>2000000091</id><name>ED: E (Catch-all)</name></serviceCareSummaryDestination>\
        </CheckCapacitySummaryResult></CheckCapacitySummaryResponse></S:Body></S:Envelope>";
    let dos = Scripted::saying(200, format!("\u{feff}{odd}")).await;
    let found = services(&dos).await.unwrap();
    let names: Vec<&str> = found.iter().map(|s| s.name.as_received()).collect();
    assert_eq!(names, ["Second by name", "F & Co", "ED: E (Catch-all)"]);
    assert_eq!(found[0].distance_miles, Some(12.345));
    assert!(found[0].opening.always);
    let second = &found[1];
    assert_eq!(second.distance_miles, None);
    assert_eq!(
        second.opening.to_string(),
        "Monday 22:00–Tuesday 06:30, 25 December 2030 10:00–14:00"
    );
    let all = format!("{found:?}");
    assert_lacks(&all, &["960999", "960998", "Only for professionals"]);
    let details = consumer::discover::ServiceDetails::of(second);
    assert_eq!(
        details.booking_address().unwrap().to_string(),
        "ASID:918999000011"
    );
    assert!(found[2].catch_all && !second.catch_all);
}

/// Proves: CONS-BO-01, CONS-BO-02, NAT-DOS-09, D-31, C2, C3, C4
/// The attribute in all its spellings, several of it, and others beside it.
#[tokio::test]
async fn booking_only_in_every_spelling() {
    let one = |list: &[(&str, &str)]| {
        let inner: String = list.iter().map(|(n, v)| attribute(n, v)).collect();
        format!("<ns1:attributes>{inner}</ns1:attributes>")
    };
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[], false),
        (&[("requirebooking", "TRUE")], true),
        (&[("requirebooking", "true")], true),
        (&[("REQUIREBOOKING", " Y ")], true),
        (&[("RequiresAppointment", "Yes")], true),
        (&[("requirebooking", "FALSE")], false),
        (&[("requirebooking", "n")], false),
        (&[("requirebooking", "")], false),
        (&[("requirebooking", "perhaps")], false),
        (&[("requirebookings", "true"), ("other", "true")], false),
        (
            &[("requirebooking", "false"), ("requirebooking", "TRUE")],
            true,
        ),
        (
            &[("requirebooking", "TRUE"), ("requirebooking", "false")],
            true,
        ),
        (
            &[("requirebooking", "false"), ("requirebooking", "false")],
            false,
        ),
    ];
    for (attributes, required) in cases {
        let dos =
            Scripted::saying(200, summary(&destination("2000000021", &one(attributes)))).await;
        let found = services(&dos).await.unwrap();
        assert_eq!(found[0].booking_required, *required, "{attributes:?}");
    }
}

/// Proves: NAT-DOS-05, NAT-DOS-07, NAT-DOS-11
/// Details by id among several services; endpoints from whichever answer holds them, old ones
/// included.
#[tokio::test]
async fn details_and_lists_complete_each_other() {
    let dos = Scripted::start(|seen, _| {
        let endpoints = "<ns1:serviceEndpoints><ns1:endpoint><ns1:endpointOrder>2</ns1:endpointOrder>\
            <ns1:transport>http</ns1:transport><ns1:format>FHIR</ns1:format><ns1:interaction>Scheduling</ns1:interaction>\
            <ns1:businessScenario>Primary</ns1:businessScenario><ns1:address>ASID:918999000011</ns1:address>\
            </ns1:endpoint></ns1:serviceEndpoints>";
        let old = "<ns1:contactDetails><ns1:contactDetail><ns1:tag>itk</ns1:tag><ns1:value>https://itk.example/r|\
            urn:nhs-itk:interaction:primaryEmergencyDepartmentRecipientNHS111CDADocument-v2-0|CDA|Primary||uncompressed\
            </ns1:value><ns1:order>1</ns1:order></ns1:contactDetail></ns1:contactDetails>";
        let body = if seen.body.contains("<w:serviceId>2000000011<") {
            envelope(&format!(
                "<ns1:ServiceDetailsByIdResponse><ns1:services><ns1:service><ns1:id>2000000012</ns1:id></ns1:service>\
                 <ns1:service><ns1:id>2000000011</ns1:id><ns1:odsCode>FX101</ns1:odsCode>{old}{endpoints}</ns1:service>\
                 </ns1:services></ns1:ServiceDetailsByIdResponse>"
            ))
        } else if seen.body.contains("<w:serviceId>") {
            envelope(
                "<ns1:ServiceDetailsByIdResponse><ns1:services><ns1:service><ns1:id>2000000012</ns1:id>\
                 </ns1:service></ns1:services></ns1:ServiceDetailsByIdResponse>",
            )
        } else {
            let inner = format!("<ns1:name>N</ns1:name>{endpoints}<ns1:attributes>{}</ns1:attributes>", attribute("requirebooking", "Y"));
            summary(&destination("2000000012", &inner))
        };
        say(200, body)
    })
    .await;
    let discovery = discovery(&dos.address, NOWHERE);
    let details = discovery.service(&id("2000000011")).await.unwrap();
    assert_eq!(details.ods, Some("FX101".into()));
    let referral = details.referral_endpoints().unwrap();
    assert_eq!(referral[0].address, "https://itk.example/r");
    assert!(details.booking_address().is_ok());
    // The details have no endpoint, the list has: and the attribute comes from the list.
    let listed = discovery.services(&search()).await.unwrap();
    let details = discovery.details(&listed[0]).await.unwrap();
    assert!(details.booking_address().is_ok() && details.booking_required);
    assert_eq!(details.name, Some("N".into()));
    // Another service than the one asked for is not taken for it.
    let other = discovery.service(&id("2000000013")).await.unwrap_err();
    assert_eq!(other.kind, Kind::ServiceUnknown);
}

/// Proves: NAT-DOS-10, CONS-ERR-01, CONS-ERR-02
/// A fault counts whatever the status; a status without SOAP tells what it can; a list without
/// services says so.
#[tokio::test]
async fn faults_and_statuses() {
    for (status, body, kind) in [
        (200, fault(102, "none"), Kind::NoServices),
        (200, summary(""), Kind::NoServices),
        // Services came, but none can be used: that is no empty list.
        (
            200,
            summary(&destination("no id!", "")),
            Kind::DosUnreadable,
        ),
        (400, fault(101, "no such postcode"), Kind::PostcodeUnknown),
        (500, fault(302, "login"), Kind::DosAccess),
        (504, fault(504, "late"), Kind::DosFailed),
        (
            500,
            "<html><body>Oops</body></html>".into(),
            Kind::DosFailed,
        ),
        (503, String::new(), Kind::DosFailed),
        (401, "who?".into(), Kind::DosAccess),
        (404, "nothing here".into(), Kind::DosRequest),
        (302, String::new(), Kind::DosUnreadable),
        (
            302,
            summary(&destination("2000000011", "")),
            Kind::DosUnreadable,
        ),
        (
            403,
            summary(&destination("2000000011", "")),
            Kind::DosAccess,
        ),
        (
            404,
            summary(&destination("2000000011", "")),
            Kind::DosRequest,
        ),
        (
            503,
            summary(&destination("2000000011", "")),
            Kind::DosFailed,
        ),
        (204, String::new(), Kind::DosUnreadable),
        (200, "<html/>".into(), Kind::DosUnreadable),
        (200, "<a><b></a>".into(), Kind::DosUnreadable),
        (200, envelope(""), Kind::DosUnreadable),
        (
            200,
            envelope("<ns1:ServiceDetailsByIdResponse/>"),
            Kind::DosUnreadable,
        ),
    ] {
        let dos = Scripted::saying(status, body.clone()).await;
        let obstacle = services(&dos).await.unwrap_err();
        assert_eq!(obstacle.kind, kind, "{status} {body}: {obstacle:?}");
        assert_eq!(obstacle.noted("role"), Some("health adviser"));
        assert_lacks(format!("{obstacle:?}"), &["sandbox-adviser"]);
    }
}

/// Proves: CONS-ERR-01
/// Answers that are meant to do harm end as an answer that cannot be read, soon and in bounds.
#[tokio::test]
async fn hostile_answers() {
    let deep = format!("{}{}", "<a>".repeat(100_000), "</a>".repeat(100_000));
    let entities = "<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;'>]>\
        <Envelope><Body>&b;</Body></Envelope>"
        .to_owned();
    let external =
        "<!DOCTYPE x SYSTEM 'file:///etc/passwd'><Envelope><Body/></Envelope>".to_owned();
    let many = format!(
        "<Envelope><Body>{}</Body></Envelope>",
        "<a/>".repeat(300_000)
    );
    let nested: String = (0..100)
        .map(|n| {
            let one = |m| format!(" xmlns:n{n}x{m}=\"urn:{m}\"");
            format!("<a{}>", (0..20).map(one).collect::<String>())
        })
        .collect();
    let declared = format!("{nested}{}", "</a>".repeat(100));
    let attributes = format!("<a {}/>", "b=\"\" ".repeat(100_000));
    for body in [
        envelope(&declared).into_bytes(),
        envelope(&attributes).into_bytes(),
        declared.into_bytes(),
        envelope(&deep).into_bytes(),
        deep.into_bytes(),
        entities.into_bytes(),
        external.into_bytes(),
        many.into_bytes(),
        vec![b'x'; 5 << 20],
        b"<Envelope><Body>\xff\xfe</Body></Envelope>".to_vec(),
        vec![0; 100],
    ] {
        let dos = Scripted::saying(200, body).await;
        let obstacle = services(&dos).await.unwrap_err();
        assert_eq!(obstacle.kind, Kind::DosUnreadable, "{obstacle:?}");
    }
    // A fault's text stays on its line, without the patient's number.
    let forged = fault(100, "down\nWARN forged 9990123454");
    let dos = Scripted::saying(500, forged).await;
    let obstacle = services(&dos).await.unwrap_err();
    assert_eq!(
        obstacle.noted("dos_text"),
        Some("down WARN forged (NHS number)")
    );
}

/// Proves: CONS-ERR-01, D-60, NFR-01
/// A fault that quotes the request shows neither the password nor the user name, in whatever spelling.
#[tokio::test]
async fn faults_that_quote_the_request() {
    for quote in [
        "&lt;w:username&gt;fernhill-adviser&lt;/w:username&gt;&lt;w:password&gt;sandbox-adviser&lt;/w:password&gt; 999-012-3454",
        "<![CDATA[<userInfo><username>fernhill-adviser</username><password>sandbox-adviser</password></userInfo>]]> 999 012 3454",
    ] {
        let long = format!("{}{quote}", "x ".repeat(220));
        for text in [quote.to_owned(), long] {
            let dos = Scripted::saying(500, fault(108, &text)).await;
            let obstacle = services(&dos).await.unwrap_err();
            let told = format!("{obstacle:?}");
            assert_lacks(
                &told,
                &["sandbox-ad", "fernhill-ad", "012-3454", "012 3454"],
            );
        }
    }
}

/// Proves: CONS-ERR-01, CONS-ERR-02
/// A DoS that is not there, is silent, or hangs up.
#[tokio::test]
async fn a_dos_that_does_not_answer() {
    let gone = discovery(NOWHERE, NOWHERE)
        .services(&search())
        .await
        .unwrap_err();
    assert_eq!(gone.kind, Kind::DosUnreachable);
    assert!(gone.retry_safe && gone.noted("transport").is_some());
    for reply in [Reply::Cut, Reply::Late(LONG, Box::new(Reply::Cut))] {
        let dos = Scripted::start(move |_, _| reply.clone()).await;
        let mut config = config(&dos.address, NOWHERE);
        config.timeouts.dos = Duration::from_millis(300);
        let obstacle = Discovery::new(&config)
            .unwrap()
            .services(&search())
            .await
            .unwrap_err();
        assert_eq!(obstacle.kind, Kind::DosUnreachable);
    }
}
