//! A stored layer as a matrix.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::elements::Array;
use crate::error::{ActivationError, Problem};
use crate::mask::Mask;
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

/// Whether it was said of a file that it looks padded: once, not of each of its layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Padding(Arc<AtomicBool>);

impl Padding {
    /// Says it of the first of some samples from row `start`, of shape `[_, tokens, d]`, of which
    /// `pool` takes a token at an end that is wholly zero while others are not.
    fn look(
        &self,
        path: &Path,
        pool: Pool,
        [_, tokens, d]: [usize; 3],
        samples: &[f64],
        start: usize,
    ) {
        let is_zero = |token: &[f64]| token.iter().all(|v| *v == 0.0);
        let is_padded = |sample: &[f64]| {
            let (first, last) = (&sample[..d], &sample[(tokens - 1) * d..]);
            let at_end = match pool {
                Pool::Flatten => false,
                Pool::Mean | Pool::Max => is_zero(first) || is_zero(last),
                Pool::First => is_zero(first),
                Pool::Last => is_zero(last),
            };
            at_end && !is_zero(sample)
        };
        if tokens < 2 || self.0.load(Ordering::Relaxed) {
            return;
        }
        let Some(at) = samples.chunks_exact(tokens * d).position(is_padded) else {
            return;
        };
        if !self.0.swap(true, Ordering::Relaxed) {
            log::warn!(
                "{}: sample {} begins or ends with tokens that are wholly zero, as padding is, and \
                 they are pooled: models then look alike by the lengths of their samples alone. Say which tokens are real with --mask FILE.npy ([samples, tokens], \
                 1 for a real one)",
                path.display(),
                start + at
            );
        }
    }
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
