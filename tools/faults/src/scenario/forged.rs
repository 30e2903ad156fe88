//! The proof of the proof: violations are forged in the database behind the program's back, and must be found.

use super::under_load::UnderLoad;
use super::{End, blocking, figure};
use crate::Setting;
use crate::database::Database;
use crate::proof::judge::Kind;
use crate::proof::{self, Where};
use std::time::Duration;

/// How long there is load before.
const LOAD: Duration = Duration::from_millis(500);
/// A live booking, the same one in every statement that asks.
const ONE: &str = "(SELECT max(key) FROM appointment WHERE live = 1)";

/// A forgery: its name, its statements, what must be found.
type Forgery = (&'static str, String, Kind);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let UnderLoad {
        stage,
        mut provider,
        load,
        ..
    } = UnderLoad::start(setting, "forged").await?;
    tokio::time::sleep(LOAD).await;
    load.stop().await?;
    blocking(|| provider.stop());
    let verdict = stage.prove().await?;
    if !verdict.violations.is_empty() {
        return Ok(End::Proved(verdict, Vec::new()));
    }
    let at = Where {
        program: &stage.program,
        folder: &stage.folder,
        database: &stage.database,
    };
    let mut found = Vec::new();
    for (name, statements, kind) in forgeries(&stage.database) {
        blocking(|| stage.database.execute(&statements))?;
        let forged = blocking(|| proof::prove(&at, None))?;
        if !forged.violations.iter().any(|v| v.kind == kind) {
            return Err(format!("{name} was forged and not found"));
        }
        found.push(name);
    }
    Ok(End::Proved(
        verdict,
        vec![figure("forged and found", found.join(", "))],
    ))
}

fn forgeries(database: &Database) -> Vec<Forgery> {
    let (kept, fixed) = match database {
        Database::Sqlite(_) => (
            "DROP TRIGGER appointment_version_kept; DROP TRIGGER audit_kept;",
            "DROP TRIGGER audit_fixed;",
        ),
        Database::Postgres(_) => (
            "DROP TRIGGER appointment_version_kept ON appointment_version; DROP TRIGGER audit_kept ON audit;",
            "DROP TRIGGER audit_fixed ON audit;",
        ),
    };
    let columns = "tenant, version, status, live, slot, schedule, start, finish, day, service, booked_at, \
                   booked_asid, booked_ods";
    vec![
        (
            "a lost booking",
            format!(
                "{kept} UPDATE slot SET status = 0 WHERE key = (SELECT slot FROM appointment WHERE key = {ONE}); \
                 DELETE FROM document_link WHERE appointment = {ONE}; \
                 DELETE FROM appointment_version WHERE appointment = {ONE}; \
                 DELETE FROM appointment WHERE key = {ONE};"
            ),
            Kind::Lost,
        ),
        (
            "a double booking",
            format!(
                "DROP INDEX appointment_live; INSERT INTO appointment (id, {columns}) \
                 SELECT '00000000-0000-4000-8000-000000000000', {columns} FROM appointment WHERE key = {ONE};"
            ),
            Kind::Double,
        ),
        (
            "a changed audit row",
            format!(
                "{fixed} UPDATE audit SET body = replace(body, 'Fernhill', 'Fernhall') \
                 WHERE at = (SELECT min(at) FROM audit WHERE body LIKE '%Fernhill%');"
            ),
            Kind::Trail,
        ),
    ]
}
