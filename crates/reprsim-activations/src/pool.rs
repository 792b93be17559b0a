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

impl Pool {
    /// All names.
    pub const NAMES: [&str; 5] = ["flatten", "mean", "max", "first", "last"];

    /// The shape `[n, d]` of an array of `shape` after pooling.
    pub(crate) fn matrix_shape(pool: Option<Self>, shape: &[usize]) -> Result<[usize; 2], String> {
        let unclear = |axes: &str| {
            format!(
                "shape {shape:?} is not [samples, dimensions]; if it is {axes}, say how to make \
                 it so with --pool"
            )
        };
        if shape.len() > 2 && shape[1..].contains(&0) {
            return Err(format!("shape {shape:?} has an axis of length 0"));
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
                Some(Self::First | Self::Last) => Err(format!(
                    "shape {shape:?} is read as [samples, channels, height, width], which has no \
                     first or last token: take --pool mean, max or flatten"
                )),
            },
            _ => Err(format!(
                "shape {shape:?} is not [samples, dimensions], [samples, tokens, dimensions] or \
                 [samples, channels, height, width]"
            )),
        }
    }

    /// Pools samples of `shape`, in C order, into `out`.
    pub(crate) fn pool(self, shape: &[usize], samples: &[f64], out: &mut [f64]) {
        match *shape {
            [_, tokens, d] if self != Self::Flatten => {
                let sample = tokens * d;
                for (from, to) in samples.chunks_exact(sample).zip(out.chunks_exact_mut(d)) {
                    for (j, to) in to.iter_mut().enumerate() {
                        *to = self.over(tokens, |t| from[t * d + j]);
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
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "flatten" => Ok(Self::Flatten),
            "mean" => Ok(Self::Mean),
            "max" => Ok(Self::Max),
            "first" => Ok(Self::First),
            "last" => Ok(Self::Last),
            _ => Err(format!("'{name}' is not one of {}", Self::NAMES.join(", "))),
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
