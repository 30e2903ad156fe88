//! The checkout: its root, its text files, its crates as `cargo metadata` describes them.

use crate::rust_source::RustSource;
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Folders that hold results or foreign things, wherever they stand in the tree.
const FOREIGN_FOLDERS: &[&str] = &[".git", "node_modules", "artifacts", "corpus"];
/// A text file of ours is smaller than this; larger ones are data.
const MAX_TEXT_BYTES: u64 = 2 * 1024 * 1024;

/// The workspace and its text files, read once.
pub struct Workspace {
    /// Folder of the workspace.
    pub root: PathBuf,
    files: BTreeMap<String, String>,
    rust: OnceCell<Vec<RustSource>>,
}

impl Workspace {
    /// Finds the root from where cargo started this program and reads the text files below it.
    pub fn find() -> Result<Workspace, String> {
        let start = match std::env::var_os("CARGO_MANIFEST_DIR") {
            Some(folder) => PathBuf::from(folder),
            None => std::env::current_dir().map_err(|e| format!("no current folder: {e}"))?,
        };
        let root = start
            .ancestors()
            .find(|folder| {
                fs::read_to_string(folder.join("Cargo.toml"))
                    .is_ok_and(|text| text.contains("[workspace]"))
            })
            .ok_or_else(|| {
                "not inside the workspace: run `cargo xtask` from the checkout".to_owned()
            })?
            .to_path_buf();
        let mut files = BTreeMap::new();
        read_folder(&root, "", &mut files)?;
        Ok(Workspace {
            root,
            files,
            rust: OnceCell::new(),
        })
    }

    /// A workspace made of the given files, for tests of checks.
    #[cfg(test)]
    pub fn of_files(files: &[(&str, &str)]) -> Workspace {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Workspace {
            root: PathBuf::from("."),
            files: files.collect(),
            rust: OnceCell::new(),
        }
    }

    /// All text files in order of their path (with `/`, from the root).
    pub fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The text files whose path ends in this, with its dot.
    pub fn with_ending(&self, ending: &'static str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(ending))
    }

    /// All Rust files, read once.
    pub fn rust(&self) -> Result<&[RustSource], String> {
        if let Some(read) = self.rust.get() {
            return Ok(read);
        }
        let files = self.with_ending(".rs");
        let read = files.map(|(path, text)| RustSource::read(path, text));
        let read = read.collect::<Result<Vec<_>, _>>()?;
        Ok(self.rust.get_or_init(|| read))
    }

    /// One text file.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file or folder is there, text or not.
    pub fn exists(&self, path: &str) -> bool {
        self.root.join(path).exists()
    }

    /// Writes a file of the workspace.
    pub fn write(&self, path: &str, text: &str) -> Result<(), String> {
        fs::write(self.root.join(path), text).map_err(|e| format!("{path}: cannot be written: {e}"))
    }

    /// A cargo command of these words, which runs in the root with the cargo that started this program.
    pub fn cargo(&self, words: &str) -> Command {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(words.split(' ')).current_dir(&self.root);
        command
    }

    /// `cargo metadata` for this machine's target: from the local cache, and only if that lacks something
    /// (a fresh clone) with the network.
    pub fn metadata(&self) -> Result<Value, String> {
        let target = self.host_target()?;
        let mut problem = String::new();
        for locked in ["--frozen", "--locked"] {
            let output = self
                .cargo("metadata --format-version 1 --filter-platform")
                .args([target.as_str(), locked])
                .output()
                .map_err(|e| format!("cargo metadata does not start: {e}"))?;
            if output.status.success() {
                return serde_json::from_slice(&output.stdout)
                    .map_err(|e| format!("cargo metadata: {e}"));
            }
            problem = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        }
        Err(format!(
            "cargo metadata fails; is Cargo.lock up to date? (`cargo check` mends it)\n{problem}"
        ))
    }

    fn host_target(&self) -> Result<String, String> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let output = Command::new(rustc)
            .current_dir(&self.root)
            .arg("-vV")
            .output()
            .map_err(|e| format!("rustc does not start: {e}"))?;
        String::from_utf8_lossy(&output.stdout)
            .lines()
            .find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
            .ok_or_else(|| "`rustc -vV` names no host".to_owned())
    }
}

fn read_folder(
    root: &Path,
    below: &str,
    files: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let folder = root.join(below);
    let unreadable = |e: std::io::Error| format!("{}: cannot be read: {e}", folder.display());
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() {
            name.clone()
        } else {
            format!("{below}/{name}")
        };
        let kind = entry.file_type().map_err(unreadable)?;
        if kind.is_dir() {
            if !is_foreign(&path, &name) {
                read_folder(root, &path, files)?;
            }
        } else if kind.is_file()
            && !is_foreign(&path, &name)
            && entry.metadata().is_ok_and(|m| m.len() <= MAX_TEXT_BYTES)
        {
            // A file that vanishes meanwhile (an editor's) or is not UTF-8 is none of ours.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.insert(path, text);
            }
        }
    }
    Ok(())
}

fn is_foreign(path: &str, name: &str) -> bool {
    let at_root = !path.contains('/');
    FOREIGN_FOLDERS.contains(&name)
        || name == "target"
        || (at_root && (name == "build" || name.starts_with("target-")))
}
