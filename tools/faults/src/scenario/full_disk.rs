//! The disk fills up under load and has room again: a small file system in memory where mounting is permitted, and a
//! limit on the size of files everywhere.

use super::under_load::{Ending, UnderLoad};
use super::{End, blocking, diary, figure};
use crate::Setting;
use crate::stage::{Kind, Stage};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use testkit::process;

/// How often it fills up: quick, and full.
const ROUNDS: [usize; 2] = [2, 12];
/// Megabytes of the disk: the database of a scenario, its log, and room to run into the end.
const DISK: [(Kind, usize); 2] = [(Kind::Sqlite, 96), (Kind::Postgres, 400)];
/// Largest file under the limit, in blocks of 512 bytes (`ulimit -f` of a POSIX shell): 12 MB.
const LARGEST: usize = 24 * 1_024;

pub(super) async fn play(setting: &Setting) -> Result<End, String> {
    let folder = setting.folder.join("full-disk");
    std::fs::create_dir_all(&folder).map_err(|e| e.to_string())?;
    let disk = match Disk::mount(&folder.join("disk"), setting.store) {
        Ok(disk) => disk,
        Err(why) if setting.store == Kind::Postgres => {
            return Ok(End::Skipped(format!("no small disk can be mounted: {why}")));
        }
        Err(why) => return limited(setting, folder, &why).await,
    };
    let stage = Stage::set_in(
        setting,
        "full-disk",
        diary(setting),
        folder,
        disk.folder.clone(),
    )
    .await?;
    filled(setting, stage, &disk).await
}

/// Fills the disk again and again. The database goes with the stage, before the disk under it.
async fn filled(setting: &Setting, stage: Stage, disk: &Disk) -> Result<End, String> {
    let rounds = ROUNDS[usize::from(!setting.quick)];
    let launch = stage.launch("provider")?;
    let mut play = UnderLoad::launch(stage, &launch)?;
    for round in 1..=rounds {
        play.pause(100, 400).await;
        play.stage.ledger.fault("the disk is full");
        blocking(|| disk.fill())?;
        play.pause(600, 1_500).await;
        blocking(|| disk.free())?;
        play.must_run("the disk was full")?;
        play.must_book("after the disk had room").await;
        setting.progress("full-disk", round, rounds);
    }
    let full = figure("full", format!("{rounds} times, a file system in memory"));
    let mut end = play.prove(Ending::Stopped, vec![full]).await?;
    match refused(&mut end) {
        0 => Err("the full disk was not felt: nothing was answered 503".to_owned()),
        _ => Ok(end),
    }
}

/// Without the right to mount: no file may grow over a limit, until the process is restarted without it.
async fn limited(setting: &Setting, folder: PathBuf, why: &str) -> Result<End, String> {
    let stage = Stage::set_in(setting, "full-disk", diary(setting), folder.clone(), folder).await?;
    let mut launch = stage.launch("provider")?;
    launch.before = Some(format!("trap '' XFSZ; ulimit -f {LARGEST}"));
    let mut play = UnderLoad::launch(stage, &launch)?;
    play.stage.ledger.fault("no file may grow over 12 MB");
    let seconds = if setting.quick { 6 } else { 30 };
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    launch.before = None;
    blocking(|| play.provider.kill());
    play.provider = launch.start()?;
    play.must_book("after the limit was gone").await;
    let full = format!("a limit on files, since nothing can be mounted ({why})");
    let mut end = play
        .prove(Ending::Stopped, vec![figure("full", full)])
        .await?;
    refused(&mut end);
    Ok(end)
}

/// Adds how many changes were answered 5xx to the figures, and gives it.
fn refused(end: &mut End) -> usize {
    let End::Proved(verdict, figures) = end else {
        return 0;
    };
    let answers = verdict.facts.answers.range(500..);
    let refused = answers.map(|(_, count)| count).sum();
    figures.push(figure("changes answered 5xx", refused));
    refused
}

/// A file system in memory.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(folder: &Path, store: Kind) -> Result<Disk, String> {
        std::fs::create_dir_all(folder).map_err(|e| e.to_string())?;
        let size = DISK
            .iter()
            .find(|(kind, _)| *kind == store)
            .map_or(64, |(_, size)| *size);
        let mut mount = Command::new("mount");
        mount.args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={size}m,mode=755"),
            "tmpfs",
        ]);
        process::output(mount.arg(folder))?;
        Ok(Disk {
            folder: folder.to_owned(),
        })
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// Takes all that is left.
    fn fill(&self) -> Result<(), String> {
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.ballast())
            .map_err(|e| e.to_string())?;
        for size in [1 << 20, 1 << 12] {
            let piece = vec![0; size];
            // Ends when the disk is full, which it is after its own size at the latest.
            while file.write_all(&piece).is_ok() {}
        }
        Ok(())
    }

    fn free(&self) -> Result<(), String> {
        std::fs::remove_file(self.ballast()).map_err(|e| e.to_string())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a process that just ended may still be on its way out.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}
