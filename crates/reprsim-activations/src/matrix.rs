//! A stored layer as a matrix.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::elements::Array;
use crate::error::{ActivationError, Problem};
use crate::mask::Mask;
use crate::padding::Padding;
use crate::pool::Pool;

/// A layer as a matrix `[n, d]`, read by rows.
#[derive(Clone, Debug)]
pub struct LayerMatrix {
    pub(crate) path: PathBuf,
    /// The layer's name.
    pub(crate) name: String,
    pub(crate) array: Array,
    pub(crate) pool: Option<Pool>,
    /// Which tokens are pooled; absent: all.
    pub(crate) mask: Option<Mask>,
    pub(crate) padding: Padding,
    pub(crate) shape: [usize; 2],
    /// Rows that were looked through for what is no number; all, once one was found.
    pub(crate) looked_through: Arc<AtomicUsize>,
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
        (self.read_rows(rows.clone(), out))
            .map_err(|problem| ActivationError::new(&self.path, problem))?;
        self.look_for_numbers(rows, out);
        Ok(())
    }

    /// Says where the first value is that is no number, of which no measure can be taken.
    fn look_for_numbers(&self, rows: Range<usize>, values: &[f64]) {
        // Rows come in order, but may come again.
        if self.looked_through.load(Ordering::Relaxed) != rows.start {
            return;
        }
        let [n, d] = self.shape;
        let odd = values.iter().position(|value| !value.is_finite());
        let looked_through = odd.map_or(rows.end, |_| n);
        self.looked_through.store(looked_through, Ordering::Relaxed);
        if let Some(at) = odd {
            let (sample, unit) = (rows.start + at / d, at % d);
            log::warn!(
                "{}: layer '{}': sample {sample}, unit {unit} (from 0) is {}: no measure of the layer has \
                 a value",
                self.path.display(),
                self.name,
                values[at]
            );
        }
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
