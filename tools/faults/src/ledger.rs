//! What clients did and were told: a file that is only added to, one line at a time.
//!
//! A line is written before a request is sent and when its outcome is known, straight to the file: what was noted
//! survives the end of this program, however it ends, and `--prove` judges by it later.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// Name of the file in a scenario's folder.
pub const FILE: &str = "ledger.tsv";

/// The open file.
pub struct Ledger {
    file: Mutex<File>,
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Nobody listened: the request was not sent.
    Unsent,
    /// The connection broke after some of it, or all of it, was sent.
    Broken,
    /// No answer within the limit.
    Hung,
}

impl Lost {
    /// The word in the file.
    pub fn word(self) -> &'static str {
        match self {
            Lost::Unsent => "unsent",
            Lost::Broken => "broken",
            Lost::Hung => "hung",
        }
    }

    /// The meaning of a word.
    pub fn of(word: &str) -> Option<Lost> {
        [Lost::Unsent, Lost::Broken, Lost::Hung]
            .into_iter()
            .find(|lost| lost.word() == word)
    }
}

impl Ledger {
    /// Opens the file of a folder at its end, or makes it.
    pub fn open(folder: &Path) -> Result<Ledger, String> {
        let path = folder.join(FILE);
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        Ok(Ledger {
            file: Mutex::new(file),
        })
    }

    /// A slot that is there to be booked, its number within the run, and how many bookings a consumer may have on its
    /// day in that service (0: any number).
    pub fn slot(&self, number: usize, uuid: Uuid, service: &str, cap: u32) {
        self.line(&format!("slot\t{number}\t{uuid}\t{service}\t{cap}\n"));
    }

    /// A booking is about to be sent.
    pub fn book(&self, request: Uuid, slot: usize) {
        self.line(&format!("book\t{request}\t{slot}\n"));
    }

    /// A cancellation is about to be sent.
    pub fn cancel(&self, request: Uuid, appointment: Uuid) {
        self.line(&format!("cancel\t{request}\t{appointment}\n"));
    }

    /// An answer: status, and the appointment that it names.
    pub fn told(&self, request: Uuid, status: u16, appointment: Option<Uuid>, took: Duration) {
        let named = appointment.map_or_else(|| "-".to_owned(), |a| a.to_string());
        let micros = took.as_micros();
        self.line(&format!("told\t{request}\t{status}\t{named}\t{micros}\n"));
    }

    /// No answer.
    pub fn lost(&self, request: Uuid, why: Lost, took: Duration) {
        let (why, micros) = (why.word(), took.as_micros());
        self.line(&format!("lost\t{request}\t{why}\t{micros}\n"));
    }

    /// A request that changes nothing took this long, answered or not.
    pub fn read(&self, what: &str, status: u16, took: Duration) {
        let micros = took.as_micros();
        self.line(&format!("read\t{what}\t{status}\t{micros}\n"));
    }

    /// Something that a client saw and must never see.
    pub fn wrong(&self, what: &str) {
        let what = what.replace(['\t', '\n'], " ");
        self.line(&format!("wrong\t{what}\n"));
    }

    /// What was broken, for whoever reads the file.
    pub fn fault(&self, what: &str) {
        let what = what.replace(['\t', '\n'], " ");
        self.line(&format!("fault\t{what}\n"));
    }

    fn line(&self, line: &str) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        // One write per line: the file never ends within one, unless its disk is full, which the reader tells.
        if let Err(error) = file.write_all(line.as_bytes()) {
            eprintln!("faults: the ledger cannot be written: {error}");
        }
    }
}
