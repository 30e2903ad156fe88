//! The server as addressed, and new connections to it.

use super::address::Address;
use super::connection::Connection;
use super::engine::Engine;
use super::fault;
use super::session::Role;
use super::wait::wait;
use crate::store::error::StoreError;
use std::sync::Arc;
use std::time::Duration;
use tokio_postgres::Client;

/// How much longer a caller waits for the thread that connects than that waits for the server.
const GRACE: Duration = Duration::from_secs(1);

/// Which of the hosts of an address will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Target {
    /// The one that takes writes.
    Primary,
    /// Any that answers.
    Any,
}

/// Where connections come from.
pub(in crate::store) struct Server {
    address: Arc<Address>,
    engine: Engine,
}

impl Server {
    /// Reads the address and starts the thread; nothing is connected yet.
    pub(in crate::store) fn start(url: &str, target: Target) -> Result<Server, StoreError> {
        Ok(Server {
            address: Arc::new(Address::parse(url, target)?),
            engine: Engine::start()?,
        })
    }

    /// The place for messages.
    pub(in crate::store) fn shown(&self) -> &str {
        &self.address.shown
    }

    /// A new connection. Blocks for a few seconds at most.
    pub(in crate::store) fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let address = self.address.clone();
        let (shown, patience) = (address.shown.clone(), address.patience());
        let late = || StoreError::Unreachable {
            what: format!("{shown}: no answer within {} seconds", patience.as_secs()),
        };
        let connecting = self
            .engine
            .handle()
            .spawn(async move { tokio::time::timeout(patience, connect(&address, role)).await });
        let abort = connecting.abort_handle();
        match wait(connecting, patience + GRACE) {
            Some(Ok(Ok(connected))) => {
                let (client, driver) = connected.map_err(|e| fault::connecting(&shown, &e))?;
                Ok(Connection::new(client, driver, role))
            }
            Some(Ok(Err(_))) => Err(late()),
            Some(Err(_)) => Err(StoreError::Closed),
            None => {
                abort.abort();
                Err(late())
            }
        }
    }
}

async fn connect(
    address: &Address,
    role: Role,
) -> Result<(Client, tokio::task::AbortHandle), tokio_postgres::Error> {
    let (client, connection) = address.config.connect(address.tls.clone()).await?;
    let driver = tokio::spawn(async move {
        // What goes wrong here is told to whoever waits for an answer.
        let _ = connection.await;
    });
    let driver = driver.abort_handle();
    client
        .batch_execute(&role.settings())
        .await
        .inspect_err(|_| driver.abort())?;
    Ok((client, driver))
}
