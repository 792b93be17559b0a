//! Makes pictures for the tests of the readers.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};

/// A picture as a file.
pub(in crate::readers) fn encode(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A PNG with another chunk before its pixels.
pub(super) fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    const HEADER: usize = 33;
    let mut sum = flate2::Crc::new();
    sum.update(name);
    sum.update(data);
    let length = (data.len() as u32).to_be_bytes();
    let chunk = [&length, &name[..], data, &sum.sum().to_be_bytes()].concat();
    [&png[..HEADER], &chunk, &png[HEADER..]].concat()
}
