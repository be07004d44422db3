//! JSON: our reading and printing against Python's, and changes of files under their locks.

mod files;
mod random;

use electrus::json::{parse, to_bytes};
use random::Random;
use std::io::Write;
use std::process::{Command, Stdio};

/// Reads a line for each document, in hex; answers what it means to Python, or `refused`, in hex.
const READER: &str = r#"
import binascii, json, sys
def members(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("a key comes twice")
    return {"members": [[key, value] for key, value in pairs]}
def constant(name):
    raise ValueError(name)
def number(text):
    return {"number": text}
sys.setrecursionlimit(10000)
for line in sys.stdin.buffer:
    try:
        text = binascii.unhexlify(line.strip()).decode("utf-8")
        value = json.loads(text, object_pairs_hook=members, parse_constant=constant, parse_int=number, parse_float=number)
        answer = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except (ValueError, UnicodeError):
        answer = b"refused"
    print(binascii.hexlify(answer).decode())
"#;

/// Reads a line for each document, in hex; prints it again as `json.dumps(indent=2)` would.
const PRINTER: &str = r#"
import binascii, json, sys
for line in sys.stdin.buffer:
    value = json.loads(binascii.unhexlify(line.strip()).decode("utf-8"))
    print(binascii.hexlify((json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode("utf-8")).decode())
"#;

fn python(script: &str, documents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut child = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("these tests need python3");
    let mut input = child.stdin.take().unwrap();
    let lines: String = documents.iter().map(|d| hex(d) + "\n").collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(unhex).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|p| u8::from_str_radix(std::str::from_utf8(p).unwrap(), 16).unwrap()).collect()
}

/// What `READER` answers, made from our value: objects as pairs and numbers as their text.
fn as_reader_says(value: &serde_json::Value) -> String {
    use serde_json::Value::{Array, Number, Object};
    let join = |items: Vec<String>| format!("[{}]", items.join(","));
    match value {
        Array(items) => join(items.iter().map(as_reader_says).collect()),
        Number(number) => format!(r#"{{"number":"{number}"}}"#),
        Object(members) => {
            let pair = |(key, value)| format!("[{},{}]", serde_json::to_string(key).unwrap(), as_reader_says(value));
            format!(r#"{{"members":{}}}"#, join(members.iter().map(pair).collect()))
        }
        other => other.to_string(),
    }
}

#[test]
fn random_documents_keep_every_digit_and_mean_the_same_to_python() {
    let mut random = Random::new(1);
    let texts: Vec<Vec<u8>> = (0..2_000).map(|_| random.document().into_bytes()).collect();
    let printed: Vec<Vec<u8>> = texts.iter().map(|t| to_bytes(&parse(t).unwrap()).unwrap()).collect();
    let meant = python(READER, &texts);
    assert_eq!(meant, python(READER, &printed));
    for ((text, printed), meant) in texts.iter().zip(&printed).zip(&meant) {
        let value = parse(text).unwrap();
        assert_eq!(as_reader_says(&value), String::from_utf8_lossy(meant));
        assert_eq!(to_bytes(&parse(printed).unwrap()).unwrap(), *printed);
    }
}

#[test]
fn python_and_we_accept_and_refuse_the_same_texts() {
    let mut random = Random::new(2);
    let texts: Vec<Vec<u8>> = (0..6_000)
        .map(|_| {
            let document = random.document().into_bytes();
            random.damage(document)
        })
        .collect();
    let mut refused = 0;
    for (text, meant) in texts.iter().zip(python(READER, &texts)) {
        match parse(text) {
            Ok(value) => assert_eq!(as_reader_says(&value), String::from_utf8_lossy(&meant), "{}", text.escape_ascii()),
            Err(e) => {
                assert_eq!(meant, b"refused", "{}: {e}", text.escape_ascii());
                refused += 1;
            }
        }
    }
    assert!((1_000..5_900).contains(&refused), "{refused} of 6000 refused: the damage is not of both kinds");
}

#[test]
fn what_we_print_is_what_python_prints_with_an_indent_of_two() {
    let mut random = Random::new(3);
    random.plain_numbers = true;
    let printed: Vec<Vec<u8>> =
        (0..500).map(|_| to_bytes(&parse(random.document().as_bytes()).unwrap()).unwrap()).collect();
    for (ours, theirs) in printed.iter().zip(python(PRINTER, &printed)) {
        assert_eq!(String::from_utf8_lossy(ours), String::from_utf8_lossy(&theirs));
    }
}
