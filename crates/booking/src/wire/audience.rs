//! Reads `aud` of a token: one URL, as a string or in a list, as common token libraries write it (RFC 7519, 4.1.3).

use super::strict_json::{Json, Object};

/// The audience of a payload; the error says what is wrong with the claim.
pub(super) fn named<'a>(payload: &'a Object<'a>) -> Result<&'a str, String> {
    let one = match payload.get("aud") {
        Some(Json::List(list)) => match list.as_slice() {
            [one] => one,
            [] => return Err("is an empty list".to_owned()),
            more => {
                return Err(format!(
                    "names {} audiences; a token is for one service root, so name that alone",
                    more.len()
                ));
            }
        },
        Some(one) => one,
        None => return Err("is missing".to_owned()),
    };
    match one.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text),
        Some(_) => Err("is empty".to_owned()),
        None => Err("is not a string".to_owned()),
    }
}
