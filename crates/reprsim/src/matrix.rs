//! How a matrix of models is shown: as a tidy table, as a table for people, as heatmaps with a tree.

use reprsim_report::{ModelPanel, Panel, ValueScale};
use reprsim_similarity::{Comparison, MeasureMatrix, Row, SimilarityMatrix};
use serde_json::{Value, json};

use crate::args::Format;
use crate::commands::say;
use crate::measuring::permutations;
use crate::outputs::Fields;
use crate::table::Table;

/// Version of the columns of a row.
const SCHEMA: u32 = 1;

/// Rows that a person is shown; programs get all of them.
const SHOWN: usize = 100;

/// Models, a question, and how alike they are.
pub(crate) struct Answer<'a> {
    pub comparison: &'a Comparison,
    pub matrix: &'a SimilarityMatrix,
}

impl Answer<'_> {
    /// Fields of a row that are no text.
    pub const FIELDS: Fields = Fields {
        numbers: &[
            "value",
            "null_mean",
            "p_permutation",
            "q",
            "calibrated",
            "ci_low",
            "ci_high",
        ],
        integers: &["n", "d_a", "d_b", "schema"],
    };

    /// All pairs of different models with all their fields.
    pub fn tidy(&self) -> Table {
        let mut table = Table::new(&[
            "model_a",
            "model_b",
            "layer_a",
            "layer_b",
            "measure",
            "value",
            "n",
            "d_a",
            "d_b",
            "null_mean",
            "p_permutation",
            "q",
            "calibrated",
            "ci_low",
            "ci_high",
            "undefined",
            "schema",
        ]);
        for (row, q) in self.matrix.measures.iter().flat_map(MeasureMatrix::pairs) {
            table.push(vec![
                json!(row.model_a),
                json!(row.model_b),
                json!(row.layer_a),
                json!(row.layer_b),
                json!(row.measure),
                json!(row.value.ok()),
                json!(row.n),
                json!(row.d_a),
                json!(row.d_b),
                json!(row.null_mean),
                json!(row.p),
                json!(q),
                json!(row.calibrated),
                json!(row.interval.map(|i| i.low)),
                json!(row.interval.map(|i| i.high)),
                json!(row.value.err().map(|e| e.to_string())),
                json!(SCHEMA),
            ]);
        }
        table
    }

    /// What a person wants to see first: the pairs, the most alike first, and in which order the tree
    /// has the models.
    pub fn print(&self, device: &str, notes: &[String]) -> anyhow::Result<()> {
        let question = self.comparison.question();
        let (null, intervals) = (question.permutations > 0, question.half_samples > 0);
        let mut fields = vec!["model_a", "model_b", "measure", "value"];
        if null {
            fields.extend(["chance", "p", "q", "calibrated"]);
        }
        if intervals {
            fields.push("95 % interval");
        }
        let mut table = Table::new(&fields);
        let mut left_out = 0;
        for measure in &self.matrix.measures {
            let mut pairs: Vec<(&Row, Option<f64>)> = measure.pairs().collect();
            let value = |row: &Row| row.value.unwrap_or(f64::NEG_INFINITY);
            pairs.sort_by(|a, b| value(b.0).total_cmp(&value(a.0)));
            left_out += pairs.len().saturating_sub(SHOWN);
            for (row, q) in pairs.into_iter().take(SHOWN) {
                table.push(cells(row, q, null, intervals));
            }
        }
        table.print(Format::Table)?;
        let count = self.matrix.models.len();
        let mut note = format!(
            "\n{count} models, {} samples, computed on {device}{}",
            self.comparison.rows(),
            permutations(question)
        );
        if null {
            note += "; q of all pairs of a measure by Benjamini and Hochberg";
        }
        say(&note)?;
        for note in notes {
            say(note)?;
        }
        let layers = &self.matrix.layers;
        let is_one = layers.iter().all(|layer| *layer == layers[0]);
        let named = |(model, layer): (&String, &String)| format!("{model} by {layer}");
        let each = self.matrix.models.iter().zip(layers);
        // A file of one array is called as its layer.
        let others: Vec<String> = (each.filter(|(model, layer)| model != layer))
            .map(named)
            .collect();
        match (is_one, others.is_empty()) {
            (_, true) => {}
            (true, false) => say(&format!("each model by its layer {}", layers[0]))?,
            (false, false) => say(&format!("layers: {}", others.join(", ")))?,
        }
        for measure in &self.matrix.measures {
            say(&match &measure.clustering {
                Ok(tree) => {
                    let order = tree.order.iter();
                    let names: Vec<&str> = order.map(|i| self.matrix.models[*i].as_str()).collect();
                    format!(
                        "order of the tree, {}: {}",
                        measure.measure,
                        names.join(", ")
                    )
                }
                Err(why) => format!("no tree, {}: {why}", measure.measure),
            })?;
        }
        if left_out > 0 {
            say(&format!(
                "{left_out} more pairs: --format csv or --out FILE.parquet for each, --heatmap FILE.png \
                 for a picture"
            ))?;
        }
        Ok(())
    }

    /// A heatmap with a tree for each measure.
    pub fn panels(&self) -> Vec<ModelPanel> {
        let panel = |measure: &MeasureMatrix| {
            let tree = measure.clustering.as_ref();
            ModelPanel {
                panel: Panel {
                    // Larger is more alike, by every measure.
                    scale: ValueScale {
                        range: Some(measure.range),
                        higher_is_more_alike: true,
                    },
                    title: match measure.symmetric {
                        true => String::new(),
                        false => "a in rows, b in columns".into(),
                    },
                    measure: measure.measure.clone(),
                    rows: self.matrix.models.clone(),
                    columns: self.matrix.models.clone(),
                    values: measure.cells.iter().map(|row| row.value.ok()).collect(),
                },
                q: measure.q.clone(),
                merges: tree.map_or(Vec::new(), |tree| {
                    let merges = tree.merges.iter();
                    merges
                        .map(|merge| (merge.a, merge.b, merge.distance))
                        .collect()
                }),
                order: tree.map_or(Vec::new(), |tree| tree.order.clone()),
            }
        };
        self.matrix.measures.iter().map(panel).collect()
    }
}

fn cells(row: &Row, q: Option<f64>, null: bool, intervals: bool) -> Vec<Value> {
    let mut cells = vec![
        json!(row.model_a),
        json!(row.model_b),
        json!(row.measure),
        match row.value {
            Ok(value) => json!(value),
            Err(reason) => json!(reason.to_string()),
        },
    ];
    if null {
        cells.extend([
            json!(row.null_mean),
            json!(row.p),
            json!(q),
            json!(row.calibrated),
        ]);
    }
    if intervals {
        cells.push(row.interval.map_or(Value::Null, |i| {
            json!(format!("{:.4} to {:.4}", i.low, i.high))
        }));
    }
    cells
}
