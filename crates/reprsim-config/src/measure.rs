//! A similarity measure as a value.

use std::fmt;
use std::ops::Deref;

use reprsim_metrics::{Measure, UnknownMeasure};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A measure, known by its name.
#[derive(Clone, Copy)]
pub struct MeasureName(&'static dyn Measure);

impl MeasureName {
    /// The measure of that name.
    ///
    /// # Errors
    /// [`UnknownMeasure`], with the nearest name.
    pub fn named(name: &str) -> Result<Self, UnknownMeasure> {
        reprsim_metrics::named(name).map(Self)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        self.0.properties().name
    }

    /// The measure itself.
    pub fn measure(self) -> &'static dyn Measure {
        self.0
    }
}

impl Deref for MeasureName {
    type Target = dyn Measure;

    fn deref(&self) -> &(dyn Measure + 'static) {
        self.0
    }
}

impl PartialEq for MeasureName {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for MeasureName {}

impl fmt::Debug for MeasureName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((*self).name())
    }
}

impl Serialize for MeasureName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str((*self).name())
    }
}

impl<'de> Deserialize<'de> for MeasureName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).map_err(D::Error::custom)
    }
}
