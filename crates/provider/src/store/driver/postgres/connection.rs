//! One connection to a server: prepared statements, and statements sent together where no answer is needed between.

use super::fault::{self, Seen};
use super::session::Role;
use super::statement::numbered;
use super::wait::wait;
use crate::store::driver::Fault;
use crate::store::driver::value::Value;
use crate::store::error::StoreError;
use futures_util::future::{join, join_all};
use futures_util::{StreamExt, TryFutureExt};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::pin::pin;
use tokio::runtime::Runtime;
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

/// Prepared statements kept; there are fewer in this program.
const STATEMENTS: usize = 256;
/// Statements that may wait to be sent with the next one. All of them are sent in order when the answers are first
/// asked for, which the library promises up to 30.
const LATER: usize = 16;
/// Queries that may be said ahead.
const AHEAD: usize = 8;

/// A statement whose answer nobody waits for; a fault of it is the next one's.
enum Later {
    Control(&'static str),
    Execute(Statement, Vec<Value<'static>>),
}

/// A query that will be asked, and its answer once it is there.
struct Ahead {
    sql: Box<str>,
    statement: Statement,
    values: Vec<Value<'static>>,
    rows: Option<Vec<Row>>,
}

impl Ahead {
    fn is(&self, sql: &str, values: &[Value<'_>]) -> bool {
        *self.sql == *sql && self.values == values
    }
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No transaction.
    Idle,
    /// In a transaction.
    Open,
    /// In a transaction that takes nothing but its end, or the end of its part.
    Failed,
    /// In a transaction that can only be begun again.
    GivenUp,
    /// Of no more use.
    Dead,
}

/// A connection.
pub(in crate::store) struct Connection {
    client: Client,
    driver: AbortHandle,
    role: Role,
    /// Drives this connection alone, in the thread that waits: two switches of threads fewer for each answer.
    own: Option<Runtime>,
    statements: RefCell<HashMap<Box<str>, Statement>>,
    later: RefCell<Vec<Later>>,
    ahead: RefCell<Vec<Ahead>>,
    state: Cell<State>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        // A connection in good order says goodbye by itself.
        if self.state.get() != State::Idle {
            self.driver.abort();
        }
    }
}

impl Connection {
    /// `own` drives the connection if nothing else does.
    pub(super) fn new(
        (client, driver): (Client, AbortHandle),
        role: Role,
        own: Option<Runtime>,
    ) -> Connection {
        Connection {
            client,
            driver,
            role,
            own,
            statements: RefCell::default(),
            later: RefCell::default(),
            ahead: RefCell::default(),
            state: Cell::new(State::Idle),
        }
    }

    fn noted(&self, seen: Seen) -> Fault {
        let again = matches!(seen.fault.kind, crate::store::driver::Kind::Again);
        match self.state.get() {
            _ if seen.lost => {
                self.state.set(State::Dead);
                self.driver.abort();
            }
            State::Open | State::Failed if again => self.state.set(State::GivenUp),
            State::Open => self.state.set(State::Failed),
            _ => {}
        }
        seen.fault
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Fault> {
        if self.state.get() == State::Dead {
            return Err(fault::lost("the connection was lost before").fault);
        }
        let patience = self.role.patience();
        let answered = match &self.own {
            Some(own) => own.block_on(async { timeout(patience, work).await.ok() }),
            None => wait(work, patience),
        };
        match answered {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(self.noted(fault::of(&error))),
            None => Err(self.noted(fault::lost("the server did not answer in time"))),
        }
    }

    fn prepared(&self, sql: &str) -> Result<Statement, Fault> {
        if let Some(statement) = self.statements.borrow().get(sql) {
            return Ok(statement.clone());
        }
        let text = numbered(sql);
        let statement = self.run(self.client.prepare(&text))?;
        let mut statements = self.statements.borrow_mut();
        if statements.len() >= STATEMENTS {
            statements.clear();
        }
        statements.insert(sql.into(), statement.clone());
        Ok(statement)
    }

    /// Sends what waits, in order; the answers come together.
    async fn send(&self, later: &[Later]) -> Result<(), Error> {
        let all = join_all(later.iter().map(|one| async move {
            match one {
                Later::Control(sql) => self.client.batch_execute(sql).await,
                Later::Execute(statement, values) => {
                    let values = references(values);
                    self.client.execute(statement, &values).map_ok(|_| ()).await
                }
            }
        }));
        // The first fault is the cause of those after it.
        all.await.into_iter().collect()
    }

    /// Waits for what was sent later.
    pub(in crate::store) fn settle(&self) -> Result<(), Fault> {
        // A change makes answers to earlier questions old.
        self.ahead.take();
        let later = self.later.take();
        match later.is_empty() {
            true => Ok(()),
            false => self.run(self.send(&later)),
        }
    }

    fn put_later(&self, one: Later) -> Result<(), Fault> {
        self.ahead.take();
        let waiting = {
            let mut later = self.later.borrow_mut();
            later.push(one);
            later.len()
        };
        match waiting >= LATER {
            true => self.settle(),
            false => Ok(()),
        }
    }

    fn control(&self, sql: &'static str) -> Result<(), Fault> {
        self.put_later(Later::Control(sql))
    }

    pub(in crate::store::driver) fn query(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Fault> {
        let mut ahead = self.ahead.take();
        let asked = ahead.iter().position(|one| one.is(sql, values));
        if let Some(rows) = asked.and_then(|at| ahead[at].rows.take()) {
            ahead.retain(|one| one.rows.is_some());
            *self.ahead.borrow_mut() = ahead;
            return Ok(rows);
        }
        let statement = self.prepared(sql)?;
        let later = self.later.take();
        if let Some(at) = asked {
            // All of them go together, and each keeps its answer until it is asked.
            let rows = self.run(async {
                let (before, rows) = join(self.send(&later), self.ask(&ahead)).await;
                before?;
                rows.into_iter().collect::<Result<Vec<_>, Error>>()
            })?;
            let mut answered: Vec<Ahead> = ahead;
            for (one, rows) in answered.iter_mut().zip(rows) {
                one.rows = Some(rows);
            }
            let rows = answered.swap_remove(at).rows.unwrap_or_default();
            *self.ahead.borrow_mut() = answered;
            return Ok(rows);
        }
        // A read makes no answer old.
        *self.ahead.borrow_mut() = ahead;
        let values = references(values);
        self.run(async {
            let (before, rows) =
                join(self.send(&later), self.client.query(&statement, &values)).await;
            before?;
            rows
        })
    }

    async fn ask(&self, ahead: &[Ahead]) -> Vec<Result<Vec<Row>, Error>> {
        let each = ahead.iter().map(|one| async move {
            let values = references(&one.values);
            self.client.query(&one.statement, &values).await
        });
        join_all(each).await
    }

    /// Announces a read, so that PostgreSQL can pipeline it: reads announced in a row are sent together with the first of them
    /// that is asked.
    pub(in crate::store::driver) fn ahead(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<(), Fault> {
        let statement = self.prepared(sql)?;
        let mut ahead = self.ahead.borrow_mut();
        // Together with what waits to be sent these must not be more than the library sends in order.
        if ahead.len() < AHEAD {
            ahead.push(Ahead {
                sql: sql.into(),
                statement,
                values: values.iter().map(Value::to_owned).collect(),
                rows: None,
            });
        }
        Ok(())
    }

    pub(in crate::store::driver) fn execute(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<u64, Fault> {
        self.ahead.take();
        let statement = self.prepared(sql)?;
        let later = self.later.take();
        let values = references(values);
        self.run(async {
            let (before, changed) =
                join(self.send(&later), self.client.execute(&statement, &values)).await;
            before?;
            changed
        })
    }

    /// Has a statement sent together with the next one.
    pub(in crate::store::driver) fn execute_later(
        &self,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<(), Fault> {
        let statement = self.prepared(sql)?;
        self.put_later(Later::Execute(
            statement,
            values.iter().map(Value::to_owned).collect(),
        ))
    }

    /// Runs the same statement with many sets of values, several on their way at a time; returns for each how many rows
    /// it changed.
    pub(in crate::store::driver) fn execute_each(
        &self,
        sql: &str,
        all: &[Vec<Value<'_>>],
    ) -> Result<Vec<u64>, Fault> {
        self.settle()?;
        let statement = self.prepared(sql)?;
        let mut changed = Vec::with_capacity(all.len());
        for some in all.chunks(LATER) {
            let answers = self.run(async {
                let each = some.iter().map(|values| {
                    let statement = &statement;
                    async move { self.client.execute(statement, &references(values)).await }
                });
                join_all(each)
                    .await
                    .into_iter()
                    .collect::<Result<Vec<u64>, Error>>()
            })?;
            changed.extend(answers);
        }
        Ok(changed)
    }

    pub(in crate::store::driver) fn stream(
        &self,
        sql: &str,
        values: &[Value<'_>],
        mut take: impl FnMut(&Row) -> Result<bool, StoreError>,
    ) -> Result<(), Fault> {
        self.settle()?;
        let statement = self.prepared(sql)?;
        let rows = self.run(self.client.query_raw(&statement, references(values)))?;
        let mut rows = pin!(rows);
        while let Some(row) = self.run(async { rows.next().await.transpose() })? {
            if !take(&row)? {
                break;
            }
        }
        Ok(())
    }

    pub(in crate::store::driver) fn batch(&self, sql: &str) -> Result<(), Fault> {
        self.settle()?;
        self.run(self.client.batch_execute(sql))
    }

    pub(in crate::store::driver) fn begin(&self, how: &'static str) -> Result<(), Fault> {
        if !matches!(self.state.get(), State::Idle | State::Dead) {
            return Err(StoreError::unexpected("a transaction within a transaction").into());
        }
        self.control(how)?;
        self.state.set(match self.state.get() {
            State::Dead => State::Dead,
            _ => State::Open,
        });
        Ok(())
    }

    pub(in crate::store::driver) fn commit(&self) -> Result<(), Fault> {
        if self.state.get() != State::Open {
            // PostgreSQL would roll back and call that a success.
            return Err(StoreError::unexpected("a failed transaction cannot be committed").into());
        }
        self.control("COMMIT")?;
        self.settle()?;
        self.state.set(State::Idle);
        Ok(())
    }

    pub(in crate::store::driver) fn rollback(&self) -> Result<(), Fault> {
        self.ahead.take();
        self.later.take();
        self.control("ROLLBACK")?;
        self.settle()?;
        self.state.set(State::Idle);
        Ok(())
    }

    pub(in crate::store::driver) fn begin_part(&self) -> Result<(), Fault> {
        self.control("SAVEPOINT job")
    }

    pub(in crate::store::driver) fn keep_part(&self) -> Result<(), Fault> {
        // What belongs to the part must have gone well before it is kept.
        self.settle()?;
        self.control("RELEASE job")
    }

    pub(in crate::store::driver) fn undo_part(&self) -> Result<(), Fault> {
        // What was not sent yet is not needed any more, but the part must have begun.
        let begun: Vec<Later> = self
            .later
            .take()
            .into_iter()
            .filter(|one| matches!(one, Later::Control(_)))
            .collect();
        *self.later.borrow_mut() = begun;
        self.control("ROLLBACK TO job")?;
        self.control("RELEASE job")?;
        self.settle()?;
        if self.state.get() == State::Failed {
            self.state.set(State::Open);
        }
        Ok(())
    }

    pub(in crate::store::driver) fn in_transaction(&self) -> bool {
        matches!(self.state.get(), State::Open | State::Failed)
    }

    pub(in crate::store::driver) fn is_dead(&self) -> bool {
        if let Some(own) = &self.own {
            // What came since it was last used is read now; the second turn is for what that wakes.
            own.block_on(async {
                tokio::task::yield_now().await;
                tokio::task::yield_now().await;
            });
        }
        self.state.get() == State::Dead || self.client.is_closed()
    }

    /// True when the transaction, or the connection, must be begun again.
    pub(in crate::store::driver) fn must_begin_again(&self) -> bool {
        matches!(self.state.get(), State::GivenUp | State::Dead)
    }
}

fn references<'v>(values: &'v [Value<'v>]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}
