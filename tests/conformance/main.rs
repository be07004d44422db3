//! Runs `abi/conformance/*.json` through the table of operations; the format is explained in its README.

mod case;
mod compare;

use case::{Case, File};
use electrus::ops::OPERATIONS;
use std::collections::BTreeSet;

#[test]
fn every_case_gives_what_it_says() {
    let mut wrong = Vec::new();
    for file in File::all() {
        for case in &file.cases {
            if let Err(what) = case.run() {
                wrong.push(format!("{}: {}\n    {what}", file.name, case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{} cases are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn every_operation_has_a_case_that_succeeds_and_one_that_fails() {
    let cases: Vec<Case> = File::all().into_iter().flat_map(|f| f.cases).collect();
    let of = |fails: bool| -> BTreeSet<String> { cases.iter().flat_map(|c| c.operations(fails)).collect() };
    let names: BTreeSet<String> = OPERATIONS.iter().map(|o| o.name.to_owned()).collect();
    assert_eq!(of(false), names);
    assert_eq!(of(true), names);
}
