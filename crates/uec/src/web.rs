//! The HTTP client of operations: traces for a collector, and what `doctor` asks others. Certificates are checked against
//! the authorities of the operating system.

use reqwest::{Client, StatusCode, redirect};
use std::time::Duration;

/// A client that gives up after a time, follows no redirects and asks no proxy.
pub fn client(within: Duration) -> Result<Client, String> {
    // One crypto provider for all. Another part of this process may have named it already; it is the same.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder()
        .timeout(within)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .user_agent(concat!("uec/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|e| format!("the HTTP client cannot be set up: {e}"))
}

/// Posts a text, and says with which status it was answered; or why it was not, without the address, which may hold a
/// password.
pub async fn post(
    client: &Client,
    url: &str,
    media_type: &str,
    body: String,
) -> Result<StatusCode, String> {
    let sent = client
        .post(url)
        .header("content-type", media_type)
        .body(body)
        .send()
        .await;
    match sent {
        Ok(answer) => Ok(answer.status()),
        Err(error) => Err(error.without_url().to_string()),
    }
}
