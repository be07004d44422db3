//! Python with packages of others. `tests/run` prepares the environments; by hand, they are made below cargo's target
//! folder when they are first needed.

use super::skip;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Each package as pip spells it, and the variable that names an interpreter that has it.
const PREPARED: [(&str, &str); 3] =
    [("filelock", "ELECTRUS_PYTHON"), ("blake3", "ELECTRUS_PYTHON"), ("filelock<3.20", "ELECTRUS_PYTHON_OLD_FILELOCK")];

/// An interpreter that has the package; `None`, out loud, where that cannot be had.
pub fn with(package: &str) -> Option<PathBuf> {
    let variable = PREPARED.iter().find(|(name, _)| *name == package).unwrap().1;
    if let Some(prepared) = std::env::var_os(variable) {
        return Some(prepared.into());
    }
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let made = make(package);
    if made.is_none() {
        skip(&format!("the Python package {package} cannot be installed"));
    }
    made
}

fn make(package: &str) -> Option<PathBuf> {
    let name: String = package.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '_' }).collect();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("python-{name}"));
    let python = folder.join("bin/python");
    let succeeds = |command: &mut Command| command.status().is_ok_and(|status| status.success());
    if !folder.join("complete").exists() {
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        let made = succeeds(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))
            && succeeds(Command::new(&python).args(pip));
        if !made {
            return None;
        }
        std::fs::write(folder.join("complete"), package).unwrap();
    }
    Some(python)
}
