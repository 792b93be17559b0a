//! A decoded picture as planes, one a channel.

use image::DynamicImage;

/// The picture channel by channel, row by row: 1 channel (of a grey picture) or
/// 3. What is transparent is on white.
pub(in crate::readers) fn planes(picture: &DynamicImage, channels: usize) -> Vec<u8> {
    let pixels = picture.width() as usize * picture.height() as usize;
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

#[cfg(test)]
mod tests {
    use image::{LumaA, Rgba, RgbaImage};

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
}
