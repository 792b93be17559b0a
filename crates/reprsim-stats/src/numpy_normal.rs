//! The normal deviates of numpy's `RandomState`, on which published figures depend.

const SIZE: usize = 624;
const SHIFT: usize = 397;

/// Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with the polar method
/// (Marsaglia and Bray 1964), in numpy's order.
pub(crate) struct NumpyNormal {
    state: [u32; SIZE],
    next: usize,
    /// Deviates come in pairs.
    second: Option<f64>,
}

impl NumpyNormal {
    /// That of `RandomState(seed)`.
    pub(crate) fn new(seed: u32) -> Self {
        let mut state = [seed; SIZE];
        for i in 1..SIZE {
            let before = state[i - 1];
            state[i] = (before ^ (before >> 30))
                .wrapping_mul(1_812_433_253)
                .wrapping_add(i as u32);
        }
        Self {
            state,
            next: SIZE,
            second: None,
        }
    }

    /// The next deviate of `standard_normal`.
    pub(crate) fn next(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        loop {
            let x = 2.0 * self.uniform() - 1.0;
            let y = 2.0 * self.uniform() - 1.0;
            let squares = x * x + y * y;
            if squares < 1.0 && squares != 0.0 {
                let factor = (-2.0 * squares.ln() / squares).sqrt();
                self.second = Some(factor * x);
                return factor * y;
            }
        }
    }

    /// From 0 to 1 with 53 bits.
    fn uniform(&mut self) -> f64 {
        let (high, low) = (self.word() >> 5, self.word() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    fn word(&mut self) -> u32 {
        if self.next == SIZE {
            for i in 0..SIZE {
                let joined = self.state[i] & 0x8000_0000 | self.state[(i + 1) % SIZE] & 0x7fff_ffff;
                let twist = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + SHIFT) % SIZE] ^ (joined >> 1) ^ twist;
            }
            self.next = 0;
        }
        let mut y = self.state[self.next];
        self.next += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }
}

#[cfg(test)]
mod tests {
    use super::NumpyNormal;

    /// `np.random.RandomState(42).standard_normal(1000)`, of which the last needs a later
    /// block of the generator.
    #[test]
    fn deviates_of_numpy() {
        let mut normal = NumpyNormal::new(42);
        let deviates: Vec<f64> = (0..1000).map(|_| normal.next()).collect();
        for (place, expected) in [
            (0, 0.4967141530112327),
            (1, -0.13826430117118466),
            (2, 0.6476885381006925),
            (999, 0.5725827813561586),
        ] {
            assert!((deviates[place] - expected).abs() < 1e-14);
        }
    }
}
