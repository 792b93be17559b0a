//! A layer's activations, centred and ready to be compared.

use burn::tensor::Tensor;

use crate::measure::Undefined;

/// A failure that is not a property of the data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// Two layers have different numbers of rows.
    #[error("layer '{a}' has {n_a} rows and layer '{b}' has {n_b}: they must be the same samples")]
    RowsDiffer {
        /// One layer.
        a: String,
        /// Its rows.
        n_a: usize,
        /// The other.
        b: String,
        /// Its rows.
        n_b: usize,
    },
    /// The device failed.
    #[error("the device failed: {0}")]
    Device(String),
}

/// Centred activations of one layer, `[n, d]` on the device, with what every
/// comparison needs of it alone.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The layer's name.
    pub name: String,
    pub(crate) centred: Tensor<2>,
    /// Squared length of each centred row.
    pub(crate) row_norms: Vec<f64>,
    /// Squared Frobenius norm of X'X (equally of XX'), X centred.
    pub(crate) self_product: f64,
    pub(crate) degenerate: Option<Undefined>,
}

/// A layer whose variance is below this share of its mean square is constant
/// as far as f32 can tell.
const CONSTANT: f64 = 1e-12;

impl Layer {
    /// Centres `activations` (`[n, d]`) and computes its self terms.
    ///
    /// Centring twice removes the rounding error of the first mean, so a large
    /// common offset costs no precision.
    ///
    /// # Errors
    /// [`MetricError::Device`] if reading from the device fails. Degenerate
    /// input is no error: its scores are [`Undefined`].
    pub fn new(name: impl Into<String>, activations: Tensor<2>) -> Result<Self, MetricError> {
        let name = name.into();
        let [n, d] = activations.dims();
        if n == 0 || d == 0 {
            return Ok(Self {
                name,
                centred: activations,
                row_norms: vec![0.0; n],
                self_product: 0.0,
                degenerate: Some(if d == 0 {
                    Undefined::NoDimensions
                } else {
                    Undefined::TooFewSamples { needed: 1 }
                }),
            });
        }
        let raw = host_f64(activations.clone().powf_scalar(2.0).sum_dim(1).reshape([n]))?;
        let once = activations.clone() - activations.mean_dim(0);
        let centred = once.clone() - once.mean_dim(0);
        let row_norms = host_f64(centred.clone().powf_scalar(2.0).sum_dim(1).reshape([n]))?;
        let (raw, variation) = (raw.iter().sum::<f64>(), row_norms.iter().sum::<f64>());
        let degenerate = if !raw.is_finite() || !variation.is_finite() {
            Some(Undefined::NonFinite)
        } else if variation <= CONSTANT * raw {
            Some(Undefined::ConstantLayer)
        } else {
            None
        };
        let self_product = match degenerate {
            Some(_) => 0.0,
            None => square_sum(if d <= n {
                centred.clone().transpose().matmul(centred.clone())
            } else {
                centred.clone().matmul(centred.clone().transpose())
            })?,
        };
        Ok(Self {
            name,
            centred,
            row_norms,
            self_product,
            degenerate,
        })
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.centred.dims()[0]
    }

    /// Number of dimensions.
    pub fn width(&self) -> usize {
        self.centred.dims()[1]
    }
}

/// Reads a vector from the device as f64.
pub(crate) fn host_f64<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>, MetricError> {
    let data = tensor
        .try_into_data()
        .map_err(|e| MetricError::Device(e.to_string()))?;
    Ok(data.iter::<f64>().collect())
}

/// Sum of the squares of all entries, added up in f64 on the host.
pub(crate) fn square_sum(tensor: Tensor<2>) -> Result<f64, MetricError> {
    Ok(host_f64(tensor)?.iter().map(|v| v * v).sum())
}
