//! The C header, read back: its prototypes and what is said of them.

use serde_json::{Value, json};

/// One function of the header.
pub struct Prototype {
    pub name: String,
    pub returns: String,
    /// Type and name of each.
    pub parameters: Vec<(String, String)>,
    pub doc: String,
}

/// Every prototype; each must have its documentation directly above it.
pub fn prototypes(header: &str) -> Vec<Prototype> {
    let (_, body) = header.split_once("extern \"C\" {").expect("the header has prototypes");
    let mut found = Vec::new();
    for part in body.split("/**").skip(1) {
        let (doc, prototype) = part.split_once("*/").expect("a comment ends");
        let (head, parameters) = prototype.split_once('(').expect("a function directly below its documentation");
        let (parameters, _) = parameters.split_once(");").expect("a parameter list");
        let (returns, name) = declared(head);
        let parameters = match parameters.trim() {
            "void" => Vec::new(),
            list => list.split(',').map(declared).collect(),
        };
        found.push(Prototype { name, returns, parameters, doc: doc.to_owned() });
    }
    let all = body.matches(");\n").count()
        - body
            .split("/**")
            .filter_map(|p| p.split_once("*/"))
            .map(|(doc, _)| doc.matches(");\n").count())
            .sum::<usize>();
    assert_eq!(found.len(), all, "a prototype has no documentation directly above it");
    found
}

/// `const char *name` as its type and name.
fn declared(text: &str) -> (String, String) {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let at = text.rfind(|c: char| !(c.is_alphanumeric() || c == '_')).map_or(0, |at| at + 1);
    (text[..at].replace(" *", "*").trim().to_owned(), text[at..].to_owned())
}

impl Prototype {
    /// What is said under one of the four headings.
    pub fn said(&self, heading: &str) -> Option<String> {
        let plain: Vec<&str> = self.doc.lines().map(|line| line.trim().trim_start_matches('*').trim()).collect();
        let start = plain.iter().position(|line| line.starts_with(&format!("{heading}: ")))?;
        let end = plain[start + 1..].iter().position(|line| {
            line.is_empty() || ["Owns: ", "Threads: ", "NULL: ", "Errors: "].iter().any(|next| line.starts_with(next))
        });
        let lines = &plain[start..end.map_or(plain.len(), |end| start + 1 + end)];
        Some(lines.join(" ")[heading.len() + 2..].to_owned())
    }

    pub fn describe(&self) -> Value {
        let parameters: Vec<Value> =
            self.parameters.iter().map(|(kind, name)| json!({ "name": name, "type": kind })).collect();
        json!({ "returns": self.returns, "parameters": parameters })
    }
}
