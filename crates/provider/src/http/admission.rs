//! Admission control: what one consumer, one peer and everybody together may use, before and while a request is worked on.

pub(in crate::http) mod admit;
pub mod limits;
pub(in crate::http) mod receiving;
pub(in crate::http) mod strangers;
pub mod untaken;
