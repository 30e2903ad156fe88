//! Processes that end with this program, however it ends.

use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Kills the process when its own input closes, which the end of this program brings about.
const WATCH: &str = "cat >/dev/null; kill -9 \"$0\" 2>/dev/null";
/// How often a process is looked at while its end is waited for.
const LOOK: Duration = Duration::from_millis(5);

/// A process and what watches it.
pub struct Guarded {
    child: Child,
    watch: Child,
}

impl Guarded {
    /// Starts it.
    pub fn start(mut command: Command) -> Result<Guarded, String> {
        let mut child = command
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| format!("cannot start {:?}: {e}", command.get_program()))?;
        let watch = Command::new("sh")
            .args(["-c", WATCH, &child.id().to_string()])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        match watch {
            Ok(watch) => Ok(Guarded { child, watch }),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("cannot start sh: {error}"))
            }
        }
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its output, where the command had that piped.
    pub fn stdout(&mut self) -> Option<&mut ChildStdout> {
        self.child.stdout.as_mut()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.unwatch();
    }

    /// Asks it to end and waits; kills it when it does not. True when it ended by itself.
    pub fn stop(&mut self, within: Duration) -> bool {
        let ended = signal(self.id(), "TERM") && self.wait(within);
        self.kill();
        ended
    }

    /// Waits for its end.
    pub fn wait(&mut self, within: Duration) -> bool {
        let began = Instant::now();
        while began.elapsed() < within {
            if self.ended().is_some() {
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }

    /// The watch goes before the number can belong to another process.
    fn unwatch(&mut self) {
        let _ = self.watch.kill();
        let _ = self.watch.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process that was started here.
pub fn signal(process: u32, name: &str) -> bool {
    let status = Command::new("kill")
        .args([&format!("-{name}"), &process.to_string()])
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|s| s.success())
}

/// Sends a signal to several processes, as far as they are still there.
pub fn signal_all(processes: &[u32], name: &str) {
    for process in processes {
        signal(*process, name);
    }
}

/// True while a process runs; one that is dead and only not yet asked for does not.
pub fn is_alive(process: u32) -> bool {
    let state = stat(process).into_iter().next();
    !matches!(state.as_deref(), None | Some("Z" | "X"))
}

/// Processes whose parent is this one.
pub fn children_of(parent: u32) -> Vec<u32> {
    let parent = parent.to_string();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok())
        .filter(|id| stat(*id).get(1) == Some(&parent))
        .collect()
}

/// The fields of `/proc/PID/stat` behind the name, which may hold spaces: state, parent, …; none where there is no such process.
pub fn stat(process: u32) -> Vec<String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    after.split_whitespace().map(str::to_owned).collect()
}

/// A figure of `/proc/PID/status`, such as `VmHWM`, the most memory that a process has had, in KiB; none without such a
/// process.
pub fn figure(process: u32, name: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let mut lines = status.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    value.split_whitespace().next()?.parse().ok()
}

/// Runs a command to its end; its output, or what it said was wrong.
pub fn output(command: &mut Command) -> Result<String, String> {
    let shown = format!("{:?}", command.get_program());
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|e| format!("cannot start {shown}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(format!(
            "{shown} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        )),
    }
}

/// Where a program is, by the search path.
pub fn find(name: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin"].map(std::path::PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}
