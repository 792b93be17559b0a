//! How a network of convolutions begins and ends, by the size of its images.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// For which images a network of convolutions is made; how it differs, its architecture says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Stem {
    /// As torchvision's, for images of 224 pixels.
    Stock,
    /// As published for images of 32 pixels.
    #[default]
    Cifar,
}
