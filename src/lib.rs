//! Electrus keeps files safe: what a program links in place of `fopen`.
//!
//! # What is guaranteed
//!
//! - **Atomic and durable writes.** Readers see the old content or the new. When a write returns, content and name survive
//!   a power cut ([`atomic::Durability::Full`], the default); the result says what was achieved.
//! - **Nothing lost.** A versioned write records what it writes, and what it replaces if history does not hold that yet; the
//!   version is durable before the file is replaced. Numbers are never used twice ([`version`], [`workspace`]).
//! - **Locks** that exclude threads, processes and other tools, with time-outs; on Linux a waiter is woken, not polling, and our
//!   readers do not starve a writer ([`lock`]).
//! - **Names stay beneath the base folder**, also while somebody swaps symbolic links ([`path`]).
//! - **Transactions** over several files: a crash leaves all old or all new ([`transaction`]).
//! - **Every stored byte is checked** when it is read, and all of them by [`verify`](handler::AdvancedFileHandler::verify).
//! - Any input is answered with an [`Error`](error::Error) that has a stable [`Code`](error::Code); none with a panic.
//!
//! # What is not
//!
//! - Locks are advisory: what a program writes through a descriptor that it held before ours replaced the file, and after
//!   that, goes where no name leads any more.
//! - Transactions are atomic across crashes, not isolated from programs that take no locks.
//! - A medium that loses what it reported as flushed, or that changes sectors it was not asked to write, is found out by
//!   `verify`, not undone.
//!
//! # The rooms
//!
//! From leaf to face; none uses one that stands below it in this list.
//!
//! | | |
//! |---|---|
//! | [`error`], [`time`], [`progress`] | codes, points in time, progress and cancel |
//! | `sys` | the only place that knows the platform |
//! | [`path`] | names beneath a base folder |
//! | [`checksum`], [`lock`], [`atomic`] | each works on ordinary paths, too |
//! | [`store`] | versions and backups on disk ([the format](https://docs.rs/crate/electrus/latest/source/docs/format.md)) |
//! | [`workspace`], [`transaction`] | the sequence by which files are changed: one, a group, or all or none |
//! | [`version`], [`json`], [`backup`], [`import`], [`metadata`] | what is done with that |
//! | [`handler`] | all of it on one base folder: where a program starts |
//! | [`wire`], [`ops`] | requests and results as JSON, the table of operations: what every other language goes through |
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod atomic;
pub mod backup;
pub(crate) mod batch;
pub mod checksum;
pub mod error;
pub mod handler;
pub mod import;
pub mod json;
pub mod lock;
pub mod metadata;
pub mod ops;
pub mod path;
pub(crate) mod process;
pub mod progress;
pub mod store;
#[allow(missing_docs)]
pub(crate) mod sys;
pub(crate) mod threads;
pub mod time;
pub mod transaction;
pub mod version;
pub mod wire;
pub mod workspace;

/// The README's example is compiled and run with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
