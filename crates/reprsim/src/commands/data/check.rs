//! `reprsim data check`.

use std::path::Path;

use reprsim_data::{Skipped, check as look};
use serde_json::json;

use super::named::{at_one_size, spec_of};
use crate::args::Format;
use crate::commands::say;
use crate::output::note;
use crate::table::Table;

/// Copies of samples are named up to so many.
const COPIES_SHOWN: usize = 10;
/// The preset of the built-in images that is looked at.
const PLAIN: &str = "plain";

/// Reads a data set wholly and says what it holds, and which samples are there more than once.
pub(super) fn check(name: &str, format: Format, cache: &Path) -> anyhow::Result<()> {
    let (_, checked) = at_one_size(spec_of(name, PLAIN)?, |spec| look(spec, cache))?;
    for file in &checked.sums {
        note(&format!("{file}: checksum right"));
    }
    let mut fields = vec![
        "part",
        "samples",
        "factor",
        "classes",
        "smallest",
        "largest",
        "copies",
        "copies_of_training",
        "other_label",
        "left_out",
        "content",
    ];
    // All of them, for programs.
    let names_all = format == Format::Json;
    if names_all {
        fields.extend(["copied", "left_out_files"]);
    }
    let mut table = Table::new(&fields);
    for (at, part) in checked.parts.iter().enumerate() {
        // What was said of an earlier part is not said again.
        let before = &checked.parts[..at];
        let is_new = |file: &&Skipped| !before.iter().any(|part| part.skipped.contains(file));
        let left_out: Vec<&Skipped> = part.skipped.iter().filter(is_new).collect();
        let all = part.copies.iter().chain(&part.of_training);
        let other_label = all.filter(|copy| !copy.same_label).count();
        for (factor, classes) in &part.classes {
            let sizes = || classes.iter().map(|(_, size)| *size);
            let mut row = vec![
                json!(part.part.name()),
                json!(part.samples),
                json!(factor),
                json!(classes.len()),
                json!(sizes().min()),
                json!(sizes().max()),
                json!(part.copies.len()),
                json!(part.of_training.len()),
                json!(other_label),
                json!(left_out.len()),
                json!(part.content),
            ];
            if names_all {
                let copies = part.copies.iter().chain(&part.of_training);
                let copied = copies.map(|copy| {
                    json!({"sample": copy.sample, "of": copy.of, "same_label": copy.same_label})
                });
                row.push(copied.collect());
                row.push(json!(left_out));
            }
            table.push(row);
        }
    }
    table.print(format)?;
    if format != Format::Table {
        return Ok(());
    }
    for part in &checked.parts {
        let name = part.part.name();
        if part.stale {
            say(&format!(
                "the array that was kept of the {name} part is of other samples than its files"
            ))?;
        }
        for copies in [&part.copies, &part.of_training] {
            for copy in copies.iter().take(COPIES_SHOWN) {
                let label = match copy.same_label {
                    true => "",
                    false => ", with another label",
                };
                say(&format!("{} = {}{label}", copy.sample, copy.of))?;
            }
            if copies.len() > COPIES_SHOWN {
                let more = copies.len() - COPIES_SHOWN;
                say(&format!("  and {more} more; all of them: --format json"))?;
            }
        }
    }
    let skipped: Vec<&[Skipped]> = checked.parts.iter().map(|p| p.skipped.as_slice()).collect();
    for line in Skipped::lines(&Skipped::merged(&skipped), Some("--format json")) {
        say(&format!("data set: {line}"))?;
    }
    Ok(())
}
