//! The HTTP resource that switches faults: `/sandbox/faults` on the ports of the SSP and the DoS.
//!
//! | request | does | answers |
//! |---|---|---|
//! | `GET /sandbox/faults` | shows what is switched on | 200, `{"faults":[{"id":1,"taken":0,"at":"ssp","kind":"slow","milliseconds":800}]}` |
//! | `PUT /sandbox/faults` | puts `{"faults":[…]}` in place of all | 200, the new list |
//! | `POST /sandbox/faults` | adds one fault, `{"at":"ssp","kind":"lost-answer","interaction":"create:appointment","count":1}` | 201, the list |
//! | `DELETE /sandbox/faults` | takes all away | 200, the empty list |
//! | `DELETE /sandbox/faults/1` | takes one away | 200, the list |
//!
//! What is wrong answers 400, 404, 405 or 413 with `{"error":"…"}`.

use super::{Faults, Rule};
use crate::small_http::{Failure, read_body, respond};
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;

/// Path of the resource.
pub const CONTROL_PATH: &str = "/sandbox/faults";
/// Largest body: [`super::MAX_RULES`] rules of a few hundred bytes.
pub const MAX_CONTROL_BYTES: usize = 128 << 10;

/// True when the request is for the control resource.
pub fn is_control(path: &str) -> bool {
    path.strip_prefix(CONTROL_PATH)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replacement {
    faults: Vec<serde_json::Value>,
}

/// Answers a request for [`CONTROL_PATH`] or what is below it.
pub async fn control<B>(faults: &Faults, request: Request<B>) -> Response<Full<Bytes>>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    match answer(faults, request).await {
        Ok(status) => json_response(status, &json!({ "faults": faults.active() })),
        Err((status, why)) => {
            let mut response = json_response(status, &json!({ "error": why }));
            if status == StatusCode::METHOD_NOT_ALLOWED {
                response.headers_mut().insert(
                    header::ALLOW,
                    HeaderValue::from_static("GET, PUT, POST, DELETE"),
                );
            }
            response
        }
    }
}

async fn answer<B>(faults: &Faults, request: Request<B>) -> Result<StatusCode, Failure>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    let rest = parts
        .uri
        .path()
        .strip_prefix(CONTROL_PATH)
        .unwrap_or_default();
    let rest = rest.trim_matches('/').to_owned();
    if !rest.is_empty() {
        let id: u64 = rest
            .parse()
            .map_err(|_| not_found("a fault has a number: /sandbox/faults/1"))?;
        return match parts.method {
            Method::DELETE if faults.remove(id) => Ok(StatusCode::OK),
            Method::DELETE => Err(not_found("there is no fault of this number")),
            _ => Err(not_allowed("one fault can only be deleted")),
        };
    }
    match parts.method {
        Method::GET => Ok(StatusCode::OK),
        Method::DELETE => {
            faults.clear();
            Ok(StatusCode::OK)
        }
        Method::POST => {
            let rule = serde_json::from_slice(&read_body(body, MAX_CONTROL_BYTES).await?)
                .map_err(|e| bad(e.to_string()))
                .and_then(rule)?;
            faults.add(rule).map_err(bad)?;
            Ok(StatusCode::CREATED)
        }
        Method::PUT => {
            let list: Replacement =
                serde_json::from_slice(&read_body(body, MAX_CONTROL_BYTES).await?)
                    .map_err(|e| bad(e.to_string()))?;
            if list.faults.len() > super::MAX_RULES {
                return Err(bad(format!("at most {} faults at once", super::MAX_RULES)));
            }
            let rules = list
                .faults
                .into_iter()
                .map(rule)
                .collect::<Result<Vec<Rule>, Failure>>()?;
            faults.replace(rules).map_err(bad)?;
            Ok(StatusCode::OK)
        }
        _ => Err(not_allowed("use GET, PUT, POST or DELETE")),
    }
}

/// A rule from JSON. Unknown members are refused by hand: a flattened enum cannot refuse them itself.
fn rule(value: serde_json::Value) -> Result<Rule, Failure> {
    const SHARED: [&str; 6] = ["at", "kind", "service", "asid", "interaction", "count"];
    let given: Vec<String> = match value.as_object() {
        Some(members) => members.keys().cloned().collect(),
        None => return Err(bad("a fault is an object with `at` and `kind`".to_owned())),
    };
    let rule: Rule = serde_json::from_value(value).map_err(|e| bad(e.to_string()))?;
    let own: &[&str] = match rule.fault {
        super::Fault::Slow { .. } => &["milliseconds"],
        super::Fault::LostAnswer { .. } => &["cut"],
        super::Fault::Status { .. } => &["status"],
        super::Fault::SoapFault { .. } => &["code", "text"],
        _ => &[],
    };
    match given
        .iter()
        .find(|name| !SHARED.contains(&name.as_str()) && !own.contains(&name.as_str()))
    {
        Some(unknown) => Err(bad(format!(
            "`{unknown}` is no member of this fault; there are {} {}",
            SHARED.join(", "),
            own.join(", ")
        ))),
        None => Ok(rule),
    }
}

fn bad(why: String) -> Failure {
    (StatusCode::BAD_REQUEST, why)
}

fn not_found(why: &str) -> Failure {
    (StatusCode::NOT_FOUND, why.to_owned())
}

fn not_allowed(why: &str) -> Failure {
    (StatusCode::METHOD_NOT_ALLOWED, why.to_owned())
}

fn json_response(status: StatusCode, value: &serde_json::Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", format!("{value}\n"))
}
