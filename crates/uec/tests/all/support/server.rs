//! Starts the real binary on a database of its own, with the demo data, and makes calls to it.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::Ended;

use super::http::{Call, Response, exchange};
use super::messages::Booking;
use super::operations;
use super::token::Token;
use super::{GP_CLINIC, postgres_server, uuid};

/// Path of the demo provider's service root.
pub const ROOT: &str = "/STU3/1/FX101";
/// "Fernhill 111", which may do everything.
pub const CONSUMER_ASID: &str = "918999000099";
const CONSUMER_ODS: &str = "FX900";
/// System and organisation of a consumer that may search but not book.
pub const SEARCH_ONLY: (&str, &str) = ("918999000098", "FX901");
/// A system and an organisation that nobody declares.
pub const STRANGER: (&str, &str) = ("918999000077", "FX777");
const PROVIDER_ASID: &str = "918999000011";
const INTERACTION: &str = "urn:nhs:names:services:careconnect:fhir:rest:";
/// All resources of a full search.
pub const INCLUDES: &str = "&_include=Slot:schedule&_include=Schedule:actor:Practitioner\
    &_include=Schedule:actor:PractitionerRole&_include=Schedule:actor:HealthcareService\
    &_include=HealthcareService:location&_include=HealthcareService:providedBy";
/// A bound below the general one, so that what the server said is shown.
const READY_WITHIN: Duration = Duration::from_secs(150);

/// Keeps the server only as long as the pipe to its input is open: it ends with the test program,
/// however that ends, and its files go with it.
const WATCH: &str = r#"remove=$1; pidfile=$2; shift 2; "$@" & pid=$!; echo "$pid" >"$pidfile"; cat >/dev/null; kill -9 "$pid"; wait "$pid" 2>/dev/null; [ -z "$remove" ] || rm -rf "$remove""#;

/// Calls of the demo consumer to the demo provider at an address.
pub struct Api {
    pub address: SocketAddr,
}

impl Api {
    /// The service root as tokens name it.
    pub fn audience(&self) -> String {
        format!("https://{}{ROOT}", self.address)
    }

    /// A right token for a scope.
    pub fn token(&self, scope: &str) -> Token {
        Token::new(&self.audience(), scope, CONSUMER_ODS)
    }

    /// A call of an interaction, with all headers that a GET needs.
    fn call(&self, interaction: &str, path: &str) -> Call {
        let (method, scope) = match interaction {
            "read:metadata" | "search:slot" => ("GET", "organization/slot.read"),
            "create:appointment" => ("POST", "patient/appointment.write"),
            "update:appointment" => ("PUT", "patient/appointment.write"),
            _ => ("GET", "patient/appointment.read"),
        };
        let mut call = Call::new(self.address, method, &format!("{ROOT}{path}"));
        call.scope = scope.to_owned();
        call.with("Ssp-TraceID", &uuid())
            .with("Ssp-From", CONSUMER_ASID)
            .with("Ssp-To", PROVIDER_ASID)
            .with("Ssp-InteractionID", &format!("{INTERACTION}{interaction}"))
            .with("Authorization", &self.token(scope).bearer())
    }

    pub fn metadata(&self) -> Call {
        self.call("read:metadata", "/metadata")
    }

    /// A slot search with this query.
    pub fn search(&self, query: &str) -> Call {
        self.call("search:slot", &format!("/Slot?{query}"))
    }

    /// A search for tomorrow's free slots of the GP clinic.
    pub fn plain_search(&self) -> Call {
        self.search(&Server::window_query(GP_CLINIC, 1, 2))
    }

    pub fn book(&self, body: &Value) -> Call {
        let call = self.call("create:appointment", "/Appointment");
        call.with("X-Request-ID", &uuid()).json(body)
    }

    pub fn read(&self, id: &str) -> Call {
        self.call("read:appointment", &format!("/Appointment/{id}"))
    }

    /// A cancel with this `If-Match`.
    pub fn cancel(&self, id: &str, if_match: &str, body: &Value) -> Call {
        self.call("update:appointment", &format!("/Appointment/{id}"))
            .with("X-Request-ID", &uuid())
            .with("If-Match", if_match)
            .json(body)
    }

    /// The cancellation of a booking that was just made.
    pub fn cancelling(&self, booking: &Booking, created: &Response) -> Call {
        let body = booking.cancelled(&created.json());
        self.cancel(&created.location_id(), "W/\"1\"", &body)
    }

    /// A search for a patient's appointments with this query.
    pub fn appointments(&self, query: &str) -> Call {
        self.call("search:appointment", &format!("/Appointment?{query}"))
    }

    /// A search for the appointments of the patient of a booking.
    pub fn appointments_of(&self, booking: &Booking) -> Call {
        let number = booking.nhs_number.as_deref().expect("a number");
        let system = "https://fhir.nhs.uk/Id/nhs-number";
        self.appointments(&format!("patient.identifier={system}|{number}"))
    }

    /// The same call from another system, its token naming another organisation.
    pub fn from(&self, call: Call, (asid, ods): (&str, &str)) -> Call {
        let token = Token::new(&self.audience(), &call.scope, ods);
        call.with("Ssp-From", asid)
            .with("Authorization", &token.bearer())
    }
}

/// The arguments of a server whose settings turn no search away because the machine is busy, unless they say when.
fn unhurried(mut arguments: Vec<String>, folder: &Path) -> Vec<String> {
    const PATIENT: &str = "[limits]\nsearch_delay_ms = 600000\n";
    let named = arguments.iter().position(|a| a == "--config");
    let named = named.and_then(|at| arguments.get(at + 1).map(PathBuf::from));
    let file = named.unwrap_or_else(|| {
        let file = folder.join("unhurried.toml");
        arguments.extend(["--config".to_owned(), file.display().to_string()]);
        file
    });
    let text = fs::read_to_string(&file).unwrap_or_default();
    let says = text.contains("search_delay_ms") || text.lines().any(|l| l.starts_with("limits."));
    if !says {
        let text = match text.contains("[limits]\n") {
            true => text.replacen("[limits]\n", PATIENT, 1),
            false => format!("{text}\n{PATIENT}"),
        };
        fs::write(file, text).expect("settings");
    }
    arguments
}

/// A running server, and calls to it.
pub struct Server {
    api: Api,
    pub folder: PathBuf,
    free: Mutex<VecDeque<Value>>,
    watch: Child,
}

impl std::ops::Deref for Server {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

impl Server {
    /// The one server of a suite, which names itself by its `module_path!()`.
    pub fn shared(suite: &'static str) -> &'static Server {
        static SERVERS: Mutex<BTreeMap<&str, &'static OnceLock<Server>>> =
            Mutex::new(BTreeMap::new());
        let mut servers = SERVERS
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let server = *servers
            .entry(suite)
            .or_insert_with(|| Box::leak(Box::default()));
        drop(servers);
        server.get_or_init(|| Server::start(&suite.replace("::", "-"), true))
    }

    /// Starts a server with seeded data in a folder of this program and waits until it is ready.
    /// With `temporary` the folder is made anew, and removed when the server ends.
    pub fn start(name: &str, temporary: bool) -> Server {
        let server = Server::spawn(name, temporary, |_| Vec::new());
        server.wait_until(Server::is_ready);
        server
    }

    /// Starts a server, with more arguments that may name files in its folder; does not wait for it.
    pub fn spawn(name: &str, temporary: bool, more: impl FnOnce(&Path) -> Vec<String>) -> Server {
        Server::spawn_logging_to(None, name, temporary, more)
    }

    /// The same, with the log somewhere else than in its folder.
    pub fn spawn_logging_to(
        stderr: Option<Stdio>,
        name: &str,
        temporary: bool,
        more: impl FnOnce(&Path) -> Vec<String>,
    ) -> Server {
        let address = SocketAddr::from(([127, 0, 0, 1], testkit::port()));
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!(
            "provider-{}-{}-{name}",
            std::process::id(),
            module_path!().replace("::", "-")
        ));
        if temporary {
            let _ = fs::remove_dir_all(&folder);
        }
        fs::create_dir_all(&folder).expect("folder of the database");
        let more = unhurried(more(&folder), &folder);
        let log = fs::File::create(folder.join("log")).expect("log");
        let removed = if temporary {
            folder.clone()
        } else {
            PathBuf::new()
        };
        let watch = Command::new("sh")
            .args(["-c", WATCH, "sh"])
            .arg(removed)
            .arg(folder.join("pid"))
            .arg(env!("CARGO_BIN_EXE_uec"))
            .args(["provider", "serve", "--database"])
            .arg(database_in(&folder))
            .args(["--listen", &address.to_string(), "--seed", "demo"])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("log"))
            .stderr(stderr.unwrap_or_else(|| log.into()))
            .spawn()
            .expect("sh starts");
        Server {
            api: Api { address },
            folder,
            free: Mutex::new(VecDeque::new()),
            watch,
        }
    }

    /// Starts a server on a database that is named, and waits until it is ready.
    #[allow(dead_code, reason = "only suites on PostgreSQL name one")]
    pub fn on(name: &str, database: &str, more: &[&str]) -> Server {
        let server = Server::spawn(name, true, |folder| {
            fs::write(folder.join("database"), database).expect("note of the database");
            more.iter().map(|text| (*text).to_owned()).collect()
        });
        server.wait_until(Server::is_ready);
        server
    }

    /// Waits until the server answers as it should.
    pub fn wait_until(&self, is_ready: impl Fn(&Server) -> bool) {
        let begun = Instant::now();
        testkit::until("the server is ready", || {
            let late = begun.elapsed() > READY_WITHIN;
            assert!(!late, "the server is not ready; it said:\n{}", self.log());
            is_ready(self)
        });
    }

    /// What the server has written to its output so far.
    pub fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Where the database is, as the command line names it.
    pub fn database(&self) -> String {
        database_in(&self.folder)
    }

    /// Runs a command of `uec` on its database.
    #[track_caller]
    pub fn uec(&self, line: impl std::fmt::Display) -> Ended {
        operations::uec(format!("{line} --database '{}'", self.database()))
    }

    /// Kills the server process at once, while others still talk to it.
    pub fn kill_9(&self) -> bool {
        self.signal("KILL")
    }

    /// Sends the server process a signal; true when it was there to take it.
    pub fn signal(&self, name: &str) -> bool {
        let pid = self.pid();
        pid.is_some_and(|pid| testkit::process::signal(pid, name))
    }

    /// The number of the server process.
    pub fn pid(&self) -> Option<u32> {
        let text = fs::read_to_string(self.folder.join("pid")).ok()?;
        text.trim().parse().ok()
    }

    /// Ends the server, if it still runs, without a chance to tidy up.
    pub fn kill(mut self) {
        drop(self.watch.stdin.take());
        let _ = self.watch.wait();
    }

    /// Ends the server without a chance to tidy up, and starts it again in its folder, by the name that it had.
    pub fn restarted(self, name: &str) -> Server {
        self.kill();
        Server::start(name, false)
    }

    /// Ends the server, and removes its folder.
    pub fn removed(self) {
        let folder = self.folder.clone();
        self.kill();
        let _ = fs::remove_dir_all(folder);
    }

    /// Copies the write-ahead log into the database file, and keeps it from being copied again for as long as the connection
    /// lives that is returned, and when that goes: a reader sees the file as it is.
    pub fn wal_kept_apart(&self) -> rusqlite::Connection {
        let file = self.folder.join("provider.sqlite");
        let outside = rusqlite::Connection::open(file).expect("opens");
        testkit::until("all is in the file itself", || {
            let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
            let busy = outside.query_row(sql, [], |row| row.get::<_, i64>(0));
            busy.is_ok_and(|busy| busy == 0)
        });
        let kept = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
        outside.set_db_config(kept, true).expect("set");
        let pinned = outside.execute_batch("BEGIN; SELECT count(*) FROM tenant;");
        pinned.expect("reads");
        outside
    }

    pub fn is_ready(&self) -> bool {
        if TcpStream::connect(self.address).is_err() {
            return false;
        }
        let request = "GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        exchange_quietly(self.address, request).is_some_and(|response| response.status == 200)
    }

    /// The query of TKW's full search: tomorrow 00:00 to four days later, free, all includes.
    pub fn full_query(service: &str) -> String {
        format!("{}{INCLUDES}", Server::window_query(service, 1, 5))
    }

    /// Free slots of a service between the starts of two days from today on, in UTC.
    pub fn window_query(service: &str, from_day: i64, to_day: i64) -> String {
        format!(
            "schedule.actor%3Ahealthcareservice={service}&start=ge{}&start=le{}&status=free",
            day(from_day),
            day(to_day)
        )
    }

    /// The slots that a search finds.
    #[track_caller]
    pub fn slots(&self, query: &str) -> Vec<Value> {
        matches(&self.search(query).expect(200).json())
    }

    /// A free slot of the GP clinic that no other test of this program gets.
    #[track_caller]
    pub fn take_slot(&self) -> Value {
        let mut free = self
            .free
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if free.is_empty() {
            // Days that no test searches for anything else.
            free.extend(self.slots(&Server::window_query(GP_CLINIC, 2, 13)));
        }
        free.pop_front().expect("the demo data has free slots")
    }

    /// A booking of a free slot of its own, to be changed and sent.
    #[track_caller]
    pub fn booking(&self) -> Booking {
        Booking::of(&self.take_slot())
    }

    /// Books a slot of its own: the message as sent and the answer.
    #[track_caller]
    pub fn booked(&self) -> (Booking, Response) {
        let booking = self.booking();
        let response = self.book(&booking.body()).expect(201);
        (booking, response)
    }
}

/// The database of a folder: a file in it, or, in the suites that run on PostgreSQL, one of the
/// program's server.
fn database_in(folder: &Path) -> String {
    if !module_path!().contains("::postgres::") {
        return format!("sqlite:{}", folder.join("provider.sqlite").display());
    }
    let note = folder.join("database");
    if let Ok(url) = fs::read_to_string(&note) {
        return url;
    }
    let server = postgres_server().expect("PostgreSQL, see above");
    let url = server.migrated();
    fs::write(note, &url).expect("note of the database");
    url
}

/// Midnight (UTC) of a day from today on, percent-encoded for a query.
pub fn day(days: i64) -> String {
    instant(days * 24 * 60 * 60, true)
}

/// A moment some seconds from now (`midnight`: from today's start), percent-encoded for a query.
pub fn instant(seconds: i64, midnight: bool) -> String {
    let now = jiff::Timestamp::now().as_second();
    let start = if midnight {
        now - now.rem_euclid(24 * 60 * 60)
    } else {
        now
    };
    let at = jiff::Timestamp::from_second(start + seconds).expect("a time in range");
    at.strftime("%Y-%m-%dT%H%%3A%M%%3A%S%%2B00%%3A00")
        .to_string()
}

/// Resources of a Bundle's matching entries.
pub fn matches(bundle: &Value) -> Vec<Value> {
    entries(bundle, "match")
}

/// Resources of a Bundle's entries with this search mode.
pub fn entries(bundle: &Value, mode: &str) -> Vec<Value> {
    let all = bundle["entry"].as_array().map(Vec::as_slice).unwrap_or(&[]);
    all.iter()
        .filter(|e| e["search"]["mode"] == mode)
        .map(|e| e["resource"].clone())
        .collect()
}

fn exchange_quietly(address: SocketAddr, request: &str) -> Option<Response> {
    // Before it is ready the server may say 503, which `exchange` would not let pass.
    std::panic::catch_unwind(|| exchange(address, request.as_bytes()))
        .ok()
        .flatten()
}
