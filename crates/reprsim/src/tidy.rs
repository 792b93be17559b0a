//! Tidy tables of any tool: a CSV file with a header, or a Parquet file, a row a point.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use anyhow::Context;
use reprsim_analysis::{Asked, Dialect, TableReader};
use reprsim_base::{ask_memory, unknown};
use reprsim_report::{Column, ParquetTable, read_parquet};

use crate::exit::UsageError;

/// What stands for a missing value in tables that Python and R write.
const MISSING: [&str; 4] = ["", "NA", "NaN", "nan"];

/// Bytes of a row beside its fields, about.
const ROW: usize = 120;
/// Rows that are read before it is asked whether there is room for more.
const ROWS_AT_ONCE: usize = 100_000;

/// A table as it was read.
pub(crate) struct Tidy {
    path: PathBuf,
    dialect: Dialect,
    header: Vec<String>,
    rows: Vec<csv::StringRecord>,
    /// Columns that the file has and that are not read.
    unread: Vec<String>,
}

/// What a Parquet file begins with.
const PARQUET: &[u8] = b"PAR1";

/// Some rows of a table, by their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selection(Vec<usize>);

impl Tidy {
    /// Reads a Parquet file, or else a CSV file.
    pub fn read(path: &Path, asked: Asked) -> anyhow::Result<Self> {
        match parquet(path)? {
            Some(file) => Self::read_parquet(path, file),
            None => Self::read_csv(path, asked),
        }
    }

    fn read_parquet(path: &Path, file: File) -> anyhow::Result<Self> {
        // A damaged file may be more than its reader is ready for: what is said of it is said below.
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| ()));
        let read = read_parquet(file);
        std::panic::set_hook(hook);
        let ParquetTable { columns, unread } = read.map_err(|error| {
            let cause = std::error::Error::source(&error).map(|e| format!(": {e}"));
            UsageError(format!(
                "{}: {error}{}",
                path.display(),
                cause.unwrap_or_default()
            ))
        })?;
        let (header, columns): (Vec<String>, Vec<Column>) = columns.into_iter().unzip();
        let count = columns.first().map_or(0, length);
        let row = |row: usize| columns.iter().map(|column| text(column, row)).collect();
        let rows: Vec<csv::StringRecord> = (0..count).map(row).collect();
        if rows.is_empty() {
            return Err(UsageError(format!("{}: no rows", path.display())).into());
        }
        Ok(Self {
            path: path.to_path_buf(),
            dialect: Dialect::PLAIN,
            header,
            rows,
            unread,
        })
    }

    fn read_csv(path: &Path, asked: Asked) -> anyhow::Result<Self> {
        let mut table = TableReader::open(path, asked)?;
        let (dialect, header) = (table.dialect(), table.header().to_vec());
        // What has no name, such as the column of row names, cannot be asked for.
        let mut names: Vec<&String> = header.iter().filter(|name| !name.is_empty()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
            let reason = format!("{}: two columns are called '{name}'", path.display());
            return Err(UsageError(reason).into());
        }
        let mut read: Vec<csv::StringRecord> = vec![];
        let mut bytes = 0u128;
        for row in table.by_ref() {
            let row = row?;
            bytes += (row.as_slice().len() + ROW + row.len() * size_of::<usize>()) as u128;
            if read.len().is_multiple_of(ROWS_AT_ONCE) {
                let what = format!("{}: the first {} rows", path.display(), read.len());
                ask_memory(2 * bytes, what).map_err(|e| UsageError(e.to_string()))?;
            }
            read.push(row);
        }
        let rows = read;
        if rows.is_empty() {
            return Err(UsageError(format!("{}: no rows", path.display())).into());
        }
        Ok(Self {
            path: path.to_path_buf(),
            dialect,
            header,
            rows,
            unread: Vec::new(),
        })
    }

    fn column(&self, name: &str) -> anyhow::Result<usize> {
        let place = (self.header.iter()).position(|known| known == name && !name.is_empty());
        Ok(place.ok_or_else(|| {
            if self.unread.iter().any(|known| known == name) {
                return UsageError(format!(
                    "{}: column '{name}' holds lists, tables or bytes, which are not read",
                    self.path.display()
                ));
            }
            let names = self.header.iter().map(String::as_str);
            let names: Vec<&str> = names.filter(|name| !name.is_empty()).collect();
            let reason = unknown("column", name, &names);
            UsageError(format!("{}: {reason}", self.path.display()))
        })?)
    }

    /// The rows whose columns hold these values: pairs of a column and a value. Numbers
    /// are the same however they are written.
    pub fn select(&self, wanted: &[(String, String)]) -> anyhow::Result<Selection> {
        let mut kept: Vec<usize> = (0..self.rows.len()).collect();
        for (name, value) in wanted {
            let column = self.column(name)?;
            // A number may be asked for as the table or as everyone writes it.
            let wanted = [self.dialect, Dialect::PLAIN].map(|dialect| level(dialect, value));
            kept.retain(|&row| wanted.contains(&level(self.dialect, &self.rows[row][column])));
            if kept.is_empty() {
                let mut values: Vec<&str> = (self.rows.iter()).map(|row| &row[column]).collect();
                values.sort_unstable();
                values.dedup();
                let more = if values.len() > 12 { ", ..." } else { "" };
                values.truncate(12);
                return Err(UsageError(format!(
                    "{}: no row has {name} = {value} (and what --where asks before); {name} is: {}{more}",
                    self.path.display(),
                    values.join(", ")
                ))
                .into());
            }
        }
        Ok(Selection(kept))
    }

    /// Groups of rows that agree in `columns`, in the order in which they first appear,
    /// with what they agree in, as it is written there.
    pub fn groups(
        &self,
        rows: &Selection,
        columns: &[String],
    ) -> anyhow::Result<Vec<(Vec<String>, Selection)>> {
        let places: Vec<usize> =
            (columns.iter().map(|name| self.column(name))).collect::<anyhow::Result<_>>()?;
        let mut groups: Vec<(Vec<String>, Selection)> = Vec::new();
        let mut known: HashMap<Vec<Cow<'_, str>>, usize> = HashMap::new();
        for &row in &rows.0 {
            let fields = &self.rows[row];
            let key = (places.iter())
                .map(|&place| level(self.dialect, &fields[place]))
                .collect();
            let group = *known.entry(key).or_insert(groups.len());
            if group == groups.len() {
                let name = places
                    .iter()
                    .map(|&place| fields[place].to_string())
                    .collect();
                groups.push((name, Selection(vec![])));
            }
            groups[group].1.0.push(row);
        }
        Ok(groups)
    }

    /// A column of numbers; `None` where a value is missing, or is among `missing`. Text
    /// that ends with a number, like `partition2`, is that number.
    pub fn numbers(
        &self,
        rows: &Selection,
        name: &str,
        missing: &[f64],
    ) -> anyhow::Result<Vec<Option<f64>>> {
        let column = self.column(name)?;
        rows.0
            .iter()
            .map(|&row| {
                let text = &self.rows[row][column];
                if MISSING.contains(&text) {
                    return Ok(None);
                }
                let value = number(self.dialect, text).ok_or_else(|| {
                    // Of a Parquet file the row, from 1.
                    let place = match self.rows[row].position() {
                        Some(position) => format!(":{}", position.line()),
                        None => format!(": row {}", row + 1),
                    };
                    UsageError(format!(
                        "{}{place}: '{text}' in column {name} is no number{}\n  a missing value is \
                         an empty field, NA or NaN, or what --missing names",
                        self.path.display(),
                        self.dialect.hint(text)
                    ))
                })?;
                Ok(Some(value).filter(|value| !missing.contains(value)))
            })
            .collect()
    }

    /// A number for each different text of a column, in the order of appearance; `None`
    /// where it is missing. Decimals are the same however they are written.
    pub fn ids(&self, rows: &Selection, name: &str) -> anyhow::Result<Vec<Option<u64>>> {
        let column = self.column(name)?;
        let mut known: HashMap<Cow<'_, str>, u64> = HashMap::new();
        Ok(rows
            .0
            .iter()
            .map(|&row| {
                let text = &self.rows[row][column];
                if MISSING.contains(&text) {
                    return None;
                }
                let next = known.len() as u64;
                Some(*known.entry(identity(self.dialect, text)).or_insert(next))
            })
            .collect())
    }
}

/// The file, if it is one of Parquet: its first bytes say so.
fn parquet(path: &Path) -> anyhow::Result<Option<File>> {
    let mut begins = [0; PARQUET.len()];
    // Pipes, and what cannot be read, are told of by the reader of text.
    if !path.is_file() {
        return Ok(None);
    }
    let Ok(mut file) = File::open(path) else {
        return Ok(None);
    };
    if file.read_exact(&mut begins).is_err() || begins != PARQUET {
        return Ok(None);
    }
    file.rewind()
        .with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Some(file))
}

fn length(column: &Column) -> usize {
    match column {
        Column::Text(of) => of.len(),
        Column::Integer(of) => of.len(),
        Column::Number(of) => of.len(),
    }
}

/// A value as a CSV file would have it, with all its digits.
fn text(column: &Column, row: usize) -> String {
    match column {
        Column::Text(of) => of[row].clone(),
        Column::Integer(of) => of[row].map(|value| value.to_string()),
        Column::Number(of) => of[row].map(|value| value.to_string()),
    }
    .unwrap_or_default()
}

/// A finite number, alone or after letters.
fn number(dialect: Dialect, text: &str) -> Option<f64> {
    dialect.number(text).or_else(|| {
        let end = text.trim_start_matches(|c: char| c.is_alphabetic() || c == '_');
        let counted = end.starts_with(|c: char| c.is_ascii_digit());
        (dialect.number(end)).filter(|_| counted && end.len() < text.len())
    })
}

/// What two fields that mean the same have in common: of numbers twelve digits, so that 0 is 0.0
/// and 0.3 what 0.1 + 0.2 gives; else the text.
fn level(dialect: Dialect, field: &str) -> Cow<'_, str> {
    match dialect.number(field) {
        // No sign of zero.
        Some(number) => format!("{:.11e}", number + 0.0).into(),
        None => field.into(),
    }
}

/// What two fields that name the same have in common. Names may be long whole numbers, of which every
/// digit counts, or look like powers of ten or begin with zeros: those are text.
fn identity(dialect: Dialect, field: &str) -> Cow<'_, str> {
    let digits = field.strip_prefix('-').unwrap_or(field);
    let (whole, decimals) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_plain = is_number(whole) && is_number(decimals) && !whole.is_empty();
    let begins_with_zero = whole.len() > 1 && whole.starts_with('0');
    match decimals.trim_end_matches('0') {
        _ if !is_plain || begins_with_zero || dialect.number(field).is_none() => field.into(),
        "" if whole == "0" => whole.into(),
        "" => field[..field.len() - digits.len() + whole.len()].into(),
        _ => level(dialect, field),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_in_any_digit_and_decimals_in_twelve() {
        let same = |a: &str, b: &str| identity(Dialect::PLAIN, a) == identity(Dialect::PLAIN, b);
        for (a, b) in [
            ("0", "0.0"),
            ("0", "-0"),
            ("3", "3.00"),
            ("-2", "-2.0"),
            ("0.3", "0.30000000000000004"),
            ("0.5", "0.50"),
        ] {
            assert!(same(a, b), "{a} {b}");
        }
        for (a, b) in [
            ("1700000000000", "1700000000001"),
            ("9007199254740992", "9007199254740993"),
            ("1e1", "10"),
            ("010", "10"),
            ("1", "-1"),
            ("s1", "1"),
        ] {
            assert!(!same(a, b), "{a} {b}");
        }
    }

    fn tidy(text: &str) -> anyhow::Result<Tidy> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text)?;
        Tidy::read(&path, Asked::default())
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        assert_eq!(number(Dialect::PLAIN, "partition2"), Some(2.0));
        assert_eq!(number(Dialect::PLAIN, "-1.000"), Some(-1.0));
        assert_eq!(number(Dialect::PLAIN, "level_0.5"), Some(0.5));
        for wrong in ["", "two", "2b", "inf", "x-1", "partition"] {
            assert_eq!(number(Dialect::PLAIN, wrong), None, "{wrong}");
        }
        let same = |a: &str, b: &str| level(Dialect::PLAIN, a) == level(Dialect::PLAIN, b);
        assert!(same("0.50", "0.5") && !same("a", "b") && same("a", "a"));
        assert!(same("0", "0.0") && same("-0", "0") && same("1e2", "100"));
        assert!(same("0.3", "0.30000000000000004") && !same("0.3", "0.300001"));
    }

    #[test]
    fn missing_values_are_kept_apart_from_wrong_ones() {
        let table = tidy("\u{feff}x,y\n0,1.5\n1,\n2,NA\n3,-1.000\n4,oops\n").unwrap();
        let all = table.select(&[]).unwrap();
        let firsts = Selection(vec![0, 1, 2, 3]);
        assert_eq!(
            table.numbers(&firsts, "y", &[-1.0]).unwrap(),
            [Some(1.5), None, None, None]
        );
        let error = table.numbers(&all, "y", &[]).unwrap_err().to_string();
        assert!(error.contains("t.csv:6: 'oops' in column y"), "{error}");
        let error = table.numbers(&all, "z", &[]).unwrap_err().to_string();
        assert!(error.contains("unknown column 'z'"), "{error}");
    }

    #[test]
    fn rows_are_grouped_in_order() {
        let table = tidy("m,s,y\nb,1,0\na,1,1\nb,2,2\n").unwrap();
        let all = table.select(&[]).unwrap();
        let groups = table.groups(&all, &["m".into()]).unwrap();
        assert_eq!(groups[0], (vec!["b".to_string()], Selection(vec![0, 2])));
        assert_eq!(groups[1], (vec!["a".to_string()], Selection(vec![1])));
        assert_eq!(table.ids(&all, "s").unwrap(), [Some(0), Some(0), Some(1)]);
        let one = table.select(&[("s".into(), "1.0".into())]).unwrap();
        assert_eq!(one, Selection(vec![0, 1]));
        let error = table.select(&[("s".into(), "3".into())]).unwrap_err();
        assert!(error.to_string().contains("s is: 1, 2"), "{error}");
    }

    #[test]
    fn numbers_are_the_same_however_they_are_written() {
        let text = "s,x,y\n0,0.3,1\n0.0,0.30000000000000004,2\n1,.3,3\n1.00,0.6,4\n";
        let table = tidy(text).unwrap();
        let all = table.select(&[]).unwrap();
        let ids = table.ids(&all, "s").unwrap();
        assert_eq!(ids, [Some(0), Some(0), Some(1), Some(1)]);
        let some = table.select(&[("x".into(), "0.3".into())]).unwrap();
        assert_eq!(some, Selection(vec![0, 1, 2]));
        let groups = table.groups(&all, &["s".into()]).unwrap();
        assert_eq!(groups.len(), 2);
        let error = tidy("a,b,a\n1,2,3\n").err().unwrap().to_string();
        assert!(error.contains("two columns are called 'a'"), "{error}");
    }

    #[test]
    fn decimal_commas_are_the_same_numbers() {
        let text = "\u{feff};s;frac overlap;y\n0;a;0,50;1\n1;a;0,5;2\n2;b;1;1.234,5\n";
        let table = tidy(text).unwrap();
        let all = table.select(&[]).unwrap();
        let x = table.numbers(&all, "frac overlap", &[]).unwrap();
        assert_eq!(x, [Some(0.5), Some(0.5), Some(1.0)]);
        for half in ["0,5", "0.5"] {
            let some = table
                .select(&[("frac overlap".into(), half.into())])
                .unwrap();
            assert_eq!(some, Selection(vec![0, 1]));
        }
        let groups = table.groups(&all, &["frac overlap".into()]).unwrap();
        assert_eq!(groups.len(), 2);
        let error = table.numbers(&all, "y", &[]).unwrap_err().to_string();
        assert!(error.contains("t.csv:4: '1.234,5'"), "{error}");
        assert!(
            error.contains("decimals are commas here (--decimal)"),
            "{error}"
        );
        let error = table.numbers(&all, "", &[]).unwrap_err().to_string();
        assert!(error.contains("unknown column"), "{error}");
    }

    #[test]
    fn lines_before_the_header_are_understood_and_keep_their_numbers() {
        for text in [
            "sep=;\n# of 3 May\nx;y\n0,5;1\n1,5;two\n",
            "\u{feff}# one\r\n# two, three\r\nx;y\r\n0,5;1\r\n1,5;two\r\n",
        ] {
            let table = tidy(text).unwrap();
            let all = table.select(&[]).unwrap();
            assert_eq!(
                table.numbers(&all, "x", &[]).unwrap(),
                [Some(0.5), Some(1.5)]
            );
            let error = table.numbers(&all, "y", &[]).unwrap_err().to_string();
            assert!(error.contains("t.csv:5: 'two'"), "{error}");
        }
        let error = tidy("# x,y\n1,2\n3\n").err().unwrap().to_string();
        assert!(error.contains("t.csv:3: "), "{error}");
    }

    #[test]
    fn of_thousands_of_columns_a_dozen_are_named() {
        let names: Vec<String> = (0..5000).map(|i| format!("unit{i}")).collect();
        let row = vec!["1"; 5000].join(",");
        let table = tidy(&format!("{}\n{row}\n", names.join(","))).unwrap();
        let all = table.select(&[]).unwrap();
        let error = table
            .numbers(&all, "unti4321", &[])
            .unwrap_err()
            .to_string();
        assert!(error.contains("did you mean 'unit4321'?"), "{error}");
        assert!(error.len() < 400, "{error}");
    }

    #[test]
    fn ragged_rows_are_refused_with_their_line() {
        let error = tidy("x,y\n1,2\n3\n").err().unwrap().to_string();
        assert!(error.contains("t.csv:3: "), "{error}");
        assert!(tidy("x,y\n").is_err());
    }
}
