//! batch and tx.

use crate::helper::Base;
use electrus::transaction::{Transaction, TransactionOptions};
use electrus::workspace::{OpenOptions, Workspace};
use serde_json::json;
use std::process::{Command, Stdio};

#[test]
fn a_batch_answers_each_in_order_and_one_failure_is_alone() {
    let base = Base::new();
    base.file("binary", b"\xff");
    let operations = json!([
        {"type": "write", "path": "a", "content": "text"},
        {"type": "read", "path": "a"},
        {"type": "read", "path": "nothing"},
        {"type": "checksum", "path": "a", "algorithm": "md5"},
        {"type": "write", "path": "b", "content_base64": "AP8="},
        {"type": "read", "path": "binary"},
        {"type": "write", "path": "../out", "content": "x"},
    ]);
    let result = base.feed(operations.to_string(), ["--json", "batch", "-"]).status(1).any_document();
    let results = result["results"].as_array().unwrap();
    let statuses: Vec<_> = results.iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["success", "success", "error", "success", "success", "success", "error"]);
    assert_eq!(results[1]["content"], "text");
    assert_eq!((&results[2]["error"]["name"], &results[2]["path"]), (&"not_found".into(), &"nothing".into()));
    assert_eq!(results[3]["checksum"], "1cb251ec0d568de6a929b520c4aed8d1");
    assert_eq!(std::fs::read(base.join("b")).unwrap(), b"\x00\xff");
    assert_eq!(results[5]["content_base64"], "/w==");
    assert_eq!(results[6]["error"]["name"], "path_escape");
}

#[test]
fn a_batch_in_words_is_a_line_for_each() {
    let base = Base::new();
    base.file("ops.json", r#"{"operations": [{"type":"write","path":"a","content":"1"},{"type":"read","path":"b"}]}"#);
    let ran = base.run(["batch", "ops.json"]).status(1);
    assert_eq!(ran.text(), "a: success\nb: error\n");
    assert!(ran.errors().contains("b: the file does not exist"), "{}", ran.errors());
    base.file("ops.json", r#"[{"type":"write","path":"b","content":"2"}]"#);
    base.run(["batch", "ops.json"]).ok();
    assert_eq!(base.content("b"), "2");
}

#[test]
fn a_batch_that_is_none_is_refused_before_anything_is_done() {
    let base = Base::new();
    for (text, name) in
        [("[", "invalid_json"), ("{}", "invalid_argument"), ("3", "invalid_argument"), ("[3]", "invalid_argument")]
    {
        base.feed(text, ["--json", "batch", "-"]).refused(2, name);
        base.feed(text, ["--json", "tx", "-"]).refused(2, name);
    }
    base.run(["--json", "batch", "nothing.json"]).refused(3, "not_found");
    assert!(!base.join("a").exists());
}

const WRONG_CONTENTS: &str = r#"[
    {"type":"write","path":"a","content":7},
    {"type":"write","path":"b","content":"right"},
    {"type":"write","path_b64":"Yw==","content":"x","content_base64":""},
    {"type":"write","path":"d","content_base64":"?"},
    {"type":"read","path":"b"}]"#;

/// One operation with a content that is none refused them all.
#[test]
fn a_content_that_is_none_is_the_trouble_of_its_operation_alone() {
    let base = Base::new();
    let result = base.feed(WRONG_CONTENTS, ["--json", "batch", "-"]).status(1).any_document();
    let results = result["results"].as_array().unwrap();
    let told: Vec<_> = results.iter().map(|r| (r["path"].as_str().unwrap(), r["status"] == "success")).collect();
    assert_eq!(told, [("a", false), ("b", true), ("c", false), ("d", false), ("b", true)], "{result}");
    assert!(results.iter().all(|r| r["status"] == "success" || r["error"]["name"] == "invalid_argument"), "{result}");
    assert_eq!(results[4]["content"], "right");
    assert_eq!(base.names(), ["b"]);
}

#[test]
fn a_content_that_is_none_refuses_a_whole_transaction() {
    let base = Base::new();
    let body = base.feed(WRONG_CONTENTS, ["--json", "tx", "-"]).refused(2, "invalid_argument");
    assert!(body["message"].as_str().unwrap().starts_with("operation 0: "), "{body}");
    assert_eq!(base.names(), [""; 0]);
}

/// The result had no `path`, and the full path's bytes in place of those that were given.
#[test]
fn a_name_in_base64_comes_back_with_its_result() {
    let base = Base::new();
    let operations = r#"[{"type":"write","path_b64":"/2E=","content":"x"}]"#;
    let result = base.feed(operations, ["--json", "batch", "-"]).document();
    let one = &result["results"][0];
    assert_eq!((&one["path"], &one["path_b64"]), (&"\u{fffd}a".into(), &"/2E=".into()), "{result}");
    let full = electrus::wire::from_base64(one["file_path_b64"].as_str().unwrap()).unwrap();
    assert!(full.starts_with(b"/") && full.ends_with(b"/\xffa"), "{result}");
    let words = base.feed(operations, ["batch", "-"]).ok().text();
    assert_eq!(words, "\u{fffd}a: success\n");
}

#[test]
fn a_transaction_is_all() {
    let base = Base::new();
    base.write("old", "old");
    base.write("here", "moves");
    let operations = json!([
        {"type": "write", "path": "new", "content": "new"},
        {"type": "delete", "path": "old"},
        {"type": "rename", "source": "here", "destination": "there"},
        {"type": "copy", "source": "there", "destination": "copied"},
    ]);
    base.file("tx.json", operations.to_string());
    let result = base.run(["--json", "tx", "tx.json"]).document();
    assert_eq!(result["results"].as_array().unwrap().len(), 4);
    assert!(result["id"].is_string());
    assert_eq!(
        (base.content("new"), base.content("there"), base.content("copied")),
        ("new".into(), "moves".into(), "moves".into())
    );
    assert!(!base.join("old").exists() && !base.join("here").exists());
}

#[test]
fn a_transaction_is_none_when_one_fails() {
    let base = Base::new();
    base.write("a", "before");
    let operations = json!([
        {"type": "write", "path": "a", "content": "after"},
        {"type": "write", "path": "b", "content": "after"},
        {"type": "delete", "path": "nothing"},
    ]);
    base.feed(operations.to_string(), ["--json", "tx", "-"]).refused(3, "not_found");
    assert_eq!(base.content("a"), "before");
    assert!(!base.join("b").exists());
    let reading = r#"[{"type":"read","path":"a"}]"#;
    assert_ne!(base.feed(reading, ["--json", "tx", "-"]).status, 0);
}

const CRASH_IN: &str = "ELECTRUS_TEST_CLI_CRASH";

#[test]
#[ignore = "run by the next test, in a process that dies"]
fn child_that_dies_once_its_transaction_is_decided() {
    let Some(folder) = std::env::var_os(CRASH_IN) else { return };
    let workspace = Workspace::open(folder, &OpenOptions::default()).unwrap();
    let watch = |point: &str| {
        if point == "decided" {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
        }
    };
    let options = TransactionOptions { watch: Some(&watch), ..TransactionOptions::default() };
    let mut transaction = Transaction::with(&workspace, options);
    transaction.write("a", "a new").write("b", "b new");
    transaction.commit().unwrap();
}

fn crash_in(base: &Base) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "batch::child_that_dies_once_its_transaction_is_decided", "--ignored"]);
    let status = child.env(CRASH_IN, base.path()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    assert!(!status.success());
}

#[test]
fn a_transaction_that_a_crash_left_is_finished_by_the_next_change_and_told() {
    let base = Base::new();
    base.write("a", "a old");
    crash_in(&base);
    base.file("b", "by another program meanwhile");
    let ran = base.run(["write", "c", "--text", "c"]).ok();
    assert_eq!((base.content("a"), base.content("b")), ("a new".into(), "b new".into()));
    assert!(ran.errors().contains("has been finished"), "{}", ran.errors());
    assert!(ran.errors().contains("kept as version"), "{}", ran.errors());
    assert_eq!(base.run(["write", "c", "--text", "c"]).ok().errors(), "");
    crash_in(&base);
    let result = base.write("c", "again");
    assert_eq!(result["recovered"][0]["files"].as_array().unwrap().len(), 2, "{result}");
}
