//! Expands an experiment to its numbered cells.

use std::path::Path;

use reprsim_data::Stream;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::ExperimentError;
use crate::experiment::{Axis, AxisKind, Experiment, Pairing};

/// Version of what determines a cell; part of every cell's hash.
const CELL_SCHEMA: u32 = 1;

/// Version of the layout of `plan.json`.
const PLAN_SCHEMA: u32 = 1;

/// Why a cell is in the plan.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum CellRole {
    /// Two untrained models: the floor.
    Untrained,
    /// A level of an axis.
    Level {
        /// The axis.
        axis: AxisKind,
        /// Its overlap.
        level: f64,
        /// Whether the experiment file lists the level. Overlap 1 (same data,
        /// other seed: the ceiling) is added where it does not; such a cell is
        /// shown but not fitted.
        listed: bool,
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

    /// The axis and level, if it has one.
    pub fn level(&self) -> Option<(AxisKind, f64)> {
        match self.role {
            CellRole::Untrained => None,
            CellRole::Level { axis, level, .. } => Some((axis, level)),
        }
    }

    /// A short description, such as `data 0.5, seed 2`.
    pub fn label(&self) -> String {
        match self.level() {
            None => format!("untrained, seed {}", self.seed),
            Some((axis, level)) => format!("{} {level}, seed {}", axis.name(), self.seed),
        }
    }

    /// The root of the cell's random streams.
    pub(crate) fn stream(&self, experiment: &Experiment) -> Stream {
        let root = Stream::new(experiment.root_seed).child("cell");
        let axis = match self.level() {
            None => root.child("untrained"),
            Some((axis, level)) => match experiment.pairing {
                Pairing::Independent => root.child(axis.name()).child(format!("level {level}")),
                Pairing::Nested => root.child(axis.name()),
            },
        };
        axis.child(format!("seed {}", self.seed))
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
    dataset: &'a crate::experiment::DatasetConfig,
    model: &'a reprsim_models::ModelConfig,
    training: Option<&'a reprsim_train::TrainingConfig>,
    factors: &'a [String],
    factors_per_task: usize,
    axis: Option<AxisKind>,
    level: Option<f64>,
    seed: usize,
}

impl Plan {
    /// Expands `experiment`. Cells are ordered by axis, then seed, then level,
    /// so that an interrupted run holds whole repetitions; the untrained pairs
    /// come first.
    pub fn new(experiment: &Experiment) -> Self {
        let mut cells = Vec::new();
        let mut push = |role: CellRole, axis: Option<&Axis>, seed: usize| {
            let hash = hash(experiment, role, axis, seed);
            cells.push(Cell {
                index: cells.len(),
                seed,
                role,
                hash,
            });
        };
        for seed in 0..experiment.seeds {
            push(CellRole::Untrained, None, seed);
        }
        for axis in &experiment.axes {
            let mut levels: Vec<(f64, bool)> = axis.levels.iter().map(|&l| (l, true)).collect();
            if !axis.levels.contains(&1.0) {
                levels.push((1.0, false));
            }
            for seed in 0..experiment.seeds {
                for &(level, listed) in &levels {
                    let role = CellRole::Level {
                        axis: axis.kind,
                        level,
                        listed,
                    };
                    push(role, Some(axis), seed);
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
        let json = serde_json::to_vec(&(
            CELL_SCHEMA,
            &e.probes,
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
        2 * self.cells.iter().filter(|c| c.level().is_some()).count()
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

fn hash(experiment: &Experiment, role: CellRole, axis: Option<&Axis>, seed: usize) -> String {
    let (kind, level) = match role {
        CellRole::Untrained => (None, None),
        CellRole::Level { axis, level, .. } => (Some(axis), Some(level)),
    };
    let what = Determinants {
        schema: CELL_SCHEMA,
        root_seed: experiment.root_seed,
        pairing: experiment.pairing,
        dataset: &experiment.dataset,
        model: &experiment.model,
        training: axis.map(|_| &experiment.training),
        factors: axis.map_or(&[], |a| &a.factors),
        factors_per_task: axis.map_or(0, |a| a.factors_per_task),
        axis: kind,
        level,
        seed,
    };
    digest(&serde_json::to_vec(&what).unwrap_or_default())
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..6]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
