//! Which files a backup leaves out: patterns as gitignore has them, without its exceptions.

use crate::error::{Code, Error, Result};
use globset::{Candidate, GlobBuilder, GlobSet, GlobSetBuilder};
use std::path::Path;

/// Compiled patterns.
#[derive(Debug)]
pub struct Excludes {
    /// Match any single name.
    names: Set,
    /// Match the path below the source.
    paths: Set,
}

#[derive(Debug)]
struct Set {
    any: GlobSet,
    folders: GlobSet,
}

impl Excludes {
    /// Compiles patterns; [`Code::InvalidPattern`] names the one that cannot be.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Excludes> {
        let mut names = (GlobSetBuilder::new(), GlobSetBuilder::new());
        let mut paths = (GlobSetBuilder::new(), GlobSetBuilder::new());
        for pattern in patterns {
            let given = pattern.as_ref();
            let (body, folders_only) = match given.strip_suffix('/') {
                Some(body) => (body, true),
                None => (given, false),
            };
            let set = if body.contains('/') { &mut paths } else { &mut names };
            let builder = if folders_only { &mut set.1 } else { &mut set.0 };
            builder.add(glob(body.strip_prefix('/').unwrap_or(body), given)?);
        }
        Ok(Excludes { names: Set::new(names)?, paths: Set::new(paths)? })
    }

    /// Whether a file or folder is left out, by its name and its path below the source.
    pub fn matches(&self, name: &Path, below_source: impl FnOnce() -> Vec<u8>, folder: bool) -> bool {
        if self.names.matches(name, folder) {
            return true;
        }
        !self.paths.is_empty() && self.paths.matches(Path::new(&*crate::path::os_name(&below_source())), folder)
    }
}

impl Set {
    fn new((any, folders): (GlobSetBuilder, GlobSetBuilder)) -> Result<Set> {
        let build = |builder: GlobSetBuilder| builder.build().map_err(|e| invalid(&e.to_string()));
        Ok(Set { any: build(any)?, folders: build(folders)? })
    }

    fn is_empty(&self) -> bool {
        self.any.is_empty() && self.folders.is_empty()
    }

    fn matches(&self, path: &Path, folder: bool) -> bool {
        if self.is_empty() {
            return false;
        }
        let candidate = Candidate::new(path);
        self.any.is_match_candidate(&candidate) || (folder && self.folders.is_match_candidate(&candidate))
    }
}

fn glob(body: &str, given: &str) -> Result<globset::Glob> {
    if body.is_empty() || given.starts_with('!') {
        let why = if body.is_empty() { "it matches nothing" } else { "there are no exceptions; write \\! for a name" };
        return Err(invalid(&format!("{given:?}: {why}")));
    }
    GlobBuilder::new(body)
        .literal_separator(true)
        .backslash_escape(true)
        .build()
        .map_err(|e| invalid(&format!("{given:?}: {}", e.kind())))
}

fn invalid(why: &str) -> Error {
    Error::message(Code::InvalidPattern, format!("the pattern cannot be used: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left_out(pattern: &str, path: &str) -> bool {
        let (path, folder) = match path.strip_suffix('/') {
            Some(path) => (path, true),
            None => (path, false),
        };
        let name = Path::new(path.rsplit('/').next().unwrap());
        Excludes::new(&[pattern]).unwrap().matches(name, || path.as_bytes().to_vec(), folder)
    }

    #[test]
    fn a_pattern_without_a_slash_matches_any_name() {
        assert!(left_out("*.log", "a.log"));
        assert!(left_out("*.log", "deep/er/a.log"));
        assert!(!left_out("*.log", "a.log.txt"));
        assert!(left_out("target", "x/target/"));
        assert!(left_out("[ab]?", "x/b1"));
        assert!(left_out("{one,two}", "two"));
    }

    #[test]
    fn a_pattern_with_a_slash_is_anchored_at_the_source() {
        assert!(left_out("/target", "target/"));
        assert!(!left_out("/target", "x/target/"));
        assert!(left_out("src/*.rs", "src/a.rs"));
        assert!(!left_out("src/*.rs", "src/deep/a.rs"));
        assert!(!left_out("src/*.rs", "x/src/a.rs"));
        assert!(left_out("src/**/*.rs", "src/deep/er/a.rs"));
        assert!(left_out("**/cache/*", "a/b/cache/c"));
    }

    #[test]
    fn a_slash_at_the_end_means_folders_only() {
        assert!(left_out("target/", "x/target/"));
        assert!(!left_out("target/", "x/target"));
        assert!(left_out("a/b/", "a/b/"));
        assert!(!left_out("a/b/", "a/b"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for pattern in ["", "/", "!keep", "a[", "{a"] {
            assert_eq!(Excludes::new(&[pattern]).unwrap_err().code(), Code::InvalidPattern, "{pattern:?}");
        }
        assert!(left_out("\\!keep", "!keep"));
    }
}
