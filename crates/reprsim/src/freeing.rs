//! Listing what can go, and freeing it.

use bytesize::ByteSize;

use crate::args::Format;
use crate::output::note;
use crate::table::Table;

/// Prints what can go; frees it by `free` unless only a list was asked for.
pub(crate) fn list_and_free(
    table: &Table,
    bytes: u64,
    dry_run: bool,
    format: Format,
    free: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    table.print(format)?;
    let bytes = ByteSize::b(bytes);
    match (table.is_empty(), dry_run) {
        (true, _) => note("nothing to free"),
        (false, true) => note(&format!("{bytes} would be freed; without --dry-run it is")),
        (false, false) => {
            free()?;
            note(&format!("{bytes} freed"));
        }
    }
    Ok(())
}
