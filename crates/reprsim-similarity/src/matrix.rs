//! A matrix of models: each with each, in one pass.

use burn::tensor::Device;
use reprsim_metrics::{Form, Measure, Score, Set};
use reprsim_stats::benjamini_hochberg;

use crate::clustering::{Clustering, NotClustered};
use crate::comparison::{Comparison, Scored};
use crate::error::SimilarityError;
use crate::result::{Row, Rows};

/// How alike models are, each with each, by one layer of each.
#[derive(Clone, Debug)]
pub struct SimilarityMatrix {
    /// The models by name, in order.
    pub models: Vec<String>,
    /// The layer of each.
    pub layers: Vec<String>,
    /// One a measure, in the order of the question.
    pub measures: Vec<MeasureMatrix>,
}

/// What one measure says of models.
#[derive(Clone, Debug)]
pub struct MeasureMatrix {
    /// The measure's name in results.
    pub measure: String,
    /// Whether swapping two models leaves the value.
    pub symmetric: bool,
    /// The smallest and the largest value of the measure, infinite where there is none.
    pub range: (f64, f64),
    /// A row a pair of models, row-major: model i with model j is at `i * models + j`. The pairs of a
    /// model with itself are there too; they are no tests.
    pub cells: Vec<Row>,
    /// Of each cell the q-value: the p-values of all pairs of different models, each once where the
    /// measure is symmetric, by Benjamini and Hochberg. `None` where there is no p.
    pub q: Vec<Option<f64>>,
    /// A tree of the models by their distances ([`Row::value_as`]); of measures that are not symmetric
    /// by the mean of both directions.
    pub clustering: Result<Clustering, NotClustered>,
}

impl SimilarityMatrix {
    /// Compares each model with each, by their only layers, on `device`; `on_stage` hears what is
    /// being done, in words.
    ///
    /// # Errors
    /// [`SimilarityError::SeveralLayers`] if a model has more than one layer,
    /// [`SimilarityError::ModelTwice`], or as [`Comparison::run`].
    pub fn of(
        comparison: &Comparison,
        device: &Device,
        on_stage: &mut dyn FnMut(&str),
    ) -> Result<Self, SimilarityError> {
        let models = comparison.models();
        for (at, model) in models.iter().enumerate() {
            if model.layers.len() != 1 {
                let names: Vec<&str> = model.layers.iter().map(|l| l.name.as_str()).collect();
                return Err(SimilarityError::SeveralLayers {
                    model: model.name.clone(),
                    layers: reprsim_base::listed(&names),
                });
            }
            if models[..at].iter().any(|other| other.name == model.name) {
                return Err(SimilarityError::ModelTwice(model.name.clone()));
            }
        }
        let set = comparison.set(device)?;
        let count = models.len();
        let measures = &comparison.question().measures;
        // Each model with itself and each later one; where that is something else, also the reverse.
        let upper: Vec<(usize, usize)> = (0..count)
            .flat_map(|i| (i..count).map(move |j| (i, j)))
            .collect();
        let lower: Vec<(usize, usize)> = (upper.iter())
            .filter(|(i, j)| i != j)
            .map(|(i, j)| (*j, *i))
            .collect();
        let is_directed = |m: &&&'static dyn Measure| !m.properties().symmetric;
        let directed: Vec<&'static dyn Measure> =
            measures.iter().filter(is_directed).copied().collect();
        let forth = comparison.score(&set, measures, &upper, on_stage)?;
        let back = match directed.is_empty() {
            true => None,
            false => Some(comparison.score(&set, &directed, &lower, on_stage)?),
        };
        let mut found = Vec::new();
        let mut of_directed = 0;
        for (at, measure) in measures.iter().enumerate() {
            let mut cells: Vec<Option<Row>> = vec![None; count * count];
            let make = Cells {
                comparison,
                set: &set,
                measure: *measure,
            };
            make.fill(&mut cells, &upper, &forth, at);
            let symmetric = measure.properties().symmetric;
            match (&back, symmetric) {
                (Some(back), false) => {
                    make.fill(&mut cells, &lower, back, of_directed);
                    of_directed += 1;
                }
                _ => mirror(&mut cells, count),
            }
            let k = comparison.question().k;
            let cells: Vec<Row> = cells.into_iter().flatten().collect();
            found.push(MeasureMatrix {
                measure: measure.full_name(k),
                symmetric,
                range: (measure.smallest(k), measure.largest(k)),
                q: q_values(&cells, count, symmetric),
                clustering: clustering(&cells, count),
                cells,
            });
        }
        Ok(Self {
            models: models.iter().map(|m| m.name.clone()).collect(),
            layers: (models.iter().flat_map(|m| &m.layers))
                .map(|layer| layer.name.clone())
                .collect(),
            measures: found,
        })
    }
}

impl MeasureMatrix {
    /// Number of models.
    pub fn count(&self) -> usize {
        self.cells.len().isqrt()
    }

    /// The pairs that are tests, each once: of different models, in both directions where that makes a
    /// difference.
    pub fn pairs(&self) -> impl Iterator<Item = (&Row, Option<f64>)> {
        let tests = tests(self.count(), self.symmetric);
        tests.into_iter().map(|at| (&self.cells[at], self.q[at]))
    }
}

/// Makes the cells of a measure.
struct Cells<'a> {
    comparison: &'a Comparison,
    set: &'a Set,
    measure: &'static dyn Measure,
}

impl Cells<'_> {
    /// Puts what was found of `pairs` where it belongs; `at` is the measure's place there.
    fn fill(&self, cells: &mut [Option<Row>], pairs: &[(usize, usize)], found: &Scored, at: usize) {
        let models = self.comparison.models();
        let question = self.comparison.question();
        let intervals = found.intervals.as_ref();
        for (place, ((i, j), score)) in pairs.iter().zip(&found.scores[at]).enumerate() {
            let make = Rows {
                models: [&models[*i].name, &models[*j].name],
                k: question.k,
                blocks: !question.blocks.is_empty(),
            };
            let layers = [&self.set.layers()[*i], &self.set.layers()[*j]];
            let score: &Score = score;
            let mut row = make.row(self.measure, layers, score);
            row.interval = intervals.and_then(|rows| rows[at][place]);
            cells[i * models.len() + j] = Some(row);
        }
    }
}

/// Fills what is below the diagonal from what is above.
fn mirror(cells: &mut [Option<Row>], count: usize) {
    for i in 0..count {
        for j in 0..i {
            cells[i * count + j] = cells[j * count + i].clone().map(|row| Row {
                model_a: row.model_b,
                model_b: row.model_a,
                layer_a: row.layer_b,
                layer_b: row.layer_a,
                d_a: row.d_b,
                d_b: row.d_a,
                ..row
            });
        }
    }
}

/// The places of the cells that are tests.
fn tests(count: usize, symmetric: bool) -> Vec<usize> {
    let pairs = (0..count).flat_map(|i| (0..count).map(move |j| (i, j)));
    let wanted = pairs.filter(|(i, j)| i < j || (i > j && !symmetric));
    wanted.map(|(i, j)| i * count + j).collect()
}

fn q_values(cells: &[Row], count: usize, symmetric: bool) -> Vec<Option<f64>> {
    let tests = tests(count, symmetric);
    let p: Vec<Option<f64>> = tests.iter().map(|at| cells[*at].p).collect();
    let mut q = vec![None; cells.len()];
    for (at, found) in tests.iter().zip(benjamini_hochberg(&p)) {
        q[*at] = found;
        if symmetric {
            q[at % count * count + at / count] = found;
        }
    }
    q
}

fn clustering(cells: &[Row], count: usize) -> Result<Clustering, NotClustered> {
    let unbounded = |row: &Row| row.value.is_ok() && row.value_as(Form::Distance).is_none();
    if cells.iter().any(unbounded) {
        return Err(NotClustered::Unbounded);
    }
    let far = |at: usize| cells[at].value_as(Form::Distance).unwrap_or(f64::NAN);
    let distances = tests(count, true)
        .into_iter()
        .map(|at| (far(at) + far(at % count * count + at / count)) / 2.0);
    Clustering::average(distances.collect(), count)
}
