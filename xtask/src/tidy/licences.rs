//! Licences of everything that is linked or used to build: only ones that go with Apache-2.0.

use crate::finding::Finding;
use crate::workspace::Workspace;

/// Licences that a dependency may have. MPL-2.0 binds its own files only.
const ALLOWED: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-1-Clause",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Checks every package that `cargo metadata` resolves for this machine.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let metadata = workspace.metadata()?;
    let mut found = Vec::new();
    let used: Vec<&str> = metadata["resolve"]["nodes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|node| node["id"].as_str())
        .collect();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if !package["id"].as_str().is_some_and(|id| used.contains(&id)) {
            continue;
        }
        let licence = package["license"].as_str().unwrap_or("");
        if !is_allowed(licence) {
            let name = package["name"].as_str().unwrap_or("?");
            let shown = if licence.is_empty() {
                "no licence"
            } else {
                licence
            };
            found.push(Finding::of(
                "Cargo.lock",
                format!("`{name}` has `{shown}`, which xtask/src/tidy/licences.rs does not allow: replace the dependency"),
            ));
        }
    }
    Ok(found)
}

/// Evaluates an SPDX expression: one side of an `OR` suffices, both of an `AND` are needed.
fn is_allowed(expression: &str) -> bool {
    // `/` is how `OR` was written before SPDX expressions.
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let allowed = either(&words, &mut at);
    allowed && at == words.len()
}

fn either(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = both(words, at);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        allowed |= both(words, at);
    }
    allowed
}

fn both(words: &[&str], at: &mut usize) -> bool {
    let mut allowed = single(words, at);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        allowed &= single(words, at);
    }
    allowed
}

fn single(words: &[&str], at: &mut usize) -> bool {
    let Some(word) = words.get(*at) else {
        return false;
    };
    *at += 1;
    if *word == "(" {
        let allowed = either(words, at);
        let closed = words.get(*at) == Some(&")");
        *at += 1;
        return allowed && closed;
    }
    if words.get(*at) == Some(&"WITH") {
        let full = format!("{word} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
        return ALLOWED.contains(&full.as_str());
    }
    ALLOWED.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_evaluated() {
        for good in [
            "MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
            "ISC AND (Apache-2.0 OR ISC)",
        ] {
            assert!(is_allowed(good), "{good}");
        }
        for bad in [
            "",
            "GPL-3.0",
            "MIT AND GPL-3.0",
            "(MIT",
            "MIT GPL-3.0",
            "OR",
        ] {
            assert!(!is_allowed(bad), "{bad}");
        }
    }
}
