//! README.md is true: its commands run and print what it shows, what it names is there, its lists are complete.

use crate::helper::{Base, Ran};
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text() -> String {
    std::fs::read_to_string(root().join("README.md")).unwrap()
}

/// The fenced blocks: language and lines.
fn blocks() -> Vec<(String, Vec<String>)> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Vec<String>)> = None;
    for line in text().lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(_), Some(block)) => blocks.push(block),
            (Some(language), None) => open = Some((language.to_owned(), Vec::new())),
            (None, Some((language, mut lines))) => {
                lines.push(line.to_owned());
                open = Some((language, lines));
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

/// A command of a `console` block, and the lines shown below it.
struct Shown {
    command: String,
    output: Vec<String>,
}

fn commands(lines: &[String]) -> Vec<Shown> {
    let mut shown: Vec<Shown> = Vec::new();
    for line in lines {
        match (line.strip_prefix("$ "), line.strip_prefix("> ")) {
            (Some(command), _) => shown.push(Shown { command: command.to_owned(), output: Vec::new() }),
            (None, Some(more)) => {
                let last = shown.last_mut().expect("a command goes on");
                last.command.push('\n');
                last.command.push_str(more);
            }
            (None, None) => shown.last_mut().expect("output follows a command").output.push(line.clone()),
        }
    }
    shown
}

/// `…` stands for anything in a line, and for any lines when alone.
fn fits(shown: &[String], real: &[&str]) -> bool {
    match shown.split_first() {
        None => real.is_empty(),
        Some((line, rest)) if line == "…" => (0..=real.len()).any(|skip| fits(rest, &real[skip..])),
        Some((line, rest)) => {
            real.split_first().is_some_and(|(first, left)| line_fits(line, first) && fits(rest, left))
        }
    }
}

fn line_fits(shown: &str, real: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut left) = real.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (i, part) in parts.iter().enumerate() {
        if i + 1 == parts.len() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    left.is_empty()
}

/// `cargo run --release -- ARGS` is what a reader types; here the program is built already.
const CARGO: &str = r#"cargo() { [ "$1 $2 $3" = "run --release --" ] || { echo "not: cargo $*"; return 9; }; shift 3; electrus "$@"; }"#;

#[test]
fn every_command_of_the_readme_prints_what_it_shows() {
    let base = Base::new();
    base.file("README.md", text());
    let mut ran = 0;
    for (_, lines) in blocks().iter().filter(|(language, _)| language == "console") {
        for Shown { command, output } in commands(lines) {
            if command == "tests/run" {
                continue; // this is it
            }
            let got = Ran::of(&mut base.shell(&format!("{CARGO}\nexec 2>&1\n{command}")));
            let text = got.text();
            let real: Vec<&str> = text.lines().collect();
            let told = output.iter().any(|line| line.starts_with("electrus: ")) || command.contains("echo $?");
            assert!(got.status == 0 || told, "$ {command}\nended with {}:\n{text}", got.status);
            assert!(
                output.is_empty() || fits(&output, &real),
                "$ {command}\nprinted:\n{text}\nand not:\n{}",
                output.join("\n")
            );
            ran += 1;
        }
    }
    assert!(ran > 20, "only {ran} commands were found");
}

#[test]
fn every_path_and_test_that_the_readme_names_is_there() {
    let text = text();
    let mut named = 0;
    for word in text.split(['`', '(', ')', ' ', '\n', ',']) {
        let known = ["tests/", "docs/", "benches/", "src/", "include/", "abi/"];
        if !known.iter().any(|folder| word.starts_with(folder)) {
            continue;
        }
        let (path, test) = word.split_once("::").map_or((word, None), |(path, test)| (path, Some(test)));
        let full = root().join(path.trim_end_matches('/'));
        assert!(full.exists(), "{word}: {path} is not there");
        if let Some(test) = test {
            let source = std::fs::read_to_string(&full).unwrap();
            assert!(source.contains(&format!("fn {test}(")), "{word}: no such test");
        }
        named += 1;
    }
    assert!(named > 10, "only {named} were found");
}

#[test]
fn the_exit_statuses_are_those_of_the_help() {
    let help = Base::new().run(["--help"]).ok().text();
    let statuses = &help[help.find("Exit status:").unwrap()..];
    assert!(text().contains(statuses.trim_end()), "README.md should show:\n{statuses}");
}

#[test]
fn every_dependency_is_in_the_table() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let mut in_dependencies = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            in_dependencies = line.ends_with("dependencies]");
        } else if let (true, Some((name, _))) = (in_dependencies, line.split_once(" = ")) {
            assert!(text().contains(&format!("| `{name}` |")), "{name} is not in the README's table");
        }
    }
}

#[test]
fn shown_lines_fit_only_what_they_say() {
    let lines = |shown: &[&str]| shown.iter().map(|s| s.to_string()).collect::<Vec<_>>();
    assert!(fits(&lines(&["a…c", "…", "z"]), &["abc", "1", "2", "z"]));
    assert!(fits(&lines(&["…"]), &[]));
    assert!(!fits(&lines(&["a…c"]), &["ab"]));
    assert!(!fits(&lines(&["a"]), &["a", "b"]));
    assert!(!line_fits("a", "ab") && line_fits("…b…", "abc") && !line_fits("a…a", "a"));
}
