//! `reprsim devices`.

use std::process::ExitCode;

use bytesize::ByteSize;
use serde_json::json;

use crate::args::Format;
use crate::table::Table;

pub(crate) fn devices(format: Format) -> anyhow::Result<ExitCode> {
    let chosen = reprsim_device::choose("auto")?;
    let mut table = Table::new(&["device", "name", "kind", "interface", "driver", "memory"]);
    for listed in reprsim_device::list() {
        table.push(vec![
            json!(listed.option),
            json!(listed.name),
            json!(listed.kind),
            json!(listed.interface),
            json!(listed.driver),
            json!(listed.memory.map(|bytes| ByteSize::b(bytes).to_string())),
        ]);
    }
    table.print(format)?;
    if format == Format::Table {
        crate::commands::say(&format!("\nauto takes {}: {}", chosen.name, chosen.why))?;
    }
    Ok(ExitCode::SUCCESS)
}
