//! Files that a command writes beside what it prints: tables and figures, by their endings.

use std::path::Path;

use anyhow::Context;
use reprsim_base::write_whole;
use reprsim_report::{parquet, png};

use crate::args::Format;
use crate::exit::UsageError;
use crate::table::Table;

/// Pixels a unit of a PNG figure.
const PNG_SCALE: f32 = 2.0;

/// Which fields of a table are no text.
pub(crate) struct Fields {
    pub numbers: &'static [&'static str],
    pub integers: &'static [&'static str],
}

/// Refuses endings that are not known, before any work.
///
/// # Errors
/// [`UsageError`] with those that are.
pub(crate) fn check(table: Option<&Path>, figures: &[impl AsRef<Path>]) -> Result<(), UsageError> {
    if let Some(path) = table {
        ending(path, &["parquet", "csv", "json"])?;
    }
    for path in figures {
        ending(path.as_ref(), &["svg", "png"])?;
    }
    Ok(())
}

/// Writes a table.
pub(crate) fn write_table(path: &Path, table: &Table, fields: &Fields) -> anyhow::Result<()> {
    let bytes = match ending(path, &["parquet", "csv", "json"])? {
        "parquet" => parquet(&table.columns(fields.numbers, fields.integers))?,
        "csv" => table.bytes(Format::Csv)?,
        _ => table.bytes(Format::Json)?,
    };
    write(path, &bytes)
}

/// Writes a figure.
pub(crate) fn write_figure(path: &Path, svg: &str) -> anyhow::Result<()> {
    match ending(path, &["svg", "png"])? {
        "png" => write(path, &png(svg, PNG_SCALE)?),
        _ => write(path, svg.as_bytes()),
    }
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_whole(path, bytes).with_context(|| format!("{} cannot be written", path.display()))
}

fn ending(path: &Path, known: &[&'static str]) -> Result<&'static str, UsageError> {
    let ending = path.extension().and_then(|e| e.to_str());
    match known.iter().find(|k| Some(**k) == ending) {
        Some(kind) => Ok(kind),
        None => Err(UsageError(format!(
            "{}: its ending must be one of .{}",
            path.display(),
            known.join(", .")
        ))),
    }
}
