//! A data set in memory: samples, and one or more label factors.

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Bytes, DataError, TextSamples};

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

/// The shape of one sample, by modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleShape {
    /// An image of 8-bit values, stored channel by channel, row by row.
    Image {
        /// Colour channels (1 or 3).
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// A piece of a stream of tokens. A held-out sample is a window of
    /// `window + 1` tokens, the input and its target shifted by one; a training
    /// sample is a chunk of the stream, from which such windows are drawn.
    Tokens {
        /// Tokens that a model sees at once.
        window: usize,
        /// Tokens are below this.
        vocabulary: usize,
    },
}

impl SampleShape {
    /// Values that a model sees of one sample at once.
    pub fn len(&self) -> usize {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => channels * height * width,
            Self::Tokens { window, .. } => window,
        }
    }

    /// Whether a sample holds no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The samples of a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Samples {
    /// 8-bit values, `n` times [`SampleShape::len`] of them.
    Bytes(Bytes),
    /// Pieces of streams of tokens.
    Text(TextSamples),
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

/// A file of a data set that was left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Skipped {
    /// The file, relative to the data set's folder.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

/// A part of a data set, in memory or mapped into it.
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
    /// Files that were left out, for a folder of images; empty for other sets.
    pub skipped: Vec<Skipped>,
}

impl Dataset {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.samples {
            Samples::Bytes(bytes) => bytes.len() / self.shape.len(),
            Samples::Text(text) => text.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of sample `index`.
    ///
    /// # Panics
    /// If there is no such sample or the samples are not bytes.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let len = self.shape.len();
        match &self.samples {
            Samples::Bytes(bytes) => &bytes[index * len..(index + 1) * len],
            Samples::Text(_) => panic!("the samples of '{}' are tokens, not bytes", self.name),
        }
    }

    /// The tokens of sample `index`.
    ///
    /// # Panics
    /// If there is no such sample or the samples are not text.
    pub fn tokens(&self, index: usize) -> &[u16] {
        match &self.samples {
            Samples::Text(text) => text.tokens(index),
            Samples::Bytes(_) => panic!("the samples of '{}' are bytes, not tokens", self.name),
        }
    }

    /// A stable identity for sample `index`, the same on every machine.
    pub fn sample_id(&self, index: usize) -> String {
        format!("{}/{}/{index}", self.identity, self.part.name())
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
        let (
            SampleShape::Image {
                channels,
                height,
                width,
            },
            Samples::Bytes(bytes),
        ) = (self.shape, &self.samples)
        else {
            return (vec![], vec![]);
        };
        let plane = height * width;
        // Sums of whole numbers: the same in any order, so on any number of cores.
        let sums = bytes
            .par_chunks_exact(channels * plane)
            .fold(
                || vec![(0u64, 0u64); channels],
                |mut sums, sample| {
                    for (sum, values) in sums.iter_mut().zip(sample.chunks_exact(plane)) {
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
            samples: Samples::Bytes(vec![0, 255, 7, 7, 0, 0, 255, 0, 7, 7, 0, 51].into()),
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
}
