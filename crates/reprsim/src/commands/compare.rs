//! `reprsim compare`.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use indicatif::ProgressBar;
use reprsim_activations::Pool;
use reprsim_base::write_whole;
use reprsim_config::ExperimentError;
use reprsim_metrics::{Calibration, Measure, Mode, Options, Score, by_name, of_mode};
use reprsim_report::{Panel, heatmap, parquet, png};
use serde_json::{Value, json};

use crate::args::{CompareArgs, Format, ModeArg};
use crate::commands::say;
use crate::comparison::{Models, PairOfModels, Question};
use crate::table::Table;

/// Version of the columns of a row.
const SCHEMA: u32 = 1;

/// Fields of a row that are numbers.
const NUMBERS: [&str; 7] = [
    "value",
    "null_mean",
    "p_permutation",
    "calibrated",
    "ci_low",
    "ci_high",
    "value_without",
];

/// Fields of a row that are whole numbers.
const INTEGERS: [&str; 5] = ["n", "d_a", "d_b", "influential_row", "schema"];

/// Rows that a person is shown; programs get all of them.
const SHOWN: usize = 100;

/// Pixels a unit of a PNG figure.
const PNG_SCALE: f32 = 2.0;

pub(crate) fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    // Everything that may be wrong with the command line, before any work.
    let out = args.out.as_deref().map(Table::ending).transpose()?;
    for file in &args.heatmap {
        ending(file, &["svg", "png"])?;
    }
    let question = Question {
        measures: measures(args)?,
        permutations: args.null,
        half_samples: args.bootstrap,
        leverage: args.leverage,
        seed: args.seed,
    };
    let pool: Option<Pool> = match args.pool.as_deref().map(str::parse).transpose() {
        Ok(pool) => pool,
        Err(reason) => return Err(ExperimentError::Usage(reason).into()),
    };
    let chosen = reprsim_device::choose(&args.device)?;
    let options = Options {
        k: args.k as usize,
        ..Options::default()
    };
    let models = Models::open(&args.files, pool, &chosen.device, options)?;

    let spinner = match std::io::stderr().is_terminal() {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    spinner.enable_steady_tick(Duration::from_millis(120));
    let couples = question.ask(&models, &mut |stage| spinner.set_message(stage.to_string()))?;
    spinner.finish_and_clear();

    let rows = Rows {
        models: &models,
        question: &question,
        couples: &couples,
    };
    let table = rows.tidy();
    if let (Some(path), Some(kind)) = (&args.out, out) {
        let bytes = match kind {
            Kind::Parquet => parquet(&table.columns(&NUMBERS, &INTEGERS))?,
            Kind::Rows(format) => table.bytes(format)?,
        };
        write(path, &bytes)?;
    }
    for path in &args.heatmap {
        let svg = heatmap(&rows.panels());
        let bytes = match ending(path, &["svg", "png"])? {
            "png" => png(&svg, PNG_SCALE)?,
            _ => svg.into_bytes(),
        };
        write(path, &bytes)?;
    }
    match args.format {
        Format::Table => rows.print(&chosen.name)?,
        format => table.print(format)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_whole(path, bytes)
        .map_err(|e| anyhow::anyhow!("{} cannot be written: {e}", path.display()))
}

/// What `--out` asks for.
enum Kind {
    Parquet,
    Rows(Format),
}

impl Table {
    fn ending(path: &Path) -> Result<Kind, ExperimentError> {
        Ok(match ending(path, &["parquet", "csv", "json"])? {
            "parquet" => Kind::Parquet,
            "csv" => Kind::Rows(Format::Csv),
            _ => Kind::Rows(Format::Json),
        })
    }
}

fn ending(path: &Path, known: &[&'static str]) -> Result<&'static str, ExperimentError> {
    let ending = path.extension().and_then(|e| e.to_str());
    match known.iter().find(|k| Some(**k) == ending) {
        Some(kind) => Ok(kind),
        None => Err(ExperimentError::Usage(format!(
            "{}: its ending must be one of .{}",
            path.display(),
            known.join(", .")
        ))),
    }
}

fn measures(args: &CompareArgs) -> Result<Vec<&'static dyn Measure>, ExperimentError> {
    let mode = match args.mode {
        ModeArg::Exact => Mode::Exact,
        ModeArg::Paper => Mode::Paper,
    };
    let default: &[&str] = match (args.measures.as_slice(), mode) {
        ([], Mode::Exact) => &["cka_linear_debiased", "cka_linear_biased", "mutual_knn"],
        _ => &[],
    };
    let asked: Vec<&str> = match default {
        [] => args.measures.iter().map(String::as_str).collect(),
        names => names.to_vec(),
    };
    let all = asked.is_empty() || asked.contains(&"all");
    let mut found: Vec<&dyn Measure> = Vec::new();
    for name in asked.into_iter().filter(|name| *name != "all") {
        // `mutual_knn_cosine_k10` is what results call it: --k decides.
        let plain = name.strip_suffix(&format!("_k{}", args.k)).unwrap_or(name);
        let measure = by_name(plain, mode).ok_or_else(|| {
            let names = of_mode(mode).map(|m| m.properties().name);
            let aliases = of_mode(mode).filter_map(|m| m.properties().alias);
            let mut known: Vec<&str> = names.chain(aliases).chain(["all"]).collect();
            known.dedup();
            ExperimentError::Usage(reprsim_base::unknown("measure", name, &known))
        })?;
        let new = |m: &&dyn Measure| m.properties().name != measure.properties().name;
        if found.iter().all(new) {
            found.push(measure);
        }
    }
    Ok(if all { of_mode(mode).collect() } else { found })
}

/// The rows of a comparison.
struct Rows<'a> {
    models: &'a Models,
    question: &'a Question,
    couples: &'a [PairOfModels],
}

/// One row: a pair of layers or the best of all pairs, and a measure.
struct Row<'a> {
    couple: &'a PairOfModels,
    measure: usize,
    /// The place in the couple's pairs.
    at: usize,
    best: bool,
    score: &'a Score,
    calibration: Option<Calibration>,
}

impl<'a> Rows<'a> {
    fn all(&self) -> Vec<Row<'a>> {
        let k = self.models.set.k();
        let mut rows = Vec::new();
        for couple in self.couples {
            for (m, measure) in self.question.measures.iter().enumerate() {
                let largest = measure.largest(k);
                let mut push = |at, best, score: &'a Score| {
                    rows.push(Row {
                        couple,
                        measure: m,
                        at,
                        best,
                        score,
                        calibration: score.calibration(largest),
                    });
                };
                for (at, score) in couple.scores[m].iter().enumerate() {
                    push(at, false, score);
                }
                if let Some((at, score)) = &couple.best[m] {
                    push(*at, true, score);
                }
            }
        }
        rows
    }

    fn name(&self, measure: usize) -> String {
        self.question.measures[measure].full_name(self.models.set.k())
    }

    /// All rows with all their fields.
    fn tidy(&self) -> Table {
        let mut table = Table::new(&[
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
        ]);
        let layers = self.models.set.layers();
        for row in self.all() {
            let (i, j) = row.couple.pairs[row.at];
            let interval = (row.couple.intervals.as_ref())
                .filter(|_| !row.best)
                .and_then(|rows| rows[row.measure][row.at]);
            let influence = row.couple.influence[row.measure][row.at].filter(|_| !row.best);
            table.push(vec![
                json!(self.models.names[row.couple.a]),
                json!(self.models.names[row.couple.b]),
                json!(layers[i].name),
                json!(layers[j].name),
                json!(if row.best { "maximum" } else { "pair" }),
                json!(self.name(row.measure)),
                json!(row.score.value.ok()),
                json!(layers[i].rows()),
                json!(layers[i].width()),
                json!(layers[j].width()),
                json!(row.score.null_mean.or(row.calibration.map(|c| c.null_mean))),
                json!(row.calibration.map(|c| c.p)),
                json!(row.calibration.and_then(|c| c.calibrated)),
                json!(interval.map(|i| i.low)),
                json!(interval.map(|i| i.high)),
                json!(influence.map(|(row, _)| row)),
                json!(influence.map(|(_, value)| value)),
                json!(row.score.value.err().map(|e| e.to_string())),
                json!(SCHEMA),
            ]);
        }
        table
    }

    /// What a person wants to see first.
    fn print(&self, device: &str) -> anyhow::Result<()> {
        let question = self.question;
        let rows = self.all();
        let mut fields = vec!["layer_a", "layer_b", "measure", "value"];
        if self.couples.len() > 1 {
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
        let many = rows.len() > SHOWN;
        let mut table = Table::new(&fields);
        let layers = self.models.set.layers();
        for row in rows
            .iter()
            .filter(|r| r.best || !many || r.couple.pairs.len() == 1)
        {
            let (i, j) = row.couple.pairs[row.at];
            let mut cells = Vec::new();
            if self.couples.len() > 1 {
                cells.push(json!(self.models.names[row.couple.a]));
                cells.push(json!(self.models.names[row.couple.b]));
            }
            cells.push(json!(layers[i].name));
            cells.push(json!(layers[j].name));
            cells.push(json!(match row.best {
                true => format!("{} (maximum)", self.name(row.measure)),
                false => self.name(row.measure),
            }));
            cells.push(match row.score.value {
                Ok(value) => json!(value),
                Err(reason) => json!(reason.to_string()),
            });
            if null {
                let mean = row.score.null_mean.or(row.calibration.map(|c| c.null_mean));
                cells.push(json!(mean));
                cells.push(json!(row.calibration.map(|c| c.p)));
                cells.push(json!(row.calibration.and_then(|c| c.calibrated)));
            }
            if intervals {
                let interval = (row.couple.intervals.as_ref())
                    .filter(|_| !row.best)
                    .and_then(|rows| rows[row.measure][row.at]);
                cells.push(interval.map_or(Value::Null, |i| {
                    json!(format!("{:.4} to {:.4}", i.low, i.high))
                }));
            }
            if question.leverage {
                let influence = row.couple.influence[row.measure][row.at];
                cells.push(influence.map_or(Value::Null, |(sample, value)| {
                    json!(format!("{value:.4} (row {sample})"))
                }));
            }
            table.push(cells);
        }
        table.print(Format::Table)?;
        let n = self.models.set.rows();
        let mut note = format!("\n{n} samples, computed on {device}");
        if null {
            note += &format!(
                "; p from {} permutations (seed {}), chance over all where it is known exactly",
                question.permutations, question.seed
            );
        }
        say(&note);
        if many {
            say(&format!(
                "{} pairs of layers in all: --format csv or --out FILE.parquet for each, --heatmap \
                 FILE.png for a picture",
                self.couples.iter().map(|c| c.pairs.len()).sum::<usize>()
            ));
        }
        Ok(())
    }

    fn panels(&self) -> Vec<Panel> {
        let set = &self.models.set;
        let names = |model: usize| -> Vec<String> {
            let numbers = set.of_model(model);
            numbers
                .iter()
                .map(|i| set.layers()[*i].name.clone())
                .collect()
        };
        let mut panels = Vec::new();
        for couple in self.couples {
            let (a, b) = (&self.models.names[couple.a], &self.models.names[couple.b]);
            for (m, scores) in couple.scores.iter().enumerate() {
                panels.push(Panel {
                    title: format!("{a} (rows) × {b} (columns)"),
                    measure: self.name(m),
                    rows: names(couple.a),
                    columns: names(couple.b),
                    values: scores.iter().map(|s| s.value.ok()).collect(),
                });
            }
        }
        panels
    }
}
