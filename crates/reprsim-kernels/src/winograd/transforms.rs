//! The three transforms of F(4, 3) for one axis and what is needed of their adjoints, on vectors.
//!
//! With `A`, `B` and `G` of Lavin and Gray (2016), section 4.3: four outputs of a filter of three
//! weights `g` over six inputs `d` are `A' [(G g) * (B' d)]`.

use pulp::Simd;

/// Outputs of one tile's side.
pub(super) const OUT: usize = 4;
/// Inputs of one tile's side.
pub(super) const IN: usize = 6;
/// Weights of one side.
pub(super) const TAPS: usize = 3;

/// `B' d`.
#[inline(always)]
pub(super) fn input<S: Simd>(s: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let [d0, d1, d2, d3, d4, d5] = d;
    let [two, four, five] = [2.0, 4.0, 5.0].map(|x| s.splat_f32s(x));
    let even = s.sub_f32s(d4, s.mul_f32s(four, d2));
    let odd = s.sub_f32s(d3, s.mul_f32s(four, d1));
    let far_even = s.sub_f32s(d4, d2);
    let far_odd = s.mul_f32s(two, s.sub_f32s(d3, d1));
    [
        s.mul_add_e_f32s(four, d0, s.sub_f32s(d4, s.mul_f32s(five, d2))),
        s.add_f32s(even, odd),
        s.sub_f32s(even, odd),
        s.add_f32s(far_even, far_odd),
        s.sub_f32s(far_even, far_odd),
        s.mul_add_e_f32s(four, d1, s.sub_f32s(d5, s.mul_f32s(five, d3))),
    ]
}

/// `A' m`.
#[inline(always)]
pub(super) fn output<S: Simd>(s: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let [m0, m1, m2, m3, m4, m5] = m;
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|x| s.splat_f32s(x));
    let [sum, apart] = [s.add_f32s(m1, m2), s.sub_f32s(m1, m2)];
    let [far_sum, far_apart] = [s.add_f32s(m3, m4), s.sub_f32s(m3, m4)];
    [
        s.add_f32s(m0, s.add_f32s(sum, far_sum)),
        s.mul_add_e_f32s(two, far_apart, apart),
        s.mul_add_e_f32s(four, far_sum, sum),
        s.add_f32s(m5, s.mul_add_e_f32s(eight, far_apart, apart)),
    ]
}

/// `A y`, the adjoint of [`output`].
#[inline(always)]
pub(super) fn output_adjoint<S: Simd>(s: S, y: [S::f32s; OUT]) -> [S::f32s; IN] {
    let [y0, y1, y2, y3] = y;
    let [two, four, eight] = [2.0, 4.0, 8.0].map(|x| s.splat_f32s(x));
    let [even, odd] = [s.add_f32s(y0, y2), s.add_f32s(y1, y3)];
    let far_even = s.mul_add_e_f32s(four, y2, y0);
    let far_odd = s.mul_add_e_f32s(two, y1, s.mul_f32s(eight, y3));
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
    let [even, odd] = [of(-1.0 / 6.0, s.add_f32s(g0, g2)), of(1.0 / 6.0, g1)];
    let far_even = s.add_f32s(of(1.0 / 24.0, g0), of(1.0 / 6.0, g2));
    let far_odd = of(1.0 / 12.0, g1);
    [
        of(0.25, g0),
        s.sub_f32s(even, odd),
        s.add_f32s(even, odd),
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
    let [sum, apart] = [s.add_f32s(u1, u2), s.sub_f32s(u2, u1)];
    let [far_sum, far_apart] = [s.add_f32s(u3, u4), s.sub_f32s(u3, u4)];
    let near = s.sub_f32s(of(1.0 / 24.0, far_sum), of(1.0 / 6.0, sum));
    [
        s.add_f32s(of(0.25, u0), near),
        s.add_f32s(of(1.0 / 6.0, apart), of(1.0 / 12.0, far_apart)),
        s.add_f32s(of(1.0 / 6.0, s.sub_f32s(far_sum, sum)), u5),
    ]
}
