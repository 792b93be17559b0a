//! Axes taken together.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::axis::AxisKind;

/// Between two axes in files.
const CROSS: &str = " x ";

/// Axes taken together: those of a sweep, or a term of what is fitted to it, one axis for its
/// own effect and two or more for their interaction. In files it is written `data x task`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Term(Vec<AxisKind>);

impl Term {
    /// These axes together.
    pub fn of(axes: impl IntoIterator<Item = AxisKind>) -> Self {
        Self(axes.into_iter().collect())
    }

    /// The axes.
    pub fn axes(&self) -> &[AxisKind] {
        &self.0
    }

    /// The axis, if it is one alone.
    pub fn single(&self) -> Option<AxisKind> {
        match self.0.as_slice() {
            [axis] => Some(*axis),
            _ => None,
        }
    }

    /// Whether there are several.
    pub fn is_interaction(&self) -> bool {
        self.0.len() > 1
    }

    /// The name for people, `data × task`.
    pub fn shown(&self) -> String {
        self.joined(" × ")
    }

    fn joined(&self, between: &str) -> String {
        let names: Vec<&str> = self.0.iter().map(|axis| axis.name()).collect();
        names.join(between)
    }
}

impl From<AxisKind> for Term {
    fn from(axis: AxisKind) -> Self {
        Self(vec![axis])
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(CROSS))
    }
}

impl Serialize for Term {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Term {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let axes = text.split(CROSS).map(|name| {
            AxisKind::named(name).ok_or_else(|| D::Error::custom(format!("unknown axis '{name}'")))
        });
        axes.collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_are_written_and_read() {
        let axis = |name| AxisKind::named(name).unwrap();
        let term = Term::of([axis("data"), axis("task")]);
        let json = serde_json::to_string(&term).unwrap();
        assert_eq!(json, "\"data x task\"");
        assert_eq!(serde_json::from_str::<Term>(&json).unwrap(), term);
        assert_eq!(term.shown(), "data × task");
        assert!(term.is_interaction() && term.single().is_none());
        assert_eq!(Term::from(axis("style")).single(), Some(axis("style")));
        assert!(serde_json::from_str::<Term>("\"data x tsk\"").is_err());
    }
}
