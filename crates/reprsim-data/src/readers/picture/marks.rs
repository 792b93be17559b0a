//! What a file says beside its pixels that decides what a viewer shows, found by
//! walking over its pieces: decoders keep silent about it.

use image::ImageFormat;

use super::error::PictureError;

/// What a file says beside its pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Marks {
    /// The exponent by which samples were made of light, of a PNG that has no better
    /// description of its colours.
    pub gamma: Option<f64>,
}

/// Finds the marks of a file.
///
/// # Errors
/// What viewers do not show as one picture, or not alike; a JPEG or GIF that is cut
/// off, which its decoder would fill up.
pub(super) fn marks(bytes: &[u8], format: ImageFormat) -> Result<Marks, PictureError> {
    match format {
        ImageFormat::Png => png(bytes),
        ImageFormat::Jpeg => jpeg(bytes).map(|()| Marks::default()),
        ImageFormat::Gif => gif(bytes).map(|()| Marks::default()),
        ImageFormat::WebP => webp(bytes).map(|()| Marks::default()),
        _ => Ok(Marks::default()),
    }
}

/// The chunks of a PNG before its pixels (PNG, third edition, 5.3 and 11.3).
fn png(bytes: &[u8]) -> Result<Marks, PictureError> {
    const SIGNATURE: usize = 8;
    /// BT.709 primaries with its own curve or sRGB's, as RGB of full range: what is
    /// shown without the chunk.
    const AS_SRGB: [[u8; 4]; 2] = [[1, 13, 0, 1], [1, 1, 0, 1]];
    let (mut gamma, mut described) = (None, false);
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        let (Some(name), Some(data)) = (after.get(..4), after.get(4..4 + length)) else {
            break;
        };
        let word = data.first_chunk::<4>();
        match name {
            b"IDAT" => break,
            b"acTL" => {
                let frames = word.map_or(0, |word| u32::from_be_bytes(*word));
                if frames != 1 {
                    return Err(PictureError::Animation);
                }
            }
            b"cICP" if word.is_some_and(|word| !AS_SRGB.contains(word)) => {
                return Err(PictureError::WideColour);
            }
            b"sRGB" | b"iCCP" | b"cICP" => described = true,
            b"gAMA" => gamma = word.map(|word| f64::from(u32::from_be_bytes(*word)) / 1e5),
            _ => {}
        }
        rest = after.get(4 + length + 4..).unwrap_or_default();
    }
    Ok(Marks {
        gamma: gamma.filter(|gamma| !described && *gamma > 0.0),
    })
}

/// The segments of a JPEG up to its pixels, one of which may hold a small picture with
/// an end of its own, and whether its pixels have an end.
fn jpeg(bytes: &[u8]) -> Result<(), PictureError> {
    const END: [u8; 2] = [0xff, 0xd9];
    const SCAN: u8 = 0xda;
    /// Starts of frames, without the three markers among them that are none.
    const FRAMES: [u8; 13] = [
        0xc0, 0xc1, 0xc2, 0xc3, 0xc5, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcd, 0xce, 0xcf,
    ];
    const INKS: u8 = 4;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        // Of a frame: length, precision, height and width are before the components.
        if FRAMES.contains(&marker) && bytes.get(at + 9) == Some(&INKS) {
            return Err(PictureError::Inks);
        }
        if marker == SCAN {
            let ends = bytes[at..].windows(2).any(|pair| pair == END);
            return if ends {
                Ok(())
            } else {
                Err(PictureError::NoEnd("JPEG"))
            };
        }
        // Fill bytes before a marker have no length.
        at += if marker == 0xff {
            1
        } else {
            2 + usize::from(u16::from_be_bytes([high, low]))
        };
    }
    Err(PictureError::NoSegment(at))
}

/// The blocks of a GIF: one picture and an end (GIF89a, 18 to 27).
fn gif(bytes: &[u8]) -> Result<(), PictureError> {
    let table = |flags: u8| match flags & 0x80 {
        0 => 0,
        _ => 3 << ((flags & 7) + 1),
    };
    let walk = || -> Option<usize> {
        let mut pictures = 0;
        let mut at = 13 + table(*bytes.get(10)?);
        loop {
            match *bytes.get(at)? {
                0x3b => return Some(pictures),
                0x2c => {
                    pictures += 1;
                    at += 11 + table(*bytes.get(at + 9)?);
                }
                0x21 => at += 2,
                _ => return None,
            }
            // Blocks of data, each after its length.
            loop {
                let length = usize::from(*bytes.get(at)?);
                at += 1 + length;
                if length == 0 {
                    break;
                }
            }
        }
    };
    match walk() {
        Some(0 | 1) => Ok(()),
        Some(_) => Err(PictureError::Animation),
        None => Err(PictureError::NoEnd("GIF")),
    }
}

/// The flags of an extended WebP (its container specification, "Extended File Format").
fn webp(bytes: &[u8]) -> Result<(), PictureError> {
    const ANIMATION: u8 = 2;
    let extended = bytes.get(12..16) == Some(b"VP8X");
    match bytes.get(20) {
        Some(flags) if extended && flags & ANIMATION != 0 => Err(PictureError::Animation),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Frame, Rgb, RgbImage, codecs::gif::GifEncoder};

    use super::super::samples::{encode, with_chunk};
    use super::*;

    fn picture() -> DynamicImage {
        DynamicImage::from(RgbImage::from_fn(40, 40, |x, y| {
            Rgb([(x * y) as u8, x as u8, (y * 3) as u8])
        }))
    }

    #[test]
    fn a_cut_jpeg_is_told() {
        let picture = encode(&picture(), ImageFormat::Jpeg);
        assert!(jpeg(&picture).is_ok());
        // Some programs add bytes after the end, or fill up before a marker.
        assert!(jpeg(&[&picture[..], &[0; 9]].concat()).is_ok());
        assert!(jpeg(&[&picture[..2], &[0xff], &picture[2..]].concat()).is_ok());
        for cut in 2..picture.len() - 1 {
            assert!(jpeg(&picture[..cut]).is_err(), "{cut}");
        }
        // A preview inside has an end, the picture itself has none.
        let preview = [&[0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0][..], &picture[2..300]].concat();
        assert!(jpeg(&[&picture[..2], &preview[..]].concat()).is_err());
    }

    #[test]
    fn a_cut_or_moving_gif_is_told() {
        let frames = |count: usize| {
            let mut bytes = vec![];
            let mut encoder = GifEncoder::new(&mut bytes);
            for _ in 0..count {
                encoder
                    .encode_frame(Frame::new(picture().to_rgba8()))
                    .unwrap();
            }
            drop(encoder);
            bytes
        };
        let one = frames(1);
        assert!(gif(&one).is_ok());
        for cut in 0..one.len() - 1 {
            assert!(
                matches!(gif(&one[..cut]), Err(PictureError::NoEnd("GIF"))),
                "{cut}"
            );
        }
        assert!(matches!(gif(&frames(2)), Err(PictureError::Animation)));
    }

    #[test]
    fn chunks_of_a_png_are_seen() {
        let plain = encode(&picture(), ImageFormat::Png);
        let with_chunk = |name, data: &[u8]| with_chunk(&plain, name, data);
        assert_eq!(png(&plain).unwrap(), Marks::default());
        let gamma = with_chunk(b"gAMA", &100_000u32.to_be_bytes());
        assert_eq!(png(&gamma).unwrap().gamma, Some(1.0));
        let moving = with_chunk(b"acTL", &[0, 0, 0, 3, 0, 0, 0, 0]);
        assert!(matches!(png(&moving), Err(PictureError::Animation)));
        assert!(png(&with_chunk(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0])).is_ok());
        let light = with_chunk(b"cICP", &[9, 16, 0, 1]);
        assert!(matches!(png(&light), Err(PictureError::WideColour)));
        for cut in 0..gamma.len() {
            png(&gamma[..cut]).unwrap();
        }
    }
}
