//! `aud` of a token: one URL, as a string or as a list of one, which common token libraries write (RFC 7519, 4.1.3).

use super::strict_json::{Json, Object};

/// The one audience of a payload, or what is wrong with the claim.
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
