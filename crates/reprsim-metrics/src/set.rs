//! A set of layers on the same samples, compared pair by pair with what they
//! share computed once.

use std::sync::Arc;

use burn::tensor::Device;
use reprsim_graph::Profile;

use crate::basis::Directions;
use crate::concordance::Concordance;
use crate::covariance::{Axes, CovarianceStage};
use crate::distance_matrices::DistanceStage;
use crate::kernel::Kernel;
use crate::measure::{Formula, Measure};
use crate::minibatch::MinibatchSums;
use crate::neighbors::{NeighborStage, Space, Ties};
use crate::null::{Null, Part};
use crate::options::Options;
use crate::pair::{
    CosinePair, CovariancePair, DistancePair, KernelPair, NeighborPair, SamplesPair, SubspacePair,
};
use crate::permutations::Permutations;
use crate::samples::SamplesStage;
use crate::score::Score;
use crate::subspace::{Columns, SubspaceStage};
use crate::view::{Room, Transform, View, clamp_threshold};
use crate::{
    Layer, MetricError, Undefined, Value, concordance, descriptors, minibatch, neighbor_cosines,
    products, whitened,
};

/// The largest of several scores, and its null: the largest under each
/// permutation, which moved all layers together (Groeger et al. 2026, algorithm
/// 2). `None` if none has a value.
pub fn maximum<'a>(scores: impl Iterator<Item = &'a Score>) -> Option<(usize, Score)> {
    let sound: Vec<(usize, f64, &Score)> = scores
        .enumerate()
        .filter_map(|(at, score)| Some((at, score.value.ok()?, score)))
        .collect();
    let (at, value, first) = *sound.iter().max_by(|x, y| {
        // Of equals the first.
        x.1.total_cmp(&y.1).then(y.0.cmp(&x.0))
    })?;
    let count = sound.iter().map(|(.., s)| s.permuted.len()).min()?;
    let complete = sound.iter().all(|(.., s)| s.permuted.len() == count);
    let permuted = (0..if complete { count } else { 0 })
        .map(|p| {
            (sound.iter())
                .map(|(.., s)| s.permuted[p])
                .fold(f64::NEG_INFINITY, f64::max)
        })
        .collect();
    let score = Score {
        permuted,
        exceedances: first.exceedances,
        ..Score::of(Ok(value))
    };
    Some((at, score))
}

/// Layers of one or more models on the same samples.
#[derive(Clone, Debug)]
pub struct Set {
    layers: Vec<Layer>,
    /// The model that each layer is of.
    models: Vec<usize>,
    device: Device,
    options: Options,
}

impl Set {
    /// A set of the layers of `models`; layers are numbered through in order.
    ///
    /// # Errors
    /// [`MetricError::RowsDiffer`] if layers have different numbers of rows, or
    /// [`MetricError::TooManyRows`].
    pub fn new(
        models: Vec<Vec<Layer>>,
        device: &Device,
        options: Options,
    ) -> Result<Self, MetricError> {
        let owners = (models.iter().enumerate())
            .flat_map(|(model, layers)| layers.iter().map(move |_| model))
            .collect();
        let layers: Vec<Layer> = models.into_iter().flatten().collect();
        for layer in &layers {
            if u32::try_from(layer.rows()).is_err() {
                return Err(MetricError::TooManyRows {
                    layer: layer.name.clone(),
                    rows: layer.rows(),
                });
            }
            if layer.rows() != layers[0].rows() {
                return Err(MetricError::RowsDiffer {
                    a: layers[0].name.clone(),
                    n_a: layers[0].rows(),
                    b: layer.name.clone(),
                    n_b: layer.rows(),
                });
            }
        }
        Ok(Self {
            layers,
            models: owners,
            device: device.clone(),
            options,
        })
    }

    /// All layers.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The numbers of the layers of a model.
    pub fn of_model(&self, model: usize) -> Vec<usize> {
        (0..self.layers.len())
            .filter(|i| self.models[*i] == model)
            .collect()
    }

    /// All pairs of a layer of model `a` with one of model `b`, row-major.
    pub fn pairs(&self, a: usize, b: usize) -> Vec<(usize, usize)> {
        itertools::iproduct!(self.of_model(a), self.of_model(b)).collect()
    }

    /// Number of neighbours.
    pub fn k(&self) -> usize {
        self.options.k
    }

    /// Number of samples.
    pub fn rows(&self) -> usize {
        self.layers.first().map_or(0, Layer::rows)
    }

    /// Whether all numbers in `pairs` are those of layers.
    pub(crate) fn check(&self, pairs: &[(usize, usize)]) -> Result<(), MetricError> {
        let layers = self.layers.len();
        match pairs.iter().flat_map(|(i, j)| [*i, *j]).max() {
            Some(layer) if layer >= layers => Err(MetricError::NoSuchLayer { layer, layers }),
            _ => Ok(()),
        }
    }

    /// Two layers alone, as layers 0 and 1 of two models.
    pub(crate) fn pair(&self, (i, j): (usize, usize)) -> Self {
        Self {
            layers: vec![self.layers[i].clone(), self.layers[j].clone()],
            models: vec![0, 1],
            ..self.clone()
        }
    }

    /// The set on some of its samples.
    pub(crate) fn subset(&self, rows: &[u32]) -> Self {
        let rows: Arc<[u32]> = rows.into();
        Self {
            layers: (self.layers.iter())
                .map(|l| l.subset(rows.clone()))
                .collect(),
            ..self.clone()
        }
    }

    /// The scores of each measure (outer) for each pair of layers (inner), alone
    /// and under `permutations` of the second layer's samples. `on_stage` hears
    /// what is being computed.
    ///
    /// # Errors
    /// [`MetricError`] if activations cannot be read, the device fails, a pair is of
    /// no layers of the set or permutations are of other samples, or a measure is to
    /// use no neighbours. Degenerate input is no error: its scores say why they have no
    /// value.
    pub fn compare(
        &self,
        measures: &[&dyn Measure],
        pairs: &[(usize, usize)],
        permutations: &Permutations,
        on_stage: &mut dyn FnMut(&str),
    ) -> Result<Vec<Vec<Score>>, MetricError> {
        let n = self.rows();
        self.check(pairs)?;
        if let Some(permuted) = permutations.samples().filter(|samples| *samples != n) {
            return Err(MetricError::Permutations { permuted, rows: n });
        }
        if self.options.k == 0 && measures.iter().any(|m| m.properties().uses_k) {
            return Err(MetricError::NoNeighbors);
        }
        let mut scores: Vec<Vec<Score>> = measures
            .iter()
            .map(|m| {
                let needed = m.properties().samples;
                let reason = Undefined::TooFewSamples { needed };
                vec![Score::undefined(reason); pairs.len()]
            })
            .collect();
        // Families whose measures have enough samples, in a fixed order; those
        // that see the activations alike come together.
        let mut families: Vec<(Family, Vec<usize>)> = Vec::new();
        for (at, measure) in measures.iter().enumerate() {
            if n < measure.properties().samples {
                continue;
            }
            let family = Family::of(&measure.formula());
            match families.iter_mut().find(|(f, _)| *f == family) {
                Some((_, members)) => members.push(at),
                None => families.push((family, vec![at])),
            }
        }
        families.sort_by_key(|(family, _)| *family);
        let thresholds = match families.iter().any(|(family, _)| family.is_clamped()) {
            true => self.thresholds()?,
            false => vec![0.0; self.layers.len()],
        };
        let mut kept: Option<(Transform, Vec<View>)> = None;
        for (family, members) in families {
            on_stage(family.name());
            let mut stage = Stage {
                set: self,
                thresholds: &thresholds,
                pairs,
                permutations,
                kept: &mut kept,
            };
            stage.run(family, &members, measures, &mut scores)?;
            self.options.stop.check()?;
        }
        for (measure, scores) in measures.iter().zip(&mut scores) {
            let chance = measure.chance(n, self.options.k);
            for score in scores.iter_mut() {
                if score.value.is_ok_and(|value| !value.is_finite()) {
                    *score = Score::undefined(Undefined::NoFiniteValue);
                }
            }
            for score in scores.iter_mut().filter(|s| s.value.is_ok()) {
                score.null_mean = score.null_mean.or(chance);
            }
        }
        Ok(scores)
    }

    /// Where the time of the products of linear kernels goes, where they are recorded and
    /// replayed: on a GPU. `None` where burn computes them operation by operation.
    ///
    /// # Errors
    /// Those of [`Set::compare`].
    pub fn profile(
        &self,
        pairs: &[(usize, usize)],
        permutations: &Permutations,
    ) -> Result<Option<Profile>, MetricError> {
        self.check(pairs)?;
        let room = self.room();
        let view = |layer| self.centred(layer, &room);
        let views = (0..self.layers.len())
            .map(view)
            .collect::<Result<Vec<_>, _>>()?;
        products::profile(&views, pairs, permutations)
    }

    /// The clamping threshold of each layer's model.
    fn thresholds(&self) -> Result<Vec<f64>, MetricError> {
        let count = self.models.iter().max().map_or(0, |m| m + 1);
        let of_model = (0..count)
            .map(|model| {
                let layers: Vec<Layer> = (self.of_model(model).into_iter())
                    .map(|i| self.layers[i].clone())
                    .collect();
                clamp_threshold(&layers)
            })
            .collect::<Result<Vec<f64>, _>>()?;
        Ok(self.models.iter().map(|m| of_model[*m]).collect())
    }

    /// A centred layer, whole.
    pub(crate) fn centred(&self, layer: usize, room: &Room) -> Result<View, MetricError> {
        let transform = Columns::Centred.transform(0.0);
        View::new(&self.layers[layer], transform, room, &self.device)
    }

    pub(crate) fn room(&self) -> Room {
        Room::new(self.options.resident_bytes, self.options.stop.clone())
    }

    /// Of views that keep no rows.
    fn no_room(&self) -> Room {
        Room::new(0, self.options.stop.clone())
    }
}

/// Measures that share their terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Minibatch,
    Linear,
    Gaussian,
    Correlation,
    CorrelationRank,
    /// Other dissimilarities.
    Dissimilarity(Kernel),
    Concordance(Kernel),
    ClampedLinear,
    Neighbors(Space),
    Subspace(Columns),
    Covariance,
    Distances,
    Descriptors,
    Units(Columns),
    Samples,
}

impl Family {
    fn of(formula: &Formula) -> Self {
        match formula {
            Formula::Minibatch(_) => Self::Minibatch,
            Formula::Kernel(Kernel::Linear, _) => Self::Linear,
            Formula::Kernel(Kernel::GaussianMedian, _) => Self::Gaussian,
            Formula::Kernel(Kernel::Correlation, _) => Self::Correlation,
            Formula::Kernel(Kernel::CorrelationRank, _) => Self::CorrelationRank,
            Formula::Kernel(Kernel::ClampedLinear, _) => Self::ClampedLinear,
            Formula::Kernel(kernel, _) => Self::Dissimilarity(*kernel),
            Formula::Concordance(kernel, _) => Self::Concordance(*kernel),
            Formula::Neighbors(space, ..) | Formula::Cosines(space, _) => Self::Neighbors(*space),
            Formula::Subspace(columns, ..) => Self::Subspace(*columns),
            Formula::Covariance(_) => Self::Covariance,
            Formula::Units(columns, _) => Self::Units(*columns),
            Formula::Samples(_) => Self::Samples,
            Formula::Distances(_) => Self::Distances,
            Formula::Descriptors(..) => Self::Descriptors,
        }
    }

    fn is_clamped(self) -> bool {
        matches!(
            self,
            Self::ClampedLinear
                | Self::Neighbors(Space::ClampedCosine)
                | Self::Subspace(Columns::ClampedScaled)
        )
    }

    fn name(self) -> &'static str {
        match self {
            Self::Minibatch => "minibatches",
            Self::Linear | Self::ClampedLinear => "linear kernels",
            Self::Gaussian => "Gaussian kernels",
            Self::Correlation => "correlations",
            Self::CorrelationRank => "rank correlations",
            Self::Dissimilarity(_) => "dissimilarities",
            Self::Concordance(_) => "orders of dissimilarities",
            Self::Neighbors(_) => "nearest neighbours",
            Self::Subspace(_) => "singular vectors",
            Self::Covariance => "cross-covariances",
            Self::Distances => "distances",
            Self::Descriptors => "descriptors of layers",
            Self::Units(_) => "matchings of units",
            Self::Samples => "ridge regressions",
        }
    }
}

/// One family's share of a comparison.
struct Stage<'a> {
    set: &'a Set,
    thresholds: &'a [f64],
    pairs: &'a [(usize, usize)],
    permutations: &'a Permutations,
    /// The views of the family before, in case this one sees the same.
    kept: &'a mut Option<(Transform, Vec<View>)>,
}

impl Stage<'_> {
    /// Puts what the family's measures give into `scores`.
    fn run(
        &mut self,
        family: Family,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        match family {
            Family::Minibatch => {
                let (pairs, permutations) = (self.pairs, self.permutations);
                let formulas: Vec<_> = (members.iter())
                    .filter_map(|m| match measures[*m].formula() {
                        Formula::Minibatch(formula) => Some(formula),
                        _ => None,
                    })
                    .collect();
                let views = self.views(|t| Kernel::Linear.transform(t))?;
                let values = |sums: &MinibatchSums| formulas.iter().map(|of| of(sums)).collect();
                let mut null = Null::new(members, scores, permutations);
                minibatch::compare(views, pairs, permutations, &mut |found| {
                    null.take(&found, values)
                })?;
                null.finish();
                Ok(())
            }
            Family::Linear
            | Family::Gaussian
            | Family::Correlation
            | Family::CorrelationRank
            | Family::Dissimilarity(_)
            | Family::ClampedLinear => self.kernels(members, measures, scores),
            Family::Concordance(kernel) => self.concordance(kernel, members, measures, scores),
            Family::Neighbors(space) => self.neighbors(space, members, measures, scores),
            Family::Subspace(columns) => self.subspace(columns, members, measures, scores),
            Family::Covariance => {
                self.covariance(Columns::Centred, Axes::Free, members, measures, scores)
            }
            Family::Units(columns) => {
                self.covariance(columns, Axes::Kept, members, measures, scores)
            }
            Family::Samples => self.samples(members, measures, scores),
            Family::Distances => self.distances(members, measures, scores),
            Family::Descriptors => self.descriptors(members, measures, scores),
        }
    }

    fn subspace(
        &mut self,
        columns: Columns,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        *self.kept = None;
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Subspace(_, directions, formula) => Some((directions, formula)),
                _ => None,
            })
            .collect();
        let room = self.set.room();
        let view = |i: usize| {
            let transform = columns.transform(self.thresholds[i]);
            View::new(&self.set.layers[i], transform, &room, &self.set.device)
        };
        let directions: Vec<Directions> = formulas.iter().map(|(of, _)| *of).collect();
        let stage = SubspaceStage::new(self.set.layers.len(), view, &directions)?;
        let values = |pair: &SubspacePair| -> Vec<Value> {
            formulas.iter().map(|(_, of)| of(pair)).collect()
        };
        let mut null = Null::new(members, scores, self.permutations);
        stage.compare(self.pairs, self.permutations, values, &mut |found| {
            null.take(&found, Clone::clone)
        })?;
        null.finish();
        Ok(())
    }

    fn samples(
        &mut self,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        *self.kept = None;
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Samples(formula) => Some(formula),
                _ => None,
            })
            .collect();
        let set = self.set;
        let room = set.room();
        let stage = SamplesStage::new(set.layers.len(), |i| set.centred(i, &room))?;
        let values =
            |pair: &SamplesPair| -> Vec<Value> { formulas.iter().map(|of| of(pair)).collect() };
        let mut null = Null::new(members, scores, self.permutations);
        stage.compare(self.pairs, self.permutations, values, &mut |found| {
            null.take(&found, Clone::clone)
        });
        null.finish();
        Ok(())
    }

    fn covariance(
        &mut self,
        columns: Columns,
        axes: Axes,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Covariance(formula) | Formula::Units(_, formula) => Some(formula),
                _ => None,
            })
            .collect();
        let stage = CovarianceStage::new(self.lone_views(|t| columns.transform(t)), axes)?;
        let values =
            |pair: &CovariancePair| -> Vec<Value> { formulas.iter().map(|of| of(pair)).collect() };
        let mut null = Null::new(members, scores, self.permutations);
        stage.compare(self.pairs, self.permutations, values, &mut |found| {
            null.take(&found, Clone::clone)
        })?;
        null.finish();
        Ok(())
    }

    fn distances(
        &mut self,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        *self.kept = None;
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Distances(formula) => Some(formula),
                _ => None,
            })
            .collect();
        let set = self.set;
        let transform = DistanceStage::transform();
        let views = (set.layers.iter())
            .map(|layer| View::new(layer, transform, &set.no_room(), &set.device));
        let stage = DistanceStage::new(views)?;
        let values = |pair: &DistancePair| formulas.iter().map(|of| of(pair)).collect();
        let mut null = Null::new(members, scores, self.permutations);
        stage.compare(self.pairs, self.permutations, values, &mut |found| {
            null.take(&found, Clone::clone)
        })?;
        null.finish();
        Ok(())
    }

    fn descriptors(
        &mut self,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        *self.kept = None;
        let (describe, formulas): (Vec<_>, Vec<_>) = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Descriptors(describe, formula) => Some((describe, formula)),
                _ => None,
            })
            .unzip();
        let set = self.set;
        let view = |i: usize| {
            let transform = descriptors::transform();
            View::new(&set.layers[i], transform, &set.no_room(), &set.device)
        };
        let layers = descriptors::describe_all(set.layers.len(), view, &describe)?;
        let values = |(i, j): &(usize, usize)| -> Vec<Value> {
            let described = layers[*i].iter().zip(&layers[*j]);
            (formulas.iter().zip(described))
                .map(|(of, described)| match described {
                    (Ok(a), Ok(b)) => of(a, b),
                    (Err(reason), _) | (_, Err(reason)) => Err(*reason),
                })
                .collect()
        };
        // All permutations would give the same: there is nothing to test against.
        let observed: Vec<_> = self.pairs.iter().map(|pair| Ok(values(pair))).collect();
        let mut null = Null::new(members, scores, &Permutations::none());
        null.take(&Part::Observed(&observed), Clone::clone);
        null.finish();
        Ok(())
    }

    fn kernels(
        &mut self,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        let Some(Formula::Kernel(kernel, _)) = members.first().map(|m| measures[*m].formula())
        else {
            return Ok(());
        };
        let (pairs, permutations) = (self.pairs, self.permutations);
        let options = &self.set.options;
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Kernel(_, formula) => Some(formula),
                _ => None,
            })
            .collect();
        let whitened = match kernel.is_whitened() {
            true => {
                *self.kept = None;
                let (set, transform) = (self.set, kernel.transform(0.0));
                whitened::views(&set.layers, transform, &set.room(), &set.device)?
            }
            false => vec![],
        };
        let views = match kernel.is_whitened() {
            true => &whitened,
            false => self.views(|t| kernel.transform(t))?,
        };
        let values = |pair: &KernelPair| formulas.iter().map(|of| of(pair)).collect();
        let mut null = Null::new(members, scores, permutations);
        products::compare(kernel, views, pairs, permutations, options, &mut |found| {
            let more = null.take(&found, values);
            if let Part::Observed(pairs) = &found {
                for (at, formula) in formulas.iter().enumerate() {
                    let mean = |pair| products::exact_null_mean(pair, formula);
                    null.means(at, pairs.iter().map(|pair| mean(pair.as_ref().ok()?)));
                }
            }
            more
        })?;
        null.finish();
        Ok(())
    }

    fn concordance(
        &mut self,
        kernel: Kernel,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        let formulas: Vec<_> = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Concordance(_, formula) => Some(formula),
                _ => None,
            })
            .collect();
        let (pairs, permutations) = (self.pairs, self.permutations);
        let views = self.lone_views(|t| kernel.transform(t));
        let values = |found: &Concordance| formulas.iter().map(|of| of(found)).collect();
        let mut null = Null::new(members, scores, permutations);
        concordance::compare(views, pairs, permutations, &mut |found| {
            null.take(&found, values)
        })?;
        null.finish();
        Ok(())
    }

    fn neighbors(
        &mut self,
        space: Space,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        let formula = |member: usize| match measures[member].formula() {
            Formula::Neighbors(_, kernel, formula) => Some((kernel, formula)),
            _ => None,
        };
        let k = self.set.options.k;
        let set = self.set;
        let layers = set.models.iter().zip(&set.layers);
        let ties = layers.map(|(model, layer)| Ties::of(*model, &layer.name));
        let views = self.lone_views(|t| space.transform(t));
        let mut stage = NeighborStage::new(views, ties, k)?;
        let members_with = |wanted: bool| -> Vec<usize> {
            let is_one = |m: &&usize| formula(**m).is_some_and(|(kernel, _)| kernel == wanted);
            members.iter().filter(is_one).copied().collect()
        };
        let (with_kernel, without) = (members_with(true), members_with(false));
        self.cosines(&stage, space, members, measures, scores)?;
        // Kernel values are computed only if some measure asks for them.
        for (members, kernel) in [(without, false), (with_kernel, true)] {
            if members.is_empty() {
                continue;
            }
            if kernel {
                // The published kernel is the cosine itself.
                let cosines = space == Space::ClampedCosine;
                let views = self.lone_views(|t| match cosines {
                    true => space.transform(t),
                    false => Kernel::Linear.transform(t),
                });
                stage.add_kernels(views, cosines)?;
            }
            let values = |pair: &NeighborPair| -> Vec<Value> {
                let formulas = members.iter().filter_map(|m| formula(*m));
                formulas.map(|(_, formula)| formula(pair)).collect()
            };
            let mut null = Null::new(&members, scores, self.permutations);
            stage.compare(self.pairs, self.permutations, values, &mut |found| {
                null.take(&found, Clone::clone)
            });
            null.finish();
        }
        Ok(())
    }

    /// The measures of a family of neighbours that look at cosines.
    fn cosines(
        &mut self,
        lists: &NeighborStage,
        space: Space,
        members: &[usize],
        measures: &[&dyn Measure],
        scores: &mut [Vec<Score>],
    ) -> Result<(), MetricError> {
        let (members, formulas): (Vec<usize>, Vec<_>) = (members.iter())
            .filter_map(|m| match measures[*m].formula() {
                Formula::Cosines(_, formula) => Some((*m, formula)),
                _ => None,
            })
            .unzip();
        if members.is_empty() {
            return Ok(());
        }
        let (pairs, permutations) = (self.pairs, self.permutations);
        let values =
            |pair: &CosinePair| -> Vec<Value> { formulas.iter().map(|of| of(pair)).collect() };
        let mut null = Null::new(&members, scores, permutations);
        let views = self.views(|t| neighbor_cosines::transform(space, t))?;
        neighbor_cosines::compare(lists, views, pairs, permutations, values, &mut |found| {
            null.take(&found, Clone::clone)
        })?;
        null.finish();
        Ok(())
    }

    /// The views of all layers, kept for the next family.
    fn views(&mut self, transform: impl Fn(f64) -> Transform) -> Result<&[View], MetricError> {
        // Thresholds differ between models, but only clamped transforms have one.
        let key = transform(0.0);
        if self.kept.as_ref().is_none_or(|(of, _)| *of != key) {
            *self.kept = None;
            let room = self.set.room();
            let views = (self.set.layers.iter().zip(self.thresholds))
                .map(|(layer, t)| View::new(layer, transform(*t), &room, &self.set.device))
                .collect::<Result<Vec<View>, _>>()?;
            *self.kept = Some((key, views));
        }
        Ok(self.kept.as_ref().map_or(&[], |(_, views)| views))
    }

    /// The views of all layers one after the other, each with all the room.
    fn lone_views(
        &mut self,
        transform: impl Fn(f64) -> Transform,
    ) -> impl Iterator<Item = Result<View, MetricError>> {
        *self.kept = None;
        let set = self.set;
        (set.layers.iter().zip(self.thresholds))
            .map(move |(layer, t)| View::new(layer, transform(*t), &set.room(), &set.device))
    }
}
