//! `reprsim schema`.

use std::process::ExitCode;

use reprsim_config::{pretraining_reference, pretraining_schema, reference};

use crate::output::write;

pub(crate) fn schema(pretrain: bool, markdown: bool) -> anyhow::Result<ExitCode> {
    let schema = match pretrain {
        true => pretraining_schema(),
        false => reprsim_run::schema(),
    };
    let text = match (pretrain, markdown) {
        (true, true) => pretraining_reference(&schema),
        (false, true) => reference(&schema),
        (_, false) => serde_json::to_string_pretty(&schema)? + "\n",
    };
    write(|out| out.write_all(text.as_bytes()))?;
    Ok(ExitCode::SUCCESS)
}
