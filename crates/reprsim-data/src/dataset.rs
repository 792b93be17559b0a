//! A data set in memory: samples, and one or more label factors.

use crate::DataError;

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The part models are trained on.
    Train,
    /// The held-out part; probes come from here.
    Test,
}

impl Part {
    /// The lower-case name, as used in files and streams.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// The shape of one sample, by modality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
}

impl SampleShape {
    /// Values in one sample.
    pub fn len(&self) -> usize {
        match *self {
            Self::Image {
                channels,
                height,
                width,
            } => channels * height * width,
        }
    }

    /// Whether a sample holds no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The samples of a data set, `n` times [`SampleShape::len`] values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Samples {
    /// 8-bit values.
    Bytes(Vec<u8>),
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

/// A part of a data set, held in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The data set's name.
    pub name: String,
    /// The name and every setting that decides the samples: part of their ids.
    pub identity: String,
    /// Train or test.
    pub part: Part,
    /// Shape of one sample.
    pub shape: SampleShape,
    /// The samples.
    pub samples: Samples,
    /// Label factors; at least one.
    pub factors: Vec<Factor>,
    /// The factors whose product is the data set's own class label.
    pub label: Vec<String>,
}

impl Dataset {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.samples {
            Samples::Bytes(bytes) => bytes.len() / self.shape.len(),
        }
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of sample `index`.
    pub fn bytes(&self, index: usize) -> &[u8] {
        let len = self.shape.len();
        match &self.samples {
            Samples::Bytes(bytes) => &bytes[index * len..(index + 1) * len],
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

    /// Mean and standard deviation of each channel, on the 0..1 scale, in f64.
    pub fn channel_statistics(&self) -> (Vec<f64>, Vec<f64>) {
        let SampleShape::Image {
            channels,
            height,
            width,
        } = self.shape;
        let Samples::Bytes(bytes) = &self.samples;
        let plane = height * width;
        let mut sums = vec![(0u64, 0u64); channels];
        for sample in bytes.chunks_exact(channels * plane) {
            for (sum, values) in sums.iter_mut().zip(sample.chunks_exact(plane)) {
                for &v in values {
                    sum.0 += u64::from(v);
                    sum.1 += u64::from(v) * u64::from(v);
                }
            }
        }
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
