//! The write-ahead log of a file is lost with bookings that were acknowledged. Nothing brings them back; what was signed
//! before tells that they are gone, and from which row on.

use super::under_load::UnderLoad;
use super::{End, blocking, figure, stage};
use crate::Setting;
use crate::database::Database;
use crate::provider::run;
use rusqlite::Connection;
use std::time::Duration;

/// How long there is load.
const LOAD: Duration = Duration::from_millis(500);

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let stage = stage(setting, "lost-wal").await?;
    let Database::Sqlite(file) = stage.database.clone() else {
        return Ok(End::Skipped(
            "only a file has a log that can be lost".to_owned(),
        ));
    };
    let provider = stage.launch("provider")?.start()?;
    // While somebody reads, nothing that comes later is copied from the log into the file.
    let reader = Connection::open(&file).map_err(|e| e.to_string())?;
    let pinned = reader.execute_batch("BEGIN; SELECT count(*) FROM tenant;");
    pinned.map_err(|e| e.to_string())?;
    let shared = stage.shared(&[provider.address()]);
    let UnderLoad {
        stage,
        mut provider,
        load,
        ..
    } = UnderLoad::of(stage, provider, &shared);
    tokio::time::sleep(LOAD).await;
    load.stop().await?;

    let path = |name: &str| stage.folder.join(name).display().to_string();
    let (key, anchors, public) = (path("audit.key"), path("anchors"), path("audit.pub"));
    let made = run(&stage.program, &["audit", "key", "--make", &key])?;
    let url = stage.database.url();
    let heads = run(
        &stage.program,
        &["audit", "head", "--database", &url, "--key", &key],
    )?;
    for (file, text) in [(&public, &made), (&anchors, &heads)] {
        std::fs::write(file, text).map_err(|e| format!("cannot write {file}: {e}"))?;
    }
    let verdict = stage.prove_with(&provider).await?;
    blocking(|| provider.kill());

    // The file alone, as it is without its log.
    let lost = stage.folder.join("lost.sqlite");
    std::fs::copy(&file, &lost).map_err(|e| format!("cannot copy the file: {e}"))?;
    drop(reader);
    let url = format!("sqlite:{}", lost.display());
    let against = [
        "audit",
        "verify",
        "--database",
        &url,
        "--anchors",
        &anchors,
        "--key",
        &public,
    ];
    let alone = run(&stage.program, &against[..4]);
    match run(&stage.program, &against) {
        Ok(said) => Err(format!("bookings were lost and nothing tells it: {said}")),
        Err(said) if said.contains("not what was signed") => Ok(End::Proved(
            verdict,
            vec![
                figure("lost and told", "yes"),
                figure(
                    "told by the trail alone",
                    if alone.is_ok() { "no" } else { "yes" },
                ),
            ],
        )),
        Err(other) => Err(format!("the loss was not told: {other}")),
    }
}
