//! Hashing as data comes: one algorithm, or several at once.

use super::parallel;
use super::{Algorithm, Digest};
use blake2::Blake2b512;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};
use std::fmt;
use std::io;

/// From this much data on, starting a thread costs little beside hashing.
const PARALLEL_FROM: usize = 512 << 10;

/// A streaming hasher of one or several algorithms in one pass. `Send`; also an [`io::Write`] that never fails.
///
/// ```
/// use electrus::checksum::{Algorithm, Hasher};
/// use std::io::Write;
///
/// let mut hasher = Hasher::new(&[Algorithm::Md5]);
/// hasher.write_all(b"hello ")?;
/// hasher.update(b"world");
/// assert_eq!(hasher.finish()[0].hex(), "5eb63bbbe01eeed093cb22bb8f5acdc3");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone)]
pub struct Hasher {
    states: Vec<State>,
}

impl Hasher {
    /// For these algorithms, in this order.
    pub fn new(algorithms: &[Algorithm]) -> Hasher {
        Hasher { states: algorithms.iter().map(|a| State::new(*a)).collect() }
    }

    /// More data. Several algorithms take large data on all cores.
    pub fn update(&mut self, data: &[u8]) {
        if self.states.len() > 1 && data.len() >= PARALLEL_FROM {
            parallel::for_each(self.states.iter_mut(), |state| state.update(data));
        } else {
            self.states.iter_mut().for_each(|state| state.update(data));
        }
    }

    /// One digest for each algorithm, in the order given.
    pub fn finish(self) -> Vec<Digest> {
        self.states.into_iter().map(State::finish).collect()
    }

    /// The algorithms one by one, for those who share the work out themselves.
    pub(super) fn states(&mut self) -> &mut [State] {
        &mut self.states
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.states.iter().map(|s| s.algorithm().name())).finish()
    }
}

impl io::Write for Hasher {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One algorithm at work.
#[derive(Clone)]
pub(super) enum State {
    Md5(Md5),
    Sha1(Sha1),
    Sha256(Sha256),
    Sha512(Sha512),
    Blake2b(Blake2b512),
    Blake3(Box<blake3::Hasher>),
}

impl State {
    pub(super) fn new(algorithm: Algorithm) -> State {
        match algorithm {
            Algorithm::Md5 => State::Md5(Md5::new()),
            Algorithm::Sha1 => State::Sha1(Sha1::new()),
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Sha512::new()),
            Algorithm::Blake2b => State::Blake2b(Blake2b512::new()),
            Algorithm::Blake3 => State::Blake3(Box::default()),
        }
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            State::Md5(_) => Algorithm::Md5,
            State::Sha1(_) => Algorithm::Sha1,
            State::Sha256(_) => Algorithm::Sha256,
            State::Sha512(_) => Algorithm::Sha512,
            State::Blake2b(_) => Algorithm::Blake2b,
            State::Blake3(_) => Algorithm::Blake3,
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            State::Md5(state) => state.update(data),
            State::Sha1(state) => state.update(data),
            State::Sha256(state) => state.update(data),
            State::Sha512(state) => state.update(data),
            State::Blake2b(state) => state.update(data),
            State::Blake3(state) => drop(state.update(data)),
        }
    }

    pub(super) fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let bytes = match self {
            State::Md5(state) => state.finalize().to_vec(),
            State::Sha1(state) => state.finalize().to_vec(),
            State::Sha256(state) => state.finalize().to_vec(),
            State::Sha512(state) => state.finalize().to_vec(),
            State::Blake2b(state) => state.finalize().to_vec(),
            State::Blake3(state) => state.finalize().as_bytes().to_vec(),
        };
        Digest::of(algorithm, bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_input_has_the_published_digests() {
        let published = [
            "d41d8cd98f00b204e9800998ecf8427e",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
            "786a02f742015903c6c6fd852552d272912f4740e15847618a86e217f71f5419d25e1031afee585313896444934eb04b903a685b1448b755d56f701afe9be2ce",
            "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        ];
        let found = Hasher::new(&Algorithm::ALL).finish();
        for (digest, hex) in found.iter().zip(published) {
            assert_eq!(digest.hex(), hex, "{}", digest.algorithm().name());
            assert_eq!(digest.as_bytes().len(), digest.algorithm().size());
        }
    }

    #[test]
    fn pieces_of_any_size_give_the_digest_of_the_whole() {
        let data: Vec<u8> = (0..(3u32 << 20)).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let whole: Vec<Digest> = Algorithm::ALL.iter().map(|a| super::super::of_bytes(*a, &data)).collect();
        for piece in [1 << 10, 65_537, PARALLEL_FROM, data.len()] {
            let mut hasher = Hasher::new(&Algorithm::ALL);
            data.chunks(piece).for_each(|chunk| hasher.update(chunk));
            assert_eq!(hasher.finish(), whole, "{piece}");
        }
    }

    #[test]
    fn no_algorithm_at_all_is_no_digest() {
        let mut hasher = Hasher::new(&[]);
        hasher.update(&[0; 1 << 20]);
        assert_eq!(hasher.finish(), []);
    }
}
