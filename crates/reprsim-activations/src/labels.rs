//! What is said of each sample: an id, a group.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use reprsim_base::unknown;

use crate::elements::open;
use crate::error::{ActivationError, Problem};
use crate::npy;

/// A label of each sample, in the order of the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Whole numbers.
    Numbers(Vec<i64>),
    /// Texts.
    Names(Vec<String>),
}

impl Labels {
    /// Reads labels from a file: a `.npy` array of whole numbers or texts, `[n]` or `[n, 1]`; a `.txt`
    /// of one a line; or a column of a `.csv` or `.tsv` table with a header, its only one if none is
    /// named. Texts that are all whole numbers are numbers.
    ///
    /// # Errors
    /// [`ActivationError`] if the file cannot be read, is damaged or of another kind, or has no such
    /// column.
    pub fn read(path: &Path, column: Option<&str>) -> Result<Self, ActivationError> {
        let read = || -> Result<Self, Problem> {
            let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
            let file = open(path)?;
            match (ending, column) {
                ("csv", _) => table(file, b',', column),
                ("tsv", _) => table(file, b'\t', column),
                ("npy" | "txt", Some(column)) => Err(Problem::Format(format!(
                    "has no columns, and '{column}' is named: leave it out, or name a column of a .csv"
                ))),
                ("npy", None) => npy::read_labels(file),
                ("txt", None) => Ok(Self::of_texts(
                    text(file)?.lines().map(str::to_string).collect(),
                )),
                _ => Err(Problem::Format(format!(
                    "'.{ending}' is not a known ending of labels of samples; known: .csv, .tsv, .npy, .txt"
                ))),
            }
        };
        read().map_err(|problem| ActivationError::new(path, problem))
    }

    /// Texts, or numbers if each is one as it is written.
    pub(crate) fn of_texts(texts: Vec<String>) -> Self {
        let number = |text: &String| {
            let number: i64 = text.parse().ok()?;
            (number.to_string() == *text).then_some(number)
        };
        match texts.iter().map(number).collect() {
            Some(numbers) => Self::Numbers(numbers),
            None => Self::Names(texts),
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(of) => of.len(),
            Self::Names(of) => of.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those of some rows, in the order given; rows that there are not are left out.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        fn of<T: Clone>(from: &[T], rows: &[u32]) -> Vec<T> {
            let rows = rows.iter().filter_map(|row| from.get(*row as usize));
            rows.cloned().collect()
        }
        match self {
            Self::Numbers(all) => Self::Numbers(of(all, rows)),
            Self::Names(all) => Self::Names(of(all, rows)),
        }
    }

    /// The label of a row as text.
    pub fn text(&self, row: usize) -> String {
        match self {
            Self::Numbers(of) => of.get(row).map(ToString::to_string),
            Self::Names(of) => of.get(row).cloned(),
        }
        .unwrap_or_default()
    }

    /// All as texts.
    pub fn texts(&self) -> Vec<String> {
        (0..self.len()).map(|row| self.text(row)).collect()
    }

    /// A number for each different label, in the order of appearance.
    pub fn numbered(&self) -> Vec<u32> {
        let mut known: HashMap<String, u32> = HashMap::new();
        (self.texts().into_iter())
            .map(|text| {
                let next = known.len() as u32;
                *known.entry(text).or_insert(next)
            })
            .collect()
    }
}

fn text(mut file: File) -> Result<String, Problem> {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) => Ok(text.trim_start_matches('\u{feff}').to_string()),
        Err(e) if e.kind() == std::io::ErrorKind::InvalidData => Err(Problem::Unsound {
            what: "is not UTF-8",
            source: e.into(),
        }),
        Err(e) => Err(e.into()),
    }
}

fn table(file: File, delimiter: u8, column: Option<&str>) -> Result<Labels, Problem> {
    let text = text(file)?;
    let damaged = |e: csv::Error| Problem::Unsound {
        what: "is not a sound table",
        source: e.into(),
    };
    let mut reader = (csv::ReaderBuilder::new())
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let header = reader.headers().map_err(damaged)?.clone();
    let names: Vec<&str> = header.iter().collect();
    let place = match (column, names.as_slice()) {
        (None, [_]) => 0,
        (None, _) => {
            return Err(Problem::Format(format!(
                "has the columns {}: name one, as FILE:COLUMN",
                names.join(", ")
            )));
        }
        (Some(column), _) => (names.iter().position(|name| *name == column))
            .ok_or_else(|| Problem::Format(unknown("column", column, &names)))?,
    };
    let rows = reader.records().map(|row| {
        let row = row.map_err(damaged)?;
        Ok(row.get(place).unwrap_or_default().to_string())
    });
    Ok(Labels::of_texts(rows.collect::<Result<_, Problem>>()?))
}
