//! Memory that goes to the caller, and comes back by `electrus_free`.
//!
//! Every block is known by its address, so that its size need not stand in front of it (contents go out without being
//! copied) and so that a pointer which is not ours, or was given back already, is noticed instead of being freed.

use crate::error::{Code, Error, Result};
use crate::process::PerProcess;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::HashMap;
use std::ffi::{c_char, c_void};
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes that go in or come out.
///
/// `data` may be NULL if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types)]
pub struct electrus_bytes {
    /// The first byte.
    pub data: *const c_void,
    /// How many bytes.
    pub len: usize,
}

const SHARDS: usize = 16;

/// Blocks by their address, whose bits are flipped there: a leak checker that looks for pointers to them must not find
/// these.
type Blocks = HashMap<usize, Layout>;

fn blocks(address: usize) -> MutexGuard<'static, Blocks> {
    static BLOCKS: PerProcess<[Mutex<Blocks>; SHARDS]> = PerProcess::new();
    let shards = BLOCKS.get(|_| Default::default());
    shards[(address >> 6) % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(block: *mut u8, layout: Layout) {
    blocks(block.addr()).insert(!block.addr(), layout);
}

/// A block of zeros. NULL if there is no memory.
pub(super) fn allocate(size: usize) -> *mut c_void {
    let Ok(layout) = Layout::from_size_align(size.max(1), 16) else { return ptr::null_mut() };
    // SAFETY: the layout has a size.
    let block = unsafe { alloc_zeroed(layout) };
    if !block.is_null() {
        note(block, layout);
    }
    block.cast()
}

/// Gives a block back; anything else is left alone.
pub(super) fn free(block: *mut c_void) {
    let taken = blocks(block.addr()).remove(&!block.addr());
    if let Some(layout) = taken {
        // SAFETY: the block was allocated with this layout, by this allocator, and is in nobody's table any more.
        unsafe { dealloc(block.cast(), layout) }
    }
}

/// How many blocks are with the caller, and how many bytes they have.
pub(super) fn count() -> (usize, usize) {
    let mut sum = (0, 0);
    for shard in 0..SHARDS {
        let blocks = blocks(shard << 6);
        sum.0 += blocks.len();
        sum.1 += blocks.values().map(Layout::size).sum::<usize>();
    }
    sum
}

/// Hands bytes over, without copying them.
pub(super) fn give(mut bytes: Vec<u8>) -> Result<electrus_bytes> {
    let len = bytes.len();
    if bytes.capacity() == 0 {
        bytes.try_reserve_exact(1).map_err(|_| Error::new(Code::OutOfMemory))?;
    }
    let mut bytes = ManuallyDrop::new(bytes);
    let Ok(layout) = Layout::array::<u8>(bytes.capacity()) else { return Err(Error::new(Code::Internal)) };
    note(bytes.as_mut_ptr(), layout);
    Ok(electrus_bytes { data: bytes.as_mut_ptr().cast(), len })
}

/// Hands text over, with a zero at its end; refuses one that has a zero in it.
pub(super) fn give_text(text: String) -> Result<*mut c_char> {
    let mut bytes = text.into_bytes();
    if bytes.contains(&0) {
        return Err(Error::message(Code::InvalidArgument, "the text has a NUL character in it: read it from the JSON"));
    }
    bytes.try_reserve(1).map_err(|_| Error::new(Code::OutOfMemory))?;
    bytes.push(0);
    Ok(give(bytes)?.data.cast_mut().cast())
}

/// Hands several contents over as one block: an array of [`electrus_bytes`], and behind it what they point to.
pub(super) fn give_all(contents: &[Vec<u8>]) -> Result<*mut electrus_bytes> {
    if contents.is_empty() {
        return Ok(ptr::null_mut());
    }
    let head = mem::size_of::<electrus_bytes>() * contents.len();
    let size = contents.iter().try_fold(head, |sum, content| sum.checked_add(content.len()));
    let block = allocate(size.ok_or_else(|| Error::new(Code::TooLarge))?);
    if block.is_null() {
        return Err(Error::new(Code::OutOfMemory));
    }
    let list: *mut electrus_bytes = block.cast();
    let mut at = head;
    for (index, content) in contents.iter().enumerate() {
        // SAFETY: the block has `head` bytes for the list, aligned for it, and after that the length of every content.
        unsafe {
            let data = block.cast::<u8>().add(at);
            ptr::copy_nonoverlapping(content.as_ptr(), data, content.len());
            list.add(index).write(electrus_bytes { data: data.cast(), len: content.len() });
        }
        at += content.len();
    }
    Ok(list)
}
