//! What people and scripts read when a provider is odd, quotes what it must not, or breaks off: the real program over
//! real sockets, against the counterpart in Python.

use super::misbehaving::{SERVICE, World, refused};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use testkit::{Arguments, assert_contains, assert_lacks, words};

const LIST: &str = "slots --service 2000000011";

fn at(minutes: i64) -> String {
    (Timestamp::now() + SignedDuration::from_mins(minutes)).to_string()
}

fn slot(id: &str, minutes: i64) -> Value {
    json!({"resourceType": "Slot", "id": id, "status": "free", "start": at(minutes), "end": at(minutes + 15),
        "schedule": {"reference": "Schedule/x"}})
}

fn without(mut slot: Value, name: &str) -> Value {
    slot.as_object_mut().unwrap().remove(name);
    slot
}

fn bundle(slots: &[Value]) -> Value {
    let entry: Vec<Value> = slots.iter().map(|s| json!({ "resource": s })).collect();
    json!({"resourceType": "Bundle", "type": "searchset", "entry": entry})
}

fn listing(world: &World, slots: &[Value]) {
    world.rules(json!([{ "on": "slots", "times": 0, "body": bundle(slots).to_string() }]));
}

/// Proves: CONS-ERR-01, CONS-SLOT-08, D-60
/// Some readable: the others are counted and told. None readable: a fault, exit status 1, and no word of "no free slots".
#[test]
fn unreadable_slots_are_told() {
    let world = World::start();
    let bad = [
        without(slot("a", 200), "end"),
        without(slot("b", 215), "status"),
        without(slot("c", 230), "start"),
    ];
    let mut mixed = bad.to_vec();
    mixed.push(slot("good", 300));
    listing(&world, &mixed);
    let some = world.run(LIST).with(0);
    assert_contains(
        some.stdout.replace("\n  ", " "),
        &[
            "3 slots of the service cannot be read",
            "no end (1)",
            "not said whether it is free (1)",
        ],
    );
    let some = world.json(LIST);
    assert_eq!(some.json["unreadable"]["count"], 3, "{some:?}");
    listing(&world, &bad);
    for none in [world.run(LIST), world.json(LIST)] {
        assert_eq!(none.code, 1, "{none:?}");
        none.says(&["none of them could be read"]);
        none.never_says(&["no free slots"]);
    }
    // Without any slot at all it is as before.
    listing(&world, &[]);
    let empty = world.run(LIST).with(0);
    assert!(empty.stdout.contains("no free slots"), "{empty:?}");
}

/// Proves: D-60, NFR-01, AUD-05
/// A refusal that quotes the patient, in spellings of its own: terminal, JSON, log and journal show nothing of it.
#[test]
fn quoted_patients_reach_nobody() {
    let world = World::start();
    let book = "book --service 2000000011 --first --patient ada.toml";
    for words in [
        "Patient 999 012 3454 Ada TESTWELL, born 21 June 1984, is not known",
        "999-012-3454 (Testwell, Ada; 1984-06-21; +447700900123)",
        "no match for nhs-number|9990123454&family=Testwell at LS99 9ZZ",
    ] {
        for flag in ["", "--json", "--verbose"] {
            world.reset();
            world.rules(json!([refused(422, "invalid", words)]));
            let done = world.run(format!("{book} {flag}")).with(1);
            let kept = std::fs::read(world.journal()).unwrap();
            let wal =
                std::fs::read(world.journal().with_extension("sqlite-wal")).unwrap_or_default();
            let kept = format!(
                "{}{}",
                String::from_utf8_lossy(&kept),
                String::from_utf8_lossy(&wal)
            );
            for secret in [
                "999 012 3454",
                "999-012-3454",
                "TESTWELL",
                "1984-06-21",
                "21 June 1984",
                "447700900123",
                "LS99 9ZZ",
            ] {
                assert!(!done.said().contains(secret), "{secret}: {done:?}");
                assert!(!kept.contains(secret), "{secret} is in the journal");
            }
            assert!(!done.stderr.contains("9990123454"), "{done:?}");
        }
    }
}

/// Proves: CONS-BOOK-04
/// "Taken" is said when it is so; the fresh list comes with it, also for a slot that was named.
#[test]
fn taken_or_not() {
    let world = World::start();
    world.rules(json!([refused(
        422,
        "processing",
        "The practice is closed"
    )]));
    let first = world.json(LIST).json["slots"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    for choice in [vec!["--first"], vec!["--slot", &first]] {
        let mut command = vec!["book", "--service", SERVICE, "--patient", "ada.toml"];
        command.extend(choice);
        let done = world.run(&command).with(1);
        assert!(!done.said().contains("taken this time"), "{done:?}");
    }
    world.rules(json!([refused(
        422,
        "processing",
        "Slot no longer available"
    )]));
    let done = world.run(format!(
        "book --service {SERVICE} --slot {first} --patient ada.toml"
    ));
    done.says(&["taken this time", "free now"]);
}

/// Proves: CONS-REQ-06, CONS-SLOT-05
/// Every spelling of gzip is read; a link back to the same page is not followed for ever, and it is said.
#[test]
fn codings_and_links() {
    let world = World::start();
    for coding in ["GZIP", "x-gzip"] {
        world.rules(
            json!([{ "on": "slots", "gzip": true, "headers": { "Content-Encoding": coding } }]),
        );
        let done = world.json(LIST);
        assert!(
            done.json["slots"].as_array().is_some_and(|s| !s.is_empty()),
            "{coding}: {done:?}"
        );
    }
    let before = world.count("slots");
    let mut page = bundle(&[slot("only", 240)]);
    page["link"] = json!([{ "relation": "next", "url": "Slot?page=1" }]);
    world.rules(json!([{ "on": "slots", "times": 0, "body": page.to_string() }]));
    let done = world.run(LIST).with(0);
    assert_contains(&done.stdout, &["could not be read to its end"]);
    assert_eq!(
        world.count("slots"),
        before + 2,
        "the page and its link, once each"
    );
}

/// Proves: NAT-JWT-05, CONS-ERR-02, CONS-ERR-03
/// Clocks that differ and an answer that breaks off have their own words.
#[test]
fn clocks_and_broken_answers() {
    let world = World::start();
    world.rules(
        json!([{ "on": "slots", "times": 0, "status": 403, "clock": 3600,
        "outcome": ["forbidden", "The token is not valid"] }]),
    );
    let done = world.run(LIST).with(1);
    done.notes(&["clock of this computer is 1 hour behind"]);
    world.rules(json!([{ "on": "slots", "times": 0, "cut": "half" }]));
    let done = world.run(LIST).with(1);
    assert!(done.stderr.contains("broke off on the way"), "{done:?}");
    world.rules(json!([{ "on": "slots", "times": 0, "body": "{ broken" }]));
    let done = world.run(LIST);
    assert!(done.stderr.contains("could not be understood"), "{done:?}");
}

/// Proves: CONS-BOOK-02, CONS-ERR-02
/// What is missing is named by its flag where nobody can be asked, all of it at once.
#[test]
fn what_is_missing_has_its_flag() {
    let world = World::start();
    let book = format!("book --service {SERVICE} --first");
    let missing = world.run(&book).with(2);
    missing.notes(&[
        "--reason",
        "--given",
        "--family",
        "--birth-date",
        "--postcode",
        "--phone",
    ]);
    let full = [
        ("--reason", "Sore throat"),
        ("--given", "Ada"),
        ("--family", "Testwell"),
        ("--birth-date", "1984-06-21"),
        ("--postcode", "LS99 9ZZ"),
        ("--phone", "01632 960123"),
        ("--nhs-number", "9990123454"),
    ];
    for (flag, wrong, says) in [
        ("--phone", "not a number", "--phone"),
        ("--birth-date", "2999-01-01", "in the future: --birth-date."),
        ("--postcode", "nowhere", "--postcode"),
        ("--nhs-number", "9990123455", "--nhs-number"),
        ("--given", " ", "--given"),
    ] {
        let mut command = words(&book);
        for (name, value) in full {
            command.extend([name, if name == flag { wrong } else { value }].words());
        }
        let done = world.run(&command);
        assert_eq!(done.code, 1, "{flag}: {done:?}");
        assert!(
            done.stderr.contains(says) && !done.stderr.contains("rank"),
            "{flag}: {done:?}"
        );
    }
    let file = "description = \"x\"\n[patient]\ngender = \"female\"\nbirth_date = \"1984-06-21\"\n\
        name = { family = \"Testwell\", given = [\"Ada\"] }\naddress = { lines = [], postcode = \"LS99 9ZZ\" }\n";
    world.write("silent.toml", file);
    let done = world
        .run(format!(
            "book --service {SERVICE} --first --patient silent.toml"
        ))
        .with(1);
    done.notes(&["Add a telephone number: --phone."]);
    assert_eq!(world.count("create"), 0, "nothing was sent");
    let nothing_chosen = world
        .run(format!("book --service {SERVICE} --patient ada.toml"))
        .with(2);
    assert!(nothing_chosen.stderr.contains("--slot") && nothing_chosen.stderr.contains("--first"));
}

/// Proves: CONS-BOOK-02
/// At a terminal everything that is missing is asked for: service, patient, slot.
#[test]
fn a_booking_by_questions() {
    let world = World::start();
    let done = world.at_terminal(
        "book",
        &[
            ("Service", SERVICE),
            ("Reason", "Sore throat"),
            ("Given", "Ada"),
            ("Family", "Testwell"),
            ("Date of birth", "1984-06-21"),
            ("Postcode", "LS99 9ZZ"),
            ("Telephone", "01632 960123"),
            ("Gender", "female"),
            ("NHS number", "9990123454"),
            ("Which", "2"),
        ],
    );
    done.with(0).says(&["Booked: "]);
    assert_eq!(world.live().len(), 1);
}

/// Proves: CONS-ERR-01, CONS-DOS-01, D-60
/// Services of the directory that cannot be offered are counted and told, to people and to scripts.
#[test]
fn services_that_are_left_out_are_told() {
    let world = World::start();
    let service = |id: &str| {
        format!(
            "<serviceCareSummaryDestination>{id}<name>Clinic</name></serviceCareSummaryDestination>"
        )
    };
    let good = "<id>2000000011</id>";
    let answer = |services: &[&str]| {
        let all: String = services.iter().map(|id| service(id)).collect();
        format!(
            "<S:Envelope xmlns:S='http://www.w3.org/2003/05/soap-envelope'><S:Body><CheckCapacitySummaryResponse \
             xmlns='https://nww.pathwaysdos.nhs.uk/app/api/webservices'><CheckCapacitySummaryResult>{all}\
             </CheckCapacitySummaryResult></CheckCapacitySummaryResponse></S:Body></S:Envelope>"
        )
    };
    let list = |services: &[&str], more: &str| {
        let directory = directory(answer(services));
        world.run(format!(
            "services --postcode 'LS99 9AA' --age 42 --disposition Dx05 --symptom-group 1011 \
             --discriminator 4052 --set dos.url={directory} {more}"
        ))
    };
    let some = list(&[good, "", "<id>no id!</id>"], "");
    assert_contains(
        some.with(0).stdout.replace("\n  ", " "),
        &[
            "2000000011",
            "2 services of the directory cannot be offered",
            "no proper id to ask about it by (2)",
        ],
    );
    let some = list(&[good, ""], "--json");
    let expected = json!({ "count": 1, "reasons": [{ "why": "no proper id to ask about it by", "services": 1 }] });
    assert_eq!(some.json["left_out"], expected, "{some:?}");
    let many = [good; 201];
    let long = list(&many, "--json");
    assert_eq!(long.json["left_out"]["count"], 1, "{long:?}");
    let whole = list(&[good], "");
    assert!(
        whole.code == 0 && !whole.stdout.contains("left out"),
        "{whole:?}"
    );
    assert_eq!(list(&["", ""], "").code, 1);
}

/// A directory that gives one answer once; its address.
fn directory(answer: String) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        let mut some = [0; 4096];
        while !String::from_utf8_lossy(&asked).contains("Envelope>") {
            let n = stream.read(&mut some).unwrap();
            asked.extend_from_slice(&some[..n]);
        }
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
    });
    address
}

/// Proves: CONS-ERR-01
/// The list of appointments is read on an ordinary terminal too, with the whole id of each.
#[test]
fn the_list_of_appointments_fits() {
    let world = World::start();
    let id = world.booked("ada.toml");
    let listed = world.run("show").with(0);
    assert_contains(
        &listed.stdout,
        &[
            id.as_str(),
            "Ms Ada Testwell",
            "15 minutes",
            SERVICE,
            "booked",
        ],
    );
    for line in listed.stdout.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    assert_eq!(world.json("show").json["bookings"][0]["doubt"], Value::Null);
    // What was not read, or is something else now, is not listed as if it stood.
    for (rule, words) in [
        (json!({ "status": 500 }), "the service could not be asked"),
        (
            json!({ "alter": ["start=15"] }),
            "the service has something else under this id",
        ),
        (
            json!({ "instead": "other" }),
            "the service has something else under this id",
        ),
    ] {
        let mut rule = rule;
        (rule["on"], rule["times"]) = (json!("read"), json!(0));
        world.rules(json!([rule]));
        let listed = world.run("show");
        assert!(
            listed.code == 0 && listed.stdout.contains(words),
            "{listed:?}"
        );
        assert!(!listed.said().contains("Otherwell"), "{listed:?}");
        let doubt = world.json("show").json["bookings"][0]["doubt"].clone();
        assert!(doubt.as_str().unwrap().contains(words), "{doubt}");
    }
}

/// Proves: D-70
/// What a service calls itself and its places is shown without what steers a terminal, and in JSON it is exactly what came.
#[test]
fn names_of_a_service_do_not_steer_a_terminal() {
    const HOSTILE: &str = "GP\u{1b}]0;x\u{7}\r\nBooked: forged\u{9b}2J\u{202e}\u{2028}clinic";
    let world = World::start();
    let schedule = json!({"resourceType": "Schedule", "id": "x", "actor": [
        {"reference": "HealthcareService/h", "display": HOSTILE},
        {"reference": "Location/l", "display": HOSTILE},
        {"reference": "Practitioner/p", "display": HOSTILE}]});
    let mut named = slot("good", 300);
    named["extension"] = json!([{
        "url": booking::systems::DELIVERY_CHANNEL, "valueCode": "odd\u{1b}[1m" }]);
    listing(&world, &[named, schedule]);
    let shown = world.run(LIST).with(0);
    let seen = |c: char| c == '\n' || booking::foreign::visible(c) == c;
    assert!(shown.stdout.chars().all(seen), "{shown:?}");
    assert_contains(&shown.stdout, &["forged"]);
    assert_lacks(&shown.stdout, &["\nBooked"]);
    let listed = world.json(LIST);
    assert!(listed.stdout.chars().all(seen), "{listed:?}");
    let first = &listed.json["slots"][0];
    assert_eq!(first["service"], HOSTILE, "{listed:?}");
    assert_eq!(first["place"]["name"], HOSTILE, "{listed:?}");
    assert_eq!(first["clinician"]["name"], HOSTILE, "{listed:?}");
}
