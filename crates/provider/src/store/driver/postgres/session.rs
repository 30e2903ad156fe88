//! What a connection is for, and the limits that the server keeps for it.

use std::time::Duration;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Role {
    /// Looks at the schema.
    Opening,
    /// Brings the schema up to date.
    Schema,
    /// Writes groups.
    Writer,
    /// Short reads.
    Reader,
    /// Short reads at a standby, which may fail: the primary is asked then.
    Replica,
    /// One long read, such as the check of an audit trail.
    Long,
    /// Fills an empty database, in one transaction.
    Copy,
}

/// What one statement of a writer may take: a batch of a diary change is tenths of a second.
const WRITE: Duration = Duration::from_secs(8);
/// What one short read may take.
const READ: Duration = Duration::from_secs(4);
/// What one short read at a standby may take.
const READ_REPLICA: Duration = Duration::from_secs(1);
/// What one row of a long read may take to come, and a look at the schema.
const LONG: Duration = Duration::from_secs(60);
/// How long another transaction's lock is waited for: as long as another program's on SQLite.
const LOCK: Duration = Duration::from_secs(2);
/// What one statement of a schema change may take: an index of a table of many years is tens of minutes. A server that has
/// gone away is noticed by the connection long before.
const SCHEMA: Duration = Duration::from_secs(4 * 60 * 60);
/// A transaction whose process does nothing for so long has lost its process; its locks are taken from it.
const IDLE: Duration = Duration::from_secs(10);
/// What one statement of a copy may take: some pass over a whole table. A server that has gone away is noticed by the
/// connection long before.
const COPY: Duration = Duration::from_secs(60 * 60);
/// How long a copy may write nothing: it waits for the database that it reads from.
const IDLE_COPY: Duration = Duration::from_secs(10 * 60);
/// How much longer than the server a caller waits for the server's own word.
const GRACE: Duration = Duration::from_secs(1);

impl Role {
    /// How long a caller waits for an answer before it takes the connection for dead.
    pub(super) fn patience(self) -> Duration {
        match self {
            Role::Writer => WRITE + GRACE,
            Role::Reader => READ + GRACE,
            Role::Replica => READ_REPLICA + GRACE,
            Role::Opening | Role::Long => LONG,
            Role::Copy => COPY,
            Role::Schema => SCHEMA,
        }
    }

    /// Sets the session up. The server asks as well whether the other side is still there, so that a client that vanished
    /// in the middle of a message does not keep its locks. Statements are planned for any tenant: a tenant that came after
    /// the last ANALYZE looks empty to a plan of its own, and for no rows every index is as good as the right one.
    pub(super) fn settings(self) -> String {
        let (statement, lock) = match self {
            Role::Writer => (WRITE, LOCK),
            Role::Reader => (READ, LOCK),
            Role::Replica => (READ_REPLICA, LOCK),
            // Not a bound on the whole of it, which may take hours; the caller watches that rows come.
            Role::Long | Role::Copy => (Duration::ZERO, LOCK),
            // A lock that a table is changed under is waited for as each step says.
            Role::Opening | Role::Schema => (Duration::ZERO, Duration::ZERO),
        };
        let idle = match self {
            // Rows are read between statements for as long as it takes.
            Role::Long => Duration::ZERO,
            Role::Copy => IDLE_COPY,
            _ => IDLE,
        };
        let read_only = match self {
            Role::Writer | Role::Opening | Role::Schema | Role::Copy => "off",
            Role::Reader | Role::Replica | Role::Long => "on",
        };
        format!(
            "SET statement_timeout = {}; SET lock_timeout = {}; SET idle_in_transaction_session_timeout = {};
             SET default_transaction_read_only = {read_only};
             SET plan_cache_mode = force_generic_plan;
             SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 3; SET tcp_keepalives_count = 3;
             SELECT set_config('synchronous_commit', 'on', false)
             WHERE current_setting('synchronous_commit') IN ('off', 'local')",
            statement.as_millis(),
            lock.as_millis(),
            idle.as_millis(),
        )
    }
}
