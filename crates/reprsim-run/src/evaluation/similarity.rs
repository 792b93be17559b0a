//! How alike the two models' layers are, on every probe, by every measure.

use rand::RngExt;
use reprsim_base::SettingsError;
use reprsim_config::{EvaluationSettings, Experiment, Form, ProbeConfig, placeless};
use reprsim_extract::{ProbeActivations, extract_all, write_activations};
use reprsim_models::{Pooling, SampleShape};
use reprsim_similarity::{self as similarity, Comparison, ModelActivations, Question};
use schemars::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contract::{Pair, PairEvaluation, row, schema_of, settings_of};
use crate::cell::extract_batch;
use crate::context::ProbeSamples;
use crate::error::RunError;
use crate::results::{Row, Score};

/// Similarity of all pairs of layers. Its settings are the sections `[[probe]]` and
/// `[analysis]`, which hold what was declared.
#[derive(Clone, Copy, Debug)]
pub struct Similarity;

/// Settings of a section of its own: none.
#[derive(Clone, Debug, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Settings {}

impl EvaluationSettings for Similarity {
    fn name(&self) -> &'static str {
        "similarity"
    }

    fn settings(&self, given: &Value) -> Result<Value, SettingsError> {
        settings_of::<Settings>(given)
    }

    fn schema(&self) -> Schema {
        schema_of::<Settings>()
    }
}

impl PairEvaluation for Similarity {
    fn version(&self) -> u32 {
        1
    }

    fn is_always(&self) -> bool {
        true
    }

    fn determine(&self, experiment: &Experiment, form: &mut Form) {
        let analysis = &experiment.analysis;
        form.add("probes", placeless(&experiment.probes));
        form.add("pooling", experiment.pooling);
        form.add("measures", &analysis.measures);
        form.add("k", analysis.k);
        form.add("permutations", analysis.permutations);
        form.add("keep.activations", experiment.keep.activations);
    }

    fn columns(&self) -> &'static [&'static str] {
        &[
            "probe",
            "layer_a",
            "layer_b",
            "measure",
            "value",
            "undefined",
            "n",
            "d_a",
            "d_b",
            "null_mean",
            "p_permutation",
            "calibrated",
        ]
    }

    fn rows(&self, pair: &Pair<'_>) -> Result<Vec<Row>, RunError> {
        let scores = scores(pair, Wanted::Everything)?;
        scores.into_iter().map(row).collect()
    }
}

/// What is found out of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All that the experiment asks for.
    Everything,
    /// Values alone: nothing is permuted, and no activations are kept.
    Values,
}

/// The scores of a pair on all probes.
pub(crate) fn scores(pair: &Pair<'_>, wanted: Wanted) -> Result<Vec<Score>, RunError> {
    let experiment = pair.experiment();
    let sweep = pair.cell.sweep(experiment);
    let split = sweep.filter(|s| s.divides_classes()).map(|_| pair.split);
    let mut scores = Vec::new();
    for config in &experiment.probes {
        pair.context.go_on()?;
        let Some(probed) = pair.context.probe_for(config, split, pair.stream)? else {
            continue;
        };
        if probed.probe.indices.is_empty() {
            continue;
        }
        scores.extend(on_probe(pair, config, &probed, wanted)?);
    }
    Ok(scores)
}

impl Similarity {
    /// The scores in a cell's rows.
    ///
    /// # Errors
    /// That of a row that is no score.
    pub(crate) fn of(rows: Vec<Row>) -> Result<Vec<Score>, serde_json::Error> {
        let rows = rows.into_iter().map(Value::Object);
        rows.map(serde_json::from_value).collect()
    }

    /// The rows of some scores.
    pub(crate) fn rows_of(scores: &[Score]) -> Result<Vec<Row>, RunError> {
        scores.iter().map(row).collect()
    }
}

/// All pairs of layers on one probe.
fn on_probe(
    pair: &Pair<'_>,
    config: &ProbeConfig,
    probed: &ProbeSamples,
    wanted: Wanted,
) -> Result<Vec<Score>, RunError> {
    let experiment = pair.experiment();
    let turn = pair.context.pass();
    let [a, b] = extract_all(
        pair.networks,
        &probed.supply,
        &probed.probe.ids_sha256,
        experiment.pooling,
        extract_batch(&probed.supply),
    )?;
    drop(turn);
    if experiment.keep.activations && wanted == Wanted::Everything {
        keep(pair, config, [&a, &b])?;
    }
    // Where every token is a sample, those of a window are in its block.
    let rows = match (experiment.pooling, probed.supply.shape()) {
        (Pooling::Tokens, SampleShape::Tokens { window, .. }) => window,
        _ => 1,
    };
    let blocks: Vec<u32> = (probed.blocks.iter())
        .flat_map(|&block| std::iter::repeat_n(block, rows))
        .collect();
    let permutations = match wanted {
        Wanted::Everything => experiment.analysis.permutations,
        Wanted::Values => 0,
    };
    measure(pair, &config.name, blocks, permutations, [&a, &b])
}

/// Writes the activations of both models.
fn keep(
    pair: &Pair<'_>,
    config: &ProbeConfig,
    activations: [&ProbeActivations; 2],
) -> Result<(), RunError> {
    let folder = pair.directory.join("activations");
    std::fs::create_dir_all(&folder).map_err(|e| RunError::store(&folder, e))?;
    for (name, activations) in ["a", "b"].into_iter().zip(activations) {
        let file = folder.join(format!("{}.{name}.safetensors", config.name));
        let info = [
            ("model", name),
            ("cell", pair.cell.hash.as_str()),
            ("probe", config.name.as_str()),
            ("architecture", pair.model.name()),
        ];
        write_activations(activations, &file, &info)?;
    }
    Ok(())
}

/// All layer pairs, all measures.
fn measure(
    pair: &Pair<'_>,
    probe: &str,
    blocks: Vec<u32>,
    permutations: usize,
    [a, b]: [&ProbeActivations; 2],
) -> Result<Vec<Score>, RunError> {
    a.check_same_samples(b)?;
    let analysis = &pair.experiment().analysis;
    let model = |name: &str, activations: &ProbeActivations| {
        (activations.layers.iter()).try_fold(ModelActivations::new(name), |model, layer| {
            model.tensor(layer.name.clone(), layer.values.clone())
        })
    };
    let stream = pair.stream.child("permutations").child(probe);
    let mut question = Question {
        k: analysis.k,
        permutations,
        blocks,
        seed: stream.rng().random(),
        ..Question::new(analysis.measures.iter().map(|m| m.measure()).collect())
    };
    if leaves_nothing_to_permute(&question) {
        log::warn!(
            "probe '{probe}': every sample {}: there is nothing to permute, and no p",
            question.exchange.immovable_because()
        );
        question.permutations = 0;
    }
    let comparison = Comparison::new(vec![model("a", a)?, model("b", b)?], question)?;
    let found = comparison.run(&pair.context.chosen.device, &mut |_| ())?;
    let rows = found
        .iter()
        .flat_map(|pair| &pair.measures)
        .flat_map(|measure| &measure.pairs);
    let score = |row: &similarity::Row| Score {
        probe: probe.to_string(),
        layer_a: row.layer_a.clone(),
        layer_b: row.layer_b.clone(),
        measure: row.measure.clone(),
        value: row.value.ok(),
        undefined: row.value.err().map(|e| e.to_string()),
        n: row.n,
        d_a: row.d_a,
        d_b: row.d_b,
        null_mean: row.null_mean,
        p_permutation: row.p,
        calibrated: row.calibrated,
    };
    Ok(rows.map(score).collect())
}

/// Whether no permutation could move a sample: of one document, say, which would end a run that has
/// trained.
fn leaves_nothing_to_permute(question: &Question) -> bool {
    let blocks = question.blocks.len();
    question.permutations > 0 && blocks > 0 && question.immovable() == blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_stay_are_not_permuted() {
        let of = |blocks: &[u32], permutations| Question {
            blocks: blocks.to_vec(),
            permutations,
            ..Question::new(Vec::new())
        };
        for (blocks, permutations, stays) in [
            (&[4, 4, 4][..], 9, true),
            (&[1, 1, 2], 9, true),
            (&[1, 1, 2], 0, false),
            (&[1, 2, 2, 3], 9, false),
            (&[], 9, false),
        ] {
            let question = of(blocks, permutations);
            assert_eq!(leaves_nothing_to_permute(&question), stays, "{blocks:?}");
        }
    }
}
