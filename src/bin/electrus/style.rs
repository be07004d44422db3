//! Colour where a person looks, and text that cannot play tricks on a terminal.

use std::io::{IsTerminal, stderr, stdout};

/// What a piece of text is, rather than how it looks.
#[derive(Clone, Copy)]
pub enum Style {
    Good,
    Bad,
    Warn,
    Title,
    Faint,
}

impl Style {
    fn escape(self) -> &'static str {
        match self {
            Style::Good => "\x1b[32m",
            Style::Bad => "\x1b[1;31m",
            Style::Warn => "\x1b[33m",
            Style::Title => "\x1b[1m",
            Style::Faint => "\x1b[2m",
        }
    }

    fn paint(self, text: &str, colour: bool) -> String {
        if colour { format!("{}{text}\x1b[0m", self.escape()) } else { text.to_owned() }
    }
}

/// For stdout.
pub fn out(style: Style, text: &str) -> String {
    style.paint(text, wanted() && stdout().is_terminal())
}

/// For stderr.
pub fn err(style: Style, text: &str) -> String {
    style.paint(text, wanted() && stderr().is_terminal())
}

/// https://no-color.org: any value but the empty one turns colour off.
fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_some_and(|t| t != "dumb")
}

/// With control characters (a newline in a name, an escape sequence in a tag) made visible.
pub fn visible(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut shown, c| {
        if c.is_control() {
            shown.extend(c.escape_default())
        } else {
            shown.push(c)
        }
        shown
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_steer_the_terminal() {
        assert_eq!(visible("a\nb\x1b[31m\u{9b}é"), "a\\nb\\u{1b}[31m\\u{9b}é");
    }
}
