//! SSP with certificates on both sides: of the consumer, and its own to the Provider.

use super::spine::upstream::*;
use super::spine::*;
use sandbox::directory::Directory;
use sandbox::pki::{self, ClientTls, Protocol, ServerTls, carries_name};
use sandbox::ssp::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const OTHER: &str = "other.example.nhs.uk";

struct National {
    made: Certificates,
    upstream: Upstream,
    ssp: Running,
    url: String,
}

/// Provider and SSP with mutual TLS; the root is `https` at this machine.
async fn national(mutual: bool) -> National {
    let made = Certificates::new(&[CONSUMER_NAME, OTHER]);
    let (certificate, key) = made.files.provider.clone();
    let provider = ServerTls {
        certificate,
        key,
        client_ca: Some(made.files.ca.clone()),
        revoked: None,
    };
    let provider = pki::server_config(&provider, Protocol::Http).unwrap();
    let upstream = Upstream::start(Some(provider)).await;
    let own = ClientTls {
        ca: made.files.ca.clone(),
        identity: Some(made.files.ssp.clone()),
    };
    let settings = Settings {
        provider_tls: Some(pki::client_config(&own).unwrap()),
        ..Settings::default()
    };
    let root = format!("https://localhost:{}/STU3/1/FX101", upstream.address.port());
    let directory: Directory = directory(&root);
    let tls = made.server(Protocol::Http, mutual);
    let ssp = start_ssp_tls(directory, settings, Some(tls)).await;
    let url = format!("https://localhost:{}/{root}/Slot", ssp.address.port());
    National {
        made,
        upstream,
        ssp,
        url,
    }
}

/// Proves: NAT-SSP-04, NAT-SDS-01
#[tokio::test]
async fn the_certificate_must_carry_the_registered_name() {
    let n = national(true).await;
    let ask = |name: Option<&str>| {
        let client = caller(Some(n.made.client(name)));
        client.request(request("GET", &n.url, "read:slot", full("")))
    };
    let (status, _, body) = taken(ask(Some(CONSUMER_NAME)).await.unwrap()).await;
    assert_eq!(status, 200, "{body:?}");
    let seen = n.upstream.last();
    assert!(
        carries_name(&seen.shown.unwrap(), SSP_NAME),
        "the SSP shows its own certificate"
    );
    assert_eq!(
        seen.version,
        http::Version::HTTP_2,
        "offered by the Provider"
    );
    assert!(
        seen.headers["forwarded"]
            .to_str()
            .unwrap()
            .contains("proto=https")
    );

    let (status, _, body) = taken(ask(Some(OTHER)).await.unwrap()).await;
    assert_eq!(status, 403);
    let text = String::from_utf8_lossy(&body).into_owned();
    assert!(
        text.contains("ASID_CHECK_FAILED") && text.contains(CONSUMER_NAME),
        "{text}"
    );
    assert!(ask(None).await.is_err(), "no certificate, no handshake");
    // A sender without registered name cannot be recognised.
    let client = caller(Some(n.made.client(Some(CONSUMER_NAME))));
    let mut asked = request("GET", &n.url, "read:slot", full(""));
    asked
        .headers_mut()
        .insert("ssp-from", SEARCHER.parse().unwrap());
    assert_eq!(client.request(asked).await.unwrap().status(), 403);
    assert_eq!(n.upstream.seen().len(), 1);
}

/// Proves: NAT-SSP-06
#[tokio::test]
async fn no_certificate_where_none_is_demanded_is_496_and_plain_http_is_497() {
    let n = national(false).await;
    let client = caller(Some(n.made.client(None)));
    let answer = client
        .request(request("GET", &n.url, "read:slot", full("")))
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 496);
    let mut plain = TcpStream::connect(n.ssp.address).await.unwrap();
    plain
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let mut said = String::new();
    plain.read_to_string(&mut said).await.unwrap();
    assert!(
        said.starts_with("HTTP/1.1 497 ") && said.contains("https://"),
        "{said}"
    );
    assert!(n.upstream.seen().is_empty());
}

/// Proves: NAT-SSP-04, NAT-SSP-06
#[tokio::test]
async fn a_provider_with_a_foreign_certificate_is_not_reached() {
    let n = national(true).await;
    let strangers = Certificates::new(&[]);
    let own = ClientTls {
        ca: strangers.files.ca.clone(),
        identity: Some(strangers.files.ssp.clone()),
    };
    for provider_tls in [None, Some(pki::client_config(&own).unwrap())] {
        let root = format!(
            "https://localhost:{}/STU3/1/FX101",
            n.upstream.address.port()
        );
        let settings = Settings {
            provider_tls,
            ..Settings::default()
        };
        let ssp = start_ssp(directory(&root), settings).await;
        let url = format!("{}/{root}/Slot", ssp.http());
        let answer = caller(None)
            .request(request("GET", &url, "read:slot", full("")))
            .await
            .unwrap();
        assert_eq!(answer.status(), 502);
    }
    assert!(n.upstream.seen().is_empty());
}

/// Twenty clients over HTTP/2, bodies both ways.
#[tokio::test]
async fn many_requests_on_few_connections() {
    let n = national(true).await;
    let client = caller(Some(n.made.client(Some(CONSUMER_NAME))));
    let tasks: Vec<_> = (0..60)
        .map(|i| {
            let url = n.url.replace("/Slot", "/Appointment?echo");
            let body = vec![u8::try_from(i).unwrap(); 50_000];
            let sent = client.request(request("POST", &url, "create:appointment", full(body)));
            tokio::spawn(async move {
                let (status, _, back) = taken(sent.await.unwrap()).await;
                assert_eq!((status, back.len()), (200, 50_000));
                assert!(back.iter().all(|b| usize::from(*b) == i));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(n.upstream.connections() <= 60);
}
