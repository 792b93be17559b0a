//! SVG figures as PNG, the same on every machine: letters come from a font in
//! the program.

use resvg::tiny_skia::{IntSize, Pixmap, Transform};
use resvg::usvg::{Options, Tree};

/// Pixels of a picture at most.
const PIXELS: u64 = 100_000_000;

/// A figure that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PngError {
    /// The SVG cannot be read.
    #[error("cannot draw the picture: the SVG is damaged")]
    Damaged(#[source] resvg::usvg::Error),
    /// The picture has too many pixels.
    #[error("cannot draw the picture: {width} x {height} is too large; draw less at once, or SVG")]
    TooLarge {
        /// In units of the figure.
        width: f32,
        /// In units of the figure.
        height: f32,
    },
    /// The pixels cannot be written as PNG.
    #[error("cannot encode the picture")]
    Encode(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Draws an SVG figure at `scale` pixels a unit and encodes it as PNG.
///
/// # Errors
/// [`PngError`] if the SVG is damaged or the picture too large.
pub fn png(svg: &str, scale: f32) -> Result<Vec<u8>, PngError> {
    let mut options = Options::default();
    let fonts = options.fontdb_mut();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let tree = Tree::from_str(svg, &options).map_err(PngError::Damaged)?;
    let size = tree.size().to_int_size().scale_by(scale);
    let pixels = |s: &IntSize| u64::from(s.width()) * u64::from(s.height());
    let mut picture = size
        .filter(|s| pixels(s) <= PIXELS)
        .and_then(|s| Pixmap::new(s.width(), s.height()))
        .ok_or(PngError::TooLarge {
            width: tree.size().width(),
            height: tree.size().height(),
        })?;
    resvg::render(
        &tree,
        Transform::from_scale(scale, scale),
        &mut picture.as_mut(),
    );
    (picture.encode_png()).map_err(|e| PngError::Encode(Box::new(e)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_leave_ink() {
        let svg = |text: &str| {
            format!(
                "<svg xmlns='http://www.w3.org/2000/svg' width='60' height='20' \
                 font-family='Ubuntu, sans-serif'><text x='2' y='15'>{text}</text></svg>"
            )
        };
        let with = png(&svg("conv1"), 2.0);
        let without = png(&svg(""), 2.0);
        assert!(with.is_ok_and(|w| without.is_ok_and(|o| w.len() > o.len() + 50)));
    }

    #[test]
    fn what_cannot_be_drawn_says_why() {
        use std::error::Error;

        let damaged = png("<svg", 1.0).unwrap_err();
        assert!(matches!(damaged, PngError::Damaged(_)));
        assert!(damaged.source().is_some());
        let svg = "<svg xmlns='http://www.w3.org/2000/svg' width='20000' height='6000'/>";
        let error = png(svg, 1.0).unwrap_err();
        assert!(
            error.to_string().contains("20000 x 6000 is too large"),
            "{error}"
        );
    }
}
