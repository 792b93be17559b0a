//! A data set in memory: samples, and one or more label factors.

use rayon::prelude::*;

use crate::{DataError, SampleShape, Samples, Skipped};

/// Values summed in 32 bits at a time: 255 squared times this fits.
const SUMMED_AT_ONCE: usize = 1 << 16;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The part models are trained on.
    Train,
    /// Held out to choose when to stop training; never seen by a probe. Only text
    /// has one.
    Validation,
    /// The held-out part; probes come from here.
    Test,
}

impl Part {
    /// The lower-case name, as used in files and streams.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// One label factor: a name, its classes, and the class of each sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Factor {
    /// The factor's name, such as `digit`.
    pub name: String,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// The class of each sample.
    pub values: Vec<u16>,
}

/// A part of a data set or a selection of its samples, in memory or mapped into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The data set's name.
    pub name: String,
    /// The name and every setting that decides the samples: part of their ids.
    pub identity: String,
    /// Train, validation or test.
    pub part: Part,
    /// Shape of one sample.
    pub shape: SampleShape,
    /// The samples.
    pub samples: Samples,
    /// Label factors; at least one.
    pub factors: Vec<Factor>,
    /// The factors whose product is the data set's own class label.
    pub label: Vec<String>,
    /// The block of each sample: samples of one block (windows of one document) are
    /// not exchangeable with those of another, so permutations move whole blocks.
    /// Empty where every sample stands for itself: images, and chunks of text.
    pub blocks: Vec<u32>,
    /// What was left out of a folder of images or text, and what is odd in it; empty for other sets.
    pub skipped: Vec<Skipped>,
}

impl Dataset {
    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the samples are text, not images.
    pub fn is_text(&self) -> bool {
        matches!(self.shape, SampleShape::Tokens { .. })
    }

    /// The bytes of image `index`, channel by channel, row by row; text has none.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn bytes(&self, index: usize) -> &[u8] {
        self.samples.bytes(index)
    }

    /// The tokens of piece `index` of text; images have none.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn tokens(&self, index: usize) -> &[u16] {
        self.samples.tokens(index)
    }

    /// A stable identity for sample `index`, the same on every machine and, in a
    /// selection, the same as in what it was selected from.
    ///
    /// # Panics
    /// If there is no such sample of a selection.
    pub fn sample_id(&self, index: usize) -> String {
        let place = self.samples.place(index);
        format!("{}/{}/{place}", self.identity, self.part.name())
    }

    /// The samples at `indices` alone, in that order, with their labels, blocks and ids.
    /// What the samples hold is not copied.
    ///
    /// # Panics
    /// If there is no sample at one of the indices.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Self {
        let factors = self.factors.iter().map(|factor| Factor {
            name: factor.name.clone(),
            classes: factor.classes.clone(),
            values: at(&factor.values, indices),
        });
        let blocks = match self.blocks.is_empty() {
            true => vec![],
            false => at(&self.blocks, indices),
        };
        Self {
            name: self.name.clone(),
            identity: self.identity.clone(),
            part: self.part,
            shape: self.shape,
            samples: self.samples.select(indices),
            factors: factors.collect(),
            label: self.label.clone(),
            blocks,
            skipped: self.skipped.clone(),
        }
    }

    /// The factor called `name`.
    ///
    /// # Errors
    /// [`DataError::UnknownFactor`], listing the factors that exist.
    pub fn factor(&self, name: &str) -> Result<&Factor, DataError> {
        self.factors
            .iter()
            .find(|f| f.name == name)
            .ok_or_else(|| DataError::UnknownFactor {
                dataset: self.name.clone(),
                factor: name.to_string(),
                known: self
                    .factors
                    .iter()
                    .map(|f| f.name.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
            })
    }

    /// The joint label over `factors`: one class per combination, numbered with
    /// the last factor varying fastest. Returns (class of each sample, number
    /// of classes).
    ///
    /// # Errors
    /// [`DataError::UnknownFactor`] if a factor does not exist.
    pub fn joint_label<S: AsRef<str>>(
        &self,
        factors: &[S],
    ) -> Result<(Vec<u32>, usize), DataError> {
        let mut label = vec![0u32; self.len()];
        let mut classes = 1usize;
        for name in factors {
            let factor = self.factor(name.as_ref())?;
            let base = factor.classes.len() as u32;
            for (joint, value) in label.iter_mut().zip(&factor.values) {
                *joint = *joint * base + u32::from(*value);
            }
            classes *= factor.classes.len();
        }
        Ok((label, classes))
    }

    /// Mean and standard deviation of each channel, on the 0..1 scale, in f64; text
    /// has no channels.
    pub fn channel_statistics(&self) -> (Vec<f64>, Vec<f64>) {
        let SampleShape::Image {
            channels,
            height,
            width,
        } = self.shape
        else {
            return (vec![], vec![]);
        };
        let plane = height * width;
        // Sums of whole numbers: the same in any order, so on any number of cores.
        let sums = (0..self.len())
            .into_par_iter()
            .fold(
                || vec![(0u64, 0u64); channels],
                |mut sums, index| {
                    let planes = self.bytes(index).chunks_exact(plane);
                    for (sum, values) in sums.iter_mut().zip(planes) {
                        let (s, ss) = sum_and_squares(values);
                        sum.0 += s;
                        sum.1 += ss;
                    }
                    sums
                },
            )
            .reduce(
                || vec![(0, 0); channels],
                |mut left, right| {
                    for (l, r) in left.iter_mut().zip(right) {
                        l.0 += r.0;
                        l.1 += r.1;
                    }
                    left
                },
            );
        let count = (self.len() * plane).max(1) as f64;
        sums.iter()
            .map(|&(s, ss)| {
                let mean = s as f64 / count / 255.0;
                let variance = ss as f64 / count / (255.0 * 255.0) - mean * mean;
                // A constant channel carries no scale; leave it unscaled.
                (
                    mean,
                    if variance > 1e-12 {
                        variance.sqrt()
                    } else {
                        1.0
                    },
                )
            })
            .unzip()
    }
}

fn at<T: Copy>(values: &[T], indices: &[u32]) -> Vec<T> {
    indices.iter().map(|&i| values[i as usize]).collect()
}

/// Sum and sum of squares; in 32 bits within a stretch, which the compiler turns
/// into vector instructions.
fn sum_and_squares(values: &[u8]) -> (u64, u64) {
    let mut total = (0u64, 0u64);
    for stretch in values.chunks(SUMMED_AT_ONCE) {
        let (mut sum, mut squares) = (0u32, 0u32);
        for &v in stretch {
            sum += u32::from(v);
            squares += u32::from(v) * u32::from(v);
        }
        total.0 += u64::from(sum);
        total.1 += u64::from(squares);
    }
    total
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_do_not_overflow() {
        let values = vec![255u8; 3 * SUMMED_AT_ONCE + 5];
        let n = values.len() as u64;
        assert_eq!(sum_and_squares(&values), (255 * n, 255 * 255 * n));
    }

    #[test]
    fn statistics_are_those_of_each_channel() {
        let set = Dataset {
            name: "x".into(),
            identity: "x".into(),
            part: Part::Train,
            shape: SampleShape::Image {
                channels: 3,
                height: 1,
                width: 2,
            },
            samples: Samples::images(vec![0, 255, 7, 7, 0, 0, 255, 0, 7, 7, 0, 51], 6),
            factors: vec![],
            label: vec![],
            blocks: vec![],
            skipped: vec![],
        };
        let (mean, std) = set.channel_statistics();
        assert!((mean[0] - 0.5).abs() < 1e-12 && (std[0] - 0.5).abs() < 1e-12);
        assert!((mean[1] - 7.0 / 255.0).abs() < 1e-12);
        assert_eq!(std[1], 1.0, "a constant channel is not scaled");
        assert!((mean[2] - 0.05).abs() < 1e-12);
    }

    /// A set of `n` small images of two channels with two factors.
    fn images(n: usize, seed: u32) -> Dataset {
        let noise = |i: usize| (i as u32 ^ seed).wrapping_mul(2_654_435_761) >> 13;
        let factor = |name: &str, classes: u32| Factor {
            name: name.into(),
            classes: (0..classes).map(|c| c.to_string()).collect(),
            values: (0..n).map(|i| (noise(i) % classes) as u16).collect(),
        };
        Dataset {
            name: "noise".into(),
            identity: format!("noise {seed}"),
            part: Part::Train,
            shape: SampleShape::Image {
                channels: 2,
                height: 2,
                width: 3,
            },
            samples: Samples::images((0..12 * n).map(|i| noise(i) as u8).collect::<Vec<_>>(), 12),
            factors: vec![factor("kind", 3), factor("size", 2)],
            label: vec!["kind".into(), "size".into()],
            blocks: vec![],
            skipped: vec![],
        }
    }

    proptest! {
        #[test]
        fn selected_images_are_those_of_the_whole(
            n in 1usize..40,
            seed in any::<u32>(),
            picks in prop::collection::vec((any::<u32>(), any::<bool>()), 0..60),
        ) {
            let set = images(n, seed);
            let indices: Vec<u32> = picks.iter().map(|(pick, _)| pick % n as u32).collect();
            let selected = set.select(&indices);
            prop_assert_eq!(selected.len(), indices.len());
            prop_assert!(!selected.is_text());
            let labels = set.joint_label(&set.label).unwrap();
            let of_selected = selected.joint_label(&selected.label).unwrap();
            prop_assert_eq!(of_selected.1, labels.1);
            for (i, &index) in indices.iter().enumerate() {
                let index = index as usize;
                prop_assert_eq!(selected.bytes(i), set.bytes(index));
                prop_assert_eq!(selected.bytes(i).as_ptr(), set.bytes(index).as_ptr(), "not copied");
                prop_assert_eq!(selected.sample_id(i), set.sample_id(index));
                prop_assert_eq!(of_selected.0[i], labels.0[index]);
                for (new, old) in selected.factors.iter().zip(&set.factors) {
                    prop_assert_eq!(new.values[i], old.values[index]);
                }
            }
            // The same as a set that holds these alone.
            let mut held = selected.clone();
            let bytes: Vec<u8> = (0..held.len()).flat_map(|i| selected.bytes(i).to_vec()).collect();
            held.samples = Samples::images(bytes, 12);
            prop_assert_eq!(&held, &selected);
            prop_assert_eq!(held.channel_statistics(), selected.channel_statistics());
            // In another shape the samples and their ids are still the same.
            let grey = SampleShape::Image { channels: 1, height: 2, width: 3 };
            prop_assert!(selected.reshaped(grey).is_err(), "two channels are neither grey nor colour");
            // A selection of a selection is one.
            let kept: Vec<u32> = (0..).zip(&picks).filter(|(_, (_, keep))| *keep).map(|(i, _)| i).collect();
            let twice: Vec<u32> = kept.iter().map(|&i| indices[i as usize]).collect();
            let (a, b) = (selected.select(&kept), set.select(&twice));
            prop_assert_eq!(&a, &b);
            prop_assert!((0..a.len()).all(|i| a.sample_id(i) == b.sample_id(i)));
        }
    }

    #[test]
    fn a_set_without_bytes_has_no_samples() {
        assert_eq!(Samples::images(vec![], 0).len(), 0);
        assert_eq!(Samples::images(vec![1; 5], 0).len(), 0);
        let set = images(3, 1).select(&[]);
        assert!(set.is_empty());
        assert_eq!(set.channel_statistics().0, [0.0, 0.0]);
    }
}
