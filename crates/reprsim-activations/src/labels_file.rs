//! Labels of samples from files.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use reprsim_base::unknown;

use crate::elements::open;
use crate::error::{ActivationError, Problem};
use crate::labels::Labels;
use crate::npy;

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
