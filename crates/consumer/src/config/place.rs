//! Where the journal lies when nobody says: in the user's own data folder, wherever a command is started.

use std::path::{Path, PathBuf};

/// Folder of this program below the user's data folder.
const FOLDER: &str = "uec";
/// Name of the journal, and of that of the demonstration.
const JOURNAL: &str = "consumer.sqlite";
const DEMO_JOURNAL: &str = "demo-consumer.sqlite";

/// The journal's place by the rules of the XDG base directories: `$XDG_DATA_HOME/uec`, else `~/.local/share/uec`. A
/// relative `XDG_DATA_HOME` does not count. `None` where the user has no home.
pub(super) fn journal(environment: &dyn Fn(&str) -> Option<String>, demo: bool) -> Option<PathBuf> {
    let given = |name: &str| environment(name).or_else(|| std::env::var(name).ok());
    let absolute = |text: String| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
    let data = given("XDG_DATA_HOME").and_then(absolute).or_else(|| {
        let home = given("HOME")
            .and_then(absolute)
            .or_else(std::env::home_dir)?;
        Some(home.join(".local/share"))
    })?;
    let name = if demo { DEMO_JOURNAL } else { JOURNAL };
    Some(data.join(FOLDER).join(name))
}

/// Makes the folder of a journal in the default place, for its owner only.
pub(super) fn make_folder(journal: &Path) -> std::io::Result<()> {
    let Some(folder) = journal.parent().filter(|folder| !folder.is_dir()) else {
        return Ok(());
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}
