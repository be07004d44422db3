//! The index: sorted entries that say where records and chunks are. Derived from the segments and never believed
//! without a checksum; what it points to is checked again when it is read.

mod catalog;
mod entry;
mod run;

pub use catalog::{Catalog, Coverage, run_name};
pub use entry::{Entry, Space};
pub use run::{RunRef, check_run};
