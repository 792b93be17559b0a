//! A part of a data set of images as one file: the images as `samples` and the
//! classes of each factor as `factor.NAME`.

use std::io;
use std::path::Path;

use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use crate::readers::RawPart;
use crate::tensor_file::{self, Origin, Tensor, Unusable, damaged};
use crate::{Factor, SampleShape, Skipped};

const FORMAT: &str = "reprsim data set 3";
const SAMPLES: &str = "samples";

/// A factor less its values.
#[derive(Serialize, Deserialize)]
struct FactorHead {
    name: String,
    classes: Vec<String>,
}

/// What the header says beside the origin and the places of the tensors.
#[derive(Serialize, Deserialize)]
struct Description {
    /// That of the samples, so that the checksum covers it.
    shape: [usize; 4],
    factors: Vec<FactorHead>,
    skipped: Vec<Skipped>,
}

/// Writes `part` under its final name, whole.
pub(crate) fn write(path: &Path, part: &RawPart, origin: &Origin<'_>) -> io::Result<()> {
    let SampleShape::Image {
        channels,
        height,
        width,
    } = part.shape
    else {
        return Err(io::Error::other("only images are kept as arrays"));
    };
    let count = part.samples.len() / part.shape.values().max(1);
    let shape = [count, channels, height, width];
    let description = Description {
        shape,
        factors: part
            .factors
            .iter()
            .map(|f| FactorHead {
                name: f.name.clone(),
                classes: f.classes.clone(),
            })
            .collect(),
        skipped: part.skipped.clone(),
    };
    let values: Vec<Vec<u8>> = part
        .factors
        .iter()
        .map(|f| f.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    // The 16-bit factors first.
    let mut tensors: Vec<Tensor<'_>> = part
        .factors
        .iter()
        .zip(&values)
        .map(|(factor, values)| Tensor {
            name: tensor_name(&factor.name),
            dtype: Dtype::U16,
            shape: vec![factor.values.len()],
            data: values,
        })
        .collect();
    tensors.push(Tensor {
        name: SAMPLES.into(),
        dtype: Dtype::U8,
        shape: shape.to_vec(),
        data: &part.samples,
    });
    tensor_file::write(path, FORMAT, origin, &description, &tensors)
}

fn tensor_name(factor: &str) -> String {
    format!("factor.{factor}")
}

/// Maps an array file after checking that it is whole and was made from `origin`.
pub(crate) fn read(path: &Path, origin: &Origin<'_>) -> Result<RawPart, Unusable> {
    let file = tensor_file::read::<Description>(path, FORMAT, origin)?;
    let (samples, shape) = file.tensor(SAMPLES, Dtype::U8)?;
    let [count, channels, height, width] = file.description.shape;
    if shape != file.description.shape {
        return Err(damaged(8, format!("samples of shape {shape:?}")));
    }
    let mut factors = Vec::new();
    for FactorHead { name, classes } in &file.description.factors {
        let (data, shape) = file.tensor(&tensor_name(name), Dtype::U16)?;
        let values: Vec<u16> = data
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect();
        if shape != [count] || values.iter().any(|&v| usize::from(v) >= classes.len()) {
            return Err(damaged(
                8,
                format!("factor '{name}' does not fit the samples"),
            ));
        }
        factors.push(Factor {
            name: name.clone(),
            classes: classes.clone(),
            values,
        });
    }
    Ok(RawPart {
        shape: SampleShape::Image {
            channels,
            height,
            width,
        },
        samples,
        factors,
        skipped: file.description.skipped,
    })
}
