//! What tests of operations share: plain questions to any port, the command line, values of a metrics page.

use std::io::{BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

pub use testkit::until;
use testkit::{Arguments, Ended, Running};

use super::http::{Call, Response};
use super::server::Server;

/// No answer may take longer.
const WITHIN: Duration = testkit::PATIENCE;

/// An address that nobody listens on.
pub fn free_address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], testkit::port()))
}

/// One GET without any header of the Standard; nothing when nobody answers.
pub fn get(address: SocketAddr, path: &str) -> Option<Response> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    send(address, request.as_bytes())
}

/// True when a GET of a path is answered with 200.
pub fn serves(address: SocketAddr, path: &str) -> bool {
    get(address, path).is_some_and(|response| response.status == 200)
}

/// Any bytes, and the answer whatever its status is.
pub fn send(address: SocketAddr, request: &[u8]) -> Option<Response> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(WITHIN)).ok()?;
    stream.write_all(request).ok()?;
    Response::read(&mut BufReader::new(stream))
}

/// Sends a call and takes any answer, 503 too; checks what the Standard asks of every answer.
#[track_caller]
pub fn answer(call: &Call) -> Response {
    let bytes = call.clone().with("Connection", "close").bytes();
    let response = send(call.address, &bytes).expect("an answer");
    response.check(call);
    response
}

/// Starts a server with a settings file in its folder, and waits until it is ready.
pub fn with_settings(name: &str, settings: &str) -> Server {
    let server = Server::spawn(name, true, |folder| {
        let file = written(folder, "settings.toml", settings);
        vec!["--config".to_owned(), file.display().to_string()]
    });
    server.wait_until(|server| serves(server.address, "/health/ready"));
    server
}

/// A file in a folder.
pub fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("written");
    file
}

/// A file in a folder, as a command line names it.
pub fn file_named(folder: &Path, name: &str, text: &str) -> String {
    written(folder, name, text).display().to_string()
}

/// `uec` with these arguments, not started yet.
pub fn command(arguments: impl Arguments) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uec"));
    command.args(arguments.words());
    command
        .env_remove("UEC_CONSUMER_CONFIG")
        .env_remove("UEC_CONSUMER_JOURNAL");
    command
}

/// A Python program beside the tests, not started yet. Nothing is written beside the sources (`-B`), and the environment of
/// whoever runs the tests changes nothing (`-E`).
pub fn python(program: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all");
    let mut command = Command::new("python3");
    command.args(["-E", "-B"]).arg(folder.join(program));
    command
}

/// Runs `uec` to its end.
#[track_caller]
pub fn uec(arguments: impl Arguments) -> Ended {
    Ended::run(&mut command(arguments))
}

/// Changes what a provider declares: its export goes through `change` and is applied, while the server runs.
#[track_caller]
pub fn declare(server: &Server, ods: &str, change: impl FnOnce(String) -> String) {
    let database = server.database();
    let exported = uec(format!(
        "provider export --provider {ods} --database '{database}'"
    ))
    .with(0);
    let text = change(exported.stdout);
    let file = written(&server.folder, "changed.toml", &text);
    apply(server, &file);
}

/// Applies a declaration.
#[track_caller]
pub fn apply(server: &Server, file: &Path) {
    let (database, file) = (server.database(), file.display().to_string());
    uec(format!(
        "provider apply '{file}' --keep-bookings --database '{database}'"
    ))
    .with(0);
}

/// A value of a metrics page: the sum of the series of this name that have all of these labels; `None` without any.
pub fn metric(page: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let of_name = page.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = match rest.strip_prefix('{') {
            Some(rest) => rest.rsplit_once("} ")?,
            None => ("", rest.strip_prefix(' ')?),
        };
        Some((labels, value.parse::<f64>().ok()?))
    });
    let fitting = of_name.filter(|(found, _)| {
        labels
            .iter()
            .all(|(key, value)| found.contains(&format!("{key}=\"{value}\"")))
    });
    fitting.map(|(_, value)| value).reduce(|a, b| a + b)
}

/// `uec demo` on ports of its own.
pub struct Demo {
    /// The program; what it says when it is ready is the tour.
    pub running: Running,
    /// The first of its ports, in this order: front page, Provider, SSP, DoS, SDS.
    pub port: u16,
    folder: tempfile::TempDir,
}

impl Demo {
    /// How many consecutive ports it needs.
    pub const PORTS: u16 = 5;

    pub fn start(more: impl Arguments) -> Demo {
        let folder = tempfile::tempdir().expect("a folder");
        let port = testkit::ports(Demo::PORTS);
        let mut demo = command(format!("demo --port {port} --data"));
        demo.arg(folder.path().join("demo"))
            .args(more.words())
            .env("RUST_LOG", "error");
        Demo {
            running: Running::start(&mut demo, "Stop with Ctrl-C"),
            port,
            folder,
        }
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("demo").join(name)
    }
}

/// `uec sandbox serve` with these stand-ins of the national services, each at an address of its own.
pub fn sandbox(arguments: &str) -> Running {
    Running::start(&mut command(format!("sandbox serve {arguments}")), "Ready")
}

/// One GET as a browser or `curl` sends it; the head of the answer and the body.
pub fn page(address: &str, path: &str, accept: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("head and body");
    (head.to_owned(), body.to_owned())
}
