//! The evidence folder: every message as a file, `result.json`, `junit.xml`, `scal.csv` and `report.html`.

use super::merge::Replaced;
use super::message::{self, Half};
use super::model::{Kind, Outcome, Run};
use super::redact::Redaction;
use super::table::{self, Line};
use super::{junit, report};
use booking::named_file;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The form of `result.json`; a change that old readers would misread gets a new number.
const FORMAT: &str = "uec-assurance-evidence/2";
/// The forms that are read: the first knew no advice and no product.
const READ: [&str; 2] = ["uec-assurance-evidence/1", FORMAT];
/// Largest `result.json` that is read: 100 exchanges with bodies at their bound, and room for thousands of usual size.
const RESULT_BYTES: u64 = 512 * 1024 * 1024;
/// Name of the machine-readable result.
const RESULT: &str = "result.json";
/// Name of the report.
const REPORT: &str = "report.html";
/// All that this program puts into the folder.
const OURS: [&str; 5] = [RESULT, "junit.xml", "scal.csv", REPORT, "messages"];

/// Why evidence could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// Evidence is never mixed with other files.
    #[error("{0} is not empty: name a new folder, so that no evidence is mixed or lost")]
    NotEmpty(PathBuf),
    /// The folder to replace holds something that is not evidence.
    #[error("{path} holds {name}, which is not evidence of this program: nothing was deleted")]
    NotOurs {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        name: String,
    },
    /// Not a result of this program, or a damaged one.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What `result.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The form of this file.
    pub format: String,
    /// True if tokens and patient data were taken out.
    pub redacted: bool,
    /// The runs.
    pub runs: Vec<Run>,
    /// Results that newer ones replaced when runs were merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaced: Vec<Replaced>,
}

/// A record as it is written: with the table, which is worked out anew whenever it is read.
#[derive(Serialize)]
struct WrittenRecord<'a> {
    #[serde(flatten)]
    record: &'a Record,
    scal: Vec<Line>,
}

/// Where the evidence of a run went.
#[derive(Clone, Debug)]
pub struct Written {
    /// The report for people.
    pub report: PathBuf,
    /// The result for machines.
    pub result: PathBuf,
    /// How many message files were written.
    pub messages: usize,
}

/// A folder that evidence is written to.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    redaction: Redaction,
    kept: usize,
}

impl Folder {
    /// Makes the folder, readable by its owner alone: messages may hold tokens and patient data. It may exist if it is
    /// empty.
    pub fn create(out: impl Into<PathBuf>) -> Result<Folder, FolderError> {
        let path = out.into();
        make_empty(&path)?;
        Ok(Folder {
            path,
            redaction: Redaction::Off,
            kept: 0,
        })
    }

    /// Makes the folder; evidence of an earlier run in it is deleted. A folder with anything else in it is left alone.
    pub fn replace(out: impl Into<PathBuf>) -> Result<Folder, FolderError> {
        let path = out.into();
        make(&path)?;
        for entry in fs::read_dir(&path).map_err(|e| failed(&path, e))? {
            let name = entry.map_err(|e| failed(&path, e))?.file_name();
            let name = name.to_string_lossy().into_owned();
            if !OURS.contains(&name.as_str()) {
                return Err(FolderError::NotOurs { path, name });
            }
        }
        for name in OURS {
            let entry = path.join(name);
            let gone = match entry.symlink_metadata() {
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => Err(e),
                Ok(about) if about.is_dir() => fs::remove_dir_all(&entry),
                Ok(_) => fs::remove_file(&entry),
            };
            gone.map_err(|e| failed(&entry, e))?;
        }
        Folder::create(path)
    }

    /// Takes tokens and patient data out of all that is written.
    #[must_use]
    pub fn redacting(mut self, redaction: Redaction) -> Folder {
        self.redaction = redaction;
        self
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the messages of the next outcome of a single run at once, so that a run that is broken off leaves them.
    /// [`Folder::finish`] writes them again, with everything else.
    pub fn keep(&mut self, kind: Kind, outcome: &Outcome) -> Result<(), FolderError> {
        let mut run = Run::started(kind, "");
        run.outcomes.push(outcome.clone());
        let run = self.redaction.apply(vec![run]);
        let folder = message::folder(0, kind, self.kept, &outcome.id);
        self.kept += 1;
        for outcome in run.iter().flat_map(|run| &run.outcomes) {
            self.messages(&folder, outcome)?;
        }
        Ok(())
    }

    /// Writes everything. `result.json` comes last: where it is, the evidence is whole.
    pub fn finish(self, runs: Vec<Run>) -> Result<Written, FolderError> {
        self.finish_merged(runs, Vec::new(), false)
    }

    /// Writes everything about merged runs. `redacted` says that tokens and patient data were taken out before.
    pub fn finish_merged(
        self,
        runs: Vec<Run>,
        replaced: Vec<Replaced>,
        redacted: bool,
    ) -> Result<Written, FolderError> {
        let record = Record {
            format: FORMAT.to_owned(),
            redacted: redacted || self.redaction == Redaction::On,
            runs: self.redaction.apply(runs),
            replaced,
        };
        let mut messages = 0;
        for (run, of_run) in record.runs.iter().enumerate() {
            for (place, outcome) in of_run.outcomes.iter().enumerate() {
                let folder = message::folder(run, of_run.kind, place, &outcome.id);
                messages += self.messages(&folder, outcome)?;
            }
        }
        self.write("junit.xml", junit::junit(&record.runs).as_bytes())?;
        self.write("scal.csv", table::csv(&record.runs).as_bytes())?;
        self.write(REPORT, report::html(&record).as_bytes())?;
        let written = WrittenRecord {
            scal: table::lines(&record.runs),
            record: &record,
        };
        let result = self.path.join(RESULT);
        let mut json =
            serde_json::to_vec_pretty(&written).map_err(|e| FolderError::Unreadable {
                path: result.clone(),
                reason: e.to_string(),
            })?;
        json.push(b'\n');
        write_whole(&result, &json)?;
        Ok(Written {
            report: self.path.join(REPORT),
            result,
            messages,
        })
    }

    /// Writes the messages of one outcome, and says how many files they are.
    fn messages(&self, folder: &str, outcome: &Outcome) -> Result<usize, FolderError> {
        if outcome.exchanges.is_empty() {
            return Ok(0);
        }
        make(&self.path.join(folder))?;
        let mut files = 0;
        for (i, exchange) in outcome.exchanges.iter().enumerate() {
            for half in [Half::Request, Half::Response] {
                let body_file = message::body_file(folder, i, half);
                self.write(
                    &message::file(folder, i, half),
                    &message::text(exchange, half, &body_file),
                )?;
                files += 1;
                let body = half.body(exchange);
                if body.text().is_none() {
                    self.write(&body_file, body.bytes())?;
                    files += 1;
                }
            }
        }
        Ok(files)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.path.join(name);
        fs::write(&path, bytes).map_err(|e| failed(&path, e))
    }
}

/// Writes a file whole or not at all: under another name first, then it is on the disk before it has its own.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".part");
    let part = path.with_file_name(name);
    let written = fs::File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written
        .and_then(|()| fs::rename(&part, path))
        .map_err(|e| failed(path, e))
}

/// Reads the evidence of a folder that [`Folder::finish`] wrote.
pub fn read(folder: &Path) -> Result<Record, FolderError> {
    let path = folder.join(RESULT);
    let unreadable = |reason: String| FolderError::Unreadable {
        path: path.clone(),
        reason,
    };
    let bytes =
        named_file::bytes(fs::File::open(&path), RESULT_BYTES).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidData => unreadable(e.to_string()),
            _ => failed(&path, e),
        })?;
    let record: Record = serde_json::from_slice(&bytes).map_err(|e| unreadable(e.to_string()))?;
    if !READ.contains(&record.format.as_str()) {
        return Err(unreadable(format!(
            "its format is {:?}; this program reads {FORMAT:?}",
            record.format
        )));
    }
    Ok(record)
}

/// Makes a folder, readable by its owner alone, or takes one that is empty.
pub(crate) fn make_empty(path: &Path) -> Result<(), FolderError> {
    make(path)?;
    let mut entries = fs::read_dir(path).map_err(|e| failed(path, e))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(FolderError::NotEmpty(path.to_owned())),
    }
}

fn make(path: &Path) -> Result<(), FolderError> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|e| failed(path, e))
}

fn failed(path: &Path, source: io::Error) -> FolderError {
    FolderError::Io {
        path: path.to_owned(),
        source,
    }
}
