//! All parts as one: start, TLS, stop.

use super::dos_support::{Answer, details};
use sandbox::pki::{ClientTls, client_config};
use sandbox::{Listeners, Ports, Sandbox, Setup, Source};
use std::path::Path;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

async fn start(ports: &Ports, setup: Setup) -> Sandbox {
    let listeners = Listeners::bind("127.0.0.1", ports).await.unwrap();
    Sandbox::start(listeners, setup).await.unwrap()
}

fn port(url: &str) -> u16 {
    url.rsplit(':').next().unwrap().parse().unwrap()
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Answer {
    let body = details("2000000011");
    let text = format!(
        "POST {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: application/soap+xml\r\n\r\n{body}",
        sandbox::dos::PATH,
        body.len()
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    Answer::read(&String::from_utf8(answer).unwrap())
}

#[tokio::test]
async fn all_parts_start_and_stop() {
    let setup = Setup {
        provider: Some("http://127.0.0.1:9/".to_owned()),
        ..Setup::default()
    };
    let sandbox = start(&Ports::FREE, setup).await;
    let running = sandbox.running();
    let parts: Vec<_> = running.iter().map(|(part, _)| *part).collect();
    assert_eq!(parts, ["DoS", "SDS", "SSP"]);
    for (_, address) in &running {
        TcpStream::connect(("127.0.0.1", port(address)))
            .await
            .unwrap();
    }
    let dos = port(&sandbox.addresses().dos);
    let answer = ask(TcpStream::connect(("127.0.0.1", dos)).await.unwrap()).await;
    assert_eq!(answer.texts("address")[0], "http://127.0.0.1:9/itk");
    sandbox.stop().await;
    assert!(TcpStream::connect(("127.0.0.1", dos)).await.is_err());
}

#[tokio::test]
async fn one_part_runs_alone() {
    let ports = Ports {
        dos: Some(0),
        ..Ports::default()
    };
    let source = Source::File {
        name: "mine.toml".to_owned(),
        text: sandbox::world::DEMO.replace("2000000011", "11"),
    };
    let sandbox = start(
        &ports,
        Setup {
            source,
            ..Setup::default()
        },
    )
    .await;
    assert_eq!(sandbox.running().len(), 1);
    let taken = Ports {
        dos: Some(port(&sandbox.addresses().dos)),
        ..Ports::default()
    };
    let error = Listeners::bind("127.0.0.1", &taken).await.unwrap_err();
    assert!(error.contains("DoS") && error.contains("in use"), "{error}");
    sandbox.stop().await;
}

#[tokio::test]
async fn mistakes_stop_the_start() {
    let file = |text: &str| Source::File {
        name: "mine.toml".to_owned(),
        text: text.to_owned(),
    };
    let failed = async |setup: Setup| match Sandbox::start(Listeners::default(), setup).await {
        Err(error) => error,
        Ok(_) => panic!("started"),
    };
    let wrong = Setup {
        source: file("[dos]\nstrikt = true"),
        ..Setup::default()
    };
    let error = failed(wrong).await;
    assert!(
        error.starts_with("mine.toml, line 2") && error.contains("`strict`"),
        "{error}"
    );
    let wrong = Setup {
        provider: Some("127.0.0.1:8001".to_owned()),
        ..Setup::default()
    };
    assert!(failed(wrong).await.contains("http://"));
}

/// Proves: NAT-SDS-01, NAT-SSP-04
#[tokio::test]
async fn tls_with_certificates_made_on_the_spot() {
    let folder = tempfile::tempdir().unwrap();
    let setup = || Setup {
        tls: Some(folder.path().join("tls")),
        ..Setup::default()
    };
    let first = start(&Ports::FREE, setup()).await;
    assert!(first.addresses().dos.starts_with("https://"));
    assert!(first.addresses().sds.starts_with("ldaps://"));
    let files = first.certificates().unwrap().clone();
    let names: Vec<_> = files
        .consumers
        .iter()
        .map(|(name, _, _)| name.as_str())
        .collect();
    assert_eq!(
        names,
        [
            "consumer.fernhill111.example",
            "training.fernhill111.example"
        ]
    );
    assert_eq!(
        over_tls(&files.ca, port(&first.addresses().dos))
            .await
            .status,
        200
    );
    first.stop().await;
    // The second start takes the same certificates: clients go on trusting them.
    let before = std::fs::read(&files.ca).unwrap();
    let second = start(&Ports::FREE, setup()).await;
    assert_eq!(std::fs::read(&files.ca).unwrap(), before);
    assert_eq!(
        over_tls(&files.ca, port(&second.addresses().dos))
            .await
            .status,
        200
    );
    second.stop().await;
}

async fn over_tls(ca: &Path, port: u16) -> Answer {
    let config = client_config(&ClientTls {
        ca: ca.to_owned(),
        identity: None,
    })
    .unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    ask(TlsConnector::from(config)
        .connect(name, stream)
        .await
        .unwrap())
    .await
}
