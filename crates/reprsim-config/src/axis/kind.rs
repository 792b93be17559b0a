//! A kind of axis as a value.

use std::cmp::Ordering;
use std::fmt;
use std::ops::Deref;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CAUSES, Cause};

/// A kind of axis: its [`Cause`], known by its name. Kinds are ordered as in the table.
#[derive(Clone, Copy)]
pub struct AxisKind(&'static dyn Cause);

impl AxisKind {
    /// All kinds, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        CAUSES.iter().map(|cause| Self(*cause))
    }

    /// The kind of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|kind| kind.name() == name)
    }

    fn place(self) -> usize {
        let same = |cause: &&dyn Cause| cause.name() == self.name();
        CAUSES.iter().position(same).unwrap_or(CAUSES.len())
    }
}

impl Deref for AxisKind {
    type Target = dyn Cause;

    fn deref(&self) -> &(dyn Cause + 'static) {
        self.0
    }
}

impl PartialEq for AxisKind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for AxisKind {}

impl PartialOrd for AxisKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AxisKind {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl fmt::Debug for AxisKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for AxisKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for AxisKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for AxisKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom(format!("unknown axis kind '{name}'")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn kinds_are_known_by_their_names() {
        let names: BTreeSet<&str> = AxisKind::all().map(|kind| kind.0.name()).collect();
        assert_eq!(names.len(), CAUSES.len(), "a name twice");
        for kind in AxisKind::all() {
            assert_eq!(AxisKind::named(kind.name()), Some(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{kind}\""));
            assert_eq!(serde_json::from_str::<AxisKind>(&json).unwrap(), kind);
        }
        assert!(serde_json::from_str::<AxisKind>("\"dta\"").is_err());
    }
}
