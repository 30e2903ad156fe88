//! What tests of operations share: plain questions to any port, the command line, values of a metrics page.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub use testkit::until;
use testkit::{Arguments, Ended};

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
    server
        .wait_until(|server| get(server.address, "/health/ready").is_some_and(|r| r.status == 200));
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
    ));
    assert_eq!(exported.code, 0, "{exported}");
    let text = change(exported.stdout);
    let file = written(&server.folder, "changed.toml", &text);
    apply(server, &file);
}

/// Applies a declaration.
#[track_caller]
pub fn apply(server: &Server, file: &Path) {
    let (database, file) = (server.database(), file.display().to_string());
    let applied = uec(format!(
        "provider apply '{file}' --keep-bookings --database '{database}'"
    ));
    assert_eq!(applied.code, 0, "{applied}");
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

/// The sandbox's SDS, for a Provider at some address; ends with the test.
pub struct Sds {
    pub url: String,
    child: Child,
}

impl Sds {
    pub fn start(provider: &str) -> Sds {
        let mut child = Command::new(env!("CARGO_BIN_EXE_uec"))
            .args(["sandbox", "serve", "--sds", "0", "--provider", provider])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("uec starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let line = lines.find_map(|line| line.ok().filter(|l| l.contains("ldap://")));
        // Its output stays open until it ends.
        std::thread::spawn(move || lines.for_each(drop));
        let line = line.expect("it says where SDS is");
        let url = line
            .split_whitespace()
            .find(|word| word.starts_with("ldap://"));
        Sds {
            url: url.expect("an address").to_owned(),
            child,
        }
    }
}

impl Drop for Sds {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
