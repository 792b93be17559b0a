//! Expands an experiment to its numbered cells.

use std::error::Error;
use std::path::Path;

use reprsim_base::{Stream, check_seal, read_stored};
use reprsim_data::TextSettings;
use reprsim_models::ModelConfig;
use reprsim_train::{Initial, RANDOM, Reference, TrainingConfig};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::error::ConfigError;
use crate::experiment::{DatasetConfig, Experiment, Pairing, ProbeConfig};
use crate::key::Form;
use crate::sweep::{Point, Sweep};

/// No plan is larger, whatever its number of cells.
const LARGEST: u64 = 256 << 20;
/// Version of the layout of `plan.json`.
const PLAN_SCHEMA: u32 = 4;

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
        let model = experiment.model.clone();
        let (Some((_, point)), Some(sweep)) = (self.point(), self.sweep(experiment)) else {
            return model;
        };
        let design = sweep.design();
        point.levels.iter().fold(model, |model, (kind, level)| {
            kind.model(&model, *level, &design).unwrap_or(model)
        })
    }

    /// How models a and b of this cell begin: those of an untrained pair as the experiment's
    /// reference says.
    pub fn initial(&self, experiment: &Experiment) -> [Initial; 2] {
        match &experiment.initial {
            None => [Initial::Random, Initial::Random],
            Some(states)
                if self.role == CellRole::Untrained && states.reference == Reference::Random =>
            {
                [Initial::Random, Initial::Random]
            }
            Some(states) => states.of(&self.model(experiment)).of_pair(self.seed),
        }
    }

    /// The root of the cell's random streams.
    pub fn stream(&self, experiment: &Experiment) -> Stream {
        let root = Stream::new(experiment.root_seed).child("cell");
        let stream = match (self.point(), self.sweep(experiment)) {
            (Some((_, point)), Some(sweep)) => {
                let of_sweep = root.child(sweep.term().to_string());
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
            cell.hash = form(experiment, &cell).key();
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

    /// Number of models that are trained.
    pub fn models_to_train(&self) -> usize {
        2 * self.cells.iter().filter(|c| c.point().is_some()).count()
    }

    /// Reads the plan that a run directory holds.
    ///
    /// # Errors
    /// [`ConfigError::Plan`] if the directory is no run, or one of another program's,
    /// [`ConfigError::Damaged`] if it is not what was written.
    pub fn read(run: &Path) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        struct Layout {
            schema: u32,
            // Every layout had these; what has not is no plan.
            #[serde(rename = "experiment")]
            _experiment: IgnoredAny,
            #[serde(rename = "cells")]
            _cells: IgnoredAny,
        }
        let path = run.join("plan.json");
        let fail =
            |reason: String, source: Option<Box<dyn Error + Send + Sync>>| ConfigError::Plan {
                path: path.clone(),
                reason,
                source,
            };
        let damaged = |e: Box<dyn Error + Send + Sync>| ConfigError::Damaged {
            path: path.clone(),
            reason: e.to_string(),
            source: e,
        };
        let read = read_stored(&path, LARGEST).and_then(|bytes| {
            let odd = |e| std::io::Error::new(std::io::ErrorKind::InvalidData, e);
            String::from_utf8(bytes).map_err(odd)
        });
        let text = read.map_err(|e| match e.kind() {
            std::io::ErrorKind::InvalidData => damaged(e.into()),
            std::io::ErrorKind::NotFound => fail(
                format!(
                    "{} is not a run directory: it has no plan.json",
                    run.display()
                ),
                Some(e.into()),
            ),
            _ => fail(e.to_string(), Some(e.into())),
        })?;
        let layout: Layout = serde_json::from_str(&text).map_err(|e| damaged(e.into()))?;
        // An older layout carried no digest; that it is old says more.
        if layout.schema == PLAN_SCHEMA {
            check_seal(&text).map_err(|e| damaged(e.into()))?;
        }
        if layout.schema != PLAN_SCHEMA {
            return Err(fail(
                format!(
                    "the run was written in layout {}, this program reads layout {PLAN_SCHEMA}: \
                     use the program that wrote it, or run the experiment again with another --out",
                    layout.schema
                ),
                None,
            ));
        }
        serde_json::from_str(&text).map_err(|e| damaged(e.into()))
    }
}

/// What determines the two models of a cell.
fn form(experiment: &Experiment, cell: &Cell) -> Form {
    let mut form = Form::new();
    form.add("root_seed", experiment.root_seed);
    form.add("pairing", experiment.pairing);
    form.add("dataset", placeless_dataset(&experiment.dataset));
    form.add("input", experiment.input);
    let model = cell.model(experiment);
    form.add("model", &model);
    add_revision(&mut form, &model);
    add_initial(&mut form, cell.initial(experiment));
    // What images are normalised with depends on these.
    if let (Some(evaluate), None) = (&experiment.training.evaluate, &experiment.dataset.text) {
        form.add("held_out", evaluate.samples);
    }
    if experiment.task.unit_scale() {
        form.add("unit_scale", true);
    }
    form.add("seed", cell.seed);
    let (Some((_, point)), Some(sweep)) = (cell.point(), cell.sweep(experiment)) else {
        return form;
    };
    // Of files it matters what they hold; which of them are whose follows from the seed.
    let of_models = [0, 1].map(|model| experiment.task.of_model(cell.seed, model));
    match of_models.map(|task| task.placeless()) {
        [a, b] if a == b => form.add("task", a),
        both => form.add("task", both),
    }
    add_training(&mut form, &experiment.training);
    form.add("sweep", sweep.term());
    form.add("factors", &sweep.factors);
    form.add("factors_per_task", sweep.factors_per_task);
    form.add("tasks", point.pair.and_then(|pair| sweep.pairs.get(pair)));
    for (kind, level) in &point.levels {
        form.add(&format!("level.{kind}"), level);
    }
    form
}

/// Adds how a model is trained. How a step's memory is spent changes nothing that it gives.
pub(crate) fn add_training(form: &mut Form, training: &TrainingConfig) {
    let training = TrainingConfig {
        recompute: false,
        ..training.clone()
    };
    form.add("training", training);
}

/// A data set without the folders that its files are in.
pub(crate) fn placeless_dataset(dataset: &DatasetConfig) -> DatasetConfig {
    DatasetConfig {
        path: None,
        text: dataset.text.as_ref().map(|text| TextSettings {
            corpora: without_folders(&text.corpora),
            ..text.clone()
        }),
        ..dataset.clone()
    }
}

/// Which form of an architecture it is, where there was another of the same settings.
pub(crate) fn add_revision(form: &mut Form, model: &ModelConfig) {
    let revision = model.revision();
    form.add("model.revision", (revision > 1).then_some(revision));
}

/// How the two models begin: a line of each where they begin differently.
pub(crate) fn add_initial(form: &mut Form, [a, b]: [Initial; 2]) {
    if let Some(foreign) = [&a, &b].into_iter().find_map(Initial::foreign) {
        form.add("initial.names", &foreign.names);
        form.add("initial.head", foreign.head);
    }
    let content = |initial: &Initial| initial.foreign().map(|foreign| foreign.content.clone());
    let [a, b] = [content(&a), content(&b)];
    if a == b {
        return form.add("initial.content", a);
    }
    for (name, content) in [("a", a), ("b", b)] {
        let content = content.unwrap_or_else(|| RANDOM.into());
        form.add(&format!("initial.{name}.content"), content);
    }
}

/// Probes without the folders that their corpora are in: where files of the user's own are
/// does not matter, what they hold does.
pub fn placeless(probes: &[ProbeConfig]) -> Vec<ProbeConfig> {
    let placeless = |probe: &ProbeConfig| ProbeConfig {
        corpora: probe.corpora.as_ref().map(|c| without_folders(c)),
        ..probe.clone()
    };
    probes.iter().map(placeless).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SMALL, read};

    fn plan(text: &str) -> Plan {
        Plan::new(&read(text).unwrap())
    }

    /// Written down once: a key that moves makes every run of every user train again.
    #[test]
    fn keys_are_what_they_were() {
        let plan = plan(SMALL);
        let form = form(&plan.experiment, &plan.cells[3]);
        assert_eq!(form.text(), include_str!("golden/small.txt"));
        let keys: Vec<&str> = plan.cells.iter().map(|c| c.hash.as_str()).collect();
        assert_eq!(keys.join("\n") + "\n", include_str!("golden/keys.txt"));
    }

    #[test]
    fn what_determines_a_cell_moves_its_key_and_nothing_else_does() {
        let key = |text: &str| plan(text).cells[3].hash.clone();
        let same = key(SMALL);
        for (from, to, moves) in [
            ("width = 2", "width = 3", true),
            ("lr = 0.1", "lr = 0.2", true),
            ("batch = 32", "batch = 32\nclip = 1.0", true),
            ("train_per_model = 64", "train_per_model = 65", true),
            ("name = \"small\"", "name = \"small\"\nroot_seed = 1", true),
            ("name = \"small\"", "name = \"other\"", false),
            ("batch = 32", "batch = 32\ndrop_last = true", false),
            ("batch = 32", "batch = 32\nrecompute = true", false),
            ("samples = 60", "samples = 61", false),
            ("seeds = 2", "seeds = 3", true), // the fourth cell is another
            ("lr = 0.1", "lr = 1e-1", false),
            ("[model]", "[input]\nsize = 56\n\n[model]", true),
        ] {
            let changed = SMALL.replacen(from, to, 1);
            assert_ne!(changed, SMALL, "{from}");
            assert_eq!(key(&changed) != same, moves, "{to}");
        }
        // What was default stays default when it is said.
        let said = SMALL.to_string() + "\n[task]\nname = \"classify\"\n";
        assert_eq!(key(&said), same);
    }

    #[test]
    fn cells_are_numbered_whole_repetitions_first() {
        let plan = plan(SMALL);
        let labels: Vec<String> = plan.cells.iter().map(Cell::label).collect();
        assert_eq!(
            labels[..3],
            ["untrained, seed 0", "untrained, seed 1", "data 0, seed 0"]
        );
        assert_eq!(labels[4..6], ["data 1, seed 0", "data 0, seed 1"]);
        assert!(
            plan.cells
                .iter()
                .enumerate()
                .all(|(i, cell)| cell.index == i)
        );
        assert_eq!(plan.models_to_train(), 12);
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    }

    #[test]
    fn independent_cells_draw_apart_and_nested_ones_of_a_seed_together() {
        let streams = |text: &str| -> Vec<String> {
            let plan = plan(text);
            plan.cells
                .iter()
                .map(|c| c.stream(&plan.experiment).id())
                .collect()
        };
        let independent = streams(SMALL);
        let distinct: std::collections::BTreeSet<_> = independent.iter().collect();
        assert_eq!(distinct.len(), independent.len());
        let nested = streams(&SMALL.replacen("seeds = 2", "seeds = 2\npairing = \"nested\"", 1));
        assert_eq!((&nested[2], &nested[3]), (&nested[3], &nested[4]));
        assert_ne!(nested[2], nested[5]);
    }

    /// A file of weights, as far as anyone looks at one here.
    fn write_weights(path: &Path, name: &str) {
        let header = format!("{{\"__metadata__\":{{\"name\":\"{name}\"}}}}");
        let length = (header.len() as u64).to_le_bytes();
        std::fs::write(path, [&length, header.as_bytes()].concat()).unwrap();
    }

    fn begun(section: &str) -> Result<Plan, String> {
        let text = format!("[initial]\n{section}\n\n[training]");
        Ok(Plan::new(&read(&SMALL.replacen("[training]", &text, 1))?))
    }

    /// An untrained pair begins as the experiment's reference says.
    #[test]
    fn a_checkpoint_comes_with_its_reference() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        write_weights(&file, "one");
        let begins = |reference: &str| {
            let file = file.display();
            begun(&format!(
                "checkpoint = \"{file}\"\nreference = \"{reference}\""
            ))
            .unwrap()
        };
        let (random, initial) = (begins("random"), begins("initial"));
        let of = |plan: &Plan, cell: usize| plan.cells[cell].initial(&plan.experiment);
        assert_eq!(of(&random, 0), [Initial::Random, Initial::Random]);
        assert!(matches!(
            of(&random, 2),
            [Initial::Checkpoint(_), Initial::Checkpoint(_)]
        ));
        assert!(matches!(of(&initial, 0), [Initial::Checkpoint(_), _]));
        assert_eq!(
            random.cells[2].hash, initial.cells[2].hash,
            "trained cells are the same"
        );
        assert_ne!(random.cells[0].hash, initial.cells[0].hash);
        // The form of one checkpoint is what it was before there could be several.
        let form = form(&random.experiment, &random.cells[2]).text();
        let content = reprsim_base::sha256(std::fs::read(&file).unwrap());
        let lines = format!("\ninitial.content: \"{content}\"\ninitial.head: \"fresh\"\nlevel.");
        assert!(form.contains(&lines), "{form}");
        // Other weights are another experiment.
        let before = random.cells[2].hash.clone();
        write_weights(&file, "two");
        assert_ne!(begins("random").cells[2].hash, before);
        let error = begun("checkpoint = \"x\"").unwrap_err();
        assert!(error.contains("'reference' is missing"), "{error}");
    }

    /// Which entries the pairs of each seed begin as, and what that does to keys.
    #[test]
    fn entries_go_round_with_the_seed() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["one", "two", "three"].map(|name| {
            let path = folder.path().join(format!("{name}.safetensors"));
            write_weights(&path, name);
            format!("\"{}\"", path.display())
        });
        let [one, two, three] = &paths;
        let plan = |entries: &[&str], more: &str| {
            let entries = entries.join(", ");
            begun(&format!(
                "checkpoint = [{entries}]\nreference = \"initial\"\n{more}"
            ))
        };
        let names = |plan: &Plan| -> Vec<[String; 2]> {
            let name = |initial: Initial| match initial.foreign() {
                Some(foreign) => foreign
                    .checkpoint
                    .file_stem()
                    .unwrap()
                    .display()
                    .to_string(),
                None => RANDOM.into(),
            };
            let cells = plan.cells.iter().take(2);
            cells
                .map(|cell| cell.initial(&plan.experiment).map(name))
                .collect()
        };
        let pairs = |of: [[&str; 2]; 2]| of.map(|pair| pair.map(String::from)).to_vec();
        let shared = plan(&[one, two, three], "").unwrap();
        assert_eq!(names(&shared), pairs([["one", "one"], ["two", "two"]]));
        let apart = plan(&[one, two, three], "shared = false").unwrap();
        assert_eq!(names(&apart), pairs([["one", "two"], ["two", "three"]]));
        let fixed = plan(&[one, "\"random\""], "shared = false").unwrap();
        assert_eq!(names(&fixed), pairs([["one", "random"]; 2]));
        let swapped = plan(&["\"random\"", one], "shared = false").unwrap();
        assert_ne!(fixed.cells[2].hash, swapped.cells[2].hash);
        // Where both models begin alike, it does not matter how that was written.
        let single = plan(&[one], "").unwrap();
        assert_eq!(single.cells[2].hash, shared.cells[2].hash);
        let twice = plan(&[one, one], "shared = false").unwrap();
        assert_eq!(single.cells[2].hash, twice.cells[2].hash);

        let refused = |entries: &[&str], more: &str| plan(entries, more).unwrap_err();
        let error = refused(&[one], "shared = false");
        assert!(error.contains("at least two entries"), "{error}");
        let error = refused(&["\"random\""], "");
        assert!(error.contains("it names no checkpoint"), "{error}");
        let error = refused(&[one, two], "head = \"file\"");
        assert!(error.contains("one network twice"), "{error}");
        assert!(plan(&[one, two], "head = \"file\"\nshared = false").is_ok());
        let error = refused(&[one, "\"missing.pth\""], "");
        assert!(error.contains("missing.pth: no such file"), "{error}");
        let error = begun("checkpoint = 3\nreference = \"random\"").unwrap_err();
        assert!(error.contains("text, or a list of texts"), "{error}");
    }
}
