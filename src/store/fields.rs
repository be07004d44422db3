//! Integers and byte strings of the format: reading is bounded by what is there.

use crate::time::Timestamp;

/// Appends fields to a payload.
#[derive(Default)]
pub struct FieldWriter(pub Vec<u8>);

impl FieldWriter {
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u64(bytes.len() as u64).raw(bytes)
    }

    pub fn time(&mut self, time: Timestamp) -> &mut Self {
        self.u64(time.seconds as u64).u64(time.nanos.into())
    }
}

/// Takes fields off a payload; `None` where it is too short or a value makes no sense.
pub struct FieldReader<'a>(&'a [u8]);

impl<'a> FieldReader<'a> {
    pub fn new(payload: &'a [u8]) -> Self {
        FieldReader(payload)
    }

    pub fn u64(&mut self) -> Option<u64> {
        let (first, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*first))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.u64()?.try_into().ok()
    }

    pub fn flag(&mut self) -> Option<bool> {
        match self.u64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub fn id(&mut self) -> Option<[u8; 32]> {
        let (first, rest) = self.0.split_first_chunk::<32>()?;
        self.0 = rest;
        Some(*first)
    }

    pub fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.u64()?).ok()?;
        let (first, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(first)
    }

    pub fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub fn time(&mut self) -> Option<Timestamp> {
        let seconds = self.u64()? as i64;
        let nanos = self.u32()?;
        (nanos < 1_000_000_000).then_some(Timestamp { seconds, nanos })
    }

    /// A count of things that take at least `size` bytes each: never more than there is room for.
    pub fn count(&mut self, size: usize) -> Option<usize> {
        let count = usize::try_from(self.u64()?).ok()?;
        (count <= self.0.len() / size.max(1)).then_some(count)
    }

    pub fn rest(self) -> &'a [u8] {
        self.0
    }

    /// Only if nothing is left over.
    pub fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}
