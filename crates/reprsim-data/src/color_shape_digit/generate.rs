//! Generates a part of the data set in parallel.

use rand::RngExt;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draw::{Values, draw};
use super::factors::FactorKind;
use super::{NAME, SIDE};
use crate::{DataError, Dataset, Factor, Part, SampleShape, Samples};
use reprsim_base::{Stream, ask_memory};

/// Which factors vary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// The paper's three: shape, digit, colour.
    #[default]
    Plain,
    /// Those and the appearance around them: background and border.
    Tinted,
    /// All seven: position and size too.
    Varied,
}

impl Preset {
    /// All presets, by their names in experiment files.
    pub const ALL: [(&'static str, Self); 3] = [
        ("plain", Self::Plain),
        ("tinted", Self::Tinted),
        ("varied", Self::Varied),
    ];

    /// Whether `factor` varies.
    fn varies(self, factor: FactorKind) -> bool {
        match factor {
            FactorKind::Shape | FactorKind::Digit | FactorKind::Color => true,
            FactorKind::Background | FactorKind::Border => self != Self::Plain,
            FactorKind::Position | FactorKind::Size => self == Self::Varied,
        }
    }
}

/// What to generate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which factors vary.
    pub preset: Preset,
    /// Keep only the first so many classes of every factor, so that tasks over
    /// different factors are of equal size; 0 keeps all.
    pub factor_classes: usize,
    /// The factors whose product is the class label; empty: shape and digit.
    pub label: Vec<String>,
}

/// Generates `count` samples of `part`; sample `i` depends on the seed, the
/// part, the settings and `i` alone, so a longer set begins with a shorter one.
///
/// The paper's three factors are balanced: every run of 8 x 10 x 10 consecutive
/// samples (fewer with `factor_classes`) holds each combination once. The other
/// factors are drawn independently.
///
/// # Errors
/// [`DataError::Setting`] if a setting is out of range,
/// [`DataError::UnknownFactor`] if the label names a factor that is off.
pub fn generate(
    settings: &Settings,
    part: Part,
    count: usize,
    seed: u64,
) -> Result<Dataset, DataError> {
    if settings.factor_classes == 1 {
        return Err(DataError::Setting {
            dataset: NAME.into(),
            reason: "factor_classes must be at least 2 (or absent, for all classes)".into(),
        });
    }
    let active: Vec<FactorKind> = FactorKind::ALL
        .into_iter()
        .filter(|f| settings.preset.varies(*f))
        .collect();
    let classes = |kind: FactorKind| match settings.factor_classes {
        0 => kind.classes().len(),
        cap => cap.min(kind.classes().len()),
    };
    let stream = Stream::new(seed).child(NAME).child(part.name());
    let values_of = |index: usize| -> (Values, rand_chacha::ChaCha8Rng) {
        let mut rng = stream.rng_at(index as u64);
        let mut values: Values = [None; FactorKind::ALL.len()];
        let mut rest = index;
        for &kind in &active {
            values[kind as usize] = Some(if kind.in_paper() {
                let n = classes(kind);
                let class = rest % n;
                rest /= n;
                class
            } else {
                rng.random_range(0..classes(kind))
            });
        }
        (values, rng)
    };

    let len = 3 * SIDE * SIDE;
    let what = format!("{NAME} of {count} samples");
    ask_memory(count as u128 * len as u128, what)?;
    let mut bytes = vec![0u8; count * len];
    bytes
        .par_chunks_exact_mut(len)
        .enumerate()
        .for_each(|(index, out)| {
            let (values, mut rng) = values_of(index);
            draw(&values, &mut rng, out);
        });
    let mut factors: Vec<Factor> = active
        .iter()
        .map(|&kind| Factor {
            name: kind.name().to_string(),
            classes: kind.classes()[..classes(kind)]
                .iter()
                .map(ToString::to_string)
                .collect(),
            values: Vec::with_capacity(count),
        })
        .collect();
    for index in 0..count {
        let (values, _) = values_of(index);
        for (factor, &kind) in factors.iter_mut().zip(&active) {
            factor
                .values
                .push(values[kind as usize].unwrap_or(0) as u16);
        }
    }
    let label = if settings.label.is_empty() {
        vec!["shape".to_string(), "digit".to_string()]
    } else {
        settings.label.clone()
    };
    let dataset = Dataset {
        name: NAME.to_string(),
        identity: format!(
            "{NAME} {:?} classes {} seed {seed}",
            settings.preset, settings.factor_classes
        ),
        part,
        shape: SampleShape::Image {
            channels: 3,
            height: SIDE,
            width: SIDE,
        },
        samples: Samples::images(bytes, len),
        factors,
        label: label.clone(),
        blocks: vec![],
        skipped: vec![],
    };
    for name in &label {
        dataset.factor(name)?;
    }
    Ok(dataset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deterministic_in_seed_and_index() {
        let settings = Settings {
            preset: Preset::Varied,
            ..Settings::default()
        };
        let short = generate(&settings, Part::Train, 50, 3).unwrap();
        let long = generate(&settings, Part::Train, 120, 3).unwrap();
        for i in 0..50 {
            assert_eq!(short.bytes(i), long.bytes(i));
        }
        let other_seed = generate(&settings, Part::Train, 50, 4).unwrap();
        let other_part = generate(&settings, Part::Test, 50, 3).unwrap();
        assert_ne!(short.samples, other_seed.samples);
        assert_ne!(short.samples, other_part.samples);
    }

    #[test]
    fn the_three_factors_are_balanced() {
        let set = generate(&Settings::default(), Part::Train, 1600, 0).unwrap();
        let (label, classes) = set.joint_label(&["shape", "digit", "color"]).unwrap();
        assert_eq!(classes, 800);
        let mut counts = vec![0; classes];
        label.iter().for_each(|&l| counts[l as usize] += 1);
        assert!(counts.iter().all(|&c| c == 2));
    }

    #[test]
    fn samples_of_one_class_differ() {
        let set = generate(&Settings::default(), Part::Train, 1601, 0).unwrap();
        // 0, 800 and 1600 are the same shape, digit and colour.
        assert_ne!(set.bytes(0), set.bytes(800));
        assert_ne!(set.bytes(800), set.bytes(1600));
    }

    #[test]
    fn presets_decide_the_factors() {
        let names = |preset| {
            let settings = Settings {
                preset,
                ..Settings::default()
            };
            generate(&settings, Part::Test, 4, 0)
                .unwrap()
                .factors
                .into_iter()
                .map(|f| f.name)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(Preset::Plain), ["shape", "digit", "color"]);
        assert_eq!(names(Preset::Tinted), super::super::factor_names()[..5]);
        assert_eq!(names(Preset::Varied), super::super::factor_names());
    }

    #[test]
    fn a_factor_that_is_off_cannot_be_the_label() {
        let settings = Settings {
            label: vec!["border".into()],
            ..Settings::default()
        };
        let error = generate(&settings, Part::Train, 4, 0).unwrap_err();
        assert!(
            error.to_string().contains("no label factor 'border'"),
            "{error}"
        );
    }
}
