//! What the axes of an array are, in their order.

use std::fmt;
use std::str::FromStr;

/// The order of the axes of an array, a letter each: `n` samples, `c` channels (what is kept as
/// dimensions), and positions, which are pooled: `t` tokens, `l` places along a line, `d` depth, `h`
/// height, `w` width. PyTorch's maps are `nchw`, those of Keras and JAX `nhwc`; the output of a
/// one-dimensional convolution is `ncl`, of a transformer `ntc`, of one whose batch is not first `tnc`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes(String);

/// Letters that are no order of axes.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AxesError {
    /// A letter that no axis has.
    #[error(
        "axes '{axes}': '{letter}' is no axis; known: n (samples), c (channels), t (tokens), l (length), \
         d (depth), h (height), w (width)"
    )]
    Letter {
        /// The letters.
        axes: String,
        /// The one that is not known.
        letter: char,
    },
    /// A letter that stands there twice.
    #[error("axes '{axes}': '{letter}' is there twice")]
    Twice {
        /// The letters.
        axes: String,
        /// The one that is there twice.
        letter: char,
    },
    /// No axis of samples.
    #[error("axes '{0}' lack n, the axis of the samples")]
    NoSamples(String),
    /// Two orders of as many axes.
    #[error("axes '{a}' and '{b}' are both of {} axes, of which there is one order", a.len())]
    SameNumber {
        /// One.
        a: String,
        /// The other.
        b: String,
    },
}

/// All letters, with what they stand for.
const LETTERS: [(char, &str); 7] = [
    ('n', "samples"),
    ('c', "channels"),
    ('t', "tokens"),
    ('l', "length"),
    ('d', "depth"),
    ('h', "height"),
    ('w', "width"),
];

impl Axes {
    /// How many axes.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What arrays of so many axes are where nobody says: as PyTorch has them.
    pub(crate) fn usual(count: usize) -> Option<Self> {
        let letters = match count {
            1 => "n",
            2 => "nc",
            3 => "ntc",
            4 => "nchw",
            _ => return None,
        };
        Some(Self(letters.into()))
    }

    /// The place of an axis.
    pub(crate) fn place(&self, letter: char) -> Option<usize> {
        self.0.chars().position(|l| l == letter)
    }

    /// The letters of the positions, in order.
    pub(crate) fn positions(&self) -> impl Iterator<Item = char> {
        self.0.chars().filter(|l| !"nc".contains(*l))
    }

    /// The order without the axis of samples, which is put first.
    pub(crate) fn samples_first(&self) -> Self {
        let rest = self.0.chars().filter(|l| *l != 'n');
        Self(std::iter::once('n').chain(rest).collect())
    }

    /// What an axis is.
    pub(crate) fn word(letter: char) -> &'static str {
        let found = LETTERS.iter().find(|(l, _)| *l == letter);
        found.map_or("", |(_, word)| word)
    }

    /// In words: samples, channels, height, width.
    pub fn words(&self) -> String {
        let words: Vec<&str> = self.0.chars().map(Self::word).collect();
        words.join(", ")
    }

    /// Reads one order, or several separated by commas, one for each number of axes.
    ///
    /// # Errors
    /// As [`Axes::from_str`], and [`AxesError::SameNumber`].
    pub fn several(text: &str) -> Result<Vec<Self>, AxesError> {
        let all = (text.split(','))
            .map(|one| one.trim().parse())
            .collect::<Result<Vec<Self>, _>>()?;
        for (at, a) in all.iter().enumerate() {
            if let Some(b) = all[at + 1..].iter().find(|b| b.count() == a.count()) {
                let (a, b) = (a.0.clone(), b.0.clone());
                return Err(AxesError::SameNumber { a, b });
            }
        }
        Ok(all)
    }
}

impl FromStr for Axes {
    type Err = AxesError;

    /// Reads letters, small or capital.
    fn from_str(text: &str) -> Result<Self, AxesError> {
        let text = text.to_ascii_lowercase();
        let axes = || text.clone();
        for (at, letter) in text.char_indices() {
            if Self::word(letter).is_empty() {
                let axes = axes();
                return Err(AxesError::Letter { axes, letter });
            }
            if text[..at].contains(letter) {
                let axes = axes();
                return Err(AxesError::Twice { axes, letter });
            }
        }
        match text.contains('n') {
            true => Ok(Self(axes())),
            false => Err(AxesError::NoSamples(axes())),
        }
    }
}

impl fmt::Display for Axes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn orders_are_letters_each_once() {
        let axes: Axes = "nhwc".parse().unwrap();
        assert_eq!((axes.count(), axes.place('c')), (4, Some(3)));
        assert_eq!(axes.words(), "samples, height, width, channels");
        assert_eq!(axes.positions().collect::<String>(), "hw");
        let moved = "tnc".parse::<Axes>().unwrap().samples_first();
        assert_eq!(moved.to_string(), "ntc");
        let told = |text: &str| Axes::several(text).unwrap_err().to_string();
        assert!(told("nxc").contains("'x' is no axis; known: n (samples)"));
        assert_eq!("NHWC".parse(), "nhwc".parse::<Axes>());
        assert!(told("nhhc").contains("'h' is there twice"));
        assert!(told("hwc").contains("lack n"));
        assert!(told("").contains("lack n"));
        assert!(told("nhwc,nchw").contains("both of 4 axes"));
        assert_eq!(Axes::several("nhwc, ncl").unwrap().len(), 2);
    }
}
