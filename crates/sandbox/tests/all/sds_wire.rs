//! SDS byte by byte: malformed messages, bounds, pipelines, abandon, stop; and Debian's ldapsearch.

use super::spine::*;
use sandbox::faults::{Fault, Point, Rule};
use sandbox::pki::Protocol;
use sandbox::sds::{MAX_MESSAGE, SERVICES, Settings};
use std::process::Command;
use std::time::Duration;
use testkit::assert_contains;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROOT: &str = "https://provider.example.nhs.uk/STU3/1/FX101";

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match content.len() {
        n if n < 128 => out.push(u8::try_from(n).unwrap()),
        n => {
            out.push(0x84);
            out.extend(u32::try_from(n).unwrap().to_be_bytes());
        }
    }
    out.extend(content);
    out
}

fn message(id: u8, op: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&[2, 1, id][..], op].concat())
}

/// A search of the whole tree, with this size limit and filter.
fn search(id: u8, size: u8, filter: &[u8]) -> Vec<u8> {
    let content = [
        &tlv(0x04, b"o=nhs")[..],
        &[0x0a, 1, 2, 0x0a, 1, 0, 2, 1, size, 2, 1, 0, 1, 1, 0],
        filter,
        &[0x30, 0],
    ]
    .concat();
    message(id, &tlv(0x63, &content))
}

fn present() -> Vec<u8> {
    tlv(0x87, b"objectClass")
}

/// The head of a message of which so many bytes follow.
fn announced(length: usize) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[0x30, 0x84][..], &length].concat()
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut out = Vec::new();
    let read = tokio::time::timeout(testkit::PATIENCE, stream.read_to_end(&mut out)).await;
    let _ = read.expect("the server closes");
    out
}

/// One answer: message id, operation's tag, and result code (of a result).
async fn answer(stream: &mut TcpStream) -> (u8, u8, u8) {
    let mut head = [0u8; 2];
    stream.read_exact(&mut head).await.unwrap();
    let length = match head[1] {
        n if n < 128 => usize::from(n),
        n => {
            let mut digits = vec![0; usize::from(n & 0x7f)];
            stream.read_exact(&mut digits).await.unwrap();
            digits.iter().fold(0, |n, &d| n << 8 | usize::from(d))
        }
    };
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    let code = body
        .windows(3)
        .find(|w| w[..2] == [0x0a, 1])
        .map_or(0, |w| w[2]);
    (body[2], body[3], code)
}

fn is_notice(bytes: &[u8], code: u8) -> bool {
    let oid = b"1.3.6.1.4.1.1466.20036";
    bytes.windows(oid.len()).any(|w| w == oid) && bytes.windows(3).any(|w| w == [0x0a, 1, code])
}

async fn sds(settings: Settings) -> Running {
    start_sds(directory(ROOT), settings).await
}

#[tokio::test]
async fn what_is_no_message_ends_with_a_notice() {
    let running = sds(Settings::default()).await;
    let mut deep = present();
    for _ in 0..200 {
        deep = tlv(0xa2, &deep);
    }
    let mut stray = search(1, 0, &present());
    stray.extend([0x16, 0x03, 0x01]);
    for (what, bytes) in [
        ("HTTP", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("TLS", vec![0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
        ("indefinite", vec![0x30, 0x80, 0, 0]),
        ("too large", announced(MAX_MESSAGE)),
        (
            "absurd",
            vec![0x30, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        ),
        ("empty", vec![0x30, 0]),
        ("no id", tlv(0x30, &tlv(0x04, b"x"))),
        ("unknown operation", message(1, &[0x7e, 0])),
        ("truncated inside", message(1, &[0x63, 3, 0x04, 9, 1])),
        ("an answer", message(1, &[0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0])),
        ("id 0", message(0, &search(1, 0, &present())[5..])),
        ("deep", search(1, 0, &deep)),
        (
            "not UTF-8",
            search(
                1,
                0,
                &tlv(0xa3, &[tlv(4, b"ou"), tlv(4, &[0xff, 0xfe])].concat()),
            ),
        ),
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let said = rest(&mut stream).await;
        assert!(is_notice(&said, 2), "{what}: {said:02x?}");
    }
    // What came before the stray bytes was asked in order; the server lives on.
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&stray).await.unwrap();
    assert!(is_notice(&rest(&mut stream).await, 2));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&search(7, 0, &present())).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 7);
}

#[tokio::test]
async fn a_negative_limit_is_a_protocol_error() {
    let running = sds(Settings::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let content = [
        &tlv(0x04, b"o=nhs")[..],
        &[
            0x0a, 1, 2, 0x0a, 1, 0, 2, 4, 0xff, 0xff, 0xff, 0xff, 2, 1, 0, 1, 1, 0,
        ],
        &present(),
        &[0x30, 0],
    ]
    .concat();
    let asked = message(3, &tlv(0x63, &content));
    stream.write_all(&asked).await.unwrap();
    assert_eq!(answer(&mut stream).await, (3, 0x65, 2));
}

#[tokio::test]
async fn ldap_version_2_is_refused() {
    let running = sds(Settings::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let bind = message(1, &tlv(0x60, &[2, 1, 2, 4, 0, 0x80, 0]));
    stream.write_all(&bind).await.unwrap();
    assert_eq!(answer(&mut stream).await, (1, 0x61, 2));
}

#[tokio::test]
async fn messages_in_pieces_and_in_one_go() {
    let running = sds(Settings::default()).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    for byte in search(1, 1, &present()) {
        stream.write_all(&[byte]).await.unwrap();
    }
    assert_eq!(answer(&mut stream).await, (1, 0x64, 0));
    assert_eq!(answer(&mut stream).await, (1, 0x65, 4));
    let many: Vec<u8> = (2..60).flat_map(|id| search(id, 1, &present())).collect();
    stream.write_all(&many).await.unwrap();
    let mut done = Vec::new();
    while done.len() < 58 {
        if let (id, 0x65, code) = answer(&mut stream).await {
            assert_eq!(code, 4);
            done.push(id);
        }
    }
    done.sort_unstable();
    assert_eq!(done, (2..60).collect::<Vec<u8>>());
}

#[tokio::test]
async fn a_slow_search_can_be_abandoned_and_does_not_hold_up_others() {
    let running = sds(Settings::default()).await;
    let slow = Rule::new(
        Point::Sds,
        Fault::Slow {
            milliseconds: 60_000,
        },
    );
    running.faults.add(slow.times(1)).unwrap();
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    stream.write_all(&search(1, 1, &present())).await.unwrap();
    stream.write_all(&search(2, 1, &present())).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 2);
    assert_eq!(answer(&mut stream).await, (2, 0x65, 4));
    // The id is in use until it is abandoned.
    stream.write_all(&message(3, &[0x50, 1, 1])).await.unwrap();
    stream.write_all(&search(1, 1, &present())).await.unwrap();
    assert_eq!(answer(&mut stream).await.0, 1);
    assert_eq!(answer(&mut stream).await, (1, 0x65, 4));
    // Unbind ends the connection without a word.
    stream.write_all(&message(4, &[0x42, 0])).await.unwrap();
    assert_eq!(rest(&mut stream).await, Vec::<u8>::new());
}

#[tokio::test]
async fn idle_half_sent_and_stopping() {
    let settings = Settings {
        idle_time: Duration::from_millis(300),
        message_time: Duration::from_millis(300),
        ..Settings::default()
    };
    let running = sds(settings).await;
    let mut idle = TcpStream::connect(running.address).await.unwrap();
    idle.write_all(&search(1, 1, &present())).await.unwrap();
    assert!(is_notice(&rest(&mut idle).await, 52));
    let mut half = TcpStream::connect(running.address).await.unwrap();
    half.write_all(&[0x30, 0x20, 2, 1]).await.unwrap();
    assert!(is_notice(&rest(&mut half).await, 2));
    let mut running = sds(Settings::default()).await;
    let mut waiting = TcpStream::connect(running.address).await.unwrap();
    waiting.write_all(&search(1, 1, &present())).await.unwrap();
    assert_eq!(answer(&mut waiting).await.0, 1);
    assert_eq!(answer(&mut waiting).await.0, 1);
    running.stop();
    assert!(is_notice(&rest(&mut waiting).await, 52));
    let ended = tokio::time::timeout(testkit::PATIENCE, &mut running.task).await;
    ended.expect("the server ends").unwrap();
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn connections_are_bounded() {
    let settings = Settings {
        connections: 2,
        per_peer: 2,
        ..Settings::default()
    };
    let running = sds(settings).await;
    let mut held = asked(&running).await;
    let mut third = TcpStream::connect(running.address).await.unwrap();
    third.write_all(&search(1, 1, &present())).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(300), answer(&mut third)).await;
    assert!(waited.is_err());
    held.pop();
    assert_eq!(answer(&mut third).await.0, 1);
}

/// Two connections that have asked and wait.
async fn asked(running: &Running) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(&search(1, 1, &present())).await.unwrap();
        answer(&mut stream).await;
        held.push(stream);
    }
    held
}

/// Proves: NFR-01, D-66
#[tokio::test]
async fn one_peer_has_half_of_the_connections() {
    let settings = Settings {
        connections: 4,
        ..Settings::default()
    };
    let running = sds(settings).await;
    let held = asked(&running).await;
    let mut third = TcpStream::connect(running.address).await.unwrap();
    assert_eq!(rest(&mut third).await, Vec::<u8>::new());
    drop(held);
    // The places are free once the server has seen that they were left.
    let served = async {
        loop {
            let mut stream = TcpStream::connect(running.address).await.unwrap();
            let _ = stream.write_all(&search(1, 1, &present())).await;
            if stream.read_u8().await.is_ok() {
                return;
            }
        }
    };
    let served = tokio::time::timeout(testkit::PATIENCE, served).await;
    served.expect("the next is served");
}

/// Proves: NFR-01, D-66
#[tokio::test]
async fn a_silent_connection_ends_in_the_time_of_a_head() {
    let made = Certificates::new(&[]);
    let tls = made.server(Protocol::Ldap, false);
    for tls in [None, Some(tls)] {
        let settings = Settings {
            head_time: Duration::from_millis(300),
            idle_time: Duration::from_secs(3_600),
            ..Settings::default()
        };
        let running = start_sds_tls(directory(ROOT), settings, tls.clone()).await;
        // Neither a handshake nor a message.
        let mut silent = TcpStream::connect(running.address).await.unwrap();
        rest(&mut silent).await;
        // A handshake and nothing more.
        if tls.is_some() {
            let stream = TcpStream::connect(running.address).await.unwrap();
            let connector = tokio_rustls::TlsConnector::from(made.client(None));
            let name = "localhost".try_into().unwrap();
            let mut shaken = connector.connect(name, stream).await.unwrap();
            let mut heard = Vec::new();
            let read = tokio::time::timeout(testkit::PATIENCE, shaken.read_to_end(&mut heard));
            let _ = read.await.expect("the server closes");
            assert!(is_notice(&heard, 52));
        }
    }
}

/// What ldapsearch prints, and its exit code; `None` where it is not installed.
async fn ldapsearch(
    arguments: Vec<String>,
    ca: Option<std::path::PathBuf>,
) -> Option<(i32, String)> {
    let run = move || {
        let mut command = Command::new("ldapsearch");
        command.args(arguments).env("LDAPNOINIT", "1");
        if let Some(ca) = ca {
            command.env_remove("LDAPNOINIT").env("LDAPTLS_CACERT", ca);
        }
        command.output()
    };
    let output = match tokio::task::spawn_blocking(run).await.unwrap() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            testkit::lacks("ldapsearch");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let text = [output.stdout, output.stderr].concat();
    Some((
        output.status.code().unwrap_or(-1),
        String::from_utf8_lossy(&text).into_owned(),
    ))
}

/// Proves: NAT-SDS-01, NAT-SDS-02, NAT-SDS-03, NAT-SDS-06
#[tokio::test]
async fn debian_ldapsearch_works() {
    let running = sds(Settings::default()).await;
    let ask = |more: &[&str]| {
        let mut all = vec![
            "-x".to_owned(),
            "-LLL".to_owned(),
            "-o".to_owned(),
            "ldif-wrap=no".to_owned(),
            "-H".to_owned(),
            running.ldap(),
        ];
        all.extend(more.iter().map(|a| (*a).to_owned()));
        ldapsearch(all, None)
    };
    let first = format!("(&(objectClass=nhsAs)(uniqueIdentifier={PROVIDER}))");
    let Some((code, text)) = ask(&[
        "-b",
        "ou=services,o=nhs",
        &first,
        "nhsMHSPartyKey",
        "nhsAsSvcIA",
        "nhsIDCode",
    ])
    .await
    else {
        return;
    };
    assert_eq!(code, 0, "{text}");
    assert!(
        text.starts_with(&format!("dn: uniqueIdentifier={PROVIDER},{SERVICES}\n")),
        "{text}"
    );
    assert!(text.contains("nhsMHSPartyKey: FX101-9000011\n"), "{text}");
    let second = format!(
        "(&(objectClass=nhsMhs)(nhsMHSPartyKey=FX101-9000011)(nhsMhsSvcIA={}))",
        urn("create:appointment")
    );
    let (code, text) = ask(&["-b", SERVICES, "-s", "one", &second, "nhsMHSEndPoint"])
        .await
        .unwrap();
    assert_eq!(code, 0);
    assert_contains(&text, &[&format!("nhsMHSEndPoint: {ROOT}\n")]);
    for (code, arguments) in [
        (0, &["-b", "", "-s", "base", "+"][..]),
        (0, &["-b", SERVICES, "-E", "pr=3/noprompt"]),
        (0, &["-b", SERVICES, "-A"]),
        (4, &["-b", SERVICES, "-z", "2"]),
        (32, &["-b", "ou=Nowhere,o=nhs"]),
        (34, &["-b", "nonsense"]),
        (49, &["-D", "cn=a,o=nhs", "-w", "secret"]),
        // A critical control that is not supported.
        (12, &["-b", SERVICES, "-e", "!1.2.3.4"]),
    ] {
        let (found, text) = ask(arguments).await.unwrap();
        assert_eq!(found, code, "{arguments:?}: {text}");
    }
    // StartTLS is refused; ldapsearch -ZZ then gives up.
    let (code, text) = ask(&["-ZZ", "-b", SERVICES]).await.unwrap();
    assert_ne!(code, 0, "{text}");
    assert!(text.contains("StartTLS"), "{text}");
    let (_, text) = ask(&["-b", SERVICES, "-E", "pr=4/noprompt", "1.1"])
        .await
        .unwrap();
    assert_eq!(text.matches("dn: ").count(), 11, "{text}");
}

/// Proves: NAT-SDS-01
#[tokio::test]
async fn debian_ldapsearch_speaks_ldaps() {
    let made = Certificates::new(&[CONSUMER_NAME]);
    let tls = Some(made.server(Protocol::Ldap, false));
    let running = start_sds_tls(directory(ROOT), Settings::default(), tls).await;
    let url = format!("ldaps://localhost:{}", running.address.port());
    let arguments = [
        "-x",
        "-LLL",
        "-H",
        &url,
        "-b",
        SERVICES,
        "(nhsProductKey=9001)",
        "nhsIDCode",
    ];
    let arguments = arguments.iter().map(|a| (*a).to_owned()).collect();
    let Some((code, text)) = ldapsearch(arguments, Some(made.files.ca.clone())).await else {
        return;
    };
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("nhsIDCode: FX101"), "{text}");
}
