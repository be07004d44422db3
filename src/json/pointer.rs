//! JSON Pointer (RFC 6901): naming one value in a document.

use super::document::check_depth;
use crate::error::{Code, Error, Result};
use serde_json::Value;
use std::fmt;

/// The way to one value of a document, key by key and index by index.
///
/// ```
/// use electrus::json::{Pointer, parse};
/// let mut document = parse(br#"{"a/b": [10, 20]}"#)?;
/// assert_eq!(Pointer::parse("/a~1b/1")?.get(&document)?, &parse(b"20")?);
/// Pointer::parse("/a~1b/-")?.set(&mut document, parse(b"30")?)?;
/// assert_eq!(document, parse(br#"{"a/b": [10, 20, 30]}"#)?);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointer {
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads a pointer: empty for the whole document, else `/` before each key or index, with `~1` for `/` and `~0` for
    /// `~` in keys.
    ///
    /// # Errors
    /// `invalid_argument` for anything else.
    pub fn parse(text: &str) -> Result<Pointer> {
        if text.is_empty() {
            return Ok(Pointer { tokens: Vec::new() });
        }
        let Some(rest) = text.strip_prefix('/') else {
            return Err(Error::message(Code::InvalidArgument, "a JSON Pointer is empty or begins with /"));
        };
        let tokens = rest.split('/').map(unescape).collect::<Option<_>>();
        match tokens {
            Some(tokens) => Ok(Pointer { tokens }),
            None => Err(Error::message(Code::InvalidArgument, "in a JSON Pointer, ~ is followed by 0 or 1")),
        }
    }

    /// The keys and indexes, unescaped. None: the whole document.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The value it names.
    ///
    /// # Errors
    /// `pointer_not_found`.
    pub fn get<'v>(&self, document: &'v Value) -> Result<&'v Value> {
        self.tokens.iter().try_fold(document, |value, token| child(value, token)).ok_or_else(|| self.not_found())
    }

    pub(super) fn get_mut<'v>(&self, document: &'v mut Value) -> Result<&'v mut Value> {
        let found = self.tokens.iter().try_fold(document, |value, token| child_mut(value, token));
        found.ok_or_else(|| self.not_found())
    }

    /// Puts a value there: in place of what it names, as a new member of an object, or at the end of an array (by `-`
    /// or by the first index that is free). What the last step leads from must exist.
    ///
    /// # Errors
    /// `pointer_not_found`; `too_large` if the value would reach too deep. The document stays as it was.
    pub fn set(&self, document: &mut Value, value: Value) -> Result<()> {
        check_depth(&value, self.tokens.len())?;
        let Some((parent, last)) = self.split() else {
            *document = value;
            return Ok(());
        };
        match parent.get_mut(document)? {
            Value::Object(members) => {
                members.insert(last.to_owned(), value);
            }
            Value::Array(items) => match position(last, items.len()).ok_or_else(|| self.not_found())? {
                end if end == items.len() => items.push(value),
                index => items[index] = value,
            },
            _ => return Err(self.not_found()),
        }
        Ok(())
    }

    /// The pointer to what holds the value, and the last step. `None` for the whole document.
    pub(super) fn split(&self) -> Option<(Pointer, &str)> {
        let (last, parent) = self.tokens.split_last()?;
        Some((Pointer { tokens: parent.to_vec() }, last))
    }

    /// Whether `other` is a value within this one.
    pub(super) fn contains(&self, other: &Pointer) -> bool {
        other.tokens.len() > self.tokens.len() && other.tokens.starts_with(&self.tokens)
    }

    fn text(&self) -> String {
        self.tokens.iter().map(|t| format!("/{}", t.replace('~', "~0").replace('/', "~1"))).collect()
    }

    pub(super) fn not_found(&self) -> Error {
        Error::message(Code::PointerNotFound, format!("the JSON Pointer {self:#} names nothing in this document"))
    }
}

impl fmt::Display for Pointer {
    /// The pointer as text; the alternate form quotes it and cuts it short, for messages.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        if f.alternate() {
            let end = text.char_indices().nth(200).map(|(i, _)| i);
            return write!(f, "\"{}{}\"", &text[..end.unwrap_or(text.len())], if end.is_some() { "…" } else { "" });
        }
        f.write_str(&text)
    }
}

fn unescape(token: &str) -> Option<String> {
    let mut text = String::with_capacity(token.len());
    let mut pieces = token.split('~');
    text.push_str(pieces.next()?);
    for piece in pieces {
        let (sign, rest) = match piece.as_bytes().first()? {
            b'0' => ('~', &piece[1..]),
            b'1' => ('/', &piece[1..]),
            _ => return None,
        };
        text.push(sign);
        text.push_str(rest);
    }
    Some(text)
}

/// An index as RFC 6901 writes it: digits without a leading zero.
pub(super) fn index(token: &str) -> Option<usize> {
    let plain = token.bytes().all(|b| b.is_ascii_digit()) && (token == "0" || !token.starts_with('0'));
    if plain { token.parse().ok() } else { None }
}

/// Where a value may be put into an array of this length: an index of it, or its end.
pub(super) fn position(token: &str, length: usize) -> Option<usize> {
    if token == "-" { Some(length) } else { index(token).filter(|i| *i <= length) }
}

fn child<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(token),
        Value::Array(items) => items.get(index(token)?),
        _ => None,
    }
}

fn child_mut<'v>(value: &'v mut Value, token: &str) -> Option<&'v mut Value> {
    match value {
        Value::Object(members) => members.get_mut(token),
        Value::Array(items) => items.get_mut(index(token)?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::parse;

    fn json(text: &str) -> Value {
        parse(text.as_bytes()).unwrap()
    }

    fn set(document: &str, pointer: &str, value: &str) -> Result<String> {
        let mut document = json(document);
        let before = document.clone();
        let done = Pointer::parse(pointer)?.set(&mut document, json(value));
        match done {
            Ok(()) => Ok(document.to_string()),
            Err(e) => {
                assert_eq!(document, before);
                Err(e)
            }
        }
    }

    #[test]
    fn every_pointer_of_rfc_6901_section_5_names_its_value() {
        let document =
            json(r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#);
        let expected = [
            ("/foo", r#"["bar","baz"]"#),
            ("/foo/0", "\"bar\""),
            ("/", "0"),
            ("/a~1b", "1"),
            ("/c%d", "2"),
            ("/e^f", "3"),
            ("/g|h", "4"),
            ("/i\\j", "5"),
            ("/k\"l", "6"),
            ("/ ", "7"),
            ("/m~0n", "8"),
        ];
        for (pointer, value) in expected {
            let parsed = Pointer::parse(pointer).unwrap();
            assert_eq!(parsed.get(&document).unwrap(), &json(value), "{pointer}");
            assert_eq!(parsed.to_string(), pointer);
        }
        assert_eq!(Pointer::parse("").unwrap().get(&document).unwrap(), &document);
    }

    #[test]
    fn tilde_escapes_are_undone_once() {
        let document = json(r#"{"~1":1,"/":2,"~":3}"#);
        for (pointer, value) in [("/~01", "1"), ("/~1", "2"), ("/~0", "3")] {
            assert_eq!(Pointer::parse(pointer).unwrap().get(&document).unwrap(), &json(value));
        }
        for bad in ["a", "#/a", "/~", "/~2", "/a~", "/~ö"] {
            assert_eq!(Pointer::parse(bad).unwrap_err().code(), Code::InvalidArgument, "{bad}");
        }
    }

    #[test]
    fn only_plain_indexes_name_array_items() {
        let document = json("[[0,1,2]]");
        for bad in
            ["/0/3", "/0/-", "/0/01", "/0/-1", "/0/+1", "/0/1e0", "/0/", "/0/a", "/0/99999999999999999999", "/0/0/0"]
        {
            let error = Pointer::parse(bad).unwrap().get(&document).unwrap_err();
            assert_eq!(error.code(), Code::PointerNotFound, "{bad}");
        }
    }

    #[test]
    fn set_replaces_adds_and_appends_but_makes_no_parents() {
        assert_eq!(set(r#"{"b":1,"a":2}"#, "/b", "[]").unwrap(), r#"{"b":[],"a":2}"#);
        assert_eq!(set(r#"{"b":1}"#, "/a", "2").unwrap(), r#"{"b":1,"a":2}"#);
        assert_eq!(set(r#"{"b":[1,2]}"#, "/b/0", "9").unwrap(), r#"{"b":[9,2]}"#);
        assert_eq!(set(r#"{"b":[1,2]}"#, "/b/-", "9").unwrap(), r#"{"b":[1,2,9]}"#);
        assert_eq!(set(r#"{"b":[1,2]}"#, "/b/2", "9").unwrap(), r#"{"b":[1,2,9]}"#);
        assert_eq!(set(r#"{"b":[1,2]}"#, "", "9").unwrap(), "9");
        assert_eq!(set("{}", "/", "9").unwrap(), r#"{"":9}"#);
        for bad in ["/x/y", "/b/3", "/b/01", "/b/-/x", "/c/x"] {
            let error = set(r#"{"b":[1,2],"c":"text"}"#, bad, "9").unwrap_err();
            assert_eq!(error.code(), Code::PointerNotFound, "{bad}");
        }
    }

    #[test]
    fn set_cannot_nest_deeper_than_a_document_may_be() {
        let deep = "[".repeat(128) + &"]".repeat(128);
        assert_eq!(set("{}", "/a", &deep).unwrap_err().code(), Code::TooLarge);
    }
}
