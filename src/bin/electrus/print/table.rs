//! Columns of text.

use super::Out;
use crate::failure::Failure;
use crate::style::{self, Style};

/// Rows under titles; numbers to the right.
pub struct Table {
    titles: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(titles: &[&'static str]) -> Table {
        Table { titles: titles.to_vec(), rows: Vec::new() }
    }

    /// One row; control characters are made visible.
    pub fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| style::visible(cell)).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn print(&self, out: &mut Out) -> Result<(), Failure> {
        let titles: Vec<String> = self.titles.iter().map(|t| t.to_string()).collect();
        out.line(style::out(Style::Title, &self.line(&titles)))?;
        self.rows.iter().try_for_each(|row| out.line(self.line(row)))
    }

    fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for (column, cell) in cells.iter().enumerate() {
            let gap = " ".repeat(self.width(column).saturating_sub(cell.chars().count()));
            let (left, right) = if self.is_number(column) { (gap.as_str(), "") } else { ("", gap.as_str()) };
            line.push_str(&format!("{left}{cell}{right}  "));
        }
        line.trim_end().to_owned()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([self.titles[column].len()]).max().unwrap_or(0)
    }

    fn is_number(&self, column: usize) -> bool {
        matches!(self.titles[column], "SIZE" | "VERSION" | "VERSIONS" | "FILES" | "NEWEST" | "PID")
    }
}
