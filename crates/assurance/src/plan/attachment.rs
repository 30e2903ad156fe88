//! Files that show what was seen: copied into the folder, under safe names, with their SHA-256.

use super::folder::PlanError;
use super::model::{Attachment, hex_of};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

/// Largest attachment: minutes of a screen recording.
pub const MAX_BYTES: u64 = 50 * 1024 * 1024;
/// Most attachments of one plan: two for each step of the longest plan.
pub const MAX_COUNT: usize = 200;
/// Folder of the attachments.
pub const FOLDER: &str = "attachments";
/// Longest part of a name that is kept.
const NAME_KEPT: usize = 80;
/// Copied so many bytes at a time.
const PIECE: usize = 64 * 1024;
/// Endings of files that a browser would run; they are kept as text.
const ACTIVE: [&str; 10] = [
    "html", "htm", "xhtml", "xht", "svg", "xml", "js", "mjs", "mhtml", "shtml",
];

/// Whether a name in the file leads to nothing but a file in the attachments.
pub(super) fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_KEPT * 2
        && !name.starts_with('.')
        && name.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// A name that is safe on every system, and that no browser takes for a page.
pub(super) fn safe(name: &str) -> String {
    let mut safe: String = name
        .chars()
        .map(|c| if is_plain(c) { c } else { '-' })
        .collect();
    // The ending is at the end, so it is the start that goes.
    if safe.len() > NAME_KEPT {
        safe = safe.split_off(safe.len() - NAME_KEPT);
    }
    let safe = safe.trim_start_matches('.');
    let safe = if safe.is_empty() { "file" } else { safe };
    let ending = safe.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
    match ending {
        Some(e) if ACTIVE.contains(&e.as_str()) => format!("{safe}.txt"),
        _ => safe.to_owned(),
    }
}

/// Copies a file into the folder. `stem` begins its name there, so that it is unique.
pub(super) fn copy(folder: &Path, stem: &str, from: &Path) -> Result<Attachment, PlanError> {
    let at_source = |e| PlanError::io(from, e);
    // Looked at before it is opened: opening a pipe would wait for somebody to write.
    let about = fs::metadata(from).map_err(at_source)?;
    if !about.is_file() {
        return Err(PlanError::Wrong(format!(
            "{} is no file: attach files, one by one",
            from.display()
        )));
    }
    if about.len() > MAX_BYTES {
        return Err(too_large(from));
    }
    let mut source = fs::File::open(from).map_err(at_source)?;
    let name = from
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    keep(folder, stem, &name, &mut source, from)
}

/// Keeps bytes that the tool made.
pub(super) fn write(
    folder: &Path,
    stem: &str,
    name: &str,
    bytes: &[u8],
) -> Result<Attachment, PlanError> {
    keep(folder, stem, name, &mut &bytes[..], Path::new(name))
}

fn keep(
    folder: &Path,
    stem: &str,
    name: &str,
    source: &mut dyn Read,
    from: &Path,
) -> Result<Attachment, PlanError> {
    let folder = folder.join(FOLDER);
    fs::create_dir_all(&folder).map_err(|e| PlanError::io(&folder, e))?;
    let file = format!("{stem}-{}", safe(name));
    let path = folder.join(&file);
    let part = folder.join(format!("{file}.part"));
    let copied = fs::File::create(&part)
        .map_err(|e| PlanError::io(&part, e))
        .and_then(|mut out| {
            let copied = copy_bounded(source, from, &mut out, &part)?;
            out.sync_all().map_err(|e| PlanError::io(&part, e))?;
            Ok(copied)
        });
    let (bytes, sha256) = copied.inspect_err(|_| {
        // Half a copy is of no use; that it stays is no harm either.
        let _ = fs::remove_file(&part);
    })?;
    fs::rename(&part, &path).map_err(|e| PlanError::io(&path, e))?;
    Ok(Attachment {
        file,
        name: name.chars().take(NAME_KEPT * 2).collect(),
        bytes,
        sha256,
        at: Timestamp::now(),
    })
}

/// Copies what is read, up to the bound: its length and SHA-256.
fn copy_bounded(
    source: &mut dyn Read,
    from: &Path,
    out: &mut dyn Write,
    to: &Path,
) -> Result<(u64, String), PlanError> {
    let mut digest = Sha256::new();
    let mut bytes: u64 = 0;
    let mut piece = vec![0; PIECE];
    loop {
        let n = source
            .read(&mut piece)
            .map_err(|e| PlanError::io(from, e))?;
        let Some(read) = piece.get(..n).filter(|read| !read.is_empty()) else {
            return Ok((bytes, hex_of(&digest.finalize())));
        };
        bytes += n as u64;
        // A file may grow while it is read.
        if bytes > MAX_BYTES {
            return Err(too_large(from));
        }
        digest.update(read);
        out.write_all(read).map_err(|e| PlanError::io(to, e))?;
    }
}

fn too_large(from: &Path) -> PlanError {
    PlanError::Wrong(format!(
        "{} is larger than {} MB: attach a smaller one, or a part of it",
        from.display(),
        MAX_BYTES / (1024 * 1024)
    ))
}

/// What is wrong with an attachment in the folder, if something is.
pub(super) fn fault(folder: &Path, attachment: &Attachment) -> Option<String> {
    let path = folder.join(FOLDER).join(&attachment.file);
    let shown = format!("{FOLDER}/{}", attachment.file);
    let read = fs::File::open(&path)
        .map_err(|e| PlanError::io(&path, e))
        .and_then(|mut file| copy_bounded(&mut file, &path, &mut io::sink(), &path));
    match read {
        Ok((_, sha256)) if sha256 == attachment.sha256 => None,
        Err(PlanError::Io { source, .. }) => Some(format!("{shown} cannot be read: {source}")),
        _ => Some(format!("{shown} is not the file that was attached")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_safe() {
        assert_eq!(safe("../../etc/passwd"), "-..-etc-passwd");
        assert_eq!(safe("a screen (1).PNG"), "a-screen--1-.PNG");
        assert_eq!(safe("page.HTML"), "page.HTML.txt");
        assert_eq!(safe("..."), "file");
        assert_eq!(safe(&format!("{}.png", "x".repeat(500))).len(), NAME_KEPT);
        for name in ["../../etc/passwd", "é\u{202e}gpj.exe", "", "a/b"] {
            assert!(is_safe(&safe(name)), "{name}");
        }
        assert!(!is_safe("../x") && !is_safe(".x") && !is_safe("a/b"));
    }

    #[test]
    fn copies_are_bounded_and_watched() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("shot.txt");
        fs::write(&from, "seen").unwrap();
        let kept = copy(folder.path(), "OPS-C1-1", &from).unwrap();
        assert_eq!(kept.file, "OPS-C1-1-shot.txt");
        assert_eq!((kept.bytes, kept.sha256.len()), (4, 64));
        assert_eq!(fault(folder.path(), &kept), None);
        fs::write(folder.path().join(FOLDER).join(&kept.file), "forged").unwrap();
        assert!(fault(folder.path(), &kept).is_some());
        let large = fs::File::create(&from).unwrap();
        large.set_len(MAX_BYTES + 1).unwrap();
        let refused = copy(folder.path(), "OPS-C1-2", &from).unwrap_err();
        assert!(refused.to_string().contains("50 MB"), "{refused}");
        assert!(copy(folder.path(), "x", folder.path()).is_err());
    }
}
