//! Requests: which keys an operation takes, of which types, and their values checked before anything is done.

use crate::atomic::Durability;
use crate::checksum::{Algorithm, Digest};
use crate::error::{Code, Error, Result};
use crate::lock::Timeout;
use crate::path::Key;
use crate::store::{RecordId, Which};
use crate::version::Retention;
use serde_json::{Map, Value};
use std::path::PathBuf;
use std::time::Duration;

/// The type of one key of a request or a result.
///
/// ```
/// use electrus::ops::Type;
///
/// assert!(Type::Mode.admits(&"644".into()) && !Type::Flag.admits(&"yes".into()));
/// assert_eq!(Type::Seconds.name(), "seconds");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A name or path. In requests `<key>_b64` may stand in its place, in results it stands beside it for a name that is not UTF-8.
    Path,
    /// Several of them.
    Paths,
    /// Text.
    Text,
    /// Several texts.
    Texts,
    /// True or false.
    Flag,
    /// A whole number from 0.
    Count,
    /// A number of seconds.
    Seconds,
    /// A version: its number, or its record as `versions` gives it.
    Version,
    /// A checksum in hex digits, with or without `<algorithm>:` before it.
    Checksum,
    /// The name of a checksum algorithm.
    Algorithm,
    /// Several of them.
    Algorithms,
    /// `full`, `data` or `none`.
    Durability,
    /// Permission bits as octal text, as in `644`.
    Mode,
    /// The index of a content beside the request or result.
    Content,
    /// The number of a lock beside the request.
    Lock,
    /// Any JSON value, null included.
    Json,
    /// A list of requests, each with its `type`.
    Operations,
    /// A point in time: RFC 3339, UTC.
    Time,
    /// A list.
    List,
    /// An object.
    Object,
}

impl Type {
    /// All types.
    pub const ALL: [Type; 20] = [
        Type::Path,
        Type::Paths,
        Type::Text,
        Type::Texts,
        Type::Flag,
        Type::Count,
        Type::Seconds,
        Type::Version,
        Type::Checksum,
        Type::Algorithm,
        Type::Algorithms,
        Type::Durability,
        Type::Mode,
        Type::Content,
        Type::Lock,
        Type::Json,
        Type::Operations,
        Type::Time,
        Type::List,
        Type::Object,
    ];

    /// Its name, and what a value of it must look like.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Type::Path => ("path", "a string"),
            Type::Paths => ("paths", "a list of strings"),
            Type::Text => ("text", "a string"),
            Type::Texts => ("texts", "a list of strings"),
            Type::Flag => ("flag", "true or false"),
            Type::Count => ("count", "a whole number from 0"),
            Type::Seconds => ("seconds", "a number of seconds"),
            Type::Version => ("version", "a version's number or its record"),
            Type::Checksum => ("checksum", "a checksum in hex digits"),
            Type::Algorithm => ("algorithm", "the name of a checksum algorithm"),
            Type::Algorithms => ("algorithms", "a list of names of checksum algorithms"),
            Type::Durability => ("durability", "\"full\", \"data\" or \"none\""),
            Type::Mode => ("mode", "permission bits as octal text, as in \"644\""),
            Type::Content => ("content", "the index of a content"),
            Type::Lock => ("lock", "the number of a lock"),
            Type::Json => ("json", "any JSON value"),
            Type::Operations => ("operations", "a list of objects"),
            Type::Time => ("time", "a time as RFC 3339"),
            Type::List => ("list", "a list"),
            Type::Object => ("object", "an object"),
        }
    }

    /// Its name, in snake_case.
    pub const fn name(self) -> &'static str {
        self.words().0
    }

    /// What a value of it must look like, in words.
    pub const fn expected(self) -> &'static str {
        self.words().1
    }

    /// Whether a JSON value has the form of this type.
    pub fn admits(self, value: &Value) -> bool {
        match self {
            Type::Path | Type::Text | Type::Checksum | Type::Algorithm | Type::Durability | Type::Mode => {
                value.is_string()
            }
            Type::Time => value.as_str().is_some_and(|t| crate::time::Timestamp::parse(t).is_some()),
            Type::Paths | Type::Texts | Type::Algorithms => all(value, Value::is_string),
            Type::Operations => all(value, Value::is_object),
            Type::Flag => value.is_boolean(),
            Type::Count | Type::Content | Type::Lock => value.as_u64().is_some(),
            Type::Seconds => value.as_f64().is_some_and(f64::is_finite),
            Type::Version => value.as_u64().is_some() || value.as_str().is_some_and(|t| RecordId::parse(t).is_some()),
            Type::Json => true,
            Type::List => value.is_array(),
            Type::Object => value.is_object(),
        }
    }

    /// Whether names that are not UTF-8 may be given under `<key>_b64`.
    fn has_base64(self) -> bool {
        matches!(self, Type::Path | Type::Paths)
    }
}

fn all(value: &Value, test: fn(&Value) -> bool) -> bool {
    value.as_array().is_some_and(|list| list.iter().all(test))
}

/// When a key is there.
///
/// ```
/// use electrus::ops::{Operation, Presence};
///
/// let must: Vec<&str> =
///     Operation::find("write")?.options().filter(|f| f.presence == Presence::Always).map(|f| f.key).collect();
/// assert_eq!(must, ["path", "content"]);
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    Always,
    /// Always, but null where there is nothing to tell (results).
    OrNull,
    /// Only if there is something to tell; requests may leave it out.
    Sometimes,
}

/// One key of a request or a result.
///
/// ```
/// use electrus::ops::Operation;
///
/// for field in Operation::find("read")?.options() {
///     println!("{} ({}): {}", field.key, field.kind.name(), field.doc);
/// }
/// # Ok::<(), electrus::error::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The key, in snake_case.
    pub key: &'static str,
    /// Its type.
    pub kind: Type,
    /// When it is there; in requests, [`Presence::Always`] means that it must be given.
    pub presence: Presence,
    /// What stands for it in a request that leaves it out, as JSON.
    pub default: Option<&'static str>,
    /// What it means, in a line.
    pub doc: &'static str,
}

impl Field {
    /// A key that is always there.
    pub const fn always(key: &'static str, kind: Type, doc: &'static str) -> Field {
        Field { key, kind, presence: Presence::Always, default: None, doc }
    }

    /// A key that is null where there is nothing to tell.
    pub const fn or_null(key: &'static str, kind: Type, doc: &'static str) -> Field {
        Field { key, kind, presence: Presence::OrNull, default: None, doc }
    }

    /// A key that may be missing.
    pub const fn sometimes(key: &'static str, kind: Type, doc: &'static str) -> Field {
        Field { key, kind, presence: Presence::Sometimes, default: None, doc }
    }

    /// A key of a request for which something stands if it is left out.
    pub const fn default(key: &'static str, kind: Type, default: &'static str, doc: &'static str) -> Field {
        Field { key, kind, presence: Presence::Sometimes, default: Some(default), doc }
    }

    fn wrong(&self, key: &str) -> Error {
        Error::message(Code::InvalidArgument, format!("`{key}` must be {}", self.kind.expected()))
    }
}

/// A request whose keys are known to be among the operation's, each of its type, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Request(Map<String, Value>);

impl Request {
    /// Checks a request against the keys that its operation takes. A key that is null counts as left out, unless any
    /// JSON value may stand there.
    pub fn check(fields: &[Field], request: Value) -> Result<Request> {
        let given = match request {
            Value::Object(map) => map,
            Value::Null => Map::new(),
            _ => return Err(Error::message(Code::InvalidArgument, "a request is a JSON object")),
        };
        let mut checked = Map::new();
        for (key, value) in given {
            let (field, value) = accept(fields, &key, value)?;
            if value.is_null() && field.kind != Type::Json {
                continue;
            }
            if checked.insert(field.key.into(), value).is_some() {
                let both = format!("`{}` is given twice: as text and as base64", field.key);
                return Err(Error::message(Code::InvalidArgument, both));
            }
        }
        for field in fields.iter().filter(|f| !checked.contains_key(f.key)).collect::<Vec<_>>() {
            if let Some(default) = field.default {
                let value = serde_json::from_str(default).map_err(|_| Error::new(Code::Internal))?;
                checked.insert(field.key.into(), value);
            } else if field.presence == Presence::Always {
                let missing = format!("`{}` is missing: {}", field.key, field.kind.expected());
                return Err(Error::message(Code::InvalidArgument, missing));
            }
        }
        Ok(Request(checked))
    }

    /// Puts another value in place of one that was checked.
    pub(crate) fn set(&mut self, key: &str, value: Value) {
        self.0.insert(key.into(), value);
    }

    /// A flag, if the operation has it.
    pub fn flag(&self, key: &str) -> Option<bool> {
        self.0.get(key)?.as_bool()
    }

    /// A whole number.
    pub fn count(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    /// A whole number that this machine can address.
    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        let narrow =
            |n| usize::try_from(n).map_err(|_| Error::message(Code::TooLarge, format!("`{key}` is too large")));
        self.count(key).map(narrow).transpose()
    }

    /// Text.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    /// Several texts; none if it is left out.
    pub fn texts(&self, key: &str) -> Vec<&str> {
        self.list(key).iter().filter_map(Value::as_str).collect()
    }

    /// A list; empty if it is left out.
    pub fn list(&self, key: &str) -> &[Value] {
        self.0.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A JSON value.
    pub fn json(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// A name, if it was given.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>> {
        self.0.get(key).map(|value| path_of(key, value)).transpose()
    }

    /// A name that the table says must be given.
    pub fn name(&self, key: &str) -> Result<PathBuf> {
        self.path(key)?.ok_or_else(|| Error::message(Code::InvalidArgument, format!("`{key}` is missing")))
    }

    /// Several names.
    pub fn paths(&self, key: &str) -> Result<Vec<PathBuf>> {
        self.list(key).iter().map(|value| path_of(key, value)).collect()
    }

    /// Seconds as a length of time, not negative.
    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let Some(seconds) = self.0.get(key).and_then(Value::as_f64) else { return Ok(None) };
        let wrong = |_| Error::message(Code::InvalidArgument, format!("`{key}` must be seconds from 0"));
        Duration::try_from_secs_f64(seconds).map(Some).map_err(wrong)
    }

    /// Seconds to wait for a lock.
    pub fn timeout(&self, key: &str) -> Result<Option<Timeout>> {
        self.0.get(key).and_then(Value::as_f64).map(Timeout::from_seconds).transpose()
    }

    /// Which version.
    pub fn version(&self, key: &str) -> Option<Which> {
        let value = self.0.get(key)?;
        match value.as_u64() {
            Some(number) => Some(Which::Number(number)),
            None => value.as_str().and_then(RecordId::parse).map(Which::Record),
        }
    }

    /// An algorithm.
    pub fn algorithm(&self, key: &str) -> Result<Option<Algorithm>> {
        self.text(key).map(Algorithm::parse).transpose()
    }

    /// Several algorithms.
    pub fn algorithms(&self, key: &str) -> Result<Vec<Algorithm>> {
        self.texts(key).into_iter().map(Algorithm::parse).collect()
    }

    /// A checksum; `algorithm` serves where it names none.
    pub fn checksum(&self, key: &str, algorithm: Algorithm) -> Result<Option<Digest>> {
        self.text(key).map(|text| Digest::parse(text, algorithm)).transpose()
    }

    /// What to survive.
    pub fn durability(&self, key: &str) -> Result<Option<Durability>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let all = [Durability::None, Durability::Data, Durability::Full];
        let found = all.into_iter().find(|d| super::durability_name(*d) == text);
        let wrong =
            || Error::message(Code::InvalidArgument, format!("`{key}` must be {}", Type::Durability.expected()));
        found.map(Some).ok_or_else(wrong)
    }

    /// What retention keeps.
    pub fn retention(&self) -> Result<Retention> {
        Ok(Retention {
            keep_last: self.count("keep_last"),
            keep_within: self.duration("keep_within")?,
            keep_under: self.count("keep_under"),
        })
    }

    /// Permission bits.
    pub fn mode(&self, key: &str) -> Result<Option<u32>> {
        let Some(text) = self.text(key) else { return Ok(None) };
        let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
        match u32::from_str_radix(text, 8) {
            Ok(mode) if digits && mode <= 0o7777 => Ok(Some(mode)),
            _ => Err(Error::message(Code::InvalidArgument, format!("`{key}` must be {}", Type::Mode.expected()))),
        }
    }
}

/// A key of somebody else's, for a message: not all of it if it is long.
pub(crate) fn shortened(key: &str) -> String {
    const SHOWN: usize = 100;
    match key.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &key[..end]),
        None => key.to_owned(),
    }
}

/// The field a key belongs to, and its value with base64 marked as such.
fn accept<'f>(fields: &'f [Field], key: &str, value: Value) -> Result<(&'f Field, Value)> {
    if let Some(field) = fields.iter().find(|f| f.key == key) {
        let left_out = value.is_null() && field.presence != Presence::Always;
        return if left_out || field.kind.admits(&value) { Ok((field, value)) } else { Err(field.wrong(key)) };
    }
    let plain = key.strip_suffix("_b64");
    match fields.iter().find(|f| Some(f.key) == plain && f.kind.has_base64()) {
        Some(field) if value.is_null() || field.kind.admits(&value) => Ok((field, marked(value))),
        Some(field) => Err(field.wrong(key)),
        None => Err(Error::message(Code::UnknownOption, format!("unknown option: `{}`", shortened(key)))),
    }
}

/// Base64 in place of a name, as `{"b64": …}`, which no caller can give: an object is not admitted there.
fn marked(value: Value) -> Value {
    match value {
        Value::String(_) => serde_json::json!({ "b64": value }),
        Value::Array(list) => Value::Array(list.into_iter().map(marked).collect()),
        other => other,
    }
}

fn path_of(key: &str, value: &Value) -> Result<PathBuf> {
    if let Some(text) = value.as_str() {
        return Ok(PathBuf::from(text));
    }
    let text = value.get("b64").and_then(Value::as_str).unwrap_or_default();
    let bytes = super::from_base64(text).map_err(|e| Error::message(e.code(), format!("`{key}_b64` is {e}")))?;
    if !cfg!(unix) && std::str::from_utf8(&bytes).is_err() {
        return Err(Error::message(Code::InvalidName, format!("`{key}_b64` is not UTF-8, as names are here")));
    }
    Ok(Key::from_bytes(bytes).to_path())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FIELDS: &[Field] = &[
        Field::always("path", Type::Path, "a name"),
        Field::default("create_version", Type::Flag, "true", "a flag"),
        Field::sometimes("mode", Type::Mode, "bits"),
        Field::sometimes("version", Type::Version, "which"),
        Field::sometimes("paths", Type::Paths, "names"),
        Field::sometimes("data", Type::Json, "anything"),
        Field::sometimes("durability", Type::Durability, "what to survive"),
        Field::sometimes("keep_within", Type::Seconds, "age"),
    ];

    fn refused(request: Value) -> (Code, String) {
        let error = Request::check(FIELDS, request).unwrap_err();
        (error.code(), error.words())
    }

    #[test]
    fn an_unknown_key_is_named() {
        let (code, words) = refused(json!({"path": "a", "craete_version": true}));
        assert_eq!(code, Code::UnknownOption);
        assert!(words.contains("craete_version"));
        assert_eq!(refused(json!({"path": "a", "create_version_b64": ""})).0, Code::UnknownOption);
    }

    #[test]
    fn a_wrong_type_is_named_with_what_was_expected() {
        let (code, words) = refused(json!({"path": 7}));
        assert_eq!(code, Code::InvalidArgument);
        assert!(words.contains("`path`") && words.contains("a string"), "{words}");
        for wrong in
            [json!([]), json!("x"), json!({}), json!({"path": null}), json!({"path": "a", "create_version": 1})]
        {
            assert_eq!(refused(wrong).0, Code::InvalidArgument);
        }
        for wrong in [json!(-1), json!(1.5), json!("x"), json!("1"), json!(true)] {
            assert_eq!(refused(json!({"path": "a", "version": wrong})).0, Code::InvalidArgument);
        }
    }

    #[test]
    fn what_is_left_out_or_null_has_its_default() {
        for request in [json!({"path": "a"}), json!({"path": "a", "create_version": null})] {
            assert_eq!(Request::check(FIELDS, request).unwrap().flag("create_version"), Some(true));
        }
        let request = Request::check(FIELDS, json!({"path": "a", "data": null})).unwrap();
        assert_eq!(request.json("data"), Some(&Value::Null));
        assert_eq!(request.flag("mode"), None);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_come_as_base64() {
        use std::os::unix::ffi::OsStrExt;
        let request = json!({"path_b64": "/2E=", "paths_b64": ["/w==", "YQ=="]});
        let request = Request::check(FIELDS, request).unwrap();
        assert_eq!(request.name("path").unwrap().as_os_str().as_bytes(), b"\xffa");
        assert_eq!(request.paths("paths").unwrap()[0].as_os_str().as_bytes(), b"\xff");
        assert_eq!(refused(json!({"path_b64": "/2E=", "path": "a"})).0, Code::InvalidArgument);
        let bad = Request::check(FIELDS, json!({"path_b64": "?"})).unwrap();
        assert_eq!(bad.name("path").unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(refused(json!({"path": {"b64": "YQ=="}})).0, Code::InvalidArgument);
    }

    #[test]
    fn values_are_checked_beyond_their_form() {
        let of = |key: &str, value: Value| Request::check(FIELDS, json!({"path": "a", key: value})).unwrap();
        assert_eq!(of("mode", json!("644")).mode("mode").unwrap(), Some(0o644));
        assert_eq!(of("mode", json!("0755")).mode("mode").unwrap(), Some(0o755));
        for bad in ["", "8", "+7", "77777", "-1", "000644"] {
            assert!(of("mode", json!(bad)).mode("mode").is_err(), "{bad}");
        }
        assert_eq!(of("durability", json!("data")).durability("durability").unwrap(), Some(Durability::Data));
        assert!(of("durability", json!("Full")).durability("durability").is_err());
        assert!(of("keep_within", json!(-1)).duration("keep_within").is_err());
        assert!(of("keep_within", json!(1e300)).duration("keep_within").is_err());
        assert_eq!(of("version", json!(3)).version("version"), Some(Which::Number(3)));
        assert!(matches!(of("version", json!("0a-1f")).version("version"), Some(Which::Record(_))));
    }
}
