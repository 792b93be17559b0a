//! Tables read from Parquet, of any program.

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use reprsim_base::{OverBudget, ask_memory};

use crate::columns::Column;

/// A table of flat columns, as it was read.
#[derive(Clone, Debug, Default)]
pub struct ParquetTable {
    /// The columns by name, in order, all of one length.
    pub columns: Vec<(String, Column)>,
    /// Columns that hold lists, tables or bytes, which are not read.
    pub unread: Vec<String>,
}

/// A Parquet file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParquetRefusal {
    /// It is not sound, or the system does not let it be read.
    #[error("is not a sound Parquet file")]
    Unsound(#[from] ParquetError),
    /// It is packed in a way that is not read.
    #[error(
        "is packed with {0}, which is not read: write it with compression='snappy', 'gzip' or none"
    )]
    Packed(String),
    /// It is damaged in a way that its reader did not expect.
    #[error("is not a sound Parquet file")]
    Damaged,
    /// It claims more values than fit into memory.
    #[error(transparent)]
    TooLarge(#[from] OverBudget),
    /// More than one column of a name.
    #[error("two columns are called '{0}'")]
    Twice(String),
}

/// A value as it is kept.
enum Cell {
    Missing,
    Text(String),
    Integer(i64),
    Number(f64),
    Unread,
}

/// Reads a table: texts, truth values (`true`, `false`), whole numbers and numbers, also dates and
/// times (as the format's whole numbers), packed with Snappy, gzip or not at all.
///
/// # Errors
/// [`ParquetRefusal`].
pub fn read_parquet(file: File) -> Result<ParquetTable, ParquetRefusal> {
    // Some damaged files are more than the reader of the format is ready for. It keeps nothing that
    // anybody would see again.
    catch_unwind(AssertUnwindSafe(|| read(file))).unwrap_or(Err(ParquetRefusal::Damaged))
}

fn read(file: File) -> Result<ParquetTable, ParquetRefusal> {
    let reader = SerializedFileReader::new(file)?;
    for group in reader.metadata().row_groups() {
        for column in group.columns() {
            match column.compression() {
                Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_) => {}
                other => {
                    let name = other.to_string().to_lowercase();
                    let name = name.split('(').next().unwrap_or_default().to_string();
                    return Err(ParquetRefusal::Packed(name));
                }
            }
        }
    }
    let fields = reader.metadata().file_metadata().schema().get_fields();
    let names: Vec<String> = fields
        .iter()
        .map(|field| field.name().to_string())
        .collect();
    if let Some(name) = reprsim_base::twice(names.iter().map(String::as_str)) {
        return Err(ParquetRefusal::Twice(name.to_string()));
    }
    // Many equal values take no room in the file.
    let rows = reader.metadata().file_metadata().num_rows();
    let values = u128::try_from(rows).unwrap_or_default() * names.len() as u128;
    let what = format!("a table of {rows} rows and {} columns", names.len());
    ask_memory(values * size_of::<Cell>() as u128, what)?;
    let mut cells: Vec<Vec<Cell>> = names.iter().map(|_| Vec::new()).collect();
    for row in reader.get_row_iter(None)? {
        for (column, (_, field)) in cells.iter_mut().zip(row?.into_columns()) {
            column.push(cell(field));
        }
    }
    let mut table = ParquetTable::default();
    for (name, cells) in names.into_iter().zip(cells) {
        match column(cells) {
            Some(column) => table.columns.push((name, column)),
            None => table.unread.push(name),
        }
    }
    Ok(table)
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Bool(value) => Cell::Text(value.to_string()),
        Field::Byte(value) => Cell::Integer(value.into()),
        Field::Short(value) => Cell::Integer(value.into()),
        Field::Int(value) | Field::Date(value) => Cell::Integer(value.into()),
        Field::Long(value) | Field::TimestampMillis(value) | Field::TimestampMicros(value) => {
            Cell::Integer(value)
        }
        Field::UByte(value) => Cell::Integer(value.into()),
        Field::UShort(value) => Cell::Integer(value.into()),
        Field::UInt(value) => Cell::Integer(value.into()),
        Field::ULong(value) => match i64::try_from(value) {
            Ok(value) => Cell::Integer(value),
            // A name, of which every digit counts.
            Err(_) => Cell::Text(value.to_string()),
        },
        Field::Float16(value) => Cell::Number(value.to_f64()),
        // By the digits that it is written with: 0.1 is 0.1.
        Field::Float(value) => Cell::Number(value.to_string().parse().unwrap_or(value.into())),
        Field::Double(value) => Cell::Number(value),
        Field::Str(value) => Cell::Text(value),
        Field::Decimal(_) => match field.to_string().parse() {
            Ok(value) => Cell::Number(value),
            Err(_) => Cell::Unread,
        },
        _ => Cell::Unread,
    }
}

/// A column of one type; `None` of what is not read.
fn column(cells: Vec<Cell>) -> Option<Column> {
    let has = |of: fn(&Cell) -> bool| cells.iter().any(of);
    if has(|cell| matches!(cell, Cell::Unread)) {
        return None;
    }
    if has(|cell| matches!(cell, Cell::Text(_))) {
        let texts = cells.into_iter().map(|cell| match cell {
            Cell::Text(text) => Some(text),
            Cell::Integer(value) => Some(value.to_string()),
            _ => None,
        });
        return Some(Column::Text(texts.collect()));
    }
    if has(|cell| matches!(cell, Cell::Number(_))) {
        let numbers = cells.into_iter().map(|cell| match cell {
            Cell::Number(value) => Some(value),
            Cell::Integer(value) => Some(value as f64),
            _ => None,
        });
        return Some(Column::Number(numbers.collect()));
    }
    let integers = cells.into_iter().map(|cell| match cell {
        Cell::Integer(value) => Some(value),
        _ => None,
    });
    Some(Column::Integer(integers.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::io::{Seek, Write};

    use super::*;
    use crate::columns::parquet;

    fn file(bytes: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.rewind().unwrap();
        file
    }

    fn table() -> Vec<(&'static str, Column)> {
        vec![
            (
                "name",
                Column::Text(vec![Some("ä, \"b\"".into()), None, Some(String::new())]),
            ),
            ("n", Column::Integer(vec![None, Some(i64::MIN), Some(7)])),
            ("value", Column::Number(vec![Some(0.1), Some(-0.0), None])),
            ("none", Column::Integer(vec![None, None, None])),
        ]
    }

    #[test]
    fn what_is_written_is_read_again() {
        let written = table();
        let read = read_parquet(file(&parquet(&written).unwrap())).unwrap();
        assert!(read.unread.is_empty());
        let found: Vec<(&str, Column)> = (read.columns.iter())
            .map(|(name, column)| (name.as_str(), column.clone()))
            .collect();
        assert_eq!(found, written);
        let twice = [
            ("a", Column::Integer(vec![])),
            ("a", Column::Integer(vec![])),
        ];
        let error = read_parquet(file(&parquet(&twice).unwrap())).unwrap_err();
        assert!(matches!(error, ParquetRefusal::Twice(name) if name == "a"));
    }

    #[test]
    fn what_is_damaged_is_refused_and_never_a_panic() {
        let own = parquet(&table()).unwrap();
        for cut in 0..own.len() {
            assert!(read_parquet(file(&own[..cut])).is_err(), "{cut}");
        }
        // Packed, with dictionaries: as pandas and polars write them.
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/tables/");
        let golden = ["pandas", "pandas-gzip", "polars-snappy"]
            .map(|name| std::fs::read(format!("{folder}{name}.parquet")).unwrap());
        for (step, sound) in std::iter::once((1, own)).chain(golden.map(|sound| (11, sound))) {
            for at in (0..sound.len()).step_by(step) {
                for bit in [0, 3, 7] {
                    let mut changed = sound.clone();
                    changed[at] ^= 1 << bit;
                    // Some bytes are names and values.
                    let _ = read_parquet(file(&changed));
                }
            }
        }
    }
}
