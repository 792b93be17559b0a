//! `reprsim data clean`.

use std::path::Path;

use bytesize::ByteSize;
use reprsim_data::{free, spares};
use serde_json::json;

use crate::args::Format;
use crate::output::note;
use crate::table::Table;

/// Removes what can be made or fetched again, or says what that would be.
pub(super) fn clean(
    names: &[String],
    dry_run: bool,
    format: Format,
    cache: &Path,
) -> anyhow::Result<()> {
    let spares = spares(cache, names)?;
    let mut table = Table::new(&["set", "what", "bytes", "path"]);
    for spare in &spares.found {
        table.push(vec![
            json!(spare.set),
            json!(spare.what.name()),
            json!(spare.bytes),
            json!(spare.path.display().to_string()),
        ]);
        if !dry_run {
            free(spare)?;
        }
    }
    table.print(format)?;
    let bytes = ByteSize(spares.found.iter().map(|spare| spare.bytes).sum());
    note(&match dry_run {
        true => format!("{bytes} would be freed; without --dry-run it is"),
        false => format!("{bytes} freed"),
    });
    Ok(())
}
