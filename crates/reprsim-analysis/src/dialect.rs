//! How tables of other tools are written: what separates their fields, and what their decimals.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use crate::error::AnalysisError;
use crate::line_ends::{LineEnds, Quotes};
use crate::preamble::{DELIMITERS, Preamble};

/// What is looked at to find out how a table is written.
const HEAD: u64 = 1 << 16;
/// What Excel and pandas' utf-8-sig begin a file with.
const MARK: &[u8] = b"\xef\xbb\xbf";
const OPEN_QUOTE: &str = "a quotation mark (\") is opened there and never closed";

/// What stands before the decimals of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decimal {
    /// 0.5
    Point,
    /// 0,5
    Comma,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// What separates fields, one byte.
    pub delimiter: u8,
    /// What stands before decimals.
    pub decimal: Decimal,
    /// Whether the first lines, in which there were whole numbers alone, left that open.
    assumed: bool,
}

/// What a user says of a table; the rest is found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// What separates fields, one byte.
    pub delimiter: Option<u8>,
    /// What stands before decimals.
    pub decimal: Option<Decimal>,
}

/// A table that is being read.
pub struct TableReader {
    /// The file, for messages.
    name: String,
    rows: csv::Reader<Box<dyn Read>>,
    dialect: Dialect,
    header: Vec<String>,
    quotes: Quotes,
    /// A record that was read before its turn.
    ahead: Option<csv::StringRecord>,
    /// Lines that were passed over.
    remarks: Vec<u64>,
}

impl Iterator for TableReader {
    type Item = Result<csv::StringRecord, AnalysisError>;

    /// The next row, without blanks around its fields; remarks are passed over.
    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let row = match self.record() {
                Ok(Some(row)) => row,
                Ok(None) => {
                    self.say_remarks();
                    return None;
                }
                Err(e) => return Some(Err(e)),
            };
            let (fields, expected) = (row.len(), self.header.len());
            let line = row.position().map_or(0, csv::Position::line);
            // A value may begin so, a colour for one; what has all fields is a row.
            if row[0].starts_with('#') && fields != expected {
                self.remarks.push(line);
                continue;
            }
            if fields == 1 && row[0].is_empty() {
                continue;
            }
            let reason = match self.is_quote_open(&row) {
                Ok(true) => OPEN_QUOTE.to_string(),
                Ok(false) if fields == expected => return Some(Ok(row)),
                Ok(false) => format!("fields in the row: {fields}, in the header: {expected}"),
                Err(e) => return Some(Err(e)),
            };
            return Some(Err(self.error(format!(":{line}: {reason}"))));
        }
    }
}

impl TableReader {
    /// How it is written.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The names of its columns.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    fn error(&self, what: String) -> AnalysisError {
        AnalysisError::Usage(format!("{}{what}", self.name))
    }

    /// The next record, whatever is in it.
    fn record(&mut self) -> Result<Option<csv::StringRecord>, AnalysisError> {
        if let Some(row) = self.ahead.take() {
            return Ok(Some(row));
        }
        let mut row = csv::StringRecord::new();
        match self.rows.read_record(&mut row) {
            Ok(there) => Ok(there.then_some(row)),
            Err(e) => Err(self.unreadable(&e)),
        }
    }

    fn unreadable(&self, error: &csv::Error) -> AnalysisError {
        let remedy = match error.kind() {
            csv::ErrorKind::Utf8 { .. } => "\n  save the table as UTF-8",
            _ => "",
        };
        self.error(format!(": {error}{remedy}"))
    }

    /// Whether a row is all that follows a quotation mark without a fellow.
    fn is_quote_open(&mut self, row: &csv::StringRecord) -> Result<bool, AnalysisError> {
        if self.quotes.get().is_multiple_of(2) || !row.iter().any(|field| field.contains('\n')) {
            return Ok(false);
        }
        self.ahead = self.record()?;
        Ok(self.ahead.is_none())
    }

    /// Says which lines were passed over.
    fn say_remarks(&self) {
        let lines = match self.remarks.as_slice() {
            [] => return,
            [one] => format!("line {one} is a remark (#)"),
            [first, .., last] => {
                let count = self.remarks.len();
                format!("{count} lines from {first} to {last} are remarks (#)")
            }
        };
        log::info!("{}: {lines}", self.name);
    }

    /// Opens a table and finds out from its first lines how it is written; says so where that is
    /// neither by commas nor as it was asked.
    ///
    /// # Errors
    /// [`AnalysisError::Usage`] for a file that cannot be read, is not of bytes as UTF-8 has them or
    /// may be read in more than one way.
    pub fn open(path: &Path, asked: Asked) -> Result<Self, AnalysisError> {
        let name = path.display();
        let say = |reason: String| AnalysisError::Usage(format!("{name}: {reason}"));
        let read = |e: std::io::Error| say(e.to_string());
        if path.is_dir() {
            return Err(say("it is a folder: name the table in it".into()));
        }
        let mut file = LineEnds::new(File::open(path).map_err(read)?);
        let quotes = file.quotes();
        let mut head = Vec::new();
        // A pipe is read once.
        (&mut file)
            .take(HEAD)
            .read_to_end(&mut head)
            .map_err(read)?;
        let is_whole = (head.len() as u64) < HEAD;
        if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
            return Err(say("the text is UTF-16: save the table as UTF-8".into()));
        }
        if head.starts_with(b"\x1f\x8b") || head.starts_with(b"PK") {
            return Err(say(
                "it is compressed, or a workbook: unpack it, or save it as CSV".into(),
            ));
        }
        if head.is_empty() {
            return Err(say("the file is empty".into()));
        }
        if head.starts_with(MARK) {
            head.drain(..MARK.len());
        }
        let preamble = Preamble::take(&mut head, asked.delimiter);
        let asked = Asked {
            delimiter: asked.delimiter.or(preamble.delimiter),
            ..asked
        };
        let dialect = Dialect::of(&head, is_whole, asked).map_err(say)?;
        let words = preamble.words.into_iter().chain(dialect.unusual(asked));
        let words: Vec<String> = words.collect();
        if !words.is_empty() {
            log::info!("{name}: {}", words.join(", "));
        }
        let bytes: Box<dyn Read> = Box::new(Cursor::new(head).chain(file));
        let rows = csv::ReaderBuilder::new()
            .delimiter(dialect.delimiter)
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(bytes);
        let mut table = Self {
            name: name.to_string(),
            rows,
            dialect,
            header: vec![],
            quotes,
            ahead: None,
            remarks: vec![],
        };
        let header = table.rows.headers().cloned();
        let header = header.map_err(|e| table.unreadable(&e))?;
        if table.is_quote_open(&header)? {
            let line = header.position().map_or(1, csv::Position::line);
            return Err(table.error(format!(":{line}: {OPEN_QUOTE}")));
        }
        table.header = header.iter().map(str::to_string).collect();
        Ok(table)
    }
}

impl Dialect {
    /// How tables are written where nothing else is said.
    pub const PLAIN: Self = Self {
        delimiter: b',',
        decimal: Decimal::Point,
        assumed: false,
    };

    /// From the first lines of a table, which may end within one.
    fn of(head: &[u8], is_whole: bool, asked: Asked) -> Result<Self, String> {
        let delimiter = match asked.delimiter {
            Some(delimiter) => delimiter,
            None => delimiter(head, is_whole)?,
        };
        let found = match asked.decimal {
            Some(decimal) => Some(decimal),
            None => decimal(&records(head, is_whole, delimiter), delimiter)?,
        };
        Ok(Self {
            delimiter,
            decimal: found.unwrap_or(Decimal::Point),
            // Where commas separate fields, decimals are points.
            assumed: found.is_none() && delimiter != b',',
        })
    }

    /// A finite number, however it is written here; thousands are not set apart.
    pub fn number(self, text: &str) -> Option<f64> {
        if self.is_open(text) {
            return None;
        }
        let value: f64 = match self.decimal {
            Decimal::Point => text.parse().ok()?,
            Decimal::Comma if text.contains('.') => return None,
            Decimal::Comma => text.replace(',', ".").parse().ok()?,
        };
        value.is_finite().then_some(value)
    }

    /// Whether a text may be thousands or decimals, and nothing said which.
    fn is_open(self, text: &str) -> bool {
        self.assumed && matches!(written(text), Some(Written::Either(_)))
    }

    /// What to say where a text is no number, though another tool may take it for one.
    pub fn hint(self, text: &str) -> &'static str {
        match self.decimal {
            _ if !text.contains(['.', ',']) => "",
            _ if self.is_open(text) => {
                ", which may be thousands or decimals: say what stands before decimals with --decimal"
            }
            Decimal::Point => "; decimals are points here (--decimal), and nothing parts thousands",
            Decimal::Comma => "; decimals are commas here (--decimal), and nothing parts thousands",
        }
    }

    /// What was found out and is not what everyone expects.
    fn unusual(self, asked: Asked) -> Option<String> {
        let named = DELIMITERS.iter().find(|(byte, _)| *byte == self.delimiter);
        let delimiter = named
            .filter(|(byte, _)| asked.delimiter.is_none() && *byte != b',')
            .map(|(_, name)| format!("fields are separated by {name}"));
        let is_comma = asked.decimal.is_none() && self.decimal == Decimal::Comma;
        let decimal = is_comma.then(|| "decimals are commas".to_string());
        let words: Vec<String> = delimiter.into_iter().chain(decimal).collect();
        (!words.is_empty()).then(|| words.join(", "))
    }
}

/// The first rows as another delimiter would have them; one that is not there as a whole is left out.
fn records(head: &[u8], is_whole: bool, delimiter: u8) -> Vec<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(head);
    let mut records: Vec<csv::ByteRecord> = reader.byte_records().map_while(Result::ok).collect();
    if !is_whole && records.len() > 1 {
        records.pop();
    }
    records
}

/// What gives the header several fields and every row as many.
fn delimiter(head: &[u8], is_whole: bool) -> Result<u8, String> {
    let counts = |delimiter: u8| -> Vec<usize> {
        let records = records(head, is_whole, delimiter);
        records.iter().map(csv::ByteRecord::len).collect()
    };
    let several: Vec<(u8, &str, bool)> = (DELIMITERS.iter())
        .map(|&(byte, name)| (byte, name, counts(byte)))
        .filter(|(.., counts)| counts.first().is_some_and(|fields| *fields > 1))
        .map(|(byte, name, counts)| (byte, name, counts.iter().all(|n| *n == counts[0])))
        .collect();
    let even: Vec<_> = several.iter().filter(|(.., is_even)| *is_even).collect();
    match (even.as_slice(), several.as_slice()) {
        // A row that is too short is for the reader to name.
        ([(byte, ..)], _) | ([], [(byte, ..)]) => Ok(*byte),
        ([], []) => Err(format!(
            "the header is one field: what separates fields is none of {}; name it with --delimiter",
            DELIMITERS.map(|(_, name)| name).join(", ")
        )),
        _ => {
            let names: Vec<&str> = several.iter().map(|(_, name, _)| *name).collect();
            Err(format!(
                "fields may be separated by {}: say which with --delimiter",
                names.join(" or by ")
            ))
        }
    }
}

/// What the separators in a number say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    With(Decimal),
    /// Decimals, or thousands by the other.
    Either(Decimal),
}

/// What decimals follow in the rows after the header; nothing if there are whole numbers alone.
fn decimal(records: &[csv::ByteRecord], delimiter: u8) -> Result<Option<Decimal>, String> {
    let mut found: Vec<(Written, u64, &str)> = Vec::new();
    for record in records.iter().skip(1) {
        for field in record {
            let Some((written, text)) = std::str::from_utf8(field)
                .ok()
                .and_then(|text| Some((written(text)?, text)))
            else {
                continue;
            };
            if !found.iter().any(|(known, ..)| *known == written) {
                found.push((
                    written,
                    record.position().map_or(0, csv::Position::line),
                    text,
                ));
            }
        }
    }
    let of = |written: Written| found.iter().find(|(known, ..)| *known == written);
    let remedy = "say what stands before decimals with --decimal";
    let both = |a: &(Written, u64, &str), b: &(Written, u64, &str)| {
        Err(format!(
            "line {} has {}, line {} has {}: {remedy}",
            a.1, a.2, b.1, b.2
        ))
    };
    let doubtful = |one: &(Written, u64, &str)| {
        Err(format!(
            "line {} has {}, which may be thousands or decimals: {remedy}",
            one.1, one.2
        ))
    };
    use Decimal::{Comma, Point};
    use Written::{Either, With};
    match (
        of(With(Point)),
        of(With(Comma)),
        of(Either(Point)),
        of(Either(Comma)),
    ) {
        (Some(point), Some(comma), ..) => both(point, comma),
        (None, Some(_), ..) => Ok(Some(Comma)),
        (Some(_), None, ..) => Ok(Some(Point)),
        (None, None, None, None) => Ok(None),
        (None, None, Some(point), Some(comma)) => both(point, comma),
        // Where commas separate fields, decimals are points.
        (None, None, Some(_), None) if delimiter == b',' => Ok(Some(Point)),
        (None, None, Some(one), None) | (None, None, None, Some(one)) => doubtful(one),
    }
}

/// What the separators of a number say; nothing for a whole number and for what is none.
fn written(text: &str) -> Option<Written> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (digits, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (unsigned, None),
    };
    if exponent.is_some_and(|e| e.parse::<i32>().is_err()) {
        return None;
    }
    let mut parts = digits.split(['.', ',']);
    let is_digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if !parts.clone().all(is_digits) || digits.len() < 2 {
        return None;
    }
    let first = parts.next()?;
    let groups: Vec<&str> = parts.collect();
    let separators: Vec<char> = digits
        .matches(['.', ','])
        .filter_map(|s| s.chars().next())
        .collect();
    let decimal = |separator: char| match separator {
        ',' => Decimal::Comma,
        _ => Decimal::Point,
    };
    let other = |separator: char| match separator {
        ',' => Decimal::Point,
        _ => Decimal::Comma,
    };
    let is_grouped = |groups: &[&str]| {
        (1..=3).contains(&first.len())
            && !first.starts_with('0')
            && groups.iter().all(|g| g.len() == 3)
    };
    match separators.as_slice() {
        [] => None,
        [one] if exponent.is_none() && is_grouped(&groups) => Some(Written::Either(decimal(*one))),
        [one] => Some(Written::With(decimal(*one))),
        [before @ .., last] => {
            let (whole, _) = groups.split_at(groups.len() - 1);
            let is_one_kind = before.iter().all(|s| *s == before[0]);
            match *last == before[0] {
                _ if !is_one_kind => None,
                // Thousands alone, parted by what decimals do not follow.
                true if exponent.is_none() && is_grouped(&groups) => {
                    Some(Written::With(other(*last)))
                }
                true => None,
                false => is_grouped(whole).then_some(Written::With(decimal(*last))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(text: &str) -> Result<(char, Decimal), String> {
        let found = Dialect::of(text.as_bytes(), true, Asked::default())?;
        Ok((char::from(found.delimiter), found.decimal))
    }

    #[test]
    fn tables_say_how_they_are_written() {
        use Decimal::{Comma, Point};
        for (text, delimiter, decimal) in [
            ("x,y\n0.5,1\n", ',', Point),
            ("x;y\n0,5;1,25\n", ';', Comma),
            ("x;y\n0.5;1\n", ';', Point),
            ("x\ty\n0,5\t1\n", '\t', Comma),
            ("a b,c d\n1,2\n", ',', Point),
            ("x,y\n\"0,5\",\"1,25\"\n", ',', Comma),
            ("x,y\n1.234,2.345\n", ',', Point),
            ("x;y\n1.234,5;2\n", ';', Comma),
            ("x;y\n1,234.5;2\n", ';', Point),
            ("x;y\n1.234.567;2\n", ';', Comma),
            ("x;y\n1,2e-3;2\n", ';', Comma),
            ("x;y\n-,5;2\n", ';', Comma),
            ("x;version;date\n1,5;1.2.3;01.02.2026\n", ';', Comma),
            ("x;note\n1,5;\"a, b\"\n", ';', Comma),
            ("x,y\n1,2\n3\n", ',', Point),
            ("x,y\n", ',', Point),
        ] {
            assert_eq!(dialect(text), Ok((delimiter, decimal)), "{text}");
        }
    }

    #[test]
    fn what_may_be_read_in_two_ways_is_refused() {
        for (text, expected) in [
            (
                "x;y\n1,234;2\n",
                "line 2 has 1,234, which may be thousands or decimals",
            ),
            ("x;y\n1;2\n1.234;2\n", "line 3 has 1.234, which may be"),
            ("x;y\n0,5;2\n3;0.5\n", "line 3 has 0.5, line 2 has 0,5"),
            ("x;y\n1,234;1.234\n", "line 2 has 1.234, line 2 has 1,234"),
            ("a,b;c\n1,2;3\n", "separated by commas or by semicolons"),
            ("x y\n1 2\n", "the header is one field"),
            ("", "the header is one field"),
        ] {
            let error = dialect(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.contains("--de"), "{error}");
        }
        // As it is told.
        let asked = Asked {
            delimiter: Some(b';'),
            decimal: Some(Decimal::Comma),
        };
        let found = Dialect::of(b"a,b;c\n1,234;0.5\n", true, asked).unwrap();
        assert_eq!(found.number("1,234"), Some(1.234));
        assert_eq!(found.number("0.5"), None);
    }

    #[test]
    fn numbers_are_never_misread() {
        let of = |decimal| Dialect {
            assumed: false,
            delimiter: b';',
            decimal,
        };
        let (point, comma) = (of(Decimal::Point), of(Decimal::Comma));
        for (text, by_point, by_comma) in [
            ("0.5", Some(0.5), None),
            ("-0,5", None, Some(-0.5)),
            ("1.234,5", None, None),
            ("1,234.5", None, None),
            ("1,234,5", None, None),
            ("12", Some(12.0), Some(12.0)),
            ("1,5e2", None, Some(150.0)),
            ("inf", None, None),
            ("", None, None),
        ] {
            assert_eq!(point.number(text), by_point, "{text}");
            assert_eq!(comma.number(text), by_comma, "{text}");
        }
        assert!(comma.hint("1.234,5").contains("commas"));
        assert_eq!(comma.hint("two"), "");
    }

    #[test]
    fn a_row_cut_off_by_the_end_of_the_first_lines_does_not_count() {
        let text = b"x;y\n0,5;1\n0,7";
        let found = Dialect::of(text, false, Asked::default()).unwrap();
        assert_eq!((found.delimiter, found.decimal), (b';', Decimal::Comma));
    }
}
