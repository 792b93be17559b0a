//! How alike two sets of activations are: one question in, one typed answer out.
//!
//! - [`ModelActivations`]: one model, its layers from memory, from a device or from a
//!   file of any format that `reprsim-activations` reads, and which samples its rows are.
//! - [`Question`]: which measures, of which pairs of layers, against how many
//!   permutations of which blocks, with how many half-samples.
//! - [`Comparison`]: models and a question, checked against each other.
//!   [`Comparison::run`] computes and gives a [`PairResult`] for each pair of models,
//!   [`SimilarityMatrix::of`] all pairs of models of one layer each, with q-values and a clustering.
//! - [`align`], [`draw`] and [`blocks`]: which samples are compared, and which of them depend on each
//!   other.
//!
//! Nothing here prints, keeps a state between calls or panics on any input; the same
//! input gives the same numbers on any number of threads.
//!
//! ```
//! use burn::tensor::Device;
//! use reprsim_metrics::Mode;
//! use reprsim_similarity::{Comparison, ModelActivations, Question, measures};
//!
//! // Six samples of two and of three dimensions, row by row.
//! let a = [0.1, 1.0, 0.7, -0.4, -1.2, 0.3, 0.9, 0.8, -0.5, -0.9, 0.2, -0.6];
//! let b: Vec<f32> = (0..18).map(|i| (i as f32 * 1.7).sin()).collect();
//! let models = vec![
//!     ModelActivations::new("a").layer("conv", &a[..], [6, 2])?,
//!     ModelActivations::new("b").layer("conv", b, [6, 3])?,
//! ];
//! let question = Question {
//!     permutations: 99,
//!     ..Question::new(measures(&["cka_linear_debiased"], Mode::Exact, 10)?)
//! };
//! let comparison = Comparison::new(models, question)?;
//! let results = comparison.run(&Device::flex(), &mut |_stage| ())?;
//! for row in results.iter().flat_map(|pair| pair.rows()) {
//!     assert_eq!((row.n, row.d_a, row.d_b), (6, 2, 3));
//!     assert!(row.value.is_ok_and(|value| value <= 1.0));
//!     assert!(row.p.is_some_and(|p| (0.0..=1.0).contains(&p)));
//! }
//! # Ok::<(), reprsim_similarity::SimilarityError>(())
//! ```
//!
//! Many models, each with each:
//!
//! ```
//! use burn::tensor::Device;
//! use reprsim_similarity::{Comparison, Mode, ModelActivations, Question, SimilarityMatrix, measures};
//!
//! let layer = |phase: f64| -> Vec<f64> { (0..40).map(|i| (i as f64 * 1.3 + phase).sin()).collect() };
//! let models = [("a", 0.0), ("b", 2.0), ("c", 0.1)].map(|(name, phase)| {
//!     ModelActivations::new(name).layer("pool", layer(phase), [20, 2])
//! });
//! let question = Question {
//!     permutations: 99,
//!     ..Question::new(measures(&["cka_linear_debiased"], Mode::Exact, 10)?)
//! };
//! let comparison = Comparison::new(models.into_iter().collect::<Result<_, _>>()?, question)?;
//! let matrix = SimilarityMatrix::of(&comparison, &Device::flex(), &mut |_stage| ())?;
//! let cka = &matrix.measures[0];
//! // Three pairs, each with a q-value; a and c join first.
//! assert_eq!(cka.pairs().filter(|(_, q)| q.is_some()).count(), 3);
//! assert!(cka.clustering.as_ref().is_ok_and(|tree| tree.order[..2] == [0, 2]));
//! # Ok::<(), reprsim_similarity::SimilarityError>(())
//! ```

mod clustering;
mod comparison;
mod covariate;
mod error;
mod exchange;
mod influence;
mod matrix;
mod models;
mod question;
mod result;
mod samples;

pub use clustering::{Clustering, Merge, NotClustered};
pub use comparison::{Comparison, permutations};
pub use error::SimilarityError;
pub use exchange::Exchange;
pub use matrix::{MeasureMatrix, SimilarityMatrix};
pub use models::{ModelActivations, Shaped};
pub use question::{ALL, LayerPairs, Question, measures};
pub use result::{Influence, MeasureResult, PairResult, Row};
pub use samples::{Alignment, LeftOut, align, blocks, draw};

pub use reprsim_activations::{Axes, Labels, Layers, Mask, Pool, Reading, SampleIds};
pub use reprsim_metrics::{Form, Interval, Measure, Mode, NoForm, Scale, Stop, Undefined};
