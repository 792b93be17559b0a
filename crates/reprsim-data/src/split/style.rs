//! Style overlap: the same items, drawn in the same or in different styles.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};

use super::pair::{Labelling, ModelSamples, PairSplit};
use super::round::round_half_even;
use super::share::check_share;
use crate::{DataError, Dataset};

/// A style-overlap split to make.
#[derive(Clone, Debug)]
pub struct StyleSplit<'a> {
    /// The training part.
    pub dataset: &'a Dataset,
    /// The factor that says what is drawn, such as `concept`.
    pub item: &'a str,
    /// The factor that says how, such as `artist`.
    pub style: &'a str,
    /// Samples per model; `None` takes every item that is drawn in two styles.
    pub per_model: Option<usize>,
    /// Overlap f in 0..=1.
    pub overlap: f64,
}

/// Gives both models one drawing of each of the same items: of a share f of the
/// items (ties to even) the same drawing, of the others drawings in two different
/// styles. Which model gets which style is drawn item by item, so that each sees all
/// styles equally often. Labels are the data set's own.
///
/// # Errors
/// [`DataError::Split`] if f is no share or there are fewer items in two styles than asked for;
/// [`DataError::UnknownFactor`] for a factor that does not exist.
pub fn split_styles(
    split: &StyleSplit<'_>,
    rng: &mut (impl Rng + ?Sized),
) -> Result<PairSplit, DataError> {
    check_share("style", split.overlap)?;
    let items = split.dataset.factor(split.item)?;
    let styles = split.dataset.factor(split.style)?;
    // Of each item the first drawing in each style.
    let mut drawings = vec![vec![None; styles.classes.len()]; items.classes.len()];
    for (index, (&item, &style)) in items.values.iter().zip(&styles.values).enumerate() {
        drawings[usize::from(item)][usize::from(style)].get_or_insert(index as u32);
    }
    let mut drawings: Vec<Vec<u32>> = drawings
        .into_iter()
        .map(|drawn| drawn.into_iter().flatten().collect())
        .filter(|drawn: &Vec<u32>| drawn.len() >= 2)
        .collect();
    let n = split.per_model.unwrap_or(drawings.len());
    if n == 0 || n > drawings.len() {
        return Err(DataError::Split(format!(
            "{n} samples a model need as many items ({}) in two styles ({}); the training part \
             has {}",
            split.item,
            split.style,
            drawings.len()
        )));
    }
    drawings.shuffle(rng);
    drawings.truncate(n);
    let shared = round_half_even(split.overlap * n as f64);
    let (labels, classes) = split.dataset.joint_label(&split.dataset.label)?;
    let mut a = Vec::with_capacity(n);
    let mut b = Vec::with_capacity(n);
    for (rank, drawn) in drawings.iter().enumerate() {
        let first = rng.random_range(0..drawn.len());
        // A second draw in any case, so that levels of one seed stay aligned.
        let step = rng.random_range(1..drawn.len());
        let second = (first + step) % drawn.len();
        a.push(drawn[first]);
        b.push(drawn[if rank < shared { first } else { second }]);
    }
    let model = |indices: Vec<u32>| ModelSamples {
        labels: indices.iter().map(|&i| labels[i as usize]).collect(),
        indices,
        classes,
        labelling: Labelling::Classes((0..classes as u32).collect()),
    };
    Ok(PairSplit {
        a: model(a),
        b: model(b),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::Part;
    use crate::color_shape_digit::{Settings, generate};
    use reprsim_base::Stream;

    /// Shapes drawn in ten colours: each item has several styles.
    fn drawn() -> Dataset {
        let mut set = generate(&Settings::default(), Part::Train, 400, 0).unwrap();
        // An item is a shape and a digit.
        let (joint, count) = set.joint_label(&["shape", "digit"]).unwrap();
        set.factors.push(crate::Factor {
            name: "item".into(),
            classes: (0..count).map(|i| i.to_string()).collect(),
            values: joint.iter().map(|&v| v as u16).collect(),
        });
        set
    }

    #[test]
    fn same_items_and_exact_overlap() {
        let set = drawn();
        let item = &set.factor("item").unwrap().values;
        let color = &set.factor("color").unwrap().values;
        for overlap in [0.0, 0.25, 1.0] {
            let split = StyleSplit {
                dataset: &set,
                item: "item",
                style: "color",
                per_model: Some(40),
                overlap,
            };
            let pair = split_styles(&split, &mut Stream::new(2).rng()).unwrap();
            assert_eq!(pair.reached().samples, overlap);
            let items: BTreeSet<_> = pair.a.indices.iter().map(|&i| item[i as usize]).collect();
            assert_eq!(items.len(), 40, "each item once");
            for (&x, &y) in pair.a.indices.iter().zip(&pair.b.indices) {
                assert_eq!(item[x as usize], item[y as usize]);
                assert_eq!(x == y, color[x as usize] == color[y as usize]);
            }
        }
    }

    #[test]
    fn too_few_items_is_an_error() {
        let set = drawn();
        let split = StyleSplit {
            dataset: &set,
            item: "item",
            style: "color",
            per_model: Some(81),
            overlap: 0.5,
        };
        let error = split_styles(&split, &mut Stream::new(2).rng()).unwrap_err();
        assert!(error.to_string().contains("in two styles"), "{error}");
    }
}
