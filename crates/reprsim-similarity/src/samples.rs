//! Which samples are compared: matched by their ids, drawn, and grouped.

use std::collections::{BTreeMap, HashMap};

use rand::seq::SliceRandom;
use reprsim_activations::{Labels, SampleIds};
use reprsim_base::{Stream, ask_memory};

use crate::error::SimilarityError;
use crate::models::{self, ModelActivations};

/// Ids of missing samples that are named.
const NAMED: usize = 5;

/// What came of matching rows by the ids of their samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alignment {
    /// Samples that all models have.
    pub kept: usize,
    /// One a model, in order.
    pub left_out: Vec<LeftOut>,
}

/// Rows of a model whose samples another does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// The model.
    pub model: String,
    /// How many.
    pub count: usize,
    /// The first of their ids.
    pub first: Vec<String>,
    /// Whether the rows that are kept were in another order than those of the first model.
    pub reordered: bool,
}

/// The models with the rows alone whose samples all of them have, in the order of the first, and
/// which were left out.
///
/// # Errors
/// [`SimilarityError::NoIds`] if a model says nothing of its samples one by one,
/// [`SimilarityError::IdsAndRows`], [`SimilarityError::IdTwice`], or
/// [`SimilarityError::NoCommonSample`].
pub fn align(
    models: &[ModelActivations],
) -> Result<(Vec<ModelActivations>, Alignment), SimilarityError> {
    if models.len() < 2 {
        return Err(SimilarityError::TooFewModels(models.len()));
    }
    let mut all: Vec<Labels> = Vec::new();
    for model in models {
        let ids = model.ids.as_ref().and_then(SampleIds::labels);
        all.push(ids.ok_or_else(|| SimilarityError::NoIds(model.name.clone()))?);
        model.check_ids()?;
    }
    // Numbers and texts are the same samples if they are written alike.
    let texts: Vec<Vec<String>> = all.iter().map(Labels::texts).collect();
    let mut places: Vec<HashMap<&str, u32>> = Vec::new();
    for (model, ids) in models.iter().zip(&texts) {
        let mut place = HashMap::new();
        for (row, id) in ids.iter().enumerate() {
            if let Some(first) = place.insert(id.as_str(), row as u32) {
                return Err(SimilarityError::IdTwice {
                    model: model.name.clone(),
                    id: id.clone(),
                    first: first as usize,
                    second: row,
                });
            }
        }
        places.push(place);
    }
    let is_common = |id: &str| places.iter().all(|place| place.contains_key(id));
    let common: Vec<&str> = (texts[0].iter())
        .map(String::as_str)
        .filter(|id| is_common(id))
        .collect();
    if common.is_empty() {
        let id = |of: usize| texts[of].first().cloned().unwrap_or_default();
        // The first with which the first model has none in common, or else the last.
        let apart = |of: &usize| {
            !texts[0]
                .iter()
                .any(|id| places[*of].contains_key(id.as_str()))
        };
        let b = (1..models.len()).find(apart).unwrap_or(models.len() - 1);
        return Err(SimilarityError::NoCommonSample {
            a: models[0].name.clone(),
            id_a: id(0),
            b: models[b].name.clone(),
            id_b: id(b),
        });
    }
    let mut aligned = Vec::new();
    let mut left_out = Vec::new();
    for ((model, ids), place) in models.iter().zip(&texts).zip(&places) {
        let rows: Vec<u32> = common.iter().map(|id| place[id]).collect();
        let missing = || ids.iter().filter(|id| !is_common(id));
        left_out.push(LeftOut {
            model: model.name.clone(),
            count: ids.len() - rows.len(),
            first: missing().take(NAMED).cloned().collect(),
            reordered: !rows.is_sorted(),
        });
        let whole = rows.len() == ids.len() && rows.is_sorted();
        aligned.push(match whole {
            true => model.clone(),
            false => model.select(&rows),
        });
    }
    // Ids that are written alike are alike from here on.
    let ids: SampleIds = match aligned[0].ids.clone() {
        Some(ids) => ids,
        None => return Err(SimilarityError::NoIds(models[0].name.clone())),
    };
    for model in &mut aligned {
        model.ids = Some(ids.clone());
    }
    let kept = common.len();
    Ok((aligned, Alignment { kept, left_out }))
}

/// The block of each row by the labels `name`, which at least one model has, and all that have them
/// have alike.
///
/// # Errors
/// [`SimilarityError::NoColumn`], [`SimilarityError::ColumnsDiffer`], or what keeps the models from
/// being compared.
pub fn blocks(models: &[ModelActivations], name: &str) -> Result<Vec<u32>, SimilarityError> {
    models::check(models)?;
    let mut first: Option<(&ModelActivations, SampleIds)> = None;
    for model in models {
        let Some(labels) = model.column(name) else {
            continue;
        };
        let labels = SampleIds::from(labels.clone());
        let Some((known, of)) = &first else {
            first = Some((model, labels));
            continue;
        };
        of.check(&labels)
            .map_err(|difference| SimilarityError::ColumnsDiffer {
                column: name.into(),
                a: known.name.clone(),
                b: model.name.clone(),
                difference: Box::new(difference),
            })?;
    }
    match first.and_then(|(_, labels)| labels.labels()) {
        Some(labels) => Ok(labels.numbered()),
        None => {
            let mut known: Vec<String> = Vec::new();
            for (column, _) in models.iter().flat_map(|model| &model.columns) {
                if !known.contains(column) {
                    known.push(column.clone());
                }
            }
            Err(SimilarityError::NoColumn {
                name: name.into(),
                known,
            })
        }
    }
}

/// The models with at most so many of their rows, the same in all, drawn without replacement by the
/// stream `max-samples` of `seed` and left in their order; of blocks, which depend on each other,
/// whole ones, as many as there is room for.
///
/// # Errors
/// What keeps the models from being compared, [`SimilarityError::Blocks`], or
/// [`SimilarityError::NoSamples`].
pub fn draw(
    models: &[ModelActivations],
    most: usize,
    whole_blocks: &[u32],
    seed: u64,
) -> Result<Vec<ModelActivations>, SimilarityError> {
    models::check(models)?;
    let rows = models.first().map_or(0, ModelActivations::rows);
    let blocks = whole_blocks.len();
    if blocks != 0 && blocks != rows {
        return Err(SimilarityError::Blocks { blocks, rows });
    }
    if most == 0 {
        return Err(SimilarityError::NoSamples);
    }
    if rows <= most {
        return Ok(models.to_vec());
    }
    let what = format!("a draw of {rows} samples");
    ask_memory(2 * size_of::<u32>() as u128 * rows as u128, what)?;
    let mut rng = Stream::new(seed).child("max-samples").rng();
    let mut drawn: Vec<u32> = match whole_blocks {
        [] => {
            let mut all: Vec<u32> = (0..rows as u32).collect();
            let (drawn, _) = all.partial_shuffle(&mut rng, most);
            drawn.to_vec()
        }
        blocks => {
            let mut members: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
            for (row, block) in blocks.iter().enumerate() {
                members.entry(*block).or_default().push(row as u32);
            }
            let mut members: Vec<Vec<u32>> = members.into_values().collect();
            members.shuffle(&mut rng);
            let mut drawn = Vec::new();
            for block in members {
                if drawn.len() + block.len() <= most {
                    drawn.extend(block);
                }
            }
            drawn
        }
    };
    if drawn.is_empty() {
        return Err(SimilarityError::NoSamples);
    }
    drawn.sort_unstable();
    Ok(models.iter().map(|model| model.select(&drawn)).collect())
}
