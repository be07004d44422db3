//! What everybody may call is documented: its errors by name, and an example that the tests compile.
//!
//! The sources are read as rustfmt leaves them: an item begins in the first column, a method after four spaces.

use super::{root, sources, text};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// Plain data inside of what has an example: nothing more can be done with it than to look at its fields.
const WITHOUT_EXAMPLE: [&str; 9] =
    ["Content", "Damage", "DamagedEntry", "EntryKind", "FileState", "Found", "RecoveredFile", "Warning", "WarningKind"];

struct Item {
    place: String,
    name: String,
    docs: String,
    /// `struct`, `enum`, `trait` or `fn`.
    kind: &'static str,
    /// The type whose method it is.
    of: Option<String>,
    result: bool,
    hidden: bool,
}

impl Item {
    fn full(&self) -> String {
        self.of.as_ref().map_or(self.name.clone(), |of| format!("{of}::{}", self.name))
    }
}

/// A module: its file, whether everybody can name it, and what is in it.
struct Module {
    path: Vec<String>,
    public: bool,
    items: Vec<Item>,
    exports: Vec<(String, String)>,
}

fn modules() -> Vec<Module> {
    let src = root().join("src");
    let files = sources("src").into_iter().filter(|path| !path.starts_with(src.join("bin")));
    let modules = files.map(|file| {
        let source = text(&file);
        let path = module_path(file.strip_prefix(&src).unwrap());
        Module { public: is_public(&path), items: items(&file, &source), exports: exports(&source), path }
    });
    modules.collect()
}

fn module_path(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if ["mod", "lib"].contains(&parts.last().unwrap().as_str()) {
        parts.pop();
    }
    parts
}

/// The file that declares what is in a module.
fn file_of(path: &[String]) -> PathBuf {
    let folder = path.iter().fold(root().join("src"), |folder, part| folder.join(part));
    let candidates = [folder.join("lib.rs"), folder.join("mod.rs"), folder.with_extension("rs")];
    candidates.into_iter().find(|file| file.is_file()).unwrap()
}

fn is_public(path: &[String]) -> bool {
    (0..path.len()).all(|depth| {
        let source = text(&file_of(&path[..depth]));
        let declared = format!("pub mod {};", path[depth]);
        source.lines().zip(source.lines().skip(1)).any(|(before, line)| line == declared && !before.contains("hidden"))
    })
}

/// What a module re-exports: the last module on the way to it, and its name (`*` for all).
fn exports(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut before = "";
    let mut lines = source.lines();
    while let Some(line) = lines.next() {
        if let (Some(start), false) = (line.strip_prefix("pub use "), before.contains("hidden")) {
            let mut whole = start.to_owned();
            while !whole.ends_with(';') {
                whole.push_str(lines.next().unwrap().trim());
            }
            let whole = whole.trim_end_matches(';');
            let (from, names) = whole.rsplit_once("::").map_or(("", whole), |split| split);
            let (from, names) = whole.split_once("::{").unwrap_or((from, names));
            let from = from.rsplit("::").next().unwrap();
            let names = names.trim_end_matches('}').split(',').map(str::trim).filter(|name| !name.is_empty());
            found.extend(names.map(|name| (from.to_owned(), name.rsplit(' ').next().unwrap().to_owned())));
        }
        before = line;
    }
    found
}

fn items(file: &Path, source: &str) -> Vec<Item> {
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    let mut block: Option<(String, bool)> = None; // the type of the `impl`, or the trait
    for (number, line) in lines.iter().enumerate() {
        if *line == "}" {
            block = None;
        }
        if line.starts_with("impl") && !line.contains(" for ") {
            block = Some((implemented(line), false));
        }
        let (indent, line) = match (line.strip_prefix("    "), &block) {
            (Some(inner), Some((_, all))) if inner.starts_with("pub ") || (*all && inner.starts_with("fn ")) => {
                (4, inner)
            }
            _ => (0, *line),
        };
        let Some((kind, name)) = declared(line).filter(|_| indent == 4 || line.starts_with("pub ")) else { continue };
        if kind == "trait" {
            block = Some((name.clone(), true));
        }
        let above = lines[..number].iter().rev().map(|line| line.trim_start());
        let above: Vec<&str> = above.take_while(|line| line.starts_with("///") || line.starts_with("#[")).collect();
        let end = lines[number..].iter().position(|line| line.ends_with(['{', ';', '}'])).unwrap_or(0);
        let signature = lines[number..=number + end].concat();
        found.push(Item {
            place: format!("{}:{}", file.strip_prefix(root()).unwrap().display(), number + 1),
            name,
            docs: above.iter().rev().map(|line| format!("{line}\n")).collect(),
            kind,
            of: block.as_ref().filter(|_| indent == 4).map(|(of, _)| of.clone()),
            result: signature.contains("-> Result<"),
            hidden: above.iter().any(|line| line.contains("doc(hidden)")),
        });
    }
    found
}

/// The type of `impl<'a> Type<'a> {`.
fn implemented(line: &str) -> String {
    let rest = line.trim_start_matches("impl");
    let rest = if rest.starts_with('<') { rest.split_once("> ").map_or("", |split| split.1) } else { rest };
    rest.trim_start().chars().take_while(|c| c.is_alphanumeric()).collect()
}

/// The kind and the name of what a line declares, if it is one of those that are looked at.
fn declared(line: &str) -> Option<(&'static str, String)> {
    let words: Vec<&str> = line.split_whitespace().filter(|word| !["const", "unsafe"].contains(word)).collect();
    let (kind, name) = match words[..] {
        ["pub", kind, name, ..] => (kind, name),
        ["fn", name, ..] => ("fn", name), // of a trait
        _ => return None,
    };
    let kind = ["struct", "enum", "trait", "fn"].into_iter().find(|known| *known == kind)?;
    Some((kind, name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()))
}

/// All that everybody can name: in public modules, or re-exported by one, and the methods of such types.
fn public_items() -> Vec<Item> {
    let modules = modules();
    let exports: HashSet<(String, String)> =
        modules.iter().filter(|m| m.public).flat_map(|m| m.exports.clone()).collect();
    let exported = |module: &Module, name: &str| {
        let by = |from: &String, name: &str| exports.contains(&(from.clone(), name.to_owned()));
        module.path.iter().any(|from| by(from, name)) || module.path.last().is_some_and(|from| by(from, "*"))
    };
    let seen = |module: &Module, name: &str| module.public || exported(module, name);
    let types: HashSet<String> = modules
        .iter()
        .flat_map(|module| {
            module.items.iter().filter(|item| item.of.is_none() && !item.hidden && seen(module, &item.name))
        })
        .filter(|item| item.kind != "fn")
        .map(|item| item.name.clone())
        .collect();
    let mut found = Vec::new();
    for module in modules {
        let shown: HashSet<String> = module.items.iter().map(|i| i.name.clone()).filter(|n| seen(&module, n)).collect();
        found.extend(module.items.into_iter().filter(|item| match &item.of {
            _ if item.hidden => false,
            Some(of) => types.contains(of),
            None => shown.contains(&item.name),
        }));
    }
    found
}

#[test]
fn every_public_function_that_can_fail_says_with_which_errors() {
    let items = public_items();
    let silent: Vec<String> = items
        .iter()
        .filter(|item| item.kind == "fn" && item.result && !item.docs.contains("/// # Errors\n"))
        .map(|item| format!("{}: {}", item.place, item.full()))
        .collect();
    assert!(items.len() > 200, "only {} were found", items.len());
    assert!(silent.is_empty(), "without `# Errors` ({}):\n{}", silent.len(), silent.join("\n"));
}

#[test]
fn every_public_type_and_free_function_has_an_example() {
    let items = public_items();
    let needy = items.iter().filter(|item| item.of.is_none() && !item.docs.contains("/// ```"));
    let without: Vec<String> = needy
        .filter(|item| !WITHOUT_EXAMPLE.contains(&item.name.as_str()))
        .map(|item| format!("{}: {} {}", item.place, item.kind, item.name))
        .collect();
    assert!(without.is_empty(), "without an example ({}):\n{}", without.len(), without.join("\n"));
    for name in WITHOUT_EXAMPLE {
        assert!(items.iter().any(|item| item.name == name), "{name} is excepted, and not there");
    }
}
