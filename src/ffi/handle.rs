//! Handles: what C holds in place of an object.
//!
//! A handle is a number in the form of a pointer that is never followed: 4 bits of kind, a serial number that is never
//! given out twice, and a lowest bit that keeps it apart from every pointer. So a handle that is closed, of another kind,
//! made up or inherited from the process that forked this one is always found out, and never undefined behaviour.

use crate::error::{Code, Error, Result};
use crate::process::PerProcess;
use std::any::Any;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, PoisonError, RwLock};

/// What a type of handle in the header stands for.
pub(super) trait Handle: Sized {
    /// What is behind it.
    type Object: Send + Sync + 'static;
    /// Which of the kinds.
    const KIND: Kind;
}

/// The kinds of handles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    Handler = 1,
    Lock = 2,
    Writer = 3,
    Reader = 4,
    Checksum = 5,
    Backup = 6,
    Json = 7,
    Versions = 8,
    Transaction = 9,
    Progress = 10,
    Task = 11,
}

impl Kind {
    pub const ALL: [Kind; 11] = [
        Kind::Handler,
        Kind::Lock,
        Kind::Writer,
        Kind::Reader,
        Kind::Checksum,
        Kind::Backup,
        Kind::Json,
        Kind::Versions,
        Kind::Transaction,
        Kind::Progress,
        Kind::Task,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Handler => "handler",
            Kind::Lock => "lock",
            Kind::Writer => "writer",
            Kind::Reader => "reader",
            Kind::Checksum => "checksum",
            Kind::Backup => "backup",
            Kind::Json => "json",
            Kind::Versions => "versions",
            Kind::Transaction => "transaction",
            Kind::Progress => "progress",
            Kind::Task => "task",
        }
    }

    fn of(id: usize) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| id & 1 == 1 && *kind as usize == id >> 1 & 0xf)
    }
}

/// The last serial number given out. A forked child goes on from there, so that no handle of its own has the number of
/// one that it inherited.
static LAST: AtomicUsize = AtomicUsize::new(0);

#[derive(Default)]
struct Table {
    objects: HashMap<usize, Arc<dyn Any + Send + Sync>, BuildHasherDefault<Spread>>,
}

/// Handles are serial numbers: nobody chooses them to collide.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_usize(usize::from(*byte)));
    }

    fn write_usize(&mut self, number: usize) {
        self.0 = (self.0 ^ number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(20)
    }
}

fn table() -> &'static RwLock<Table> {
    static TABLE: PerProcess<RwLock<Table>> = PerProcess::new();
    TABLE.get(|_| RwLock::default())
}

/// A new handle.
pub(super) fn open<H: Handle>(object: H::Object) -> Result<*mut H> {
    let mut table = table().write().unwrap_or_else(PoisonError::into_inner);
    let next = |last: usize| (last < usize::MAX >> 5).then_some(last + 1);
    let Ok(last) = LAST.fetch_update(Relaxed, Relaxed, next) else {
        return Err(Error::message(Code::TooLarge, "no more handles: each number is given out once"));
    };
    let id = (last + 1) << 5 | (H::KIND as usize) << 1 | 1;
    table.objects.insert(id, Arc::new(object));
    Ok(ptr::without_provenance_mut(id))
}

/// What a handle stands for; it lives as long as the answer, also if the handle is closed meanwhile.
pub(super) fn get<H: Handle>(handle: *const H) -> Result<Arc<H::Object>> {
    find::<H>(handle.addr())
}

/// The same by the handle's number.
pub(super) fn find<H: Handle>(id: usize) -> Result<Arc<H::Object>> {
    if Kind::of(id) != Some(H::KIND) {
        return Err(invalid(H::KIND, id)); // kinds may stand for objects of one type
    }
    let found = table().read().unwrap_or_else(PoisonError::into_inner).objects.get(&id).cloned();
    cast::<H>(found, id)
}

/// Closes a handle, and gives what it stood for.
pub(super) fn close<H: Handle>(handle: *mut H) -> Result<Arc<H::Object>> {
    get::<H>(handle)?;
    let taken = table().write().unwrap_or_else(PoisonError::into_inner).objects.remove(&handle.addr());
    cast::<H>(taken, handle.addr())
}

fn cast<H: Handle>(object: Option<Arc<dyn Any + Send + Sync>>, id: usize) -> Result<Arc<H::Object>> {
    object.and_then(|object| object.downcast().ok()).ok_or_else(|| invalid(H::KIND, id))
}

fn invalid(wanted: Kind, id: usize) -> Error {
    let wanted = wanted.name();
    let words = match Kind::of(id) {
        _ if id == 0 => format!("NULL is no {wanted} handle"),
        Some(kind) if kind.name() != wanted => format!("this is a {} handle, and not a {wanted} handle", kind.name()),
        Some(_) => format!("this {wanted} handle is closed, or not of this process"),
        None => format!("this is no {wanted} handle"),
    };
    Error::message(Code::InvalidHandle, words)
}

/// How many handles of each kind are open.
pub(super) fn count() -> Vec<(&'static str, usize)> {
    let table = table().read().unwrap_or_else(PoisonError::into_inner);
    let of = |kind: Kind| table.objects.keys().filter(|id| Kind::of(**id) == Some(kind)).count();
    Kind::ALL.into_iter().map(|kind| (kind.name(), of(kind))).collect()
}
