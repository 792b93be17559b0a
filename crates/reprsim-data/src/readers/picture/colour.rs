//! Colours as a viewer shows them: in sRGB, whatever the file's own description.

use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// The exponent that screens undo, about that of sRGB.
const SCREEN: f64 = 2.2;
/// Exponents that differ by less are not told apart (libpng's `PNG_GAMMA_THRESHOLD`).
const TOLERATED: f64 = 0.05;

/// The picture in sRGB, by its ICC profile. Profiles that are broken, or of other
/// colours than the picture's, are ignored, as viewers do.
pub(super) fn to_srgb(picture: DynamicImage, profile: &[u8]) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else {
        return picture;
    };
    let alpha = picture.color().has_alpha();
    let (from, to) = match (profile.color_space, picture.color().has_color()) {
        (DataColorSpace::Rgb, _) if alpha => (Layout::Rgba, Layout::Rgba),
        (DataColorSpace::Rgb, _) => (Layout::Rgb, Layout::Rgb),
        (DataColorSpace::Gray, false) if alpha => (Layout::GrayAlpha, Layout::Rgba),
        (DataColorSpace::Gray, false) => (Layout::Gray, Layout::Rgb),
        _ => return picture,
    };
    let srgb = ColorProfile::new_srgb();
    let Ok(transform) = profile.create_transform_8bit(from, &srgb, to, TransformOptions::default())
    else {
        return picture;
    };
    let (width, height) = (picture.width(), picture.height());
    let pixels = width as usize * height as usize;
    let mut shown = vec![0u8; pixels * to.channels()];
    let done = match from {
        Layout::Gray => transform.transform(picture.to_luma8().as_raw(), &mut shown),
        Layout::GrayAlpha => transform.transform(picture.to_luma_alpha8().as_raw(), &mut shown),
        Layout::Rgba => transform.transform(picture.to_rgba8().as_raw(), &mut shown),
        _ => transform.transform(picture.to_rgb8().as_raw(), &mut shown),
    };
    let shown = match alpha {
        true => image::RgbaImage::from_raw(width, height, shown).map(DynamicImage::from),
        false => image::RgbImage::from_raw(width, height, shown).map(DynamicImage::from),
    };
    match (done, shown) {
        (Ok(()), Some(shown)) => shown,
        _ => picture,
    }
}

/// The picture for a screen, of samples that are light to the power `gamma` (PNG, third
/// edition, 13.13).
pub(super) fn for_screen(picture: DynamicImage, gamma: f64) -> DynamicImage {
    let exponent = 1.0 / (gamma * SCREEN);
    if (exponent - 1.0).abs() < TOLERATED {
        return picture;
    }
    let table: Vec<u8> = (0..=255u8)
        .map(|value| (255.0 * (f64::from(value) / 255.0).powf(exponent)).round() as u8)
        .collect();
    let of = |value: u8| table[usize::from(value)];
    match picture.color().has_alpha() {
        true => {
            let mut picture = picture.into_rgba8();
            picture.pixels_mut().for_each(|pixel| {
                let [r, g, b, alpha] = pixel.0;
                pixel.0 = [of(r), of(g), of(b), alpha];
            });
            picture.into()
        }
        false => {
            let mut picture = picture.into_rgb8();
            picture
                .pixels_mut()
                .for_each(|pixel| pixel.0 = pixel.0.map(of));
            picture.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

    use super::*;

    fn profile(of: &ColorProfile) -> Vec<u8> {
        of.encode().unwrap()
    }

    #[test]
    fn wide_colours_become_srgb() {
        // By the matrices and curves of CSS Color 4 (section 18), reckoned elsewhere.
        let near = |profile_of: &ColorProfile, expected: [u8; 3]| {
            let picture = RgbImage::from_pixel(3, 2, Rgb([200, 100, 50]));
            let shown = to_srgb(picture.into(), &profile(profile_of)).to_rgb8();
            let found = shown.get_pixel(2, 1).0;
            let off = (0..3).map(|c| found[c].abs_diff(expected[c])).max();
            assert!(off <= Some(1), "{found:?} for {expected:?}");
        };
        near(&ColorProfile::new_display_p3(), [215, 93, 31]);
        near(&ColorProfile::new_adobe_rgb(), [227, 100, 42]);
        near(&ColorProfile::new_srgb(), [200, 100, 50]);
        let clear = RgbaImage::from_pixel(1, 1, Rgba([200, 100, 50, 77]));
        let shown = to_srgb(clear.into(), &profile(&ColorProfile::new_display_p3()));
        assert_eq!(shown.to_rgba8().get_pixel(0, 0).0[3], 77);
    }

    #[test]
    fn grey_stays_grey() {
        let linear = profile(&ColorProfile::new_gray_with_gamma(1.0));
        let picture = GrayImage::from_pixel(1, 1, Luma([55]));
        let shown = to_srgb(picture.into(), &linear).to_rgb8();
        let [r, g, b] = shown.get_pixel(0, 0).0;
        // 55/255 of the light of white is 0.5029 in sRGB.
        assert!(r == g && g == b && r.abs_diff(128) <= 1, "{r} {g} {b}");
        let picture = GrayAlphaImage::from_pixel(1, 1, LumaA([55, 9]));
        let shown = to_srgb(picture.into(), &linear).to_rgba8();
        assert_eq!(shown.get_pixel(0, 0).0[3], 9);
        assert!(shown.get_pixel(0, 0).0[0].abs_diff(128) <= 1);
    }

    #[test]
    fn profiles_of_no_use_are_ignored() {
        let picture = DynamicImage::from(RgbImage::from_pixel(2, 2, Rgb([1, 2, 3])));
        let grey = profile(&ColorProfile::new_gray_with_gamma(1.0));
        for useless in [&b""[..], b"no profile", &grey, &grey[..grey.len() / 2]] {
            assert_eq!(to_srgb(picture.clone(), useless), picture);
        }
    }

    #[test]
    fn samples_of_light_become_samples_for_a_screen() {
        let picture = DynamicImage::from(RgbImage::from_pixel(1, 1, Rgb([0, 55, 255])));
        let shown = for_screen(picture.clone(), 1.0).to_rgb8();
        assert_eq!(shown.get_pixel(0, 0).0, [0, 127, 255]);
        assert_eq!(for_screen(picture.clone(), 0.45455), picture);
        let clear = RgbaImage::from_pixel(1, 1, Rgba([0, 55, 255, 55]));
        let shown = for_screen(clear.into(), 1.0).to_rgba8();
        assert_eq!(shown.get_pixel(0, 0).0, [0, 127, 255, 55]);
    }
}
