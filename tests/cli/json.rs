//! json get, set, merge, patch, write.

use crate::helper::Base;
use serde_json::json;

#[test]
fn get_prints_a_value_digit_for_digit() {
    let base = Base::new();
    base.file("c.json", r#"{"z": {"pi": 3.14159265358979323846264338327950288, "list": [10, 20]}, "a/b": "text"}"#);
    assert_eq!(base.run(["json", "get", "c.json", "/z/pi"]).ok().text(), "3.14159265358979323846264338327950288\n");
    assert_eq!(base.run(["json", "get", "c.json", "/z/list/1"]).ok().text(), "20\n");
    assert_eq!(base.run(["json", "get", "c.json", "/a~1b"]).ok().text(), "\"text\"\n");
    assert!(base.run(["json", "get", "c.json"]).ok().text().starts_with("{\n  \"z\": {\n"));
    let result = base.run(["--json", "json", "get", "c.json", "/z/list"]).document();
    assert_eq!(result["data"], json!([10, 20]));
    assert!(result["checksum"].is_string() && result["size"].is_u64());
    base.run(["--json", "json", "get", "c.json", "/nope"]).refused(3, "pointer_not_found");
    base.run(["--json", "json", "get", "nothing.json"]).refused(3, "not_found");
    base.run(["--json", "json", "get", "c.json", "no-slash"]).refused(2, "invalid_argument");
}

#[test]
fn set_merge_and_patch_change_the_document_and_its_history() {
    let base = Base::new();
    base.run(["json", "write", "c.json", "--text", r#"{"b": 1, "a": [1]}"#]).ok();
    assert_eq!(base.content("c.json"), "{\n  \"b\": 1,\n  \"a\": [\n    1\n  ]\n}\n");
    let result = base.run(["--json", "json", "set", "c.json", "/b", "-2.50"]).document();
    assert_eq!(result["version"], 2);
    base.run(["json", "set", "c.json", "/a/-", r#""two""#]).ok();
    base.feed(r#"{"b": null, "new": {"x": 1e400}}"#, ["json", "merge", "c.json"]).ok();
    base.run([
        "json",
        "patch",
        "c.json",
        "--text",
        r#"[{"op":"test","path":"/a/0","value":1},{"op":"remove","path":"/a/0"}]"#,
    ])
    .ok();
    let expected = "{\n  \"a\": [\n    \"two\"\n  ],\n  \"new\": {\n    \"x\": 1e400\n  }\n}\n";
    assert_eq!(base.content("c.json"), expected);
    assert!(base.run(["read", "c.json", "--version", "2"]).ok().text().contains("-2.50"));
}

#[test]
fn what_is_wrong_is_refused_and_changes_nothing() {
    let base = Base::new();
    let content = "{\"a\": 1}";
    base.file("c.json", content);
    base.run(["--json", "json", "set", "c.json", "/a", "text"]).refused(2, "invalid_json");
    base.run(["--json", "json", "set", "c.json", "/a", "NaN"]).refused(2, "invalid_json");
    base.run(["--json", "json", "set", "c.json", "/x/y", "1"]).refused(3, "pointer_not_found");
    let body = base.feed("{\"a\": 1,\n \"a\": 2}", ["--json", "json", "merge", "c.json"]).refused(2, "invalid_json");
    assert!(body["message"].as_str().unwrap().contains("line 2"), "{body}");
    assert_eq!(body["path"], "stdin");
    let failing = r#"[{"op":"replace","path":"/a","value":5},{"op":"test","path":"/a","value":6}]"#;
    base.run(["--json", "json", "patch", "c.json", "--text", failing]).refused(4, "patch_failed");
    let hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    base.run(["--json", "json", "set", "c.json", "/a", "2", "--if-checksum", hash]).refused(4, "changed");
    assert_eq!(base.content("c.json"), content);
    let words = base.run(["json", "set", "c.json", "/a", "text"]).status(2).errors();
    assert!(words.contains("'\"text\"'"), "{words}");
}
