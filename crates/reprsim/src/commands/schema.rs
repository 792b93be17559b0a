//! `reprsim schema`.

use std::process::ExitCode;

use reprsim_config::reference;

use crate::output::write;

pub(crate) fn schema(markdown: bool) -> anyhow::Result<ExitCode> {
    let schema = reprsim_run::schema();
    let text = match markdown {
        true => reference(&schema),
        false => serde_json::to_string_pretty(&schema)? + "\n",
    };
    write(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
