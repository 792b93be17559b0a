//! Whole numbers that stand for others, by a scale and a zero point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::contents::Contents;
use crate::error::{ActivationError, Problem};
use crate::labels::Labels;
use crate::part::Part;

/// What integers `q` stand for: `(q - zero_point) * scale`, both one number, or one a channel.
///
/// They are arrays beside the layer NAME, in its file or in another of its folder, as compressed-tensors
/// and ONNX Runtime name them: `NAME_scale` and, unless it is 0, `NAME_zero_point`; or `NAME.scale` and `NAME.zero_point`, as
/// PyTorch does.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Quantized {
    scale: Vec<f64>,
    zero_point: Vec<f64>,
}

/// What was found of the quantised layers of a model: each by its part and name.
pub(crate) type Found = BTreeMap<(usize, String), Arc<Quantized>>;

impl Quantized {
    /// What the whole numbers in the files of a model stand for. Scales and zero points that are found
    /// are taken out.
    pub fn take_all(parts: &mut [Part]) -> Result<Found, ActivationError> {
        let mut found = Found::new();
        let mut used = BTreeSet::new();
        for (at, part) in parts.iter().enumerate() {
            let error = |problem| ActivationError::new(&part.path, problem);
            let integers = (part.contents.layers.iter())
                .filter(|(_, array)| array.element.is_integer())
                .map(|(name, _)| name);
            for name in integers {
                if let Some(of) = Self::find(at, name, parts, &mut used).map_err(error)? {
                    found.insert((at, name.clone()), Arc::new(of));
                }
            }
        }
        for (at, name) in used {
            let contents = &mut parts[at].contents;
            contents.layers.retain(|(of, _)| *of != name);
            contents.columns.retain(|(of, _)| *of != name);
        }
        Ok(found)
    }

    /// What a layer of the part `at` stands for, by arrays that are noted as used; `None` if there is
    /// no scale.
    fn find(
        at: usize,
        name: &str,
        parts: &[Part],
        used: &mut BTreeSet<(usize, String)>,
    ) -> Result<Option<Self>, Problem> {
        let wrong = |what: String| Problem::Quantized {
            layer: name.into(),
            what,
        };
        for separator in ["_", "."] {
            let mut values = |what: &str| {
                let of = format!("{name}{separator}{what}");
                let Some(place) = place(at, name, &of, parts).map_err(wrong)? else {
                    return Ok(None);
                };
                let values = values_of(&parts[place].contents, &of)?;
                used.insert((place, of.clone()));
                values.map_or_else(
                    || Err(wrong(format!("'{of}' holds texts"))),
                    |v| Ok(Some(v)),
                )
            };
            let Some(scale) = values("scale")? else {
                continue;
            };
            let zero_point = values("zero_point")?.unwrap_or_else(|| vec![0.0]);
            if !scale.iter().chain(&zero_point).all(|v| v.is_finite()) {
                return Err(wrong("its scale or zero point is not finite".into()));
            }
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

/// The part where the array `of` beside the layer `name` of the part `at` is: the same, or another one
/// if no other has a layer of the name.
fn place(at: usize, name: &str, of: &str, parts: &[Part]) -> Result<Option<usize>, String> {
    if holds(&parts[at].contents, of) {
        return Ok(Some(at));
    }
    let has_layer = |part: &&Part| part.contents.layers.iter().any(|(layer, _)| layer == name);
    if parts.iter().filter(has_layer).count() > 1 {
        return Ok(None);
    }
    let mut places = (0..parts.len()).filter(|place| holds(&parts[*place].contents, of));
    match (places.next(), places.next()) {
        (Some(_), Some(_)) => Err(format!("'{of}' is in several files")),
        (place, _) => Ok(place),
    }
}

/// Whether there is an array of the name that has one axis at most, or labels.
fn holds(contents: &Contents, of: &str) -> bool {
    let mut layers = contents.layers.iter();
    layers.any(|(name, array)| name == of && array.shape.len() < 2)
        || contents.columns.iter().any(|(name, _)| name == of)
}

/// Their values; `None` of texts.
fn values_of(contents: &Contents, of: &str) -> Result<Option<Vec<f64>>, Problem> {
    if let Some((_, array)) = contents.layers.iter().find(|(name, _)| name == of) {
        return array.values().map(Some);
    }
    let labels = contents.columns.iter().find(|(name, _)| name == of);
    Ok(match labels {
        Some((_, Labels::Numbers(of))) => Some(of.iter().map(|v| *v as f64).collect()),
        _ => None,
    })
}
