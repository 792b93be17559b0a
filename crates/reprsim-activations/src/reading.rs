//! How the arrays of a file are read as matrices.

use std::fmt;

use glob::Pattern;

use crate::axes::Axes;
use crate::mask::Mask;
use crate::pool::Pool;

/// What layer is called before the head of a model, where there is one.
const PENULTIMATE: &str = "penultimate";

/// How the arrays of a file become matrices `[samples, dimensions]`: what is read of them, what their
/// axes are, and what becomes of positions.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Which layers.
    pub layers: Layers,
    /// The order of axes, one for each number of axes; others are as PyTorch has them: `nc`, `ntc`,
    /// `nchw`.
    pub axes: Vec<Axes>,
    /// What becomes of positions.
    pub pool: Option<Pool>,
    /// Which tokens are real.
    pub mask: Option<Mask>,
}

/// Which layers of a file are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Layers {
    /// All.
    #[default]
    All,
    /// Those of these names, in which `*` and `?` stand for any letters.
    Named(Vec<String>),
    /// The one that stands for the model: `penultimate` if there is one, else the last.
    Representative,
}

impl Layers {
    /// Those of `names` that are read, by their places.
    pub fn among(&self, names: &[&str]) -> Vec<usize> {
        let all = 0..names.len();
        match self {
            Self::All => all.collect(),
            Self::Named(wanted) => all
                .filter(|at| wanted.iter().any(|name| is_meant(name, names[*at])))
                .collect(),
            Self::Representative => {
                let named = names.iter().position(|name| *name == PENULTIMATE);
                named
                    .or_else(|| names.len().checked_sub(1))
                    .into_iter()
                    .collect()
            }
        }
    }

    /// The first name or pattern that means none of `names`.
    pub fn missing(&self, names: &[&str]) -> Option<&str> {
        let Self::Named(wanted) = self else {
            return None;
        };
        let mut wanted = wanted.iter().map(String::as_str);
        wanted.find(|name| !names.iter().any(|layer| is_meant(name, layer)))
    }
}

impl fmt::Display for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("any"),
            Self::Named(names) => write!(f, "'{}'", names.join("', '")),
            Self::Representative => f.write_str(PENULTIMATE),
        }
    }
}

impl Reading {
    /// Pooled, and no more said.
    pub fn pooled(pool: Pool) -> Self {
        Self {
            pool: Some(pool),
            ..Self::default()
        }
    }

    /// The order of so many axes, if it is said.
    pub(crate) fn axes_of(&self, count: usize) -> Option<&Axes> {
        self.axes.iter().find(|axes| axes.count() == count)
    }
}

/// Whether `name`, in which `*` and `?` stand for any letters, means the layer: by itself first, for
/// names may hold what stands for others.
fn is_meant(name: &str, layer: &str) -> bool {
    name == layer || Pattern::new(name).is_ok_and(|pattern| pattern.matches(layer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_layer_stands_for_a_model() {
        let of = |names: &[&str]| Layers::Representative.among(names);
        assert_eq!(of(&["conv", "penultimate", "head"]), [1]);
        assert_eq!(of(&["conv", "fc"]), [1]);
        assert_eq!(of(&[]), [0; 0]);
    }

    #[test]
    fn a_name_that_means_no_layer_is_missing() {
        let of = |wanted: &[&str]| Layers::Named(wanted.iter().map(ToString::to_string).collect());
        let names = ["conv1", "head"];
        assert_eq!(of(&["conv*", "head"]).missing(&names), None);
        assert_eq!(of(&["conv*", "haed", "x"]).missing(&names), Some("haed"));
        assert_eq!(Layers::All.missing(&[]), None);
    }

    #[test]
    fn layers_are_meant_by_name_or_pattern() {
        for (name, layer) in [
            ("conv1", "conv1"),
            ("conv*", "conv1"),
            ("*.attn", "blocks.3.attn"),
            ("block?", "block3"),
            ("a[0]", "a[0]"),
            ("h/*", "h/0/1"),
            ("[", "["),
        ] {
            assert!(is_meant(name, layer), "{name} {layer}");
        }
        for (name, layer) in [("conv", "conv1"), ("block?", "block10"), ("[", "a")] {
            assert!(!is_meant(name, layer), "{name} {layer}");
        }
    }
}
