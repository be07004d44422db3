//! One step of a journal: what was found under a name, and what is to stand there.

use crate::checksum::Digest;
use crate::path::Key;
use crate::store::fields::{FieldReader, FieldWriter};
use crate::store::payload::{encode_digest, encode_file, parse_digest, parse_file};
use crate::store::{FileState, VersionKind};

/// What was found under a name when the transaction took its lock.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Old {
    Nothing,
    File(Digest),
    /// A symbolic link, with its target.
    Link(Key),
}

/// What is to stand under a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Becomes {
    Nothing,
    /// A file whose content the store holds.
    File(FileState),
    /// A symbolic link, with its target.
    Link(Key),
}

/// One name, from one state to another.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Step {
    pub key: Key,
    pub old: Old,
    pub new: Becomes,
    /// The version that was recorded of it; 0 where there is none (links).
    pub version: u64,
    pub kind: VersionKind,
    /// Where the file comes from, or goes, if it is renamed.
    pub other: Option<Key>,
}

impl Step {
    pub fn encode(&self) -> Vec<u8> {
        let mut fields = FieldWriter::default();
        fields.bytes(self.key.as_bytes()).u64(self.version).u64(self.kind as u64);
        fields.bytes(self.other.as_ref().map_or(&[], |key| key.as_bytes()));
        match &self.old {
            Old::Nothing => drop(fields.u64(0)),
            Old::File(digest) => encode_digest(fields.u64(1), digest),
            Old::Link(target) => drop(fields.u64(2).bytes(target.as_bytes())),
        }
        match &self.new {
            Becomes::Nothing => drop(fields.u64(0)),
            Becomes::File(state) => encode_file(fields.u64(1), state),
            Becomes::Link(target) => drop(fields.u64(2).bytes(target.as_bytes())),
        }
        fields.0
    }

    pub fn parse(payload: &[u8]) -> Option<Step> {
        let mut fields = FieldReader::new(payload);
        let key = Some(parse_key(&mut fields)?).filter(|key| !key.as_bytes().is_empty())?;
        let (version, kind) = (fields.u64()?, fields.u64()?);
        let kind = VersionKind::ALL.into_iter().find(|k| *k as u64 == kind)?;
        let other = Some(parse_key(&mut fields)?).filter(|key| !key.as_bytes().is_empty());
        let old = match fields.u64()? {
            0 => Old::Nothing,
            1 => Old::File(parse_digest(&mut fields)?),
            2 => Old::Link(parse_key(&mut fields)?),
            _ => return None,
        };
        let new = match fields.u64()? {
            0 => Becomes::Nothing,
            1 => Becomes::File(parse_file(&mut fields).filter(|state| !state.digests.is_empty())?),
            2 => Becomes::Link(parse_key(&mut fields)?),
            _ => return None,
        };
        fields.end()?;
        Some(Step { key, old, new, version, kind, other })
    }
}

fn parse_key(fields: &mut FieldReader<'_>) -> Option<Key> {
    fields.bytes().map(|bytes| Key::from_bytes(bytes.to_vec()))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::checksum::{Algorithm, of_bytes};
    use crate::store::Content;
    use crate::time::Timestamp;

    pub fn examples() -> Vec<Step> {
        let key = |name: &[u8]| Key::from_bytes(name.to_vec());
        let state = FileState {
            content: Content { size: 30, depth: 0, chunks: vec![([7; 32], 10), ([8; 32], 20)] },
            digests: vec![of_bytes(Algorithm::Sha256, b"x"), of_bytes(Algorithm::Md5, b"x")],
            mode: 0o640,
            uid: 1000,
            gid: 100,
            modified: Timestamp { seconds: -5, nanos: 999_999_999 },
        };
        let digest = of_bytes(Algorithm::Blake3, b"old");
        let plain =
            |old, new| Step { key: key(b"a/\xff"), old, new, version: 3, kind: VersionKind::Write, other: None };
        vec![
            plain(Old::Nothing, Becomes::File(state.clone())),
            plain(Old::Link(key(b"../t")), Becomes::Link(key(b"u"))),
            Step {
                kind: VersionKind::RenamedFrom,
                other: Some(key(b"b")),
                ..plain(Old::File(digest.clone()), Becomes::File(state))
            },
            Step { kind: VersionKind::Delete, version: 0, ..plain(Old::File(digest), Becomes::Nothing) },
        ]
    }

    #[test]
    fn steps_come_back_as_they_were_and_no_part_of_one_is_one() {
        for step in examples() {
            let bytes = step.encode();
            assert_eq!(Step::parse(&bytes), Some(step));
            assert!((0..bytes.len()).all(|end| Step::parse(&bytes[..end]).is_none()));
            assert_eq!(Step::parse(&[&bytes[..], &[0]].concat()), None);
        }
    }
}
