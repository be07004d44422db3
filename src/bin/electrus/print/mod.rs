//! Results for people. With `--json` nothing here is used but [`document`].

mod lists;
mod results;
mod table;

pub use results::plain;

use crate::failure::Failure;
use serde_json::Value;
use std::io::{self, Write};

/// Stdout, of which every failure is told, the last one at the end included.
pub struct Out(io::BufWriter<io::StdoutLock<'static>>);

impl Out {
    pub fn new() -> Out {
        Out(io::BufWriter::with_capacity(1 << 16, io::stdout().lock()))
    }

    /// One line.
    pub fn line(&mut self, line: impl AsRef<str>) -> Result<(), Failure> {
        writeln!(self.0, "{}", line.as_ref()).map_err(Failure::stdout)
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write_all(bytes).map_err(Failure::stdout)
    }

    /// Hands everything on.
    pub fn finish(mut self) -> Result<(), Failure> {
        self.0.flush().map_err(Failure::stdout)
    }
}

/// The one JSON document.
pub fn document(document: &Value) -> Result<(), Failure> {
    let mut out = Out::new();
    out.line(document.to_string())?;
    out.finish()
}

/// A result in words, by its operation.
pub fn result(operation: &str, result: &Value) -> Result<(), Failure> {
    let mut out = Out::new();
    match operation {
        "versions" => lists::versions(&mut out, result)?,
        "backup_list" => lists::backups(&mut out, result)?,
        "backup_show" => lists::backup(&mut out, result)?,
        "backup_conflicts" => lists::conflicts(&mut out, result)?,
        "locks" => lists::holders(&mut out, result)?,
        "import" => lists::imported(&mut out, result)?,
        "verify" | "backup_verify" => lists::verified(&mut out, result)?,
        "repair" => lists::repaired(&mut out, result)?,
        "stat" => results::stat(&mut out, result)?,
        "diff" => results::diff(&mut out, result)?,
        "json_get" | "json_read" => out.bytes(&electrus::json::to_bytes(&result["data"])?)?,
        _ => out.line(results::sentence(operation, result))?,
    }
    results::remarks(&mut out, result)?;
    out.finish()
}
