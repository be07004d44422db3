//! JSON documents: strict reading, faithful writing, and changes that are atomic, locked and versioned.
//!
//! - [`parse`] and [`to_bytes`]: order of keys and digits of numbers come out as they went in.
//! - [`Pointer`] (RFC 6901), [`merge`] (RFC 7396), [`patch`] (RFC 6902): on documents in memory.
//! - [`JsonFileHandler`]: the same on files.

mod document;
mod equal;
mod handler;
mod merge;
mod patch;
mod pointer;

pub use document::{MAX_DEPTH, MAX_SIZE, MAX_VALUES, parse, to_bytes};
pub use handler::{JsonFileHandler, JsonRead};
pub use merge::merge;
pub use patch::patch;
pub use pointer::Pointer;
