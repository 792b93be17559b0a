//! How an array becomes a matrix.

use crate::axes::Axes;
use crate::pool::{Pool, ShapeError};
use crate::reading::Reading;

/// What becomes of an array `[samples, ...]`, whose samples are first: of each sample `before` times
/// all channels, each of `after` elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shaping {
    /// The order in which axes are put first, where samples are not.
    pub order: Option<Vec<usize>>,
    /// Positions before the channels, channels, positions behind them.
    pub sample: [usize; 3],
    /// Whether the axis of channels is known.
    pub has_channels: bool,
    /// What becomes of positions; `None` where each has its dimension.
    pub pool: Option<Pool>,
    /// Whether there is one axis of positions, of tokens or a line.
    pub has_tokens: bool,
    /// The matrix.
    pub shape: [usize; 2],
    /// What the axes were taken for; `None` where it does not matter.
    pub axes: Option<Axes>,
}

impl Shaping {
    /// Of an array of `shape`.
    pub fn of(shape: &[usize], reading: &Reading) -> Result<Self, ShapeError> {
        if shape.is_empty() {
            return Err(ShapeError::NoAxis);
        }
        if shape.contains(&0) {
            return Err(ShapeError::EmptyAxis(shape.to_vec()));
        }
        match reading.axes_of(shape.len()) {
            Some(axes) => Self::by_axes(shape, axes, reading.pool),
            None => Self::by_number(shape, reading),
        }
    }

    /// By the usual meaning of so many axes.
    fn by_number(shape: &[usize], reading: &Reading) -> Result<Self, ShapeError> {
        let usual = Axes::usual(shape.len());
        let is_flat = shape[1..].iter().filter(|d| **d != 1).count() < 2;
        let has_mask = reading.mask.is_some() && shape.len() == 3;
        if (is_flat && !has_mask) || shape.len() < 3 {
            // [n, 512, 1, 1] is [n, 512], and so is [n, 1, 1, 512].
            return Ok(Self::flat(shape, usual));
        }
        match (usual, reading.pool) {
            (_, None) => Err(ShapeError::NoPool {
                shape: shape.to_vec(),
                axes: Axes::usual(shape.len()),
            }),
            (usual, Some(Pool::Flatten)) => Ok(Self::flat(shape, usual)),
            (Some(axes), pool) => Self::by_axes(shape, &axes, pool),
            (None, Some(_)) => Err(ShapeError::Axes(shape.to_vec())),
        }
    }

    /// Every element a dimension.
    fn flat(shape: &[usize], axes: Option<Axes>) -> Self {
        let place = axes.as_ref().and_then(|axes| axes.place('c'));
        let channel = place.unwrap_or(0).max(1);
        let of = |axes: &[usize]| axes.iter().product::<usize>();
        let sample = match shape.len() {
            1 => [1, 1, 1],
            _ => [
                of(&shape[1..channel]),
                shape[channel],
                of(&shape[channel + 1..]),
            ],
        };
        Self {
            order: None,
            sample,
            has_channels: place.is_some(),
            pool: None,
            has_tokens: false,
            shape: [shape[0], of(&shape[1..])],
            axes: None,
        }
    }

    /// By the order of the axes.
    fn by_axes(shape: &[usize], axes: &Axes, pool: Option<Pool>) -> Result<Self, ShapeError> {
        let samples = axes.place('n').unwrap_or(0);
        let order = (samples != 0).then(|| {
            let rest = (0..shape.len()).filter(|axis| *axis != samples);
            std::iter::once(samples).chain(rest).collect::<Vec<usize>>()
        });
        let (moved, named) = match &order {
            Some(order) => (
                order.iter().map(|axis| shape[*axis]).collect(),
                axes.samples_first(),
            ),
            None => (shape.to_vec(), axes.clone()),
        };
        let (channels, before, after) = match named.place('c') {
            Some(place) => (moved[place], &moved[1..place], &moved[place + 1..]),
            None => (1, &moved[1..], &[][..]),
        };
        let of = |axes: &[usize]| axes.iter().product::<usize>();
        let sample = [of(before), channels, of(after)];
        let positions: Vec<char> = named.positions().collect();
        let has_tokens = matches!(positions.as_slice(), ['t' | 'l']);
        let (kept, width) = match pool {
            _ if sample[0] * sample[2] == 1 => (None, channels),
            None => {
                return Err(ShapeError::NoPool {
                    shape: shape.to_vec(),
                    axes: Some(axes.clone()),
                });
            }
            Some(Pool::Flatten) => (None, of(&sample)),
            Some(Pool::First | Pool::Last) if !has_tokens => {
                return Err(ShapeError::NoTokens {
                    shape: shape.to_vec(),
                    axes: axes.clone(),
                });
            }
            pool => (pool, channels),
        };
        Ok(Self {
            order,
            sample,
            has_channels: true,
            pool: kept,
            has_tokens,
            shape: [moved[0], width],
            axes: Some(axes.clone()),
        })
    }

    /// Positions of a sample.
    pub fn positions(&self) -> usize {
        self.sample[0] * self.sample[2]
    }

    /// What was done, in a few words: `nhwc (samples, height, width, channels), mean over height, width`;
    /// empty where nothing was.
    pub fn words(&self) -> String {
        match (&self.axes, self.pool) {
            (Some(axes), Some(pool)) => {
                let positions: Vec<&str> = axes.positions().map(Axes::word).collect();
                format!(
                    "{axes} ({}), {pool} over {}",
                    axes.words(),
                    positions.join(", ")
                )
            }
            (Some(axes), None) if self.order.is_some() => format!("{axes} ({})", axes.words()),
            _ => String::new(),
        }
    }
}
