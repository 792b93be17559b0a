//! Expands an experiment to its numbered cells.

use std::path::Path;

use reprsim_base::Stream;
use reprsim_data::TextSettings;
use reprsim_models::ModelConfig;
use serde::{Deserialize, Serialize};
use reprsim_base::Digest;

use crate::ExperimentError;
use crate::experiment::{AxisKind, DatasetConfig, Experiment, Pairing, Point, ProbeConfig, Sweep};

/// Version of what determines a cell; part of every cell's hash.
const CELL_SCHEMA: u32 = 2;

/// Version of the layout of `plan.json`.
const PLAN_SCHEMA: u32 = 2;

/// Why a cell is in the plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum CellRole {
    /// Two untrained models: the floor.
    Untrained,
    /// A point of a sweep.
    Point {
        /// The sweep's place in the experiment.
        sweep: usize,
        /// The point.
        point: Point,
    },
}

/// One pair of models to train and compare.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Its number, from 0.
    pub index: usize,
    /// Its seed, from 0.
    pub seed: usize,
    /// What it is for.
    pub role: CellRole,
    /// Hash of everything that determines its two models.
    pub hash: String,
}

impl Cell {
    /// The name of the cell's directory.
    pub fn directory(&self) -> String {
        format!("{:04}-{}", self.index, self.hash)
    }

    /// The sweep's place and the point, if it has one.
    pub fn point(&self) -> Option<(usize, &Point)> {
        match &self.role {
            CellRole::Untrained => None,
            CellRole::Point { sweep, point } => Some((*sweep, point)),
        }
    }

    /// The sweep that the cell is a point of.
    pub fn sweep<'a>(&self, experiment: &'a Experiment) -> Option<&'a Sweep> {
        experiment.sweeps.get(self.point()?.0)
    }

    /// A short description, such as `data 0.5, seed 2`.
    pub fn label(&self) -> String {
        let Some((_, point)) = self.point() else {
            return format!("untrained, seed {}", self.seed);
        };
        let levels: Vec<String> = point
            .levels
            .iter()
            .map(|(kind, level)| format!("{} {level}", kind.name()))
            .collect();
        let pair = point
            .pair
            .map_or(String::new(), |pair| format!(" (pair {})", pair + 1));
        format!("{}{pair}, seed {}", levels.join(", "), self.seed)
    }

    /// The architecture at this cell's point.
    pub fn model(&self, experiment: &Experiment) -> ModelConfig {
        let mut model = experiment.model.clone();
        if let Some((_, point)) = self.point() {
            for &(kind, level) in &point.levels {
                match kind {
                    AxisKind::Width => model = model.with_width(level as usize),
                    AxisKind::Depth => model = model.with_depth(level as usize).unwrap_or(model),
                    _ => {}
                }
            }
        }
        model
    }

    /// The root of the cell's random streams.
    pub fn stream(&self, experiment: &Experiment) -> Stream {
        let root = Stream::new(experiment.root_seed).child("cell");
        let stream = match (self.point(), self.sweep(experiment)) {
            (Some((_, point)), Some(sweep)) => {
                let of_sweep = root.child(sweep.name());
                match experiment.pairing {
                    Pairing::Nested => of_sweep,
                    Pairing::Independent => {
                        let levels: Vec<String> =
                            point.levels.iter().map(|l| l.1.to_string()).collect();
                        let of_point = of_sweep.child(format!("level {}", levels.join(" x ")));
                        match point.pair.and_then(|pair| sweep.pairs.get(pair)) {
                            Some([a, b]) => {
                                of_point.child(format!("{} | {}", a.join("+"), b.join("+")))
                            }
                            None => of_point,
                        }
                    }
                }
            }
            _ => root.child("untrained"),
        };
        stream.child(format!("seed {}", self.seed))
    }
}

/// All cells of an experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of the layout of this file.
    pub schema: u32,
    /// The program's version.
    pub version: String,
    /// The experiment with every default filled in.
    pub experiment: Experiment,
    /// The cells, in order.
    pub cells: Vec<Cell>,
}

/// What determines the two models of a cell, in a fixed order for hashing.
#[derive(Serialize)]
struct Determinants<'a> {
    schema: u32,
    root_seed: u64,
    pairing: Pairing,
    dataset: DatasetConfig,
    model: ModelConfig,
    training: Option<&'a reprsim_train::TrainingConfig>,
    sweep: Option<String>,
    factors: &'a [String],
    factors_per_task: usize,
    tasks: Option<&'a [Vec<String>; 2]>,
    levels: &'a [(AxisKind, f64)],
    seed: usize,
}

impl Plan {
    /// Expands `experiment`. Cells are ordered by sweep, then seed, then point,
    /// so that an interrupted run holds whole repetitions; the untrained pairs
    /// come first.
    pub fn new(experiment: &Experiment) -> Self {
        let mut cells = Vec::new();
        let mut push = |role: CellRole, seed: usize| {
            let mut cell = Cell {
                index: cells.len(),
                seed,
                role,
                hash: String::new(),
            };
            cell.hash = hash(experiment, &cell);
            cells.push(cell);
        };
        for seed in 0..experiment.seeds {
            push(CellRole::Untrained, seed);
        }
        for (sweep, design) in experiment.sweeps.iter().enumerate() {
            for seed in 0..experiment.seeds {
                for point in design.points() {
                    push(CellRole::Point { sweep, point }, seed);
                }
            }
        }
        Self {
            schema: PLAN_SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_string(),
            experiment: experiment.clone(),
            cells,
        }
    }

    /// Hash of what is measured: changing it measures again, without training.
    pub fn measuring_hash(&self) -> String {
        let e = &self.experiment;
        // Where files of the user's own are does not matter, what they hold does.
        let probes: Vec<ProbeConfig> = e
            .probes
            .iter()
            .map(|probe| ProbeConfig {
                corpora: probe.corpora.as_ref().map(|c| without_folders(c)),
                ..probe.clone()
            })
            .collect();
        let json = serde_json::to_vec(&(
            CELL_SCHEMA,
            &probes,
            e.pooling,
            &e.analysis.measures,
            e.analysis.k,
            e.analysis.permutations,
            e.keep.activations,
        ));
        digest(&json.unwrap_or_default())
    }

    /// Number of models that are trained.
    pub fn models_to_train(&self) -> usize {
        2 * self.cells.iter().filter(|c| c.point().is_some()).count()
    }

    /// Reads the plan that a run directory holds.
    ///
    /// # Errors
    /// [`ExperimentError::Usage`] if the directory is no run; otherwise
    /// [`ExperimentError::Store`].
    pub fn read(run: &Path) -> Result<Self, ExperimentError> {
        let path = run.join("plan.json");
        if !path.exists() {
            return Err(ExperimentError::Usage(format!(
                "{} is not a run directory: it has no plan.json",
                run.display()
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(|e| ExperimentError::store(&path, e))?;
        let plan: Self =
            serde_json::from_str(&text).map_err(|e| ExperimentError::store(&path, e))?;
        if plan.schema != PLAN_SCHEMA {
            return Err(ExperimentError::store(
                &path,
                format!(
                    "layout version {}; this program reads {PLAN_SCHEMA}",
                    plan.schema
                ),
            ));
        }
        Ok(plan)
    }
}

fn hash(experiment: &Experiment, cell: &Cell) -> String {
    let (sweep, point) = (cell.sweep(experiment), cell.point().map(|(_, p)| p));
    let what = Determinants {
        schema: CELL_SCHEMA,
        root_seed: experiment.root_seed,
        pairing: experiment.pairing,
        // Where files of the user's own are does not matter, what they hold does.
        dataset: DatasetConfig {
            path: None,
            text: experiment.dataset.text.as_ref().map(|text| TextSettings {
                corpora: without_folders(&text.corpora),
                ..text.clone()
            }),
            ..experiment.dataset.clone()
        },
        model: cell.model(experiment),
        training: sweep.map(|_| &experiment.training),
        sweep: sweep.map(Sweep::name),
        factors: sweep.map_or(&[], |s| &s.factors),
        factors_per_task: sweep.map_or(0, |s| s.factors_per_task),
        tasks: point
            .and_then(|p| p.pair)
            .and_then(|pair| sweep?.pairs.get(pair)),
        levels: point.map_or(&[], |p| &p.levels),
        seed: cell.seed,
    };
    digest(&serde_json::to_vec(&what).unwrap_or_default())
}

/// Corpora without the folders that they are in.
fn without_folders(corpora: &[String]) -> Vec<String> {
    let name = |given: &String| {
        let path = Path::new(given);
        path.file_name()
            .map_or(given.clone(), |n| n.to_string_lossy().into_owned())
    };
    corpora.iter().map(name).collect()
}

fn digest(bytes: &[u8]) -> String {
    let mut digest = Digest::new();
    digest.update(bytes);
    digest.short(6)
}
