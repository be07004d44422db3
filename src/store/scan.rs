//! Reading a segment from front to back: records, damage, and where it ends.

use super::record::{ALIGN, HEADER, Header, Parsed, aligned};
use crate::sys;
use std::fs::File;
use std::io;

/// The first look is small (most often nothing is new), later ones are larger.
const FIRST_WINDOW: usize = 512;
const WINDOW: usize = 1 << 20;

/// What stands at one place of a segment.
pub enum Item<'a> {
    Record(&'a Header, &'a [u8]),
    /// Bytes that are wrong, and the record they are in if its header is right.
    Damage {
        offset: u64,
        what: &'static str,
        record: Option<(&'a Header, &'a [u8])>,
    },
}

/// How a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With the last record.
    Clean,
    /// In a record that was never written whole.
    Torn,
    /// In bytes that are no record, and none follows.
    Damaged,
}

/// A stretch of a segment to read.
pub struct Stretch<'a> {
    pub file: &'a File,
    pub segment: u64,
    pub from: u64,
    /// Where it is known to end; else at the first header of zeros.
    pub limit: Option<u64>,
}

impl Stretch<'_> {
    /// Visits everything in order; gives where it ends, and how.
    pub fn scan<E: From<io::Error>>(
        &self,
        visit: &mut dyn FnMut(Item<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(u64, End), E> {
        let mut window = Window { file: self.file, start: 0, bytes: Vec::new(), size: FIRST_WINDOW };
        let mut at = self.from;
        loop {
            if self.limit.is_some_and(|limit| at >= limit) {
                return Ok((at, End::Clean));
            }
            let head = window.get(at, HEADER)?;
            let parsed = match <&[u8; HEADER]>::try_from(head) {
                Ok(head) => Header::parse(head, self.segment, at),
                Err(_) if head.iter().all(|b| *b == 0) => Parsed::Nothing,
                Err(_) if self.limit.is_none() => return Ok((at, End::Torn)),
                Err(_) => Parsed::Bad,
            };
            match parsed {
                Parsed::Nothing if self.limit.is_none() => return Ok((at, End::Clean)),
                Parsed::Header(header) => match self.record(&mut window, &header, visit)? {
                    Some(next) => at = next,
                    None => return Ok((at, End::Torn)),
                },
                Parsed::Nothing | Parsed::Bad => match self.next_header(&mut window, at + ALIGN)? {
                    Some(next) => {
                        visit(Item::Damage { offset: at, what: "no record where one should be", record: None })?;
                        at = next;
                    }
                    None if self.limit.is_some() => {
                        visit(Item::Damage { offset: at, what: "no record where one should be", record: None })?;
                        return Ok((at, End::Damaged));
                    }
                    None => return Ok((at, End::Damaged)),
                },
            }
        }
    }

    /// Visits one record; gives where the next begins, or `None` if this one is a torn tail.
    fn record<E: From<io::Error>>(
        &self,
        window: &mut Window<'_>,
        header: &Header,
        visit: &mut dyn FnMut(Item<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Option<u64>, E> {
        let length = header.length as usize; // bounded by MAX_PAYLOAD
        let whole = (aligned(header.length) as usize).max(length);
        let bytes = window.get(header.payload_offset(), whole)?;
        let payload = &bytes[..length.min(bytes.len())];
        if header.matches(payload) {
            let padded = bytes[length..].iter().all(|b| *b == 0);
            visit(Item::Record(header, payload))?;
            if !padded {
                visit(Item::Damage { offset: header.offset, what: "padding is not zero", record: None })?;
            }
            return Ok(Some(header.next()));
        }
        if self.limit.is_none() && header.is_torn(payload) && self.nothing_at(window, header.next())? {
            return Ok(None);
        }
        let payload = window.get(header.payload_offset(), length)?;
        let record = Some((header, payload));
        visit(Item::Damage { offset: header.offset, what: "a record fails its checksum", record })?;
        Ok(Some(header.next()))
    }

    fn nothing_at(&self, window: &mut Window<'_>, offset: u64) -> io::Result<bool> {
        Ok(window.get(offset, HEADER)?.iter().all(|b| *b == 0))
    }

    fn next_header(&self, window: &mut Window<'_>, mut at: u64) -> io::Result<Option<u64>> {
        loop {
            if self.limit.is_some_and(|limit| at >= limit) {
                return Ok(None);
            }
            let Ok(head) = <&[u8; HEADER]>::try_from(window.get(at, HEADER)?) else { return Ok(None) };
            if let Parsed::Header(_) = Header::parse(head, self.segment, at) {
                return Ok(Some(at));
            }
            at += ALIGN;
        }
    }
}

/// A buffer that slides over a file.
struct Window<'a> {
    file: &'a File,
    start: u64,
    bytes: Vec<u8>,
    size: usize,
}

impl Window<'_> {
    /// Bytes at an offset; fewer where the file ends.
    fn get(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let inside = offset >= self.start && offset + length as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let want = length.max(self.size);
            self.size = (self.size * 16).min(WINDOW);
            self.bytes.resize(want, 0);
            let read = sys::read_at(self.file, &mut self.bytes, offset)?;
            self.bytes.truncate(read);
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        let to = (from + length).min(self.bytes.len());
        Ok(&self.bytes[from..to])
    }
}

/// What stands beyond the last record of a segment. Read in blocks: a hostile file may be of any length.
pub struct Tail {
    pub length: u64,
    pub zero: bool,
    /// Some sector has more than one bit set: what a crash leaves, rather than a flipped bit.
    pub looks_torn: bool,
    pub head_is_zero: bool,
    pub digest: [u8; 32],
}

impl Tail {
    pub fn read(file: &File, from: u64) -> io::Result<Tail> {
        let mut tail = Tail { length: 0, zero: true, looks_torn: false, head_is_zero: true, digest: [0; 32] };
        let mut hasher = blake3::Hasher::new();
        let mut block = vec![0; WINDOW];
        loop {
            let at = from + tail.length;
            // Up to a sector's end first, so that no block divides a sector.
            let want = WINDOW - (at % super::record::SECTOR) as usize;
            let read = sys::read_at(file, &mut block[..want], at)?;
            let bytes = &block[..read];
            if tail.length == 0 {
                tail.head_is_zero = bytes.iter().take(HEADER).all(|b| *b == 0);
            }
            tail.zero &= bytes.iter().all(|b| *b == 0);
            tail.looks_torn |= super::record::looks_torn(at, bytes);
            hasher.update(bytes);
            tail.length += read as u64;
            if read < want {
                tail.digest = *hasher.finalize().as_bytes();
                return Ok(tail);
            }
        }
    }
}
