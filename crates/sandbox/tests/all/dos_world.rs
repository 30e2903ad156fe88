//! The world file: what a DoS lead writes, and what is said about mistakes.

use sandbox::world::model::Spelling;
use sandbox::world::{Addresses, DEMO, World};
use testkit::assert_contains;

fn faults(text: &str) -> String {
    World::parse(text).unwrap_err()
}

fn changed(from: &str, to: &str) -> String {
    assert!(DEMO.contains(from), "{from}");
    DEMO.replacen(from, to, 1)
}

fn line_of(text: &str) -> usize {
    DEMO[..DEMO.find(text).unwrap()].lines().count() + 1
}

/// Proves: NAT-DOS-06, NAT-DOS-09
#[test]
fn the_demonstration_is_right() {
    let addresses = Addresses {
        provider: "https://127.0.0.1:9001/".to_owned(),
        ..Addresses::default()
    };
    let (world, remarks) = World::read(DEMO, "demo", &addresses).unwrap();
    assert_eq!(world, World::demo(&addresses));
    assert_eq!(world.settings.endpoints, Spelling::Wsdl);
    for id in [11, 12, 13, 14, 15, 21, 22, 23, 31, 91, 92] {
        assert!(world.service(2_000_000_000 + id).is_some(), "{id}");
    }
    let gp = world.service(2000000011).unwrap();
    assert_eq!(gp.endpoint[0].address, "https://127.0.0.1:9001/itk");
    assert_eq!(gp.booking_endpoints().count(), 1);
    let provider = world.directory.system("918999000011").unwrap();
    let found: Vec<_> = world
        .directory
        .endpoints_of(
            provider,
            "urn:nhs:names:services:careconnect:fhir:rest:read:appointment",
        )
        .collect();
    assert_eq!(found[0].endpoint, "https://127.0.0.1:9001/STU3/1/FX101");
    assert!(
        world
            .directory
            .system("918999000099")
            .unwrap()
            .fqdn
            .is_some()
    );
    // Wrong on purpose, and said so: no prefix, two endpoints, red.
    let told: Vec<&str> = remarks.iter().map(|r| r.text.as_str()).collect();
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].contains("2000000023") && told[0].contains("prefix"));
    assert!(told[1].contains("2000000031") && told[1].contains("2 booking endpoints"));
    assert!(told[2].contains("belongs to FX202"));
    assert!(told[3].contains("2000000033") && told[3].contains("red"));
}

#[test]
fn an_unknown_key_names_its_line_and_the_nearest_one() {
    let text = changed(
        "public_name = \"Fernhill Urgent Treatment Centre, GP",
        "publicname = \"Fernhill Urgent Treatment Centre, GP",
    );
    let line = line_of("public_name = \"Fernhill Urgent Treatment Centre, GP");
    let told = faults(&text);
    assert_eq!(
        told,
        format!(
            "world file, line {line}, column 1: [[service]], `publicname`: there is no key `publicname`; did you mean `public_name`?"
        )
    );
    let told = faults(&changed("[[symptom_group]]", "[[symptom_groups]]"));
    assert_contains(
        &told,
        &["no table `symptom_groups`; did you mean `symptom_group`?"],
    );
    let told = faults(&changed(
        "interaction = \"Scheduling\"",
        "interacton = \"Scheduling\"",
    ));
    assert_contains(
        &told,
        &[
            "[[service]], `endpoint.interacton`: there is no key `interacton`; did you mean `interaction`?",
        ],
    );
    let told = faults(&changed("capacity = \"high\"", "capacity = \"hihg\""));
    assert_contains(&told, &["there is no value `hihg`; did you mean `high`?"]);
    let told = faults(&changed(
        "asid = \"918999000011\"",
        "assid = \"918999000011\"",
    ));
    assert!(told.contains("[[system]], `assid`"), "{told}");
}

#[test]
fn wrong_values_and_references_are_told() {
    for (from, to, told) in [
        (
            "postcode = \"LS99 9ZA\"\naddress",
            "postcode = \"LS99 9ZX\"\naddress",
            "`LS99 9ZX` is not in the [[postcode]] table; did you mean",
        ),
        (
            "dispositions = [1018, 1008]",
            "dispositions = [1019]",
            "1019 is not in the [[disposition]] table",
        ),
        (
            "symptom = [{ group = 1016 }]",
            "symptom = [{ group = 1 }]",
            "group 1 is not in the [[symptom_group]] table",
        ),
        (
            "discriminators = [4003] }",
            "discriminators = [4028] }",
            "discriminator 4028 does not belong to group 1011",
        ),
        (
            "roles = [\"111 clinician\"]",
            "roles = [\"111 clinican\"]",
            "no account has the role `111 clinican`; did you mean `111 clinician`?",
        ),
        (
            "id = 2000000012",
            "id = 2000000011",
            "`2000000011` is already the id of another one",
        ),
        (
            "id = 2000000012",
            "id = 3000000000",
            "not between 1 and 2147483647",
        ),
        (
            "from = \"08:00\", to = \"20:00\" }",
            "from = \"8 o'clock\", to = \"20:00\" }",
            "write it like \"08:30\"",
        ),
        (
            "{ day = \"2026-12-26\", closed = true }",
            "{ day = \"2026-12-26\" }",
            "write `closed = true`, or both",
        ),
        ("from = \"2 years\"", "from = \"two\"", "is not an age"),
        (
            "default_distance_km = 60",
            "default_distance_km = 600",
            "from 1 to 99",
        ),
        (
            "easting = 430000",
            "easting = \"west\"",
            "expected a whole number",
        ),
        (
            "asid = \"918999000022\"",
            "asid = \"91899900002\"",
            "[[system]], `asid`: the ASID",
        ),
        (
            "ods = \"FX202\"\ntype",
            "ods = \"fx202\"\ntype",
            "[[service]], `ods`: the ODS code",
        ),
        (
            "permissions = [\"reports\"]",
            "permissions = [\"webservice\"]",
            "did you mean `webService`?",
        ),
        ("strict = true", "strict = \"yes\"", "true or false"),
    ] {
        let text = changed(from, to);
        let found = faults(&text);
        assert!(found.contains(told), "{to}: {found}");
        assert!(found.starts_with("world file, line "), "{found}");
    }
}

#[test]
fn all_mistakes_are_told_at_once() {
    let text = changed("dispositions = [1018, 1008]", "dispositions = [1019]")
        .replace("id = 2000000092", "id = 2000000091");
    let told = faults(&text);
    assert_eq!(told.lines().count(), 2, "{told}");
    let broken = faults("[dos\nstrict = true");
    assert!(broken.starts_with("world file, line 1"), "{broken}");
    assert!(faults("dos = 1").contains("[dos]") || faults("dos = 1").contains("not a table"));
    assert!(faults("service = 1").contains("two brackets"));
    assert!(faults("[[dos]]").contains("one bracket"));
}

#[test]
fn remarks_help_the_dos_lead() {
    let remark = |from: &str, to: &str| {
        let text = changed(from, to);
        let (_, remarks) = World::read(&text, "w", &Addresses::default()).unwrap();
        let all: Vec<String> = remarks.into_iter().map(|r| r.text).collect();
        all.join("\n")
    };
    for (from, to, told) in [
        (
            "address = \"ASID:918999000022\"",
            "address = \"ASID:91899900002\"",
            "malformed",
        ),
        (
            "address = \"ASID:918999000022\"",
            "address = \"ASID:918999000033\"",
            "SDS will not find it",
        ),
        (
            "address = \"ASID:918999000022\"",
            "address = \"ASID:918999000011\"",
            "belongs to FX101",
        ),
        (
            "name = \"requirebooking\"\nvalue = \"TRUE\"",
            "name = \"require-booking\"\nvalue = \"TRUE\"",
            "the name is requirebooking",
        ),
        (
            "value = \"TRUE\"",
            "value = \"yes please\"",
            "it is TRUE or FALSE",
        ),
        (
            "roles = [\"111 clinician\"]",
            "roles = []",
            "names no referral role",
        ),
        (
            "transport = \"email\"",
            "transport = \"e-mail\"",
            "transport `e-mail` is not one of",
        ),
        (
            "format = \"fhir\"",
            "format = \"CDA\"",
            "is no booking endpoint; it needs http and FHIR",
        ),
    ] {
        let found = remark(from, to);
        assert!(found.contains(told), "{to}: {found}");
    }
}

#[test]
fn an_empty_world_is_a_world() {
    let world = World::parse("").unwrap();
    assert_eq!(world, World::default());
    let quoted = DEMO.replace("id = 2000000011\n", "id = \"2000000011\"\n");
    assert!(World::parse(&quoted).unwrap().service(2000000011).is_some());
}
