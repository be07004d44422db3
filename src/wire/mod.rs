//! JSON in and out, in one place.

mod backups;
mod request;
mod results;

pub use backups::*;
pub(crate) use request::shortened;
pub use request::{Field, Presence, Request, Type};
pub use results::*;

use crate::atomic::Durability;
use crate::error::{Code, Error, Result};
use crate::path::bytes_of;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use std::path::Path;

/// The error envelope: `{"error":{"code","name","message","path"?,"path_b64"?,"os_error"?,"retryable","operation"?}}`.
pub fn error_envelope(error: &Error) -> Value {
    json!({ "error": error_body(error) })
}

/// What stands inside the envelope.
pub fn error_body(error: &Error) -> Value {
    let mut body = Map::new();
    body.insert("code".into(), (error.code() as i32).into());
    body.insert("name".into(), error.code().name().into());
    body.insert("message".into(), error.words().into());
    if let Some(path) = error.path() {
        put_path(&mut body, "path", path);
    }
    if let Some(number) = error.os_error() {
        body.insert("os_error".into(), number.into());
    }
    body.insert("retryable".into(), error.retryable().into());
    if let Some(operation) = error.operation() {
        body.insert("operation".into(), operation.into());
    }
    Value::Object(body)
}

/// A path under `key`, and its bytes under `<key>_b64` when it is not UTF-8.
pub fn put_path(object: &mut Map<String, Value>, key: &str, path: &Path) {
    object.insert(key.into(), path.to_string_lossy().into());
    if path.to_str().is_none() {
        object.insert(format!("{key}_b64"), to_base64(&bytes_of(path.as_os_str())).into());
    }
}

/// Base64 with padding (RFC 4648).
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of base64 with padding.
pub fn from_base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).map_err(|e| Error::message(Code::InvalidArgument, format!("not valid base64: {e}")))
}

/// The name of a durability in requests and results.
pub const fn durability_name(durability: Durability) -> &'static str {
    match durability {
        Durability::None => "none",
        Durability::Data => "data",
        Durability::Full => "full",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_says_what_is_known() {
        let error = Error::io(std::io::Error::from_raw_os_error(2), "a/b").during("read");
        let body = error_envelope(&error)["error"].clone();
        assert_eq!(body["code"], 20);
        assert_eq!(body["name"], "not_found");
        assert_eq!(body["path"], "a/b");
        assert_eq!(body["os_error"], 2);
        assert_eq!(body["retryable"], false);
        assert_eq!(body["operation"], "read");
        let bare = error_body(&Error::new(Code::LockTimeout));
        assert!(bare.get("path").is_none() && bare.get("os_error").is_none() && bare.get("operation").is_none());
        assert_eq!(bare["retryable"], true);
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_not_utf8_comes_with_its_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let path = Path::new(std::ffi::OsStr::from_bytes(b"a\xff"));
        let body = error_body(&Error::new(Code::NotFound).at(path));
        assert_eq!(body["path"], "a\u{fffd}");
        assert_eq!(from_base64(body["path_b64"].as_str().unwrap()).unwrap(), b"a\xff");
        let result = about(path);
        assert_eq!(result["file_path"], "a\u{fffd}");
        assert_eq!(from_base64(result["file_path_b64"].as_str().unwrap()).unwrap(), b"a\xff");
    }
}
