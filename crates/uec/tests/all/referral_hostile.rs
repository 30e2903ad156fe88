//! Documents that are meant to cost much: what they cost the server's process is counted and bounded, they are kept
//! like everything that arrives, and they keep nobody else out. All on one machine, and few.

use super::referral_fixture::*;
use super::support::http::{connect, gzip};
use super::support::operations::with_settings;
use super::support::{Call, Response, Server, uuid};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use testkit::process;

/// Clock ticks of a second, as Linux counts them for `/proc`.
const TICKS: u64 = 100;

/// Seconds of processor that the server has used.
fn processor(server: &Server) -> u64 {
    let stat = process::stat(server.pid().expect("it runs"));
    let [user, system] = [11, 12].map(|n| stat[n].parse::<u64>().expect("a time"));
    (user + system) / TICKS
}

/// A figure of the server's process.
fn figure(server: &Server, name: &str) -> u64 {
    let pid = server.pid().expect("it runs");
    process::figure(pid, name).expect("a figure")
}

fn declarations(from: usize, most: usize) -> String {
    (from..from + most).fold(String::new(), |mut out, n| {
        let _ = write!(out, " xmlns:n{n}=\"urn:{n}\"");
        out
    })
}

/// Nested elements with declarations of their own: each copies all that are in scope.
fn nested_declarations() -> String {
    let open: String = (0..190)
        .map(|n| format!("<a{}>", declarations(n * 60, 60)))
        .collect();
    format!("{open}{}", "</a>".repeat(190))
}

/// As many namespaces as may be in scope, and a declaration on each element.
fn shadowing_declarations() -> String {
    let inner = "<a xmlns:n0=\"urn:other\"/>".repeat(90_000);
    format!("<r{}>{inner}</r>", declarations(0, 55))
}

fn empty_attributes(elements: usize) -> String {
    let attributes: String = (0..60).map(|n| format!(" a{n}=\"\"")).collect();
    format!("<r>{}</r>", format!("<a{attributes}/>").repeat(elements))
}

/// As much as may be: nodes, attributes, and a text that has to be copied.
fn just_read(id: &str) -> String {
    let elements = "<p a=\"\" b=\"\"/>".repeat(190_000);
    let text = format!("\r{}", "x".repeat(20 << 20));
    Cda::new(id)
        .xml()
        .replace("<text>", &format!("<text>{elements}{text}"))
}

/// Sends a message in the background and gives its answer.
fn sending(
    server: &Server,
    body: Vec<u8>,
    coding: Option<&'static str>,
) -> std::thread::JoinHandle<Option<Response>> {
    let address = server.address;
    std::thread::spawn(move || {
        let mut call = Call::new(address, "POST", "/itk/FX101")
            .with("Content-Type", "text/xml")
            .with("Connection", "close");
        if let Some(coding) = coding {
            call = call.with("Content-Encoding", coding);
        }
        send(&call.body(body))
    })
}

/// Proves: NFR-01, REF-PRO-06, D-69
#[test]
fn costly_documents_cost_little_and_are_kept() {
    let server = Server::shared(module_path!());
    accepted(server, &Itk::new(&Cda::new(&uuid()).xml()));
    let before = processor(server);
    let bombs = [
        nested_declarations(),
        shadowing_declarations(),
        empty_attributes(26_000),
        format!("<r>{}</r>", "<![CDATA[]]>".repeat(300_000)),
        format!("<r>{}</r>", "=".repeat(31 << 20)),
        format!("<r xmlns:a=\"{}\"/>", "u".repeat(20 << 20)),
        format!("<r {}/>", "a=\"\" ".repeat(100_000)),
    ];
    let mut sent = Vec::new();
    for bomb in &bombs {
        let alone = post(server, "/itk/FX101", "text/xml", bomb.as_bytes());
        let said = check_fault(&alone, "2200");
        assert!(said.contains("more than is read"), "{said}");
        for (base64, compressed) in [(false, false), (true, true)] {
            let mut message = Itk::new(bomb);
            (message.base64, message.compressed) = (base64, compressed);
            faulted(server, &message, "2200");
            sent.push(message);
        }
        // The same again is kept once, and compressed it is as good.
        let packed = sending(server, gzip(bomb.as_bytes()), Some("gzip"));
        check_fault(&packed.join().expect("sent").expect("an answer"), "2200");
    }
    // Fourteen documents of up to 31 MB: some seconds without optimisation, minutes if one were quadratic.
    let used = processor(server) - before;
    assert!(used < 180, "{used} s of processor");
    let kept = referrals(server, "list --quarantined --provider FX101 --json");
    let kept = kept.as_array().expect("a list");
    assert!(kept.len() >= 2 * bombs.len(), "{}", kept.len());
    for message in sent.iter().filter(|m| m.base64) {
        assert!(
            kept.iter()
                .any(|r| r["tracking"] == message.tracking.as_str()),
            "kept and found by what its envelope says"
        );
    }
    accepted(server, &Itk::new(&Cda::new(&uuid()).xml()));
}

/// Proves: NFR-01, REF-PRO-01
#[test]
fn the_worst_load_stays_under_its_bound() {
    let server = Server::start("worst", true);
    accepted(&server, &Itk::new(&Cda::new(&uuid()).xml()));
    let (memory, threads) = (figure(&server, "VmHWM"), figure(&server, "Threads"));
    let mut waiting = Vec::new();
    for n in 0..6 {
        let cda = just_read(&uuid());
        let mut message = Itk::new(&cda);
        (message.base64, message.compressed) = (n % 2 == 0, n % 2 == 0);
        waiting.push(sending(&server, message.xml(), None));
        let bomb = gzip(empty_attributes(26_000).as_bytes());
        waiting.push(sending(&server, bomb, Some("gzip")));
    }
    // A sender that is refused while it still sends may see its connection break off, and comes again.
    let answered: Vec<u16> = waiting
        .into_iter()
        .filter_map(|answer| Some(answer.join().expect("sent")?.status))
        .collect();
    let most = provider::http::interactions::itk::MOST_MEMORY >> 10;
    let grown = figure(&server, "VmHWM") - memory;
    assert!(
        grown < most,
        "{grown} KiB more than before; the bound is {most}; {answered:?}"
    );
    let more = figure(&server, "Threads").saturating_sub(threads);
    assert!(more < 40, "{more} more threads");
    // Nothing but "filed", "kept aside" and "come again" is answered.
    assert!(
        answered.iter().all(|s| [200, 500, 503].contains(s)),
        "{answered:?}"
    );
    assert!(answered.contains(&200), "{answered:?}");
    accepted(&server, &Itk::new(&Cda::new(&uuid()).xml()));
}

/// Proves: NFR-01
#[test]
fn the_memory_that_is_given_is_more_than_may_be_taken() {
    // The server with its caches and bookings under load; docs/benchmarks.md has what was measured.
    const OTHERWISE: u64 = 256 << 20;
    // A connection's window in HTTP/2 and the head of a request, both full, and the answers that it does not take.
    const CONNECTION: u64 = (256 + 64 + 12 * provider::http::STREAMS as u64) << 10;
    let read = |file: &str| {
        let path = format!("{}/../../deploy/{file}", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(&path).expect("a file of deploy/")
    };
    let connections = |file: &str| -> u64 {
        let text = read(file);
        let (_, rest) = text
            .split_once(" connections = ")
            .or(text.split_once("\nconnections = "))
            .expect("named");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a number")
    };
    let most = connections("kubernetes/provider.yaml").max(connections("provider.toml"));
    // The unit's settings are its operator's: it says what its limit is for.
    let said = format!("limits.connections = {most}");
    assert!(
        read("systemd/uec-provider.service").contains(&said),
        "{said}"
    );
    let worst = OTHERWISE
        + most * CONNECTION
        + provider::http::MOST_BODY_MEMORY
        + provider::config::Limits::default().answers_bytes
        + provider::http::interactions::itk::MOST_MEMORY;
    for (file, key) in [
        ("systemd/uec-provider.service", "MemoryMax="),
        ("kubernetes/provider.yaml", "limits: { memory: "),
        ("compose.yaml", "mem_limit: "),
    ] {
        let text = read(file);
        let (_, rest) = text
            .split_once(key)
            .unwrap_or_else(|| panic!("{file} has no {key}"));
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let shift = match rest[digits.len()..].chars().next() {
            Some('G' | 'g') => 30,
            Some('M' | 'm') => 20,
            other => panic!("{file}: {other:?}"),
        };
        let given = digits.parse::<u64>().expect("a number") << shift;
        assert!(
            given >= worst,
            "{file} gives {given} bytes, {worst} may be taken"
        );
    }
}

/// A chunked message that has begun and does not go on.
fn trickling(server: &Server) -> TcpStream {
    let mut stream = connect(server.address);
    let head = "POST /itk/FX101 HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("sent");
    stream.write_all(b"3\r\n<a>\r\n").expect("sent");
    stream
}

/// Proves: NFR-01, REF-PRO-08
#[test]
fn senders_that_trickle_keep_nobody_out() {
    let server = with_settings("trickle", "[referral]\nper_sender = 40\n");
    let slow: Vec<TcpStream> = (0..32).map(|_| trickling(&server)).collect();
    for _ in 0..5 {
        accepted(&server, &Itk::new(&Cda::new(&uuid()).xml()));
    }
    let full = sending(&server, Itk::new(&just_read(&uuid())).xml(), None);
    full.join().expect("sent").expect("an answer").with(200);
    for stream in slow {
        let answer = Response::read(&mut BufReader::new(stream))
            .expect("an answer")
            .with(408);
        assert!(answer.text().contains("too slowly"), "{}", answer.text());
    }
}

/// Proves: NFR-01, REF-PRO-08
#[test]
fn one_sender_has_so_many_places() {
    let server = with_settings("places", "[referral]\nper_sender = 2\n");
    let slow: Vec<TcpStream> = (0..2).map(|_| trickling(&server)).collect();
    // It waits until a slow one is broken off, and is taken then.
    accepted(&server, &Itk::new(&Cda::new(&uuid()).xml()));
    for stream in slow {
        Response::read(&mut BufReader::new(stream))
            .expect("an answer")
            .with(408);
    }
}

/// Proves: NFR-01
#[test]
fn a_server_that_stops_does_not_wait_for_documents() {
    let settings = "[limits]\ndrain_seconds = 1\n[referral]\nper_sender = 64\n";
    let server = with_settings("stopping", settings);
    let before = processor(&server);
    let message = Itk::new(&just_read(&uuid())).xml();
    let waiting: Vec<_> = (0..4)
        .map(|_| {
            let (address, message) = (server.address, message.clone());
            std::thread::spawn(move || {
                let call =
                    Call::new(address, "POST", "/itk/FX101").with("Content-Type", "text/xml");
                // Some are answered before the server ends, the others are not.
                let _ = send(&call.body(message));
            })
        })
        .collect();
    testkit::until("documents are being read", || {
        processor(&server) > before + 1
    });
    let pid = server.pid().expect("it runs");
    assert!(server.signal("TERM"));
    testkit::until("the process has ended", || !process::is_alive(pid));
    for waiting in waiting {
        waiting.join().expect("it ends with its connection");
    }
    let log = server.log();
    assert!(log.contains("everything acknowledged is stored"), "{log}");
}
