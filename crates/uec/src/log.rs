//! The log: lines go through a bounded queue to a thread that writes them to standard error.
//!
//! No request waits for the log. A line that cannot be written, because the disk is full, the reader is gone, or the
//! queue has filled up behind a reader that stands still, is lost and counted ([`LogState`]). When writing succeeds
//! again, the first line says how many are missing.

use crate::output;
use provider::config::LogFormat;
use provider::log_state::LogState;
use std::io::{self, Write};
use std::panic::PanicHookInfo;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for the writer: seconds of a busy server's log.
const WAITING_LINES: usize = 8_192;
/// Longest line, bytes; a longer one is cut, so that the queue is bounded in bytes too.
const LINE_BYTES: usize = 16 << 10;
/// How often a log that failed is tried again while nothing is logged.
const TRY_EVERY: Duration = Duration::from_secs(1);
/// How long a program that ends waits for its last lines.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);
/// Pause between two tries to get into a full queue at the end.
const FLUSH_PAUSE: Duration = Duration::from_millis(5);

static QUEUE: OnceLock<SyncSender<Item>> = OnceLock::new();
static STATE: OnceLock<Arc<LogState>> = OnceLock::new();

enum Item {
    Line(Vec<u8>),
    /// Everything before this is written; answer.
    Flush(SyncSender<()>),
}

/// Whether this process's log can be written.
pub fn state() -> Arc<LogState> {
    STATE.get_or_init(Arc::default).clone()
}

/// Starts the log; `RUST_LOG` chooses what is logged, otherwise `default`. A second call keeps the first: the demo starts
/// several parts.
pub fn start(format: LogFormat, default: &str) {
    let (sender, lines) = sync_channel(WAITING_LINES);
    if QUEUE.set(sender).is_err() {
        return;
    }
    let writer = Writer {
        state: state(),
        format,
        reported: 0,
    };
    let thread = std::thread::Builder::new().name("log".to_owned());
    if let Err(error) = thread.spawn(move || writer.run(&lines)) {
        output::note(&format!("uec: no log: cannot start a thread: {error}\n"));
        return;
    }
    let (filter, unreadable) = match EnvFilter::try_from_default_env() {
        Ok(filter) => (filter, None),
        Err(_) if std::env::var_os("RUST_LOG").is_none_or(|v| v.is_empty()) => {
            (EnvFilter::new(default), None)
        }
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Lines)
        .with_target(false)
        // It would use the macros that panic.
        .log_internal_errors(false);
    // The queue is new, so nothing else has been installed.
    let _ = match format {
        LogFormat::Text => builder.with_ansi(false).try_init(),
        // What a line says stands beside its level and time, where log stores look for it.
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    std::panic::set_hook(Box::new(panicked));
    if let Some(error) = unreadable {
        tracing::warn!(%error, "RUST_LOG cannot be read; logging as if it were not set");
    }
}

/// Waits a moment until all lines are written.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let until = Instant::now() + FLUSH_WITHIN;
    let (done, wait) = sync_channel(1);
    let mut item = Item::Flush(done);
    while let Err(TrySendError::Full(back)) = queue.try_send(item) {
        if Instant::now() > until {
            return;
        }
        item = back;
        std::thread::sleep(FLUSH_PAUSE);
    }
    let _ = wait.recv_timeout(until.saturating_duration_since(Instant::now()));
}

/// A panic is logged like everything else. A message made at run time may hold data of a patient, so that only its place
/// is told; a constant one is told whole.
fn panicked(info: &PanicHookInfo<'_>) {
    let at = info.location().map(ToString::to_string);
    let what = info.payload().downcast_ref::<&'static str>();
    tracing::error!(
        at = at.as_deref().unwrap_or("-"),
        what = what.copied().unwrap_or("-"),
        "a part of the program panicked"
    );
}

/// Makes a writer for each line.
struct Lines;

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line(Vec::new())
    }
}

/// A line while it is made; it goes to the queue when it is dropped.
struct Line(Vec<u8>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = LINE_BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The line without what would steer a terminal or look like another line (D-70).
fn on_one_line(line: Vec<u8>) -> Vec<u8> {
    let body = line.strip_suffix(b"\n").unwrap_or(&line);
    // Nearly all lines are of this kind.
    if body.iter().all(|b| (0x20..0x7f).contains(b)) {
        return line;
    }
    let text = String::from_utf8_lossy(body);
    let shown = text.chars().map(booking::foreign::visible);
    shown.chain(['\n']).collect::<String>().into_bytes()
}

impl Drop for Line {
    fn drop(&mut self) {
        let mut line = std::mem::take(&mut self.0);
        if line.is_empty() {
            return;
        }
        if line.len() == LINE_BYTES {
            line.truncate(LINE_BYTES - 1);
            line.push(b'\n');
        }
        let line = on_one_line(line);
        let sent = QUEUE.get().map(|queue| queue.try_send(Item::Line(line)));
        if !matches!(sent, Some(Ok(()))) {
            state().lost_line();
        }
    }
}

/// The thread that writes.
struct Writer {
    state: Arc<LogState>,
    format: LogFormat,
    /// Lost lines that a line has told of.
    reported: u64,
}

impl Writer {
    /// Writes until the process ends.
    fn run(mut self, lines: &Receiver<Item>) {
        loop {
            match lines.recv_timeout(TRY_EVERY) {
                Ok(Item::Line(line)) => {
                    if !self.caught_up() || !self.write(&line) {
                        self.state.lost_line();
                    }
                }
                Ok(Item::Flush(done)) => {
                    self.caught_up();
                    let _ = done.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.caught_up();
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Tells of lines that were lost, if any; false when that cannot be written either.
    fn caught_up(&mut self) -> bool {
        let lost = self.state.lost();
        if lost == self.reported {
            return true;
        }
        let told = missing(self.format, lost - self.reported);
        let written = self.write(told.as_bytes());
        if written {
            self.reported = lost;
        }
        written
    }

    fn write(&self, line: &[u8]) -> bool {
        self.state.writing();
        let written = io::stderr().write_all(line).is_ok();
        self.state.wrote(written);
        written
    }
}

/// The line that says how many are missing.
fn missing(format: LogFormat, count: u64) -> String {
    let at = provider::clock::now();
    let told = "lines of the log could not be written; they are lost";
    match format {
        LogFormat::Text => format!("{at}  WARN {told} count={count}\n"),
        LogFormat::Json => {
            let line = serde_json::json!({
                "timestamp": at.to_string(), "level": "WARN", "message": told, "count": count,
            });
            format!("{line}\n")
        }
    }
}
