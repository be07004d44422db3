//! The framing of every record: a header of 128 bytes, a payload, zeros up to the next multiple of 128.

use super::fields::{FieldReader, FieldWriter};

/// Headers begin at multiples of this.
pub const ALIGN: u64 = 128;
/// Bytes of a header.
pub const HEADER: usize = 128;
const MAGIC: &[u8; 8] = b"ELCTRREC";
pub const SECTOR: u64 = 512;
const MAY_IGNORE: u64 = 1 << 63;
/// No payload is longer: what claims to be is damaged.
pub const MAX_PAYLOAD: u64 = 8 << 20;
/// No record has a higher sequence: to count that far takes centuries, so what claims to have one is damaged.
pub const MAX_SEQUENCE: u64 = 1 << 62;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u64)]
pub enum Kind {
    Segment = 1,
    Frame = 2,
    Version = 3,
    Landed = 4,
    Tag = 5,
    Spent = 6,
    Snapshot = 7,
    Attach = 8,
    Index = 9,
    Prune = 10,
    Folder = 11,
    Transaction = 12,
    Step = 13,
}

impl Kind {
    pub fn from_number(number: u64) -> Option<Kind> {
        use Kind::*;
        [Segment, Frame, Version, Landed, Tag, Spent, Snapshot, Attach, Index, Prune, Folder, Transaction, Step]
            .into_iter()
            .find(|k| *k as u64 == number)
    }
}

/// A header that passed its own checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// `None`: a kind of a later version that may be ignored.
    pub kind: Option<Kind>,
    pub length: u64,
    pub segment: u64,
    pub offset: u64,
    pub sequence: u64,
    pub sparse: u64,
    pub digest: [u8; 32],
}

/// What 128 bytes turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    Header(Header),
    /// All zeros: nothing was written here.
    Nothing,
    Bad,
}

impl Header {
    /// Reads a header that must be of this segment at this offset.
    pub fn parse(bytes: &[u8; HEADER], segment: u64, offset: u64) -> Parsed {
        if bytes.iter().all(|b| *b == 0) {
            return Parsed::Nothing;
        }
        match Header::fields(bytes) {
            Some(header) if header.segment == segment && header.offset == offset => Parsed::Header(header),
            _ => Parsed::Bad,
        }
    }

    fn fields(bytes: &[u8; HEADER]) -> Option<Header> {
        let (body, checksum) = bytes.split_at(112);
        if &blake3::hash(body).as_bytes()[..16] != checksum {
            return None;
        }
        let mut fields = FieldReader::new(body.strip_prefix(MAGIC)?);
        let kind = fields.u64()?;
        let header = Header {
            kind: Kind::from_number(kind & !MAY_IGNORE),
            length: fields.u64()?,
            segment: fields.u64()?,
            offset: fields.u64()?,
            sequence: fields.u64()?,
            sparse: fields.u64()?,
            digest: {
                fields.u64().filter(|reserved| *reserved == 0)?;
                fields.id()?
            },
        };
        let known = header.kind.is_some() || kind & MAY_IGNORE != 0;
        let possible = header.length <= MAX_PAYLOAD && header.sequence <= MAX_SEQUENCE;
        (known && possible && fields.rest() == [0; 16]).then_some(header)
    }

    /// The offset where the next record begins.
    pub fn next(&self) -> u64 {
        aligned(self.offset + HEADER as u64 + self.length)
    }

    pub fn payload_offset(&self) -> u64 {
        self.offset + HEADER as u64
    }

    /// Whether this is the payload that was written.
    pub fn matches(&self, payload: &[u8]) -> bool {
        payload.len() as u64 == self.length && *blake3::hash(payload).as_bytes() == self.digest
    }

    /// Whether a payload that does not match was never written whole: more of its sectors are zero than one flipped bit
    /// could have made so.
    pub fn is_torn(&self, payload: &[u8]) -> bool {
        (payload.len() as u64) < self.length || sparse(self.payload_offset(), payload, 0) > self.sparse
    }
}

/// The next multiple of [`ALIGN`].
pub fn aligned(offset: u64) -> u64 {
    offset.div_ceil(ALIGN) * ALIGN
}

/// The pieces that sectors of the file cut these bytes at this offset into.
fn pieces(offset: u64, bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let skip = ((SECTOR - offset % SECTOR) % SECTOR).min(bytes.len() as u64) as usize;
    let (first, rest) = bytes.split_at(skip);
    [first].into_iter().filter(|piece| !piece.is_empty()).chain(rest.chunks(SECTOR as usize))
}

/// How many of these pieces have at most `bits` bits set.
fn sparse(offset: u64, bytes: &[u8], bits: u32) -> u64 {
    pieces(offset, bytes).filter(|piece| has_few(piece, bits)).count() as u64
}

fn has_few(piece: &[u8], bits: u32) -> bool {
    let mut set = 0;
    piece.iter().all(|byte| {
        set += byte.count_ones();
        set <= bits
    })
}

/// Whether bytes beyond the end of a log are what a crash leaves, rather than a flipped bit.
pub fn looks_torn(offset: u64, bytes: &[u8]) -> bool {
    pieces(offset, bytes).any(|piece| !has_few(piece, 1))
}

/// Appends one record to `out`, whose first byte will stand at `start` in the segment. Gives the record's offset.
pub fn append(out: &mut Vec<u8>, start: u64, segment: u64, sequence: u64, kind: Kind, payload: &[u8]) -> u64 {
    append_parts(out, start, segment, sequence, kind, &[payload])
}

/// As [`append`], of a payload in parts.
pub fn append_parts(out: &mut Vec<u8>, start: u64, segment: u64, sequence: u64, kind: Kind, parts: &[&[u8]]) -> u64 {
    let header_at = out.len();
    let offset = start + header_at as u64;
    out.resize(header_at + HEADER, 0);
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(part);
        out.extend_from_slice(part);
    }
    let payload = &out[header_at + HEADER..];
    let mut header = FieldWriter(Vec::with_capacity(HEADER));
    header.raw(MAGIC).u64(kind as u64).u64(payload.len() as u64).u64(segment).u64(offset).u64(sequence);
    header.u64(sparse(offset + HEADER as u64, payload, 1)).u64(0).raw(hasher.finalize().as_bytes()).raw(&[0; 16]);
    let checksum = blake3::hash(&header.0);
    header.raw(&checksum.as_bytes()[..16]);
    out[header_at..header_at + HEADER].copy_from_slice(&header.0);
    let end = aligned(start + out.len() as u64) - start;
    out.resize(end as usize, 0);
    offset
}

/// A file that is one record.
pub fn sealed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, 0, 0, 0, kind, payload);
    out
}

/// The payload of a file that is one record, if every byte of it is right.
pub fn unseal(bytes: &[u8], kind: Kind) -> Option<&[u8]> {
    let (payload, next) = unseal_at(bytes, 0, kind)?;
    (bytes.len() == next).then_some(payload)
}

/// One record of a file of records without a segment; and where the next begins.
pub fn unseal_at(bytes: &[u8], offset: usize, kind: Kind) -> Option<(&[u8], usize)> {
    let head = bytes.get(offset..offset + HEADER)?.try_into().ok()?;
    let Parsed::Header(header) = Header::parse(head, 0, offset as u64) else { return None };
    let payload = bytes.get(offset + HEADER..)?.get(..usize::try_from(header.length).ok()?)?;
    let next = usize::try_from(header.next()).ok()?;
    let padding = bytes.get(offset + HEADER + payload.len()..next)?;
    let whole = header.kind == Some(kind) && header.matches(payload) && padding.iter().all(|b| *b == 0);
    whole.then_some((payload, next))
}

/// Whether bytes at the end of a file are the beginning of a record that was never written whole.
pub fn ends_early(bytes: &[u8], offset: u64) -> bool {
    let Some(head) = bytes.first_chunk::<HEADER>() else { return true };
    match Header::parse(head, 0, offset) {
        Parsed::Header(header) => header.is_torn(&bytes[HEADER..]),
        Parsed::Nothing => true,
        Parsed::Bad => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_of_a_record_is_found_and_none_looks_torn() {
        let mut payload = vec![0u8; 3000];
        payload[700] = 1; // a sector with a single bit: the hardest case
        payload[2000..2600].fill(7);
        let mut bytes = Vec::new();
        append(&mut bytes, 0, 9, 1, Kind::Frame, &payload);
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            let head: &[u8; HEADER] = bytes[..HEADER].try_into().unwrap();
            if let Parsed::Header(header) = Header::parse(head, 9, 0) {
                let payload = &bytes[HEADER..HEADER + 3000];
                let padding = &bytes[HEADER + 3000..];
                assert!(!header.matches(payload) || padding.iter().any(|b| *b != 0), "bit {bit}");
                assert!(header.matches(payload) || !header.is_torn(payload), "bit {bit}");
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn a_lost_sector_looks_torn() {
        let mut bytes = Vec::new();
        append(&mut bytes, 0, 9, 1, Kind::Frame, &[0x5A; 4096]);
        bytes[1024..1536].fill(0);
        let Parsed::Header(header) = Header::parse(bytes[..HEADER].try_into().unwrap(), 9, 0) else { panic!() };
        assert!(header.is_torn(&bytes[HEADER..HEADER + 4096]));
    }

    #[test]
    fn a_record_at_another_place_is_not_one() {
        let mut bytes = Vec::new();
        append(&mut bytes, 256, 9, 1, Kind::Tag, b"x");
        assert_eq!(Header::parse(bytes[..HEADER].try_into().unwrap(), 9, 0), Parsed::Bad);
        assert_eq!(Header::parse(bytes[..HEADER].try_into().unwrap(), 8, 256), Parsed::Bad);
    }
}
