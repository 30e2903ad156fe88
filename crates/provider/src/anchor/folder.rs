//! The folder of anchors: one file a day. Lines are only added, and each round is synced.
//!
//! Processes on several machines may share a folder; a folder belongs to one database. Nothing here removes old files: a
//! head every minute is at most half a megabyte per provider and day.

use super::key::PublicKey;
use super::line::{Anchor, Kind, LINE_BYTES, Parsed, parse};
use jiff::civil::Date;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Prefix of a file name; the day and `.jsonl` follow.
const NAME: &str = "audit-";
/// Suffix of a file name.
const ENDING: &str = ".jsonl";
/// Most files in a folder: a hundred years.
const FILES_MOST: usize = 36_525;
/// Most anchors compared at once, some 400 MB: one a minute for four years. To check more, name the files one by one.
const ANCHORS_MOST: usize = 2_000_000;
/// Most pieces of an overlong line that are skipped, 1 MB in all. A file with longer lines holds neither anchors nor a log.
const PIECES_MOST: usize = (1 << 20) / LINE_BYTES;
/// Most faults named. All are counted.
const NAMED: usize = 5;

/// A folder for anchors.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens the folder, and makes it if it is absent.
    pub fn open(path: &Path) -> Result<Folder, String> {
        std::fs::create_dir_all(path).map_err(|e| {
            format!(
                "audit.folder: {} cannot be used for anchors: {e}",
                path.display()
            )
        })?;
        Ok(Folder {
            path: path.to_owned(),
        })
    }

    /// Path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends lines to the file of a day. They are on the disk when this returns.
    pub fn append(&self, day: Date, lines: &[&str]) -> io::Result<()> {
        let path = self.path.join(format!("{NAME}{day}{ENDING}"));
        let is_new = !path.exists();
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)?;
        let mut text = String::new();
        // Ends the partial line of a process that was killed while it wrote; readers count that line as damaged.
        if file.metadata()?.len() > 0 {
            let mut last = [0];
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                text.push('\n');
            }
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match is_new {
            true => File::open(&self.path)?.sync_all(),
            false => Ok(()),
        }
    }
}

/// An anchor of a provider, in writing order.
#[derive(Clone, Debug)]
pub struct Point {
    /// What was signed.
    pub anchor: Anchor,
    /// A later acceptance covers what this anchor says is lost.
    pub accepted: bool,
}

/// The anchors that were read.
#[derive(Default)]
pub struct Anchors {
    /// By ODS code of the provider, oldest first.
    pub providers: BTreeMap<String, Vec<Point>>,
    /// Anchors read successfully.
    pub taken: usize,
    /// The first few skipped anchors: what is wrong and where.
    pub faults: Vec<String>,
    /// Anchors that none of the keys signed.
    pub faulty: usize,
    /// Unreadable anchors, such as the partial line of a process that was killed.
    pub damaged: usize,
    /// True when no keys were given, so signatures are unchecked.
    pub unchecked: bool,
}

impl Anchors {
    /// Reads the anchors of a file, or of all files of a folder. With keys it takes only what one of them signed; without
    /// keys it takes all.
    pub fn read(path: &Path, keys: &[PublicKey]) -> Result<Anchors, String> {
        let mut anchors = Anchors::with(keys);
        match path.is_dir() {
            false => anchors.take_file(path, keys)?,
            true => {
                for file in files(path)? {
                    anchors.take_file(&file, keys)?;
                }
            }
        }
        anchors.mark_accepted();
        Ok(anchors)
    }

    /// Reads files from the latest back, until all these providers have been seen.
    pub fn latest(path: &Path, keys: &[PublicKey], providers: &[&str]) -> Result<Anchors, String> {
        let mut all = Anchors::with(keys);
        for file in files(path)?.iter().rev() {
            let mut older = Anchors::with(keys);
            older.take_file(file, keys)?;
            for (provider, points) in older.providers {
                all.providers
                    .entry(provider)
                    .or_default()
                    .splice(0..0, points);
            }
            all.taken += older.taken;
            all.faulty += older.faulty;
            all.damaged += older.damaged;
            all.faults.extend(older.faults);
            let is_enough = providers.iter().all(|p| all.providers.contains_key(*p));
            if is_enough || all.taken >= ANCHORS_MOST {
                break;
            }
        }
        all.faults.truncate(NAMED);
        all.mark_accepted();
        Ok(all)
    }

    fn with(keys: &[PublicKey]) -> Anchors {
        Anchors {
            unchecked: keys.is_empty(),
            ..Anchors::default()
        }
    }

    fn take_file(&mut self, path: &Path, keys: &[PublicKey]) -> Result<(), String> {
        let failed =
            |e: io::Error| format!("the anchors in {} cannot be read: {e}", path.display());
        let mut reader = BufReader::new(File::open(path).map_err(failed)?);
        let mut number = 0_u64;
        let mut line = Vec::new();
        // Ends with the file.
        while let Some(is_whole) = next_line(&mut reader, &mut line).map_err(failed)? {
            number += 1;
            let read = match is_whole {
                true => parse(&String::from_utf8_lossy(&line)),
                false => Parsed::Other,
            };
            let read = match read {
                Parsed::Other => continue,
                Parsed::Damaged => {
                    self.damaged += 1;
                    self.fault(path, number, "it cannot be read");
                    continue;
                }
                Parsed::Anchor(read) => read,
            };
            let signed = match keys.is_empty() {
                true => Some(true),
                false => read.is_signed_by(keys),
            };
            match signed {
                Some(true) => {}
                Some(false) => {
                    self.faulty += 1;
                    self.fault(path, number, "it was not signed by the key that it names");
                    continue;
                }
                None => {
                    let what = format!("the key {} was not given", read.anchor.key);
                    self.faulty += 1;
                    self.fault(path, number, &what);
                    continue;
                }
            }
            if self.taken >= ANCHORS_MOST {
                return Err(format!(
                    "{} holds more than {ANCHORS_MOST} anchors: name its files one by one",
                    path.display()
                ));
            }
            self.take(read.anchor);
        }
        Ok(())
    }

    fn take(&mut self, anchor: Anchor) {
        self.taken += 1;
        let points = self.providers.entry(anchor.provider.clone()).or_default();
        points.push(Point {
            anchor,
            accepted: false,
        });
    }

    fn fault(&mut self, path: &Path, number: u64, what: &str) {
        if self.faults.len() < NAMED {
            self.faults
                .push(format!("{}, line {number}: {what}", path.display()));
        }
    }

    fn mark_accepted(&mut self) {
        for points in self.providers.values_mut() {
            let last = points.iter().rposition(|p| p.anchor.kind == Kind::Accepted);
            points[..last.unwrap_or(0)]
                .iter_mut()
                .for_each(|point| point.accepted = true);
        }
    }
}

/// The files of a folder, oldest first.
fn files(path: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |e: io::Error| format!("the folder {} cannot be read: {e}", path.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let is_ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(NAME) && name.ends_with(ENDING));
        if is_ours {
            found.push(path.join(name));
        }
        if found.len() > FILES_MOST {
            return Err(format!(
                "the folder {} has more than {FILES_MOST} files of anchors",
                path.display()
            ));
        }
    }
    // Names sort by day.
    found.sort();
    Ok(found)
}

/// The next line. False: it is longer than any anchor, and was skipped.
fn next_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Option<bool>> {
    line.clear();
    let most = LINE_BYTES as u64;
    if reader.by_ref().take(most).read_until(b'\n', line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') || (line.len() as u64) < most {
        return Ok(Some(true));
    }
    let mut rest = Vec::new();
    let mut pieces = 0;
    // Each round skips a piece of the line. Ends with the line, or when the line is longer than any of a log.
    while reader.by_ref().take(most).read_until(b'\n', &mut rest)? > 0
        && rest.last() != Some(&b'\n')
    {
        rest.clear();
        pieces += 1;
        if pieces > PIECES_MOST {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it has a line of more than a megabyte, so it holds no anchors",
            ));
        }
    }
    Ok(Some(false))
}
