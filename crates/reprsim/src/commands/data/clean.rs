//! `reprsim data clean`.

use std::path::Path;

use reprsim_data::{free, spares};
use serde_json::json;

use crate::args::Format;
use crate::freeing::list_and_free;
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
    }
    let bytes = spares.found.iter().map(|spare| spare.bytes).sum();
    list_and_free(&table, bytes, dry_run, format, || {
        spares.found.iter().try_for_each(|spare| Ok(free(spare)?))
    })
}
