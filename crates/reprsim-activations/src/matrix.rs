//! A stored layer as a matrix.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::elements::Array;
use crate::error::{ActivationError, Problem};
use crate::mask::Mask;
use crate::padding::Padding;
use crate::quantized::Quantized;
use crate::shaping::Shaping;

/// A layer as a matrix `[n, d]`, read by rows.
#[derive(Clone, Debug)]
pub struct LayerMatrix {
    pub(crate) path: PathBuf,
    /// The layer's name.
    pub(crate) name: String,
    pub(crate) array: Array,
    /// The shape of the array as it is stored.
    pub(crate) stored: Vec<usize>,
    pub(crate) shaping: Shaping,
    /// What whole numbers stand for; absent: themselves.
    pub(crate) quantized: Option<Arc<Quantized>>,
    /// Which tokens are pooled; absent: all.
    pub(crate) mask: Option<Mask>,
    pub(crate) padding: Padding,
    /// Rows that were looked through for what is no number; all, once one was found.
    pub(crate) looked_through: Arc<AtomicUsize>,
}

/// Elements that are pooled at once.
const POOLED_AT_ONCE: usize = 1 << 21;

impl LayerMatrix {
    /// Samples and dimensions.
    pub fn shape(&self) -> [usize; 2] {
        self.shaping.shape
    }

    /// The shape of the array as it is stored.
    pub fn stored_shape(&self) -> &[usize] {
        &self.stored
    }

    /// What its axes were taken for and what became of them, in a few words: `nchw (samples, channels,
    /// height, width), mean over height, width`; empty where nothing was done.
    pub fn shaping(&self) -> String {
        self.shaping.words()
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
        if rows.start < self.looked_through.load(Ordering::Relaxed) {
            return;
        }
        let [n, d] = self.shape();
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
        let [n, d] = self.shape();
        if rows.end > n || rows.len().checked_mul(d) != Some(out.len()) {
            return Err(Problem::Rows {
                start: rows.start,
                end: rows.end,
                rows: n,
            });
        }
        let Some(pool) = self.shaping.pool else {
            return self.read_samples(rows.start, out);
        };
        let sample = self.array.sample();
        // A sample may be many times as large as what is left of it.
        let step = (POOLED_AT_ONCE / sample.max(1)).clamp(1, rows.len().max(1));
        let mut samples = vec![0.0; step * sample];
        for (block, out) in out.chunks_mut(step * d).enumerate() {
            let count = out.len() / d;
            let samples = &mut samples[..count * sample];
            let start = rows.start + block * step;
            self.read_samples(start, samples)?;
            let real = self.mask.as_ref().map(|mask| mask.samples(start, count));
            let [tokens, _, after] = self.shaping.sample;
            if self.shaping.has_tokens && after == 1 && real.is_none() {
                let shape = [n, tokens, d];
                self.padding.look(&self.path, pool, shape, samples, start);
            }
            pool.pool(self.shaping.sample, samples, real, out);
        }
        Ok(())
    }

    /// Reads whole samples as the numbers that they stand for.
    fn read_samples(&self, start: usize, out: &mut [f64]) -> Result<(), Problem> {
        self.array.read_samples(start, out)?;
        if let Some(quantized) = &self.quantized {
            let [_, channels, after] = self.shaping.sample;
            quantized.apply(out, channels, after);
        }
        Ok(())
    }
}
