//! Decodes pictures, each within bounds.
//!
//! Pixels of a JPEG may differ by a few levels from those of other decoders: the
//! format leaves rounding and the scaling up of colour to them.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader, Limits};

use super::colour::{for_screen, to_srgb};
use super::error::{MOST_BYTES, MOST_PIXELS, PictureError};
use super::format::by_content;
use super::marks::marks;
use super::planes::planes;

/// What a decoder may take beside the pixels: a colour profile, a table.
const MOST_BESIDE: u64 = 32 << 20;
/// What a decoder may take with them.
const MOST_MEMORY: u64 = 1 << 29;

/// What the header of a picture says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::readers) struct Head {
    /// As it is shown, which may be turned from how it is stored.
    pub width: usize,
    pub height: usize,
    /// No colour.
    pub grey: bool,
}

/// A decoder of a picture of a size that is read. Its pixels are not decoded yet.
fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, PictureError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), by_content(bytes)?);
    let mut limits = Limits::no_limits();
    // A PNG's profile is decompressed with its header, up to what is allowed then.
    limits.max_alloc = Some(MOST_BESIDE);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MOST_PIXELS {
        return Err(PictureError::TooLarge { width, height });
    }
    if decoder.total_bytes() > MOST_BYTES {
        return Err(PictureError::TooDeep(decoder.total_bytes()));
    }
    limits.max_alloc = Some(MOST_MEMORY);
    decoder.set_limits(limits)?;
    Ok(decoder)
}

/// Size and kind of a picture, from its header; and whether it is one that can be shown.
pub(in crate::readers) fn head(bytes: &[u8]) -> Result<Head, PictureError> {
    let mut decoder = decoder(bytes)?;
    marks(bytes, by_content(bytes)?)?;
    let (width, height) = decoder.dimensions();
    let (width, height) = match decoder.orientation()? {
        Orientation::Rotate90
        | Orientation::Rotate270
        | Orientation::Rotate90FlipH
        | Orientation::Rotate270FlipH => (height, width),
        _ => (width, height),
    };
    Ok(Head {
        width: width as usize,
        height: height as usize,
        grey: !decoder.color_type().has_color(),
    })
}

/// A whole picture as a viewer shows it: turned as its Exif data say, its colours
/// in sRGB.
pub(in crate::readers) fn shown(bytes: &[u8]) -> Result<DynamicImage, PictureError> {
    let mut decoder = decoder(bytes)?;
    let marks = marks(bytes, by_content(bytes)?)?;
    let orientation = decoder.orientation()?;
    let profile = decoder.icc_profile()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    if let Some(profile) = profile {
        picture = to_srgb(picture, &profile);
    } else if let Some(gamma) = marks.gamma {
        picture = for_screen(picture, gamma);
    }
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A colour picture of a published data set, whose pictures are all squares of one side,
/// as [`planes`]. These are the values in the file, as everyone else has them. (Archives
/// vouch for their members with checksums.)
pub(in crate::readers) fn square(bytes: &[u8], side: usize) -> Result<Vec<u8>, PictureError> {
    let decoder = decoder(bytes)?;
    let (width, height) = decoder.dimensions();
    if (width as usize, height as usize) != (side, side) {
        return Err(PictureError::Size {
            width,
            height,
            side,
        });
    }
    Ok(planes(&DynamicImage::from_decoder(decoder)?, 3))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::ZlibEncoder;
    use image::codecs::jpeg::JpegEncoder;
    use image::codecs::png::PngEncoder;
    use image::{GrayImage, ImageBuffer, ImageEncoder, ImageFormat, Luma, Rgb, RgbImage};
    use moxcms::ColorProfile;

    use super::super::samples::{encode, with_chunk};
    use super::*;

    /// A picture of `tests/pictures`, red on the left and blue on the right.
    fn stored(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/pictures");
        std::fs::read(std::path::Path::new(folder).join(name)).unwrap()
    }

    fn assert_near(found: [u8; 3], expected: [u8; 3], words: &str) {
        let off = (0..3).map(|c| found[c].abs_diff(expected[c])).max();
        assert!(off <= Some(6), "{words}: {found:?} for {expected:?}");
    }

    /// A pixel as a sample has it.
    fn pixel(picture: &DynamicImage, x: usize, y: usize) -> [u8; 3] {
        let planes = planes(picture, 3);
        let plane = planes.len() / 3;
        let at = y * picture.width() as usize + x;
        [0, 1, 2].map(|c| planes[c * plane + at])
    }

    #[test]
    fn pictures_of_every_kind_are_read_as_they_are_shown() {
        const RED: [u8; 3] = [220, 40, 30];
        const BLUE: [u8; 3] = [20, 60, 200];
        const WHITE: [u8; 3] = [255; 3];
        for (name, left, right) in [
            ("interlaced.png", RED, BLUE),
            ("progressive.jpg", RED, BLUE),
            ("lossy.webp", RED, BLUE),
            ("palette.png", RED, WHITE),
            ("palette.gif", RED, WHITE),
            ("grey-alpha.png", [93; 3], [64; 3]),
        ] {
            let bytes = stored(name);
            let picture = shown(&bytes).unwrap();
            assert_eq!((picture.width(), picture.height()), (16, 8), "{name}");
            for y in [0, 7] {
                assert_near(pixel(&picture, 1, y), left, name);
                assert_near(pixel(&picture, 14, y), right, name);
            }
            assert_eq!(
                head(&bytes).unwrap().grey,
                name == "grey-alpha.png",
                "{name}"
            );
        }
    }

    #[test]
    fn what_viewers_do_not_agree_on_is_refused() {
        for name in ["moving.png", "moving.gif", "moving.webp"] {
            let bytes = stored(name);
            assert!(
                matches!(head(&bytes), Err(PictureError::Animation)),
                "{name}"
            );
            assert!(
                matches!(shown(&bytes), Err(PictureError::Animation)),
                "{name}"
            );
        }
        assert!(matches!(head(&stored("inks.jpg")), Err(PictureError::Inks)));
    }

    /// The Exif data of an orientation, as TIFF.
    fn exif(orientation: u8) -> Vec<u8> {
        [
            &b"II*\0\x08\0\0\0\x01\0"[..],
            &[0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0],
            &[0; 4],
        ]
        .concat()
    }

    /// Pictures lie on their sides in the file; the corners say how they are turned.
    #[test]
    fn pictures_are_turned_as_their_data_say() {
        let corners = [[200, 0, 0], [0, 200, 0], [0, 0, 200], [200; 3]];
        let picture = DynamicImage::from(RgbImage::from_fn(32, 16, |x, y| {
            Rgb(corners[usize::from(x >= 16) + 2 * usize::from(y >= 8)])
        }));
        let mut jpeg = vec![];
        picture
            .write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 100))
            .unwrap();
        let png = encode(&picture, ImageFormat::Png);
        // Upper left and upper right of what is shown (Exif 2.32, table 6).
        for (orientation, left, right) in [
            (1, 0, 1),
            (2, 1, 0),
            (3, 3, 2),
            (4, 2, 3),
            (5, 0, 2),
            (6, 2, 0),
            (7, 3, 1),
            (8, 1, 3),
        ] {
            let exif = exif(orientation);
            let length = (exif.len() as u16 + 8).to_be_bytes();
            let segment = [&[0xff, 0xe1], &length[..], b"Exif\0\0", &exif].concat();
            let jpeg = [&jpeg[..2], &segment, &jpeg[2..]].concat();
            for bytes in [jpeg, with_chunk(&png, b"eXIf", &exif)] {
                let Head { width, height, .. } = head(&bytes).unwrap();
                let expected = if orientation < 5 { (32, 16) } else { (16, 32) };
                assert_eq!((width, height), expected, "{orientation}");
                let picture = shown(&bytes).unwrap();
                assert_eq!(
                    (picture.width() as usize, picture.height() as usize),
                    expected
                );
                let words = format!("orientation {orientation}");
                assert_near(pixel(&picture, 1, 1), corners[left], &words);
                assert_near(pixel(&picture, width - 2, 1), corners[right], &words);
            }
        }
    }

    #[test]
    fn colours_are_those_of_srgb() {
        let picture = DynamicImage::from(RgbImage::from_pixel(16, 16, Rgb([200, 100, 50])));
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        let (mut png, mut jpeg) = (vec![], vec![]);
        let mut encoder = PngEncoder::new(&mut png);
        encoder.set_icc_profile(profile.clone()).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        let mut encoder = JpegEncoder::new_with_quality(&mut jpeg, 100);
        encoder.set_icc_profile(profile).unwrap();
        picture.write_with_encoder(encoder).unwrap();
        for bytes in [png, jpeg] {
            assert_near(
                pixel(&shown(&bytes).unwrap(), 8, 8),
                [215, 93, 31],
                "Display P3",
            );
            // A published set is its values.
            let values = square(&bytes, 16).unwrap();
            assert_near(
                [values[0], values[256], values[512]],
                [200, 100, 50],
                "as it is",
            );
        }
        let light = with_chunk(
            &encode(&picture, ImageFormat::Png),
            b"gAMA",
            &100_000u32.to_be_bytes(),
        );
        assert_near(
            pixel(&shown(&light).unwrap(), 0, 0),
            [228, 167, 122],
            "light",
        );
    }

    #[test]
    fn deep_pictures_are_rounded() {
        let deep = ImageBuffer::<Rgb<u16>, _>::from_pixel(2, 2, Rgb([0x8080, 0xffff, 300]));
        let bytes = encode(&deep.into(), ImageFormat::Png);
        assert_eq!(pixel(&shown(&bytes).unwrap(), 0, 0), [128, 255, 1]);
        let deep = ImageBuffer::<Luma<u16>, _>::from_pixel(2, 2, Luma([0x4040]));
        let bytes = encode(&deep.into(), ImageFormat::Png);
        assert!(head(&bytes).unwrap().grey);
        assert_eq!(planes(&shown(&bytes).unwrap(), 1), [64; 4]);
    }

    /// A small file that would become a large one in memory.
    #[test]
    fn what_swells_is_bounded() {
        let picture = DynamicImage::from(GrayImage::from_pixel(4, 4, Luma([7])));
        let png = encode(&picture, ImageFormat::Png);
        let mut zeros = ZlibEncoder::new(b"x\0\0".to_vec(), Compression::best());
        for _ in 0..100 {
            zeros.write_all(&[0; 1 << 20]).unwrap();
        }
        let swelling = with_chunk(&png, b"iCCP", &zeros.finish().unwrap());
        assert!(swelling.len() < 200_000);
        assert_eq!(
            shown(&swelling).unwrap(),
            picture,
            "a profile of 100 MB is none"
        );
        let mut wide = png.clone();
        wide[16..24].copy_from_slice(&[0, 0, 64, 0, 0, 0, 64, 0]);
        let mut sum = flate2::Crc::new();
        sum.update(&wide[12..29]);
        wide[29..33].copy_from_slice(&sum.sum().to_be_bytes());
        let error = head(&wide).unwrap_err().to_string();
        assert!(error.contains("16384x16384 are too many pixels"), "{error}");
        assert!(shown(&wide).is_err());
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
            assert_eq!(planes(&shown(&grey).unwrap(), 3), vec![40; 135]);
        }
    }

    #[test]
    fn damaged_pictures_are_errors() {
        let picture = DynamicImage::from(RgbImage::from_fn(40, 40, |x, y| {
            Rgb([(x * y) as u8, x as u8, (y * 3) as u8])
        }));
        for format in [
            ImageFormat::Png,
            ImageFormat::Jpeg,
            ImageFormat::Gif,
            ImageFormat::WebP,
            ImageFormat::Bmp,
        ] {
            let bytes = encode(&picture, format);
            assert!(shown(&bytes).is_ok(), "{format:?}");
            for cut in [bytes.len() / 2, 30, 3, 0] {
                assert!(shown(&bytes[..cut]).is_err(), "{format:?} {cut}");
            }
        }
    }
}
