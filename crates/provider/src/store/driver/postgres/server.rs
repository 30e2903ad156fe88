//! The server as addressed, and new connections to it.

use super::address::Address;
use super::connection::Connection;
use super::engine::Engine;
use super::fault;
use super::session::Role;
use super::wait::wait;
use crate::store::error::StoreError;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::task::{AbortHandle, JoinError, JoinHandle};
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

    /// Runs what talks to the server.
    pub(super) fn handle(&self) -> &Handle {
        self.engine.handle()
    }

    /// A new connection. Blocks for a few seconds at most.
    pub(in crate::store) fn connect(&self, role: Role) -> Result<Connection, StoreError> {
        let (client, driver) = wait(self.connecting(role), self.address.patience() + GRACE)
            .unwrap_or_else(|| Err(self.late()))?;
        Ok(Connection::new((client, driver), role, None))
    }

    /// A new connection that the calling thread drives, as often as it waits for it. Not from within a task.
    pub(in crate::store) fn connect_here(&self, role: Role) -> Result<Connection, StoreError> {
        let own = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| StoreError::unexpected(format!("no connection can be driven: {e}")))?;
        let connecting = async {
            tokio::time::timeout(self.address.patience(), connect(&self.address, role)).await
        };
        let connected = own.block_on(connecting).map_err(|_| self.late())?;
        let connected = connected.map_err(|e| fault::connecting(&self.address.shown, &e))?;
        Ok(Connection::new(connected, role, Some(own)))
    }

    fn late(&self) -> StoreError {
        let (shown, patience) = (&self.address.shown, self.address.patience());
        StoreError::Unreachable {
            what: format!("{shown}: no answer within {} seconds", patience.as_secs()),
        }
    }

    /// The same for who need not block.
    pub(super) async fn connecting(&self, role: Role) -> Result<(Client, AbortHandle), StoreError> {
        let (address, patience) = (self.address.clone(), self.address.patience());
        let connecting =
            async move { tokio::time::timeout(patience, connect(&address, role)).await };
        // Nobody asks for it any more when this is dropped.
        let connecting = AbortOnDrop(self.engine.handle().spawn(connecting));
        match connecting.await {
            Ok(Ok(connected)) => connected.map_err(|e| fault::connecting(&self.address.shown, &e)),
            Ok(Err(_)) => Err(self.late()),
            Err(_) => Err(StoreError::Closed),
        }
    }
}

/// A task that ends with whoever waits for it.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect(
    address: &Address,
    role: Role,
) -> Result<(Client, AbortHandle), tokio_postgres::Error> {
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
