//! How a comparison is shown: as a tidy table, as a table for people, as heatmaps.

use reprsim_report::{Panel, ValueScale};
use reprsim_similarity::{Comparison, Form, PairResult, Row, Scale};
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

/// A comparison and its answer.
pub(crate) struct Answer<'a> {
    pub comparison: &'a Comparison,
    pub results: &'a [PairResult],
    /// What values are told as.
    pub form: Form,
}

impl Answer<'_> {
    /// Fields of a row that are no text.
    pub const FIELDS: Fields = Fields {
        numbers: &[
            "value",
            "null_mean",
            "p_permutation",
            "calibrated",
            "ci_low",
            "ci_high",
            "value_without",
        ],
        integers: &["n", "d_a", "d_b", "influential_row", "schema"],
    };

    /// All rows with all their fields.
    pub fn tidy(&self) -> Table {
        let told_otherwise = self.form != Form::Similarity;
        let covariate = &self.comparison.question().covariate;
        let mut names = vec![
            "model_a",
            "model_b",
            "layer_a",
            "layer_b",
            "scope",
            "measure",
            "value",
            "n",
            "d_a",
            "d_b",
            "null_mean",
            "p_permutation",
            "calibrated",
            "ci_low",
            "ci_high",
            "influential_row",
            "value_without",
            "undefined",
            "schema",
        ];
        // Only where they say something: who reads the rest needs them no more than before.
        names.extend(told_otherwise.then_some("form"));
        names.extend(covariate.as_ref().map(|_| "covariate"));
        let mut table = Table::new(&names);
        let fields = |row: &Row, scope: &str| {
            let mut fields = fields(row, scope, self.form);
            fields.extend(told_otherwise.then(|| json!(self.form.name())));
            fields.extend(covariate.as_ref().map(|model| json!(model.name)));
            fields
        };
        for measure in self.results.iter().flat_map(|pair| &pair.measures) {
            for row in &measure.pairs {
                table.push(fields(row, "pair"));
            }
            if let Some(row) = &measure.maximum {
                // A sample's influence is said of its pair.
                let row = Row {
                    influence: None,
                    ..row.clone()
                };
                table.push(fields(&row, "maximum"));
            }
        }
        table
    }

    /// What a person wants to see first.
    pub fn print(&self, device: &str, notes: &[String]) -> anyhow::Result<()> {
        let question = self.comparison.question();
        let form = self.form;
        let value = match form {
            Form::Similarity => "value",
            Form::Distance | Form::Angular => form.name(),
        };
        let mut fields = vec!["layer_a", "d_a", "layer_b", "d_b", "measure", value];
        let named = self.results.len() > 1;
        if named {
            fields.splice(0..0, ["model_a", "model_b"]);
        }
        let (null, intervals) = (question.permutations > 0, question.half_samples > 0);
        if null {
            fields.extend(["chance", "p", "calibrated"]);
        }
        if intervals {
            fields.push("95 % interval");
        }
        if question.leverage {
            fields.push("without its most influential sample");
        }
        let many = self.results.iter().flat_map(PairResult::rows).count() > SHOWN;
        let mut table = Table::new(&fields);
        let mut push = |row: &Row, measure: String| {
            let mut cells = Vec::new();
            if named {
                cells.push(json!(row.model_a));
                cells.push(json!(row.model_b));
            }
            cells.push(json!(row.layer_a));
            cells.push(json!(row.d_a));
            cells.push(json!(row.layer_b));
            cells.push(json!(row.d_b));
            cells.push(json!(measure));
            cells.push(match row.value {
                Ok(_) => json!(row.value_as(form)),
                Err(reason) => json!(reason.to_string()),
            });
            if null {
                cells.push(json!(row.null_mean.and_then(|v| row.scale.told(form, v))));
                cells.push(json!(row.p));
                cells.push(json!(row.calibrated));
            }
            if intervals {
                cells.push(row.interval_as(form).map_or(Value::Null, |i| {
                    json!(format!("{:.4} to {:.4}", i.low, i.high))
                }));
            }
            if question.leverage {
                cells.push(row.influence.map_or(Value::Null, |influence| {
                    match row.scale.told(form, influence.value_without) {
                        Some(without) => json!(format!("{without:.4} (row {})", influence.row)),
                        None => json!(format!("row {}", influence.row)),
                    }
                }));
            }
            table.push(cells);
        };
        for measure in self.results.iter().flat_map(|pair| &pair.measures) {
            if !many || measure.pairs.len() == 1 {
                for row in &measure.pairs {
                    push(row, row.measure.clone());
                }
            }
            if let Some(row) = &measure.maximum {
                push(row, format!("{} (maximum)", row.measure));
            }
        }
        table.print(Format::Table)?;
        let n = self.comparison.rows();
        let mut note = format!(
            "\n{n} samples, computed on {device}{}",
            permutations(question)
        );
        if let Some(covariate) = &question.covariate {
            note += &format!("; beyond what '{}' accounts for", covariate.name);
        }
        if form != Form::Similarity {
            note += "; p and calibrated are those of the similarity";
        }
        say(&note)?;
        for note in notes {
            say(note)?;
        }
        if many {
            let pairs = |pair: &PairResult| pair.measures.first().map_or(0, |m| m.pairs.len());
            say(&format!(
                "{} pairs of layers in all: --format csv or --out FILE.parquet for each, --heatmap \
                 FILE.png for a picture",
                self.results.iter().map(pairs).sum::<usize>()
            ))?;
        }
        Ok(())
    }

    /// A heatmap a pair of models and measure.
    pub fn panels(&self) -> Vec<Panel> {
        let panel = |pair: &PairResult, at: usize| {
            let measure = &pair.measures[at];
            let (question, k) = (self.comparison.question(), self.comparison.question().k);
            let asked = question.measures.get(at);
            let form = self.form;
            let range = asked.map(|m| {
                let (smallest, largest) = (m.smallest(k), m.largest(k));
                let told = |v| Scale::of(*m, k).told(form, v).unwrap_or(f64::INFINITY);
                match form {
                    // Larger is more alike, by every measure.
                    Form::Similarity => (smallest, largest),
                    Form::Distance | Form::Angular => (told(largest), told(smallest)),
                }
            });
            Panel {
                scale: ValueScale {
                    range,
                    higher_is_more_alike: form == Form::Similarity,
                },
                title: format!("{} (rows) × {} (columns)", pair.model_a, pair.model_b),
                measure: measure.measure.clone(),
                rows: pair.layers_a.clone(),
                columns: pair.layers_b.clone(),
                values: measure.pairs.iter().map(|row| row.value_as(form)).collect(),
            }
        };
        (self.results.iter())
            .flat_map(|pair| (0..pair.measures.len()).map(move |at| panel(pair, at)))
            .collect()
    }
}

fn fields(row: &Row, scope: &str, form: Form) -> Vec<Value> {
    let told = |value: f64| row.scale.told(form, value);
    let interval = row.interval_as(form);
    vec![
        json!(row.model_a),
        json!(row.model_b),
        json!(row.layer_a),
        json!(row.layer_b),
        json!(scope),
        json!(row.measure),
        json!(row.value_as(form)),
        json!(row.n),
        json!(row.d_a),
        json!(row.d_b),
        json!(row.null_mean.and_then(told)),
        json!(row.p),
        json!(row.calibrated),
        json!(interval.map(|i| i.low)),
        json!(interval.map(|i| i.high)),
        json!(row.influence.map(|i| i.row)),
        json!(row.influence.and_then(|i| told(i.value_without))),
        json!(row.value.err().map(|e| e.to_string())),
        json!(SCHEMA),
    ]
}
