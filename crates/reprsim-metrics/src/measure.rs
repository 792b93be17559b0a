//! What a measure declares of itself, and how it is computed.

use crate::Value;
use crate::basis::Directions;
use crate::concordance::Concordance;
use crate::descriptors::Describe;
use crate::kernel::Kernel;
use crate::minibatch::MinibatchSums;
use crate::neighbors::Space;
use crate::pair::{
    CosinePair, CovariancePair, DistancePair, KernelPair, NeighborPair, SamplesPair, SubspacePair,
};
use crate::subspace::Columns;

/// A similarity measure between two layers on the same samples. Larger is more
/// alike, always.
pub trait Measure: Send + Sync {
    /// What is known of it.
    fn properties(&self) -> &Properties;

    /// How it is computed from terms that its family shares.
    fn formula(&self) -> Formula;

    /// The name in results: with the number of neighbours where it uses one.
    fn full_name(&self, k: usize) -> String {
        let properties = self.properties();
        // The published names mean the published k.
        let published = properties.mode == Mode::Paper && k == PUBLISHED_K;
        match properties.uses_k && !published {
            true => format!("{}_k{k}", properties.name),
            false => properties.name.to_string(),
        }
    }

    /// The smallest value it can take with `k` neighbours.
    fn smallest(&self, k: usize) -> f64 {
        self.properties().range.0.value(k, f64::NEG_INFINITY)
    }

    /// The largest value it can take with `k` neighbours.
    fn largest(&self, k: usize) -> f64 {
        self.properties().range.1.value(k, f64::INFINITY)
    }

    /// Whether it looks at which sample of one layer is which of the other. One that does not has no
    /// permutations to be tested against: all give the same.
    fn is_paired(&self) -> bool {
        !matches!(self.formula(), Formula::Descriptors(..))
    }

    /// Whether a covariate can be held fixed: whether it is the cosine of two matrices of
    /// similarities, so that part of both can be taken off.
    fn takes_covariate(&self) -> bool {
        let properties = self.properties();
        matches!(self.formula(), Formula::Kernel(..))
            && properties.geometry == Geometry::Cosine
            && properties.mode == Mode::Exact
    }

    /// The exact mean over all permutations where it depends on n and k alone.
    fn chance(&self, _n: usize, _k: usize) -> Option<f64> {
        None
    }
}

/// A measure that is all said by its properties and its formula.
pub struct Definition {
    /// What is known of it.
    pub properties: Properties,
    /// How it is computed.
    pub formula: Formula,
    /// The exact mean over all permutations for n samples and k neighbours, where
    /// it depends on nothing else.
    pub chance: Option<fn(usize, usize) -> Option<f64>>,
}

impl Measure for Definition {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn formula(&self) -> Formula {
        self.formula
    }

    fn chance(&self, n: usize, k: usize) -> Option<f64> {
        self.chance.and_then(|chance| chance(n, k))
    }
}

/// Neighbours in the published numbers.
const PUBLISHED_K: usize = 10;

/// Which of the two sets of definitions a measure belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Clean definitions: signed, no epsilon, deterministic.
    #[default]
    Exact,
    /// What the numbers of Li et al. (2025, arXiv 2505.13899) were computed with.
    Paper,
}

/// What is known of a measure.
#[derive(Debug)]
pub struct Properties {
    /// The name in experiment files and results.
    pub name: &'static str,
    /// The published name of the same idea, by which it can be asked for too.
    pub alias: Option<&'static str>,
    /// In a few words.
    pub title: &'static str,
    /// What it computes and whose idea it is, in a sentence or two for readers of a
    /// report.
    pub what: &'static str,
    /// The set of definitions.
    pub mode: Mode,
    /// The estimator.
    pub estimator: &'static str,
    /// Smallest and largest value.
    pub range: (Bound, Bound),
    /// What the ends of the range mean, for readers of a report: "from 0 (...) to
    /// 1 (...)". The upper end is always that of the more alike.
    pub range_in_words: &'static str,
    /// Whether swapping the layers leaves the value.
    pub symmetric: bool,
    /// What its values are, which says how they become distances.
    pub geometry: Geometry,
    /// What may be done to a layer without changing the value.
    pub invariances: Invariances,
    /// The value for unrelated layers, in words.
    pub chance: &'static str,
    /// Fewest samples; measures with neighbours need more than k as well.
    pub samples: usize,
    /// Whether the number of neighbours k matters.
    pub uses_k: bool,
    /// Where the formula comes from.
    pub reference: &'static str,
}

/// What the values of a measure are, which says how they become distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// A share or a mean of shares or correlations, or a distance with its sign turned: the cosine of no
    /// one angle.
    Share,
    /// The cosine of the angle between two matrices of similarities.
    Cosine,
    /// The cosine of the angle between two layers of length 1, one of them brought as near to the
    /// other as can be: both distances obey the triangle inequality (Williams et al. 2021).
    Shape,
    /// Without an upper end there is no distance from it.
    Open,
}

/// An end of a range.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bound {
    /// This.
    Number(f64),
    /// The number of neighbours.
    K,
    /// Unbounded.
    None,
}

impl Bound {
    /// The bound as a number; `none` where there is none.
    fn value(self, k: usize, none: f64) -> f64 {
        match self {
            Self::Number(value) => value,
            Self::K => k as f64,
            Self::None => none,
        }
    }
}

/// Transformations of either layer that leave a measure's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invariances {
    /// Adding one vector to all samples.
    pub translation: bool,
    /// Multiplying everything by one positive number.
    pub scale: bool,
    /// Rotations and reflections.
    pub orthogonal: bool,
    /// Any invertible linear map.
    pub linear: bool,
}

impl Invariances {
    /// Translation, isotropic scale and rotation.
    pub const SIMILARITY: Self = Self {
        translation: true,
        scale: true,
        orthogonal: true,
        linear: false,
    };
    /// All.
    pub const LINEAR: Self = Self {
        linear: true,
        ..Self::SIMILARITY
    };
    /// Isotropic scale and rotation.
    pub const ANGLES: Self = Self {
        translation: false,
        ..Self::SIMILARITY
    };
    /// Translation and isotropic scale.
    pub const AXES: Self = Self {
        orthogonal: false,
        ..Self::SIMILARITY
    };
    /// Isotropic scale alone.
    pub const SCALE: Self = Self {
        translation: false,
        ..Self::AXES
    };

    /// The names of the transformations that leave the value.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        [
            (self.scale, "scale"),
            (self.translation, "translation"),
            (self.orthogonal, "rotation"),
            (self.linear, "linear maps"),
        ]
        .into_iter()
        .filter(|(keeps, _)| *keeps)
        .map(|(_, name)| name)
    }
}

/// A formula over the terms of its family.
#[derive(Clone, Copy)]
pub enum Formula {
    /// Over sums of two kernel matrices.
    Kernel(Kernel, fn(&KernelPair) -> Value),
    /// Over the order of the distances that this kernel ranks.
    Concordance(Kernel, fn(&Concordance) -> Value),
    /// Over neighbour lists, and kernel values on them where `true`.
    Neighbors(Space, bool, fn(&NeighborPair) -> Value),
    /// Over orthonormal bases of these directions of each layer.
    Subspace(Columns, Directions, fn(&SubspacePair) -> Value),
    /// Over the cross-covariance, whatever the rotation of each layer.
    Covariance(fn(&CovariancePair) -> Value),
    /// Over the cross-covariance of units, whose columns are prepared so.
    Units(Columns, fn(&CovariancePair) -> Value),
    /// Over bases of all directions, sample by sample.
    Samples(fn(&SamplesPair) -> Value),
    /// Over sums of HSIC_1 over batches.
    Minibatch(fn(&MinibatchSums) -> Value),
    /// Over neighbour lists, and cosines of any samples.
    Cosines(Space, fn(&CosinePair) -> Value),
    /// Over the distances between all samples of a part; the value is the mean over parts.
    Distances(fn(&DistancePair) -> Value),
    /// Over what is told of each layer by itself, whichever sample is which.
    Descriptors(Describe, fn(&[f64], &[f64]) -> Value),
}
