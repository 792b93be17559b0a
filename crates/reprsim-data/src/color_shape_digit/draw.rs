//! Draws one image from its factor values and its own random stream.

use std::f32::consts::{FRAC_1_SQRT_2, PI};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tiny_skia::{Color, LineCap, LineJoin, Paint, Pixmap, Rect, Stroke, Transform};

use super::SIDE;
use super::factors::{FactorKind, GROUND, INK};
use super::glyphs;

/// The classes of one image; `None` where the preset leaves a factor off.
pub(super) type Values = [Option<usize>; FactorKind::ALL.len()];

/// Draws the image as three planes of `SIDE * SIDE` bytes (red, green, blue).
///
/// What is not a label varies a little in every image: position, size,
/// rotation, stroke width, tint, and the placement of the digit in the shape.
pub(super) fn draw(values: &Values, rng: &mut ChaCha8Rng, out: &mut [u8]) {
    let class = |kind: FactorKind| values[kind as usize];
    let side = SIDE as f32;
    let ground = GROUND[class(FactorKind::Background).unwrap_or(0)];
    let Some(mut canvas) = Pixmap::new(SIDE as u32, SIDE as u32) else {
        return; // SIDE is a positive constant: this cannot be reached
    };
    canvas.fill(color(ground));

    if let Some(border) = class(FactorKind::Border) {
        let paint = ink(INK[border], rng);
        for (x, y, w, h) in [
            (0.0, 0.0, side, 2.0),
            (0.0, side - 2.0, side, 2.0),
            (0.0, 0.0, 2.0, side),
            (side - 2.0, 0.0, 2.0, side),
        ] {
            if let Some(rect) = Rect::from_xywh(x, y, w, h) {
                canvas.fill_rect(rect, &paint, Transform::identity(), None);
            }
        }
    }

    // With a size or position factor the drawing must leave room to move.
    let radius = match class(FactorKind::Size) {
        Some(size) => [7.0, 8.2, 9.4, 10.6][size] * rng.random_range(0.97..1.03),
        None if class(FactorKind::Position).is_some() => rng.random_range(8.5..10.0),
        None => rng.random_range(10.2..12.2),
    };
    let slack = (side / 2.0 - radius - 1.2).max(0.5);
    let (dx, dy) = match class(FactorKind::Position) {
        Some(direction) => {
            let compass: [(f32, f32); 8] = [
                (0.0, -1.0),
                (FRAC_1_SQRT_2, -FRAC_1_SQRT_2),
                (1.0, 0.0),
                (FRAC_1_SQRT_2, FRAC_1_SQRT_2),
                (0.0, 1.0),
                (-FRAC_1_SQRT_2, FRAC_1_SQRT_2),
                (-1.0, 0.0),
                (-FRAC_1_SQRT_2, -FRAC_1_SQRT_2),
            ];
            let (x, y) = compass[direction];
            let reach = 3.4;
            (
                x * reach + rng.random_range(-0.5..0.5),
                y * reach + rng.random_range(-0.5..0.5),
            )
        }
        None => (
            rng.random_range(-slack..slack),
            rng.random_range(-slack..slack),
        ),
    };
    let (cx, cy) = (side / 2.0 + dx, side / 2.0 + dy);

    let paint = ink(INK[class(FactorKind::Color).unwrap_or(0)], rng);
    let shape_class = class(FactorKind::Shape).unwrap_or(0);
    let tilt = rng.random_range(-9.0..9.0_f32);
    let stretch = rng.random_range(0.95..1.05);
    let placed = Transform::from_rotate(tilt)
        .post_scale(radius * stretch, radius / stretch)
        .post_translate(cx, cy);
    let outline_width = rng.random_range(1.3..2.0);
    stroke(
        &mut canvas,
        glyphs::shape(shape_class),
        placed,
        outline_width,
        &paint,
    );

    let (shift, room) = glyphs::digit_room(shape_class);
    let digit_scale = radius * room * rng.random_range(0.92..1.06);
    let digit_tilt = rng.random_range(-10.0..10.0_f32);
    let shear = (rng.random_range(-8.0..8.0_f32) * PI / 180.0).tan();
    let placed = Transform::from_skew(shear, 0.0)
        .post_rotate(digit_tilt)
        .post_scale(digit_scale, digit_scale)
        .post_translate(
            cx + rng.random_range(-0.5..0.5),
            cy + shift * radius + rng.random_range(-0.5..0.5),
        );
    let digit_width = rng.random_range(1.4..2.1);
    let digit = class(FactorKind::Digit).unwrap_or(0);
    stroke(
        &mut canvas,
        glyphs::digit(digit),
        placed,
        digit_width,
        &paint,
    );

    let plane = SIDE * SIDE;
    for (i, pixel) in canvas.pixels().iter().enumerate() {
        out[i] = pixel.red();
        out[plane + i] = pixel.green();
        out[2 * plane + i] = pixel.blue();
    }
}

fn color(rgb: [u8; 3]) -> Color {
    Color::from_rgba8(rgb[0], rgb[1], rgb[2], 255)
}

/// The ink with this image's tint: every channel moves by up to 8 %.
fn ink(rgb: [u8; 3], rng: &mut ChaCha8Rng) -> Paint<'static> {
    let tinted =
        rgb.map(|v| (f32::from(v) + rng.random_range(-20.0..20.0)).clamp(0.0, 255.0) as u8);
    let mut paint = Paint::default();
    paint.set_color(color(tinted));
    paint.anti_alias = true;
    paint
}

/// Strokes `path` (unit coordinates) with a width given in pixels.
fn stroke(
    canvas: &mut Pixmap,
    path: Option<tiny_skia::Path>,
    placed: Transform,
    width: f32,
    paint: &Paint<'_>,
) {
    let Some(path) = path.and_then(|p| p.transform(placed)) else {
        return;
    };
    let pen = Stroke {
        width,
        line_cap: LineCap::Round,
        line_join: LineJoin::Round,
        ..Stroke::default()
    };
    canvas.stroke_path(&path, paint, &pen, Transform::identity(), None);
}
