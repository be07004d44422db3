//! One entry of the index.

use crate::store::model::RecordId;

/// Bytes of an entry.
pub const SIZE: usize = 80;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u64)]
pub enum Space {
    Chunk = 1,
    History = 2,
    Name = 3,
    Snapshot = 4,
}

/// Ordered by all fields but `extra`, in the order they stand here.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    pub space: u64,
    pub key: [u8; 32],
    pub number: u64,
    pub sequence: u64,
    pub segment: u64,
    pub offset: u64,
    pub extra: u64,
}

type Order<'a> = (u64, &'a [u8; 32], u64, u64, u64, u64);

impl Entry {
    /// The smallest entry of a key from this number on.
    pub fn first(space: Space, key: [u8; 32], number: u64) -> Entry {
        Entry { space: space as u64, key, number, sequence: 0, segment: 0, offset: 0, extra: 0 }
    }

    /// Greater than every entry of a key.
    pub fn last(space: Space, key: [u8; 32]) -> Entry {
        Entry {
            number: u64::MAX,
            sequence: u64::MAX,
            segment: u64::MAX,
            offset: u64::MAX,
            ..Entry::first(space, key, 0)
        }
    }

    pub fn record(&self) -> RecordId {
        RecordId { segment: self.segment, offset: self.offset }
    }

    fn order(&self) -> Order<'_> {
        (self.space, &self.key, self.number, self.sequence, self.segment, self.offset)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.space.to_le_bytes());
        out.extend_from_slice(&self.key);
        for field in [self.number, self.sequence, self.segment, self.offset, self.extra] {
            out.extend_from_slice(&field.to_le_bytes());
        }
    }

    pub fn parse(bytes: &[u8; SIZE]) -> Entry {
        let field = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
        let key = bytes[8..40].try_into().unwrap_or_default();
        Entry {
            space: field(0),
            key,
            number: field(40),
            sequence: field(48),
            segment: field(56),
            offset: field(64),
            extra: field(72),
        }
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.order() == other.order()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order().cmp(&other.order())
    }
}
