//! What every reader hands over.

use std::path::Path;

use reprsim_base::ask_memory;

use crate::{Bytes, Card, DataError, Factor, Part, SampleShape, Skipped};

/// One part of a data set, before it has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawPart {
    pub shape: SampleShape,
    pub samples: Bytes,
    pub factors: Vec<Factor>,
    pub skipped: Vec<Skipped>,
}

impl RawPart {
    /// A part of square colour images with all files read.
    pub fn colour(side: usize, samples: Vec<u8>, factors: Vec<Factor>) -> Self {
        Self {
            shape: SampleShape::Image {
                channels: 3,
                height: side,
                width: side,
            },
            samples: samples.into(),
            factors,
            skipped: vec![],
        }
    }
}

/// Room for the images of a part, of `each` bytes.
pub(super) fn room(path: &Path, count: usize, each: usize) -> Result<Vec<u8>, DataError> {
    let bytes = count.saturating_mul(each);
    let what = format!("{}, {count} images of {each} bytes,", path.display());
    ask_memory(bytes as u128, what)?;
    Ok(Vec::with_capacity(bytes))
}

/// Refuses a file that does not hold as many samples as the card says.
pub(super) fn check_count(
    path: &Path,
    card: &Card,
    part: Part,
    count: usize,
) -> Result<(), DataError> {
    let promised = card.len(part);
    if count == promised {
        return Ok(());
    }
    Err(DataError::damaged(
        path,
        0,
        format!(
            "the {} part holds {count} samples; {} has {promised}",
            part.name(),
            card.name
        ),
    ))
}
