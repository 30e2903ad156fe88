//! Rows of data that belong to the program and stand in a TOML file, so that a person can read and correct them without reading
//! the program.

use serde::Deserialize;
use std::collections::HashMap;

/// Reads the rows of the one table of a file: `[[name]]`.
pub(crate) fn rows<T: Deserialize<'static>>(
    text: &'static str,
    name: &str,
) -> Result<Vec<T>, toml::de::Error> {
    let mut tables: HashMap<&str, Vec<T>> = toml::from_str(text)?;
    Ok(tables.remove(name).unwrap_or_default())
}
