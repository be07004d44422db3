//! Operations on files as they are.

use super::Output;
use super::call::Call;
use super::stream::Checked;
use crate::checksum::{self, Algorithm, Digest};
use crate::error::{Code, Error, Result};
use crate::handler::{Stream, read_all};
use crate::metadata::FileMetadata;
use crate::path::{Follow, Location};
use crate::progress::Progress;
use crate::wire;
use crate::workspace::ChangeOptions;
use serde_json::Value;
use std::io::Seek;
use std::path::{Path, PathBuf};

/// Contents up to this size are read into memory; larger ones come as a stream.
const IN_MEMORY: u64 = 8 << 20;

impl Call<'_, '_> {
    /// The file that `key` names, a link at its end followed.
    pub fn location(&self, key: &str) -> Result<Location> {
        self.handler.workspace().base().resolve(self.request.name(key)?, Follow::Whole)
    }
}

pub fn write(call: &mut Call<'_, '_>) -> Result<Value> {
    let (name, options, content) = write_request(call)?;
    let changed = call.handler.secure_write(name, call.contents.take(content)?.source()?, options)?;
    Ok(Value::Object(wire::changed(&changed)))
}

/// The name, the options and the index of the content of a write.
pub fn write_request<'a>(call: &Call<'_, 'a>) -> Result<(PathBuf, ChangeOptions<'a>, usize)> {
    let content = call.request.size("content")?.unwrap_or(usize::MAX);
    Ok((call.request.name("path")?, call.change_options()?, content))
}

pub fn copy(call: &mut Call<'_, '_>) -> Result<Value> {
    let (from, to) = (call.request.name("source")?, call.request.name("destination")?);
    let changed = call.handler.copy(from, to, call.change_options()?)?;
    Ok(Value::Object(wire::changed(&changed)))
}

pub fn rename(call: &mut Call<'_, '_>) -> Result<Value> {
    let (from, to) = (call.request.name("source")?, call.request.name("destination")?);
    let changed = call.handler.rename(from, to, call.change_options()?)?;
    Ok(Value::Object(wire::changed(&changed)))
}

pub fn delete(call: &mut Call<'_, '_>) -> Result<Value> {
    let name = call.request.name("path")?;
    let changed = call.handler.delete(name, call.change_options()?)?;
    Ok(Value::Object(wire::deleted(&changed)))
}

pub fn read(call: &mut Call<'_, '_>) -> Result<Value> {
    let algorithm = call.request.algorithm("algorithm")?.unwrap_or_default();
    let expected = call.request.checksum("expected_checksum", algorithm)?;
    let algorithm = expected.as_ref().map_or(algorithm, Digest::algorithm);
    let which = call.request.version("version");
    let (path, version, stream, size) = call.handler.find(&call.request.name("path")?, which.as_ref())?;
    let taken = match size <= IN_MEMORY {
        true => take_whole(stream, size, algorithm),
        false => take_stream(stream, size, algorithm, &path, call.progress),
    };
    let (size, digest, content) = taken.map_err(|e| e.at(&path))?;
    if expected.is_some_and(|expected| expected != digest) {
        return Err(Error::new(Code::ChecksumMismatch).at(path));
    }
    let mut result = wire::about(&path);
    result.insert("size".into(), size.into());
    wire::put_digest(&mut result, Some(&digest));
    result.insert("version".into(), version.into());
    result.insert("content".into(), call.give(content));
    Ok(Value::Object(result))
}

fn take_whole(mut stream: Stream, size: u64, algorithm: Algorithm) -> Result<(u64, Digest, Output)> {
    let content = read_all(&mut stream, size)?;
    Ok((content.len() as u64, checksum::of_bytes(algorithm, &content), Output::Bytes(content)))
}

/// Reads it twice: for its checksum, which the result tells before the content, and again as the caller takes it.
fn take_stream(
    mut stream: Stream,
    size: u64,
    algorithm: Algorithm,
    path: &Path,
    progress: &Progress,
) -> Result<(u64, Digest, Output)> {
    progress.expect(1, size);
    let summed = checksum::of_reader(&mut stream, &[algorithm], progress)?;
    let digest = summed.digests.into_iter().next().ok_or_else(|| Error::new(Code::Internal))?;
    stream.rewind()?;
    let content = Checked::new(stream, digest.clone(), path);
    Ok((summed.size, digest, Output::Stream(Box::new(content))))
}

pub fn checksum(call: &mut Call<'_, '_>) -> Result<Value> {
    let mut algorithms = call.request.algorithms("algorithms")?;
    if algorithms.is_empty() {
        algorithms.push(call.request.algorithm("algorithm")?.unwrap_or_default());
    }
    let location = call.location("path")?;
    let chunk_size = call.request.size("chunk_size")?;
    let summed = checksum::of_location_by(&location, &algorithms, chunk_size, call.progress)?;
    let mut result = wire::about(location.path());
    result.insert("size".into(), summed.size.into());
    wire::put_digests(&mut result, &summed.digests);
    Ok(Value::Object(result))
}

pub fn stat(call: &mut Call<'_, '_>) -> Result<Value> {
    let algorithm = call.request.algorithm("algorithm")?.unwrap_or_default();
    let location = call.location("path")?;
    let metadata = FileMetadata::of(call.handler.workspace(), &location, algorithm)?;
    let Ok(Value::Object(mut result)) = serde_json::to_value(metadata) else { return Err(Error::new(Code::Internal)) };
    result.extend(wire::about(location.path()));
    result.insert("kind".into(), "file".into()); // of anything else there is no checksum
    Ok(Value::Object(result))
}

pub fn locks(call: &mut Call<'_, '_>) -> Result<Value> {
    let location = call.location("path")?;
    let manager = call.handler.workspace().locks();
    Ok(Value::Object(wire::holders(&location, &manager.holders(&location)?, manager.scope())))
}
