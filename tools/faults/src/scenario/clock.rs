//! The Provider's clock jumps forward and back, by libfaketime; the consumers' clocks jump with it.

use super::{BACK_WITHIN, CLIENTS, End, blocking, figure, stage};
use crate::Setting;
use crate::load::Load;
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Jumps: quick, and full.
const ROUNDS: [usize; 2] = [4, 60];
/// Farthest from the true time, in minutes. The slots begin with the next day, so that none of them passes.
const FARTHEST: usize = 20;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let Some(library) = library() else {
        let why = "the program has no clock that can be set, and libfaketime (Debian package `libfaketime`) is not installed";
        return Ok(End::Skipped(why.to_owned()));
    };
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let stage = stage(setting, "clock").await?;
    let mut random = stage.random.clone();
    let file = stage.folder.join("clock");
    set(&file, 0)?;
    let mut launch = stage.launch("provider")?;
    launch.environment = vec![
        ("LD_PRELOAD".to_owned(), library.display().to_string()),
        (
            "FAKETIME_TIMESTAMP_FILE".to_owned(),
            file.display().to_string(),
        ),
        ("FAKETIME_NO_CACHE".to_owned(), "1".to_owned()),
        // The clock on the wall jumps; the one that measures time does not.
        ("FAKETIME_DONT_FAKE_MONOTONIC".to_owned(), "1".to_owned()),
    ];
    let mut provider = launch.start()?;
    let mut shared = stage.shared(&[provider.address()]);
    // A token that was made before a jump may be refused after it.
    shared.tokens_may_fail = true;
    let load = Load::start(&shared, CLIENTS, &mut random);
    for round in 1..=rounds {
        tokio::time::sleep(random.between(100, 400)).await;
        let minutes = i64::try_from(random.below(2 * FARTHEST + 1)).unwrap_or(0) - FARTHEST as i64;
        let by = minutes * 60 - i64::try_from(random.below(60)).unwrap_or(0);
        stage
            .ledger
            .fault(&format!("the clock is {by} seconds off"));
        set(&file, by)?;
        let moment = Timestamp::now() + SignedDuration::from_secs(by);
        stage.heads.at(moment)?;
        if !load.goes_on(BACK_WITHIN).await {
            stage.ledger.wrong(&format!(
                "nothing was booked for {BACK_WITHIN:?} after the clock jumped"
            ));
        }
        setting.progress("clock", round, rounds);
    }
    let counts = load.stop().await?;
    blocking(|| provider.stop());
    stage.heads.at(Timestamp::now())?;
    let verdict = stage.prove().await?;
    Ok(End::Proved(
        verdict,
        vec![
            figure("jumps", rounds),
            figure("booked", counts.booked.load(Ordering::Relaxed)),
        ],
    ))
}

fn set(file: &Path, seconds: i64) -> Result<(), String> {
    // Renamed into place: half a file would be another time.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}\n"))
        .and_then(|()| std::fs::rename(&new, file))
        .map_err(|e| format!("cannot write {}: {e}", file.display()))
}

/// The library for programs with threads.
fn library() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?.flatten();
    folders
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|file| file.is_file())
}
