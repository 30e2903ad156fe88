//! Words and paths that do not belong in the repository: markers of unfinished work, paths of one
//! machine, addresses of package registries.
//!
//! The patterns are put together from pieces, so that this file does not contain them.

use crate::finding::Finding;
use crate::workspace::Workspace;

/// Checks every text file but lock files, which cargo writes.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let markers = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["X", "XX"].concat(),
    ];
    let macros = [["to", "do!"].concat(), ["unimple", "mented!"].concat()];
    let folders = ["work", "farm", "root", "home", "Users"].map(|name| format!("/{name}/"));
    let hosts = [
        ["crates", "io"],
        ["npmjs", "com"],
        ["npmjs", "org"],
        ["pypi", "org"],
        ["pythonhosted", "org"],
        ["proxy.golang", "org"],
        ["rubygems", "org"],
        ["repo.maven.apache", "org"],
    ]
    .map(|parts| parts.join("."));
    let mut found = Vec::new();
    for (path, text) in workspace
        .files()
        .filter(|(path, _)| !path.ends_with(".lock"))
    {
        for (i, line) in text.lines().enumerate() {
            let words = || line.split(|c: char| !c.is_alphanumeric() && c != '_');
            if let Some(marker) = markers
                .iter()
                .find(|marker| words().any(|word| word == *marker))
            {
                found.push(Finding::at(
                    path,
                    i + 1,
                    format!("`{marker}`: do it now, or leave it out"),
                ));
            }
            if let Some(folder) = folders.iter().find(|folder| starts_path(line, folder)) {
                found.push(Finding::at(
                    path,
                    i + 1,
                    format!("`{folder}…` is a path of one machine: make it relative"),
                ));
            }
            if let Some(host) = hosts.iter().find(|host| line.contains(host.as_str())) {
                found.push(Finding::at(
                    path,
                    i + 1,
                    format!("`{host}` is a registry's address: name the package instead"),
                ));
            }
        }
    }
    for source in workspace.rust()? {
        for line in source.lines() {
            if let Some(name) = macros.iter().find(|name| line.code.contains(name.as_str())) {
                let message = format!("`{name}`: write what belongs here");
                found.push(Finding::at(&source.path, line.number, message));
            }
        }
    }
    Ok(found)
}

/// Whether the folder stands at the start of a path, not inside one (a folder of the same name further down, a URL).
fn starts_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| {
            c.is_alphanumeric()
                || matches!(c, '.' | '_' | '-' | '/' | '}' | ')' | ']' | '$' | '*' | '~')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        findings(&Workspace::of_files(&[(path, text)]))
            .unwrap()
            .len()
    }

    #[test]
    fn markers_paths_and_hosts_are_found_in_any_text() {
        assert_eq!(count("a.md", &["// TO", "DO: later"].concat()), 1);
        assert_eq!(count("a.md", &["see /wo", "rk/main"].concat()), 1);
        assert_eq!(
            count("a.md", &["https://crates", ".io/crates/fhir"].concat()),
            1
        );
        assert_eq!(
            count("a.rs", &["fn a() { unimple", "mented!() }"].concat()),
            1
        );
        assert_eq!(count("Cargo.lock", &["https://crates", ".io"].concat()), 0);
    }

    #[test]
    fn similar_text_is_left_alone() {
        assert_eq!(
            count(
                "a.md",
                "mastodons, frame/work/x, https://a.example/home/x, TODOS"
            ),
            0
        );
    }
}
