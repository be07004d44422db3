//! A case: its files, its steps, and how they are run.

use crate::compare;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use electrus::handler::AdvancedFileHandler;
use electrus::ops::{self, Contents, Input, Output};
use electrus::progress::Progress;
use electrus::wire;
use electrus::workspace::OpenOptions;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

type Files = BTreeMap<String, Option<Content>>;

pub struct File {
    pub name: String,
    pub cases: Vec<Case>,
}

impl File {
    pub fn all() -> Vec<File> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[serde(rename = "about")]
            _about: String,
            cases: Vec<Case>,
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("abi/conformance");
        let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
        paths.sort();
        let read = |path: PathBuf| {
            let document: Document =
                serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            File { name: path.file_name().unwrap().to_string_lossy().into_owned(), cases: document.cases }
        };
        paths.into_iter().map(read).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    open: Open,
    #[serde(default)]
    files: Files,
    steps: Vec<Step>,
    #[serde(default)]
    after: Files,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Open {
    read_only: bool,
    allow_outside: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Outside(Outside),
    Call(Box<Call>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Outside {
    outside: Files,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    operation: String,
    request: Value,
    #[serde(default)]
    contents: Vec<Content>,
    result: Option<Value>,
    outputs: Option<Vec<Content>>,
    error: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Base64 { base64: String },
    Repeat { repeat: String, times: usize },
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Content::Text(text) => text.as_bytes().to_vec(),
            Content::Base64 { base64 } => STANDARD.decode(base64).unwrap(),
            Content::Repeat { repeat, times } => repeat.repeat(*times).into_bytes(),
        }
    }
}

impl Case {
    /// The operations that this case expects to fail, or those that it expects to succeed.
    pub fn operations(&self, fail: bool) -> impl Iterator<Item = String> {
        self.steps.iter().filter_map(move |step| match step {
            Step::Call(call) if call.error.is_some() == fail => Some(call.operation.clone()),
            _ => None,
        })
    }

    pub fn run(&self) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap().join("base");
        fs::create_dir(&base).unwrap();
        put(&base, &self.files);
        let Open { read_only, allow_outside } = self.open;
        let options = OpenOptions { read_only, allow_outside, ..OpenOptions::default() };
        let handler = AdvancedFileHandler::open(&base, &options).map_err(|e| e.to_string())?;
        let mut results = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let result = match step {
                Step::Outside(Outside { outside }) => {
                    put(&base, outside);
                    Ok(Value::Null)
                }
                Step::Call(call) => call.run(&handler, &base, &results),
            };
            results.push(result.map_err(|e| format!("step {index}: {e}"))?);
        }
        check(&base, &self.after)
    }
}

fn put(base: &Path, files: &Files) {
    for (name, content) in files {
        let path = base.join(name);
        match content {
            Some(content) => {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content.bytes()).unwrap();
            }
            None if name.ends_with('/') => fs::create_dir_all(path).unwrap(),
            None => fs::remove_file(path).unwrap(),
        }
    }
}

fn check(base: &Path, files: &Files) -> Result<(), String> {
    for (name, content) in files {
        let found = fs::read(base.join(name)).ok();
        if found != content.as_ref().map(Content::bytes) {
            let found = found.map(|bytes| String::from_utf8_lossy(&bytes).chars().take(200).collect::<String>());
            return Err(format!("{name} is {found:?} afterwards"));
        }
    }
    Ok(())
}

impl Call {
    fn run(&self, handler: &AdvancedFileHandler, base: &Path, results: &[Value]) -> Result<Value, String> {
        let mut request = self.request.clone();
        compare::replace_base(&mut request, base);
        compare::replace_results(&mut request, results);
        let input = self.contents.iter().map(|c| Input::Bytes(Cow::Owned(c.bytes()))).collect();
        let mut contents = Contents { input, ..Contents::default() };
        let answer = ops::dispatch(handler, &self.operation, request, &mut contents, &Progress::new());
        let about = |what: String| format!("{}: {what}", self.operation);
        match (answer, &self.error) {
            (Ok(result), None) => {
                self.check(&result, contents.output, base).map_err(about)?;
                Ok(result)
            }
            (Err(error), Some(name)) if error.code().name() == name => Ok(wire::error_envelope(&error)),
            (Ok(result), Some(name)) => Err(about(format!("expected {name}, but it gave {result}"))),
            (Err(error), expected) => Err(about(format!("expected {expected:?}, but it failed: {error:?}"))),
        }
    }

    fn check(&self, result: &Value, output: Vec<Output>, base: &Path) -> Result<(), String> {
        compare::documented(&self.operation, result)?;
        let mut expected = self.result.clone().unwrap_or(Value::Object(Default::default()));
        compare::replace_base(&mut expected, base);
        compare::contains(result, &expected, "").map_err(|e| format!("{e}\n    in {result}"))?;
        let Some(expected) = &self.outputs else { return Ok(()) };
        if output.len() != expected.len() {
            return Err(format!("{} contents came back", output.len()));
        }
        for (index, (output, expected)) in output.into_iter().zip(expected).enumerate() {
            if output.into_bytes().map_err(|e| e.to_string())? != expected.bytes() {
                return Err(format!("content {index} is another"));
            }
        }
        Ok(())
    }
}
