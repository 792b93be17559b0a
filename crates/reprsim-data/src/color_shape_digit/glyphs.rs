//! Outlines of the eight shapes and strokes of the ten digits, in a unit box
//! centred on the origin (x to the right, y down, both in -1..1).

use tiny_skia::{Path, PathBuilder};

const SHAPES: [&[(f32, f32)]; 8] = [
    &[], // the circle has no corners
    &[(0.0, -1.0), (0.72, -0.35), (0.0, 1.0), (-0.72, -0.35)],
    &[(-0.45, -0.62), (1.0, -0.62), (0.45, 0.62), (-1.0, 0.62)],
    &[(-1.0, -0.6), (1.0, -0.6), (1.0, 0.6), (-1.0, 0.6)],
    &[(0.0, -1.0), (0.78, 0.0), (0.0, 1.0), (-0.78, 0.0)],
    &[(-0.84, -0.84), (0.84, -0.84), (0.84, 0.84), (-0.84, 0.84)],
    &[(-0.5, -0.72), (0.5, -0.72), (1.0, 0.72), (-1.0, 0.72)],
    &[(0.0, -1.0), (1.0, 0.8), (-1.0, 0.8)],
];

/// The closed outline of shape `class`.
pub(super) fn shape(class: usize) -> Option<Path> {
    if class == 0 {
        return PathBuilder::from_circle(0.0, 0.0, 0.92);
    }
    let mut path = PathBuilder::new();
    for (i, &(x, y)) in SHAPES[class].iter().enumerate() {
        if i == 0 {
            path.move_to(x, y);
        } else {
            path.line_to(x, y);
        }
    }
    path.close();
    path.finish()
}

/// Where a digit sits inside shape `class`: vertical shift and scale, so that
/// it does not touch the outline.
pub(super) fn digit_room(class: usize) -> (f32, f32) {
    match class {
        1 => (-0.12, 0.44), // kite
        2 => (0.0, 0.42),   // parallelogram
        3 => (0.0, 0.44),   // rectangle
        4 => (0.0, 0.42),   // rhombus
        6 => (0.06, 0.46),  // trapezoid
        7 => (0.26, 0.42),  // triangle
        _ => (0.0, 0.52),
    }
}

/// One drawing instruction of a digit's stroke.
enum Pen {
    Move(f32, f32),
    Line(f32, f32),
    Curve(f32, f32, f32, f32, f32, f32),
}

/// The open strokes of `digit`, within x -0.6..0.6 and y -1..1.
pub(super) fn digit(digit: usize) -> Option<Path> {
    use Pen::{Curve as C, Line as L, Move as M};
    let strokes: &[Pen] = match digit {
        0 => &[
            M(0.0, -1.0),
            C(0.8, -1.0, 0.8, 1.0, 0.0, 1.0),
            C(-0.8, 1.0, -0.8, -1.0, 0.0, -1.0),
        ],
        1 => &[M(-0.35, -0.6), L(0.1, -1.0), L(0.1, 1.0)],
        2 => &[
            M(-0.55, -0.5),
            C(-0.5, -1.2, 0.75, -1.15, 0.5, -0.3),
            C(0.4, 0.1, -0.3, 0.5, -0.6, 1.0),
            L(0.62, 1.0),
        ],
        3 => &[
            M(-0.55, -0.75),
            C(-0.2, -1.2, 0.8, -1.0, 0.5, -0.35),
            C(0.4, -0.1, 0.1, -0.05, -0.1, -0.05),
            C(0.2, -0.05, 0.75, 0.1, 0.6, 0.6),
            C(0.4, 1.2, -0.4, 1.05, -0.6, 0.65),
        ],
        4 => &[M(0.3, 1.0), L(0.3, -1.0), L(-0.65, 0.4), L(0.7, 0.4)],
        5 => &[
            M(0.5, -1.0),
            L(-0.4, -1.0),
            L(-0.5, -0.1),
            C(-0.1, -0.4, 0.7, -0.3, 0.6, 0.4),
            C(0.5, 1.15, -0.4, 1.1, -0.6, 0.7),
        ],
        6 => &[
            M(0.4, -0.95),
            C(-0.2, -0.8, -0.6, 0.0, -0.55, 0.45),
            C(-0.5, 1.2, 0.6, 1.2, 0.58, 0.4),
            C(0.55, -0.2, -0.35, -0.2, -0.55, 0.4),
        ],
        7 => &[M(-0.6, -1.0), L(0.6, -1.0), L(-0.1, 1.0)],
        8 => &[
            M(0.0, -0.08),
            C(-0.65, -0.2, -0.6, -1.0, 0.0, -1.0),
            C(0.6, -1.0, 0.65, -0.2, 0.0, -0.08),
            C(-0.85, 0.1, -0.75, 1.0, 0.0, 1.0),
            C(0.75, 1.0, 0.85, 0.1, 0.0, -0.08),
        ],
        _ => &[
            M(0.55, -0.4),
            C(0.4, 0.2, -0.55, 0.2, -0.58, -0.4),
            C(-0.6, -1.2, 0.5, -1.2, 0.55, -0.45),
            C(0.6, 0.1, 0.3, 0.8, -0.3, 1.0),
        ],
    };
    let mut path = PathBuilder::new();
    for pen in strokes {
        match *pen {
            M(x, y) => path.move_to(x, y),
            L(x, y) => path.line_to(x, y),
            C(a, b, c, d, x, y) => path.cubic_to(a, b, c, d, x, y),
        }
    }
    path.finish()
}
