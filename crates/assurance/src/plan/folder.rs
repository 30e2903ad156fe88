//! The folder of a plan: `plan.json`, its attachments, its reports. One program at a time writes it, and every answer
//! is on the disk before the next question.

use super::attachment;
use super::check::{self, Unfit};
use super::kind::PlanKind;
use super::model::{Plan, hex};
use super::{Given, Step};
use crate::evidence::{FolderError, make_empty, write_whole};
use booking::named_file;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the plan's file.
pub const PLAN: &str = "plan.json";
/// Locked while a program works on the folder. The lock ends with the program, however it ends.
const LOCK: &str = "plan.lock";
/// Where answers go when the plan's file was changed by somebody else meanwhile.
const UNSAVED: &str = "plan.unsaved.json";
/// Largest `plan.json`: every text of the longest plan at its bound.
const PLAN_BYTES: u64 = 16 * 1024 * 1024;

/// Why a plan could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// The folder holds no plan.
    #[error(
        "{0} holds no {PLAN}: make a plan with `uec assure plan new`, or name the folder of one"
    )]
    None(PathBuf),
    /// The folder for a new plan is not empty.
    #[error("{0} is not empty: name a new folder, so that nothing is mixed or lost")]
    NotEmpty(PathBuf),
    /// Another program works on it.
    #[error("{0} is being worked on by another program on this machine: end that one first")]
    Busy(PathBuf),
    /// The file is of a newer version.
    #[error(
        "{path} was written by a newer version of this program ({format}): use that one. Nothing was changed."
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its form.
        format: String,
    },
    /// The file is wrong.
    #[error("{path} cannot be used; nothing was changed.\n  {}", faults.join("\n  "))]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong, each with its place.
        faults: Vec<String>,
    },
    /// The file was changed by somebody else.
    #[error(
        "{path} was changed by another program meanwhile and was left as that one made it. What was written down here is \
         in {unsaved}: compare the two, and put it right."
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// Where our own state is.
        unsaved: PathBuf,
    },
    /// What was asked for is wrong; a sentence.
    #[error("{0}")]
    Wrong(String),
}

impl PlanError {
    pub(super) fn io(path: &Path, source: io::Error) -> PlanError {
        PlanError::Io {
            path: path.to_owned(),
            source,
        }
    }
}

impl From<FolderError> for PlanError {
    fn from(error: FolderError) -> PlanError {
        match error {
            FolderError::Io { path, source } => PlanError::Io { path, source },
            FolderError::NotEmpty(path) => PlanError::NotEmpty(path),
            other => PlanError::Wrong(other.to_string()),
        }
    }
}

/// A plan that this program alone works on.
#[derive(Debug)]
pub struct PlanFolder {
    path: PathBuf,
    /// What is written down. [`PlanFolder::save`] puts it on the disk.
    pub plan: Plan,
    /// SHA-256 of the file as it was last read or written here.
    on_disk: String,
    _lock: fs::File,
}

impl PlanFolder {
    /// Makes the folder, readable by its owner alone, with an empty plan.
    pub fn create(
        path: &Path,
        kind: PlanKind,
        title: Option<&str>,
    ) -> Result<PlanFolder, PlanError> {
        if let Some(title) = title {
            super::change::text("the title", title).map_err(PlanError::Wrong)?;
        }
        make_empty(path)?;
        let lock = lock(path)?;
        let mut folder = PlanFolder {
            path: path.to_owned(),
            plan: Plan::new(kind, title),
            on_disk: String::new(),
            _lock: lock,
        };
        folder.write()?;
        Ok(folder)
    }

    /// Opens a plan for work on it.
    pub fn open(path: &Path) -> Result<PlanFolder, PlanError> {
        if !path.join(PLAN).exists() {
            return Err(PlanError::None(path.to_owned()));
        }
        let lock = lock(path)?;
        let (plan, on_disk) = load(path)?;
        Ok(PlanFolder {
            path: path.to_owned(),
            plan,
            on_disk,
            _lock: lock,
        })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts what is written down on the disk: whole or not at all.
    pub fn save(&mut self) -> Result<(), PlanError> {
        let path = self.path.join(PLAN);
        let found = read_bounded(&path)?;
        if hex(found.as_bytes()) != self.on_disk {
            let unsaved = self.path.join(UNSAVED);
            write_whole(&unsaved, &self.text()?)?;
            return Err(PlanError::Changed { path, unsaved });
        }
        self.write()
    }

    fn write(&mut self) -> Result<(), PlanError> {
        let text = self.text()?;
        write_whole(&self.path.join(PLAN), &text)?;
        self.on_disk = hex(&text);
        Ok(())
    }

    fn text(&self) -> Result<Vec<u8>, PlanError> {
        let mut text =
            serde_json::to_vec_pretty(&self.plan).map_err(|e| PlanError::Wrong(e.to_string()))?;
        text.push(b'\n');
        // What could not be read back is not written.
        if text.len() as u64 > PLAN_BYTES {
            return Err(PlanError::Wrong(format!(
                "the plan would be larger than {PLAN_BYTES} bytes: shorten what was written"
            )));
        }
        Ok(text)
    }

    /// Writes down how a step ended, with copies of the files that show it: all of it is on the disk, or nothing was
    /// changed.
    pub fn record(
        &mut self,
        step: &Step,
        given: &Given,
        files: &[PathBuf],
    ) -> Result<(), PlanError> {
        let before = self.plan.clone();
        let recorded = self.written_down(step, given, files);
        if recorded.is_err() {
            self.plan = before;
        }
        recorded?;
        self.save()
    }

    fn written_down(
        &mut self,
        step: &Step,
        given: &Given,
        files: &[PathBuf],
    ) -> Result<(), PlanError> {
        let recorded = self.plan.record(&step.id, given);
        recorded.map_err(PlanError::Wrong)?;
        for from in files {
            let file = attachment::copy(&self.path, &self.stem(step)?, from)?;
            self.plan.add_attachment(&step.id, file);
        }
        Ok(())
    }

    /// Keeps bytes that the tool made, as a file of a step: its name in the folder.
    pub fn attach_bytes(
        &mut self,
        step: &Step,
        name: &str,
        bytes: &[u8],
    ) -> Result<String, PlanError> {
        let file = attachment::write(&self.path, &self.stem(step)?, name, bytes)?;
        let kept = file.file.clone();
        self.plan.add_attachment(&step.id, file);
        Ok(kept)
    }

    /// The beginning of the next attachment's name: no file that is named or there begins so. Files of attempts that were
    /// broken off may lie in the folder.
    fn stem(&self, step: &Step) -> Result<String, PlanError> {
        let named = self.plan.answers.values().flat_map(|a| &a.attachments);
        let mut taken: Vec<String> = named.map(|a| a.file.clone()).collect();
        if taken.len() >= attachment::MAX_COUNT {
            return Err(PlanError::Wrong(format!(
                "the plan has {} attachments already, and takes no more: put several pictures into one document",
                attachment::MAX_COUNT
            )));
        }
        taken.extend(names_in(&self.path.join(attachment::FOLDER))?);
        let is_free = |stem: &String| {
            let begins = format!("{stem}-");
            !taken.iter().any(|file| file.starts_with(&begins))
        };
        let stems = (1..=taken.len() + 1).map(|n| format!("{}-{n}", step.file_name()));
        Ok(stems.into_iter().find(is_free).unwrap_or_default())
    }
}

/// The names of the files in a folder; none when it is not there. What cannot be listed might be overwritten.
fn names_in(folder: &Path) -> Result<Vec<String>, PlanError> {
    let names = match fs::read_dir(folder) {
        Ok(entries) => entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    };
    names.map_err(|e| PlanError::io(folder, e))
}

/// Reads a plan without working on it. What is read is whole, even while another program works on it.
pub fn read(path: &Path) -> Result<Plan, PlanError> {
    load(path).map(|(plan, _)| plan)
}

fn load(folder: &Path) -> Result<(Plan, String), PlanError> {
    let path = folder.join(PLAN);
    if !path.exists() {
        return Err(PlanError::None(folder.to_owned()));
    }
    let text = read_bounded(&path)?;
    let plan = check::plan(&text).map_err(|unfit| match unfit {
        Unfit::Newer(format) => PlanError::Newer { path, format },
        Unfit::Wrong(faults) => PlanError::Unfit { path, faults },
    })?;
    Ok((plan, hex(text.as_bytes())))
}

fn read_bounded(path: &Path) -> Result<String, PlanError> {
    named_file::text(fs::File::open(path), PLAN_BYTES).map_err(|e| match e.kind() {
        io::ErrorKind::InvalidData => PlanError::Unfit {
            path: path.to_owned(),
            faults: vec![e.to_string()],
        },
        _ => PlanError::io(path, e),
    })
}

fn lock(folder: &Path) -> Result<fs::File, PlanError> {
    let path = folder.join(LOCK);
    let file = fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| PlanError::io(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(PlanError::Busy(folder.to_owned())),
        Err(fs::TryLockError::Error(e)) => Err(PlanError::io(&path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_cannot_be_listed_is_not_taken_for_an_empty_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("attachments");
        assert_eq!(names_in(&folder).unwrap(), Vec::<String>::new());
        fs::write(&folder, "no folder").unwrap();
        let refused = names_in(&folder).unwrap_err().to_string();
        assert!(refused.contains("attachments"), "{refused}");
    }
}
