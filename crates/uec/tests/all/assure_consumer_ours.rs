//! Our Consumer against our simulated Provider, over the wire: it walks every scenario, and nothing is found.

use super::support::nation::patient;
use super::support::operations::{command, written};
use serde_json::Value;
use std::path::{Path, PathBuf};
use testkit::{Arguments, Ended, Running};

/// A search of the directory that finds every scenario.
const FIND: &str = "services --postcode 'LS99 9AA' --age 42 --gender female \
             --disposition Dx05 --symptom-group 1011 \
             --discriminator 4052";

/// Starts the simulator in a process of its own; the folder that its evidence goes to.
fn simulator(name: &str, more: &str) -> (Running, PathBuf) {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut simulator = command(format!(
        "assure consumer --listen 127.0.0.1:0 --national --silence 1 --json --replace {more} --out"
    ));
    (Running::start(simulator.arg(&out), "Stop with"), out)
}

/// A desk of our Consumer, with a journal of its own.
struct Desk<'s> {
    simulator: &'s Running,
    folder: tempfile::TempDir,
    number: u32,
    config: Option<String>,
}

impl<'s> Desk<'s> {
    /// Desks work side by side, each with a patient of its own.
    fn new(simulator: &'s Running, desk: u32) -> Desk<'s> {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path(), "ada.toml", &patient(Some(&number(desk))));
        Desk {
            simulator,
            folder,
            number: desk,
            config: None,
        }
    }

    fn run(&self, arguments: impl Arguments) -> Ended {
        let at = |name: &str| self.simulator.told(name);
        let mut command = command("consumer");
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("XDG_DATA_HOME", self.folder.path())
            // Two desks of one device that ask in the same second would send equal tokens.
            .env("UEC_DEVICE_VERSION", format!("desk {}", self.number))
            .env(
                "UEC_DOS_URL",
                at("DoS").trim_end_matches("/app/api/webservices"),
            )
            .env("UEC_SDS_URL", at("SDS"))
            .env("UEC_SSP_URL", at("SSP"))
            .args(arguments.words());
        if let Some(config) = &self.config {
            command.args(["--config", config]);
        }
        Ended::run(&mut command)
    }

    #[track_caller]
    fn ends(&self, code: i32, arguments: impl Arguments) -> String {
        self.run(arguments).with(code).said()
    }

    fn search(&self, code: i32, service: &str) -> String {
        self.ends(code, format!("slots --service {service} --limit 1"))
    }

    fn book(&self, code: i32, service: &str) -> String {
        // The same patient again and again, whatever became of the bookings before.
        let patient = "--first --patient ada.toml --yes --another";
        self.ends(code, format!("book --service {service} {patient}"))
    }

    fn cancel(&self, code: i32) -> String {
        self.ends(code, "cancel last --yes")
    }

    fn whole(&self, service: &str) {
        self.search(0, service);
        self.book(0, service);
        self.cancel(0);
        self.book(0, service);
    }
}

/// A number of the never-issued range.
fn number(desk: u32) -> String {
    let numbers = (0..100).map(|i| format!("99901{:05}", desk * 100 + i));
    let mut legal = numbers.filter(|n| booking::ids::NhsNumber::parse(n).is_ok());
    legal.next().unwrap()
}

fn walk_searches(simulator: &Running) {
    let desk = Desk::new(simulator, 1);
    desk.whole("999999999");
    assert!(desk.search(0, "999999998").contains("no free slots"));
    for refused in ["999999997", "999999996", "999999995", "999999994"] {
        desk.search(1, refused);
    }
    desk.book(0, "999999993");
    desk.search(1, "999999961");
    desk.search(1, "999999962");
    desk.search(1, "999999963");
    desk.search(0, "999999964");
}

fn walk_bookings(simulator: &Running) {
    let desk = Desk::new(simulator, 2);
    let taken = desk.book(1, "999999981");
    assert!(taken.contains("Choose another time"), "{taken}");
    desk.book(0, "999999981");
    for refused in ["982", "983", "984", "986"] {
        desk.book(1, &format!("999999{refused}"));
    }
    for open in ["985", "988"] {
        desk.book(3, &format!("999999{open}"));
    }
    let unknown = desk.book(3, "999999987");
    assert!(unknown.contains("not certain"), "{unknown}");
    let found = desk.book(0, "999999989");
    assert!(found.contains("There is only this one"), "{found}");
}

fn walk_cancellations(simulator: &Running) {
    let desk = Desk::new(simulator, 3);
    for (service, code) in [
        ("999999971", 1),
        ("999999972", 0),
        ("999999973", 0),
        ("999999974", 1),
        ("999999975", 1),
        ("999999976", 3),
        ("999999977", 0),
    ] {
        desk.book(0, service);
        desk.cancel(code);
    }
}

fn walk_discovery(simulator: &Running) {
    let desk = Desk::new(simulator, 4);
    let encounter = "--encounter case-1 --disposition Dx05";
    desk.ends(0, format!("{FIND} --encounter case-1"));
    for (service, code) in [("999999941", 0), ("999999942", 1), ("999999943", 0)] {
        let refer = format!("refer --service {service} --patient ada.toml --note 'Advice wanted'");
        desk.ends(code, format!("{refer} {encounter}"));
    }
    for stops in 944..=955 {
        let told = desk.search(1, &format!("999999{stops}"));
        assert!(
            told.starts_with("uec: ") && !told.contains("ASID"),
            "{told}"
        );
    }
    desk.whole("999999956");
    // With the booking the referral of a service that takes no other goes out.
    desk.book(0, "999999942");
    desk.ends(0, "refer last --note 'Advice wanted' --disposition Dx05");
}

fn findings(result: &Value) -> Vec<String> {
    let tests = result["tests"].as_array().unwrap();
    let serious = |f: &&Value| f["severity"] != "note";
    let of = |t: &Value| -> Vec<String> {
        let list = t["findings"].as_array().unwrap();
        list.iter()
            .filter(serious)
            .map(|f| format!("{}: {}", t["id"], f["what"]))
            .collect()
    };
    tests.iter().flat_map(of).collect()
}

/// Proves: ASR-20, ASR-21, ASR-22, CONS-REQ-01, CONS-REQ-02, CONS-REQ-03, CONS-SLOT-01, CONS-BOOK-01, CONS-BOOK-02
/// Proves: CONS-BOOK-04, CONS-BOOK-05, CONS-CAN-02, CONS-CAN-03, CONS-SDS-01, CONS-SDS-02, CONS-DOS-03, CONS-DOS-06
/// Proves: CONS-BO-01, CONS-BO-02, CONS-ERR-04, NAT-SSP-06, REF-CON-06
/// Every scenario is walked, every rule that can be tried is tried, nothing is found; the evidence stays as build output.
#[test]
fn our_consumer_walks_every_scenario() {
    let (simulator, out) = simulator("assure-consumer-ours", "");
    std::thread::scope(|scope| {
        let walks = [
            walk_searches,
            walk_bookings,
            walk_cancellations,
            walk_discovery,
        ];
        for walk in walks {
            let simulator = &simulator;
            scope.spawn(move || walk(simulator));
        }
    });
    let result = simulator.stop().with(0).json;
    assert_eq!(findings(&result), Vec::<String>::new());
    let tests = result["tests"].as_array().unwrap();
    let skipped: Vec<String> = tests
        .iter()
        .filter(|t| t["verdict"] == "skipped")
        .map(|t| {
            format!(
                "{}: {}",
                t["id"].as_str().unwrap(),
                t["why"].as_str().unwrap()
            )
        })
        .collect();
    // The patient of this walk has neither e-mail address nor third party, and the consumer repeats nothing in haste.
    let expected = [
        "Appointment_ThirdParty",
        "C-PATIENT-RES-CONT-POINT-SYS-EMAIL",
        "Retry_NotRefused",
    ];
    let names: Vec<&str> = skipped.iter().filter_map(|s| s.split(':').next()).collect();
    assert!(names.iter().all(|n| expected.contains(n)), "{skipped:#?}");
    assert!(result["counts"]["passed"].as_u64().unwrap() > 115);
    for file in ["report.html", "result.json", "junit.xml", "scal.csv"] {
        assert!(out.join(file).is_file(), "{file}");
    }
}

/// Proves: PROV-GEN-04, NAT-SDS-01, NAT-SSP-04, CONS-BOOK-03
/// The same over TLS with client certificates everywhere; the run ends by itself when the chosen scenario is walked.
#[test]
fn a_happy_path_over_tls() {
    let keys = tempfile::tempdir().unwrap();
    let folder = keys.path().to_str().unwrap();
    let chosen = format!("--tls '{folder}' --scenario 999999999 --until-complete");
    let (simulator, _) = simulator("assure-consumer-ours-tls", &chosen);
    assert!(simulator.told("Root").starts_with("https://"));
    assert!(simulator.told("SDS").starts_with("ldaps://"));
    let mut desk = Desk::new(&simulator, 5);
    let quoted = |name: &str| format!("{:?}", keys.path().join(name).display().to_string());
    let name = "consumer-consumer.fernhill111.example";
    let demo = consumer::config::ConsumerConfig::demo_file();
    let config = format!(
        "{demo}\n[tls]\nca = {}\ncertificate = {}\nkey = {}\n",
        quoted("ca.pem"),
        quoted(&format!("{name}.pem")),
        quoted(&format!("{name}.key.pem"))
    );
    std::fs::write(desk.folder.path().join("tls.toml"), config).unwrap();
    desk.config = Some("tls.toml".to_owned());
    desk.whole("999999999");
    let result = simulator.end().with(0).json;
    assert_eq!(findings(&result), Vec::<String>::new());
    let tests = result["tests"].as_array().unwrap();
    let scenario = tests
        .iter()
        .find(|t| t["id"] == "Scenario_999999999")
        .unwrap();
    assert_eq!(scenario["verdict"], "passed");
}
