//! Why a picture cannot be used.

use std::io;

use image::ImageError;

/// The formats that are read, as a message lists them.
pub(in crate::readers) const READ: &str = "PNG, JPEG, GIF, WebP and BMP";
/// More pixels are no sample of a data set: 8192 x 8192.
pub(super) const MOST_PIXELS: u64 = 1 << 26;
/// Bytes of a decoded picture; with what is made of it a third or half of that more is taken, twice.
pub(super) const MOST_BYTES: u64 = 144 << 20;

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub(in crate::readers) enum PictureError {
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("empty")]
    Empty,
    #[error("a file of {0} bytes is too large to be read")]
    LongFile(u64),
    #[error("not an image, whatever its name says")]
    Format,
    #[error("{} image; {READ} are read, save it as one of them", with_article(.0))]
    Unread(&'static str),
    #[error("an animation; save the picture of it that is meant as a file of its own")]
    Animation,
    #[error("a JPEG of four inks, whose colours depend on a press; save it as RGB")]
    Inks,
    #[error("a PNG of colours beyond a screen's (cICP); save it as sRGB")]
    WideColour,
    #[error(transparent)]
    Undecodable(#[from] ImageError),
    #[error("truncated: the {0} has no end")]
    NoEnd(&'static str),
    #[error("no JPEG segment at byte {0}")]
    NoSegment(usize),
    #[error(
        "{width}x{height} are too many pixels: at most {MOST_PIXELS} are read, save it smaller"
    )]
    TooLarge { width: u32, height: u32 },
    #[error("{0} bytes of pixels: at most {MOST_BYTES} are read, save it smaller or with 8 bits")]
    TooDeep(u64),
    #[error("an image of {width}x{height}; all are {side}x{side}")]
    Size {
        width: u32,
        height: u32,
        side: usize,
    },
}

fn with_article(format: &str) -> String {
    let article = match format.starts_with(['A', 'E', 'i', 'O']) {
        true => "an",
        false => "a",
    };
    format!("{article} {format}")
}
