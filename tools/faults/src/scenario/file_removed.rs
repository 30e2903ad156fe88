//! The database file or its log is removed or replaced under load: from then on nothing is acknowledged, readiness says
//! why, and what was acknowledged is saved as the guide for operators says.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, figure, none_acknowledged};
use crate::Setting;
use crate::database::Database;
use std::path::{Path, PathBuf};

/// How often something is taken away, each way in turn: quick, and full.
const ROUNDS: [usize; 2] = [2, 24];
/// What readiness says at once, by the writes that fail; the text follows with the next look of the server at itself.
const REASON: &str = "database-write";

/// What is taken away.
#[derive(Clone, Copy)]
enum Way {
    /// The file and what belongs to it.
    Removed,
    /// Another file, an older copy, stands in its place.
    Replaced,
    /// Only the log.
    Log,
}

const WAYS: [Way; 3] = [Way::Removed, Way::Replaced, Way::Log];

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let mut play = UnderLoad::start(setting, "file-removed").await?;
    let Database::Sqlite(file) = play.stage.database.clone() else {
        return Ok(End::Skipped("only a file can be removed".to_owned()));
    };
    let mut refused = 0;
    for round in 0..rounds {
        play.pause(200, 500).await;
        let way = WAYS[round % WAYS.len()];
        play.stage.ledger.fault(way.take(&file)?);
        if !play.unready(REASON) {
            let what = format!("readiness does not say {REASON}");
            play.stage.ledger.wrong(&what);
        }
        refused += none_acknowledged(&play.stage, &play.provider, &mut play.random).await?;
        // As docs/operations.md says, the clients all the while there.
        match way {
            Way::Removed | Way::Replaced => {
                let saved = save(play.provider.id(), &play.stage.folder)?;
                // Harsher than the guide: nothing that is acknowledged may need the process from here on.
                blocking(|| play.provider.kill());
                put_in_place(&saved, &file)?;
            }
            Way::Log => {
                if !blocking(|| play.provider.stop()) {
                    play.stage.ledger.wrong("the server did not end by itself");
                }
            }
        }
        blocking(|| play.provider.restart())?;
        play.must_book("after the file was back").await;
        setting.progress("file-removed", round + 1, rounds);
    }
    let figures = vec![
        figure("taken away", format!("{rounds} times")),
        figure("refused 503 meanwhile, of those asked", refused),
    ];
    play.prove(Ending::Runs, figures).await
}

impl Way {
    fn take(self, file: &Path) -> Result<&'static str, String> {
        match self {
            Way::Removed => {
                for suffix in ["", "-wal", "-shm"] {
                    remove(&beside(file, suffix))?;
                }
                Ok("the file is removed")
            }
            Way::Replaced => {
                let copy = beside(file, ".older");
                std::fs::copy(file, &copy).map_err(|e| e.to_string())?;
                std::fs::rename(&copy, file).map_err(|e| e.to_string())?;
                Ok("the file is replaced")
            }
            Way::Log => {
                remove(&beside(file, "-wal"))?;
                Ok("the log is removed")
            }
        }
    }
}

fn beside(file: &Path, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", file.display()))
}

fn remove(file: &Path) -> Result<(), String> {
    match std::fs::remove_file(file) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", file.display()))
        }
        _ => Ok(()),
    }
}

/// Copies the open file of the process.
fn save(process: u32, folder: &Path) -> Result<PathBuf, String> {
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).map_err(|e| e.to_string())?;
    let found = open.flatten().map(|entry| entry.path()).find(|path| {
        let target = std::fs::read_link(path).unwrap_or_default();
        target
            .to_string_lossy()
            .ends_with("provider.sqlite (deleted)")
    });
    let saved = folder.join("saved.sqlite");
    let found = found.ok_or("the removed file is not open")?;
    std::fs::copy(found, &saved).map_err(|e| format!("cannot save the file: {e}"))?;
    Ok(saved)
}

/// The copy in the place of the file, nothing else beside it but the tally: nothing may be missing by it.
fn put_in_place(saved: &Path, file: &Path) -> Result<(), String> {
    for suffix in ["-wal", "-shm"] {
        remove(&beside(file, suffix))?;
    }
    std::fs::rename(saved, file).map_err(|e| format!("cannot put the copy in place: {e}"))
}
