//! The table of scripts/check_inference.py.

/// From -0.5 to 0.5, without a pattern that the design could follow.
pub fn noise(k: u64) -> f64 {
    ((k * k * 7919 + k * 104_729) % 1009) as f64 / 1009.0 - 0.5
}

/// A 3 x 3 factorial with 6 seeds.
#[derive(Default)]
pub struct Table {
    pub a: Vec<f64>,
    pub b: Vec<f64>,
    pub ab: Vec<f64>,
    pub accuracy: Vec<f64>,
    pub y: Vec<f64>,
    pub seeds: Vec<u64>,
}

impl Table {
    pub fn factorial() -> Self {
        let mut table = Self::default();
        for point in 0..54u64 {
            let (seed, i, j) = (point / 9, point / 3 % 3, point % 3);
            let k = point + 1;
            let (a, b) = (i as f64 / 2.0 - 0.5, j as f64 / 2.0 - 0.5);
            let mut y = 0.5 + 0.2 * a + 0.4 * b + 0.1 * a * b + 0.05 * noise(seed + 201);
            y += 0.1 * noise(seed + 301) * a + 0.1 * noise(seed + 401) * a * b + 0.1 * noise(k);
            table.a.push(a);
            table.b.push(b);
            table.ab.push(a * b);
            table.accuracy.push(0.8 + 0.01 * a + 0.02 * noise(k + 500));
            table.y.push(y);
            table.seeds.push(seed);
        }
        table
    }

    /// Without every seventh point.
    pub fn unbalanced() -> Self {
        let of = |values: Vec<f64>| -> Vec<f64> {
            let kept = values.into_iter().enumerate().filter(|(i, _)| i % 7 != 6);
            kept.map(|(_, v)| v).collect()
        };
        let all = Self::factorial();
        let seeds = all.seeds.iter().enumerate().filter(|(i, _)| i % 7 != 6);
        Self {
            seeds: seeds.map(|(_, s)| *s).collect(),
            a: of(all.a),
            b: of(all.b),
            ab: of(all.ab),
            accuracy: of(all.accuracy),
            y: of(all.y),
        }
    }

    pub fn terms(&self) -> Vec<Vec<f64>> {
        vec![self.a.clone(), self.b.clone(), self.ab.clone()]
    }
}

#[track_caller]
pub fn close(value: f64, expected: f64, relative: f64) {
    assert!(
        (value - expected).abs() <= relative * expected.abs(),
        "{value} is not {expected}"
    );
}
