//! A rolling restart: two processes on one PostgreSQL behind a balancer, one after the other stopped and started anew
//! while clients go on, half of them through a balancer of requests, half through one of connections. No request is lost,
//! none is answered with a fault.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::balancer::Balancer;
use super::support::http::connect;
use super::support::server::{Api, matches};
use super::support::{Booking, Call, GP_CLINIC, Response, Server, postgres_server};
use booking::ids::ResourceId;
use provider::store::{AuditVerdict, Options, Store};
use serde_json::Value;

/// Processes behind the balancer.
const PROCESSES: usize = 2;
/// How often each of them is restarted.
const RESTARTS: usize = 2;
/// Clients that book and cancel.
const BOOKERS: usize = 4;
/// Clients that search.
const SEARCHERS: usize = 2;
/// Slots that each of the former has for itself, booked and freed in turn.
const SLOTS_EACH: usize = 12;
/// What a client does between two requests: there is a steady load, not the most that the machine bears.
const THOUGHT: Duration = Duration::from_millis(10);
/// Seconds that a process that stops waits for the balancer to notice, many times what it needs.
const DRAIN_WAIT: u64 = 2;

/// Runs a program until it ends by itself or the pipe to the input is closed; ends with the program's own code.
const WATCH: &str = r#"exec 3<&0; pidfile=$1; shift; "$@" & pid=$!; echo "$pid" >"$pidfile"; { cat <&3 >/dev/null; kill -9 "$pid"; } 2>/dev/null & wait "$pid""#;

/// A Provider process.
struct Process {
    address: SocketAddr,
    folder: PathBuf,
    child: Child,
}

/// What all processes share.
struct Deployment {
    folder: PathBuf,
    database: String,
    /// Calls that go through the balancer.
    api: Api,
}

impl Deployment {
    /// Starts a process, the first of all with the demo's data.
    fn start(&self, name: &str, address: SocketAddr) -> Process {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).expect("folder");
        let config = folder.join("provider.toml");
        let limits = format!("[limits]\ndrain_wait_seconds = {DRAIN_WAIT}\n");
        fs::write(&config, limits).expect("settings");
        let mut log = fs::OpenOptions::new();
        let log = log.create(true).append(true).open(folder.join("log"));
        let log = log.expect("log");
        let child = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(folder.join("pid"))
            .arg(env!("CARGO_BIN_EXE_uec"))
            .args(["provider", "serve", "--seed", "demo"])
            .args(["--database", &self.database])
            .args(["--listen", &address.to_string()])
            .args(["--base-url", &format!("https://{}", self.api.address)])
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .spawn()
            .expect("sh starts");
        Process {
            address,
            folder,
            child,
        }
    }
}

impl Process {
    /// Tells the process to stop and waits for its end.
    fn stop(mut self) {
        let pid = fs::read_to_string(self.folder.join("pid")).expect("its id");
        // Before it is told: then it cannot have waited for less, however late this thread gets its turn.
        let begun = Instant::now();
        let pid = pid.trim().parse().expect("a number");
        assert!(
            testkit::process::signal(pid, "TERM"),
            "the process was there"
        );
        let status = testkit::found("it ends", || self.child.try_wait().expect("its end"));
        assert!(status.success(), "{status}: {}", self.log());
        assert!(begun.elapsed() >= Duration::from_secs(DRAIN_WAIT));
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

/// A client that keeps its connection, as long as it is not asked to close it.
struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
    requests: u64,
}

impl Client {
    fn new(address: SocketAddr) -> Client {
        Client {
            address,
            stream: BufReader::new(connect(address)),
            requests: 0,
        }
    }

    /// Every request has a proper answer, of this status.
    #[track_caller]
    fn expect(&mut self, call: &Call, status: u16) -> Response {
        self.requests += 1;
        let socket = self.stream.get_mut();
        socket.write_all(&call.bytes()).expect("the connection");
        let response = Response::read(&mut self.stream).expect("an answer");
        let (method, shown) = (&call.method, response.shown());
        assert_eq!(response.status, status, "{method} was answered {shown}");
        response.check(call);
        if response.header("connection") == Some("close") {
            self.stream = BufReader::new(connect(self.address));
        }
        thread::sleep(THOUGHT);
        response
    }
}

/// State of each booking that a client was told of, by its id.
type Acknowledged = BTreeMap<String, &'static str>;

/// Books its slots and frees them again, in turn, until told to stop.
fn book_and_cancel(
    deployment: &Deployment,
    through: SocketAddr,
    slots: &[Value],
    ended: &AtomicBool,
) -> (Acknowledged, u64) {
    let mut client = Client::new(through);
    let mut acknowledged = Acknowledged::new();
    let mut live: Vec<Option<(String, Value)>> = vec![None; slots.len()];
    let mut turn = 0;
    while !ended.load(Ordering::Acquire) {
        let place = turn % slots.len();
        turn += 1;
        match live[place].take() {
            None => {
                let booking = Booking::of(&slots[place]);
                let made = client.expect(&deployment.api.book(&booking.body()), 201);
                let id = made.location_id();
                acknowledged.insert(id.clone(), "booked");
                live[place] = Some((id, booking.cancelled(&made.json())));
            }
            Some((id, body)) => {
                client.expect(&deployment.api.cancel(&id, "W/\"1\"", &body), 200);
                acknowledged.insert(id, "cancelled");
            }
        }
    }
    (acknowledged, client.requests)
}

fn search(deployment: &Deployment, through: SocketAddr, ended: &AtomicBool) -> u64 {
    let mut client = Client::new(through);
    let query = Server::window_query(GP_CLINIC, 1, 4);
    while !ended.load(Ordering::Acquire) {
        client.expect(&deployment.api.search(&query), 200);
    }
    client.requests
}

fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], testkit::port()))
}

/// Every booking is as its client was told, no slot has two, and the audit trail is whole.
fn verify(database: &str, acknowledged: &Acknowledged) {
    let store = Store::open(database, &Options::default()).expect("the database");
    let tenants = store.tenants().expect("tenants");
    let tenant = tenants.iter().find(|t| t.ods.as_str() == "FX101");
    let tenant = tenant.expect("the demo provider").key;
    let mut taken = HashSet::new();
    for (id, status) in acknowledged {
        let name = ResourceId::parse(id).expect("an id");
        let stored = store
            .tenant(tenant)
            .appointment(&name, None)
            .expect("a read");
        let stored = stored.unwrap_or_else(|| panic!("{id} is lost"));
        let document: Value = serde_json::from_slice(&stored.json).expect("a document");
        assert_eq!(document["status"], *status, "{id}");
        if *status == "booked" {
            assert!(taken.insert(stored.slot), "two bookings of one slot");
        }
    }
    for tenant in tenants {
        let verdict = store.tenant(tenant.key).audit_verify().expect("a read");
        assert!(
            matches!(verdict, AuditVerdict::Verified { .. }),
            "{verdict:?}"
        );
    }
}

fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.join(format!("rolling-{}", std::process::id()))
}

/// Proves: NFR-02, PROV-BOOK-01, PROV-BOOK-03, NFR-10
#[test]
fn a_rolling_restart_loses_no_request() {
    let Some(server) = postgres_server() else {
        return;
    };
    let addresses: [SocketAddr; PROCESSES] = std::array::from_fn(|_| free_port());
    let balancer = Balancer::start(&addresses);
    let deployment = Deployment {
        folder: folder(),
        database: server.migrated(),
        api: Api {
            address: balancer.address,
        },
    };
    let start = |n: usize| {
        let process = deployment.start(&format!("process-{n}"), addresses[n]);
        testkit::until("a process is ready", || balancer.uses(n));
        process
    };
    let mut processes: Vec<Process> = (0..PROCESSES).map(start).collect();
    let free = Client::new(balancer.address).expect(
        &deployment
            .api
            .search(&Server::window_query(GP_CLINIC, 2, 13)),
        200,
    );
    let free = matches(&free.json());
    assert!(free.len() >= BOOKERS * SLOTS_EACH, "{} slots", free.len());
    let ended = AtomicBool::new(false);
    let ways = [balancer.address, balancer.connections];
    let (acknowledged, requests) = thread::scope(|scope| {
        let (deployment, ended) = (&deployment, &ended);
        let bookers: Vec<_> = free
            .chunks(SLOTS_EACH)
            .take(BOOKERS)
            .enumerate()
            .map(|(n, slots)| {
                let through = ways[n % ways.len()];
                scope.spawn(move || book_and_cancel(deployment, through, slots, ended))
            })
            .collect();
        let searchers: Vec<_> = (0..SEARCHERS)
            .map(|n| {
                let through = ways[n % ways.len()];
                scope.spawn(move || search(deployment, through, ended))
            })
            .collect();
        // A failure here must end the clients too.
        let rolled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            roll(&balancer, &mut processes, &start);
        }));
        ended.store(true, Ordering::Release);
        let (mut acknowledged, mut requests) = (Acknowledged::new(), 0);
        for booker in bookers {
            let (told, sent) = booker.join().expect("a client that books");
            acknowledged.extend(told);
            requests += sent;
        }
        for searcher in searchers {
            requests += searcher.join().expect("a client that searches");
        }
        if let Err(panic) = rolled {
            std::panic::resume_unwind(panic);
        }
        (acknowledged, requests)
    });
    let tally = balancer.tally();
    println!(
        "{requests} requests, {} bookings, answers of each process {:?}, {} connections refused",
        acknowledged.len(),
        tally.answered,
        tally.refused
    );
    assert_eq!(tally.lost, 0, "{tally:?}");
    assert!(!acknowledged.is_empty() && requests > 100);
    thread::scope(|scope| {
        for process in processes {
            scope.spawn(|| process.stop());
        }
    });
    verify(&deployment.database, &acknowledged);
    let _ = fs::remove_dir_all(&deployment.folder);
}

/// Stops and starts one process after the other, each under load.
fn roll(balancer: &Balancer, processes: &mut Vec<Process>, start: &dyn Fn(usize) -> Process) {
    for round in 0..PROCESSES * RESTARTS {
        let n = round % PROCESSES;
        let before = balancer.tally().answered[n];
        testkit::until("each process has work", || {
            balancer.tally().answered[n] > before + 20
        });
        // The first in the list is the one whose turn it is; it comes back at the end.
        let process = processes.remove(0);
        let address = process.address;
        process.stop();
        testkit::until("the balancer noticed", || !balancer.uses(n));
        let process = start(n);
        assert_eq!(process.address, address);
        processes.push(process);
    }
}
