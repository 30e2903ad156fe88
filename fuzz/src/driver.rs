//! Runs one target for a time: makes inputs, catches panics, watches the clock, keeps what was found.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{Seek, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fuzz::dictionary;
use fuzz::mutate::mutate;
use fuzz::random::Random;
use fuzz::{Outcome, Target};

/// What one input may take. Linear work on 1 MiB takes some milliseconds, so this leaves room for a busy machine
/// and still shows anything that grows with the square.
const MAX_TIME: Duration = Duration::from_secs(2);
/// An input that takes this long is taken to hang; the run ends, since a thread cannot be stopped.
const HANGS_AFTER: Duration = Duration::from_secs(30);
/// Stack of the thread that runs targets: that of the server's worker threads.
const STACK: usize = 2 * 1024 * 1024;
/// Inputs kept to mutate further. New outcomes beyond it take the place of an older one.
const MAX_CORPUS: usize = 2000;
/// Larger inputs are not mutated further, or they would eat the time.
const MAX_KEPT: usize = 64 * 1024;
/// Different findings after which a target is stopped.
const MAX_FINDINGS: usize = 8;
/// Tries to make a found input smaller.
const SHRINK_TRIES: usize = 3000;

thread_local! {
    /// Message and place of the last panic.
    static PANIC: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs targets and keeps what they find in a folder.
pub struct Driver {
    folder: PathBuf,
    clock: Arc<Watch>,
}

/// What the watchdog looks at.
struct Watch {
    begun: Instant,
    /// Milliseconds from `begun` to the start of the current input; 0 between inputs.
    since: AtomicU64,
    target: Mutex<String>,
}

/// The thread-local side of a run.
struct Run<'a> {
    target: &'static Target,
    seed: u64,
    folder: &'a Path,
    clock: &'a Watch,
    /// Holds the input at hand, so that it is there even when the process dies of it.
    current: File,
    findings: BTreeMap<String, PathBuf>,
}

impl Driver {
    /// A driver that writes into this folder.
    pub fn new(folder: PathBuf) -> Result<Driver, String> {
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let clock = Arc::new(Watch {
            begun: Instant::now(),
            since: AtomicU64::new(0),
            target: Mutex::new(String::new()),
        });
        panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let message = info.payload_as_str().unwrap_or("a panic");
            PANIC.with_borrow_mut(|last| *last = format!("{place}: {message}"));
        }));
        let (watched, at) = (clock.clone(), folder.clone());
        thread::spawn(move || watched.keep(&at));
        Ok(Driver { folder, clock })
    }

    /// Runs a target for a time and prints what it did. True when nothing was found.
    pub fn drive(
        &self,
        target: &'static Target,
        seed: u64,
        time: Duration,
    ) -> Result<bool, String> {
        self.with_run(target, seed, |run| run.drive(time))
    }

    /// Runs a target once on these bytes. True when nothing was found.
    pub fn replay(&self, target: &'static Target, bytes: Vec<u8>) -> Result<bool, String> {
        self.with_run(target, 0, |run| {
            run.attempt(&bytes)?;
            println!("{}: {} bytes tried", run.target.name, bytes.len());
            Ok(run.findings.is_empty())
        })
    }

    fn with_run(
        &self,
        target: &'static Target,
        seed: u64,
        body: impl FnOnce(&mut Run) -> Result<bool, String> + Send,
    ) -> Result<bool, String> {
        if let Ok(mut name) = self.clock.target.lock() {
            *name = format!("{} --seed {seed}", target.name);
        }
        let path = current_input(&self.folder, target.name);
        let current = File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut run = Run {
            target,
            seed,
            folder: &self.folder,
            clock: &self.clock,
            current,
            findings: BTreeMap::new(),
        };
        let clean = thread::scope(|scope| {
            let thread = thread::Builder::new().stack_size(STACK);
            let thread = thread
                .spawn_scoped(scope, || body(&mut run))
                .map_err(|e| format!("no thread: {e}"))?;
            thread
                .join()
                .map_err(|_| "the runner itself panicked".to_owned())?
        });
        let _ = fs::remove_file(path);
        clean
    }
}

fn current_input(folder: &Path, target: &str) -> PathBuf {
    folder.join(format!("{target}-current"))
}

impl Watch {
    fn now(&self) -> u64 {
        // Never 0, which means that no input is tried.
        u64::try_from(self.begun.elapsed().as_millis())
            .unwrap_or(u64::MAX)
            .max(1)
    }

    /// Ends the process when one input takes for ever; the input stays in the folder.
    fn keep(&self, folder: &Path) {
        loop {
            thread::sleep(Duration::from_secs(1));
            let since = self.since.load(Ordering::Relaxed);
            let most = HANGS_AFTER.as_millis() as u64;
            if since != 0 && self.now().saturating_sub(since) > most {
                let target = self.target.lock().map(|t| t.clone()).unwrap_or_default();
                eprintln!(
                    "FOUND in {target}: an input takes over {HANGS_AFTER:?}; it is the file `…-current` in {}",
                    folder.display()
                );
                std::process::exit(1);
            }
        }
    }
}

/// What one try came to.
enum Tried {
    Fine(Outcome),
    Broken,
}

impl Run<'_> {
    fn drive(&mut self, time: Duration) -> Result<bool, String> {
        let mut random = Random::new(self.seed);
        let mut corpus = (self.target.seeds)();
        let words = dictionary::lists(self.target.words);
        let mut outcomes = HashSet::new();
        let begun = Instant::now();
        let mut tries = 0_u64;
        for seed in corpus.clone() {
            if let Tried::Fine(outcome) = self.attempt(&seed)? {
                outcomes.insert(outcome);
            }
            tries += 1;
        }
        while begun.elapsed() < time && self.findings.len() < MAX_FINDINGS {
            let empty = Vec::new();
            let (base, other) = (random.pick(&corpus), random.pick(&corpus));
            let (base, other) = (base.unwrap_or(&empty), other.unwrap_or(&empty));
            let input = mutate(&mut random, base, other, &words);
            tries += 1;
            if let Tried::Fine(outcome) = self.attempt(&input)?
                && outcomes.insert(outcome)
                && input.len() <= MAX_KEPT
            {
                let at = random.below(corpus.len());
                match corpus.get_mut(at) {
                    Some(old) if corpus_is_full(outcomes.len()) => *old = input,
                    _ => corpus.push(input),
                }
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        println!(
            "{:10} {tries:9} inputs, {:8.0} a second, {:6} distinct outcomes, {} findings (seed {})",
            self.target.name,
            tries as f64 / seconds.max(0.001),
            outcomes.len(),
            self.findings.len(),
            self.seed
        );
        Ok(self.findings.is_empty())
    }

    /// Tries one input; a finding is made smaller, saved and printed.
    fn attempt(&mut self, input: &[u8]) -> Result<Tried, String> {
        self.remember(input)
            .map_err(|e| format!("the input at hand cannot be saved: {e}"))?;
        let started = Instant::now();
        let result = self.once(input);
        let mut took = started.elapsed();
        if took > MAX_TIME {
            // A busy machine is no fault of the code: the second time counts too.
            let started = Instant::now();
            let _ = self.once(input);
            took = took.min(started.elapsed());
        }
        match result {
            Err(message) => {
                self.found(input, &message)?;
                Ok(Tried::Broken)
            }
            Ok(_) if took > MAX_TIME => {
                let message = format!(
                    "slow: {:.1} s for {} bytes",
                    took.as_secs_f32(),
                    input.len()
                );
                self.save("slow".to_owned(), input, &message)?;
                Ok(Tried::Broken)
            }
            Ok(outcome) => Ok(Tried::Fine(outcome)),
        }
    }

    fn once(&self, input: &[u8]) -> Result<Outcome, String> {
        self.clock.since.store(self.clock.now(), Ordering::Relaxed);
        let result = panic::catch_unwind(AssertUnwindSafe(|| (self.target.run)(input)));
        self.clock.since.store(0, Ordering::Relaxed);
        result.map_err(|_| PANIC.with_borrow(String::clone))
    }

    fn remember(&mut self, input: &[u8]) -> std::io::Result<()> {
        self.current.rewind()?;
        self.current.write_all(input)?;
        self.current.set_len(input.len() as u64)
    }

    fn found(&mut self, input: &[u8], message: &str) -> Result<(), String> {
        let key = kind(message);
        if self.findings.contains_key(&key) {
            return Ok(());
        }
        let small = self.smaller(input, &key);
        let message = self
            .once(&small)
            .err()
            .unwrap_or_else(|| message.to_owned());
        self.save(key, &small, &message)
    }

    /// Leaves out pieces as long as the same thing goes wrong.
    fn smaller(&self, input: &[u8], key: &str) -> Vec<u8> {
        let mut best = input.to_vec();
        let mut tries = 0;
        let mut size = best.len() / 2;
        while size > 0 && tries < SHRINK_TRIES {
            let mut at = 0;
            while at < best.len() && tries < SHRINK_TRIES {
                tries += 1;
                let mut without = best.clone();
                without.drain(at..(at + size).min(best.len()));
                match self.once(&without) {
                    Err(message) if kind(&message) == key => best = without,
                    _ => at += size,
                }
            }
            size /= 2;
        }
        best
    }

    fn save(&mut self, key: String, input: &[u8], message: &str) -> Result<(), String> {
        if self.findings.contains_key(&key) {
            return Ok(());
        }
        let number = self.findings.len() + 1;
        let name = format!("{}-seed{}-{number}", self.target.name, self.seed);
        let path = self.folder.join(name);
        fs::write(&path, input).map_err(|e| format!("{}: {e}", path.display()))?;
        let shown: String = String::from_utf8_lossy(input).chars().take(400).collect();
        eprintln!(
            "FOUND in {} (seed {}), saved as {}:\n  {message}\n  {shown}",
            self.target.name,
            self.seed,
            path.display()
        );
        self.findings.insert(key, path);
        Ok(())
    }
}

fn corpus_is_full(kept: usize) -> bool {
    kept > MAX_CORPUS
}

/// A panic's place, and its message without what comes from the input.
fn kind(message: &str) -> String {
    let plain = |c: &char| !c.is_ascii_digit();
    let place: String = message.split(": ").next().unwrap_or("").to_owned();
    let words: String = message
        .chars()
        .skip(place.len())
        .filter(plain)
        .take(40)
        .collect();
    place + &words
}
