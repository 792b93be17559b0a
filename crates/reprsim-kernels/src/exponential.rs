//! The exponential function by arithmetic alone, so that loops over it become vector
//! instructions.

/// `e^x` for `x <= 0`, to 2e-7 relative (Cephes' `expf`: Cody and Waite's reduction, a
/// polynomial of degree 5); `e^-87` below -87.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    /// Adding it leaves a whole number in the low bits.
    const MAGIC: f32 = 12_582_912.0;
    // Not max(): a NaN must stay one.
    let x = if x < -87.0 { -87.0 } else { x };
    let shifted = x * std::f32::consts::LOG2_E + MAGIC;
    let n = shifted - MAGIC;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_2e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    let y = p * r * r + r + 1.0;
    // 2^n goes into the exponent.
    f32::from_bits(y.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_exponential() {
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let right = f64::from(x).exp();
            let apart = (f64::from(exp(x)) - right).abs() / right;
            assert!(apart < 2e-7, "{x}: {apart}");
        }
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::NAN).is_nan());
    }
}
