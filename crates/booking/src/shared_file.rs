//! Checks whether other users of the machine may write or replace a database file (D-84).
//!
//! Rules, triggers and audit trail bind only those who use the program. Whoever may write the file, or the files that
//! SQLite reads beside it, can bypass them. The file system is an argument.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Suffixes of the files beside an SQLite database: WAL, its index, rollback journal.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Why other users can reach a database, as a sentence that says what to do. `given` is its path, `real` the same without
/// links; `look` is `std::fs::metadata`. Absent files are skipped.
pub fn reason(
    given: &Path,
    real: &Path,
    look: impl Fn(&Path) -> io::Result<Metadata>,
) -> Option<String> {
    let look = |path: &Path| look(path).ok().map(|seen| Rights::of(&seen));
    let folders = [given, real].map(|path| match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    });
    let database = look(real);
    let beside = BESIDE.map(|suffix| {
        let mut name = real.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    });
    let files = beside.iter().map(PathBuf::as_path).chain([real]);
    let writable = folders.into_iter().chain(files).find_map(|path| {
        let seen = look(path)?;
        let who = seen.others()?;
        let harm = match seen.is_folder {
            true => "files in it can be replaced",
            false => "what it holds can be changed",
        };
        Some(format!(
            "{path} can be written by {who} (mode {mode:04o}), so {harm} past this program: run `chmod {left}-w {path}`",
            path = path.display(),
            mode = seen.mode & 0o7777,
            left = if seen.has_private_group() { "o" } else { "go" },
        ))
    });
    writable.or_else(|| {
        let owner = database?.owner;
        beside.iter().find_map(|path| {
            let other = look(path).filter(|seen| seen.owner != owner)?;
            Some(format!(
                "{path} belongs to user {}, and {} to user {owner}: stop what uses them, then run `chown {owner} {path}`",
                other.owner,
                real.display(),
                path = path.display(),
            ))
        })
    })
    .map(|why| {
        format!(
            "{why}. Where that is meant, or the file system knows no such rights, set `allow_shared_files = true`"
        )
    })
}

/// Permissions of a file or folder.
struct Rights {
    is_folder: bool,
    mode: u32,
    owner: u32,
    group: u32,
}

impl Rights {
    #[cfg(unix)]
    fn of(seen: &Metadata) -> Rights {
        use std::os::unix::fs::MetadataExt;
        Rights {
            is_folder: seen.is_dir(),
            mode: seen.mode(),
            owner: seen.uid(),
            group: seen.gid(),
        }
    }

    /// On systems without such permissions, no others have access.
    #[cfg(not(unix))]
    fn of(seen: &Metadata) -> Rights {
        Rights {
            is_folder: seen.is_dir(),
            mode: 0,
            owner: 0,
            group: 0,
        }
    }

    /// Who may write it apart from its owner.
    fn others(&self) -> Option<&'static str> {
        // In a folder with the sticky bit, such as /tmp, only its owner may remove or rename a file.
        if self.is_folder && self.mode & 0o1000 != 0 {
            return None;
        }
        if self.mode & 0o002 != 0 {
            return Some("every user of this machine");
        }
        (self.mode & 0o020 != 0 && !self.has_private_group()).then_some("its group")
    }

    /// The group has the owner's number: where each user has a private group, it is the user's alone, and the umask lets it
    /// write.
    fn has_private_group(&self) -> bool {
        self.owner == self.group
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Proves: D-84
    #[test]
    fn only_the_owner_may_write() {
        let who = |mode, group, is_folder| {
            let rights = Rights {
                is_folder,
                mode,
                owner: 1_000,
                group,
            };
            rights.others()
        };
        assert_eq!(who(0o644, 100, false), None);
        assert_eq!(who(0o660, 100, false), Some("its group"));
        assert_eq!(who(0o775, 100, true), Some("its group"));
        assert_eq!(who(0o664, 1_000, false), None, "a group of one");
        let everybody = Some("every user of this machine");
        assert_eq!(who(0o666, 1_000, false), everybody);
        assert_eq!(who(0o777, 1_000, true), everybody);
        assert_eq!(who(0o1777, 100, true), None, "/tmp");
        assert_eq!(who(0o1666, 100, false), everybody, "no folder");
    }
}
