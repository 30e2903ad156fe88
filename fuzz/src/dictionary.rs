//! Words that lead into the code: names and values that mean something to it. They stand in `dictionary.json`:
//!
//! | list | what it holds |
//! |---|---|
//! | `fhir` | elements, types, codes and systems of the booking messages |
//! | `json`, `xml`, `query`, `token` | pieces of such a text |
//! | `unicode` | characters that trip text handling: two to four bytes, combining, direction, blanks, edges of planes |

use std::collections::HashMap;

/// The lists by name.
const DICTIONARY: &str = include_str!("../dictionary.json");

/// The lists of these names. Panics when there is none of a name, or the file is not a dictionary.
pub fn lists(names: &[&str]) -> Vec<Vec<String>> {
    let mut all: HashMap<String, Vec<String>> = serde_json::from_str(DICTIONARY)
        .unwrap_or_else(|e| panic!("the dictionary cannot be read: {e}"));
    let list = |name: &&str| {
        let list = all.remove(*name);
        list.unwrap_or_else(|| panic!("the dictionary has no list {name}"))
    };
    names.iter().map(list).collect()
}
