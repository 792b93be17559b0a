//! `reprsim clean`.

use std::process::ExitCode;

use reprsim_run::clean::leftovers;
use serde_json::json;

use crate::args::CleanArgs;
use crate::freeing::list_and_free;
use crate::table::Table;

pub(crate) fn clean(args: &CleanArgs) -> anyhow::Result<ExitCode> {
    let leftovers = leftovers(&args.run, args.unplanned)?;
    let mut table = Table::new(&["file", "bytes", "why"]);
    for leftover in &leftovers.found {
        let path = leftover.path.strip_prefix(&args.run);
        let path = path.unwrap_or(&leftover.path).display().to_string();
        table.push(vec![
            json!(path),
            json!(leftover.bytes),
            json!(leftover.why),
        ]);
    }
    let bytes = leftovers.found.iter().map(|leftover| leftover.bytes).sum();
    list_and_free(&table, bytes, args.dry_run, args.format, || {
        Ok(leftovers.free()?)
    })?;
    Ok(ExitCode::SUCCESS)
}
