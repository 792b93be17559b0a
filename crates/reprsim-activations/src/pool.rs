//! From an array of more than two axes to a matrix.

use std::fmt;
use std::str::FromStr;

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
    /// An axis of no length: there are no values, whatever the other axes claim.
    #[error("shape {0:?} has an axis of length 0")]
    EmptyAxis(Vec<usize>),
    /// More than two axes, and no word of what to do with them.
    #[error(
        "shape {shape:?} is not [samples, dimensions]; if it is {axes}, say how to make it so \
         with --pool"
    )]
    NoPool {
        /// The shape.
        shape: Vec<usize>,
        /// What the axes may be.
        axes: &'static str,
    },
    /// A pooling over tokens of an array that has none.
    #[error(
        "shape {0:?} is read as [samples, channels, height, width], which has no first or last \
         token: take --pool mean, max or flatten"
    )]
    NoTokens(Vec<usize>),
    /// A number of axes that has no meaning.
    #[error(
        "shape {0:?} is not [samples, dimensions], [samples, tokens, dimensions] or [samples, \
         channels, height, width]"
    )]
    Axes(Vec<usize>),
}

/// A name that no pooling has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", reprsim_base::unknown("pooling", .0, &Pool::NAMES))]
pub struct UnknownPool(pub String);

impl Pool {
    /// All names.
    pub const NAMES: [&str; 5] = ["flatten", "mean", "max", "first", "last"];

    /// The shape `[n, d]` of an array of `shape` after pooling.
    pub(crate) fn matrix_shape(
        pool: Option<Self>,
        shape: &[usize],
    ) -> Result<[usize; 2], ShapeError> {
        let unclear = |axes: &'static str| ShapeError::NoPool {
            shape: shape.to_vec(),
            axes,
        };
        if shape.contains(&0) {
            return Err(ShapeError::EmptyAxis(shape.to_vec()));
        }
        match *shape {
            [n, d] => Ok([n, d]),
            [n, _, d] => match pool {
                None => Err(unclear("[samples, tokens, dimensions]")),
                Some(Self::Flatten) => Ok([n, shape[1] * d]),
                Some(_) => Ok([n, d]),
            },
            [n, c, h, w] => match pool {
                None => Err(unclear("[samples, channels, height, width]")),
                Some(Self::Flatten) => Ok([n, c * h * w]),
                Some(Self::Mean | Self::Max) => Ok([n, c]),
                Some(Self::First | Self::Last) => Err(ShapeError::NoTokens(shape.to_vec())),
            },
            _ => Err(ShapeError::Axes(shape.to_vec())),
        }
    }

    /// Pools samples of `shape`, in C order, into `out`; of tokens those that are `real`, all if
    /// nothing is said of them.
    pub(crate) fn pool(
        self,
        shape: &[usize],
        samples: &[f64],
        real: Option<&[bool]>,
        out: &mut [f64],
    ) {
        match *shape {
            [_, tokens, d] if self != Self::Flatten => {
                let sample = tokens * d;
                let rows = samples.chunks_exact(sample).zip(out.chunks_exact_mut(d));
                for (i, (from, to)) in rows.enumerate() {
                    let is_real = |t: &usize| real.is_none_or(|real| real[i * tokens + t]);
                    let kept: Vec<usize> = (0..tokens).filter(is_real).collect();
                    for (j, to) in to.iter_mut().enumerate() {
                        *to = self.over(kept.len(), |t| from[kept[t] * d + j]);
                    }
                }
            }
            [_, _, h, w] if self != Self::Flatten => {
                let places = h * w;
                let maps = samples.chunks_exact(places);
                for (map, to) in maps.zip(out.iter_mut()) {
                    *to = self.over(places, |p| map[p]);
                }
            }
            _ => out.copy_from_slice(samples),
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
