//! The built-in data set: small coloured images of one shape and one digit,
//! drawn from (seed, index) with no files.
//!
//! After the paper's ColorShapeDigit800k: 8 shapes x 10 digits x 10 colours,
//! 28 x 28 RGB, a shape outline and a digit in one colour. Beside those three,
//! four further label factors are drawn independently of them when the preset
//! asks (`tinted`: two of them, `varied`: all), so that tasks of equal size can share any number of factors.

mod draw;
mod factors;
mod generate;
mod glyphs;

pub use factors::{FactorKind, factor_names};
pub use generate::{Preset, Settings, generate};

/// The data set's name.
pub const NAME: &str = "color-shape-digit";
/// Height and width of an image.
pub const SIDE: usize = 28;
