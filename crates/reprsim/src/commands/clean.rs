//! `reprsim clean`.

use std::process::ExitCode;

use bytesize::ByteSize;
use reprsim_run::clean::{clean as remove, leftovers};
use serde_json::json;

use crate::args::{CleanArgs, Format};
use crate::commands::say;
use crate::table::Table;

pub(crate) fn clean(args: &CleanArgs) -> anyhow::Result<ExitCode> {
    let found = leftovers(&args.run, args.unplanned)?;
    let mut table = Table::new(&["file", "bytes", "why"]);
    for leftover in &found {
        let path = leftover.path.strip_prefix(&args.run);
        let path = path.unwrap_or(&leftover.path).display().to_string();
        table.push(vec![
            json!(path),
            json!(leftover.bytes),
            json!(leftover.why),
        ]);
    }
    table.print(args.format)?;
    if !args.dry_run {
        remove(&args.run, &found)?;
    }
    if args.format == Format::Table {
        let bytes = ByteSize::b(found.iter().map(|leftover| leftover.bytes).sum());
        say(&match (found.is_empty(), args.dry_run) {
            (true, _) => "nothing to free".to_string(),
            (false, false) => format!("\n{bytes} freed"),
            (false, true) => format!("\n{bytes} would be freed"),
        })?;
    }
    Ok(ExitCode::SUCCESS)
}
