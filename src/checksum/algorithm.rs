//! The algorithms, and the digests they give.

use crate::error::{Code, Error, Result};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::fmt;

/// A checksum algorithm.
///
/// ```
/// use electrus::checksum::Algorithm;
///
/// let algorithm: Algorithm = "SHA512".parse()?;
/// assert_eq!((algorithm.name(), algorithm.size()), ("sha512", 64));
/// assert_eq!(Algorithm::default(), Algorithm::Sha256);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5, 128 bits. Broken: for comparing with what others wrote only.
    Md5,
    /// SHA-1, 160 bits. Broken: for comparing with what others wrote only.
    Sha1,
    /// SHA-256, the default.
    #[default]
    Sha256,
    /// SHA-512.
    Sha512,
    /// BLAKE2b, 512 bits, as b2sum(1).
    Blake2b,
    /// BLAKE3, 256 bits, as b3sum(1).
    Blake3,
}

impl Algorithm {
    /// All of them, in the order of their numbers on disk (1 = md5 … 6 = blake3).
    pub const ALL: [Algorithm; 6] =
        [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512, Algorithm::Blake2b, Algorithm::Blake3];

    /// Its name: `md5`, `sha1`, `sha256`, `sha512`, `blake2b`, `blake3`.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
            Algorithm::Blake2b => "blake2b",
            Algorithm::Blake3 => "blake3",
        }
    }

    /// Bytes of a digest.
    pub const fn size(self) -> usize {
        match self {
            Algorithm::Md5 => 16,
            Algorithm::Sha1 => 20,
            Algorithm::Sha256 | Algorithm::Blake3 => 32,
            Algorithm::Sha512 | Algorithm::Blake2b => 64,
        }
    }

    /// By name, in any case; [`Code::UnknownAlgorithm`] otherwise.
    ///
    /// # Errors
    /// `unknown_algorithm`.
    pub fn parse(name: &str) -> Result<Algorithm> {
        let lower = name.to_ascii_lowercase();
        Algorithm::ALL
            .into_iter()
            .find(|a| a.name() == lower)
            .ok_or_else(|| Error::message(Code::UnknownAlgorithm, format!("unknown checksum algorithm: {name}")))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Algorithm {
    type Err = Error;

    fn from_str(name: &str) -> Result<Algorithm> {
        Algorithm::parse(name)
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
        Algorithm::parse(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

/// A digest and the algorithm it is of. Displays as lower-case hex.
///
/// ```
/// use electrus::checksum::{Algorithm, Digest};
///
/// let digest = Digest::parse("md5:D41D8CD98F00B204E9800998ECF8427E", Algorithm::Sha256)?;
/// assert_eq!(digest.algorithm(), Algorithm::Md5);
/// assert_eq!(digest.to_string(), "d41d8cd98f00b204e9800998ecf8427e");
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Digest {
    /// From raw bytes; they must have the algorithm's size.
    ///
    /// # Errors
    /// `invalid_argument` if they have another size.
    pub fn new(algorithm: Algorithm, bytes: Vec<u8>) -> Result<Digest> {
        if bytes.len() != algorithm.size() {
            return Err(Error::message(
                Code::InvalidArgument,
                format!("a {} digest has {} bytes", algorithm.name(), algorithm.size()),
            ));
        }
        Ok(Digest { algorithm, bytes })
    }

    /// From the algorithm itself, whose size it has.
    pub(super) fn of(algorithm: Algorithm, bytes: Vec<u8>) -> Digest {
        debug_assert_eq!(bytes.len(), algorithm.size());
        Digest { algorithm, bytes }
    }

    /// From hex, with or without the algorithm before a colon (`sha256:ab…`); `algorithm` serves where none is named.
    ///
    /// # Errors
    /// `unknown_algorithm` for the name before the colon; `invalid_argument` for what is no hex, or has not the
    /// length of that algorithm.
    pub fn parse(text: &str, algorithm: Algorithm) -> Result<Digest> {
        let (algorithm, hex) = match text.split_once(':') {
            Some((name, hex)) => (Algorithm::parse(name)?, hex),
            None => (algorithm, text),
        };
        let digit = |b: u8| (b as char).to_digit(16).map(|d| d as u8);
        let bytes: Option<Vec<u8>> = match hex.len() % 2 {
            0 => hex.as_bytes().chunks_exact(2).map(|p| Some(digit(p[0])? << 4 | digit(p[1])?)).collect(),
            _ => None,
        };
        let bytes =
            bytes.ok_or_else(|| Error::message(Code::InvalidArgument, "a checksum is written in hex digits"))?;
        Digest::new(algorithm, bytes)
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lower-case hex.
    pub fn hex(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bytes.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{self}", self.algorithm.name())
    }
}
