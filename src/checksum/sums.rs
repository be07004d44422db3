//! The lines that sha256sum(1) and its relatives print and check.
//!
//! Names are bytes. A line whose name needs it begins with a backslash, and has `\\`, `\n` and `\r` in place of a
//! backslash, a line feed and a carriage return.
//!
//! ```
//! use electrus::checksum::{of_bytes, sums, Algorithm};
//!
//! let digest = of_bytes(Algorithm::Md5, b"");
//! let line = sums::format_line(b"two\nlines", &digest);
//! assert_eq!(line, b"\\d41d8cd98f00b204e9800998ecf8427e  two\\nlines\n");
//! assert_eq!(sums::parse_line(&line, Algorithm::Md5), Some((b"two\nlines".to_vec(), digest)));
//! ```

use super::{Algorithm, Digest};

/// One line with its line feed, as the coreutils print it: hex digits, two spaces, name.
///
/// ```
/// use electrus::checksum::{Algorithm, of_bytes, sums};
///
/// let line = sums::format_line(b"empty", &of_bytes(Algorithm::Md5, b""));
/// assert_eq!(line, b"d41d8cd98f00b204e9800998ecf8427e  empty\n");
/// ```
pub fn format_line(name: &[u8], digest: &Digest) -> Vec<u8> {
    line(name, |name| [digest.hex().as_bytes(), b"  ", name].concat())
}

/// One line with its line feed, as `--tag` prints it: `SHA256 (name) = hex digits`.
///
/// ```
/// use electrus::checksum::{Algorithm, of_bytes, sums};
///
/// let line = sums::format_tagged_line(b"empty", &of_bytes(Algorithm::Md5, b""));
/// assert_eq!(line, b"MD5 (empty) = d41d8cd98f00b204e9800998ecf8427e\n");
/// ```
pub fn format_tagged_line(name: &[u8], digest: &Digest) -> Vec<u8> {
    line(name, |name| [tag(digest.algorithm()).as_bytes(), b" (", name, b") = ", digest.hex().as_bytes()].concat())
}

/// Reads one line, with or without its line ending: any of the two forms above, with `*` (binary) or a space before the
/// name, and what `openssl dgst` and BSD's `-r` print. `algorithm` serves for lines that name none; a tagged line has its
/// own. `None`: not such a line.
///
/// ```
/// use electrus::checksum::{Algorithm, of_bytes, sums};
///
/// let line = b"MD5 (empty) = d41d8cd98f00b204e9800998ecf8427e\n";
/// let (name, digest) = sums::parse_line(line, Algorithm::Sha256).unwrap();
/// assert_eq!((name, digest), (b"empty".to_vec(), of_bytes(Algorithm::Md5, b"")));
/// assert_eq!(sums::parse_line(b"no checksum", Algorithm::Sha256), None);
/// ```
pub fn parse_line(line: &[u8], algorithm: Algorithm) -> Option<(Vec<u8>, Digest)> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
    let (escaped, line) = match line.strip_prefix(b"\\") {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (name, digest) = tagged(line).or_else(|| plain(line, algorithm))?;
    let name = if escaped { unescape(name)? } else { name.to_vec() };
    (!name.is_empty() && !name.contains(&0)).then_some((name, digest))
}

fn line(name: &[u8], form: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let needs_escape = name.iter().any(|b| matches!(b, b'\\' | b'\n' | b'\r'));
    let mut line = if needs_escape { [b"\\".as_slice(), &form(&escape(name))].concat() } else { form(name) };
    line.push(b'\n');
    line
}

fn tag(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Md5 => "MD5",
        Algorithm::Sha1 => "SHA1",
        Algorithm::Sha256 => "SHA256",
        Algorithm::Sha512 => "SHA512",
        Algorithm::Blake2b => "BLAKE2b",
        Algorithm::Blake3 => "BLAKE3",
    }
}

/// `SHA256 (name) = hex`, or `SHA256(name)= hex`.
fn tagged(line: &[u8]) -> Option<(&[u8], Digest)> {
    let (algorithm, rest) = Algorithm::ALL.iter().find_map(|a| {
        let rest = line.strip_prefix(tag(*a).as_bytes())?;
        Some((*a, rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"(")?))
    })?;
    let end = rest.iter().rposition(|b| *b == b')')?;
    let hex = rest[end + 1..].trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    Some((&rest[..end], digest(hex, algorithm)?))
}

/// `hex  name`, `hex *name`, or `hex name`.
fn plain(line: &[u8], algorithm: Algorithm) -> Option<(&[u8], Digest)> {
    let (hex, rest) = line.split_at_checked(algorithm.size() * 2)?;
    let rest = rest.strip_prefix(b" ").or_else(|| rest.strip_prefix(b"\t"))?;
    let name = match rest {
        [b' ' | b'*', name @ ..] if !name.is_empty() => name,
        name => name,
    };
    Some((name, digest(hex, algorithm)?))
}

fn digest(hex: &[u8], algorithm: Algorithm) -> Option<Digest> {
    let hex = std::str::from_utf8(hex).ok().filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Digest::parse(hex, algorithm).ok()
}

fn escape(name: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(name.len() + 8);
    for byte in name {
        match byte {
            b'\\' => escaped.extend_from_slice(b"\\\\"),
            b'\n' => escaped.extend_from_slice(b"\\n"),
            b'\r' => escaped.extend_from_slice(b"\\r"),
            byte => escaped.push(*byte),
        }
    }
    escaped
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                b'r' => b'\r',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checksum::of_bytes;

    const NAMES: [&[u8]; 10] = [
        b"plain",
        b" two  spaces ",
        b"*star",
        b"back\\slash",
        b"line\nfeed",
        b"return\r",
        b"\\n",
        b"SHA256 (x) = y)",
        b"not utf8 \xff\xfe",
        b"-",
    ];

    #[test]
    fn every_name_and_algorithm_comes_back_from_both_forms() {
        for algorithm in Algorithm::ALL {
            let digest = of_bytes(algorithm, b"content");
            for name in NAMES {
                for line in [format_line(name, &digest), format_tagged_line(name, &digest)] {
                    let text = String::from_utf8_lossy(&line).into_owned();
                    assert_eq!(parse_line(&line, algorithm), Some((name.to_vec(), digest.clone())), "{text}");
                    assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1, "{text}");
                }
            }
        }
    }

    #[test]
    fn forms_of_other_tools_are_understood() {
        let hex = of_bytes(Algorithm::Sha256, b"").hex();
        let expected = Some((b"a b".to_vec(), of_bytes(Algorithm::Sha256, b"")));
        for line in [
            format!("{hex}  a b"),
            format!("{hex} *a b\r\n"),
            format!("{hex} a b\n"),
            format!("  {}  a b", hex.to_uppercase()),
            format!("SHA256 (a b) = {hex}"),
            format!("SHA256(a b)= {hex}\n"),
        ] {
            assert_eq!(parse_line(line.as_bytes(), Algorithm::Sha256), expected, "{line}");
        }
        let tagged = parse_line(format!("SHA256 (a b) = {hex}").as_bytes(), Algorithm::Md5);
        assert_eq!(tagged, expected, "a tag counts more than the algorithm asked for");
    }

    #[test]
    fn what_is_no_such_line_is_refused() {
        let hex = of_bytes(Algorithm::Sha256, b"").hex();
        for line in [
            String::new(),
            "\n".into(),
            "\\".into(),
            "# a comment".into(),
            hex.clone(),
            format!("{hex} "),
            format!("{hex}name"),
            format!("{}  name", &hex[2..]),
            format!("{hex}00  name"),
            format!("{}zz  name", &hex[2..]),
            format!("\\{hex}  bad \\escape"),
            format!("\\{hex}  ends in \\"),
            format!("{hex}  nul\0"),
            format!("SHA256 (name = {hex}"),
            format!("SHA256 (name) {hex}"),
            format!("SHA256 () = {hex}"),
            format!("BLAKE2b-256 (name) = {hex}"),
            format!("SHA512 (name) = {hex}"),
        ] {
            assert_eq!(parse_line(line.as_bytes(), Algorithm::Sha256), None, "{line:?}");
        }
    }

    /// What sha256sum prints we read, and what we print it accepts.
    #[cfg(target_os = "linux")]
    #[test]
    fn sha256sum_and_we_write_the_same_lines() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        use std::process::Command;

        let tmp = tempfile::tempdir().unwrap();
        for name in NAMES.iter().filter(|name| **name != b"-") {
            std::fs::write(tmp.path().join(OsStr::from_bytes(name)), name).unwrap();
            let digest = of_bytes(Algorithm::Sha256, name);
            for (option, ours) in [("--text", format_line(name, &digest)), ("--tag", format_tagged_line(name, &digest))]
            {
                let name = OsStr::from_bytes(name);
                let theirs =
                    Command::new("sha256sum").args([option, "--"]).arg(name).current_dir(&tmp).output().unwrap();
                assert_eq!(theirs.stdout, ours, "{name:?}");
                std::fs::write(tmp.path().join("sums"), ours).unwrap();
                let check = Command::new("sha256sum").args(["--check", "--strict", "sums"]).current_dir(&tmp).output();
                assert!(check.unwrap().status.success(), "{name:?}");
            }
        }
    }
}
