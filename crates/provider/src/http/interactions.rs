//! The interactions of the Standard, one file each, named after the Standard's word for it.

pub mod book;
pub mod cancel;
pub mod capability;
pub mod history;
pub mod itk;
pub mod read;
pub mod search_appointments;
pub mod search_slots;
