//! Runs one cell: split, train both models, extract, measure.

use std::path::Path;
use std::time::Duration;

use burn::tensor::{Int, Tensor};
use rand::RngExt;
use reprsim_base::Stream;
use reprsim_data::split::{Labelling, ModelSamples, Reached};
use reprsim_extract::{ProbeActivations, extract, write_activations};
use reprsim_metrics::{Layer, Options, Permutations, Set};
use reprsim_models::{ModelConfig, ModelShape, Network, Objective, Pooling};
use reprsim_train::{
    DeviceImages, DeviceSamples, Epoch, LanguageConfig, Resume, TextSet, TrainingConfig,
    TrainingSet, load_checkpoint, read_epochs, save_checkpoint, train, train_language,
    write_epochs,
};
use serde::Serialize;

use reprsim_config::ExperimentError;
use crate::context::{Context, ProbeSamples};
use reprsim_config::{AxisKind, Point, Sweep};
use reprsim_config::Cell;
use crate::results::{CellResult, ModelResult, RESULT_SCHEMA, Score};
use crate::store::write_json;

/// Samples in one forward pass when extracting.
pub(crate) const EXTRACT_BATCH: usize = 500;
/// Windows of text in one forward pass when extracting.
pub(crate) const EXTRACT_WINDOWS: usize = 50;
/// Least time between two snapshots of the training of a language model.
const SNAPSHOT_EVERY: Duration = Duration::from_secs(60);

/// What `split.json` records.
#[derive(Serialize)]
struct SplitRecord<'a> {
    schema: u32,
    cell: &'a str,
    /// The random stream the split was drawn from.
    stream: String,
    sweep: Option<String>,
    point: Option<&'a Point>,
    samples_per_model: usize,
    classes_per_model: usize,
    /// Counted from the indices and labels.
    overlap_reached: Option<Reached>,
    a: ModelRecord<'a>,
    b: ModelRecord<'a>,
}

#[derive(Serialize)]
struct ModelRecord<'a> {
    labelling: &'a Labelling,
    indices: &'a [u32],
}

/// Runs `cell` in `directory` and returns its result; `on_epoch` hears of each
/// epoch of each model (`a`, `b`). A model whose checkpoint is there already is
/// not trained again.
pub(crate) fn run_cell(
    context: &Context,
    cell: &Cell,
    measuring: &str,
    directory: &Path,
    on_epoch: &mut dyn FnMut(&str, &Epoch),
) -> Result<CellResult, ExperimentError> {
    let experiment = &context.experiment;
    let stream = cell.stream(experiment);
    let sweep = cell.sweep(experiment);
    let pair = context.training.split(experiment, cell)?;
    let reached = sweep.map(|_| pair.reached());
    write_json(
        &directory.join("split.json"),
        &SplitRecord {
            schema: 2,
            cell: &cell.hash,
            stream: stream.child("split").id(),
            sweep: sweep.map(Sweep::name),
            point: cell.point().map(|(_, point)| point),
            samples_per_model: pair.a.indices.len(),
            classes_per_model: pair.a.classes,
            overlap_reached: reached,
            a: ModelRecord {
                labelling: &pair.a.labelling,
                indices: &pair.a.indices,
            },
            b: ModelRecord {
                labelling: &pair.b.labelling,
                indices: &pair.b.indices,
            },
        },
    )?;

    let trained = sweep.is_some();
    let config = cell.model(experiment);
    let mut model = |name: &'static str, samples: &ModelSamples| {
        let job = ModelJob {
            context,
            cell,
            name,
            samples,
            config: &config,
            stream: stream.child(name),
            trained,
        };
        job.network(directory, on_epoch)
    };
    let (network_a, epochs_a) = model("a", &pair.a)?;
    let (network_b, epochs_b) = model("b", &pair.b)?;

    let classes_vary = sweep.is_some_and(|s| s.has(AxisKind::Class));
    let mut scores = Vec::new();
    for prepared in &context.probes {
        let pair = classes_vary.then_some(&pair);
        let Some(probed) = context.probe_for(prepared, pair, &stream)? else {
            continue;
        };
        let ProbeSamples {
            probe,
            samples,
            blocks,
        } = &probed;
        if probe.indices.is_empty() {
            continue;
        }
        let run = |network: &Network| {
            extract(
                network,
                samples,
                &probe.ids_sha256,
                experiment.pooling,
                extract_batch(samples),
            )
        };
        let (a, b) = (run(&network_a), run(&network_b));
        if experiment.keep.activations {
            let folder = directory.join("activations");
            std::fs::create_dir_all(&folder).map_err(|e| ExperimentError::store(&folder, e))?;
            for (name, activations) in [("a", &a), ("b", &b)] {
                let file = folder.join(format!("{}.{name}.safetensors", prepared.config.name));
                let info = [
                    ("model", name),
                    ("cell", cell.hash.as_str()),
                    ("probe", prepared.config.name.as_str()),
                    ("architecture", config.name()),
                ];
                write_activations(activations, &file, &info)?;
            }
        }
        // Where every token is a sample, those of a window are in its block.
        let rows = match (experiment.pooling, samples) {
            (Pooling::Tokens, DeviceSamples::Tokens(tokens)) => tokens.window(),
            _ => 1,
        };
        let blocks: Vec<u32> = blocks
            .iter()
            .flat_map(|&block| std::iter::repeat_n(block, rows))
            .collect();
        let name = &prepared.config.name;
        measure(context, &stream, name, &blocks, &a, &b, &mut scores)?;
    }

    let result = |network: &Network, samples: &ModelSamples, epochs: &[Epoch]| {
        // The last epoch, or of a language model the evaluation whose network was kept.
        let kept = epochs.iter().reduce(|best, epoch| {
            let worse = best.validation_loss <= epoch.validation_loss;
            if worse && best.validation_loss.is_some() {
                best
            } else {
                epoch
            }
        });
        Ok::<_, ExperimentError>(ModelResult {
            train_loss: kept.map(|e| e.loss),
            train_accuracy: kept.and_then(|e| e.accuracy),
            validation_loss: kept.and_then(|e| e.validation_loss),
            test_accuracy: match trained && config.objective() == Objective::Classify {
                true => accuracy(context, network, samples)?,
                false => None,
            },
        })
    };
    Ok(CellResult {
        schema: RESULT_SCHEMA,
        cell: cell.hash.clone(),
        measuring: measuring.to_string(),
        device: context.device_name.clone(),
        samples_shared: reached.map(|r| r.samples),
        labels_shared: reached.map(|r| r.labels),
        train_samples: if trained { pair.a.indices.len() } else { 0 },
        a: result(&network_a, &pair.a, &epochs_a)?,
        b: result(&network_b, &pair.b, &epochs_b)?,
        scores,
    })
}

struct ModelJob<'a> {
    context: &'a Context,
    cell: &'a Cell,
    name: &'static str,
    samples: &'a ModelSamples,
    config: &'a ModelConfig,
    stream: Stream,
    trained: bool,
}

impl ModelJob<'_> {
    /// The model, from its checkpoint or trained now, with its history.
    fn network(
        &self,
        directory: &Path,
        on_epoch: &mut dyn FnMut(&str, &Epoch),
    ) -> Result<(Network, Vec<Epoch>), ExperimentError> {
        let experiment = &self.context.experiment;
        let shape = ModelShape {
            input: self.context.train_samples.shape(),
            classes: self.samples.classes,
        };
        let checkpoint = directory.join(format!("{}.safetensors", self.name));
        let history = directory.join(format!("{}.train.jsonl", self.name));
        if self.trained && checkpoint.exists() {
            let network = load_checkpoint(&checkpoint, self.config, shape, &self.context.device);
            // A damaged checkpoint is trained anew.
            if let (Ok(network), Ok(epochs)) = (network, read_epochs(&history))
                && experiment.training.is_history(&epochs)
            {
                return Ok((network, epochs));
            }
        }
        let mut config = experiment.training.clone();
        if !self.trained {
            config.epochs = 0;
            config.language.iter_mut().for_each(|l| l.steps = 0);
        }
        let mut epochs = Vec::new();
        let snapshot = directory.join(format!("{}.snapshot", self.name));
        let trained = {
            let on_epoch = &mut |epoch: &Epoch| {
                on_epoch(self.name, epoch);
                epochs.push(epoch.clone());
            };
            match (&self.context.train_samples, &config.language) {
                (DeviceSamples::Images(images), _) => self.image_model(images, &config, on_epoch),
                (DeviceSamples::Tokens(_), Some(language)) => {
                    self.language_model(&config, language, &snapshot, on_epoch)
                }
                (DeviceSamples::Tokens(_), None) => {
                    unreachable!("text without language settings is refused when it is read")
                }
            }
        };
        if self.trained {
            // The history first: a checkpoint without one is trained anew, and
            // one that diverged can be looked at.
            write_epochs(&history, &epochs).map_err(|e| ExperimentError::store(&history, e))?;
        }
        let network = trained?;
        if self.trained && experiment.keep.checkpoints {
            let info = [
                ("cell", self.cell.hash.as_str()),
                ("model", self.name),
                ("architecture", self.config.name()),
            ];
            save_checkpoint(&network, &checkpoint, &info)?;
        }
        // Whoever goes on from here has the checkpoint, or trains anew.
        let _ = std::fs::remove_file(snapshot);
        Ok((network, epochs))
    }

    fn image_model(
        &self,
        images: &DeviceImages,
        config: &TrainingConfig,
        on_epoch: &mut dyn FnMut(&Epoch),
    ) -> Result<Network, ExperimentError> {
        let placeholder = [0];
        let (indices, labels) = if self.trained {
            (
                self.samples.indices.as_slice(),
                self.samples.labels.as_slice(),
            )
        } else {
            (placeholder.as_slice(), placeholder.as_slice())
        };
        let set = TrainingSet {
            samples: images,
            indices,
            labels,
            classes: self.samples.classes,
        };
        let device = &self.context.device;
        Ok(train(
            self.name,
            self.config,
            &set,
            config,
            &self.stream,
            device,
            on_epoch,
        )?)
    }

    fn language_model(
        &self,
        config: &TrainingConfig,
        language: &LanguageConfig,
        snapshot: &Path,
        on_epoch: &mut dyn FnMut(&Epoch),
    ) -> Result<Network, ExperimentError> {
        let validation = self.context.validation_for(self.samples, language)?;
        let resume = Resume {
            path: snapshot,
            key: &self.cell.hash,
            every: SNAPSHOT_EVERY,
        };
        let set = TextSet {
            dataset: &self.context.training.dataset,
            chunks: &self.samples.indices,
            validation: &validation,
            resume: self.trained.then_some(resume),
        };
        let device = &self.context.device;
        Ok(train_language(
            self.name,
            self.config,
            &set,
            config,
            &self.stream,
            device,
            on_epoch,
        )?)
    }
}

/// Samples in one forward pass.
pub(crate) fn extract_batch(samples: &DeviceSamples) -> usize {
    match samples {
        DeviceSamples::Images(_) => EXTRACT_BATCH,
        DeviceSamples::Tokens(_) => EXTRACT_WINDOWS,
    }
}

/// All layer pairs, all measures.
fn measure(
    context: &Context,
    stream: &Stream,
    probe: &str,
    blocks: &[u32],
    a: &ProbeActivations,
    b: &ProbeActivations,
    scores: &mut Vec<Score>,
) -> Result<(), ExperimentError> {
    a.check_same_samples(b)?;
    let analysis = &context.experiment.analysis;
    let layers = |activations: &ProbeActivations| {
        activations
            .layers
            .iter()
            .map(|l| Layer::from_tensor(l.name.clone(), l.values.clone()))
            .collect::<Result<Vec<Layer>, _>>()
    };
    let options = Options {
        k: analysis.k,
        ..Options::default()
    };
    let set = Set::new(vec![layers(a)?, layers(b)?], &context.device, options)?;
    let seed = stream.child("permutations").child(probe).rng().random();
    let permutations = match blocks.is_empty() {
        true => Permutations::random(set.rows(), analysis.permutations, seed),
        false => Permutations::of_blocks(blocks, analysis.permutations, seed),
    };
    let pairs = set.pairs(0, 1);
    let measures = analysis.measures();
    let table = set.compare(&measures, &pairs, &permutations, &mut |_| ())?;
    for (measure, row) in measures.iter().zip(table) {
        for ((i, j), score) in pairs.iter().zip(row) {
            let (x, y) = (&set.layers()[*i], &set.layers()[*j]);
            let calibration = score.calibration(measure.largest(analysis.k));
            scores.push(Score {
                probe: probe.to_string(),
                layer_a: x.name.clone(),
                layer_b: y.name.clone(),
                measure: measure.full_name(analysis.k),
                value: score.value.ok(),
                undefined: score.value.err().map(|e| e.to_string()),
                n: x.rows(),
                d_a: x.width(),
                d_b: y.width(),
                // What is known in closed form is the mean over all permutations of
                // samples, not of blocks.
                null_mean: score
                    .null_mean
                    .filter(|_| blocks.is_empty())
                    .or(calibration.map(|c| c.null_mean)),
                p_permutation: calibration.map(|c| c.p),
                calibrated: calibration.and_then(|c| c.calibrated),
            });
        }
    }
    Ok(())
}

/// Accuracy on the held-out samples of the classes the model knows; `None` if there
/// are none.
fn accuracy(
    context: &Context,
    network: &Network,
    samples: &ModelSamples,
) -> Result<Option<f64>, ExperimentError> {
    let labels = samples.labelling.labels(&context.test)?;
    // Predictions stay on the device and are read once.
    let predicted: Vec<Tensor<2, Int>> = (0..labels.len())
        .step_by(EXTRACT_BATCH)
        .map(|start| {
            let end = (start + EXTRACT_BATCH).min(labels.len());
            let batch = context.test_samples.slice(start, end);
            network.forward(batch).argmax(1)
        })
        .collect();
    if predicted.is_empty() {
        return Ok(None);
    }
    let predicted = Tensor::cat(predicted, 0)
        .try_into_data()
        .map_err(|e| reprsim_extract::ExtractError::Device(e.to_string()))?;
    let (mut known, mut right) = (0usize, 0usize);
    for (label, prediction) in labels.iter().zip(predicted.iter::<i64>()) {
        if let Some(label) = label {
            known += 1;
            right += usize::from(i64::from(*label) == prediction);
        }
    }
    Ok((known > 0).then(|| right as f64 / known as f64))
}
