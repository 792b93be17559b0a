//! The tidy table of all rows of a run.

use reprsim_base::csv_field;
use reprsim_report::Column;

use crate::covariate::covariate;
use reprsim_config::{AxisKind, Cell, Covariate, Experiment};
use reprsim_run::results::{CellResult, RESULT_SCHEMA, Score};

/// The tidy table: a row a cell, probe, layer pair and measure.
///
/// `layers` chooses rows by their two layers.
pub fn table(
    experiment: &Experiment,
    results: &[(Cell, CellResult)],
    layers: impl Fn(&str, &str) -> bool,
) -> Vec<(&'static str, Column)> {
    let rows: Vec<Row<'_>> = results
        .iter()
        .flat_map(|(cell, result)| result.scores.iter().map(move |score| (cell, result, score)))
        .filter(|(.., score)| layers(&score.layer_a, &score.layer_b))
        .collect();
    let text =
        |of: &dyn Fn(&Row<'_>) -> Option<String>| Column::Text(rows.iter().map(of).collect());
    let whole = |of: &dyn Fn(&Row<'_>) -> Option<usize>| {
        Column::Integer(rows.iter().map(|row| of(row).map(|n| n as i64)).collect())
    };
    let number =
        |of: &dyn Fn(&Row<'_>) -> Option<f64>| Column::Number(rows.iter().map(of).collect());
    let level = |kind: AxisKind| {
        let column = number(&move |(cell, ..)| cell.point()?.1.level(kind.name()));
        (kind.name(), column)
    };
    let role = |cell: &Cell| match cell.point() {
        None => "untrained",
        Some((_, point)) if point.listed => "level",
        Some(_) => "ceiling",
    };
    let mut table = vec![
        ("experiment", text(&|_| Some(experiment.name.clone()))),
        ("cell", whole(&|(cell, ..)| Some(cell.index))),
        ("seed", whole(&|(cell, ..)| Some(cell.seed))),
        (
            "sweep",
            text(&|(cell, ..)| Some(cell.sweep(experiment)?.term().to_string())),
        ),
    ];
    table.extend(AxisKind::all().map(level));
    table.extend([
        // Which of the listed pairs of tasks, from 1.
        ("pair", whole(&|(cell, ..)| Some(cell.point()?.1.pair? + 1))),
        ("role", text(&|(cell, ..)| Some(role(cell).into()))),
        (
            "samples_shared",
            number(&|(_, result, _)| result.pair.samples_shared),
        ),
        (
            "samples_shared_by_content",
            number(&|(_, result, _)| result.pair.samples_shared_by_content),
        ),
        (
            "labels_shared",
            number(&|(_, result, _)| result.pair.labels_shared),
        ),
        // Means over the two models.
        (
            "accuracy",
            number(&|(_, result, _)| covariate(Covariate::Accuracy, result)),
        ),
        (
            "loss",
            number(&|(_, result, _)| covariate(Covariate::Loss, result)),
        ),
        ("probe", text(&|(.., score)| Some(score.probe.clone()))),
        ("layer_a", text(&|(.., score)| Some(score.layer_a.clone()))),
        ("layer_b", text(&|(.., score)| Some(score.layer_b.clone()))),
        ("measure", text(&|(.., score)| Some(score.measure.clone()))),
        ("value", number(&|(.., score)| score.value)),
        ("n", whole(&|(.., score)| Some(score.n))),
        ("d_a", whole(&|(.., score)| Some(score.d_a))),
        ("d_b", whole(&|(.., score)| Some(score.d_b))),
        ("null_mean", number(&|(.., score)| score.null_mean)),
        ("p_permutation", number(&|(.., score)| score.p_permutation)),
        ("calibrated", number(&|(.., score)| score.calibrated)),
        ("undefined", text(&|(.., score)| score.undefined.clone())),
        ("schema", whole(&|_| Some(RESULT_SCHEMA as usize))),
    ]);
    table
}

type Row<'a> = (&'a Cell, &'a CellResult, &'a Score);

/// A table as CSV, with all digits; a missing value is an empty field.
///
/// # Errors
/// That of the writer, which writes to memory.
pub fn to_csv(table: &[(&str, Column)]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(table.iter().map(|(name, _)| name))?;
    let count = table.first().map_or(0, |(_, column)| rows(column));
    for row in 0..count {
        writer.write_record(table.iter().map(|(_, column)| text(column, row)))?;
    }
    let bytes = writer.into_inner().map_err(|e| e.into_error())?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn rows(column: &Column) -> usize {
    match column {
        Column::Text(values) => values.len(),
        Column::Integer(values) => values.len(),
        Column::Number(values) => values.len(),
    }
}

fn text(column: &Column, row: usize) -> String {
    let shown = match column {
        Column::Text(values) => values[row].as_deref().map(|v| csv_field(v).into_owned()),
        Column::Integer(values) => values[row].map(|v| v.to_string()),
        Column::Number(values) => values[row].map(|v| v.to_string()),
    };
    shown.unwrap_or_default()
}
