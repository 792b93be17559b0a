//! From an array of more than two axes to a matrix.

use std::fmt;
use std::str::FromStr;

use crate::axes::Axes;

/// How one sample's activation of several axes becomes a vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Every element its own dimension.
    Flatten,
    /// The mean over positions or tokens.
    Mean,
    /// The largest over positions or tokens.
    Max,
    /// The first token.
    First,
    /// The last token.
    Last,
}

/// An array whose shape cannot be made a matrix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A single number.
    #[error("is a single number, not an array of samples")]
    NoAxis,
    /// An axis of no length: there are no values, whatever the other axes claim.
    #[error("shape {0:?} has an axis of length 0")]
    EmptyAxis(Vec<usize>),
    /// More than two axes, and no word of what to do with them.
    #[error(
        "shape {shape:?} is not [samples, dimensions]; {}say how to make it so with --pool",
        meaning(axes.as_ref())
    )]
    NoPool {
        /// The shape.
        shape: Vec<usize>,
        /// What the axes may be.
        axes: Option<Axes>,
    },
    /// A pooling over tokens of an array that has none.
    #[error(
        "shape {shape:?} is read as [{}], which has no first or last token: take --pool mean, max or \
         flatten",
        axes.words()
    )]
    NoTokens {
        /// The shape.
        shape: Vec<usize>,
        /// What the axes were taken for.
        axes: Axes,
    },
    /// A number of axes that has no usual meaning.
    #[error(
        "shape {0:?}: of so many axes it must be said which are the channels, as in --axes ncdhw; or take \
         --pool flatten"
    )]
    Axes(Vec<usize>),
}

fn meaning(axes: Option<&Axes>) -> String {
    match axes {
        Some(axes) => format!("if it is [{}], ", axes.words()),
        None => String::new(),
    }
}

/// A name that no pooling has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reprsim_base::unknown("pooling", .0, &Pool::NAMES))]
pub struct UnknownPool(pub String);

impl Pool {
    /// All names.
    pub const NAMES: [&str; 5] = ["flatten", "mean", "max", "first", "last"];

    /// Pools samples, in C order, into `out`: of each, `before` times all channels of `after` elements,
    /// a number a channel; of positions those that are `real`, all if nothing is said of them.
    pub(crate) fn pool(
        self,
        [before, channels, after]: [usize; 3],
        samples: &[f64],
        real: Option<&[bool]>,
        out: &mut [f64],
    ) {
        let positions = before * after;
        let rows = samples.chunks_exact(positions * channels);
        for (i, (from, to)) in rows.zip(out.chunks_exact_mut(channels)).enumerate() {
            let is_real = |p: &usize| real.is_none_or(|real| real[i * positions + p]);
            let kept: Vec<usize> = (0..positions)
                .filter(is_real)
                .map(|p| p / after * channels * after + p % after)
                .collect();
            for (j, to) in to.iter_mut().enumerate() {
                *to = self.over(kept.len(), |p| from[kept[p] + j * after]);
            }
        }
    }

    fn over(self, count: usize, at: impl Fn(usize) -> f64) -> f64 {
        match self {
            Self::First => at(0),
            Self::Last => at(count - 1),
            // NaN must not be lost: f64::max would drop it.
            Self::Max => (0..count).map(at).fold(f64::NEG_INFINITY, |m, v| {
                if v.is_nan() || m.is_nan() {
                    f64::NAN
                } else {
                    m.max(v)
                }
            }),
            Self::Mean | Self::Flatten => (0..count).map(at).sum::<f64>() / count as f64,
        }
    }
}

impl FromStr for Pool {
    type Err = UnknownPool;

    fn from_str(name: &str) -> Result<Self, UnknownPool> {
        match name {
            "flatten" => Ok(Self::Flatten),
            "mean" => Ok(Self::Mean),
            "max" => Ok(Self::Max),
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            _ => Err(UnknownPool(name.to_string())),
        }
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flatten => "flatten",
            Self::Mean => "mean",
            Self::Max => "max",
            Self::First => "first",
            Self::Last => "last",
        })
    }
}
