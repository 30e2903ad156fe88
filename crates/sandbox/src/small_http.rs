//! Small requests and answers over HTTP: bodies within a bound, and texts.

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use std::time::Duration;

/// Time for the body to arrive.
const BODY: Duration = Duration::from_secs(10);

/// Status and reason of a request that cannot be taken.
pub type Failure = (StatusCode, String);

/// Reads a body of at most `most` bytes that arrives in time; otherwise says why not.
pub async fn read_body<B>(body: B, most: usize) -> Result<Bytes, Failure>
where
    B: http_body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (status, why) = match tokio::time::timeout(BODY, Limited::new(body, most).collect()).await {
        Ok(Ok(collected)) => return Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let why = format!("a request has at most {most} bytes");
            (StatusCode::PAYLOAD_TOO_LARGE, why)
        }
        Ok(Err(_)) => (StatusCode::BAD_REQUEST, "the body broke off".to_owned()),
        Err(_) => {
            let why = format!("the body did not arrive within {} seconds", BODY.as_secs());
            (StatusCode::REQUEST_TIMEOUT, why)
        }
    };
    Err((status, why))
}

/// A text of this media type, which nobody keeps.
pub fn respond(status: StatusCode, media: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
