//! Places in arrays as expressions of a shader: sums and products of constants are taken here.

use std::fmt;

/// An unsigned number that is known now, or that the shader computes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Index {
    Known(u32),
    Computed(String),
}

use Index::{Computed, Known};

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Known(value) => write!(f, "{value}u"),
            Computed(text) => f.write_str(text),
        }
    }
}

impl Index {
    pub fn of(text: impl Into<String>) -> Self {
        Computed(text.into())
    }

    pub fn plus(&self, other: &Self) -> Self {
        match (self, other) {
            (Known(0), x) | (x, Known(0)) => x.clone(),
            (Known(a), Known(b)) => Known(a.wrapping_add(*b)),
            (a, b) => Computed(format!("({a} + {b})")),
        }
    }

    pub fn minus(&self, by: u32) -> Self {
        match (self, by) {
            (x, 0) => x.clone(),
            (Known(a), b) => Known(a.wrapping_sub(b)),
            (a, b) => Computed(format!("({a} - {b}u)")),
        }
    }

    pub fn less(&self, other: &Self) -> Self {
        match (self, other) {
            (x, Known(0)) => x.clone(),
            (Known(a), Known(b)) => Known(a.wrapping_sub(*b)),
            (a, b) => Computed(format!("({a} - {b})")),
        }
    }

    pub fn times(&self, by: usize) -> Self {
        match (self, by as u32) {
            (_, 0) => Known(0),
            (x, 1) => x.clone(),
            (Known(a), b) => Known(a.wrapping_mul(b)),
            (a, b) => Computed(format!("({a} * {b}u)")),
        }
    }

    pub fn over(&self, by: usize) -> Self {
        match (self, by as u32) {
            (x, 1) => x.clone(),
            (Known(a), b) => Known(a / b),
            (a, b) => Computed(format!("({a} / {b}u)")),
        }
    }

    pub fn modulo(&self, by: usize) -> Self {
        match (self, by as u32) {
            (_, 1) => Known(0),
            (Known(a), b) => Known(a % b),
            (a, b) => Computed(format!("({a} % {b}u)")),
        }
    }
}

/// The place in an array of `shape` that lies in one piece.
pub(crate) fn linear(index: &[Index], shape: &[usize]) -> Index {
    let mut place = Known(0);
    for (i, &n) in index.iter().zip(shape) {
        // The only index of a dimension of size 1 is 0, whatever it is called.
        if n > 1 {
            place = place.times(n).plus(i);
        }
    }
    place
}

/// The index of a place in an array of `shape`.
pub(crate) fn unravel(place: &Index, shape: &[usize]) -> Vec<Index> {
    let mut index = vec![Known(0); shape.len()];
    let mut inner = 1;
    let first = shape.iter().position(|&n| n > 1).unwrap_or(0);
    for (dim, &n) in shape.iter().enumerate().rev() {
        if n > 1 {
            let quotient = place.over(inner);
            index[dim] = match dim == first {
                true => quotient,
                false => quotient.modulo(n),
            };
        }
        inner *= n;
    }
    index
}

/// The index in an array of `from` whose place is that of `index` in one of `to`: dimensions
/// that both have in the same place are not taken apart.
pub(crate) fn reshaped(index: &[Index], to: &[usize], from: &[usize]) -> Vec<Index> {
    // Groups of dimensions of equal products.
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::with_capacity(from.len());
    while j < from.len() || i < to.len() {
        let (start_i, start_j) = (i, j);
        let (mut a, mut b) = (1, 1);
        loop {
            if i < to.len() && (i == start_i || a < b || (j >= from.len())) {
                a *= to[i];
                i += 1;
            } else if j < from.len() && (j == start_j || b < a || (i >= to.len())) {
                b *= from[j];
                j += 1;
            } else {
                break;
            }
            if a == b && i > start_i && j > start_j {
                break;
            }
        }
        let place = linear(&index[start_i..i], &to[start_i..i]);
        found.extend(unravel(&place, &from[start_j..j]));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_computed_here() {
        let index = [Known(2), Index::of("i"), Known(3)];
        assert_eq!(
            linear(&index, &[4, 7, 5]).to_string(),
            "(((14u + i) * 5u) + 3u)"
        );
        assert_eq!(
            unravel(&Known(23), &[2, 3, 4]),
            [Known(1), Known(2), Known(3)]
        );
        let i = Index::of("i");
        let names: Vec<String> = unravel(&i, &[7, 1, 4])
            .iter()
            .map(Index::to_string)
            .collect();
        assert_eq!(names, ["(i / 4u)", "0u", "(i % 4u)"]);
    }

    #[test]
    fn equal_dimensions_stay_apart_from_others() {
        let index = ["a", "b", "c"].map(Index::of);
        let names = |to: &[usize], from: &[usize]| -> Vec<String> {
            let found = reshaped(&index[..to.len()], to, from);
            found.iter().map(Index::to_string).collect()
        };
        assert_eq!(names(&[6, 5], &[2, 3, 5]), ["(a / 3u)", "(a % 3u)", "b"]);
        assert_eq!(names(&[2, 3, 5], &[6, 5]), ["((a * 3u) + b)", "c"]);
        assert_eq!(
            names(&[4, 5], &[1, 4, 1, 5, 1]),
            ["0u", "a", "0u", "b", "0u"]
        );
        assert_eq!(names(&[1, 4, 5], &[4, 5]), ["b", "c"]);
    }
}
