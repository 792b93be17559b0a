//! PNG and JPEG pictures as planes of bytes.
//!
//! Pixels of a JPEG may differ by a few levels from those of other decoders: the
//! format leaves rounding and the scaling up of colour to them.

use std::io::{self, Cursor};

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

/// Wider or higher is no sample of a data set.
const LARGEST_SIDE: u32 = 16_384;
const LARGEST_ALLOCATION: u64 = 1 << 30;

/// What the header of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub width: usize,
    pub height: usize,
    /// No colour.
    pub grey: bool,
}

/// Why a picture cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum PictureError {
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("not a PNG or JPEG image")]
    Format,
    #[error(transparent)]
    Undecodable(#[from] ImageError),
    #[error("truncated: the JPEG has no end")]
    NoEnd,
    #[error("no JPEG segment at byte {0}")]
    NoSegment(usize),
    #[error("an image of {width}x{height}; all are {side}x{side}")]
    Size {
        width: u32,
        height: u32,
        side: usize,
    },
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, PictureError> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(PictureError::Unreadable)?;
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(PictureError::Format);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_ALLOCATION);
    reader.limits(limits);
    Ok(reader)
}

/// Size and kind of a picture, from its header.
pub(super) fn head(bytes: &[u8]) -> Result<Head, PictureError> {
    let decoder = reader(bytes)?.into_decoder()?;
    let (width, height) = decoder.dimensions();
    Ok(Head {
        width: width as usize,
        height: height as usize,
        grey: !decoder.color_type().has_color(),
    })
}

/// Refuses a JPEG that is cut off: the decoder would fill up what is missing.
/// (Archives vouch for their members with checksums.)
pub(super) fn check_end(bytes: &[u8]) -> Result<(), PictureError> {
    const START: [u8; 2] = [0xff, 0xd8];
    const END: [u8; 2] = [0xff, 0xd9];
    const SCAN: u8 = 0xda;
    if !bytes.starts_with(&START) {
        return Ok(());
    }
    // Segments, one of which may hold a small picture with an end of its own.
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        if marker == SCAN {
            let ends = bytes[at..].windows(2).any(|pair| pair == END);
            return if ends {
                Ok(())
            } else {
                Err(PictureError::NoEnd)
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

/// A whole picture.
pub(super) fn decode(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    Ok(reader(bytes)?.decode()?)
}

/// A colour picture of a data set whose pictures are all squares of one side, as
/// [`planes`].
pub(super) fn square(bytes: &[u8], side: usize) -> Result<Vec<u8>, PictureError> {
    let picture = decode(bytes)?;
    let (width, height) = (picture.width(), picture.height());
    if (width as usize, height as usize) != (side, side) {
        return Err(PictureError::Size {
            width,
            height,
            side,
        });
    }
    Ok(planes(&picture, 3))
}

/// The picture channel by channel, row by row: 1 channel (of a grey picture) or
/// 3. What is transparent is on white.
pub(super) fn planes(picture: &DynamicImage, channels: usize) -> Vec<u8> {
    let pixels = (picture.width() * picture.height()) as usize;
    let mut planes = vec![0u8; channels * pixels];
    let mut put = |index: usize, colour: [u8; 3]| {
        for (channel, value) in colour.into_iter().take(channels).enumerate() {
            planes[channel * pixels + index] = value;
        }
    };
    if picture.color().has_alpha() {
        for (index, pixel) in picture.to_rgba8().pixels().enumerate() {
            let [r, g, b, alpha] = pixel.0;
            put(index, [r, g, b].map(|v| on_white(v, alpha)));
        }
    } else {
        for (index, pixel) in picture.to_rgb8().pixels().enumerate() {
            put(index, pixel.0);
        }
    }
    planes
}

fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// Encodes pictures for the tests of the readers.
#[cfg(test)]
pub(super) fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    #[test]
    fn transparency_is_on_white() {
        assert_eq!((on_white(7, 255), on_white(7, 0)), (7, 255));
        assert_eq!(on_white(0, 128), 127);
        let mut picture = RgbaImage::new(2, 1);
        picture.put_pixel(0, 0, Rgba([10, 20, 30, 255]));
        let picture = DynamicImage::from(picture);
        assert_eq!(planes(&picture, 3), [10, 255, 20, 255, 30, 255]);
        let grey = image::GrayAlphaImage::from_pixel(1, 1, LumaA([9, 0]));
        assert_eq!(planes(&grey.into(), 1), [255]);
    }

    #[test]
    fn grey_and_colour_are_told_apart() {
        let grey = DynamicImage::from(GrayImage::from_pixel(9, 5, Luma([40])));
        let colour = DynamicImage::from(RgbImage::from_pixel(9, 5, Rgb([40; 3])));
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            let (grey, colour) = (encode(&grey, format), encode(&colour, format));
            let expected = Head {
                width: 9,
                height: 5,
                grey: true,
            };
            assert_eq!(head(&grey).unwrap(), expected);
            assert!(!head(&colour).unwrap().grey);
            assert_eq!(planes(&decode(&grey).unwrap(), 3), vec![40; 135]);
        }
    }

    #[test]
    fn a_cut_jpeg_is_told() {
        let picture = DynamicImage::from(RgbImage::from_fn(40, 40, |x, y| {
            Rgb([(x * y) as u8, x as u8, (y * 3) as u8])
        }));
        let jpeg = encode(&picture, ImageFormat::Jpeg);
        assert!(check_end(&jpeg).is_ok());
        // Some programs add bytes after the end, or fill up before a marker.
        assert!(check_end(&[&jpeg[..], &[0; 9]].concat()).is_ok());
        assert!(check_end(&[&jpeg[..2], &[0xff], &jpeg[2..]].concat()).is_ok());
        for cut in 2..jpeg.len() - 1 {
            assert!(check_end(&jpeg[..cut]).is_err(), "{cut}");
        }
        assert!(check_end(&encode(&picture, ImageFormat::Png)).is_ok());
        // A preview inside has an end, the picture itself has none.
        let preview = [&[0xff, 0xe1, 0, 6, 0xff, 0xd9, 0, 0][..], &jpeg[2..300]].concat();
        assert!(check_end(&[&jpeg[..2], &preview[..]].concat()).is_err());
    }

    #[test]
    fn damaged_pictures_are_errors() {
        let picture = DynamicImage::from(RgbImage::from_fn(40, 40, |x, y| {
            Rgb([(x * y) as u8, x as u8, (y * 3) as u8])
        }));
        let png = encode(&picture, ImageFormat::Png);
        assert!(decode(&png[..png.len() / 2]).is_err());
        assert!(decode(&encode(&picture, ImageFormat::Jpeg)[..30]).is_err());
        assert!(decode(b"GIF89a").is_err() && decode(b"").is_err());
    }
}
