//! How a similarity is told as a distance or an angle.

use std::fmt;

use crate::measure::Measure;

/// What the values of a measure are, which says how they become distances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Geometry {
    /// A share or a mean of shares or correlations, which is the cosine of no one angle.
    Share,
    /// The cosine of the angle between two matrices of similarities.
    Cosine,
    /// The cosine of the angle between two layers of length 1, one of them brought as near to the
    /// other as can be: both distances obey the triangle inequality (Williams et al. 2021).
    Shape,
    /// Without an upper end there is no distance from it.
    Open,
}

/// What a similarity is told as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// As it is: larger is more alike.
    #[default]
    Similarity,
    /// The largest possible value less it; of shapes the Euclidean distance of layers of length 1,
    /// `sqrt(2 - 2 v)`.
    Distance,
    /// The angle in radians, `arccos v`.
    Angular,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Similarity, Self::Distance, Self::Angular];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Similarity => "similarity",
            Self::Distance => "distance",
            Self::Angular => "angular",
        }
    }

    /// Whether values of `measure` have this form.
    ///
    /// # Errors
    /// Why they do not, with what does.
    pub fn check(self, measure: &dyn Measure) -> Result<(), NoForm> {
        let properties = measure.properties();
        let has = match (self, properties.geometry) {
            (Self::Similarity, _) => true,
            (Self::Distance, geometry) => geometry != Geometry::Open,
            (Self::Angular, geometry) => matches!(geometry, Geometry::Cosine | Geometry::Shape),
        };
        match has {
            true => Ok(()),
            false => Err(NoForm {
                measure: properties.name,
                form: self,
                geometry: properties.geometry,
            }),
        }
    }

    /// A value of `measure` with `k` neighbours in this form. `None` where it has none: of a cosine
    /// below -1, which debiased estimates can be, there is no angle.
    ///
    /// # Errors
    /// As [`Form::check`].
    pub fn of(self, measure: &dyn Measure, k: usize, value: f64) -> Result<Option<f64>, NoForm> {
        self.check(measure)?;
        // Values that are 1 but for rounding are 1.
        let cosine = match value {
            value if value.abs() > 1.0 && value.abs() < 1.0 + ROUNDING => value.signum(),
            value => value,
        };
        let told = match (self, measure.properties().geometry) {
            (Self::Similarity, _) => value,
            (Self::Distance, Geometry::Shape) => (2.0 - 2.0 * cosine).sqrt(),
            (Self::Distance, _) => (measure.largest(k) - value).max(0.0),
            (Self::Angular, _) => cosine.acos(),
        };
        Ok(Some(told).filter(|told| told.is_finite()))
    }
}

/// Values may exceed 1 by this much for products in f32.
const ROUNDING: f64 = 1e-5;

/// A form that values of a measure do not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct NoForm {
    /// The measure.
    pub measure: &'static str,
    /// The form.
    pub form: Form,
    /// What its values are.
    pub geometry: Geometry,
}

impl fmt::Display for NoForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (measure, form) = (self.measure, self.form.name());
        match self.geometry {
            Geometry::Open => write!(
                f,
                "'{measure}' has no form '{form}': it has no upper end to be distant from"
            ),
            _ => write!(
                f,
                "'{measure}' has no form '{form}': it is no cosine; 'distance' it has"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::REGISTRY;
    use crate::named;

    #[test]
    fn forms_are_what_is_said() {
        let of = |name, form: Form, value| form.of(named(name).unwrap(), 10, value);
        assert_eq!(
            of("cka_linear_biased", Form::Similarity, 0.25),
            Ok(Some(0.25))
        );
        assert_eq!(
            of("cka_linear_biased", Form::Distance, 0.25),
            Ok(Some(0.75))
        );
        let right = Ok(Some(std::f64::consts::FRAC_PI_2));
        assert_eq!(of("cka_linear_debiased", Form::Angular, 0.0), right);
        assert_eq!(of("cka_linear_debiased", Form::Angular, -1.5), Ok(None));
        assert_eq!(
            of("procrustes_similarity", Form::Distance, -1.0),
            Ok(Some(2.0))
        );
        assert_eq!(
            of("procrustes_similarity", Form::Angular, 1.0 + 1e-9),
            Ok(Some(0.0))
        );
        // Of k neighbours.
        assert_eq!(of("lcs_knn", Form::Distance, 4.0), Ok(Some(6.0)));
        let told = |name, form| of(name, form, 0.0).unwrap_err().to_string();
        assert!(told("mutual_knn_cosine", Form::Angular).contains("'distance' it has"));
        assert!(told("cka_linear_row_column", Form::Distance).contains("no upper end"));
    }

    #[test]
    fn identity_is_at_distance_zero_and_more_alike_is_nearer() {
        for measure in REGISTRY {
            for form in [Form::Distance, Form::Angular] {
                let largest = measure.largest(10);
                let of = |value| form.of(measure, 10, value);
                let name = measure.properties().name;
                assert_eq!(form.check(measure).is_ok(), of(0.5).is_ok(), "{name}");
                assert!(
                    form != Form::Distance || of(0.5).is_ok() == largest.is_finite(),
                    "{name}"
                );
                let Ok(Some(least)) = of(largest) else {
                    continue;
                };
                assert_eq!(least, 0.0, "{name}");
                let [near, far] = [0.75, 0.25].map(|v| of(v * largest).unwrap().unwrap());
                assert!(near < far, "{name}");
            }
        }
    }
}
