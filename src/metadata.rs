//! `FileMetadata`: what the product's first document promises to tell of a file.

use crate::checksum::{self, Algorithm, Digest};
use crate::error::{IoContext, Result};
use crate::path::Location;
use crate::progress::Progress;
use crate::sys;
use crate::time::Timestamp;
use crate::workspace::Workspace;
use serde::{Deserialize, Serialize};
use std::fs::File;

/// What is known of a file. As JSON it has exactly these eight keys, times in RFC 3339 (UTC, with offset).
///
/// ```
/// # use electrus::metadata::FileMetadata;
/// let text = r#"{"filename": "my_file.txt", "size": 0, "checksum": "d41d8cd98f00b204e9800998ecf8427e",
///     "checksum_algorithm": "md5", "created_at": "2025-01-15T10:30:00+00:00",
///     "modified_at": "2025-01-15T11:30:00.5+01:00", "version": 1, "permissions": "644"}"#;
/// let metadata: FileMetadata = serde_json::from_str(text).unwrap();
/// assert_eq!(serde_json::to_value(&metadata).unwrap()["modified_at"], "2025-01-15T10:30:00.500+00:00");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileMetadata {
    /// Its name without the folders (U+FFFD in place of bytes that are not UTF-8).
    pub filename: String,
    /// Bytes.
    pub size: u64,
    /// Digest of its content, lower-case hex.
    pub checksum: String,
    /// By which algorithm.
    pub checksum_algorithm: Algorithm,
    /// Birth time of the file that stands there now (an atomic replacement is a new file); where the file system keeps
    /// none, the earlier of its last modification and its last change of any kind.
    #[serde(with = "rfc3339")]
    pub created_at: Timestamp,
    /// Time of last modification.
    #[serde(with = "rfc3339")]
    pub modified_at: Timestamp,
    /// Number of its newest version in the store; 0 without history.
    pub version: u64,
    /// Permission bits in octal: `644`.
    pub permissions: String,
}

impl FileMetadata {
    /// Of a resolved file in a workspace; its content is read once, by one descriptor. Anything but a regular file is refused.
    ///
    /// # Errors
    /// `not_found`, `not_a_file`, `permission_denied`, `io`; `damaged` if the record of its newest version is.
    pub fn of(workspace: &Workspace, location: &Location, algorithm: Algorithm) -> Result<FileMetadata> {
        let version = workspace.store().newest(location.key())?.map_or(0, |v| v.number);
        Self::of_file(location, algorithm, version)
    }

    /// Of a resolved file, its version number given by the caller.
    ///
    /// # Errors
    /// `not_found`, `not_a_file`, `permission_denied`, `io`.
    pub fn of_file(location: &Location, algorithm: Algorithm, version: u64) -> Result<FileMetadata> {
        let path = location.path();
        let mut file = checksum::open_regular(location.dir(), location.name()).map_err(|e| e.at(path))?;
        let summed = checksum::of_reader(&mut file, &[algorithm], &Progress::new()).map_err(|e| e.at(path))?;
        let stat = sys::stat_file(&file).at(path)?;
        Ok(FileMetadata {
            filename: location.name().to_string_lossy().into_owned(),
            size: summed.size,
            checksum: summed.digests.iter().map(Digest::hex).collect(),
            checksum_algorithm: algorithm,
            created_at: born(&file).unwrap_or(stat.modified.min(stat.changed)),
            modified_at: stat.modified,
            version,
            permissions: format!("{:03o}", stat.mode),
        })
    }

    /// The checksum with its algorithm.
    ///
    /// # Errors
    /// `invalid_argument` if the text is not hex of the right length.
    pub fn digest(&self) -> Result<Digest> {
        Digest::parse(&self.checksum, self.checksum_algorithm)
    }
}

/// Birth time, where both platform and file system know it; anything else means that there is none to tell.
fn born(file: &File) -> Option<Timestamp> {
    file.metadata().and_then(|m| m.created()).ok().map(Timestamp::from)
}

mod rfc3339 {
    use crate::time::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de};
    use std::borrow::Cow;

    pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.to_rfc3339())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let beyond_the_calendar = || Some(Timestamp { seconds: text.strip_prefix('@')?.parse().ok()?, nanos: 0 });
        Timestamp::parse(&text)
            .or_else(beyond_the_calendar)
            .ok_or_else(|| de::Error::invalid_value(de::Unexpected::Str(&text), &"a time in RFC 3339"))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::error::Code;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    fn metadata(path: &std::path::Path, version: u64) -> Result<FileMetadata> {
        FileMetadata::of_file(&Location::ordinary(path)?, Algorithm::Md5, version)
    }

    #[test]
    fn the_eight_fields_are_told_and_come_back_from_json() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("recipe.txt");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let modified = SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
        File::options().write(true).open(&path).unwrap().set_modified(modified).unwrap();

        let metadata = metadata(&path, 3).unwrap();
        let json = serde_json::to_value(&metadata).unwrap();
        let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
        let expected = [
            "filename",
            "size",
            "checksum",
            "checksum_algorithm",
            "created_at",
            "modified_at",
            "version",
            "permissions",
        ];
        assert_eq!(keys, expected);
        assert_eq!(json["filename"], "recipe.txt");
        assert_eq!(json["size"], 6);
        assert_eq!(json["checksum"], "5ebe2294ecd0e0f08eab7690d2a6ee69");
        assert_eq!(json["checksum_algorithm"], "md5");
        assert_eq!(json["modified_at"], "2001-09-09T01:46:40.123456789+00:00");
        assert_eq!(json["version"], 3);
        assert_eq!(json["permissions"], "640");
        assert_eq!(serde_json::from_value::<FileMetadata>(json).unwrap(), metadata);
        assert_eq!(metadata.digest().unwrap().hex(), metadata.checksum);
    }

    #[test]
    fn a_file_is_born_when_it_was_created_and_not_when_it_was_modified() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("f");
        let before = SystemTime::now() - Duration::from_secs(1); // clocks of file systems tick coarsely
        fs::write(&path, "").unwrap();
        let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
        let found = metadata(&path, 0).unwrap();
        assert_eq!(found.modified_at, Timestamp { seconds: 1, nanos: 0 });
        match fs::metadata(&path).unwrap().created() {
            Ok(_) => assert!(found.created_at > Timestamp::from(before)),
            Err(_) => assert_eq!(found.created_at, found.modified_at),
        }
    }

    #[test]
    fn modes_are_octal_text_of_three_digits_or_more() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("f");
        fs::write(&path, "").unwrap();
        for (mode, text) in [(0o4755, "4755"), (0o600, "600"), (0o400, "400"), (0o444, "444")] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(metadata(&path, 0).unwrap().permissions, text);
        }
        assert_eq!(metadata(tmp.path(), 0).unwrap_err().code(), Code::NotAFile);
    }

    #[test]
    fn times_beyond_the_calendar_survive_and_nonsense_is_refused() {
        let mut found = metadata(std::path::Path::new("/proc/version"), 0).unwrap();
        found.created_at = Timestamp { seconds: i64::MAX, nanos: 0 };
        let text = serde_json::to_string(&found).unwrap();
        assert_eq!(serde_json::from_str::<FileMetadata>(&text).unwrap(), found);
        assert!(serde_json::from_str::<FileMetadata>(&text.replace("\"@", "\"@x")).is_err());
    }
}
