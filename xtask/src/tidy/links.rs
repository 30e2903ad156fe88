//! Relative links between documents have to lead to a file.

use crate::finding::Finding;
use crate::workspace::Workspace;

/// Checks the inline links of every Markdown file.
pub fn findings(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut found = Vec::new();
    for (path, text) in workspace.with_ending(".md") {
        for (i, line) in text.lines().enumerate() {
            for target in targets(line) {
                let leads_somewhere =
                    resolve(path, target).is_some_and(|file| workspace.exists(&file));
                if !leads_somewhere {
                    found.push(Finding::at(
                        path,
                        i + 1,
                        format!("link to `{target}` leads nowhere: correct it"),
                    ));
                }
            }
        }
    }
    Ok(found)
}

/// The relative targets of `[text](target)`, without their fragment.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?;
        let target = target.split('#').next().unwrap_or(target);
        let foreign = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        let plain = target
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
        (!foreign && plain).then_some(target)
    })
}

/// The path from the root; nothing when the link leaves the repository.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_resolved_from_their_file() {
        let line = "[a](x.md#y) and [b](https://a.example/) [c](../z) [d](#e)";
        assert_eq!(targets(line).collect::<Vec<_>>(), ["x.md", "../z"]);
        assert_eq!(
            resolve("docs/a/b.md", "../x.md").as_deref(),
            Some("docs/x.md")
        );
        assert_eq!(resolve("a.md", "../x.md"), None);
    }
}
