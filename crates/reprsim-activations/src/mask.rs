//! Which tokens are real.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::elements::open;
use crate::error::{ActivationError, Problem};
use crate::npy;

/// Which tokens of each sample are real and not padding: `[samples, tokens]`.
#[derive(Clone, Debug)]
pub struct Mask {
    path: PathBuf,
    shape: [usize; 2],
    real: Arc<[bool]>,
}

impl Mask {
    /// Reads a `.npy` file of `[samples, tokens]`, of any type of numbers or of truth values: 1 for
    /// a real token, 0 for padding.
    ///
    /// # Errors
    /// [`ActivationError`] if it cannot be read, is damaged, has another number of axes, holds
    /// anything but 0 and 1, or leaves a sample without a token.
    pub fn open(path: &Path) -> Result<Self, ActivationError> {
        let (shape, real) = (open(path).and_then(npy::read_mask))
            .map_err(|problem| ActivationError::new(path, problem))?;
        Self::new(path, shape, real)
    }

    /// The mask of `[samples, tokens]`, row by row; errors call it `origin`.
    ///
    /// # Errors
    /// [`ActivationError`] if there are not as many values as the shape says, or a sample is left
    /// without a token.
    pub fn new(origin: &Path, shape: [usize; 2], real: Vec<bool>) -> Result<Self, ActivationError> {
        let error = |problem| ActivationError::new(origin, problem);
        let [n, tokens] = shape;
        if n.checked_mul(tokens) != Some(real.len()) {
            return Err(error(Problem::MaskShape(vec![real.len()])));
        }
        let is_empty = |i: &usize| !real[i * tokens..(i + 1) * tokens].contains(&true);
        if let Some(row) = (0..n).find(is_empty) {
            return Err(error(Problem::Masked { row }));
        }
        Ok(Self {
            path: origin.to_path_buf(),
            shape,
            real: real.into(),
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Samples and tokens.
    pub fn shape(&self) -> [usize; 2] {
        self.shape
    }

    /// The tokens of `count` samples from `start`.
    pub(crate) fn samples(&self, start: usize, count: usize) -> &[bool] {
        let tokens = self.shape[1];
        &self.real[start * tokens..(start + count) * tokens]
    }
}
