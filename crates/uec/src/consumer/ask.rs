//! Questions to the person at the terminal. Where nobody can answer, the flags have to.

use super::Stopped;
use std::io::{BufRead, IsTerminal, Write};

/// Whether somebody is there to be asked.
pub fn somebody_is_there() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks a question; an empty answer is none.
pub fn answer(question: &str) -> Result<String, Stopped> {
    let mut to = std::io::stderr();
    let failed =
        |e: std::io::Error| Stopped::Refused(format!("the question could not be asked: {e}"));
    write!(to, "{question} ")
        .and_then(|()| to.flush())
        .map_err(failed)?;
    let mut line = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut line)
        .map_err(failed)?;
    Ok(line.trim().to_owned())
}

/// Asks for yes or no; everything but yes is no. With `yes` nothing is asked; without it, where nobody can be asked,
/// `flag` is named.
pub fn confirm(question: &str, yes: bool, flag: &str) -> Result<bool, Stopped> {
    if yes {
        return Ok(true);
    }
    if !somebody_is_there() {
        return Err(Stopped::Refused(format!("{question} Say so with {flag}.")));
    }
    let said = answer(&format!("{question} [y/N]"))?.to_ascii_lowercase();
    Ok(matches!(said.as_str(), "y" | "yes"))
}
