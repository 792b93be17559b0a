//! How much of the variation of similarity each influence explains.

use serde::{Deserialize, Serialize};

use crate::cluster::Clusters;
use crate::decomposition::{Decomposition, MAX_TERMS, decompose, decompose_without};
use crate::error::StatsError;
use crate::jackknife::{Interval, Part, interval};
use crate::linear::{Errors, Term, fit_linear};
use crate::project::{Basis, Scaled};
use crate::randomisation::randomisation;

/// A covariate of whose squares the other columns hold all but this share tells nothing.
const DEPENDENT: f64 = 1e-9;

/// What is to be explained, and by what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    /// Name of each term.
    pub names: Vec<String>,
    /// Column of each term, one value a point: main effects, centred on the middle of
    /// their levels by the caller, and their products.
    pub columns: Vec<Vec<f64>>,
    /// The value of each point.
    pub y: Vec<f64>,
    /// The cluster (seed) of each point, where points of one are correlated.
    pub clusters: Option<Vec<u64>>,
    /// What is to be held fixed, such as accuracy: name and values.
    pub covariates: Vec<(String, Vec<f64>)>,
}

/// What one term explains.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermShare {
    /// The term.
    pub name: String,
    /// Its coefficient with all other terms and covariates in the fit.
    pub term: Term,
    /// P-value of no effect: sign flips of clusters, else permutation of residuals; absent
    /// where the other columns leave nothing to explain.
    pub randomisation_p: Option<f64>,
    /// The least that it could have been.
    pub randomisation_least_p: Option<f64>,
    /// Share of what all other columns leave that the term explains, from 0 to 1; 0
    /// where they leave nothing.
    pub partial_r_squared: f64,
    /// Its 95 % interval.
    pub partial_interval: Option<Interval>,
    /// R² that the term adds, averaged over all orders in which the terms can enter
    /// after the covariates.
    pub share: f64,
    /// Its 95 % interval.
    pub share_interval: Option<Interval>,
}

/// What is known of one covariate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Covariate {
    /// The covariate.
    pub name: String,
    /// Its coefficient with all terms and other covariates in the fit.
    pub term: Term,
    /// P-value of no effect: sign flips of clusters, else permutation of residuals; absent
    /// where the other columns leave nothing to explain.
    pub randomisation_p: Option<f64>,
    /// The least that it could have been.
    pub randomisation_least_p: Option<f64>,
}

/// A decomposition of the variation of y.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// One entry a term, in their order.
    pub terms: Vec<TermShare>,
    /// One entry a covariate of the fit, in their order.
    pub covariates: Vec<Covariate>,
    /// R² of the covariates alone, which enter first; absent where there are none.
    pub covariate_share: Option<f64>,
    /// Covariates left out because they do not vary or depend on other columns.
    pub dropped: Vec<String>,
    /// R² of all columns: the shares of terms and covariates add up to it.
    pub r_squared: f64,
    /// Number of points.
    pub n: usize,
    /// Number of clusters, else of points: what the intervals leave out one of.
    pub units: usize,
    /// How the errors of the coefficients were computed.
    pub errors: Errors,
}

/// Fits y on the terms and covariates by least squares and divides R² among them.
///
/// The share is that of Lindeman, Merenda and Gold (1980), the Shapley value of R²:
/// shares of terms and covariates add up to R². Intervals of partial R² and shares are
/// those of a jackknife over whole clusters, else over points, of what is measured: the
/// coefficients and the variance of residuals, with the columns as they are. They are
/// absent for fewer than 4 units, or where a term rests on one alone. In simulated
/// factorials with 4 to 12 seeds they cover the truth of small and of large terms in 93
/// to 99.8 % of tables. R² and its parts are never below 0 and so too large on average
/// where there is nothing to explain. `draws` is the number of permutations of
/// independent points, which `seed` decides.
///
/// # Errors
/// [`StatsError::TooManyTerms`] for more than 8 terms, [`StatsError::Constant`] for y
/// that does not vary, [`StatsError::OneLevel`] for terms that do not vary or depend
/// on each other, else as [`fit_linear`].
pub fn attribute(design: &Design, draws: usize, seed: u64) -> Result<Attribution, StatsError> {
    let Design { names, y, .. } = design;
    let terms = design.columns.len();
    let clusters = design.clusters.as_deref();
    let covariates = design.covariates.iter().map(|(_, values)| values);
    let all: Vec<Vec<f64>> = design.columns.iter().chain(covariates).cloned().collect();
    let scaled = Scaled::of(&all, y, clusters)?;
    if names.len() != terms {
        return Err(StatsError::LengthsDiffer);
    }
    if terms > MAX_TERMS {
        return Err(StatsError::TooManyTerms);
    }
    let (kept, dropped) = sift(&scaled.columns, terms)?;
    let places: Vec<usize> = (0..terms).chain(kept.iter().map(|i| terms + i)).collect();
    let pick = |columns: &[Vec<f64>]| -> Vec<Vec<f64>> {
        places.iter().map(|&place| columns[place].clone()).collect()
    };
    let columns = pick(&all);
    let fit = fit_linear(&columns, y, clusters)?;
    let in_units = pick(&scaled.columns);
    let whole = decompose(&in_units, terms, &scaled.y).ok_or(StatsError::OneLevel)?;
    let units = match clusters {
        Some(ids) => Clusters::of(ids)?,
        None => Clusters::single(y.len()),
    };
    let left_out = decompose_without(&in_units, terms, &scaled.y, &units);
    let around = |of: &dyn Fn(&Decomposition) -> Part| {
        let left_out: Vec<Part> = left_out.as_ref()?.iter().map(of).collect();
        interval(&of(&whole), &left_out)
    };
    let randomised = |tested: usize| match randomisation(&columns, tested, y, clusters, draws, seed)
    {
        Ok(test) => Ok((Some(test.p_value), Some(test.least))),
        Err(StatsError::NothingLeft) => Ok((None, None)),
        Err(error) => Err(error),
    };
    let shares = names.iter().enumerate().map(|(i, name)| {
        let (randomisation_p, randomisation_least_p) = randomised(i)?;
        Ok(TermShare {
            name: name.clone(),
            term: fit.terms[i].clone(),
            randomisation_p,
            randomisation_least_p,
            partial_r_squared: whole.terms[i].partial.powi(2),
            partial_interval: around(&|d| Part {
                roots: vec![d.terms[i].partial],
                r_squared: d.terms[i].partial.powi(2),
            }),
            share: whole.terms[i].share(),
            share_interval: around(&|d| Part {
                roots: d.terms[i].roots.clone(),
                r_squared: d.r_squared,
            }),
        })
    });
    let covariates = kept.iter().enumerate().map(|(i, &place)| {
        let (randomisation_p, randomisation_least_p) = randomised(terms + i)?;
        Ok(Covariate {
            name: design.covariates[place].0.clone(),
            term: fit.terms[terms + i].clone(),
            randomisation_p,
            randomisation_least_p,
        })
    });
    Ok(Attribution {
        terms: shares.collect::<Result<_, StatsError>>()?,
        covariates: covariates.collect::<Result<_, StatsError>>()?,
        covariate_share: (!kept.is_empty()).then_some(whole.covariates),
        dropped: dropped
            .iter()
            .map(|&i| design.covariates[i].0.clone())
            .collect(),
        r_squared: whole.r_squared,
        n: fit.n,
        units: units.count,
        errors: fit.errors,
    })
}

/// The terms of a factorial design: each of `centred`, a name and a column, and the product
/// of every two, which `join` names.
pub fn crossed<N: Clone>(
    centred: &[(N, Vec<f64>)],
    join: impl Fn(&N, &N) -> N,
) -> Vec<(N, Vec<f64>)> {
    let mut terms = centred.to_vec();
    for (i, (first, x)) in centred.iter().enumerate() {
        for (second, y) in &centred[i + 1..] {
            let product = x.iter().zip(y).map(|(x, y)| x * y).collect();
            terms.push((join(first, second), product));
        }
    }
    terms
}

/// Places of the covariates that tell something, those of the others; covariates stand behind so
/// many terms.
fn sift(columns: &[Vec<f64>], terms: usize) -> Result<(Vec<usize>, Vec<usize>), StatsError> {
    let (terms, covariates) = columns.split_at(terms);
    let mut basis = Basis::of(terms)?;
    Ok((0..covariates.len()).partition(|&i| basis.add(&covariates[i], DEPENDENT).is_ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_two_are_crossed_once() {
        let axes = [("a", [1.0, 2.0]), ("b", [3.0, 5.0]), ("c", [-1.0, 0.5])];
        let axes = axes.map(|(name, column)| (vec![name], column.to_vec()));
        let terms = crossed(&axes, |a, b| [a.as_slice(), b].concat());
        let product =
            |names: [&'static str; 2], column: [f64; 2]| (names.to_vec(), column.to_vec());
        assert_eq!(terms[..3], axes);
        assert_eq!(
            terms[3..],
            [
                product(["a", "b"], [3.0, 10.0]),
                product(["a", "c"], [-1.0, 1.0]),
                product(["b", "c"], [-3.0, 2.5]),
            ]
        );
    }
}
