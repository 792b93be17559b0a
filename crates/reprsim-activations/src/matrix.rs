//! A stored layer as a matrix.

use std::ops::Range;
use std::path::PathBuf;

use crate::elements::Array;
use crate::error::{ActivationError, Problem};
use crate::mask::Mask;
use crate::padding::Padding;
use crate::pool::Pool;

/// A layer as a matrix `[n, d]`, read by rows.
#[derive(Clone, Debug)]
pub struct LayerMatrix {
    pub(crate) path: PathBuf,
    pub(crate) array: Array,
    pub(crate) pool: Option<Pool>,
    /// Which tokens are pooled; absent: all.
    pub(crate) mask: Option<Mask>,
    pub(crate) padding: Padding,
    pub(crate) shape: [usize; 2],
}

/// Elements that are pooled at once.
const POOLED_AT_ONCE: usize = 1 << 21;

impl LayerMatrix {
    /// Samples and dimensions.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// How far a number of the file is from the next one of its type, as a share of it.
    pub fn epsilon(&self) -> f64 {
        self.array.element.epsilon()
    }

    /// Reads rows into `out`, row-major, `rows.len() * d` values.
    ///
    /// # Errors
    /// What went wrong with the file, or [`Problem::Rows`].
    pub fn read(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), ActivationError> {
        (self.read_rows(rows, out)).map_err(|problem| ActivationError::new(&self.path, problem))
    }

    fn read_rows(&self, rows: Range<usize>, out: &mut [f64]) -> Result<(), Problem> {
        let [n, d] = self.shape;
        if rows.end > n || rows.len().checked_mul(d) != Some(out.len()) {
            return Err(Problem::Rows {
                start: rows.start,
                end: rows.end,
                rows: n,
            });
        }
        let sample = self.array.sample();
        match self.pool {
            Some(pool) if self.array.shape.len() > 2 && sample > 0 => {
                // A sample may be many times as large as what is left of it.
                let step = (POOLED_AT_ONCE / sample).clamp(1, rows.len().max(1));
                let mut samples = vec![0.0; step * sample];
                for (block, out) in out.chunks_mut(step * d).enumerate() {
                    let count = out.len() / d;
                    let samples = &mut samples[..count * sample];
                    let start = rows.start + block * step;
                    self.array.read_samples(start, samples)?;
                    let shape = &self.array.shape;
                    let real = self.mask.as_ref().map(|mask| mask.samples(start, count));
                    if let (&[n, tokens, d], None) = (shape.as_slice(), real) {
                        let shape = [n, tokens, d];
                        self.padding.look(&self.path, pool, shape, samples, start);
                    }
                    pool.pool(shape, samples, real, out);
                }
                Ok(())
            }
            _ => self.array.read_samples(rows.start, out),
        }
    }
}
