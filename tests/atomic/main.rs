//! Atomic writes, against the kernel and the tools that ask it: strace, getfacl, getfattr, stat.
#![cfg(unix)]

mod attributes;
mod child;
#[path = "../common/mod.rs"]
mod common;
mod content;
mod faults;
mod races;

use common::{Mounted, NOBODY, as_root, can_trace, open_folder, skip};
use electrus::atomic::{Condition, Durability, WriteOptions};
use electrus::checksum::{Algorithm, of_bytes};
use electrus::path::Location;
use std::fs;
use std::path::Path;
use std::process::Command;

fn at(path: impl AsRef<Path>) -> Location {
    Location::ordinary(path).unwrap()
}

fn put(path: impl AsRef<Path>, content: &[u8]) -> electrus::error::Result<electrus::atomic::Written> {
    electrus::atomic::write(&at(path), content, &fast())
}

/// For what has nothing to do with power cuts.
fn fast() -> WriteOptions {
    WriteOptions { durability: Durability::None, ..WriteOptions::default() }
}

fn if_absent() -> WriteOptions {
    WriteOptions { condition: Condition::Absent, ..fast() }
}

fn if_content(content: &[u8]) -> WriteOptions {
    WriteOptions { condition: Condition::Checksum(of_bytes(Algorithm::Sha256, content)), ..fast() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What a tool prints, or `None` (out loud) where it is missing or fails.
fn tool(name: &str, arguments: &[&str]) -> Option<String> {
    match Command::new(name).args(arguments).output() {
        Ok(output) if output.status.success() => return Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => skip(&format!("{name}: {}", String::from_utf8_lossy(&output.stderr))),
        Err(e) => skip(&format!("{name}: {e}")),
    }
    None
}

/// Runs something with the rights of another user, in a thread of its own. Only root can.
fn as_user<T: Send>(id: u32, action: impl FnOnce() -> T + Send) -> T {
    use rustix::process::{Gid, Uid};
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
            action()
        });
        other.join().unwrap()
    })
}
