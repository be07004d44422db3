//! Backup manager handles.

use super::arguments::{Given, Out};
use super::call::{ContentOut, On};
use super::guard::guard;
use super::handle::{self, Handle, Kind};
use super::handler::electrus_handler;
use super::table;
use crate::backup::{BackupManager, BackupOptions};
use crate::error::{Code, Error, Result};
use crate::wire::{self, Object};
use serde_json::Value;
use std::ffi::{c_char, c_void};
use std::ptr;

/// Backups: those of a base folder, or a backup folder of its own.
#[allow(non_camel_case_types)]
pub struct electrus_backup(());

impl Handle for electrus_backup {
    type Object = BackupManager;
    const KIND: Kind = Kind::Backup;
}

pub(super) fn on(backup: *const electrus_backup) -> Result<On> {
    Ok(On::Backups((*handle::get(backup)?).clone()))
}

fn opened(backups: &BackupManager) -> Value {
    let mut result = Object::new();
    wire::put_path(&mut result, "folder", &backups.path());
    Value::Object(result)
}

/// Opens a backup folder of its own; it need not exist yet, and is created by the first backup. What is backed up, and
/// where it is restored to, are ordinary paths.
///
/// Options: `read_only` (never change a byte of the backup folder), `shared` ("group"). The result tells `folder`.
///
/// Owns: the caller owns `*backup` and closes it with electrus_backup_close(); it owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: options, paths, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_open(
    folder: *const c_char,
    options: *const c_char,
    backup: *mut *mut electrus_backup,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(backup, ptr::null_mut(), "backup")?;
            let given = Given::new(&table::BACKUP_OPEN, options)?.path("folder", folder)?;
            let request = given.check()?;
            let group = match request.text("shared") {
                None => false,
                Some("group") => true,
                Some(_) => return Err(Error::message(Code::InvalidArgument, "`shared` must be \"group\"")),
            };
            let options = BackupOptions { group, read_only: request.flag("read_only") == Some(true) };
            let backups = BackupManager::open(request.name("folder")?, options)?;
            let result = opened(&backups);
            out.set(handle::open::<electrus_backup>(backups)?);
            Ok(result)
        })
    }
}

/// The backups of the base folder that a handler has open, where its option `backup_dir` says. The result tells `folder`.
///
/// Owns: the caller owns `*backup` and closes it with electrus_backup_close(), before or after the handler; it owns
/// `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_handler_backup(
    handler: *const electrus_handler,
    backup: *mut *mut electrus_backup,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = Out::new(backup, ptr::null_mut(), "backup")?;
            let backups = handle::get(handler)?.backups()?;
            let result = opened(&backups);
            out.set(handle::open::<electrus_backup>(backups)?);
            Ok(result)
        })
    }
}

/// Closes the handle. Calls that run go on to their end.
///
/// Owns: the handle is gone; the caller owns `*result`.
/// Threads: any.
/// NULL: `result` may be.
/// Errors: handle.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_close(backup: *mut electrus_backup, result: *mut *mut c_char) -> i32 {
    // SAFETY: the header says so.
    unsafe { guard(result, || handle::close(backup).map(|_| Value::Null)) }
}

/// Backs files and folders up under a new name; what did not change is not stored again. `name` NULL makes one from the
/// time; `paths` is a JSON list of names, NULL the whole base.
///
/// Options and result: those of the operation `backup_create`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `name`, `paths`, `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_ALREADY_EXISTS (the name), ELECTRUS_E_NOT_FOUND,
/// ELECTRUS_E_INVALID_NAME, ELECTRUS_E_INVALID_PATTERN, ELECTRUS_E_CANCELLED (no backup was made).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_create(
    backup: *const electrus_backup,
    name: *const c_char,
    paths: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_CREATE, options)?
                .text_or_null("name", name)?
                .document_or_null("paths", paths)?;
            on(backup)?.answer(given)
        })
    }
}

/// Every backup, by time.
///
/// Options and result: those of the operation `backup_list`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_list(
    backup: *const electrus_backup,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_LIST, options)?;
            on(backup)?.answer(given)
        })
    }
}

/// What a backup holds.
///
/// Options and result: those of the operation `backup_show`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_show(
    backup: *const electrus_backup,
    name: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_SHOW, options)?.text("name", name)?;
            on(backup)?.answer(given)
        })
    }
}

/// Reads one file of a backup into memory, verified. For large ones see electrus_backup_reader().
///
/// Options and result: those of the operation `backup_read`, the content apart.
///
/// Owns: the caller owns `*content` and `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_NOT_FOUND,
/// ELECTRUS_E_NOT_A_FILE, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_read(
    backup: *const electrus_backup,
    name: *const c_char,
    path: *const c_char,
    options: *const c_char,
    content: *mut *mut c_void,
    content_len: *mut usize,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let out = ContentOut::new(content, content_len)?;
            let on = on(backup)?;
            out.set(
                on.call(Given::new(&table::BACKUP_READ, options)?.text("name", name)?.path("path", path)?, Vec::new())?,
            )
        })
    }
}

/// Reads and checks every byte of a backup, or, if `name` is NULL, of all. That something is damaged is a result (`ok` is
/// false), and no error.
///
/// Options and result: those of the operation `backup_verify`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `name`, `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_CANCELLED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_verify(
    backup: *const electrus_backup,
    name: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_VERIFY, options)?.text_or_null("name", name)?;
            on(backup)?.answer(given)
        })
    }
}

/// Restores a backup or a part of it, to its place or elsewhere; in a base folder, what it replaces is in history first.
///
/// Options and result: those of the operation `backup_restore`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_BACKUP_NOT_FOUND,
/// ELECTRUS_E_WOULD_OVERWRITE (nothing was changed), ELECTRUS_E_DAMAGED, ELECTRUS_E_CANCELLED (what was restored stays).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_restore(
    backup: *const electrus_backup,
    name: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_RESTORE, options)?.text("name", name)?;
            on(backup)?.answer(given)
        })
    }
}

/// What stands in the way of a restore; nothing is changed.
///
/// Options and result: those of the operation `backup_conflicts`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system; ELECTRUS_E_BACKUP_NOT_FOUND, ELECTRUS_E_DAMAGED.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_conflicts(
    backup: *const electrus_backup,
    name: *const c_char,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_CONFLICTS, options)?.text("name", name)?;
            on(backup)?.answer(given)
        })
    }
}

/// Removes backups that no rule keeps; the newest stays.
///
/// Options and result: those of the operation `backup_prune`.
///
/// Owns: the caller owns `*result`.
/// Threads: any.
/// NULL: `options` and `result` may be.
/// Errors: handle, options, names, system, writes; ELECTRUS_E_STORE_BUSY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn electrus_backup_prune(
    backup: *const electrus_backup,
    options: *const c_char,
    result: *mut *mut c_char,
) -> i32 {
    // SAFETY: the header says so.
    unsafe {
        guard(result, || {
            let given = Given::new(&table::BACKUP_PRUNE, options)?;
            on(backup)?.answer(given)
        })
    }
}
