//! Strict parsing, and printing that changes nothing but the space between values.
//!
//! The parser is our own because three promises cannot be had from `serde_json` by configuration: keys that come twice
//! are an error (its maps keep the last), numbers stay as they were written (it rewrites `1E5` to `1e+5`), and an
//! object with the key `$serde_json::private::Number` is an object (its parser takes it for a number).

use crate::error::{Code, Error, Result};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};
use std::borrow::Cow;

/// How many arrays and objects may be nested in each other.
pub const MAX_DEPTH: usize = 128;

/// The largest document, in bytes of text.
pub const MAX_SIZE: u64 = 1 << 30;

/// The most values that a document has: each scalar, array, object and key is one. A text of small values takes some fifty
/// times its size in memory, so it is their number that bounds what a document can ask for: less than 2 GiB, and the text of
/// its strings.
pub const MAX_VALUES: usize = 8 << 20;

/// Reads a document: UTF-8 and RFC 8259 to the letter.
///
/// ```
/// let value = electrus::json::parse(br#"{"b": 1.10, "a": 1E5}"#)?;
/// assert_eq!(electrus::json::to_bytes(&value)?, b"{\n  \"b\": 1.10,\n  \"a\": 1E5\n}\n");
/// let error = electrus::json::parse(b"[1,\n  NaN]").unwrap_err();
/// assert!(error.to_string().starts_with("line 2, column 3: "));
/// # Ok::<(), electrus::error::Error>(())
/// ```
///
/// # Errors
/// `invalid_json`, naming line and column (in characters, from 1): NaN and Infinity, comments, trailing commas, a key
/// that comes twice in one object, more than [`MAX_DEPTH`] levels, anything after the value, bytes that are not
/// UTF-8, a byte order mark, and escapes of half a surrogate pair. `too_large`: more than [`MAX_SIZE`] bytes or
/// [`MAX_VALUES`] values.
pub fn parse(text: &[u8]) -> Result<Value> {
    if text.len() as u64 > MAX_SIZE {
        return Err(too_large());
    }
    let valid = match std::str::from_utf8(text) {
        Ok(valid) => valid,
        Err(e) => return Err(at_position(&text[..e.valid_up_to()], "this byte is not UTF-8")),
    };
    parse_within(valid, MAX_VALUES)
}

fn parse_within(text: &str, room: usize) -> Result<Value> {
    let mut parser = Parser { text, at: 0, room: Some(room) };
    parser.document().map_err(|fault| match parser.room {
        None => too_many(),
        Some(_) => at_position(&text.as_bytes()[..fault.at], &fault.what),
    })
}

/// Writes a document: UTF-8, indented by 2, keys in their order, numbers as they are, one newline at the end.
///
/// # Errors
/// `too_large` if it is nested deeper than [`MAX_DEPTH`] or longer than [`MAX_SIZE`] or of more than [`MAX_VALUES`] values,
/// since it could not be read again.
///
/// ```
/// let value = serde_json::json!({ "b": 1, "a": [] });
/// assert_eq!(electrus::json::to_bytes(&value)?, b"{\n  \"b\": 1,\n  \"a\": []\n}\n");
/// # Ok::<(), electrus::error::Error>(())
/// ```
pub fn to_bytes(value: &Value) -> Result<Vec<u8>> {
    check_depth(value, 0)?;
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| Error::message(Code::InvalidJson, e.to_string()))?;
    bytes.push(b'\n');
    match bytes.len() as u64 > MAX_SIZE {
        true => Err(too_large()),
        false => Ok(bytes),
    }
}

/// Refuses a value that stands `below` levels deep and would reach beyond [`MAX_DEPTH`], or has too many values in it.
pub(super) fn check_depth(value: &Value, below: usize) -> Result<()> {
    let mut open = vec![(value, below)];
    let mut values = 0;
    while let Some((value, above)) = open.pop() {
        values += 1 + value.as_object().map_or(0, Map::len);
        if values > MAX_VALUES {
            return Err(too_many());
        }
        if matches!(value, Value::Array(_) | Value::Object(_)) && above >= MAX_DEPTH {
            return Err(Error::message(
                Code::TooLarge,
                format!("the document would be nested deeper than {MAX_DEPTH}"),
            ));
        }
        match value {
            Value::Array(items) => open.extend(items.iter().map(|v| (v, above + 1))),
            Value::Object(members) => open.extend(members.values().map(|v| (v, above + 1))),
            _ => {}
        }
    }
    Ok(())
}

fn too_large() -> Error {
    Error::message(Code::TooLarge, format!("a JSON document has at most {MAX_SIZE} bytes"))
}

fn too_many() -> Error {
    Error::message(Code::TooLarge, format!("a JSON document has at most {MAX_VALUES} values, keys included"))
}

fn at_position(before: &[u8], what: &str) -> Error {
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
    let line = 1 + before.iter().filter(|b| **b == b'\n').count();
    // Every character has one byte that is not a continuation byte.
    let column = 1 + before[line_start..].iter().filter(|b| **b & 0xC0 != 0x80).count();
    Error::message(Code::InvalidJson, format!("line {line}, column {column}: {what}"))
}

struct Fault {
    at: usize,
    what: Cow<'static, str>,
}

type Parsed<T> = std::result::Result<T, Fault>;

struct Parser<'t> {
    text: &'t str,
    at: usize,
    /// How many values, keys included, there may still be; `None` when there were too many.
    room: Option<usize>,
}

impl<'t> Parser<'t> {
    fn document(&mut self) -> Parsed<Value> {
        if self.text.starts_with('\u{feff}') {
            return self.fail("a byte order mark is not JSON");
        }
        self.skip_space();
        let value = self.value(0)?;
        self.skip_space();
        match self.peek() {
            None => Ok(value),
            Some(_) => self.fail("nothing may follow the value"),
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Value> {
        self.count()?;
        match self.peek() {
            Some(b'{' | b'[') if depth >= MAX_DEPTH => self.fail(format!("nested deeper than {MAX_DEPTH}")),
            Some(b'{') => self.object(depth + 1).map(Value::Object),
            Some(b'[') => self.array(depth + 1).map(Value::Array),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(b'N' | b'I') => self.fail("a value is expected (NaN and Infinity are not JSON)"),
            Some(_) => self.fail("a value is expected"),
            None => self.fail("a value is expected, but the text ends"),
        }
    }

    fn count(&mut self) -> Parsed<()> {
        self.room = self.room.and_then(|room| room.checked_sub(1));
        if self.room.is_none() { self.fail("too many values") } else { Ok(()) }
    }

    fn object(&mut self, depth: usize) -> Parsed<Map<String, Value>> {
        let mut members = Map::new();
        self.at += 1;
        self.skip_space();
        if self.eat(b'}') {
            return Ok(members);
        }
        loop {
            let start = self.at;
            if self.peek() != Some(b'"') {
                return self.fail("a key in double quotes is expected");
            }
            self.count()?;
            let Entry::Vacant(place) = members.entry(self.string()?) else {
                self.at = start;
                return self.fail("this key comes twice in one object");
            };
            self.skip_space();
            if !self.eat(b':') {
                return self.fail("a colon is expected");
            }
            self.skip_space();
            place.insert(self.value(depth)?);
            if self.ends_list(b'}', "a comma or } is expected")? {
                return Ok(members);
            }
        }
    }

    fn array(&mut self, depth: usize) -> Parsed<Vec<Value>> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_space();
        if self.eat(b']') {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth)?);
            if self.ends_list(b']', "a comma or ] is expected")? {
                return Ok(items);
            }
        }
    }

    /// After an item: the end of the list, or the comma and the start of the next item.
    fn ends_list(&mut self, end: u8, expected: &'static str) -> Parsed<bool> {
        self.skip_space();
        if self.eat(end) {
            return Ok(true);
        }
        if !self.eat(b',') {
            return self.fail(expected);
        }
        self.skip_space();
        Ok(false)
    }

    fn word(&mut self, word: &'static str, value: Value) -> Parsed<Value> {
        if !self.text[self.at..].starts_with(word) {
            return self.fail("a value is expected");
        }
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Parsed<Number> {
        let start = self.at;
        self.eat(b'-');
        if !self.eat(b'0') {
            self.digits()?;
        } else if self.peek().is_some_and(|b| b.is_ascii_digit()) {
            return self.fail("a number does not begin with 0");
        }
        if self.eat(b'.') {
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        // Hidden in serde_json's documentation, and the only way in that leaves the text as it is.
        Ok(Number::from_string_unchecked(self.text[start..self.at].to_owned()))
    }

    fn digits(&mut self) -> Parsed<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.fail("a digit is expected") } else { Ok(()) }
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        self.at += 1;
        let plain = self.plain_run();
        if self.eat(b'"') {
            return Ok(plain.to_owned());
        }
        let mut text = plain.to_owned();
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.fail("a control character in a string is written as an escape"),
                None => return Err(Fault { at: start, what: "this string does not end".into() }),
            }
            text.push_str(self.plain_run());
        }
    }

    /// Everything up to a quote, a backslash, a control character or the end.
    fn plain_run(&mut self) -> &'t str {
        let text: &'t str = self.text;
        let rest = &text[self.at..];
        let length = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        self.at += 2;
        Ok(match self.text.as_bytes().get(start + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(start),
            _ => return Err(Fault { at: start, what: "there is no such escape".into() }),
        })
    }

    /// After `\u`: four digits, and the other half of a pair if this is one half.
    fn unicode_escape(&mut self, start: usize) -> Parsed<char> {
        let half = |at, what: &'static str| Fault { at, what: what.into() };
        let first = self.four_digits().ok_or_else(|| half(start, "\\u needs four hex digits"))?;
        let scalar = match first {
            0xD800..=0xDBFF if self.text[self.at..].starts_with("\\u") => {
                self.at += 2;
                match self.four_digits() {
                    Some(second @ 0xDC00..=0xDFFF) => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    _ => first,
                }
            }
            other => other,
        };
        char::from_u32(scalar).ok_or_else(|| half(start, "half a surrogate pair is no character"))
    }

    fn four_digits(&mut self) -> Option<u32> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4)?;
        let value = digits.iter().try_fold(0, |v, d| Some(v << 4 | char::from(*d).to_digit(16)?))?;
        self.at += 4;
        Some(value)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn fail<T>(&self, what: impl Into<Cow<'static, str>>) -> Parsed<T> {
        Err(Fault { at: self.at, what: what.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: impl AsRef<[u8]>) -> String {
        let error = parse(text.as_ref()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidJson);
        error.words()
    }

    fn compact(text: &str) -> String {
        parse(text.as_bytes()).unwrap().to_string()
    }

    #[test]
    fn what_rfc_8259_forbids_is_refused_where_it_stands() {
        for (text, position) in [
            ("", "line 1, column 1: a value"),
            (" \n\t", "line 2, column 2: a value"),
            ("NaN", "line 1, column 1: a value is expected (NaN"),
            ("[1, -Infinity]", "line 1, column 6: a digit"),
            ("[Infinity]", "line 1, column 2: a value"),
            ("{\"a\": 1,\n \"b\": 2,\n \"a\": 3}", "line 3, column 2: this key comes twice"),
            ("{\"a\": 1, \"\\u0061\": 3}", "line 1, column 10: this key comes twice"),
            ("{} x", "line 1, column 4: nothing may follow"),
            ("1 2", "line 1, column 3: nothing may follow"),
            ("\u{feff}{}", "line 1, column 1: a byte order mark"),
            ("[1,]", "line 1, column 4: a value"),
            ("{\"a\":1,}", "line 1, column 8: a key"),
            ("{a:1}", "line 1, column 2: a key"),
            ("{\"a\" 1}", "line 1, column 6: a colon"),
            ("[1 2]", "line 1, column 4: a comma or ]"),
            ("{\"a\":1 \"b\":2}", "line 1, column 8: a comma or }"),
            ("01", "line 1, column 2: a number"),
            ("-", "line 1, column 2: a digit"),
            ("+1", "line 1, column 1: a value"),
            (".5", "line 1, column 1: a value"),
            ("1.", "line 1, column 3: a digit"),
            ("1e", "line 1, column 3: a digit"),
            ("1e+", "line 1, column 4: a digit"),
            ("tru", "line 1, column 1: a value"),
            ("truex", "line 1, column 5: nothing"),
            ("// x\n1", "line 1, column 1: a value"),
            ("'a'", "line 1, column 1: a value"),
            ("\"ab", "line 1, column 1: this string"),
            ("\"a\nb\"", "line 1, column 3: a control character"),
            ("[\"ö\", \"\\x\"]", "line 1, column 8: there is no such escape"),
            ("\"\\u12g4\"", "line 1, column 2: \\u needs"),
            ("\"\\ud800\"", "line 1, column 2: half"),
            ("\"\\ud800\\u0041\"", "line 1, column 2: half"),
            ("\"\\udc00\\ud800\"", "line 1, column 2: half"),
            ("\"\\", "line 1, column 2: there is no such escape"),
            ("\"\\u00", "line 1, column 2: \\u needs"),
            ("[\u{a0}1]", "line 1, column 2: a value"),
            ("[\u{c}1]", "line 1, column 2: a value"),
        ] {
            assert!(words(text).starts_with(position), "{text:?}: {}", words(text));
        }
        assert!(words(b"[\"\xc3\xb6\xff\"]").starts_with("line 1, column 4: this byte is not UTF-8"));
        assert!(words(b"\xed\xa0\x80").starts_with("line 1, column 1: this byte"));
        assert!(words(b"\xff\xfe{\0}\0").starts_with("line 1, column 1: this byte"));
    }

    /// A text of a gigabyte could ask for fifty, when each of its bytes begins or ends a value.
    #[test]
    fn values_and_keys_are_counted_while_they_are_read() {
        for (text, values) in [("7", 1), ("[]", 1), ("[[],{}]", 3), ("{\"a\":{\"b\":[1,null]}}", 7)] {
            assert!(parse_within(text, values).is_ok(), "{text}");
            let refused = parse_within(text, values - 1).unwrap_err();
            assert_eq!(refused.code(), Code::TooLarge, "{text}");
            assert!(refused.words().contains(&MAX_VALUES.to_string()), "{}", refused.words());
        }
        let faulty = parse_within("[1,2,x]", 3).map_err(|e| e.code());
        assert_eq!(faulty, Err(Code::TooLarge));
        assert_eq!(parse_within("[1,2,x]", 4).map_err(|e| e.code()), Err(Code::InvalidJson));
    }

    #[test]
    fn numbers_are_kept_digit_for_digit() {
        for number in [
            "0",
            "-0",
            "-0.0",
            "1.0",
            "1.10",
            "1E5",
            "1e5",
            "1e+5",
            "1E-05",
            "0.1000000000000000055511151231257827021181583404541015625",
            "12345678901234567890123456789012345678901234567890",
            "1e999999999999999999999",
        ] {
            assert_eq!(compact(number), number);
            assert_eq!(to_bytes(&parse(number.as_bytes()).unwrap()).unwrap(), format!("{number}\n").into_bytes());
        }
    }

    #[test]
    fn printing_keeps_the_order_of_keys_and_indents_by_two() {
        let value = parse(b"{\"z\":[1,{\"y\":{},\"x\":[]}],\"a\":\"\\u00f6\\n\\u0001/\"}").unwrap();
        let text = "{\n  \"z\": [\n    1,\n    {\n      \"y\": {},\n      \"x\": []\n    }\n  ],\n  \"a\": \"ö\\n\\u0001/\"\n}\n";
        assert_eq!(String::from_utf8(to_bytes(&value).unwrap()).unwrap(), text);
        assert_eq!(parse(text.as_bytes()).unwrap(), value);
    }

    #[test]
    fn escapes_mean_what_they_say() {
        let value = parse(br#""\"\\\/\b\f\n\r\t\u20AC\uD83D\ude00\u0000 end""#).unwrap();
        assert_eq!(value, Value::String("\"\\/\u{8}\u{c}\n\r\t€😀\0 end".into()));
    }

    #[test]
    fn an_object_that_looks_like_the_parsers_own_number_is_an_object() {
        let text = "{\"$serde_json::private::Number\":\"1\"}";
        let value = parse(text.as_bytes()).unwrap();
        assert!(value.is_object());
        assert_eq!(compact(text), text);
        assert_eq!(parse(&to_bytes(&value).unwrap()).unwrap(), value);
        assert_eq!(
            compact("{\"$serde_json::private::RawValue\":\"1 2\"}"),
            "{\"$serde_json::private::RawValue\":\"1 2\"}"
        );
    }

    #[test]
    fn depth_is_bounded_the_same_for_reading_and_writing() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        let deepest = parse(nested(MAX_DEPTH).as_bytes()).unwrap();
        assert!(parse(&to_bytes(&deepest).unwrap()).is_ok());
        assert!(words(nested(MAX_DEPTH + 1)).starts_with("line 1, column 129: nested deeper"));
        assert!(words("[".repeat(5_000_000)).contains("nested deeper"));
        assert!(words("{\"a\":".repeat(1_000_000)).contains("nested deeper"));
        let deeper = Value::Array(vec![deepest]);
        assert_eq!(to_bytes(&deeper).unwrap_err().code(), Code::TooLarge);
    }
}
