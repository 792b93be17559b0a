//! Tables as aligned text, CSV or JSON.

use std::io::{self, Write};

use reprsim_base::{csv_field, printable_json, printable_line};
use reprsim_report::Column;
use serde_json::{Map, Value};

use crate::args::Format;

/// A table: field names, and rows of values.
pub(crate) struct Table {
    fields: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    pub fn new(fields: &[&'static str]) -> Self {
        Self {
            fields: fields.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Whether it has no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn push(&mut self, row: Vec<Value>) {
        debug_assert_eq!(row.len(), self.fields.len());
        self.rows.push(row);
    }

    /// The table without the columns that hold nothing.
    pub fn without_empty(mut self) -> Self {
        let holds = |i: usize| self.rows.iter().any(|row| !row[i].is_null());
        let kept: Vec<bool> = (0..self.fields.len()).map(holds).collect();
        let mut of_field = kept.iter();
        self.fields.retain(|_| *of_field.next().unwrap_or(&true));
        for row in &mut self.rows {
            let mut of_value = kept.iter();
            row.retain(|_| *of_value.next().unwrap_or(&true));
        }
        self
    }

    /// The fields and the rows.
    pub fn into_parts(self) -> (Vec<&'static str>, Vec<Vec<Value>>) {
        (self.fields, self.rows)
    }

    /// Prints the table to standard output.
    pub fn print(&self, format: Format) -> io::Result<()> {
        crate::output::write(|out| self.write(format, out))
    }

    /// The table in a file's bytes.
    pub fn bytes(&self, format: Format) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.write(format, &mut bytes)?;
        Ok(bytes)
    }

    /// The table by columns. Fields are text unless they are among `numbers` or
    /// `integers`: a column's type must not depend on the values in it.
    pub fn columns(&self, numbers: &[&str], integers: &[&str]) -> Vec<(&'static str, Column)> {
        (self.fields.iter().enumerate())
            .map(|(i, field)| {
                let values = || self.rows.iter().map(move |row| &row[i]);
                let column = if numbers.contains(field) {
                    Column::Number(values().map(Value::as_f64).collect())
                } else if integers.contains(field) {
                    Column::Integer(values().map(Value::as_i64).collect())
                } else {
                    Column::Text(values().map(|v| v.as_str().map(String::from)).collect())
                };
                (*field, column)
            })
            .collect()
    }

    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => {
                let objects: Vec<Value> = self
                    .rows
                    .iter()
                    .map(|row| {
                        let fields = self.fields.iter().map(ToString::to_string);
                        Value::Object(fields.zip(row.iter().cloned()).collect::<Map<_, _>>())
                    })
                    .collect();
                let json = serde_json::to_string_pretty(&objects)?;
                writeln!(out, "{}", printable_json(&json))
            }
            Format::Csv => {
                // By way of memory: an error of `out` stays what it is, such as a closed pipe.
                let mut writer = csv::Writer::from_writer(Vec::new());
                writer.write_record(&self.fields)?;
                for row in &self.rows {
                    writer.write_record(row.iter().map(plain))?;
                }
                out.write_all(&writer.into_inner().map_err(|e| e.into_error())?)
            }
            Format::Table => self.print_aligned(out),
        }
    }

    fn print_aligned(&self, mut out: impl Write) -> io::Result<()> {
        let cells: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| {
                let fields = self.fields.iter().zip(row);
                let shown = |(field, value): (&&str, &Value)| human(field, value);
                // A name from elsewhere must not steer the terminal, nor end the line.
                let shown = fields.map(shown);
                shown
                    .map(|text| printable_line(&text).into_owned())
                    .collect()
            })
            .collect();
        let widths: Vec<usize> = self
            .fields
            .iter()
            .enumerate()
            .map(|(i, field)| {
                cells
                    .iter()
                    .map(|row| row[i].chars().count())
                    .chain([field.chars().count()])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let numeric: Vec<bool> = (0..self.fields.len())
            .map(|i| self.rows.iter().any(|row| row[i].is_number()))
            .collect();
        let mut line = |row: Vec<&str>| -> io::Result<()> {
            let mut text = String::new();
            for (i, cell) in row.iter().enumerate() {
                let pad = " ".repeat(widths[i] - cell.chars().count());
                let aligned = if numeric[i] {
                    format!("{pad}{cell}  ")
                } else {
                    format!("{cell}{pad}  ")
                };
                text.push_str(&aligned);
            }
            writeln!(out, "{}", text.trim_end())
        };
        line(self.fields.clone())?;
        for row in &cells {
            line(row.iter().map(String::as_str).collect())?;
        }
        Ok(())
    }
}

/// The value with all its digits.
fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => csv_field(text).into_owned(),
        other => other.to_string(),
    }
}

/// The value of a field as a person reads it: four significant digits.
fn human(field: &str, value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Number(n) if n.is_f64() => {
            let v = n.as_f64().unwrap_or_default();
            // A p-value is never zero; anything else so small is rounding.
            let p = field.starts_with("p_") || field.ends_with("_p");
            if v.abs() < 1e-12 && p {
                "<1e-12".into()
            } else if v.abs() < 1e-12 {
                "0".into()
            } else if v.abs() < 1e-3 {
                format!("{v:.1e}")
            } else {
                format!("{v:.4}")
            }
        }
        Value::String(text) => text.clone(),
        other => plain(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        let mut table = Table::new(&["name", "p_value", "n", "none"]);
        table.push(vec![json!("a, \"b\""), json!(0.0), json!(7), Value::Null]);
        table.push(vec![
            json!("two\r\nlines"),
            json!(-0.123_456_7),
            Value::Null,
            Value::Null,
        ]);
        table
    }

    #[test]
    fn csv_is_read_back_as_it_was() {
        let bytes = table().bytes(Format::Csv).unwrap();
        let mut reader = csv::Reader::from_reader(&bytes[..]);
        assert_eq!(
            reader.headers().unwrap(),
            vec!["name", "p_value", "n", "none"]
        );
        let rows: Vec<Vec<String>> = (reader.records())
            .map(|row| row.unwrap().iter().map(String::from).collect())
            .collect();
        assert_eq!(
            rows,
            [
                ["a, \"b\"", "0.0", "7", ""],
                // What would steer whoever reads it is an escape.
                ["two\\r\nlines", "-0.1234567", "", ""]
            ]
        );
    }

    #[test]
    fn people_see_no_empty_columns_and_no_p_of_zero() {
        let bytes = table().without_empty().bytes(Format::Table).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|l| l.split_whitespace().collect())
            .collect();
        assert_eq!(lines[0], ["name", "p_value", "n"]);
        assert!(lines[1].ends_with(&["<1e-12", "7"]), "{text}");
        assert!(text.contains("-0.1235"), "{text}");
    }
}
