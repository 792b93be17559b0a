//! The three transforms of F(4, 3) for one axis and what is needed of their adjoints, on vectors.
//!
//! Four outputs of a filter of three weights `g` over six inputs `d` are `A' [(G g) * (B' d)]` (Lavin
//! and Gray 2016, arXiv 1509.09308). `A`, `B` and `G` are made of the points at which polynomials are
//! multiplied: 0, [`NEAR`] and [`FAR`] with both signs, and infinity. Lavin and Gray's are 1 and 2; these
//! (oneDNN's) leave 0.4 of the rounding.

use pulp::Simd;

/// Outputs of one tile's side.
pub(super) const OUT: usize = 4;
/// Inputs of one tile's side.
pub(super) const IN: usize = 6;
/// Weights of one side.
pub(super) const TAPS: usize = 3;

/// The smaller point; with its powers a number of few binary digits, so that nothing is rounded here.
const NEAR: f32 = 0.625;
/// The larger point.
const FAR: f32 = 1.5;
const NEAR2: f32 = NEAR * NEAR;
const FAR2: f32 = FAR * FAR;
/// What the rows of `G` of a point, and of 0, are multiplied by.
const BY_NEAR: f32 = 1.0 / (2.0 * NEAR2 * (NEAR2 - FAR2));
const BY_FAR: f32 = 1.0 / (2.0 * FAR2 * (FAR2 - NEAR2));
const BY_ZERO: f32 = 1.0 / (NEAR2 * FAR2);

/// `B' d`.
#[inline(always)]
pub(super) fn input<S: Simd>(s: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let [d0, d1, d2, d3, d4, d5] = d;
    let of = |share: f32, of: S::f32s| s.mul_f32s(s.splat_f32s(share), of);
    let plus = |share: f32, of: S::f32s, to: S::f32s| s.mul_add_e_f32s(s.splat_f32s(share), of, to);
    let even = plus(-FAR2, d2, d4);
    let odd = of(NEAR, plus(-FAR2, d1, d3));
    let far_even = plus(-NEAR2, d2, d4);
    let far_odd = of(FAR, plus(-NEAR2, d1, d3));
    [
        plus(NEAR2 * FAR2, d0, plus(-NEAR2 - FAR2, d2, d4)),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        plus(NEAR2 * FAR2, d1, plus(-NEAR2 - FAR2, d3, d5)),
    ]
}

/// `A' m`.
#[inline(always)]
pub(super) fn output<S: Simd>(s: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let [m0, m1, m2, m3, m4, m5] = m;
    let of = |share: f32, of: S::f32s| s.mul_f32s(s.splat_f32s(share), of);
    let plus = |share: f32, of: S::f32s, to: S::f32s| s.mul_add_e_f32s(s.splat_f32s(share), of, to);
    let [sum, apart] = [s.add_f32s(m1, m2), s.sub_f32s(m1, m2)];
    let [far_sum, far_apart] = [s.add_f32s(m3, m4), s.sub_f32s(m3, m4)];
    [
        s.add_f32s(m0, s.add_f32s(sum, far_sum)),
        plus(FAR, far_apart, of(NEAR, apart)),
        plus(FAR2, far_sum, of(NEAR2, sum)),
        plus(FAR2 * FAR, far_apart, plus(NEAR2 * NEAR, apart, m5)),
    ]
}

/// `A y`, the adjoint of [`output`].
#[inline(always)]
pub(super) fn output_adjoint<S: Simd>(s: S, y: [S::f32s; OUT]) -> [S::f32s; IN] {
    let [y0, y1, y2, y3] = y;
    let of = |share: f32, of: S::f32s| s.mul_f32s(s.splat_f32s(share), of);
    let plus = |share: f32, of: S::f32s, to: S::f32s| s.mul_add_e_f32s(s.splat_f32s(share), of, to);
    let even = plus(NEAR2, y2, y0);
    let odd = plus(NEAR, y1, of(NEAR2 * NEAR, y3));
    let far_even = plus(FAR2, y2, y0);
    let far_odd = plus(FAR, y1, of(FAR2 * FAR, y3));
    [
        y0,
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        y3,
    ]
}

/// `G g`.
#[inline(always)]
pub(super) fn weight<S: Simd>(s: S, g: [S::f32s; TAPS]) -> [S::f32s; IN] {
    let [g0, g1, g2] = g;
    let of = |share: f32, of: S::f32s| s.mul_f32s(s.splat_f32s(share), of);
    let plus = |share: f32, of: S::f32s, to: S::f32s| s.mul_add_e_f32s(s.splat_f32s(share), of, to);
    let [even, odd] = [of(BY_NEAR, plus(NEAR2, g2, g0)), of(BY_NEAR * NEAR, g1)];
    let [far_even, far_odd] = [of(BY_FAR, plus(FAR2, g2, g0)), of(BY_FAR * FAR, g1)];
    [
        of(BY_ZERO, g0),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        g2,
    ]
}

/// `G' u`, the adjoint of [`weight`].
#[inline(always)]
pub(super) fn weight_adjoint<S: Simd>(s: S, u: [S::f32s; IN]) -> [S::f32s; TAPS] {
    let [u0, u1, u2, u3, u4, u5] = u;
    let of = |share: f32, of: S::f32s| s.mul_f32s(s.splat_f32s(share), of);
    let plus = |share: f32, of: S::f32s, to: S::f32s| s.mul_add_e_f32s(s.splat_f32s(share), of, to);
    let [sum, apart] = [s.add_f32s(u1, u2), s.sub_f32s(u1, u2)];
    let [far_sum, far_apart] = [s.add_f32s(u3, u4), s.sub_f32s(u3, u4)];
    let [sum, far_sum] = [of(BY_NEAR, sum), of(BY_FAR, far_sum)];
    [
        plus(BY_ZERO, u0, s.add_f32s(sum, far_sum)),
        plus(BY_FAR * FAR, far_apart, of(BY_NEAR * NEAR, apart)),
        plus(FAR2, far_sum, plus(NEAR2, sum, u5)),
    ]
}
