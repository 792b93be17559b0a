//! The rows of evaluations other than similarity, a table each.

use std::path::Path;

use reprsim_base::{csv_field, write_whole};
use reprsim_config::{AxisKind, Cell, Plan};
use reprsim_run::evaluation::EVALUATIONS;
use reprsim_run::results::CellResult;
use serde_json::Value;

use crate::error::AnalysisError;

/// Writes `evaluations/NAME.csv` in the run for each evaluation that the experiment asks for by
/// a section of its own: a row a row of a pair, after what the pair is.
pub(crate) fn write_others(
    root: &Path,
    plan: &Plan,
    results: &[(Cell, CellResult)],
) -> Result<(), AnalysisError> {
    let experiment = &plan.experiment;
    let asked = EVALUATIONS
        .iter()
        .filter(|e| !e.is_always() && e.is_asked(experiment));
    for evaluation in asked {
        let folder = root.join("evaluations");
        let path = folder.join(format!("{}.csv", evaluation.name()));
        let fail = |e: csv::Error| AnalysisError::store(&path, e);
        let mut writer = csv::Writer::from_writer(Vec::new());
        let mut header = vec!["experiment", "cell", "seed", "sweep"];
        header.extend(AxisKind::all().map(|kind| kind.name()));
        header.extend(evaluation.columns());
        writer.write_record(&header).map_err(fail)?;
        for (cell, result) in results {
            let point = cell.point().map(|(_, point)| point);
            let sweep = cell.sweep(experiment).map(|sweep| sweep.term().to_string());
            let mut of_cell = vec![
                experiment.name.clone(),
                cell.index.to_string(),
                cell.seed.to_string(),
                sweep.unwrap_or_default(),
            ];
            of_cell.extend(AxisKind::all().map(|kind| {
                let level = point.and_then(|point| point.level(kind.name()));
                level.map_or(String::new(), |level| level.to_string())
            }));
            for row in result.others.get(evaluation.name()).into_iter().flatten() {
                let fields = evaluation
                    .columns()
                    .iter()
                    .map(|name| match row.get(*name) {
                        None | Some(Value::Null) => String::new(),
                        Some(Value::String(text)) => csv_field(text).into_owned(),
                        Some(value) => value.to_string(),
                    });
                writer
                    .write_record(of_cell.iter().cloned().chain(fields))
                    .map_err(fail)?;
            }
        }
        std::fs::create_dir_all(&folder).map_err(|e| AnalysisError::store(&folder, e))?;
        let bytes = writer
            .into_inner()
            .map_err(|e| fail(e.into_error().into()))?;
        write_whole(&path, &bytes).map_err(|e| AnalysisError::store(&path, e))?;
    }
    Ok(())
}
