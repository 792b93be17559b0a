//! Whole numbers that stand for others, by a scale and a zero point.

use crate::elements::Array;
use crate::error::Problem;
use crate::labels::Labels;

/// What integers `q` stand for: `(q - zero_point) * scale`, both one number, or one a channel.
///
/// They are arrays beside the layer NAME, as compressed-tensors and ONNX Runtime name them:
/// `NAME_scale` and, unless it is 0, `NAME_zero_point`; or `NAME.scale` and `NAME.zero_point`, as
/// PyTorch does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantized {
    scale: Vec<f64>,
    zero_point: Vec<f64>,
}

impl Quantized {
    /// The scale of layer `name`, taken from among the arrays of a file; `None` if there is none.
    pub fn take(
        name: &str,
        layers: &mut Vec<(String, Array)>,
        columns: &mut Vec<(String, Labels)>,
    ) -> Result<Option<Self>, Problem> {
        for separator in ["_", "."] {
            let of = |what: &str| format!("{name}{separator}{what}");
            let scale = take(&of("scale"), layers, columns)?;
            let zero_point = take(&of("zero_point"), layers, columns)?;
            let Some(scale) = scale else {
                continue;
            };
            if !scale
                .iter()
                .chain(zero_point.iter().flatten())
                .all(|v| v.is_finite())
            {
                return Err(Problem::Quantized {
                    layer: name.into(),
                    what: "its scale or zero point is not finite".into(),
                });
            }
            let zero_point = zero_point.unwrap_or_else(|| vec![0.0]);
            return Ok(Some(Self { scale, zero_point }));
        }
        Ok(None)
    }

    /// Checks that there is one scale, and one zero point, or as many as channels.
    pub fn check(&self, layer: &str, channels: Option<usize>) -> Result<(), Problem> {
        for (what, count) in [
            ("scales", self.scale.len()),
            ("zero points", self.zero_point.len()),
        ] {
            if count != 1 && Some(count) != channels {
                let expected = match channels {
                    Some(channels) => format!("one, or one for each of its {channels} channels"),
                    None => "one; which of its axes are channels is said with --axes".into(),
                };
                return Err(Problem::Quantized {
                    layer: layer.into(),
                    what: format!("it has {count} {what} and must have {expected}"),
                });
            }
        }
        Ok(())
    }

    /// Puts what they stand for in place of integers, of `channels`, each of `inner` elements one after
    /// the other.
    pub fn apply(&self, values: &mut [f64], channels: usize, inner: usize) {
        let of = |all: &[f64], channel: usize| all[if all.len() == 1 { 0 } else { channel }];
        for (at, run) in values.chunks_mut(inner.max(1)).enumerate() {
            let channel = at % channels.max(1);
            let (scale, zero) = (of(&self.scale, channel), of(&self.zero_point, channel));
            for value in run {
                *value = (*value - zero) * scale;
            }
        }
    }
}

/// The values of an array of at most one axis, which is taken from where it is.
fn take(
    name: &str,
    layers: &mut Vec<(String, Array)>,
    columns: &mut Vec<(String, Labels)>,
) -> Result<Option<Vec<f64>>, Problem> {
    if let Some(at) = layers
        .iter()
        .position(|(of, array)| of == name && array.shape.len() < 2)
    {
        return Ok(Some(layers.remove(at).1.values()?));
    }
    let Some(at) = columns.iter().position(|(of, _)| of == name) else {
        return Ok(None);
    };
    Ok(match columns.remove(at).1 {
        Labels::Numbers(of) => Some(of.into_iter().map(|v| v as f64).collect()),
        Labels::Names(_) => None,
    })
}
