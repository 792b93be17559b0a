//! `reprsim measures`.

use std::process::ExitCode;

use reprsim_metrics::{Bound, Form, Measure, Mode, REGISTRY};
use serde_json::json;

use crate::args::Format;
use crate::commands::say;
use crate::table::Table;

/// What values of a measure can be told as.
fn forms(measure: &dyn Measure) -> String {
    let has = |form: &Form| form.check(measure).is_ok();
    let names: Vec<&str> = Form::ALL.into_iter().filter(has).map(Form::name).collect();
    names.join(", ")
}

/// All measures: what a person wants to see first, or all that is known of them.
pub(crate) fn table(format: Format) -> Table {
    let mut table = Table::new(match format {
        Format::Table => &[
            "name",
            "mode",
            "range",
            "symmetric",
            "invariant to",
            "chance",
        ],
        Format::Csv | Format::Json => &[
            "name",
            "alias",
            "title",
            "what",
            "mode",
            "estimator",
            "direction",
            "lowest",
            "highest",
            "range_in_words",
            "symmetric",
            "invariant_to",
            "chance",
            "samples",
            "uses_k",
            "reference",
            "forms",
            "takes_covariate",
        ],
    });
    for measure in REGISTRY {
        let p = measure.properties();
        let mode = match p.mode {
            Mode::Exact => "exact",
            Mode::Paper => "paper",
        };
        let bound = |b: Bound| match b {
            Bound::Number(v) => v.to_string(),
            Bound::K => "k".into(),
            Bound::None => String::new(),
        };
        let kept = p.invariances.names().collect::<Vec<_>>().join(", ");
        table.push(match format {
            Format::Table => {
                let or = |b: Bound, open: &str| match bound(b) {
                    text if text.is_empty() => open.to_string(),
                    text => text,
                };
                let range = format!("{}..{}", or(p.range.0, "-inf"), or(p.range.1, "inf"));
                vec![
                    json!(p.name),
                    json!(mode),
                    json!(range),
                    json!(if p.symmetric { "yes" } else { "no" }),
                    json!(kept),
                    json!(p.chance),
                ]
            }
            Format::Csv | Format::Json => vec![
                json!(p.name),
                json!(p.alias),
                json!(p.title),
                json!(p.what),
                json!(mode),
                json!(p.estimator),
                json!("similarity"),
                json!(bound(p.range.0)),
                json!(bound(p.range.1)),
                json!(p.range_in_words),
                json!(p.symmetric),
                json!(kept),
                json!(p.chance),
                json!(p.samples),
                json!(p.uses_k),
                json!(p.reference),
                json!(forms(measure)),
                json!(measure.takes_covariate()),
            ],
        });
    }
    table
}

pub(crate) fn measures(format: Format) -> anyhow::Result<ExitCode> {
    table(format).print(format)?;
    if format == Format::Table {
        say(
            "\nLarger is more alike, always. In results, names of exact measures with neighbours end in _kK.",
        )?;
        say("Formulas, and when to use which: docs/measures.md. References:")?;
        let mut seen = Vec::new();
        for reference in (REGISTRY.iter()).flat_map(|m| m.properties().reference.split("; ")) {
            if !seen.contains(&reference) {
                seen.push(reference);
                say(&format!("  {reference}"))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `reprsim measures --aliases`.
pub(crate) fn aliases(format: Format) -> anyhow::Result<ExitCode> {
    let mut table = Table::new(&["registry_name", "measure", "value"]);
    for alias in reprsim_metrics::aliases() {
        let name = match alias.name.contains('/') {
            true => alias.name,
            // Whichever repository computes it.
            false => format!("measure/*/{}", alias.name),
        };
        let value = match (format, alias.convention.as_str()) {
            (Format::Table, "") => "ours",
            (_, convention) => convention,
        };
        table.push(vec![json!(name), json!(alias.measure), json!(value)]);
    }
    table.print(format)?;
    if format == Format::Table {
        say(
            "\nThe registry is the package similarity-repository; * stands for any of its repositories.",
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
