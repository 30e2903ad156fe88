//! The Provider's clock jumps forward and back, by libfaketime; the consumers' clocks jump with it.

use super::under_load::{Ending, UnderLoad};
use super::{End, figure, stage};
use crate::Setting;
use jiff::{SignedDuration, Timestamp};
use std::path::{Path, PathBuf};

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
    let provider = launch.start()?;
    let mut shared = stage.shared(&[provider.address()]);
    // A token that was made before a jump may be refused after it.
    shared.tokens_may_fail = true;
    let mut play = UnderLoad::of(stage, provider, &shared);
    for round in 1..=rounds {
        play.pause(100, 400).await;
        let minutes =
            i64::try_from(play.random.below(2 * FARTHEST + 1)).unwrap_or(0) - FARTHEST as i64;
        let by = minutes * 60 - i64::try_from(play.random.below(60)).unwrap_or(0);
        let what = format!("the clock is {by} seconds off");
        play.stage.ledger.fault(&what);
        set(&file, by)?;
        let moment = Timestamp::now() + SignedDuration::from_secs(by);
        play.stage.heads.at(moment)?;
        play.must_book("after the clock jumped").await;
        setting.progress("clock", round, rounds);
    }
    set(&file, 0)?;
    play.stage.heads.at(Timestamp::now())?;
    play.prove(Ending::Stopped, vec![figure("jumps", rounds)])
        .await
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
