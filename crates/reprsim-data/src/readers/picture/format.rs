//! Which formats are read, and the names of those that are not.

use std::path::Path;

use image::ImageFormat;

use super::error::{PictureError, READ};

/// Endings of names of what is read. Which of the formats a file is, its content says.
const ENDINGS: [&str; 11] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "pjpeg", "gif", "webp", "bmp", "dib",
];

/// Formats that are not read: their decoders are not in Rust alone, or the format
/// leaves open what a viewer shows (layers, pages, light beyond white).
const UNREAD: [(&str, &[&str]); 17] = [
    ("AVIF", &["avif", "avifs"]),
    (
        "camera raw",
        &[
            "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef",
        ],
    ),
    ("DICOM", &["dcm", "dicom"]),
    ("DDS", &["dds"]),
    ("HEIC", &["heic", "heif", "hif"]),
    ("icon", &["ico", "cur", "icns"]),
    ("JPEG 2000", &["jp2", "j2k", "jpf", "jpx", "j2c"]),
    ("JPEG XL", &["jxl"]),
    ("netpbm", &["pbm", "pgm", "ppm", "pnm", "pam"]),
    ("OpenEXR", &["exr"]),
    ("Photoshop", &["psd", "psb"]),
    ("QOI", &["qoi"]),
    ("Radiance", &["hdr"]),
    ("SVG", &["svg", "svgz"]),
    ("Targa", &["tga"]),
    ("TIFF", &["tif", "tiff"]),
    ("XPM", &["xpm", "xbm"]),
];

/// First bytes of formats that [`image::guess_format`] does not know, from an offset.
const SIGNATURES: [(&str, usize, &[u8]); 8] = [
    ("HEIC", 4, b"ftyphei"),
    ("HEIC", 4, b"ftyphev"),
    ("HEIC", 4, b"ftypmif1"),
    ("HEIC", 4, b"ftypmsf1"),
    ("JPEG XL", 0, &[0xff, 0x0a]),
    ("JPEG XL", 4, b"JXL "),
    ("JPEG 2000", 4, b"jP  "),
    ("Photoshop", 0, b"8BPS"),
];

/// Why a file is not read, where its name says so already.
pub(in crate::readers) fn unread_by_name(path: &Path) -> Option<String> {
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    let ending = ending.to_lowercase();
    if ENDINGS.contains(&ending.as_str()) {
        return None;
    }
    let unread = UNREAD
        .iter()
        .find(|(_, known)| known.contains(&ending.as_str()));
    Some(match unread {
        Some((format, _)) => PictureError::Unread(format).to_string(),
        None => format!("not an image by its name ({READ} are read)"),
    })
}

/// The format of a picture that is read, by its first bytes.
pub(super) fn by_content(bytes: &[u8]) -> Result<ImageFormat, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let signed = |&(_, at, signature): &(&str, usize, &[u8])| {
        bytes
            .get(at..)
            .is_some_and(|rest| rest.starts_with(signature))
    };
    if let Some((format, ..)) = SIGNATURES.into_iter().find(signed) {
        return Err(PictureError::Unread(format));
    }
    match image::guess_format(bytes) {
        Ok(
            format @ (ImageFormat::Png
            | ImageFormat::Jpeg
            | ImageFormat::Gif
            | ImageFormat::WebP
            | ImageFormat::Bmp),
        ) => Ok(format),
        Ok(other) => {
            let endings = other.extensions_str();
            let unread = UNREAD.iter().find(|(_, known)| known.contains(&endings[0]));
            Err(unread.map_or(PictureError::Format, |(name, _)| PictureError::Unread(name)))
        }
        Err(_) => Err(PictureError::Format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_is_named() {
        let by_name = |name: &str| unread_by_name(Path::new(name));
        for read in [
            "a.png", "b.JPG", "c.JPEG", "d.Webp", "e.bmp", "f.gif", "g.jfif",
        ] {
            assert_eq!(by_name(read), None, "{read}");
        }
        assert!(by_name("IMG_1.HEIC").unwrap().contains("a HEIC image"));
        assert!(by_name("scan.tif").unwrap().contains("a TIFF image"));
        for other in ["notes.txt", "png", ".png", "archive.tar.gz"] {
            assert!(
                by_name(other).unwrap().contains("not an image by its name"),
                "{other}"
            );
        }
        let named = |bytes: &[u8]| by_content(bytes).unwrap_err().to_string();
        assert!(named(b"\0\0\0\x18ftypheic\0\0\0\0").contains("a HEIC image"));
        assert!(named(b"\0\0\0\x1cftypavif\0\0\0\0").contains("AVIF image"));
        assert!(named(b"II*\0....").contains("a TIFF image"));
        assert!(named(b"<html>").contains("not an image, whatever its name says"));
        assert_eq!(named(b""), "empty");
    }
}
