//! The C interface: what other languages link. Every export is an ordinary function, its body one guarded call.
//!
//! One file a noun; `guard` is the panic boundary, `handle` the table of handles, `buffer` the memory that goes out,
//! `arguments` what comes in, `call` the way to the table of operations, `table` which options each function takes.
//! The documentation of the exports is that of the header `include/electrus.h`, which is made from this folder.
#![allow(unsafe_code)]
#![allow(clippy::missing_safety_doc)] // the header says it once, for all of them

mod arguments;
mod backup;
mod buffer;
mod call;
mod checksum;
mod guard;
mod handle;
mod handler;
mod json;
mod library;
mod lock;
mod progress;
mod reader;
pub mod table;
mod task;
mod transaction;
mod versions;
mod writer;
