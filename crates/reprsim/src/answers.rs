//! What commands find, for whoever embeds the program: the same rows, not printed.

use std::path::{Path, PathBuf};

use reprsim_analysis::Asked;
use reprsim_report::ModelPanel;
use reprsim_similarity::{Comparison, SimilarityMatrix};
use serde::Serialize;
use serde_json::Value;

use crate::args::{AnalyzeArgs, Format};
use crate::commands;
use crate::exit;
use crate::matrix::Answer;
use crate::table::Table;
use crate::tidy::Tidy;

/// Rows of values, as with `--format json`.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// The names of the values, in order.
    pub fields: Vec<&'static str>,
    /// The values.
    pub rows: Vec<Vec<Value>>,
}

impl From<Table> for Found {
    fn from(table: Table) -> Self {
        let (fields, rows) = table.into_parts();
        Self { fields, rows }
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// What is wrong, with what stands behind it.
    pub message: String,
    /// Whether what was asked is wrong, as opposed to a failure on the way.
    pub is_usage: bool,
}

impl From<anyhow::Error> for Refused {
    fn from(error: anyhow::Error) -> Self {
        Self {
            message: format!("{error:#}"),
            is_usage: exit::is_usage(&error),
        }
    }
}

/// All similarity measures and what is known of them, as `reprsim measures`.
pub fn measures() -> Found {
    commands::measures::table(Format::Json).into()
}

/// What is drawn of a matrix of models, a panel a measure, as `reprsim matrix --heatmap`.
pub fn model_panels(comparison: &Comparison, matrix: &SimilarityMatrix) -> Vec<ModelPanel> {
    Answer { comparison, matrix }.panels()
}

/// A table of points.
#[derive(Clone, Debug)]
pub enum Points {
    /// A CSV file.
    File(PathBuf),
    /// Columns by name, numbers as Rust writes them, empty where a value is missing.
    Columns(Vec<(String, Vec<String>)>),
}

/// What is asked of a table: the options of `reprsim analyze`.
#[derive(Clone, Debug, Default)]
pub struct AnalysisAsked {
    /// `--x`.
    pub x: Vec<String>,
    /// `--y`.
    pub y: Vec<String>,
    /// `--group`.
    pub group: Vec<String>,
    /// `--where`: pairs of a column and a value.
    pub conditions: Vec<(String, String)>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--covariate`.
    pub covariate: Vec<String>,
    /// `--missing`.
    pub missing: Vec<f64>,
    /// `--permutations`.
    pub permutations: u32,
    /// `--seed`.
    pub seed: u64,
}

/// The statistics of `y` on `x`, as `reprsim analyze`.
///
/// # Errors
/// [`Refused`] where the program would end with an error.
pub fn analyze(points: &Points, asked: AnalysisAsked) -> Result<Found, Refused> {
    let (tidy, file) = match points {
        Points::File(file) => (Tidy::read(file, Asked::default())?, file.clone()),
        Points::Columns(columns) => {
            let origin = Path::new("the table");
            (Tidy::of_columns(origin, columns)?, origin.to_path_buf())
        }
    };
    let args = AnalyzeArgs {
        file,
        x: asked.x,
        y: asked.y,
        group: asked.group,
        conditions: asked.conditions,
        cluster: asked.cluster,
        covariate: asked.covariate,
        missing: asked.missing,
        delimiter: None,
        decimal: None,
        permutations: asked.permutations,
        seed: asked.seed,
        format: Format::Json,
    };
    Ok(commands::analyze::table(&tidy, &args)?.into())
}
