//! What images are normalised with: by a name, or given.

use std::fmt;

use reprsim_train::Normalization;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Mean and deviation, or their name.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum NormalizationSection {
    /// Those that are given.
    Given(Normalization),
    /// Those of a name.
    Named(NormalizationName),
}

/// Means and deviations that checkpoints were trained with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NormalizationName {
    /// Of the photographs of ImageNet.
    Imagenet,
    /// From -1 to 1.
    Inception,
}

impl NormalizationSection {
    /// The values.
    pub fn values(&self) -> Normalization {
        match self {
            Self::Given(given) => given.clone(),
            Self::Named(NormalizationName::Imagenet) => Normalization::imagenet(),
            Self::Named(NormalizationName::Inception) => Normalization::inception(),
        }
    }
}

impl<'de> Deserialize<'de> for NormalizationSection {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = NormalizationSection;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name, or a table of mean and std")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                let name = NormalizationName::deserialize(name.into_deserializer())?;
                Ok(NormalizationSection::Named(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let given = Normalization::deserialize(MapAccessDeserializer::new(map))?;
                Ok(NormalizationSection::Given(given))
            }
        }
        given.deserialize_any(Either)
    }
}
