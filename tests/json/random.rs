//! Random documents as text, and random damage to them.

pub struct Random {
    state: u64,
    /// Only integers of few digits, which every reader prints as they were.
    pub plain_numbers: bool,
}

impl Random {
    pub fn new(seed: u64) -> Random {
        Random { state: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, plain_numbers: false }
    }

    /// Below `bound` (xorshift64*).
    pub fn below(&mut self, bound: usize) -> usize {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        (self.state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    pub fn document(&mut self) -> String {
        let mut text = String::new();
        self.space(&mut text);
        self.value(&mut text, 5);
        self.space(&mut text);
        text
    }

    fn value(&mut self, text: &mut String, depth: usize) {
        match self.below(if depth == 0 { 4 } else { 8 }) {
            0 => text.push_str(self.one(&["true", "false", "null"])),
            1 | 2 => self.number(text),
            3 => self.string(text),
            4 | 5 => self.list(text, depth, "[]", |random, text, _| random.value(text, depth - 1)),
            _ => self.list(text, depth, "{}", |random, text, number| {
                text.push_str(&format!("\"{number}"));
                random.characters(text);
                text.push('"');
                random.space(text);
                text.push(':');
                random.space(text);
                random.value(text, depth - 1);
            }),
        }
    }

    fn list(
        &mut self,
        text: &mut String,
        depth: usize,
        ends: &str,
        mut item: impl FnMut(&mut Self, &mut String, usize),
    ) {
        text.push_str(&ends[..1]);
        self.space(text);
        for number in 0..self.below(depth + 2) {
            if number > 0 {
                text.push(',');
                self.space(text);
            }
            item(self, text, number);
            self.space(text);
        }
        text.push_str(&ends[1..]);
    }

    fn number(&mut self, text: &mut String) {
        if self.plain_numbers {
            return text.push_str(&self.below(100_000).to_string());
        }
        text.push_str(self.one(&["", "-"]));
        match self.below(3) {
            0 => text.push('0'),
            _ => {
                text.push_str(self.one(&["1", "5", "9"]));
                self.digits(text, 0);
            }
        }
        if self.below(3) == 0 {
            text.push('.');
            self.digits(text, 1);
        }
        if self.below(4) == 0 {
            text.push_str(self.one(&["e", "E", "e+", "E+", "e-", "E-"]));
            self.digits(text, 1);
        }
    }

    fn digits(&mut self, text: &mut String, least: usize) {
        for _ in 0..least + self.below(30) {
            text.push(char::from(b'0' + self.below(10) as u8));
        }
    }

    fn string(&mut self, text: &mut String) {
        text.push('"');
        self.characters(text);
        text.push('"');
    }

    fn characters(&mut self, text: &mut String) {
        const PIECES: [&str; 20] = [
            "a",
            "key",
            " ",
            "/",
            "~",
            "ö",
            "漢",
            "😀",
            "\u{7f}",
            "\u{2028}",
            "\\n",
            "\\\\",
            "\\\"",
            "\\/",
            "\\u0000",
            "\\u00e9",
            "\\uD83D\\uDE00",
            "\\b\\f\\r\\t",
            "{",
            "]",
        ];
        for _ in 0..self.below(6) {
            text.push_str(self.one(&PIECES));
        }
    }

    fn space(&mut self, text: &mut String) {
        text.push_str(self.one(&["", "", " ", "\n", "\t ", "\r\n"]));
    }

    /// A byte or a piece changed, removed, doubled or put in somewhere.
    pub fn damage(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        const PIECES: [&[u8]; 22] = [
            b"\"",
            b"\\",
            b",",
            b":",
            b"]",
            b"}",
            b"0",
            b"-",
            b".",
            b"e",
            b" ",
            b"\x0b",
            b"\xff",
            b"\xc3",
            b"NaN",
            b"Infinity",
            b"\\ud800",
            b"\\udc00",
            b"\xef\xbb\xbf",
            b"\x00",
            b"\xed\xa0\x80",
            b"//",
        ];
        let at = self.below(text.len() + 1);
        let piece = PIECES[self.below(PIECES.len())];
        match self.below(4) {
            0 => drop(text.splice(at..at, piece.iter().copied())),
            1 if at < text.len() => drop(text.splice(at..at + 1, piece.iter().copied())),
            2 if at < text.len() => drop(text.remove(at)),
            _ => text.truncate(at),
        }
        text
    }
}
