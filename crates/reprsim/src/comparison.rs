//! Models as files of activations, compared layer by layer.

use std::ops::Range;
use std::path::{Path, PathBuf};

use reprsim_activations::{ActivationFile, LayerMatrix, Pool};
use reprsim_config::ExperimentError;
use reprsim_metrics::{
    Interval, Layer, LeaveOneOut, Measure, Options, Permutations, Score, Set, Source, maximum,
};

use burn::tensor::Device;

/// A layer in a file, read by rows.
struct Stored(LayerMatrix);

impl Source for Stored {
    fn shape(&self) -> [usize; 2] {
        self.0.shape()
    }

    fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), String> {
        self.0.read(rows, out)
    }
}

/// The models to compare.
pub(crate) struct Models {
    pub names: Vec<String>,
    pub set: Set,
}

impl Models {
    /// Opens the files and checks that they are of the same samples.
    pub fn open(
        files: &[PathBuf],
        pool: Option<Pool>,
        device: &Device,
        options: Options,
    ) -> anyhow::Result<Self> {
        let opened = (files.iter())
            .map(|path| ActivationFile::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        for (i, a) in opened.iter().enumerate() {
            for b in &opened[i + 1..] {
                if let (Some(x), Some(y)) = (&a.ids, &b.ids) {
                    x.check(y).map_err(|reason| {
                        usage(format!(
                            "{} and {} are not of the same samples: {reason}",
                            a.path.display(),
                            b.path.display()
                        ))
                    })?;
                }
            }
        }
        let mut models = Vec::new();
        let mut first: Option<(usize, String)> = None;
        for file in &opened {
            let mut layers = Vec::new();
            for stored in &file.layers {
                let matrix = stored.matrix(pool)?;
                let [n, _] = matrix.shape();
                let what = format!("layer '{}' of {}", stored.name, file.path.display());
                match &first {
                    None => first = Some((n, what)),
                    Some((rows, other)) if *rows != n => {
                        return Err(usage(format!(
                            "{what} has {n} rows and {other} has {rows}: they must be of the same \
                             samples in the same order"
                        ))
                        .into());
                    }
                    Some(_) => (),
                }
                layers.push(Layer::new(stored.name.clone(), Stored(matrix)));
            }
            models.push(layers);
        }
        Ok(Self {
            names: names(files),
            set: Set::new(models, device, options)?,
        })
    }
}

fn usage(reason: String) -> ExperimentError {
    ExperimentError::Usage(reason)
}

/// File stems, or whole paths where stems are the same.
fn names(files: &[PathBuf]) -> Vec<String> {
    let stem = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default();
        stem.to_string_lossy().into_owned()
    };
    let stems: Vec<String> = files.iter().map(|f| stem(f)).collect();
    (stems.iter().zip(files))
        .map(
            |(name, path)| match stems.iter().filter(|s| *s == name).count() {
                1 => name.clone(),
                _ => path.display().to_string(),
            },
        )
        .collect()
}

/// What is asked of each pair of models.
pub(crate) struct Question {
    pub measures: Vec<&'static dyn Measure>,
    pub permutations: usize,
    pub half_samples: usize,
    pub leverage: bool,
    pub seed: u64,
}

/// The sample whose absence changes a score most, and the score without it.
pub(crate) type Influence = Option<(usize, f64)>;

/// Two models, all their layers.
pub(crate) struct PairOfModels {
    pub a: usize,
    pub b: usize,
    pub pairs: Vec<(usize, usize)>,
    /// A row a measure, an entry a pair.
    pub scores: Vec<Vec<Score>>,
    pub intervals: Option<Vec<Vec<Option<Interval>>>>,
    /// The most influential sample of each linear CKA and the value without it.
    pub influence: Vec<Vec<Influence>>,
    /// The best pair of layers of each measure, if there are several.
    pub best: Vec<Option<(usize, Score)>>,
}

impl Question {
    /// Compares each model with each later one; `on_stage` hears what is being
    /// done.
    pub fn ask(
        &self,
        models: &Models,
        on_stage: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Vec<PairOfModels>> {
        let set = &models.set;
        let permutations = Permutations::random(set.rows(), self.permutations, self.seed);
        let count = models.names.len();
        let couples: Vec<(usize, usize)> = (0..count)
            .flat_map(|a| (a + 1..count).map(move |b| (a, b)))
            .collect();
        // All pairs of layers in one plan: what a layer needs is computed once.
        let all: Vec<(usize, usize)> = (couples.iter())
            .flat_map(|(a, b)| set.pairs(*a, *b))
            .collect();
        let scores = set.compare(&self.measures, &all, &permutations, on_stage)?;
        let intervals = match self.half_samples {
            0 => None,
            draws => {
                let values: Vec<Vec<Option<f64>>> = (scores.iter())
                    .map(|row| row.iter().map(|s| s.value.ok()).collect())
                    .collect();
                let mut heard = |done| on_stage(&format!("half-sample {done} of {draws}"));
                let seed = self.seed.wrapping_add(1);
                Some(set.intervals(&self.measures, &all, &values, draws, seed, &mut heard)?)
            }
        };
        let mut out = Vec::new();
        let mut start = 0;
        for (a, b) in couples {
            let pairs = set.pairs(a, b);
            let part = start..start + pairs.len();
            start = part.end;
            let scores: Vec<Vec<Score>> = scores
                .iter()
                .map(|row| row[part.clone()].to_vec())
                .collect();
            let best = (scores.iter())
                .map(|row| match row.len() {
                    1 => None,
                    _ => maximum(row.iter()),
                })
                .collect();
            out.push(PairOfModels {
                a,
                b,
                influence: self.influence(set, &pairs, &scores, on_stage)?,
                intervals: (intervals.as_ref())
                    .map(|rows| rows.iter().map(|row| row[part.clone()].to_vec()).collect()),
                pairs,
                scores,
                best,
            });
        }
        Ok(out)
    }

    fn influence(
        &self,
        set: &Set,
        pairs: &[(usize, usize)],
        scores: &[Vec<Score>],
        on_stage: &mut dyn FnMut(&str),
    ) -> anyhow::Result<Vec<Vec<Influence>>> {
        let mut out = vec![vec![None; pairs.len()]; self.measures.len()];
        let linear = |m: &&dyn Measure| match m.properties().name {
            "cka_linear_biased" => Some(false),
            "cka_linear_debiased" => Some(true),
            _ => None,
        };
        if !self.leverage || !self.measures.iter().any(|m| linear(m).is_some()) {
            return Ok(out);
        }
        on_stage("influence of each sample");
        let without = set.leave_one_out(pairs)?;
        for (at, (pair, without)) in pairs.iter().zip(without).enumerate() {
            let Ok(without) = without else { continue };
            for ((measure, scores), out) in self.measures.iter().zip(scores).zip(&mut out) {
                let values = match linear(measure) {
                    Some(true) => &without.debiased,
                    Some(false) => &without.biased,
                    None => continue,
                };
                let Ok(score) = scores[at].value else {
                    continue;
                };
                if let Some(sample) = LeaveOneOut::most_influential(score, values) {
                    let value = set.without(sample, *measure, *pair)?;
                    out[at] = value.ok().map(|value| (sample, value));
                }
            }
        }
        Ok(out)
    }
}
