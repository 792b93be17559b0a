//! Means of a published experiment, to be drawn behind one's own.

use std::path::{Path, PathBuf};

use itertools::Itertools;
use reprsim_stats::mean;

use crate::dialect::{Asked, TableReader};
use crate::error::AnalysisError;
use reprsim_base::{listed, unknown};
use reprsim_config::{AxisKind, MeasureName};
use reprsim_metrics::{Mode, REGISTRY};

/// Columns that hold the overlap in the published tables.
const LEVELS: [&str; 3] = ["frac_overlap", "partition", "overlap"];
/// Neighbours behind the published numbers.
const PUBLISHED_K: usize = 10;

/// A table in the layout of the raw results of Li et al. (2025): a row a seed, level and
/// measure, a column a probe, -1 for a missing value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The axis it belongs to.
    pub axis: AxisKind,
    /// The file.
    pub path: PathBuf,
    /// The column of similarities; absent: the first whose name begins with `metric_`.
    pub column: Option<String>,
}

/// What the published tables call a measure: a published definition by its own name, another
/// by that of the same idea.
fn published_name(measure: MeasureName, k: usize) -> Option<&'static str> {
    let properties = measure.properties();
    match properties.mode {
        _ if properties.uses_k && k != PUBLISHED_K => None,
        Mode::Paper => Some(properties.name),
        Mode::Exact => properties.alias,
    }
}

impl Published {
    /// The mean at each level by the published measure that `measure` is. Levels of partitions are counted in shared factors, from 0.
    ///
    /// # Errors
    /// [`AnalysisError::Usage`] for a file that is no such table, or that does not have
    /// the measure.
    pub fn means(&self, measure: MeasureName, k: usize) -> Result<Vec<(f64, f64)>, AnalysisError> {
        let path = self.path.display();
        let say = |reason: String| AnalysisError::Usage(format!("{path}: {reason}"));
        let mut table = TableReader::open(&self.path, Asked::default())?;
        let (dialect, header) = (table.dialect(), table.header().to_vec());
        let names: Vec<&str> = header.iter().map(String::as_str).collect();
        let place = |name: &str| names.iter().position(|known| *known == name);
        let level = LEVELS.iter().find_map(|name| place(name)).ok_or_else(|| {
            say(format!(
                "no column of overlaps ({}); it has {}",
                LEVELS.join(", "),
                listed(&names)
            ))
        })?;
        let metric = place("metric").ok_or_else(|| say("no column 'metric'".into()))?;
        let value = match &self.column {
            Some(name) => place(name).ok_or_else(|| say(unknown("column", name, &names)))?,
            None => names
                .iter()
                .position(|name| name.starts_with("metric_"))
                .ok_or_else(|| {
                    say(format!(
                        "no column begins with 'metric_'; name one as AXIS=FILE:COLUMN, of {}",
                        listed(&names)
                    ))
                })?,
        };
        let Some(theirs) = published_name(measure, k) else {
            let known = REGISTRY
                .iter()
                .filter_map(|m| MeasureName::named(m.properties().name).ok());
            let known: Vec<&str> = known
                .filter(|m| published_name(*m, PUBLISHED_K).is_some())
                .map(MeasureName::name)
                .collect();
            return Err(say(format!(
                "the primary measure {} is none of the published ones ({}; with {PUBLISHED_K} \
                 neighbours)",
                measure.full_name(k),
                known.join(", ")
            )));
        };
        let mut points: Vec<(f64, f64)> = Vec::new();
        for record in table.by_ref() {
            let record = record?;
            let line = record.position().map_or(0, csv::Position::line);
            let field = |place: usize| record.get(place).unwrap_or_default();
            if field(metric) != theirs {
                continue;
            }
            let number = |text: &str| -> Result<f64, AnalysisError> {
                let digits = text.trim_start_matches("partition");
                let wrong = || say(format!("line {line}: '{text}' is no number"));
                let value = dialect.number(digits).ok_or_else(wrong)?;
                Ok(if digits.len() < text.len() {
                    value - 1.0
                } else {
                    value
                })
            };
            let (level, value) = (number(field(level))?, number(field(value))?);
            // Similarities below 0 are possible, but -1 stands for none.
            if value != -1.0 {
                points.push((level, value));
            }
        }
        if points.is_empty() {
            return Err(say(format!(
                "no row has metric {theirs}, which {} is here",
                measure.name()
            )));
        }
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let levels = points.iter().chunk_by(|point| point.0);
        Ok(levels
            .into_iter()
            .map(|(level, points)| {
                let values: Vec<f64> = points.map(|point| point.1).collect();
                (level, mean(&values))
            })
            .collect())
    }

    /// What it is called beside the figure.
    pub fn label(&self) -> String {
        let stem = self.path.file_stem().map(|s| s.to_string_lossy());
        format!("published: {}", stem.as_deref().unwrap_or("table"))
    }

    /// Reads `AXIS=FILE` or `AXIS=FILE:COLUMN`.
    ///
    /// # Errors
    /// [`AnalysisError::Usage`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, AnalysisError> {
        let say = AnalysisError::Usage;
        let (axis, file) = text.split_once('=').ok_or_else(|| {
            say(format!(
                "'{text}' is not AXIS=FILE, such as data=published.csv"
            ))
        })?;
        let names: Vec<&str> = AxisKind::all().map(|kind| kind.name()).collect();
        let axis = AxisKind::named(axis).ok_or_else(|| say(unknown("axis", axis, &names)))?;
        // A colon may be part of a path.
        let (path, column) = match file.rsplit_once(':') {
            Some((path, column)) if !Path::new(file).exists() => (path, Some(column.to_string())),
            _ => (file, None),
        };
        Ok(Self {
            axis,
            path: path.into(),
            column,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> MeasureName {
        MeasureName::named(name).unwrap()
    }

    /// A measure whose name begins like that of another is not the other, a published
    /// definition is itself, and published neighbours are 10.
    #[test]
    fn each_measure_is_drawn_before_its_own_published_one() {
        let cases = [
            ("cknna_symmetric", 10, None),
            ("cknna_linear", 10, Some("cknna")),
            ("cka", 10, Some("cka")),
            ("cka_linear_debiased", 10, Some("unbiased_cka")),
            ("cka_rbf_median_biased", 10, None),
            ("mutual_knn", 10, Some("mutual_knn")),
            ("mutual_knn_cosine", 10, Some("mutual_knn")),
            ("mutual_knn_cosine", 5, None),
        ];
        for (ours, k, theirs) in cases {
            assert_eq!(published_name(named(ours), k), theirs, "{ours}, {k}");
        }
    }

    #[test]
    fn means_of_levels_without_what_is_missing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        let text = "seed,metric,partition,metric_a,b\n0,cka,partition1,0.2,9\n1,cka,partition1,0.4,9\n\
                    0,cka,partition3,0.9,9\n1,cka,partition3,-1.000,9\n0,svcca,partition1,7,9\n";
        std::fs::write(&path, text).unwrap();
        let given = |column: Option<&str>| Published {
            axis: AxisKind::named("partition").unwrap(),
            path: path.clone(),
            column: column.map(String::from),
        };
        let means = given(None).means(named("cka_linear_biased"), 10).unwrap();
        assert_eq!(means.len(), 2);
        assert!((means[0].1 - 0.3).abs() < 1e-12 && means[0].0 == 0.0);
        assert_eq!(means[1], (2.0, 0.9));
        for absent in ["pwcca", "cka_linear_debiased"] {
            let error = given(None)
                .means(named(absent), 10)
                .unwrap_err()
                .to_string();
            assert!(error.contains(absent), "{error}");
        }
        let column = given(Some("b"))
            .means(named("svcca_var99_mean"), 10)
            .unwrap();
        assert_eq!(column, [(0.0, 9.0)]);
        let error = given(Some("c"))
            .means(named("cka_linear_biased"), 10)
            .unwrap_err();
        assert!(error.to_string().contains("unknown column 'c'"), "{error}");
    }

    #[test]
    fn an_argument_names_axis_file_and_column() {
        let parsed = Published::parse("data=a/b.csv:metric_x").unwrap();
        assert_eq!(
            (parsed.axis, parsed.column.as_deref()),
            (AxisKind::named("data").unwrap(), Some("metric_x"))
        );
        assert_eq!(Published::parse("class=a.csv").unwrap().column, None);
        for wrong in ["a.csv", "dat=a.csv"] {
            assert!(Published::parse(wrong).is_err(), "{wrong}");
        }
    }
}
