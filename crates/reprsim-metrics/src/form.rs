//! How a similarity is told as a distance or an angle.

use std::fmt;

use crate::measure::{Geometry, Measure};

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
}

/// The values of a measure: what they are, and the largest there can be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// What they are.
    pub geometry: Geometry,
    /// The largest, infinite where there is none.
    pub largest: f64,
}

impl Scale {
    /// That of `measure` with `k` neighbours.
    pub fn of(measure: &dyn Measure, k: usize) -> Self {
        Self {
            geometry: measure.properties().geometry,
            largest: measure.largest(k),
        }
    }

    /// A value in a form. `None` where it has none: where the measure lacks it ([`Form::check`]), and
    /// of a cosine below -1, which debiased estimates can be, there is no angle.
    pub fn told(self, form: Form, value: f64) -> Option<f64> {
        // Values that are 1 but for rounding are 1.
        let cosine = match value {
            value if value.abs() > 1.0 && value.abs() < 1.0 + ROUNDING => value.signum(),
            value => value,
        };
        let told = match (form, self.geometry) {
            (Form::Similarity, _) => value,
            (_, Geometry::Open) | (Form::Angular, Geometry::Share) => return None,
            (Form::Distance, Geometry::Shape) => (2.0 - 2.0 * cosine).sqrt(),
            (Form::Distance, _) => (self.largest - value).max(0.0),
            (Form::Angular, _) => cosine.acos(),
        };
        Some(told).filter(|told| told.is_finite())
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
        let of = |name, form, value| Scale::of(named(name).unwrap(), 10).told(form, value);
        let biased = |form| of("cka_linear_biased", form, 0.25);
        assert_eq!(biased(Form::Similarity), Some(0.25));
        assert_eq!(biased(Form::Distance), Some(0.75));
        let right = Some(std::f64::consts::FRAC_PI_2);
        assert_eq!(of("cka_linear_debiased", Form::Angular, 0.0), right);
        assert_eq!(of("cka_linear_debiased", Form::Angular, -1.5), None);
        let shape = |form, value| of("procrustes_similarity", form, value);
        assert_eq!(shape(Form::Distance, -1.0), Some(2.0));
        assert_eq!(shape(Form::Angular, 1.0 + 1e-9), Some(0.0));
        // Of k neighbours.
        assert_eq!(of("lcs_knn", Form::Distance, 4.0), Some(6.0));
        let told = |name, form: Form| form.check(named(name).unwrap()).unwrap_err().to_string();
        assert!(told("mutual_knn_cosine", Form::Angular).contains("'distance' it has"));
        assert!(told("cka_linear_row_column", Form::Distance).contains("no upper end"));
    }

    #[test]
    fn identity_is_at_distance_zero_and_more_alike_is_nearer() {
        for measure in REGISTRY {
            let (name, scale) = (measure.properties().name, Scale::of(measure, 10));
            let bounded = scale.largest.is_finite();
            assert_eq!(Form::Distance.check(measure).is_ok(), bounded, "{name}");
            for form in [Form::Distance, Form::Angular] {
                let has = form.check(measure).is_ok();
                let of = |share: f64| scale.told(form, scale.largest - 1.0 + share);
                assert_eq!(has, bounded && of(0.5).is_some(), "{name}");
                if has {
                    assert_eq!(of(1.0), Some(0.0), "{name}");
                    assert!(of(0.75) < of(0.25), "{name}");
                }
            }
        }
    }
}
