//! `reprsim weights`.

use std::process::ExitCode;

use reprsim_base::default_cache;
use reprsim_data::{fetch_weights, find_weights_card, weights_cards};
use serde_json::json;

use crate::args::{Format, WeightsCommand};
use crate::commands::fetching::{fetch_all, shown};
use crate::commands::say;
use crate::table::Table;

pub(crate) fn weights(command: WeightsCommand) -> anyhow::Result<ExitCode> {
    match command {
        WeightsCommand::List { format } => list(format)?,
        WeightsCommand::Fetch { names } => return fetch(&names),
    }
    Ok(ExitCode::SUCCESS)
}

/// Lists the weights and whether they are here.
fn list(format: Format) -> std::io::Result<()> {
    let cache = default_cache();
    let mut table = Table::new(&["name", "here", "model", "MiB", "description", "licence"]);
    for card in weights_cards() {
        table.push(vec![
            json!(card.name),
            json!(if card.path(&cache).is_file() {
                "yes"
            } else {
                "no"
            }),
            json!(card.architecture),
            json!(card.mebibytes.round() as u64),
            json!(card.description),
            json!(card.licence),
        ]);
    }
    table.print(format)
}

/// Brings weights here.
fn fetch(names: &[String]) -> anyhow::Result<ExitCode> {
    let cache = default_cache();
    fetch_all(names, |name, stop| {
        let card = find_weights_card(name)?;
        shown(name, |event| fetch_weights(card, &cache, stop, event))?;
        say(&format!("{name} is {}", card.path(&cache).display()))?;
        Ok(())
    })
}
