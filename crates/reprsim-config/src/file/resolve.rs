//! From the file to an [`Experiment`].

use std::collections::BTreeMap;
use std::path::Path;

use reprsim_data::Resampling;
use reprsim_models::{ModelConfig, Pooling};
use reprsim_train::{InitialStates, TaskConfig, TrainingConfig};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::reader::Reader;
use super::sections::ExperimentFile;
use crate::error::ConfigError;
use crate::evaluation::EvaluationSettings;
use crate::experiment::{AnalysisConfig, DatasetConfig, Experiment, ProbeConfig, swept_models};
use crate::sweep::{Axis, Sweep};

/// Reads and checks an experiment file, which may ask for any of `evaluations`. (Whether its
/// data sets are on this machine is found out when they are opened, before the run directory
/// is touched.)
///
/// # Errors
/// [`ConfigError::File`] with file, line and remedy for anything wrong in the file.
pub fn read_experiment(
    path: &Path,
    evaluations: &[&dyn EvaluationSettings],
) -> Result<Experiment, ConfigError> {
    Ok(read_experiment_and_text(path, evaluations)?.0)
}

/// The same with the text of the file, which is read once: it may be gone, or another, later.
///
/// # Errors
/// As [`read_experiment`].
pub fn read_experiment_and_text(
    path: &Path,
    evaluations: &[&dyn EvaluationSettings],
) -> Result<(Experiment, String), ConfigError> {
    let text = file_text(path)?;
    let reader = Reader::new(path, &text)?;
    let file = reader.sections()?;
    let experiment = reader.resolve(file, evaluations)?;
    Ok((experiment, text))
}

/// The text of an experiment file.
pub(super) fn file_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|e| ConfigError::File {
        path: path.to_path_buf(),
        line: None,
        reason: match e.kind() {
            std::io::ErrorKind::NotFound => "no such experiment file".to_string(),
            _ => e.to_string(),
        },
        source: Some(e.into()),
    })
}

/// What of an experiment is about its models.
pub(super) struct Models {
    device: String,
    pub(super) dataset: DatasetConfig,
    input: Option<Resampling>,
    model: ModelConfig,
    initial: Option<InitialStates>,
    task: TaskConfig,
    training: TrainingConfig,
}

impl Models {
    /// The experiment, with what else it has.
    pub(super) fn experiment(
        self,
        file: ExperimentFile,
        sweeps: Vec<Sweep>,
        probes: Vec<ProbeConfig>,
        analysis: AnalysisConfig,
        evaluations: BTreeMap<String, Value>,
    ) -> Experiment {
        Experiment {
            seeds: file.seeds,
            name: file.name,
            description: file.description,
            root_seed: file.root_seed,
            device: self.device,
            pairing: file.pairing,
            dataset: self.dataset,
            input: self.input,
            model: self.model,
            initial: self.initial,
            task: self.task,
            training: self.training,
            sweeps,
            probes,
            pooling: file.analysis.pooling,
            analysis,
            evaluations,
            keep: file.keep,
        }
    }
}

impl Reader<'_> {
    /// The sections, whatever they say.
    pub(super) fn sections<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        let table = toml::de::Deserializer::from(self.root.clone());
        let mut track = serde_path_to_error::Track::new();
        let tracked = serde_path_to_error::Deserializer::new(table, &mut track);
        T::deserialize(tracked).map_err(|error| {
            // `axis[1].levels[2]`, in this module's way of writing it.
            let place = track.path().to_string().replace('[', ".").replace(']', "");
            let place = place.trim_start_matches('.').to_string();
            self.mistake(if place == "?" { "" } else { &place }, error)
        })
    }

    /// The sections that are about models.
    pub(super) fn models(&self, file: &ExperimentFile) -> Result<Models, ConfigError> {
        self.file_name("name", &file.name)?;
        let device = file.device.as_deref().unwrap_or("auto");
        reprsim_device::check_names(device)
            .map_err(|error| self.at("device", error.to_string()))?;
        let dataset = self.dataset(&file.dataset)?;
        let input = self.input(file, dataset.text.is_some())?;
        let (model, task) = self.model(file, &dataset)?;
        let training = self.training(file, &model, dataset.text.is_some())?;
        let initial = self.initial(file.initial.as_ref(), &model)?;
        Ok(Models {
            device: device.to_string(),
            dataset,
            input,
            model,
            initial,
            task,
            training,
        })
    }

    fn resolve(
        &self,
        file: ExperimentFile,
        evaluations: &[&dyn EvaluationSettings],
    ) -> Result<Experiment, ConfigError> {
        let found = self.models(&file)?;
        let (dataset, model) = (&found.dataset, &found.model);
        let labels = self.labels(&file.dataset, dataset)?;
        let sweeps = self.sweeps(&file, &labels, model)?;
        self.enough_samples(dataset, &sweeps)?;
        let probes = self.probes(&file.probe, dataset)?;
        self.few_enough_cells(file.seeds, &sweeps)?;
        let models = swept_models(model, &sweeps);
        let sizes = found.initial.iter().flat_map(|states| &states.sizes);
        if let Some(number) = sizes.map(|s| &s.model).position(|m| !models.contains(m)) {
            return Err(self.at(
                &format!("initial.sizes.{number}.model"),
                "no grid lists this architecture, with these settings, under size",
            ));
        }
        let analysis = self.analysis(&file.analysis, &models, &probes)?;
        let pooling = file.analysis.pooling;
        if let (Pooling::Last | Pooling::Tokens, None) = (pooling, &dataset.text) {
            let name = match pooling {
                Pooling::Last => "last",
                _ => "tokens",
            };
            return Err(self.at(
                "analysis.pooling",
                format!("pooling '{name}' is for text only"),
            ));
        }
        if found.task.teacher().is_some() {
            self.same_classes(&sweeps)?;
        }
        let evaluations = self.evaluations(&file.evaluation, evaluations)?;
        Ok(found.experiment(file, sweeps, probes, analysis, evaluations))
    }
}

/// Cells beyond which a number of seeds or levels is a slip of the keyboard.
const MOST_CELLS: usize = 100_000;

impl Reader<'_> {
    /// Refuses sweeps in which models have other classes than a teacher's.
    fn same_classes(&self, sweeps: &[Sweep]) -> Result<(), ConfigError> {
        match sweeps.iter().find(|s| s.divides_classes() || s.draws_tasks()) {
            Some(sweep) => Err(self.at(
                "task.teachers",
                format!(
                    "models of a {} sweep learn other classes than a teacher scores: take a data axis",
                    sweep.term()
                ),
            )),
            None => Ok(()),
        }
    }

    /// Refuses experiments that nobody could run.
    fn few_enough_cells(&self, seeds: usize, sweeps: &[Sweep]) -> Result<(), ConfigError> {
        self.positive("seeds", seeds)?;
        // Before they are made: a grid multiplies.
        let points = |sweep: &Sweep| {
            let of_axis = |axis: &Axis| axis.levels.len().max(1);
            let crossed = sweep
                .axes
                .iter()
                .map(of_axis)
                .fold(1, usize::saturating_mul);
            crossed.max(sweep.pairs.len())
        };
        let points = sweeps.iter().map(points).fold(0, usize::saturating_add);
        let cells = seeds.saturating_mul(points.saturating_add(1));
        match cells > MOST_CELLS {
            true => Err(self.at(
                "seeds",
                format!(
                    "seeds = {seeds}: {points} points and an untrained pair for each seed would be \
                     {cells} cells; at most {MOST_CELLS} are possible"
                ),
            )),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{SMALL, read};

    /// Each mistake is told with its line.
    #[test]
    fn mistakes_have_a_place() {
        for (from, to, told) in [
            (
                "epochs = 2",
                "epohcs = 2",
                ":15: unknown key 'epohcs' (did you mean 'epochs'?)",
            ),
            ("epochs = 2", "epochs = \"two\"", ":15: "),
            (
                "width = 2",
                "width = \"two\"",
                ":12: invalid type: string \"two\"",
            ),
            (
                "width = 2",
                "heads = 2",
                ":12: 'heads' is a setting of vit, gpt only",
            ),
            (
                "name = \"cnn\"",
                "name = \"cn\"",
                ":11: unknown model 'cn' (did you mean 'cnn'?)",
            ),
            (
                "name = \"sgd\"",
                "name = \"sdg\"",
                ":17: unknown optimizer 'sdg'",
            ),
            (
                "lr = 0.1",
                "lr = 0.1, beta_2 = 0.9",
                ":17: 'beta_2' is a setting of adamw only",
            ),
            ("lr = 0.1", "lr = inf", ":17: lr = inf: it must be a number"),
            (
                "batch = 32",
                "batch = 32\nlabel_smoothing = 0.1",
                ":17: 'label_smoothing' belongs under [task]",
            ),
            (
                "batch = 32\n",
                "",
                ":14: the key 'batch' is missing in [training]",
            ),
            ("0.5, 1]", "0.5, 1.5]", ":21: an overlap level = 1.5"),
            (
                "kind = \"data\"",
                "kind = \"dta\"",
                ":20: unknown axis kind 'dta' (did you mean 'data'?)",
            ),
            (
                "[[axis]]\nkind = \"data\"\nlevels = [0, 0.5, 1]",
                "[[grid]]\ndata = [0, 1]\nwdith = [1, 2]",
                ":21: unknown key 'wdith' (did you mean 'width'?)",
            ),
            (
                "samples = 60",
                "samples = 60\nkind = \"fxed\"",
                "unknown kind of probe 'fxed' (did you mean 'fixed'?)",
            ),
            (
                "[model]",
                "[task]\nname = \"predict\"\n\n[model]",
                ":11: the task predict needs scores of the next token",
            ),
            (
                "[analysis]",
                "[evaluation.accuracy]\n\n[analysis]",
                ":27: unknown evaluation 'accuracy'",
            ),
            (
                "[model]",
                "[input]\nsize = 0\n\n[model]",
                ":11: size = 0; a side has 1 to 4096 pixels",
            ),
            (
                "[model]",
                "[input]\nsize = 56\nresize = 40\n\n[model]",
                ":12: resize = 40: a square of 56 pixels",
            ),
            (
                "[model]",
                "[input]\nsize = 56\nfilter = \"bicubik\"\n\n[model]",
                ":12: unknown filter 'bicubik' (did you mean 'bicubic'?)",
            ),
            (
                "train_samples = 400",
                "train_samples = 400\nnormalization = \"imagnet\"",
                ":8: unknown normalization 'imagnet' (did you mean 'imagenet'?)",
            ),
            (
                "train_samples = 400",
                "train_samples = 400\nnormalization = { mean = [0.5], sdt = [0.5] }",
                ":8: unknown key 'sdt' (did you mean 'std'?)",
            ),
            (
                "train_samples = 400",
                "train_samples = 400\nnormalization = 0.5",
                ":8: invalid type: floating point `0.5`, expected a name, or a table",
            ),
            (
                "train_samples = 400",
                "train_samples = 400\nsize = 56\nresize = 64",
                ":9: 'resize' is a setting of folder only",
            ),
            ("name = \"small\"", "name = \"small", ":1: "),
        ] {
            let text = SMALL.replacen(from, to, 1);
            assert_ne!(text, SMALL, "{from}");
            let error = read(&text).unwrap_err();
            assert!(error.contains(told), "{to}: {error}");
        }
    }

    /// What images are brought to; a name stands for its values, and what is default for nothing.
    #[test]
    fn inputs_and_normalizations() {
        let with = |input: &str, normalization: &str| {
            let text = SMALL.replacen("[model]", &format!("[input]\n{input}\n\n[model]"), 1);
            let given = format!("train_samples = 400\nnormalization = {normalization}");
            read(&text.replacen("train_samples = 400", &given, 1)).unwrap()
        };
        let named = with("size = 56", "\"inception\"");
        let table = "{ mean = [0.5, 0.5, 0.5], std = [0.5, 0.5, 0.5] }";
        let spelled = with("size = 56\nresize = 56\nfilter = \"bilinear\"", table);
        assert_eq!(named, spelled);
        let imagenet = with("size = 56", "\"imagenet\"")
            .dataset
            .normalization
            .unwrap();
        assert_eq!(imagenet.std, [0.229, 0.224, 0.225]);
    }

    #[test]
    fn defaults_are_filled_in() {
        let experiment = read(SMALL).unwrap();
        assert_eq!(experiment.task.name(), "classify");
        assert_eq!(experiment.training.clip, None);
        assert_eq!(experiment.analysis.measures.len(), 3);
        assert!(experiment.initial.is_none() && experiment.keep.checkpoints);
    }
}
